//! Limits of all groups and series together: what would pass one is refused, and nothing else.

use tidegate::http::Doors;
use tidegate::state::Quota;

use crate::harness::{Gateway, HOUR, NANOSECOND, Options, SECOND, START_SECONDS, repeated};

fn groups(limit: u64) -> Quota {
    Quota {
        groups: Some(limit),
        series: None,
    }
}

fn series(limit: u64) -> Quota {
    Quota {
        groups: None,
        series: Some(limit),
    }
}

fn within(quota: Quota) -> Gateway {
    Gateway::with(Options {
        quota,
        ..Options::default()
    })
}

/// So many series of one family.
fn lines(count: usize) -> String {
    repeated(count, |at| format!("m{{at=\"{at}\"}} 1\n"))
}

/// A push for which there is no room; the gateway is as well as before.
#[track_caller]
fn no_room(gateway: &Gateway, method: &str, group: &str, body: &str, text: &str) {
    let answer = gateway.write(method, group, body);
    let found = (answer.status, answer.text());
    assert_eq!(found, (507, format!("not stored: {text}\n")), "{group}");
    assert_eq!(gateway.get("/-/ready", &[]).status, 200);
}

/// A push of JSON to many groups; status and body.
fn push_many(gateway: &Gateway, groups: &[(&str, &str, &str)]) -> (u16, String) {
    let groups: Vec<_> = groups
        .iter()
        .map(|(method, job, body)| {
            serde_json::json!({"labels": {"job": job}, "method": method, "body": body})
        })
        .collect();
    let body = serde_json::json!({ "groups": groups }).to_string();
    let answer = gateway.send("POST", "/api/v1/push", &[], body);
    (answer.status, answer.text())
}

fn stored(gateway: &Gateway) -> (String, String) {
    gateway.counts()
}

fn counted(groups: &str, series: &str) -> (String, String) {
    (groups.to_owned(), series.to_owned())
}

#[test]
fn one_group_too_many_is_refused_and_nothing_of_it_is_stored() {
    let gateway = within(groups(2));
    gateway.put("job/a", "a 1\n");
    gateway.post("job/b", "b 1\n");
    let before = gateway.exposition();
    let text = "there would be 3 groups, more than --storage.max-groups=2; 2 are stored";
    no_room(&gateway, "PUT", "job/c", "c 1\n", text);
    no_room(&gateway, "POST", "job/c", "c 1\n", text);
    no_room(&gateway, "POST", "job/c", "", text);
    assert_eq!(gateway.exposition(), before);
    // What adds no group goes on as ever.
    gateway.put("job/a", &lines(50));
    gateway.post("job/b", "b 2\nmore 1\n");
    assert_eq!(stored(&gateway), counted("2", "52"));
    assert!(gateway.delete("job/a"));
    gateway.put("job/c", "c 1\n");
    no_room(&gateway, "PUT", "job/d", "d 1\n", text);
}

#[test]
fn what_is_refused_is_counted_and_limits_are_shown_beside_what_is_stored() {
    let gateway = within(Quota {
        groups: Some(1),
        series: Some(3),
    });
    let over = |limit: &str| {
        let series = format!("tidegate_pushes_over_limit_total{{limit=\"{limit}\"}}");
        gateway.value(&series)
    };
    assert_eq!(over("groups").as_deref(), Some("0"));
    assert_eq!(over("series").as_deref(), Some("0"));
    assert_eq!(gateway.value("tidegate_groups_limit").as_deref(), Some("1"));
    assert_eq!(gateway.value("tidegate_series_limit").as_deref(), Some("3"));
    gateway.put("job/a", "a 1\n");
    gateway.write("PUT", "job/b", "b 1\n");
    gateway.write("POST", "job/b", "b 1\n");
    gateway.write("PUT", "job/a", &lines(4));
    push_many(&gateway, &[("PUT", "b", "b 1\n"), ("PUT", "c", "c 1\n")]);
    assert_eq!(over("groups").as_deref(), Some("3"));
    assert_eq!(over("series").as_deref(), Some("1"));
    let requests = "pushgateway_http_requests_total{code=\"507\",handler=\"push\",method=\"put\"}";
    assert_eq!(gateway.value(requests).as_deref(), Some("2"));
    let errors = gateway.value("tidegate_store_commit_errors_total");
    assert_eq!(errors.as_deref(), Some("0"));
}

