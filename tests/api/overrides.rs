//! Overrides and touches of single groups.

use serde_json::Value;

use crate::client::{admin, get, jobs, ok};
use crate::harness::{Gateway, NANOSECOND, SECOND};

const PIN: &str = "admin/ttl/job/a/env/prod";
const GROUP: &str = "groups/job/a/env/prod";

fn pushed(ttl: &str) -> Gateway {
    let gateway = admin();
    gateway.put_for(ttl, "job/a/env/prod", "m 1\n");
    gateway
}

#[test]
fn an_override_replaces_the_ttl_and_is_shown_with_its_reason() {
    let gateway = pushed("10s");
    let done = ok(&gateway, "PUT", PIN, r#"{"ttl":"1h","reason":"inventory"}"#);
    assert_eq!(done["expires_at"], "2026-11-22T04:07:00.5Z");
    let group = get(&gateway, GROUP);
    assert_eq!(
        (&group["ttl"], &group["ttl_source"]),
        (&"1h".into(), &"override".into())
    );
    let shown = &group["override"];
    assert_eq!(shown["ttl"], "1h");
    assert_eq!(shown["until"], Value::Null);
    assert_eq!(shown["reason"], "inventory");
    assert_eq!(shown["by"], "127.0.0.1");
    assert_eq!(shown["set"], "2026-11-22T03:07:00.5Z");
    gateway.advance_almost(3600 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), ["a"]);
    gateway.advance(NANOSECOND);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn a_ttl_may_be_a_number_of_seconds_or_never() {
    let gateway = pushed("10s");
    ok(&gateway, "PUT", PIN, r#"{"ttl":90}"#);
    assert_eq!(get(&gateway, GROUP)["ttl"], "1m30s");
    for never in [r#"{"ttl":"never"}"#, r#"{"ttl":0}"#] {
        let done = ok(&gateway, "PUT", PIN, never);
        assert_eq!(done["expires_at"], Value::Null, "{never}");
    }
    gateway.advance(365 * 24 * 3600 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), ["a"]);
}

#[test]
fn a_pin_holds_exactly_to_its_end() {
    let gateway = pushed("10s");
    let done = ok(&gateway, "PUT", PIN, r#"{"ttl":"never","for":"60s"}"#);
    assert_eq!(done["expires_at"], "2026-11-22T03:08:00.5Z");
    assert_eq!(
        get(&gateway, GROUP)["override"]["until"],
        "2026-11-22T03:08:00.5Z"
    );
    gateway.advance_almost(60 * SECOND);
    assert_eq!(get(&gateway, GROUP)["ttl_source"], "override");
    gateway.advance(NANOSECOND);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn after_a_pin_the_own_ttl_goes_on() {
    let gateway = pushed("100s");
    ok(&gateway, "PUT", PIN, r#"{"ttl":"1h","for":"60s"}"#);
    gateway.advance(60 * SECOND);
    let group = get(&gateway, GROUP);
    assert_eq!(
        (&group["ttl_source"], &group["override"]),
        (&"push".into(), &Value::Null)
    );
    assert_eq!(group["expires_in_seconds"], 40);
}

#[test]
fn an_override_can_shorten_a_ttl_even_to_the_past() {
    let gateway = pushed("1h");
    gateway.advance(20 * SECOND);
    ok(&gateway, "PUT", PIN, r#"{"ttl":"20s"}"#);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn removal_brings_the_own_ttl_back() {
    let gateway = pushed("100s");
    ok(&gateway, "PUT", PIN, r#"{"ttl":"never"}"#);
    let done = ok(&gateway, "DELETE", PIN, "");
    assert_eq!(done["expires_at"], "2026-11-22T03:08:40.5Z");
    assert_eq!(get(&gateway, GROUP)["override"], Value::Null);
    // There is nothing to take away any more, and that is no error.
    ok(&gateway, "DELETE", PIN, "");
    gateway.advance(100 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
}

#[test]
fn an_override_stays_when_the_group_is_pushed_and_goes_with_it() {
    let gateway = pushed("10s");
    ok(&gateway, "PUT", PIN, r#"{"ttl":"1h"}"#);
    gateway.put_for("5s", "job/a/env/prod", "m 2\n");
    assert_eq!(get(&gateway, GROUP)["ttl_source"], "override");
    gateway.delete("job/a/env/prod");
    gateway.put_for("5s", "job/a/env/prod", "m 2\n");
    assert_eq!(get(&gateway, GROUP)["ttl_source"], "push");
}

#[test]
fn a_touch_starts_the_clock_anew_without_a_push() {
    let gateway = pushed("10s");
    gateway.advance(9 * SECOND);
    let touched = ok(&gateway, "POST", "admin/touch/job/a/env/prod", "");
    assert_eq!(touched["expires_at"], "2026-11-22T03:07:19.5Z");
    let group = get(&gateway, GROUP);
    assert_eq!(group["pushes"], 1);
    assert_eq!(group["last_push"], "2026-11-22T03:07:00.5Z");
    gateway.advance_almost(10 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), ["a"]);
    gateway.advance(NANOSECOND);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
}

#[test]
fn overrides_and_touches_survive_a_restart() {
    let mut gateway = pushed("30s");
    gateway.put_for("30s", "job/b", "m 1\n");
    ok(
        &gateway,
        "PUT",
        PIN,
        r#"{"ttl":"1h","for":"10m","reason":"r"}"#,
    );
    gateway.advance(10 * SECOND);
    ok(&gateway, "POST", "admin/touch/job/b", "");
    let before = (get(&gateway, GROUP), get(&gateway, "groups/job/b"));
    gateway.restart();
    assert_eq!(
        (get(&gateway, GROUP), get(&gateway, "groups/job/b")),
        before
    );
    gateway.advance(30 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), ["a"]);
    ok(&gateway, "DELETE", PIN, "");
    gateway.restart();
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
}
