//! `POST /api/v1/push`: many groups in one request, all or nothing.

use serde_json::{Value, json};

use crate::client::{bad, fails, get, jobs, ok};
use crate::harness::{Gateway, SECOND};
use tidegate::limits::{BATCH_GROUPS, LABELS_PER_SERIES};

fn batch(groups: &Value) -> String {
    json!({ "groups": groups }).to_string()
}

/// Everything that a push changes: the exposition with its own counts, and the list.
fn all(gateway: &Gateway) -> (Vec<String>, Value, Value, (String, String)) {
    (
        lines(gateway),
        get(gateway, "groups"),
        get(gateway, "groups?state=expired"),
        gateway.counts(),
    )
}

/// The lines of the exposition in an order that a restart does not change.
fn lines(gateway: &Gateway) -> Vec<String> {
    let mut lines: Vec<_> = gateway.exposition().lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// A batch that is refused with this text, and leaves no trace, not even after a restart.
#[track_caller]
fn refused(gateway: &mut Gateway, groups: &Value, says: &str) {
    let before = all(gateway);
    bad(gateway, "POST", "push", &batch(groups), says);
    assert_eq!(all(gateway), before);
    gateway.restart();
    assert_eq!(all(gateway), before);
}

#[test]
fn each_group_has_its_own_labels_ttl_method_and_body() {
    let gateway = Gateway::start();
    gateway.put("job/merged", "old 1\nm 1\n");
    gateway.put("job/replaced", "old 1\nm 1\n");
    let done = ok(
        &gateway,
        "POST",
        "push",
        &batch(&json!([
            {"labels": {"job": "merged"}, "method": "POST", "body": "m 2\n"},
            {"labels": {"job": "replaced"}, "method": "PUT", "body": "m 2\n"},
            {"labels": {"env": "a/b", "job": "new"}, "ttl": "10s", "body": "m 2\nn{x=\"é\"} 1\n"},
            {"labels": {"job": "empty"}, "ttl": "never"},
        ])),
    );
    let expires = json!({"expires_at": "2026-11-22T03:07:10.5Z"});
    let never = json!({"expires_at": null});
    assert_eq!(done, json!({"groups": [never, never, expires, never]}));
    assert_eq!(
        gateway.pushed(),
        "# TYPE m untyped\n\
         m{instance=\"\",job=\"merged\"} 2\n\
         m{instance=\"\",job=\"replaced\"} 2\n\
         m{env=\"a/b\",instance=\"\",job=\"new\"} 2\n\
         # TYPE n untyped\nn{env=\"a/b\",instance=\"\",job=\"new\",x=\"é\"} 1\n\
         # TYPE old untyped\nold{instance=\"\",job=\"merged\"} 1\n"
    );
    assert_eq!(
        get(&gateway, "groups/job/new/env@base64/YS9i")["last_pusher"],
        "127.0.0.1"
    );
    gateway.advance(10 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), ["empty", "merged", "replaced"]);
}

#[test]
fn a_batch_is_one_transaction_and_survives_a_restart() {
    let mut gateway = Gateway::start();
    let commits = |gateway: &Gateway| -> u64 {
        let value = gateway
            .value("tidegate_store_commits_total")
            .expect("a count");
        value.parse().expect("a number")
    };
    let before = commits(&gateway);
    let groups: Vec<_> = (0..500)
        .map(|n| json!({"labels": {"job": format!("g{n}")}, "body": "m 1\n"}))
        .collect();
    ok(&gateway, "POST", "push", &batch(&json!(groups)));
    assert_eq!(commits(&gateway) - before, 1);
    assert_eq!(gateway.counts(), ("500".into(), "500".into()));
    let shown = lines(&gateway);
    gateway.restart();
    assert!(lines(&gateway) == shown);
}

#[test]
fn the_same_group_twice_is_pushed_twice_in_order() {
    let gateway = Gateway::start();
    let groups = json!([
        {"labels": {"job": "a"}, "body": "m 1\nk 1\n"},
        {"labels": {"job": "a"}, "method": "POST", "body": "m 2\n"},
    ]);
    ok(&gateway, "POST", "push", &batch(&groups));
    assert!(gateway.pushed().contains("m{instance=\"\",job=\"a\"} 2\n"));
    assert!(gateway.pushed().contains("k{instance=\"\",job=\"a\"} 1\n"));
    assert_eq!(get(&gateway, "groups/job/a")["pushes"], 2);
}