#[test]
fn without_limits_a_share_of_them_is_nothing() {
    let gateway = within(Quota {
        groups: None,
        series: None,
    });
    gateway.put("job/a", &lines(3));
    for name in ["tidegate_groups_limit", "tidegate_series_limit"] {
        assert_eq!(gateway.value(name).as_deref(), Some("+Inf"));
    }
}

#[test]
fn a_failed_push_that_would_make_a_group_too_many_leaves_no_mark() {
    let gateway = within(groups(1));
    gateway.put("job/a", "a 1\n");
    let text = "there would be 2 groups, more than --storage.max-groups=1; 1 are stored";
    no_room(&gateway, "PUT", "job/b", "b 1 1234\n", text);
    no_room(&gateway, "PUT", "job/b", "# TYPE a counter\na 1\n", text);
    assert_eq!(stored(&gateway), counted("1", "1"));
    assert!(!gateway.scrape().contains("job=\"b\""));
    // A group that is there shows its failure as ever.
    gateway.refused("PUT", "job/a", "b 1 1234\n");
    let failed = gateway.value("push_failure_time_seconds{instance=\"\",job=\"a\"}");
    assert_ne!(failed.as_deref(), Some("0"));
}

#[test]
fn a_failed_push_counts_as_a_group() {
    let gateway = within(groups(1));
    gateway.refused("PUT", "job/a", "a 1 1234\n");
    let text = "there would be 2 groups, more than --storage.max-groups=1; 1 are stored";
    no_room(&gateway, "PUT", "job/b", "b 1\n", text);
    gateway.put("job/a", "a 1\n");
}

#[test]
fn series_are_taken_up_to_the_limit_and_not_one_more() {
    let gateway = within(series(10));
    gateway.put("job/a", &lines(6));
    let text = "there would be 11 series, more than --storage.max-series=10; 6 are stored";
    no_room(&gateway, "PUT", "job/b", &lines(5), text);
    assert!(!gateway.scrape().contains("job=\"b\""));
    gateway.put("job/b", &lines(4));
    assert_eq!(stored(&gateway), counted("2", "10"));
    // Pushes of nothing make groups and no series.
    gateway.put("job/c", "");
    let text = "there would be 11 series, more than --storage.max-series=10; 10 are stored";
    no_room(&gateway, "POST", "job/c", "c 1\n", text);
}

#[test]
fn buckets_and_quantiles_are_series_too() {
    let gateway = within(series(5));
    let histogram = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\n\
                     h_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
    gateway.put("job/a", histogram);
    assert_eq!(stored(&gateway), counted("1", "5"));
    let text = "there would be 6 series, more than --storage.max-series=5; 5 are stored";
    no_room(&gateway, "POST", "job/a", "m 1\n", text);
}

#[test]
fn a_push_is_counted_by_what_its_group_holds_afterwards() {
    let gateway = within(series(10));
    gateway.put("job/a", &format!("{}other 1\n", lines(6)));
    gateway.put("job/b", "b 1\n");
    let more = |wanted: u64| {
        format!("there would be {wanted} series, more than --storage.max-series=10; 8 are stored")
    };
    // A merge keeps the one beside `m`; a replacement does not.
    no_room(&gateway, "POST", "job/a", &lines(9), &more(11));
    no_room(&gateway, "PUT", "job/a", &lines(10), &more(11));
    gateway.post("job/a", &lines(8));
    assert_eq!(stored(&gateway), counted("2", "10"));
    gateway.put("job/a", &lines(9));
    assert_eq!(stored(&gateway), counted("2", "10"));
    gateway.post("job/a", &lines(2));
    assert_eq!(stored(&gateway), counted("2", "3"));
    let text = "there would be 11 series, more than --storage.max-series=10; 3 are stored";
    no_room(&gateway, "POST", "job/a", &many(8), text);
    gateway.post("job/a", &many(7));
}

/// So many families.
fn many(count: usize) -> String {
    repeated(count, |at| format!("f{at} 1\n"))
}

#[test]
fn a_group_that_may_not_grow_keeps_what_it_has_and_shows_that_it_failed() {
    let gateway = within(series(2));
    gateway.put("job/a", "m 1\n");
    let (before, pushed) = (
        gateway.pushed(),
        "push_time_seconds{instance=\"\",job=\"a\"}",
    );
    gateway.advance(SECOND);
    let text = "there would be 3 series, more than --storage.max-series=2; 1 are stored";
    no_room(&gateway, "PUT", "job/a", &lines(3), text);
    assert_eq!(gateway.pushed(), before);
    assert_eq!(gateway.value(pushed).as_deref(), Some(START_SECONDS));
    let failed = gateway.value("push_failure_time_seconds{instance=\"\",job=\"a\"}");
    assert_ne!(failed.as_deref(), Some("0"));
    let detail = gateway.get("/api/v1/groups/job/a", &[]).text();
    assert!(detail.contains(text), "{detail}");
}

