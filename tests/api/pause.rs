//! Pausing expiry, resuming it, and reaping at once.

use serde_json::{Value, json};

use crate::client::{admin, get, jobs, ok};
use crate::harness::{NANOSECOND, SECOND};

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
    assert_eq!(ok(&gateway, "POST", "admin/ttl/reap", "")["groups"], 1);
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
