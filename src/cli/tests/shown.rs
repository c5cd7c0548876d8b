//! Commands that ask and change nothing.

use super::*;

#[test]
fn lists_are_tables_of_pages() {
    let late = json!({
        "labels": {"job": "a b"}, "last_push": null, "ttl": "1m", "ttl_source": "push",
        "expires_in_seconds": -300.5,
    });
    let gone = json!({"labels": {"job": "y"}, "ttl": "1h", "ttl_source": "push",
        "end": "deleted", "ended_at": "2026-11-21T00:00:00Z"});
    let ever = json!({"labels": {"job": "x"}, "ttl": "never", "ttl_source": "default",
        "expires_in_seconds": null});
    done(
        &[
            "ttl",
            "list",
            "--match",
            "{ job != 'z' }",
            "--state=overdue",
        ],
        &[
            success(json!({"groups": [backup(), late], "next_cursor": "c/1"})),
            success(json!({"groups": [ever, gone], "next_cursor": null})),
        ],
        &[
            "GET /api/v1/groups?match%5B%5D=%7Bjob%21%3D%22z%22%7D&state=overdue&sort=expires&limit=100",
            "GET /api/v1/groups?match%5B%5D=%7Bjob%21%3D%22z%22%7D&state=overdue&sort=expires&limit=98&cursor=c%2F1",
        ],
        "GROUP                TTL    SOURCE        LAST PUSH             EXPIRES\n\
         job=backup env=prod  8d     rule:backups  2026-11-22T00:00:00Z  in 7d23h\n\
         job='a b'            1m     push          -                     overdue 5m\n\
         job=x                never  default       -                     never\n\
         job=y                1h     push          -                     deleted 2026-11-21T00:00:00Z\n",
    );
    done(
        &["groups", "list", "--limit=1", "--sort=last_push"],
        &[success(json!({"groups": [backup()], "next_cursor": "c"}))],
        &["GET /api/v1/groups?sort=last_push&limit=1"],
        "GROUP                FAMILIES  SERIES  PUSHES  LAST PUSH             PUSHER    EXPIRES\n\
         job=backup env=prod  3         12      412     2026-11-22T00:00:00Z  10.0.0.7  in 7d23h\n\
         there are more: raise --limit, 0 is all\n",
    );
}

#[test]
fn a_list_ends_when_the_gateway_gives_the_same_page_for_ever() {
    let page = || success(json!({"groups": [backup()], "next_cursor": "same"}));
    let (exit, requests) = ask(&["groups", "list", "--limit=0"], &[page(), page()]);
    assert_eq!((exit.code, requests.len()), (0, 2));
    assert!(requests[0].ends_with("limit=1000"), "{requests:?}");
}

#[test]
fn json_is_the_data_of_the_api() {
    let (exit, _) = ask(
        &["groups", "list", "--output=json"],
        &[success(json!({"groups": [backup()], "next_cursor": null}))],
    );
    let printed: serde_json::Value = serde_json::from_str(&exit.text).unwrap();
    assert_eq!(printed, json!({"groups": [backup()], "next_cursor": null}));
    let turned = json!({"labels": {"job": "a\u{202e}b\u{9b}\u{7f}"}});
    let (exit, _) = ask(
        &["ttl", "show", "job=a", "--output=json"],
        &[success(turned.clone())],
    );
    assert!(
        exit.text.contains(r"a\u202eb\u009b\u007f"),
        "a terminal obeys nothing of it: {:?}",
        exit.text
    );
    let printed: serde_json::Value = serde_json::from_str(&exit.text).unwrap();
    assert_eq!(printed, turned);
    let (exit, _) = ask(
        &["ttl", "resume", "--output", "json"],
        &[("200 OK", String::new())],
    );
    assert_eq!((exit.code, exit.text.as_str()), (0, "null\n"));
}