#[test]
fn what_has_expired_makes_room_at_its_deadline_whether_or_not_it_was_reaped() {
    let gateway = within(Quota {
        groups: Some(3),
        series: Some(10),
    });
    for (ttl, job) in [("1h", "a"), ("2h", "b"), ("3h", "c")] {
        gateway.put_for(ttl, &format!("job/{job}"), &lines(3));
    }
    gateway.advance_almost(HOUR);
    let text = "there would be 4 groups, more than --storage.max-groups=3; 3 are stored";
    no_room(&gateway, "PUT", "job/d", "d 1\n", text);
    gateway.advance(NANOSECOND);
    gateway.put("job/d", "d 1\n");
    assert_eq!(stored(&gateway), counted("3", "7"));
    no_room(&gateway, "PUT", "job/e", "e 1\n", text);
    // Of two that have expired both are needed.
    gateway.advance_almost(2 * HOUR);
    let text = "there would be 11 series, more than --storage.max-series=10; 4 are stored";
    no_room(&gateway, "PUT", "job/d", &lines(8), text);
    gateway.advance(NANOSECOND);
    gateway.put("job/d", &lines(10));
    assert_eq!(stored(&gateway), counted("1", "10"));
    let expired = gateway.get("/api/v1/groups?state=expired", &[]).text();
    assert_eq!(expired.matches("\"end\":\"expired\"").count(), 3);
}

#[test]
fn a_group_that_was_kept_alive_makes_no_room() {
    let gateway = within(groups(2));
    gateway.put_for("1h", "job/a", "a 1\n");
    gateway.put_for("1h", "job/b", "b 1\n");
    gateway.advance_almost(HOUR);
    let kept = gateway.send("POST", "/metrics/job/a", &[("Tidegate-TTL", "1h")], "");
    assert_eq!(kept.status, 200);
    gateway.advance(NANOSECOND);
    gateway.put("job/c", "c 1\n");
    let text = "there would be 3 groups, more than --storage.max-groups=2; 2 are stored";
    no_room(&gateway, "PUT", "job/d", "d 1\n", text);
    assert_eq!(
        gateway.value("a{instance=\"\",job=\"a\"}").as_deref(),
        Some("1")
    );
}

#[test]
fn what_a_pause_keeps_takes_its_room() {
    let gateway = Gateway::with(Options {
        quota: groups(1),
        doors: Doors {
            admin: true,
            ..Doors::default()
        },
        ..Options::default()
    });
    gateway.put_for("1h", "job/a", "a 1\n");
    let pause = gateway.send("POST", "/api/v1/admin/ttl/pause", &[], "{}");
    assert_eq!(pause.status, 200, "{}", pause.text());
    gateway.advance(HOUR);
    let text = "there would be 2 groups, more than --storage.max-groups=1; 1 are stored";
    no_room(&gateway, "PUT", "job/b", "b 1\n", text);
    let resumed = gateway.send("POST", "/api/v1/admin/ttl/resume", &[], "");
    assert_eq!(resumed.status, 200, "{}", resumed.text());
    gateway.put("job/b", "b 1\n");
    assert!(gateway.send("PUT", "/api/v1/admin/wipe", &[], "").status == 202);
    gateway.put("job/c", "c 1\n");
}

#[test]
fn a_gateway_that_holds_more_than_a_lowered_limit_starts_and_only_shrinks() {
    let mut gateway = Gateway::start();
    for job in ["a", "b", "c"] {
        gateway.put(&format!("job/{job}"), &lines(4));
    }
    gateway.restart_within(Quota {
        groups: Some(1),
        series: Some(5),
    });
    assert_eq!(stored(&gateway), counted("3", "12"));
    let groups = "there would be 4 groups, more than --storage.max-groups=1; 3 are stored";
    no_room(&gateway, "PUT", "job/d", "", groups);
    let series = "there would be 13 series, more than --storage.max-series=5; 12 are stored";
    no_room(&gateway, "PUT", "job/a", &lines(5), series);
    no_room(&gateway, "POST", "job/a", "other 1\n", series);
    // As many as before, or fewer.
    gateway.put("job/a", &lines(4));
    gateway.post("job/a", &lines(4));
    gateway.post("job/a", "");
    gateway.put("job/a", &lines(3));
    gateway.refused("PUT", "job/b", "m 1 1234\n");
    assert_eq!(stored(&gateway), counted("3", "11"));
    assert!(gateway.delete("job/a") && gateway.delete("job/b"));
    let groups = "there would be 2 groups, more than --storage.max-groups=1; 1 are stored";
    no_room(&gateway, "PUT", "job/d", "", groups);
    assert!(gateway.delete("job/c"));
    gateway.put("job/d", &lines(5));
}

