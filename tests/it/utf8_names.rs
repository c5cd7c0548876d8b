//! `--push.enable-utf8-names`: sections 1 and 2.3 of the Pushgateway's behaviour, for 1.11. Debian's
//! 1.5.1 has no such flag, so that these cases can only be held here.

use tidegate::format::name::NameRule;

use crate::harness::{Gateway, HOUR, Options};

fn utf8() -> Gateway {
    Gateway::with(Options {
        names: NameRule::Utf8,
        ..Options::default()
    })
}

/// The labels of the one group that has this job, as its push time shows them.
#[track_caller]
fn labels_of(gateway: &Gateway, job: &str) -> String {
    let text = gateway.scrape();
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("push_failure_time_seconds{"))
        .filter(|line| line.contains(&format!("job=\"{job}\"")));
    let found = lines.next().expect("the group").to_owned();
    assert_eq!(lines.next(), None, "two groups of one job");
    found.trim_end_matches("} 0").to_owned()
}

/// Any non-empty UTF-8 label name is legal in an address, raw or in the `U__` form, in which
/// `_HEX_` with one to five digits is a character and `__` an underscore. What is malformed stands
/// for itself. `@base64` is cut off first.
#[test]
fn label_names_in_addresses_may_be_raw_or_encoded() {
    let gateway = utf8();
    for (at, (path, label)) in [
        ("foo.bar/x", "foo_bar=\"x\""),
        ("%CE%A0/x", "_=\"x\""),
        ("a%20b/x", "a_b=\"x\""),
        ("U__foo_2e_bar/x", "foo_bar=\"x\""),
        ("U__foo_2E_bar@base64/eA", "foo_bar=\"x\""),
        ("U__foo__bar/x", "foo_bar=\"x\""),
        ("U___1F600_a/x", "_a=\"x\""),
        ("U__in_xxx_valid/x", "U__in_xxx_valid=\"x\""),
        ("U__a_00002e_/x", "U__a_00002e_=\"x\""),
        ("U__a_D800_/x", "U__a_D800_=\"x\""),
    ]
    .into_iter()
    .enumerate()
    {
        gateway.put(&format!("job/j{at}/{path}"), "m 1\n");
        let mut labels = [
            format!("job=\"j{at}\""),
            "instance=\"\"".to_owned(),
            label.to_owned(),
        ];
        let shown = labels_of(&gateway, &format!("j{at}"));
        let mut shown: Vec<&str> = shown.split(',').collect();
        shown.sort_unstable();
        labels.sort_unstable();
        assert_eq!(shown, labels, "{path}");
        assert!(gateway.delete(&format!("job/j{at}/{path}")), "{path}");
    }
}

/// Both spellings are one group; the value of the job is never decoded, and an encoded `job` yields
/// to the job of the path.
#[test]
fn an_encoded_name_is_the_name_that_it_stands_for() {
    let gateway = utf8();
    gateway.put("job/a/foo.bar/x", "m 1\n");
    assert!(gateway.delete("job/a/U__foo_2e_bar/x"));
    gateway.put("job/U__a_2e_b/U__job/c", "m 1\n");
    assert!(gateway.delete("job/U__a_2e_b"));
}