#[test]
fn the_settings_in_force_are_shown() {
    let data = json!({
        "default": "35d", "max": null, "min": "1s", "client": "allow",
        "rules": [{"name": "ci", "selector": "{job=~\"ci-.*\"}", "ttl": "2h"}],
        "groups_by_source": {"default": 3, "rule:ci": 1},
        "next_expiry": "2026-11-30T00:00:00Z",
        "paused": {"until": "2026-11-29T00:00:00Z", "reason": "moving", "by": "::1"},
        "warnings": ["rule ci: its TTL is under twice the scrape interval"],
    });
    done(
        &["ttl", "show"],
        &[success(data)],
        &["GET /api/v1/ttl"],
        "default      35d\nmin          1s\nmax          -\nclient       allow\n\
         groups       default 3, rule:ci 1\nnext expiry  2026-11-30T00:00:00Z\n\
         paused       until 2026-11-29T00:00:00Z, by ::1: moving\n\
         warning      rule ci: its TTL is under twice the scrape interval\n\n\
         RULE  TTL  HOLD  GROUPS\nci    2h   -     {job=~\"ci-.*\"}\n",
    );
}

#[test]
fn one_group_is_shown_with_its_families() {
    let mut group = backup();
    group["family_list"] =
        json!([{"name": "a_total", "type": "COUNTER", "series": 2, "last_push": null}]);
    group["last_error"] = json!({"at": "2026-11-21T00:00:00Z", "text": "bad\u{1b}[31m"});
    group["override"] = json!({"ttl": "1h", "until": null, "reason": "", "by": "::1"});
    done(
        &["ttl", "show", "job=backup", "env=prod"],
        &[success(group)],
        &["GET /api/v1/groups/job/backup/env/prod"],
        "group        job=backup env=prod\nttl          8d\nsource       rule:backups\nhold         -\n\
         expires      in 7d23h\nexpires at   2026-11-30T00:00:00Z\ncreated      -\n\
         last push    2026-11-22T00:00:00Z\nsucceeded    yes\nlast error   bad\\u{1b}[31m (2026-11-21T00:00:00Z)\noverride     1h without end, by ::1: -\n\
         pushes       412\npusher       10.0.0.7\nagent        -\nseries       12\n\n\
         FAMILY   TYPE     SERIES  LAST PUSH\na_total  COUNTER  2       -\n",
    );
}

#[test]
fn explanations_are_chains() {
    let chain = json!([
        {"source": "push", "ttl": null, "outcome": "does_not_apply", "why": "the push names no TTL"},
        {"source": "default", "ttl": "35d", "outcome": "wins", "why": "for groups that nothing else covers"},
    ]);
    let one =
        json!({"labels": {"job": "/a"}, "ttl": "35d", "ttl_source": "default", "chain": chain});
    let text = "group        job=/a\nttl          35d\nsource       default\nhold         -\n\n\
                SOURCE   TTL  OUTCOME         WHY\n\
                push     -    does not apply  the push names no TTL\n\
                default  35d  wins            for groups that nothing else covers\n";
    done(
        &["ttl", "explain", "job=/a"],
        &[success(one.clone())],
        &["GET /api/v1/ttl/explain/job@base64/L2E"],
        text,
    );
    done(
        &["ttl", "explain", "--match={}"],
        &[
            success(json!({"groups": [one], "next_cursor": "c/1"})),
            success(json!({"groups": [one], "next_cursor": null})),
        ],
        &[
            "GET /api/v1/ttl/explain?match%5B%5D=%7B%7D&limit=1000",
            "GET /api/v1/ttl/explain?match%5B%5D=%7B%7D&limit=1000&cursor=c%2F1",
        ],
        &format!("{text}\n{text}"),
    );
}

#[test]
fn what_has_expired_is_listed_in_the_order_of_the_history() {
    let page = || success(json!({"groups": [], "next_cursor": null}));
    let (exit, requests) = ask(&["ttl", "list", "--state=expired"], &[page()]);
    assert_eq!(exit.code, 0);
    assert_eq!(requests, ["GET /api/v1/groups?state=expired&limit=100"]);
    // The gateway says that it has no other.
    let (_, requests) = ask(&["ttl", "list", "--state=expired", "--sort=job"], &[page()]);
    assert_eq!(
        requests,
        ["GET /api/v1/groups?state=expired&sort=job&limit=100"]
    );
}