#[test]
fn many_pushes_in_one_request_are_stored_together_or_not_at_all() {
    let gateway = within(Quota {
        groups: Some(3),
        series: Some(10),
    });
    gateway.put("job/a", "a 1\n");
    let before = gateway.exposition();
    let three = [
        ("PUT", "b", "b 1\n"),
        ("PUT", "c", "c 1\n"),
        ("PUT", "d", "d 1\n"),
    ];
    let (status, text) = push_many(&gateway, &three);
    assert_eq!(status, 507, "{text}");
    let wanted = "not stored: there would be 4 groups, more than --storage.max-groups=3; \
                  1 are stored";
    assert!(text.contains(wanted), "{text}");
    assert_eq!(gateway.exposition(), before);
    let (status, text) = push_many(
        &gateway,
        &[
            ("PUT", "a", &lines(2)),
            ("POST", "a", "more 1\n"),
            ("PUT", "b", &lines(8)),
        ],
    );
    assert_eq!(status, 507, "{text}");
    assert!(
        text.contains("there would be 11 series") && text.contains("1 are stored"),
        "{text}"
    );
    assert_eq!(gateway.exposition(), before);
    // What was undone takes no room.
    assert_eq!(push_many(&gateway, &three[..2]).0, 200);
    assert_eq!(stored(&gateway), counted("3", "3"));
    // A push that makes room for a later one of the same request.
    gateway.put("job/a", &lines(8));
    let (status, text) = push_many(&gateway, &[("PUT", "a", ""), ("PUT", "b", &lines(9))]);
    assert_eq!(status, 200, "{text}");
    assert_eq!(stored(&gateway), counted("3", "10"));
}

#[test]
fn what_is_hidden_takes_its_room() {
    let mut gateway = Gateway::with(Options {
        hide_inconsistent: true,
        quota: Quota {
            groups: Some(2),
            series: Some(4),
        },
        ..Options::default()
    });
    let put = |gateway: &Gateway, group: &str, body: &str| gateway.write("PUT", group, body).status;
    assert_eq!(put(&gateway, "job/a", "# TYPE m gauge\nm 1\n"), 202);
    assert_eq!(put(&gateway, "job/b", "# TYPE m counter\nm 1\nb 1\n"), 202);
    assert_eq!(stored(&gateway), counted("2", "3"));
    let more = "there would be 5 series, more than --storage.max-series=4; 3 are stored";
    no_room(&gateway, "POST", "job/b", "more 1\nstill 1\n", more);
    let clash = "# TYPE m counter\nm{x=\"1\"} 1\nm{x=\"2\"} 1\nm{x=\"3\"} 1\n";
    no_room(&gateway, "POST", "job/b", clash, more);
    let third = "there would be 3 groups, more than --storage.max-groups=2; 2 are stored";
    no_room(&gateway, "PUT", "job/c", "# TYPE m counter\nm 1\n", third);
    // Nothing of it would be stored but its failure.
    no_room(&gateway, "PUT", "job/c", "c 1 1234\n", third);
    assert_eq!(put(&gateway, "job/a", "a 1 1234\n"), 202);
    assert_eq!(
        put(
            &gateway,
            "job/b",
            "# TYPE m counter\nm 1\nm{x=\"1\"} 1\nb 1\n"
        ),
        202
    );
    assert_eq!(stored(&gateway), counted("2", "4"));
    gateway.restart();
    let more = "there would be 5 series, more than --storage.max-series=4; 4 are stored";
    no_room(&gateway, "POST", "job/a", "a 1\n", more);
    assert!(gateway.delete("job/b"));
    assert_eq!(
        gateway.write("POST", "job/a", "a 1\nb 1\nc 1\n").status,
        202
    );
}
