//! `GET /api/v1/ttl/explain`: which TTL a group has or would have, and why.

use serde_json::{Value, json};
use tidegate::config::load;
use tidegate::ttl::TtlPolicy;

use crate::client::{bad, get, matching, names, ok, with_admin};
use crate::harness::{Gateway, Options, SECOND};

const RULES: &str = "ttl:
  default: 1h
  rules:
  - {name: ci, match: {job: ci-.*}, ttl: 10m}
  - {name: kept, match: {job: backup}, ttl: never}
";

fn policy() -> TtlPolicy {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.yml");
    std::fs::write(&path, RULES).expect("write the rules");
    load(&path, &tidegate::config::TtlFlags::default()).expect("rules without a fault")
}

fn ruled() -> Gateway {
    Gateway::with(with_admin(Options {
        policy: policy(),
        ..Options::default()
    }))
}

/// Source and outcome of each step.
fn chain(explanation: &Value) -> Vec<(String, String)> {
    let steps = explanation["chain"].as_array().expect("a chain");
    let word = |value: &Value| value.as_str().expect("a string").to_owned();
    steps
        .iter()
        .map(|step| (word(&step["source"]), word(&step["outcome"])))
        .collect()
}

fn steps(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(source, outcome): &(&str, &str)| ((*source).to_owned(), (*outcome).to_owned());
    expected.iter().map(pair).collect()
}

#[test]
fn a_group_that_does_not_exist_is_explained_by_rules_and_default() {
    let gateway = ruled();
    let ci = get(&gateway, "ttl/explain/job/ci-7/env/x");
    assert_eq!(ci["labels"], json!({"job": "ci-7", "env": "x"}));
    assert_eq!(
        (&ci["ttl"], &ci["ttl_source"]),
        (&json!("10m"), &json!("rule:ci"))
    );
    assert_eq!(
        chain(&ci),
        steps(&[
            ("push", "does_not_apply"),
            ("rule:ci", "wins"),
            ("rule:kept", "does_not_apply"),
            ("default", "outranked"),
        ])
    );
    let other = get(&gateway, "ttl/explain/job/other");
    assert_eq!(
        (&other["ttl"], &other["ttl_source"]),
        (&json!("1h"), &json!("default"))
    );
    assert_eq!(
        get(&gateway, "groups")["groups"],
        json!([]),
        "asking stores nothing"
    );
}

#[test]
fn an_existing_group_is_explained_with_its_push_and_its_override() {
    let gateway = ruled();
    gateway.put_for("30s", "job/backup", "m 1\n");
    assert_eq!(
        get(&gateway, "ttl/explain/job/backup")["ttl_source"],
        "push"
    );
    let pin = r#"{"ttl":"2h","for":"10s","reason":"migration"}"#;
    ok(&gateway, "PUT", "admin/ttl/job/backup", pin);
    let pinned = get(&gateway, "ttl/explain/job/backup");
    assert_eq!(pinned["ttl"], "2h");
    assert_eq!(
        chain(&pinned),
        steps(&[
            ("override", "wins"),
            ("push", "outranked"),
            ("rule:ci", "does_not_apply"),
            ("rule:kept", "outranked"),
            ("default", "outranked"),
        ])
    );
    let why = pinned["chain"][0]["why"].as_str().expect("a reason");
    assert!(
        why.contains("migration") && why.contains("127.0.0.1"),
        "{why}"
    );
    gateway.advance(10 * SECOND);
    assert_eq!(
        get(&gateway, "ttl/explain/job/backup")["ttl_source"],
        "push"
    );
}

#[test]
fn an_expired_group_is_explained_as_one_that_does_not_exist() {
    let gateway = ruled();
    gateway.put_for("30s", "job/backup", "m 1\n");
    gateway.put("job/other", "m 1\n");
    gateway.advance(30 * SECOND);
    let explained = get(&gateway, "ttl/explain/job/backup");
    assert_eq!(explained["ttl_source"], "rule:kept");
    let all = get(&gateway, &format!("ttl/explain?{}", matching("{}")));
    assert_eq!(names(&all), ["other"]);
}

#[test]
fn groups_are_explained_by_matcher_in_pages() {
    let gateway = ruled();
    for job in ["backup", "ci-1", "ci-2", "x"] {
        gateway.put(&format!("job/{job}"), "m 1\n");
    }
    let query = |selector: &str, more: &str| format!("ttl/explain?{}{more}", matching(selector));
    let sources = |page: &Value| -> Vec<String> {
        let all = page["groups"].as_array().expect("a list").iter();
        all.map(|one| one["ttl_source"].as_str().expect("a source").to_owned())
            .collect()
    };
    let some = get(&gateway, &query(r#"{job=~"ci-.*"}"#, ""));
    assert_eq!(sources(&some), ["rule:ci", "rule:ci"]);
    assert_eq!(some["next_cursor"], Value::Null);
    let first = get(&gateway, &query("{}", "&limit=3"));
    assert_eq!(sources(&first), ["rule:kept", "rule:ci", "rule:ci"]);
    let next = first["next_cursor"].as_str().expect("a further page");
    // Whoever goes meanwhile, the next page begins behind what was shown.
    gateway.delete("job/ci-2");
    let rest = get(&gateway, &query("{}", &format!("&limit=3&cursor={next}")));
    assert_eq!(
        (names(&rest), &rest["next_cursor"]),
        (vec!["x".to_owned()], &Value::Null)
    );
    let whole = get(&gateway, &query("{}", "&limit=3"));
    assert_eq!(
        whole["next_cursor"],
        Value::Null,
        "three groups are the whole of three"
    );
    let none = get(&gateway, &query(r#"{job="nobody"}"#, ""));
    assert_eq!(none, json!({"groups": [], "next_cursor": null}));
    bad(&gateway, "GET", "ttl/explain", "", "match[]");
    let wrong = query("{}", "&cursor=x");
    bad(
        &gateway,
        "GET",
        &wrong,
        "",
        "cursor is not one of this API's",
    );
}