#[test]
fn one_malformed_group_refuses_the_whole_batch_and_is_named() {
    let mut gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    let good = json!({"labels": {"job": "a"}, "body": "m 2\n"});
    for (second, says) in [
        (
            json!({"labels": {"job": "b"}, "body": "m x\n"}),
            r#"group 1 {job="b"}: "#,
        ),
        (
            json!({"labels": {"job": "b"}, "body": "m 1 1\n"}),
            r#"group 1 {job="b"}: "#,
        ),
        (
            json!({"labels": {"job": "b"}, "ttl": "soon"}),
            r#"group 1 {job="b"}: ttl "soon""#,
        ),
        (
            json!({"labels": {"job": "b"}, "ttl": "-1s"}),
            "cannot be negative",
        ),
        (json!({"labels": {}}), "group 1 {}: job name is required"),
        (
            json!({"labels": {"job": ""}}),
            r#"group 1 {job=""}: job name is required"#,
        ),
        (
            json!({"labels": {"job": "b", "__x": "1"}}),
            r#": improper label name "__x""#,
        ),
        (
            json!({"labels": {"job": "b", "a-b": "1"}}),
            r#"group 1 {a-b="1",job="b"}: improper label name "a-b""#,
        ),
        (json!({"labels": {"job": "b"}, "method": "PATCH"}), "PATCH"),
        (
            json!({"labels": {"job": "b"}, "tll": "1h"}),
            "unknown field `tll`",
        ),
        (json!({"labels": {"job": 1}}), "expected a string"),
        (json!({"labels": ["job"]}), "expected an object of labels"),
        (json!({"body": "m 1\n"}), "missing field `labels`"),
    ] {
        refused(&mut gateway, &json!([good, second]), says);
    }
}

#[test]
fn an_inconsistent_group_undoes_new_replaced_and_merged_groups_before_it() {
    let mut gateway = Gateway::start();
    gateway.put("job/old", "# TYPE t counter\nt 1\nonly_old 1\n");
    gateway.put("job/merged", "# HELP h first\n# TYPE h gauge\nh 1\n");
    gateway.put_for("1h", "job/timed", "m 1\n");
    gateway.put("job/other", "# TYPE taken gauge\ntaken 1\n");
    let before_it = [
        json!({"labels": {"job": "old"}, "body": "# TYPE fresh counter\nfresh 1\n"}),
        json!({"labels": {"job": "merged"}, "method": "POST", "body": "# HELP h second\n# TYPE h gauge\nh 2\nadded 1\n"}),
        json!({"labels": {"job": "timed"}, "ttl": "2s", "body": "m 2\n"}),
        json!({"labels": {"job": "new"}, "body": "m 2\n"}),
        json!({"labels": {"job": "new"}, "body": "m 3\n"}),
        json!({"labels": {"job": "old"}, "body": ""}),
    ];
    let clash = json!({"labels": {"job": "late"}, "body": "# TYPE taken counter\ntaken 1\n"});
    let mut groups = before_it.to_vec();
    groups.push(clash);
    refused(&mut gateway, &json!(groups), r#"group 6 {job="late"}: "#);
    // A family that the batch itself brings can be in the way, too.
    let itself = json!([
        {"labels": {"job": "x"}, "body": "# TYPE young gauge\nyoung 1\n"},
        {"labels": {"job": "y"}, "body": "# TYPE young counter\nyoung 1\n"},
    ]);
    refused(&mut gateway, &itself, r#"group 1 {job="y"}: "#);
    // Nothing of the refused types stays in the way of later pushes.
    gateway.put(
        "job/y",
        "# TYPE young counter\nyoung 1\n# TYPE fresh gauge\nfresh 1\n",
    );
    gateway.delete("job/y");
    // The rest alone is fine.
    ok(&gateway, "POST", "push", &batch(&json!(before_it)));
    assert!(
        gateway
            .pushed()
            .contains("m{instance=\"\",job=\"new\"} 3\n")
    );
}

#[test]
fn a_refused_batch_leaves_overrides_and_deadlines_alone() {
    let mut gateway = crate::client::admin();
    gateway.put_for("10s", "job/a", "m 1\n");
    ok(
        &gateway,
        "PUT",
        "admin/ttl/job/a",
        r#"{"ttl":"20s","reason":"r"}"#,
    );
    gateway.put("job/other", "# TYPE taken gauge\ntaken 1\n");
    gateway.advance(5 * SECOND);
    let groups = json!([
        {"labels": {"job": "a"}, "ttl": "1h", "body": "m 2\n"},
        {"labels": {"job": "b"}, "body": "# TYPE taken counter\ntaken 1\n"},
    ]);
    refused(&mut gateway, &groups, "group 1");
    gateway.advance(15 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), ["other"]);
}

#[test]
fn a_refused_batch_leaves_an_override_that_is_over_and_has_decided() {
    let mut gateway = crate::client::admin();
    gateway.put_for("1h", "job/a", "m 1\n");
    gateway.put("job/other", "# TYPE taken gauge\ntaken 1\n");
    ok(&gateway, "POST", "admin/ttl/pause", "");
    let body = r#"{"ttl":"30s","for":"60s"}"#;
    ok(&gateway, "PUT", "admin/ttl/job/a", body);
    gateway.advance(70 * SECOND);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["a"]);
    // Pushed, the group would have done with the override.
    let groups = json!([
        {"labels": {"job": "a"}, "body": "m 2\n"},
        {"labels": {"job": "b"}, "body": "# TYPE taken counter\ntaken 1\n"},
    ]);
    refused(&mut gateway, &groups, "group 1");
    ok(&gateway, "POST", "admin/ttl/resume", "");
    assert_eq!(jobs(&gateway, "groups"), ["other"]);
}

