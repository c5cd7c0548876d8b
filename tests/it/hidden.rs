//! `--push.disable-consistency-check`: what cannot be shown is stored and hidden until it can.

use serde_json::Value;
use tidegate::format::name::NameRule;
use tidegate::http::Doors;

use crate::harness::{Gateway, HOUR, Options};
use crate::protobuf::{self, DELIMITED};

fn gateway() -> Gateway {
    Gateway::with(Options {
        hide_inconsistent: true,
        doors: Doors {
            admin: true,
            ..Doors::default()
        },
        ..Options::default()
    })
}

/// A push that is taken whatever it holds.
#[track_caller]
fn push(gateway: &Gateway, method: &str, group: &str, body: &str) {
    let answer = gateway.write(method, group, body);
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (202, ""),
        "{method} {group}"
    );
}

/// Groups with hidden families: `labels: name, name`.
fn hidden(gateway: &Gateway) -> Vec<String> {
    let answer = gateway.get("/api/v1/groups?limit=1000", &[]);
    let found: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let groups = found["data"]["groups"].as_array().expect("groups");
    let shown = |group: &Value| {
        let hidden = group["hidden_families"].as_array().expect("a list");
        let names: Vec<&str> = hidden
            .iter()
            .filter_map(|family| family["name"].as_str())
            .collect();
        (!names.is_empty()).then(|| format!("{}: {}", group["labels"], names.join(", ")))
    };
    groups.iter().filter_map(shown).collect()
}