/// The prefix `__` is tested on the encoded name in the original, which then refuses every push
/// (corner case 5). Here the name it stands for is tested too.
#[test]
fn names_that_are_none_or_reserved_are_refused_and_store_nothing() {
    let gateway = utf8();
    for (path, text) in [
        ("%ff/x", r#"improper label name "\xff""#),
        ("@base64/eA", r#"improper label name """#),
        ("__x/x", r#"improper label name "__x""#),
        ("U__/x", r#"improper label name "U__""#),
        (
            "U___5F__5F_name/1",
            r#"improper label name "U___5F__5F_name": it stands for "__name""#,
        ),
        (
            "._x/1",
            r#"improper label name "._x": the exposition would have "__x" twice or reserved"#,
        ),
        (
            "a.b/1/a_b/2",
            r#"improper label name "a.b": the exposition would have "a_b" twice or reserved"#,
        ),
        (
            "a.b/1/a-b/2",
            r#"improper label name "a.b": the exposition would have "a_b" twice or reserved"#,
        ),
    ] {
        assert_eq!(
            gateway.refused("PUT", &format!("job/a/{path}"), "m 1\n"),
            format!("{text}\n"),
            "{path}"
        );
    }
    assert_eq!(gateway.exposition(), "");
}

/// Without the flag everything is as it was: encoded names are ordinary ones.
#[test]
fn without_the_flag_names_stay_legacy() {
    let gateway = Gateway::start();
    gateway.put("job/a/U__foo_2e_bar/x", "m 1\n");
    assert!(gateway.pushed().contains("U__foo_2e_bar=\"x\""));
    let text = gateway.refused("PUT", "job/a/foo.bar/x", "m 1\n");
    assert_eq!(text, "improper label name \"foo.bar\"\n");
    let prefix = "text format parsing error in line 1: invalid";
    for (body, text) in [
        ("{\"a.b\"} 1\n", " metric name \"a.b\"\n"),
        ("a{\"b.c\"=\"1\"} 1\n", " label name \"b.c\"\n"),
        ("# TYPE \"a.b\" gauge\n", " metric name \"a.b\"\n"),
    ] {
        assert_eq!(
            gateway.refused("PUT", "job/a", body),
            format!("{prefix}{text}")
        );
    }
}

/// In text other names are quoted; bare ones stay those of the format.
#[test]
fn quoted_names_in_text_are_stored() {
    let gateway = utf8();
    gateway.put(
        "job/a",
        "# TYPE \"my.gauge\" gauge\n# HELP \"my.gauge\" Mine.\n{\"my.gauge\",\"l.m\"=\"1\"} 1\n\
         # TYPE \"h.s\" histogram\n{\"h.s_bucket\",le=\"+Inf\"} 2\n{\"h.s_count\"} 2\n\"zΠ\" 3\n",
    );
    let shown = gateway.pushed();
    for lines in [
        "# HELP my_gauge Mine.\n# TYPE my_gauge gauge\nmy_gauge{instance=\"\",job=\"a\",l_m=\"1\"} 1\n",
        "# TYPE h_s histogram\nh_s_bucket{instance=\"\",job=\"a\",le=\"+Inf\"} 2\nh_s_sum{instance=\"\",job=\"a\"} 0\nh_s_count{instance=\"\",job=\"a\"} 2\n",
        "# TYPE z_ untyped\nz_{instance=\"\",job=\"a\"} 3\n",
    ] {
        assert!(shown.contains(lines), "{lines} is not in\n{shown}");
    }
    for (body, text) in [
        ("a.b 1\n", "expected float as value, got \".b\""),
        ("{\"\"} 1\n", "invalid label name for metric \"\""),
        ("{\"\\xFF\"} 1\n", "invalid escape sequence '\\x'"),
        ("a{\"\"=\"1\"} 1\n", "invalid label name for metric \"a\""),
    ] {
        let text = format!("text format parsing error in line 1: {text}\n");
        assert_eq!(gateway.refused("PUT", "job/b", body), text);
    }
}

/// A scrape never fails because of names: labels that would be printed alike are refused.
#[test]
fn labels_that_would_be_printed_alike_are_refused() {
    let gateway = utf8();
    for (group, body) in [
        ("job/a", "m{\"x.y\"=\"1\",x_y=\"2\"} 1\n"),
        ("job/b/x.y/1", "m{x_y=\"2\"} 1\n"),
        ("job/b/x.y/1", "m{\"x-y\"=\"2\"} 1\n"),
        ("job/c/x_y/1", "m{\"x.y\"=\"2\"} 1\n"),
    ] {
        let text = gateway.refused("PUT", group, body);
        assert!(
            text.contains("has two or more labels with the same name: x_y"),
            "{text}"
        );
    }
    // The same label wins as always.
    gateway.put("job/b/x.y/1", "m{\"x.y\"=\"2\"} 1\n");
    assert!(
        gateway
            .pushed()
            .ends_with("m{instance=\"\",job=\"b\",x_y=\"1\"} 1\n")
    );
}

#[test]
fn the_api_and_openmetrics_take_the_same_names() {
    let gateway = utf8();
    let body = "# TYPE \"my.req\" counter\n{\"my.req_total\"} 1\n# EOF\n";
    let headers = [("Content-Type", "application/openmetrics-text")];
    let answer = gateway.send("PUT", "/metrics/job/a/foo.bar/x", &headers, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let group = gateway.get("/api/v1/groups/job/a/U__foo_2e_bar/x", &[]);
    assert_eq!(group.status, 200);
    assert!(
        group.text().contains("\"foo.bar\":\"x\""),
        "{}",
        group.text()
    );
    assert!(
        group.text().contains("\"my.req_total\""),
        "{}",
        group.text()
    );
    let batch = r#"{"groups":[{"labels":{"job":"b","foo.bar":"x"},"body":"{\"k.l\"} 1\n"}]}"#;
    let answer = gateway.send("POST", "/api/v1/push", &[], batch);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(gateway.delete("job/b/foo.bar/x"));
    let batch = r#"{"groups":[{"labels":{"job":"b","foo.bar":"x","foo_bar":"y"}}]}"#;
    let answer = gateway.send("POST", "/api/v1/push", &[], batch);
    assert_eq!(answer.status, 400, "{}", answer.text());
}

/// Groups stay what they are through a restart.
#[test]
fn utf8_names_survive_a_restart() {
    let mut gateway = utf8();
    gateway.put("job/a/foo.bar/x", "{\"m.n\",\"l.m\"=\"1\"} 1\n");
    let before = gateway.pushed();
    gateway.restart();
    assert_eq!(gateway.pushed(), before);
    assert!(gateway.delete("job/a/U__foo_2e_bar/x"));
}

/// Two groups that would be shown as one exclude each other, like `{L}` and `{L, instance=""}`.
#[test]
fn groups_that_would_be_printed_alike_exclude_each_other() {
    let gateway = utf8();
    for (at, (first, second)) in [
        ("x.y/1", "x_y/1"),
        ("x_y/1", "x.y/1"),
        ("x.y/1", "x-y/1"),
        ("x_y/1/instance/", "x.y/1"),
        ("x.y/1", "x-y/1/instance/"),
        ("x.y/1", "x_y/1/instance/"),
    ]
    .into_iter()
    .enumerate()
    {
        let (first, second) = (format!("job/j{at}/{first}"), format!("job/j{at}/{second}"));
        gateway.put(&first, "m 1\n");
        let before = gateway.exposition();
        // Neither a push nor the mark of one that is refused anyway.
        for body in ["k 1\n", "k 1 5\n"] {
            let text = gateway.refused("PUT", &second, body);
            let words = "was collected before with the same name and label values";
            assert!(text.contains(words) || body.contains(" 5"), "{text}");
            assert_eq!(gateway.exposition(), before);
        }
        gateway.put(&first, "m 2\n");
        assert!(gateway.delete(&first));
        gateway.put(&second, "m 1\n");
        assert!(gateway.delete(&second));
    }
}

#[test]
fn an_expired_group_makes_room_for_one_that_is_printed_alike() {
    let mut gateway = utf8();
    gateway.put_for("1h", "job/a/x.y/1", "m 1\n");
    gateway.put_for("1h", "job/b/x_y/1", "m 1\n");
    gateway.restart();
    gateway.refused("PUT", "job/a/x_y/1", "k 1\n");
    gateway.advance(HOUR);
    gateway.put("job/a/x_y/1", "k 1\n");
    gateway.put("job/b/x.y/1", "k 1\n");
    let shown = "# TYPE k untyped\nk{instance=\"\",job=\"a\",x_y=\"1\"} 1\nk{instance=\"\",job=\"b\",x_y=\"1\"} 1\n";
    assert_eq!(gateway.pushed(), shown);
}
