//! Overrides of all groups that match: `PUT|DELETE /api/v1/admin/ttl?match[]=...`.

use serde_json::{Value, json};
use tidegate::limits::SLICE;

use crate::client::{admin, bad, fails, get, jobs, matching, ok};
use crate::harness::{Gateway, HOUR, NANOSECOND, SECOND};
use crate::support::sample;

/// Two groups of the job `ci`, one of `backup`, each with a TTL of its own of 100 s.
fn three() -> Gateway {
    let gateway = admin();
    for group in ["job/ci/env/a", "job/ci/env/b", "job/backup"] {
        gateway.put_for("100s", group, "m 1\n");
    }
    gateway
}

fn overrides(selector: &str, more: &str) -> String {
    format!("admin/ttl?{}{more}", matching(selector))
}

fn source(gateway: &Gateway, group: &str) -> Value {
    get(gateway, &format!("groups/{group}"))["ttl_source"].take()
}

#[test]
fn a_job_is_pinned_for_hours_and_reverts_by_itself() {
    let mut gateway = three();
    let pin = r#"{"ttl":"never","for":"4h","reason":"maintenance"}"#;
    let labels = json!([{"env": "a", "job": "ci"}, {"env": "b", "job": "ci"}]);
    let done = ok(&gateway, "PUT", &overrides(r#"{job="ci"}"#, ""), pin);
    assert_eq!(
        done,
        json!({"groups": 2, "labels": labels, "dry_run": false})
    );
    let shown = &get(&gateway, "groups/job/ci/env/b")["override"];
    assert_eq!(shown["until"], "2026-11-22T07:07:00.5Z");
    assert_eq!(
        (&shown["reason"], &shown["by"]),
        (&"maintenance".into(), &"127.0.0.1".into())
    );
    assert_eq!(source(&gateway, "job/backup"), "push");
    gateway.advance(100 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), ["ci", "ci"]);
    gateway.restart();
    gateway.advance_almost((4 * HOUR).saturating_sub(100 * SECOND));
    assert_eq!(jobs(&gateway, "groups"), ["ci", "ci"]);
    gateway.advance(NANOSECOND);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn a_dry_run_of_overrides_changes_nothing() {
    let gateway = three();
    let path = overrides(r#"{job="ci"}"#, "&dry_run=true");
    let dry = ok(&gateway, "PUT", &path, r#"{"ttl":"1h"}"#);
    assert_eq!((&dry["groups"], &dry["dry_run"]), (&2.into(), &true.into()));
    assert_eq!(dry["labels"][1], json!({"env": "b", "job": "ci"}));
    assert_eq!(source(&gateway, "job/ci/env/a"), "push");
    ok(&gateway, "PUT", "admin/ttl/job/backup", r#"{"ttl":"1h"}"#);
    let dry = ok(&gateway, "DELETE", &overrides("{}", "&dry_run=true"), "");
    assert_eq!(
        dry,
        json!({"groups": 1, "labels": [{"job": "backup"}], "dry_run": true})
    );
    assert_eq!(source(&gateway, "job/backup"), "override");
}

#[test]
fn overrides_are_taken_away_where_there_are_any() {
    let mut gateway = three();
    let one_hour = r#"{"ttl":"1h"}"#;
    ok(&gateway, "PUT", &overrides(r#"{job="ci"}"#, ""), one_hour);
    ok(
        &gateway,
        "PUT",
        "admin/ttl/job/backup",
        r#"{"ttl":"1h","for":"10s"}"#,
    );
    // This one has ended by itself by then, and does not count.
    gateway.advance(10 * SECOND);
    let done = ok(&gateway, "DELETE", &overrides("{}", ""), "");
    assert_eq!(done["groups"], 2);
    assert_eq!(done["labels"][0]["env"], "a");
    gateway.restart();
    for group in ["job/ci/env/a", "job/ci/env/b", "job/backup"] {
        assert_eq!(source(&gateway, group), "push");
    }
    let again = ok(&gateway, "DELETE", &overrides("{}", ""), "");
    assert_eq!(again["groups"], 0);
}

#[test]
fn several_matchers_are_alternatives_and_none_that_matches_is_fine() {
    let gateway = three();
    let more = format!("&{}", matching(r#"{env="b"}"#));
    let path = overrides(r#"{job=~"back.*"}"#, &more);
    let one_hour = r#"{"ttl":"1h"}"#;
    assert_eq!(ok(&gateway, "PUT", &path, one_hour)["groups"], 2);
    assert_eq!(source(&gateway, "job/ci/env/a"), "push");
    assert_eq!(source(&gateway, "job/ci/env/b"), "override");
    let none = ok(&gateway, "PUT", &overrides(r#"{job="x"}"#, ""), one_hour);
    assert_eq!(none, json!({"groups": 0, "labels": [], "dry_run": false}));
}

#[test]
fn groups_that_come_later_are_not_covered() {
    let gateway = three();
    let path = overrides(r#"{job="ci"}"#, "");
    ok(&gateway, "PUT", &path, r#"{"ttl":"1h"}"#);
    gateway.put_for("10s", "job/ci/env/new", "m 1\n");
    assert_eq!(source(&gateway, "job/ci/env/new"), "push");
    // Nor one that was deleted and comes again.
    gateway.delete("job/ci/env/a");
    gateway.put_for("10s", "job/ci/env/a", "m 1\n");
    assert_eq!(source(&gateway, "job/ci/env/a"), "push");
}

#[test]
fn an_expired_group_is_neither_counted_nor_brought_back() {
    let gateway = three();
    gateway.put_for("1h", "job/late", "m 1\n");
    gateway.advance(100 * SECOND);
    let done = ok(&gateway, "PUT", &overrides("{}", ""), r#"{"ttl":"never"}"#);
    assert_eq!(
        done,
        json!({"groups": 1, "labels": [{"job": "late"}], "dry_run": false})
    );
    assert_eq!(jobs(&gateway, "groups"), ["late"]);
}

#[test]
fn without_a_matcher_or_a_sound_body_no_override_is_set() {
    let gateway = three();
    let one_hour = r#"{"ttl":"1h"}"#;
    let every = "match[]={} means every group";
    for path in ["admin/ttl", "admin/ttl?dry_run=true"] {
        bad(&gateway, "PUT", path, one_hour, every);
        bad(&gateway, "DELETE", path, "", every);
    }
    let all = overrides("{}", "");
    for (path, body, says) in [
        (all.as_str(), "", "missing field `ttl`"),
        (&all, r#"{"ttl":"soon"}"#, r#"ttl "soon""#),
        (&all, r#"{"ttl":"1h","for":0}"#, "for is zero"),
        (&all, r#"{"ttl":"1h","fro":"1h"}"#, "unknown field `fro`"),
        ("admin/ttl?match[]=%7Bjob", one_hour, "match[]="),
        (
            "admin/ttl?match[]=%7B%7D&dryrun=true",
            one_hour,
            "there is no parameter",
        ),
    ] {
        bad(&gateway, "PUT", path, body, says);
    }
    for group in ["job/ci/env/a", "job/backup"] {
        assert_eq!(source(&gateway, group), "push");
    }
}

#[test]
fn overrides_by_matcher_need_the_admin_api() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    let (status, kind, text) = fails(&gateway, "PUT", &overrides("{}", ""), r#"{"ttl":"1h"}"#);
    assert_eq!((status, kind.as_str()), (403, "forbidden"));
    assert!(text.contains("--web.enable-admin-api"), "{text}");
}

#[test]
fn more_groups_than_a_slice_take_several_transactions() {
    let gateway = admin();
    let commits = || -> u64 {
        let value = gateway.value("tidegate_store_commits_total");
        value.expect("a count").parse().expect("a number")
    };
    let groups = |from: usize, to: usize| {
        let group = |n| json!({"labels": {"job": format!("j{n:05}")}});
        let groups: Vec<Value> = (from..to).map(group).collect();
        json!({ "groups": groups }).to_string()
    };
    ok(&gateway, "POST", "push", &groups(0, SLICE));
    let before = commits();
    let done = ok(&gateway, "PUT", &overrides("{}", ""), r#"{"ttl":"1h"}"#);
    assert_eq!((&done["groups"], commits() - before), (&SLICE.into(), 1));
    assert_eq!(done["labels"].as_array().map(Vec::len), Some(100));
    ok(&gateway, "POST", "push", &groups(SLICE, SLICE + 1));
    let before = commits();
    let done = ok(&gateway, "PUT", &overrides("{}", ""), r#"{"ttl":"1d"}"#);
    let both = (&(SLICE + 1).into(), 2);
    assert_eq!((&done["groups"], commits() - before), both);
    let last = format!("groups/job/j{SLICE:05}");
    assert_eq!(get(&gateway, &last)["ttl"], "1d");
}

#[test]
fn the_end_of_an_override_of_many_groups_is_whole_in_the_next_scrape() {
    let gateway = admin();
    let groups: Vec<Value> = (0..200)
        .map(|n| json!({"labels": {"job": n.to_string()}}))
        .collect();
    ok(
        &gateway,
        "POST",
        "push",
        &json!({ "groups": groups }).to_string(),
    );
    let until = r#"{"ttl":"1h","for":"60s"}"#;
    ok(&gateway, "PUT", &overrides("{}", ""), until);
    let shown = |text: &str, source: &str| {
        let series = format!("tidegate_ttl_groups{{ttl_source=\"{source}\"}}");
        sample(text, &series).map(str::to_owned)
    };
    gateway.advance_almost(60 * SECOND);
    assert_eq!(shown(&gateway.scrape(), "override").as_deref(), Some("200"));
    gateway.advance(NANOSECOND);
    let text = gateway.scrape();
    assert_eq!(shown(&text, "override"), None);
    assert_eq!(shown(&text, "default").as_deref(), Some("200"));
}
