//! `POST /api/v1/admin/delete_groups`.

use serde_json::json;

use crate::client::{admin, bad, get, jobs, matching, ok};
use crate::harness::{Gateway, SECOND};

fn three() -> Gateway {
    let gateway = admin();
    for job in ["a", "b", "c"] {
        gateway.put(&format!("job/{job}"), "m 1\n");
        gateway.advance(10 * SECOND);
    }
    gateway
}

fn delete(selector: &str, more: &str) -> String {
    format!("admin/delete_groups?{}{more}", matching(selector))
}

#[test]
fn a_dry_run_names_what_a_delete_takes() {
    let mut gateway = three();
    let labels = json!([{"job": "a"}, {"job": "c"}]);
    let path = delete(r#"{job!="b"}"#, "&dry_run=true");
    let dry = ok(&gateway, "POST", &path, "");
    assert_eq!(dry, json!({"groups": 2, "labels": labels, "dry_run": true}));
    assert_eq!(jobs(&gateway, "groups").len(), 3);
    let done = ok(
        &gateway,
        "POST",
        &delete(r#"{job!="b"}"#, "&dry_run=false"),
        "",
    );
    assert_eq!(
        done,
        json!({"groups": 2, "labels": labels, "dry_run": false})
    );
    assert_eq!(jobs(&gateway, "groups"), ["b"]);
    let ended = get(&gateway, "groups?state=expired");
    assert_eq!(crate::client::names(&ended), ["c", "a"]);
    assert_eq!(ended["groups"][0]["end"], "deleted");
    assert_eq!(ended["groups"][0]["by"], "127.0.0.1");
    gateway.restart();
    assert_eq!(jobs(&gateway, "groups"), ["b"]);
    assert_eq!(gateway.counts(), ("1".into(), "1".into()));
}

#[test]
fn only_groups_last_pushed_longer_ago_are_deleted() {
    let gateway = three();
    // Pushed 30, 20 and 10 seconds ago.
    let older = |age: &str| delete("{}", &format!("&older_than={age}"));
    assert_eq!(ok(&gateway, "POST", &older("30s"), "")["groups"], 0);
    assert_eq!(ok(&gateway, "POST", &older("20s"), "")["groups"], 1);
    assert_eq!(jobs(&gateway, "groups"), ["b", "c"]);
    gateway.put("job/b", "m 2\n");
    assert_eq!(ok(&gateway, "POST", &older("1s"), "")["groups"], 1);
    assert_eq!(jobs(&gateway, "groups"), ["b"]);
    assert_eq!(ok(&gateway, "POST", &older("500y"), "")["groups"], 0);
}

#[test]
fn several_matchers_are_alternatives() {
    let gateway = three();
    let more = format!("&{}", matching(r#"{job="c"}"#));
    let done = ok(&gateway, "POST", &delete(r#"{job="a"}"#, &more), "");
    assert_eq!(done["groups"], 2);
    assert_eq!(jobs(&gateway, "groups"), ["b"]);
}

#[test]
fn expired_groups_are_not_deleted_again() {
    let gateway = three();
    gateway.put_for("5s", "job/d", "m 1\n");
    gateway.advance(5 * SECOND);
    let done = ok(&gateway, "POST", &delete(r#"{job="d"}"#, ""), "");
    assert_eq!(done["groups"], 0);
}

#[test]
fn without_a_matcher_nothing_is_deleted() {
    let gateway = three();
    for path in ["admin/delete_groups", "admin/delete_groups?older_than=1s"] {
        bad(&gateway, "POST", path, "", "match[]={} means every group");
    }
    for misspelled in ["match=%7B%7D", "match[]=%7B%7D&dryrun=true"] {
        let path = format!("admin/delete_groups?{misspelled}");
        bad(&gateway, "POST", &path, "", "there is no parameter");
    }
    assert_eq!(jobs(&gateway, "groups").len(), 3);
}
