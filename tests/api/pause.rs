//! Pausing expiry, resuming it, and reaping at once.

use serde_json::{Value, json};

use crate::client::{admin, get, jobs, ok};
use crate::harness::{Gateway, NANOSECOND, SECOND};

#[test]
fn while_paused_groups_are_overdue_and_still_exposed() {
    let gateway = admin();
    gateway.put_for("10s", "job/a", "m 1\n");
    let pause = ok(
        &gateway,
        "POST",
        "admin/ttl/pause",
        r#"{"reason":"upgrade"}"#,
    );
    let paused = json!({"until": null, "reason": "upgrade", "by": "127.0.0.1"});
    assert_eq!(pause, json!({ "paused": paused }));
    assert_eq!(get(&gateway, "ttl")["paused"], paused);
    gateway.advance(3600 * SECOND);
    assert_eq!(get(&gateway, "groups/job/a")["state"], "overdue");
    assert_eq!(get(&gateway, "groups/job/a")["expires_in_seconds"], -3590);
    assert!(gateway.pushed().contains("m{"));
    assert_eq!(ok(&gateway, "POST", "admin/ttl/reap", "")["groups"], 0);
    let resumed = ok(&gateway, "POST", "admin/ttl/resume", "");
    assert_eq!(resumed, json!({"paused": null}));
    assert_eq!(get(&gateway, "ttl")["paused"], Value::Null);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn a_pause_ends_by_itself() {
    let gateway = admin();
    gateway.put_for("10s", "job/a", "m 1\n");
    let pause = ok(&gateway, "POST", "admin/ttl/pause", r#"{"for":"60s"}"#);
    assert_eq!(pause["paused"]["until"], "2026-11-22T03:08:00.5Z");
    gateway.advance_almost(60 * SECOND);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["a"]);
    gateway.advance(NANOSECOND);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    assert_eq!(get(&gateway, "ttl")["paused"], Value::Null);
}

#[test]
fn what_had_expired_before_the_pause_does_not_come_back() {
    let gateway = admin();
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.put_for("20s", "job/b", "m 1\n");
    gateway.advance(10 * SECOND);
    ok(&gateway, "POST", "admin/ttl/pause", "");
    gateway.advance(20 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), ["b"]);
    assert_eq!(ok(&gateway, "POST", "admin/ttl/reap", "")["groups"], 0);
}

#[test]
fn a_pause_survives_a_restart_and_so_does_its_end() {
    let mut gateway = admin();
    gateway.put_for("10s", "job/a", "m 1\n");
    ok(
        &gateway,
        "POST",
        "admin/ttl/pause",
        r#"{"for":"60s","reason":"r"}"#,
    );
    gateway.advance(20 * SECOND);
    let before = get(&gateway, "ttl")["paused"].clone();
    gateway.restart();
    assert_eq!(get(&gateway, "ttl")["paused"], before);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["a"]);
    ok(&gateway, "POST", "admin/ttl/resume", "");
    gateway.restart();
    assert_eq!(get(&gateway, "ttl")["paused"], Value::Null);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
}

#[test]
fn reaping_removes_what_has_expired_and_a_dry_run_only_counts() {
    let mut gateway = admin();
    for (group, ttl) in [("job/a", "10s"), ("job/b", "10s"), ("job/c", "20s")] {
        gateway.put_for(ttl, group, "m 1\n");
    }
    gateway.advance(10 * SECOND);
    let dry = ok(&gateway, "POST", "admin/ttl/reap?dry_run=true", "");
    assert_eq!(dry, json!({"groups": 2, "dry_run": true}));
    assert_eq!(jobs(&gateway, "groups?state=expired"), [""; 0]);
    let done = ok(&gateway, "POST", "admin/ttl/reap", "");
    assert_eq!(done, json!({"groups": 2, "dry_run": false}));
    assert_eq!(ok(&gateway, "POST", "admin/ttl/reap", "")["groups"], 0);
    // With the clock set back they would be shown again if they were still there.
    gateway.restart_at(crate::harness::START);
    assert_eq!(jobs(&gateway, "groups"), ["c"]);
    assert_eq!(jobs(&gateway, "groups?state=expired").len(), 2);
}

/// A group that is `state`, in the API and in scrapes.
#[track_caller]
fn is_there(gateway: &Gateway, state: &str) {
    assert_eq!(get(gateway, "groups/job/a")["state"], state);
    assert_eq!(jobs(gateway, &format!("groups?state={state}")), ["a"]);
    assert_eq!(
        gateway.pushed(),
        "# TYPE m untyped\nm{instance=\"\",job=\"a\"} 1\n"
    );
}

#[test]
fn a_ttl_made_shorter_in_a_pause_makes_a_group_overdue_and_hides_nothing() {
    let mut gateway = admin();
    gateway.put_for("1h", "job/a", "m 1\n");
    gateway.advance(60 * SECOND);
    ok(&gateway, "POST", "admin/ttl/pause", "");
    // By this TTL it would have expired half a minute before the pause began.
    ok(&gateway, "PUT", "admin/ttl/job/a", r#"{"ttl":"30s"}"#);
    is_there(&gateway, "overdue");
    assert_eq!(ok(&gateway, "POST", "admin/ttl/reap", "")["groups"], 0);
    // A longer pause changes nothing, nor does a start.
    ok(&gateway, "POST", "admin/ttl/pause", r#"{"for":"10m"}"#);
    is_there(&gateway, "overdue");
    gateway.restart();
    is_there(&gateway, "overdue");
    ok(&gateway, "DELETE", "admin/ttl/job/a", "");
    is_there(&gateway, "live");
    ok(&gateway, "PUT", "admin/ttl/job/a", r#"{"ttl":"30s"}"#);
    ok(&gateway, "POST", "admin/ttl/resume", "");
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn what_had_expired_before_a_pause_is_gone_for_good() {
    let mut gateway = admin();
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.advance(10 * SECOND);
    ok(&gateway, "POST", "admin/ttl/pause", "");
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    // Not even a clock set back brings it back.
    gateway.restart_at(crate::harness::START);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    assert_eq!(gateway.pushed(), "");
    assert_eq!(jobs(&gateway, "groups?state=expired"), ["a"]);
}

#[test]
fn an_override_that_ends_in_a_pause_leaves_its_group_overdue_until_the_resume() {
    for (own, pinned, lasts, shown) in [
        // Set while the group is overdue already, it prolongs it to its own end only.
        ("10s", "1h", "60s", "overdue"),
        // It would have let the group expire in the pause: that counts, though it is over.
        ("1h", "30s", "60s", "overdue"),
        // The group's own time goes on after it.
        ("1h", "2h", "60s", "live"),
    ] {
        let gateway = admin();
        gateway.put_for(own, "job/a", "m 1\n");
        ok(&gateway, "POST", "admin/ttl/pause", "");
        gateway.advance(20 * SECOND);
        let body = format!(r#"{{"ttl":"{pinned}","for":"{lasts}"}}"#);
        ok(&gateway, "PUT", "admin/ttl/job/a", &body);
        gateway.advance(70 * SECOND);
        is_there(&gateway, shown);
        // A push that fails changes neither data nor clock, nor what the override decided.
        gateway.refused("PUT", "job/a", "m 1 1\n");
        is_there(&gateway, shown);
        ok(&gateway, "POST", "admin/ttl/resume", "");
        let left: &[&str] = if shown == "live" { &["a"] } else { &[] };
        assert_eq!(jobs(&gateway, "groups"), left, "{own} {pinned}");
        assert_eq!(gateway.pushed().is_empty(), left.is_empty());
    }
}
