//! One group, and the overview of all TTLs.

use serde_json::{Value, json};
use tidegate::clock::Clock;
use tidegate::store::Place;
use tidegate::ttl::{Ttl, TtlPolicy};

use crate::client::{admin, fails, get, jobs, ok};
use crate::harness::{Gateway, Options, SECOND};
use crate::support::in_process::InProcess;

#[test]
fn a_group_is_shown_with_its_families_pusher_and_last_error() {
    let gateway = Gateway::start();
    let agent = [("User-Agent", "backup/2.1"), ("Tidegate-TTL", "1h")];
    let body =
        "# TYPE rows counter\n# HELP rows Rows seen.\nrows{t=\"a\"} 1\nrows{t=\"b\"} 2\nsize 3\n";
    gateway.send("PUT", "/metrics/job/a/env/prod", &agent, body);
    gateway.advance(10 * SECOND);
    gateway.send("POST", "/metrics/job/a/env/prod", &agent, "size 4\n");
    let path = "groups/job/a/env/prod";
    let group = get(&gateway, path);
    assert_eq!(
        group,
        json!({
            "labels": {"env": "prod", "job": "a"},
            "state": "live",
            "created": "2026-11-22T03:07:00.5Z",
            "last_push": "2026-11-22T03:07:10.5Z",
            "last_push_successful": true,
            "pushes": 2,
            "ttl": "1h",
            "ttl_seconds": 3600,
            "ttl_source": "push",
            "hold": null,
            "expires_at": "2026-11-22T04:07:10.5Z",
            "expires_in_seconds": 3600,
            "families": 2,
            "series": 3,
            "hidden_families": [],
            "last_pusher": "127.0.0.1",
            "user_agent": "backup/2.1",
            "override": null,
            "last_error": null,
            "family_list": [
                {"name": "rows", "type": "COUNTER", "help": "Rows seen.", "series": 2,
                 "last_push": "2026-11-22T03:07:00.5Z"},
                {"name": "size", "type": "UNTYPED", "help": null, "series": 1,
                 "last_push": "2026-11-22T03:07:10.5Z"},
            ],
        })
    );
    gateway.advance(SECOND);
    gateway.refused("PUT", "job/a/env/prod", "rows 1 1\n");
    let group = get(&gateway, path);
    assert_eq!(group["last_push_successful"], false);
    assert_eq!(group["last_error"]["at"], "2026-11-22T03:07:11.5Z");
    let text = group["last_error"]["text"].as_str().expect("a text");
    assert!(text.contains("timestamp"), "{text}");
    assert_eq!(group["pushes"], 2, "a refused push is none");
}

#[test]
fn a_group_is_found_by_its_labels_in_any_order_and_in_base64() {
    let gateway = Gateway::start();
    gateway.put("job/a/x/1/y/2", "m 1\n");
    let group = get(&gateway, "groups/job/a/x/1/y/2");
    assert_eq!(get(&gateway, "groups/job/a/y/2/x/1"), group);
    assert_eq!(get(&gateway, "groups/job@base64/YQ/y@base64/Mg/x/1"), group);
}

#[test]
fn never_has_no_deadline() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    let group = get(&gateway, "groups/job/a");
    assert_eq!(group["ttl"], "never");
    assert_eq!(group["ttl_seconds"], 0);
    assert_eq!(group["expires_at"], Value::Null);
    assert_eq!(group["expires_in_seconds"], Value::Null);
}

#[test]
fn a_group_that_does_not_exist_or_has_expired_is_404() {
    let gateway = admin();
    gateway.put_for("10s", "job/a", "m 1\n");
    let not_found = |job: &str| {
        (
            404,
            "not_found".to_owned(),
            format!(r#"no group {{job="{job}"}}"#),
        )
    };
    assert_eq!(fails(&gateway, "GET", "groups/job/b", ""), not_found("b"));
    gateway.advance_almost(10 * SECOND);
    assert_eq!(get(&gateway, "groups/job/a")["expires_in_seconds"], 0);
    gateway.advance(crate::harness::NANOSECOND);
    for (method, path, body) in [
        ("GET", "groups/job/a", ""),
        ("PUT", "admin/ttl/job/a", r#"{"ttl":"1h"}"#),
        ("DELETE", "admin/ttl/job/a", ""),
        ("POST", "admin/touch/job/a", ""),
    ] {
        assert_eq!(
            fails(&gateway, method, path, body),
            not_found("a"),
            "{method} {path}"
        );
    }
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
}

#[test]
fn the_overview_tells_the_policy_and_counts_groups_by_source() {
    let gateway = Gateway::with(crate::client::with_admin(Options {
        policy: TtlPolicy {
            default: Ttl::After(100 * SECOND),
            ..TtlPolicy::default()
        },
        ..Options::default()
    }));
    let overview = get(&gateway, "ttl");
    assert_eq!(overview["default"], "1m40s");
    assert_eq!(overview["max"], Value::Null);
    assert_eq!(overview["client"], "allow");
    assert_eq!(overview["rules"], json!([]));
    assert_eq!(overview["groups_by_source"], json!({}));
    assert_eq!(overview["next_expiry"], Value::Null);
    assert_eq!(overview["paused"], Value::Null);
    gateway.put("job/a", "m 1\n");
    gateway.put("job/b", "m 1\n");
    gateway.put_for("30s", "job/c", "m 1\n");
    ok(&gateway, "PUT", "admin/ttl/job/b", r#"{"ttl":"never"}"#);
    let overview = get(&gateway, "ttl");
    assert_eq!(
        overview["groups_by_source"],
        json!({"default": 1, "override": 1, "push": 1})
    );
    assert_eq!(overview["next_expiry"], "2026-11-22T03:07:30.5Z");
}

/// By the machine's clock, of which no two readings are the same: what is made of two of them must
/// not be another instant at every look.
#[test]
fn an_expiry_is_the_same_instant_whenever_it_is_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = Place::folder(folder.path().join("store"));
    let gateway = InProcess::start(place, Clock::system()).expect("a gateway");
    let answer = gateway.send("PUT", "/metrics/job/a?ttl=1h", "m 1\n");
    let expires = answer.header("Tidegate-Expires").expect("an expiry");
    for _ in 0..5 {
        for path in ["/api/v1/groups", "/api/v1/groups/job/a", "/api/v1/ttl"] {
            let shown = gateway.send("GET", path, "").text();
            assert!(shown.contains(expires), "{expires}: {shown}");
        }
    }
}
