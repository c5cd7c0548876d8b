//! `GET /api/v1/groups`: which groups, in what order.

use crate::client::{admin, get, jobs, matching, ok};
use crate::harness::{Gateway, SECOND};

fn five() -> Gateway {
    let gateway = admin();
    for (group, ttl) in [
        ("job/b/env/prod", "30s"),
        ("job/a/env/test", "20s"),
        ("job/ci-1", "40s"),
        ("job/ci-2", "10s"),
    ] {
        gateway.put_for(ttl, group, "m 1\n");
        gateway.advance(SECOND);
    }
    gateway.put("job/z", "m 1\n");
    gateway
}

#[test]
fn matchers_choose_groups_and_several_are_alternatives() {
    let gateway = five();
    for (selectors, expected) in [
        (&["{}"][..], &["a", "b", "ci-1", "ci-2", "z"][..]),
        (&[r#"{job="a"}"#], &["a"]),
        (&[r#"{job=~"ci-.*"}"#], &["ci-1", "ci-2"]),
        (&[r#"{job!~"ci-.*"}"#], &["a", "b", "z"]),
        (&[r#"{env!=""}"#], &["a", "b"]),
        (&[r#"{env=""}"#], &["ci-1", "ci-2", "z"]),
        (&[r#"{env="prod",job!="b"}"#], &[]),
        (&[r#"{job="z"}"#, r#"{env="prod"}"#], &["b", "z"]),
        (
            &[r#"{job="z"}"#, r#"{job=~".*"}"#],
            &["a", "b", "ci-1", "ci-2", "z"],
        ),
        (&[r#"{job=~"i"}"#], &[]),
    ] {
        let query: Vec<_> = selectors.iter().map(|text| matching(text)).collect();
        assert_eq!(
            jobs(&gateway, &format!("groups?{}", query.join("&"))),
            expected,
            "{selectors:?}"
        );
    }
}

#[test]
fn lists_are_sorted_by_key_deadline_or_last_push() {
    let gateway = five();
    for (sort, expected) in [
        ("job", ["a", "b", "ci-1", "ci-2", "z"]),
        ("expires", ["ci-2", "a", "b", "ci-1", "z"]),
        ("-expires", ["z", "ci-1", "b", "a", "ci-2"]),
        ("last_push", ["b", "a", "ci-1", "ci-2", "z"]),
        ("-last_push", ["z", "ci-2", "ci-1", "a", "b"]),
    ] {
        assert_eq!(
            jobs(&gateway, &format!("groups?sort={sort}")),
            expected,
            "{sort}"
        );
    }
    assert_eq!(jobs(&gateway, "groups"), ["a", "b", "ci-1", "ci-2", "z"]);
}

#[test]
fn states_are_live_overdue_and_expired() {
    let gateway = five();
    // Four seconds on, ci-2 has nine left.
    gateway.advance_almost(9 * SECOND);
    assert_eq!(jobs(&gateway, "groups?state=live").len(), 5);
    gateway.advance(crate::harness::NANOSECOND);
    assert_eq!(jobs(&gateway, "groups"), ["a", "b", "ci-1", "z"]);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), [""; 0]);
    ok(&gateway, "POST", "admin/ttl/pause", "");
    gateway.advance(10 * SECOND);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["a"]);
    assert_eq!(jobs(&gateway, "groups?state=live"), ["b", "ci-1", "z"]);
    assert_eq!(jobs(&gateway, "groups"), ["a", "b", "ci-1", "z"]);
    assert_eq!(get(&gateway, "groups/job/a/env/test")["state"], "overdue");
    ok(&gateway, "POST", "admin/ttl/reap", "");
    assert_eq!(jobs(&gateway, "groups?state=expired"), ["ci-2"]);
}

#[test]
fn limits_cut_a_list_and_say_where_to_go_on() {
    let gateway = five();
    let page = get(&gateway, "groups?limit=2");
    assert_eq!(crate::client::names(&page), ["a", "b"]);
    assert!(page["next_cursor"].is_string());
    let all = get(&gateway, "groups?limit=5");
    assert_eq!(
        all["next_cursor"],
        serde_json::Value::Null,
        "nothing is left"
    );
    assert_eq!(
        get(&gateway, "groups?limit=1000")["next_cursor"],
        serde_json::Value::Null
    );
}

#[test]
fn without_groups_lists_are_empty() {
    let gateway = Gateway::start();
    for path in [
        "groups",
        "groups?state=expired",
        "groups?sort=-expires&limit=1",
    ] {
        assert_eq!(jobs(&gateway, path), [""; 0], "{path}");
    }
}
