//! The history of groups that are gone: `state=expired`.

use serde_json::{Value, json};
use std::time::Duration;

use crate::client::{admin, bad, get, jobs, matching, ok, with_admin};
use crate::harness::{Gateway, HOUR, NANOSECOND, Options, SECOND, START};
use crate::support::{LIMIT, eventually};

#[test]
fn an_expired_group_is_told_with_its_ttl_and_its_end() {
    let gateway = admin();
    gateway.put_for("10s", "job/a/env/x", "m 1\nk 2\n");
    gateway.advance(5 * SECOND);
    gateway.put_for("10s", "job/a/env/x", "m 1\nk 2\n");
    gateway.advance(12 * SECOND);
    ok(&gateway, "POST", "admin/ttl/reap", "");
    let page = get(&gateway, "groups?state=expired");
    assert_eq!(
        page["groups"],
        json!([{
            "labels": {"env": "x", "job": "a"},
            "state": "expired",
            "last_push": "2026-11-22T03:07:05.5Z",
            "pushes": 2,
            "series": 2,
            "ttl": "10s",
            "ttl_seconds": 10,
            "ttl_source": "push",
            "ended_at": "2026-11-22T03:07:15.5Z",
            "end": "expired",
            "by": null,
        }]),
        "it ended at its deadline, not when it was reaped"
    );
    assert_eq!(page["next_cursor"], Value::Null);
}

#[test]
fn what_lapsed_while_the_gateway_was_down_is_told_with_its_deadline() {
    let mut gateway = Gateway::with_reaper();
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.put_for("2h", "job/b", "m 1\n");
    gateway.restart_at(START.plus(HOUR));
    ok(&gateway, "GET", "groups/job/b", "");
    let gone = eventually(LIMIT, "a record", || {
        let page = get(&gateway, "groups?state=expired");
        let gone = page["groups"].get(0).cloned();
        gone.ok_or_else(|| page.to_string())
    });
    assert_eq!(gone["labels"], json!({"job": "a"}));
    assert_eq!(gone["ended_at"], "2026-11-22T03:07:10.5Z");
    assert_eq!(jobs(&gateway, "groups"), ["b"]);
}

#[test]
fn a_deleted_group_is_told_with_who_deleted_it() {
    let gateway = admin();
    gateway.put("job/a", "m 1\n");
    gateway.advance(SECOND);
    assert!(gateway.delete("job/a"));
    let page = get(&gateway, "groups?state=expired");
    let gone = &page["groups"][0];
    assert_eq!(gone["end"], "deleted");
    assert_eq!(gone["by"], "127.0.0.1");
    assert_eq!(gone["ended_at"], "2026-11-22T03:07:01.5Z");
}

#[test]
fn an_expired_group_that_is_pushed_again_is_in_both_lists() {
    let gateway = admin();
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.advance(10 * SECOND);
    gateway.put_for("10s", "job/a", "m 2\n");
    assert_eq!(jobs(&gateway, "groups"), ["a"]);
    assert_eq!(jobs(&gateway, "groups?state=expired"), ["a"]);
    assert_eq!(get(&gateway, "groups/job/a")["pushes"], 1, "a new group");
}

#[test]
fn the_history_takes_matchers_and_survives_a_restart() {
    let mut gateway = admin();
    for job in ["a", "b", "c"] {
        gateway.put(&format!("job/{job}"), "m 1\n");
        gateway.delete(&format!("job/{job}"));
    }
    gateway.restart();
    assert_eq!(jobs(&gateway, "groups?state=expired"), ["c", "b", "a"]);
    let some = format!("groups?state=expired&{}", matching(r#"{job=~"a|b"}"#));
    assert_eq!(jobs(&gateway, &some), ["b", "a"]);
    assert_eq!(jobs(&gateway, &format!("{some}&limit=1")), ["b"]);
}

#[test]
fn records_are_forgotten_after_their_time() {
    let gateway = Gateway::with(with_admin(Options {
        keep_history: HOUR,
        ..Options::default()
    }));
    gateway.put("job/a", "m 1\n");
    gateway.delete("job/a");
    gateway.advance(HOUR);
    assert_eq!(jobs(&gateway, "groups?state=expired"), ["a"]);
    // A request is dated a nanosecond after the batch it is in.
    gateway.advance(2 * NANOSECOND);
    assert_eq!(jobs(&gateway, "groups?state=expired"), [""; 0]);
}

#[test]
fn without_a_history_nothing_is_kept() {
    let gateway = Gateway::with(with_admin(Options {
        keep_history: Duration::ZERO,
        ..Options::default()
    }));
    gateway.put("job/a", "m 1\n");
    gateway.delete("job/a");
    assert_eq!(jobs(&gateway, "groups?state=expired"), [""; 0]);
}

#[test]
fn what_is_gone_has_one_order_and_no_other() {
    let gateway = admin();
    for sort in ["expires", "-last_push", "job"] {
        let path = format!("groups?state=expired&sort={sort}");
        bad(&gateway, "GET", &path, "", "newest first");
    }
}