#[test]
fn who_is_shown_stays_shown_and_the_other_appears_when_it_is_gone() {
    let mut gateway = gateway();
    push(&gateway, "PUT", "job/a", "# TYPE x gauge\nx 1\n");
    push(&gateway, "PUT", "job/b", "# TYPE x counter\nx 2\ny 2\n");
    let first = "# TYPE x gauge\nx{instance=\"\",job=\"a\"} 1\n# TYPE y untyped\n\
        y{instance=\"\",job=\"b\"} 2\n";
    assert_eq!(gateway.pushed(), first);
    assert_eq!(hidden(&gateway), [r#"{"job":"b"}: x"#]);
    assert_eq!(
        gateway.value("tidegate_hidden_families").as_deref(),
        Some("1")
    );
    let detail = gateway.get("/api/v1/groups/job/b", &[]).text();
    assert!(
        detail.contains("its type COUNTER is not that of the groups that show this metric"),
        "{detail}"
    );
    // A push of the one that is shown changes nothing, and neither does a restart.
    push(&gateway, "PUT", "job/a", "# TYPE x gauge\nx 1\n");
    gateway.restart();
    assert_eq!(gateway.pushed(), first);
    gateway.delete("job/a");
    let second = "# TYPE x counter\nx{instance=\"\",job=\"b\"} 2\n# TYPE y untyped\n\
        y{instance=\"\",job=\"b\"} 2\n";
    assert_eq!(gateway.pushed(), second);
    assert!(hidden(&gateway).is_empty());
    assert_eq!(
        gateway.value("tidegate_hidden_families").as_deref(),
        Some("0")
    );
    gateway.restart();
    assert_eq!(gateway.pushed(), second);
}

#[test]
fn a_change_of_type_an_expiry_and_a_push_without_the_family_let_others_appear() {
    let gateway = gateway();
    let shows_b = || gateway.pushed().contains("job=\"b\"");
    let blocked = |how: &str| {
        push(&gateway, "PUT", "job/b", "# TYPE x counter\nx 2\n");
        assert!(!shows_b(), "{how}");
    };
    push(&gateway, "PUT", "job/a", "# TYPE x gauge\nx 1\n");
    blocked("a type");
    push(&gateway, "POST", "job/a", "# TYPE x counter\nx 1\n");
    assert!(shows_b());
    push(&gateway, "PUT", "job/b", "");
    push(&gateway, "PUT", "job/a", "# TYPE x gauge\nx 1\n");
    blocked("again");
    push(&gateway, "PUT", "job/a", "other 1\n");
    assert!(shows_b());
    // An expired group stands in nobody's way: at the latest when it is removed.
    push(&gateway, "PUT", "job/b", "");
    let header = [("Tidegate-TTL", "1h")];
    let answer = gateway.send("PUT", "/metrics/job/a", &header, "# TYPE x gauge\nx 1\n");
    assert_eq!(answer.status, 202);
    blocked("until it expires");
    gateway.advance(HOUR);
    assert!(!gateway.pushed().contains("job=\"a\""));
    let reaped = gateway.send("POST", "/api/v1/admin/ttl/reap", &[], "");
    assert_eq!(reaped.status, 200, "{}", reaped.text());
    assert!(shows_b());
}

#[test]
fn faults_of_a_families_own_stay_hidden_and_the_rest_of_the_push_is_shown() {
    let mut gateway = gateway();
    let body = "dup 1\ndup 2\nfine 1\n# TYPE h histogram\nh{le=\"1\"} 1\n\
        tidegate_groups 1\n# TYPE s summary\ns 1\n__bad{__x=\"1\"} 1\n";
    push(&gateway, "PUT", "job/a/le/1", body);
    let shown = gateway.pushed();
    assert!(shown.contains("\nfine{"), "{shown}");
    let expected = [r#"{"job":"a","le":"1"}: __bad, dup, h, tidegate_groups"#];
    assert_eq!(hidden(&gateway), expected);
    gateway.restart();
    assert_eq!(gateway.pushed(), shown);
    push(&gateway, "POST", "job/a/le/1", "dup 1\n");
    assert!(gateway.pushed().contains("\ndup{") || gateway.pushed().starts_with("# TYPE dup"));
}

#[test]
fn timestamps_drop_the_push_and_only_what_cannot_be_read_is_refused() {
    let gateway = gateway();
    push(&gateway, "PUT", "job/a", "x 1\n");
    push(&gateway, "PUT", "job/a", "x 2 1\n");
    assert_eq!(
        gateway.value("x{instance=\"\",job=\"a\"}").as_deref(),
        Some("1")
    );
    let failed = gateway.value("push_failure_time_seconds{instance=\"\",job=\"a\"}");
    assert_ne!(failed.as_deref(), Some("0"));
    push(&gateway, "PUT", "job/new", "x 2 1\n");
    let pushed = gateway.value("push_time_seconds{instance=\"\",job=\"new\"}");
    assert_eq!(pushed.as_deref(), Some("0"));
    for (path, body) in [
        ("job/a", "x\n"),
        ("job/a/odd", "x 1\n"),
        ("job/a/1x/y", "x 1\n"),
    ] {
        assert_eq!(gateway.write("PUT", path, body).status, 400, "{path}");
    }
}

#[test]
fn of_twins_the_first_shows_its_push_times() {
    let mut gateway = gateway();
    let times = |gateway: &Gateway| {
        let text = gateway.exposition();
        text.matches("push_time_seconds{").count()
    };
    push(&gateway, "PUT", "job/a", "x 1\n");
    push(&gateway, "PUT", "job/a/instance@base64/=", "x 2\ny 2\n");
    assert_eq!(times(&gateway), 1);
    assert_eq!(
        gateway.value("x{instance=\"\",job=\"a\"}").as_deref(),
        Some("1")
    );
    assert_eq!(
        gateway.value("y{instance=\"\",job=\"a\"}").as_deref(),
        Some("2")
    );
    let expected = [r#"{"instance":"","job":"a"}: push_time_seconds, x"#];
    assert_eq!(hidden(&gateway), expected);
    // Without the flag the one that is shown is pushed as ever, the other is refused.
    gateway.restart_hiding(false);
    assert_eq!(hidden(&gateway), expected);
    gateway.put("job/a", "x 3\n");
    let refused = gateway.write("PUT", "job/a/instance@base64/=", "y 3\n");
    assert_eq!(refused.status, 400, "{}", refused.text());
    gateway.delete("job/a");
    assert_eq!(times(&gateway), 1);
    assert_eq!(
        gateway.value("x{instance=\"\",job=\"a\"}").as_deref(),
        Some("2")
    );
    assert!(hidden(&gateway).is_empty());
}

#[test]
fn without_the_flag_what_is_hidden_stays_hidden_and_pushes_are_refused_again() {
    let mut gateway = gateway();
    push(&gateway, "PUT", "job/a", "# TYPE x gauge\nx 1\n");
    push(&gateway, "PUT", "job/b", "# TYPE x counter\nx 2\ny 2\n");
    gateway.restart_hiding(false);
    let shown = gateway.pushed();
    assert!(
        shown.contains("x{instance=\"\",job=\"a\"}")
            && !shown.contains("x{instance=\"\",job=\"b\"}")
    );
    gateway.post("job/b", "y 3\n");
    assert_eq!(hidden(&gateway), [r#"{"job":"b"}: x"#]);
    let refused = gateway.write("PUT", "job/b", "# TYPE x counter\nx 2\n");
    assert_eq!(refused.status, 400);
    // A batch is refused whole and leaves what was hidden as it was.
    let batch = "{\"groups\":[{\"labels\":{\"job\":\"b\"},\"body\":\"y 4\\n\"},\
        {\"labels\":{\"job\":\"c\"},\"body\":\"# TYPE x counter\\nx 1\\n\"}]}";
    let refused = gateway.send("POST", "/api/v1/push", &[], batch);
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(hidden(&gateway), [r#"{"job":"b"}: x"#]);
    gateway.restart();
    assert_eq!(hidden(&gateway), [r#"{"job":"b"}: x"#]);
    gateway.put("job/b", "y 5\n");
    assert!(hidden(&gateway).is_empty());
}

#[test]
fn scrapes_in_protobuf_leave_the_same_out_and_show_it_when_it_appears() {
    let mut gateway = gateway();
    // The same content is brought up to date from the first scrape to the last but one.
    let scrape = |gateway: &Gateway| {
        let text = protobuf::as_text(&protobuf::families(gateway, DELIMITED));
        assert_eq!(text, gateway.exposition());
        text
    };
    scrape(&gateway);
    push(&gateway, "PUT", "job/a", "# TYPE x gauge\nx 1\n");
    push(&gateway, "PUT", "job/b", "# TYPE x counter\nx 2\ny 2\n");
    push(&gateway, "PUT", "job/a/instance@base64/=", "z 3\n");
    let first = scrape(&gateway);
    assert!(first.contains("x{instance=\"\",job=\"a\"} 1\n"), "{first}");
    assert!(!first.contains("x{instance=\"\",job=\"b\"}"), "{first}");
    assert_eq!(first.matches("push_time_seconds{").count(), 2, "{first}");
    gateway.delete("job/a");
    let second = scrape(&gateway);
    assert!(
        second.contains("# TYPE x counter\nx{instance=\"\",job=\"b\"} 2\n"),
        "{second}"
    );
    assert_eq!(second.matches("push_time_seconds{").count(), 2, "{second}");
    push(&gateway, "PUT", "job/c", "# TYPE x gauge\nx 3\n");
    gateway.restart();
    assert!(!scrape(&gateway).contains("x{instance=\"\",job=\"c\"}"));
}

#[test]
fn the_query_api_shows_what_is_hidden_as_the_original_does() {
    let gateway = gateway();
    push(&gateway, "PUT", "job/a", "# TYPE x gauge\nx 1\n");
    push(&gateway, "PUT", "job/b", "# TYPE x counter\nx 2\n");
    push(&gateway, "PUT", "job/a/instance@base64/=", "x 3\n");
    let answer = gateway.get("/api/v1/metrics", &[]);
    let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let groups = answer["data"].as_array().expect("groups");
    assert_eq!(groups.len(), 3);
    for group in groups {
        let value = |name: &str| {
            group[name]["metrics"][0]["value"]
                .as_str()
                .map(str::to_owned)
        };
        let twin = group["labels"]["instance"] == "";
        let expected = match group["labels"]["job"].as_str() {
            Some("b") => "2",
            _ if twin => "3",
            _ => "1",
        };
        assert_eq!(value("x").as_deref(), Some(expected), "{group}");
        assert_ne!(value("push_time_seconds").expect("a time"), "0", "{group}");
        assert_eq!(value("push_failure_time_seconds").as_deref(), Some("0"));
    }
}

#[test]
fn of_groups_that_are_printed_alike_one_shows_its_push_times_and_the_next_when_it_is_gone() {
    let mut gateway = Gateway::with(Options {
        hide_inconsistent: true,
        names: NameRule::Utf8,
        ..Options::default()
    });
    let times = |gateway: &Gateway| {
        let text = gateway.exposition();
        text.matches("push_time_seconds{").count()
    };
    for (group, body) in [
        ("job/a/x_y/1", "m 1\none 1\n"),
        ("job/a/x.y/1", "m 2\ntwo 1\n"),
        ("job/a/x-y/1", "m 3\nthree 1\n"),
        ("job/a/x_y/1/instance@base64/=", "four 1\n"),
        ("job/a/x_y/2", "five 1\n"),
    ] {
        push(&gateway, "PUT", group, body);
    }
    let dash = r#"{"job":"a","x-y":"1"}: push_time_seconds"#;
    let dot = r#"{"job":"a","x.y":"1"}: push_time_seconds"#;
    let empty = r#"{"instance":"","job":"a","x_y":"1"}: push_time_seconds"#;
    let sorted = |names: &[&str]| {
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    };
    let found = |gateway: &Gateway| {
        let mut found = hidden(gateway);
        found.sort();
        found
    };
    assert_eq!(found(&gateway), sorted(&[dash, dot, empty]));
    assert_eq!(times(&gateway), 2);
    let text = gateway.exposition();
    for name in ["one", "two", "three", "four"] {
        let series = format!("\n{name}{{instance=\"\",job=\"a\",x_y=\"1\"}} 1\n");
        assert!(text.contains(&series), "{name}: {text}");
    }
    // The first by key takes the place of the one that is gone, whatever else goes.
    gateway.delete("job/a/x.y/1");
    gateway.delete("job/a/x_y/1");
    gateway.restart();
    assert_eq!(times(&gateway), 2);
    assert_eq!(found(&gateway).len(), 1);
    push(&gateway, "PUT", "job/a/x_y/1", "one 1\n");
    assert_eq!(times(&gateway), 2);
    assert_eq!(found(&gateway).len(), 2);
    gateway.delete("job/a/x-y/1");
    gateway.delete("job/a/x_y/1/instance@base64/=");
    assert_eq!(times(&gateway), 2);
    assert!(found(&gateway).is_empty());
    // Without the flag the others are refused while one is there.
    gateway.restart_hiding(false);
    let refused = gateway.write("PUT", "job/a/x.y/1", "two 1\n");
    assert_eq!(refused.status, 400, "{}", refused.text());
}

#[test]
fn of_twins_only_the_one_that_shows_its_push_times_has_its_ttl_shown_as_series() {
    let gateway = Gateway::with(Options {
        hide_inconsistent: true,
        expose: true,
        doors: Doors {
            admin: true,
            ..Doors::default()
        },
        ..Options::default()
    });
    // Sound, and the same in protobuf.
    let check = |ttl: &str| {
        let text = gateway.exposition();
        let series = format!("tidegate_group_ttl_seconds{{instance=\"\",job=\"a\"}} {ttl}\n");
        let scrape = gateway.scrape();
        assert!(scrape.contains(&series), "{scrape}");
        assert_eq!(scrape.matches("\ntidegate_group_ttl_seconds{").count(), 1);
        let families = protobuf::families(&gateway, DELIMITED);
        assert_eq!(protobuf::as_text(&families), text);
        let of = families
            .iter()
            .find(|f| protobuf::name(f) == "tidegate_group_ttl_seconds");
        assert_eq!(of.map(|family| family.metric.len()), Some(1));
    };
    let put = |ttl: &str, group: &str, body: &str| {
        let path = format!("/metrics/{group}");
        let answer = gateway.send("PUT", &path, &[("Tidegate-TTL", ttl)], body);
        assert_eq!(answer.status, 202, "{}", answer.text());
    };
    put("3h", "job/a", "x 1\n");
    put("2h", "job/a/instance@base64/=", "y 1\n");
    check("10800");
    gateway.delete("job/a");
    check("7200");
    // One that expires hidden leaves no line behind beside the twin that is there.
    put("1h", "job/a", "x 1\n");
    gateway.advance(HOUR);
    let reaped = gateway.send("POST", "/api/v1/admin/ttl/reap", &[], "");
    assert_eq!(reaped.status, 200, "{}", reaped.text());
    let scrape = gateway.scrape();
    let line = "tidegate_expired_group_last_push_timestamp_seconds{";
    assert!(!scrape.contains(line), "{scrape}");
    check("7200");
}
