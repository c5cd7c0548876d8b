//! What the log of a real gateway says about groups that expire, and about what operators do.

mod support;

use serde_json::json;
use support::process::Gateway;
use support::{LIMIT, eventually};

/// The lines with this message, logged since the start.
fn lines(gateway: &Gateway, message: &str) -> Vec<String> {
    let message = format!("msg={message:?} ");
    let log = gateway.log();
    let lines = log.lines().filter(|line| line.contains(&message));
    lines.map(str::to_owned).collect()
}

/// Waits for such a line.
fn line(gateway: &Gateway, message: &str) -> String {
    eventually(LIMIT, message, || {
        let line = lines(gateway, message).pop();
        line.ok_or_else(|| gateway.log())
    })
}

fn has(line: &str, fields: &[&str]) {
    for field in fields {
        assert!(line.contains(field), "{field} is not in {line}");
    }
}

fn api(gateway: &Gateway, method: &str, path: &str, body: &str) {
    let path = format!("/api/v1/{path}");
    let answer = gateway.send(method, &path, &[("User-Agent", "ops")], body);
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
}

#[test]
fn an_expired_group_is_logged_with_its_labels_last_push_ttl_and_source() {
    let gateway = Gateway::start();
    let path = "/metrics/job/nightly/env/prod";
    let answer = gateway.send("PUT", path, &[("Tidegate-TTL", "1s")], "m 1\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let line = line(&gateway, "group expired");
    let fields = [
        "level=INFO",
        r#"group="{env=\"prod\",job=\"nightly\"}""#,
        "last_push=20",
        "ttl=1s",
        "ttl_source=push",
    ];
    has(&line, &fields);
}

#[test]
fn many_expiries_are_a_few_lines_and_a_count_of_the_rest() {
    let gateway = Gateway::start();
    let group = |n| json!({"labels": {"job": format!("j{n}")}, "ttl": "1s"});
    let groups: Vec<_> = (0..2000).map(group).collect();
    let answer = gateway.send(
        "POST",
        "/api/v1/push",
        &[],
        &json!({ "groups": groups }).to_string(),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (one_each, left_out) = eventually(LIMIT, "2000 groups in the log", || {
        let one_each = lines(&gateway, "group expired").len();
        let counts = lines(&gateway, "more groups expired");
        let count = |line: &String| line.rsplit_once("groups=")?.1.parse::<usize>().ok();
        let left_out: usize = counts.iter().filter_map(count).sum();
        let all = one_each + left_out == 2000;
        all.then_some((one_each, left_out))
            .ok_or_else(|| format!("{one_each} lines and {left_out} more"))
    });
    assert!(one_each >= 10, "{one_each}");
    assert!(left_out > 1000, "{left_out}");
}

#[test]
fn the_count_of_the_rest_is_not_lost_at_a_stop() {
    let mut gateway = Gateway::start_with(&["--web.enable-admin-api"]);
    let group = |n| json!({"labels": {"job": format!("j{n}")}});
    let groups: Vec<_> = (0..50).map(group).collect();
    let batch = json!({ "groups": groups }).to_string();
    api(&gateway, "POST", "push", &batch);
    let pin = r#"{"ttl":"1ns"}"#;
    api(&gateway, "PUT", "admin/ttl?match[]=%7B%7D", pin);
    api(&gateway, "POST", "admin/ttl/reap", "");
    assert!(gateway.terminate().success());
    let counts = lines(&gateway, "more groups expired");
    let count = |line: &String| line.rsplit_once("groups=")?.1.parse::<usize>().ok();
    let left_out: usize = counts.iter().filter_map(count).sum();
    assert_eq!(left_out + lines(&gateway, "group expired").len(), 50);
}

const EVERY: &str = "match[]=%7Bjob%3D%22a%22%7D";
const MATCHING: &str = r#"matching="{job=\"a\"}""#;
const GROUP: &str = r#"group="{job=\"a\"}""#;
const WHY: &str = r#"reason="moving house""#;

#[test]
fn what_operators_do_is_logged_with_who_and_what() {
    let gateway = Gateway::start_with(&["--web.enable-admin-api"]);
    let answer = gateway.send("PUT", "/metrics/job/a", &[], "m 1\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (one, all) = ("admin/ttl/job/a", format!("admin/ttl?{EVERY}"));
    let delete = format!("admin/delete_groups?{EVERY}");
    let pin = r#"{"ttl":"6h","for":"2d","reason":"moving house"}"#;
    let pause = r#"{"for":"2h","reason":"moving house"}"#;
    let set = [GROUP, "ttl=6h", "for=2d", WHY];
    let set_all = ["groups=1", MATCHING, "ttl=6h", "for=2d", WHY];
    let of_all = ["groups=1", MATCHING];
    // Method, path, body, message of the line, its fields.
    #[rustfmt::skip]
    let writes: [(&str, &str, &str, &str, &[&str]); 9] = [
        ("PUT", one, pin, "TTL override set", &set),
        ("DELETE", one, "", "TTL override removed", &[GROUP]),
        ("PUT", &all, pin, "TTL overrides set by matcher", &set_all),
        ("DELETE", &all, "", "TTL overrides removed by matcher", &of_all),
        ("POST", "admin/touch/job/a", "", "TTL clock started anew", &[GROUP]),
        ("POST", "admin/ttl/pause", pause, "expiry paused", &["for=2h", WHY]),
        ("POST", "admin/ttl/resume", "", "expiry resumed", &[]),
        ("POST", "admin/ttl/reap", "", "expired groups removed on request", &["groups=0"]),
        ("POST", &delete, "", "groups deleted by matcher", &of_all),
    ];
    for (method, path, body, message, fields) in writes {
        api(&gateway, method, path, body);
        let line = line(&gateway, message);
        has(&line, fields);
        has(&line, &["by=127.0.0.1"]);
    }
}