#[test]
fn a_refused_batch_over_an_expired_group_does_not_bring_it_back() {
    let gateway = crate::client::admin();
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.put("job/other", "# TYPE taken gauge\ntaken 1\n");
    gateway.advance(10 * SECOND);
    let groups = json!([
        {"labels": {"job": "a"}, "body": "m 2\n"},
        {"labels": {"job": "b"}, "body": "# TYPE taken counter\ntaken 1\n"},
    ]);
    bad(&gateway, "POST", "push", &batch(&groups), "group 1");
    assert_eq!(jobs(&gateway, "groups"), ["other"]);
    assert!(!gateway.pushed().contains("m{"));
    ok(&gateway, "POST", "admin/ttl/reap", "");
    assert_eq!(jobs(&gateway, "groups?state=expired"), ["a"], "once");
    // It is gone from the disk as well, and the name is free.
    gateway.put("job/c", "# TYPE m counter\nm 1\n");
}

#[test]
fn a_label_that_is_given_twice_is_named_and_not_the_last_one_taken() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    for (labels, says) in [
        (
            r#"{"job":"a","env":"x","env":"y"}"#,
            r#"group 1 {job="a",env="x",env="y"}: the label "env" is given twice"#,
        ),
        (
            r#"{"job":"a","job":"a"}"#,
            r#"the label "job" is given twice"#,
        ),
        // The same name, spelled differently in JSON.
        (
            r#"{"job":"a","e\u006ev":"x","env":"x"}"#,
            r#"the label "env" is given twice"#,
        ),
    ] {
        let body = format!(
            r#"{{"groups":[{{"labels":{{"job":"b"}}}},{{"labels":{labels},"body":"m 2\n"}}]}}"#
        );
        bad(&gateway, "POST", "push", &body, says);
    }
    assert_eq!(jobs(&gateway, "groups"), ["a"]);
    assert_eq!(get(&gateway, "groups/job/a")["pushes"], 1);
}

#[test]
fn too_many_groups_are_413() {
    let gateway = Gateway::start();
    let groups = vec![json!({"labels": {"job": "a"}}); BATCH_GROUPS + 1];
    let (status, _, text) = fails(&gateway, "POST", "push", &batch(&json!(groups)));
    assert_eq!(
        (status, text.as_str()),
        (413, "more than 10000 groups in one request")
    );
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
}

/// Each member of the body takes many times its length in memory.
#[test]
fn labels_are_counted_while_they_are_read() {
    let gateway = Gateway::start();
    let labels: Vec<String> = (0..=LABELS_PER_SERIES)
        .map(|n| format!("\"l{n}\":\"\""))
        .collect();
    // Not JSON to its end: nobody comes so far.
    let body = format!("{{\"groups\":[{{\"labels\":{{{}, what", labels.join(","));
    let says = format!("a group has more than {LABELS_PER_SERIES} labels");
    bad(&gateway, "POST", "push", &body, &says);
}

#[test]
fn an_empty_batch_is_fine() {
    let gateway = Gateway::start();
    assert_eq!(
        ok(&gateway, "POST", "push", r#"{"groups":[]}"#),
        json!({"groups": []})
    );
}
