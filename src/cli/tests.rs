//! Whole commands against canned answers.

mod canned;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::json;

use super::*;
use args::Target;
use canned::{Canned, certified, exchange};

#[expect(
    clippy::needless_pass_by_value,
    reason = "json!(..) stands in the call"
)]
fn success(data: serde_json::Value) -> (&'static str, String) {
    (
        "200 OK",
        json!({ "status": "success", "data": data }).to_string(),
    )
}

/// Runs a command; asked, the person gives this answer.
fn run_with(args: &[&str], consent: Consent) -> (Exit, Vec<String>) {
    let mut questions = Vec::new();
    let args: Vec<OsString> = std::iter::once("tidegate")
        .chain(args.iter().copied())
        .map(OsString::from)
        .collect();
    let exit = run(&args, &mut |question| {
        questions.push(question.to_owned());
        consent
    });
    (exit.expect("a subcommand"), questions)
}

/// Runs a command against canned answers; its end and the requests it made.
fn ask(args: &[&str], answers: &[(&str, String)]) -> (Exit, Vec<String>) {
    let server = Canned::start(answers);
    let address = format!("--address={}", server.address);
    let args: Vec<&str> = args.iter().copied().chain([address.as_str()]).collect();
    let (exit, _) = run_with(&args, Consent::Nobody);
    (exit, server.requests())
}

#[track_caller]
fn done(args: &[&str], answers: &[(&str, String)], requests: &[&str], text: &str) {
    let (exit, made) = ask(args, answers);
    assert_eq!(exit.text, text, "{args:?}");
    assert_eq!(exit.code, 0);
    assert_eq!(made, requests, "{args:?}");
}

#[track_caller]
fn refused(args: &[&str], answers: &[(&str, String)], text: &str) {
    let (exit, _) = ask(args, answers);
    assert_eq!((exit.code, exit.text.as_str()), (1, text), "{args:?}");
}

fn backup() -> serde_json::Value {
    json!({
        "labels": {"env": "prod", "job": "backup"},
        "last_push": "2026-11-22T00:00:00.25Z", "last_push_successful": true, "pushes": 412,
        "ttl": "8d", "ttl_seconds": 691_200, "ttl_source": "rule:backups",
        "expires_at": "2026-11-30T00:00:00Z", "expires_in_seconds": 691_100,
        "families": 3, "series": 12, "last_pusher": "10.0.0.7",
    })
}

#[test]
fn a_command_line_without_a_subcommand_is_the_gateways() {
    for args in [
        &["tidegate"][..],
        &["tidegate", "--log.level=info"],
        &["tidegate", "x", "ttl"],
        &[],
    ] {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        assert_eq!(run(&args, &mut |_| Consent::No), None, "{args:?}");
    }
}

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
        &[success(json!([one, one]))],
        &["GET /api/v1/ttl/explain?match%5B%5D=%7B%7D"],
        &format!("{text}\n{text}"),
    );
}

#[test]
fn operators_words_are_sent_as_given() {
    let ok = || [success(json!(null))];
    done(
        &[
            "ttl",
            "set",
            "job=a",
            "--ttl=6h",
            "--for=2d",
            "--reason=moving house",
        ],
        &ok(),
        &[r#"PUT /api/v1/admin/ttl/job/a {"for":"2d","reason":"moving house","ttl":"6h"}"#],
        "the TTL of job=a is 6h for 2d\n",
    );
    done(
        &["ttl", "set", "job=a", "--ttl", "0"],
        &ok(),
        &[r#"PUT /api/v1/admin/ttl/job/a {"ttl":"never"}"#],
        "the TTL of job=a is never\n",
    );
    done(
        &["ttl", "unset", "job=a"],
        &ok(),
        &["DELETE /api/v1/admin/ttl/job/a"],
        "the override of job=a is taken back\n",
    );
    done(
        &["ttl", "touch", "job=a", "x="],
        &ok(),
        &["POST /api/v1/admin/touch/job/a/x@base64/="],
        "the TTL clock of job=a x= starts anew\n",
    );
    done(
        &["ttl", "pause", "--for=2h"],
        &ok(),
        &[r#"POST /api/v1/admin/ttl/pause {"for":"2h"}"#],
        "nothing expires for 2h\n",
    );
    done(
        &["ttl", "pause", "--reason=x"],
        &ok(),
        &[r#"POST /api/v1/admin/ttl/pause {"reason":"x"}"#],
        "nothing expires until `tidegate ttl resume`\n",
    );
    done(
        &["ttl", "touch", "job=a"],
        &[success(json!({"expires_at": "2026-11-30T00:00:00Z"}))],
        &["POST /api/v1/admin/touch/job/a"],
        "the TTL clock of job=a starts anew; it expires at 2026-11-30T00:00:00Z\n",
    );
    done(
        &["ttl", "unset", "job=a"],
        &[success(json!({"expires_at": null}))],
        &["DELETE /api/v1/admin/ttl/job/a"],
        "the override of job=a is taken back; it does not expire\n",
    );
    done(
        &["ttl", "resume"],
        &ok(),
        &["POST /api/v1/admin/ttl/resume"],
        "the pause is over\n",
    );
}

#[test]
fn overrides_of_all_that_match_are_tried_asked_for_and_done() {
    let found = || success(json!({"groups": 2, "labels": [{"job": "a"}, {"job": "b"}]}));
    let query = "match%5B%5D=%7Bjob%3D~%22ci-.%2A%22%7D";
    let body = r#"{"for":"2d","reason":"moving","ttl":"never"}"#;
    let args = [
        "ttl",
        "set",
        "--match={job=~\"ci-.*\"}",
        "--ttl=never",
        "--for=2d",
        "--reason=moving",
    ];
    let server = Canned::start(&[found(), found()]);
    let address = format!("--address={}", server.address);
    let all: Vec<&str> = args.iter().copied().chain([address.as_str()]).collect();
    let (exit, questions) = run_with(&all, Consent::Yes);
    let done_text = "set the TTL of 2 groups to never for 2d\n";
    assert_eq!((exit.code, exit.text.as_str()), (0, done_text));
    assert_eq!(
        questions,
        ["  job=a\n  job=b\nset the TTL of 2 groups to never for 2d?"]
    );
    assert_eq!(
        server.requests(),
        [
            format!("PUT /api/v1/admin/ttl?{query}&dry_run=true {body}"),
            format!("PUT /api/v1/admin/ttl?{query} {body}"),
        ]
    );
    done(
        &["ttl", "unset", "--match={}", "--yes"],
        &[success(json!({"groups": 1}))],
        &["DELETE /api/v1/admin/ttl?match%5B%5D=%7B%7D"],
        "took back the override of 1 group\n",
    );
    done(
        &["ttl", "unset", "--match={}", "--dry-run"],
        &[found()],
        &["DELETE /api/v1/admin/ttl?match%5B%5D=%7B%7D&dry_run=true"],
        "would take back the override of 2 groups\n  job=a\n  job=b\n",
    );
    // Nobody can be asked here.
    let (exit, requests) = ask(&["ttl", "set", "--match={}", "--ttl=1h"], &[found()]);
    assert_eq!((exit.code, requests.len()), (1, 1));
}

#[test]
fn a_dry_run_for_one_group_only_looks_at_it() {
    done(
        &["ttl", "set", "job=a", "--ttl=1h", "--dry-run"],
        &[success(backup())],
        &["GET /api/v1/groups/job/a"],
        "would set the TTL of job=a to 1h; it is 8d (rule:backups)\n",
    );
    done(
        &["ttl", "unset", "job=a", "--dry-run"],
        &[success(backup())],
        &["GET /api/v1/groups/job/a"],
        "would take back the override of job=a; it is 8d (rule:backups)\n",
    );
}

#[test]
fn removals_are_tried_asked_for_and_done() {
    let found = || success(json!({"groups": 3, "labels": [{"job": "a"}, {"job": "b"}]}));
    let args = [
        "groups",
        "delete",
        "--match={job=\"a\"}",
        "--older-than=24h",
    ];
    let query = "match%5B%5D=%7Bjob%3D%22a%22%7D&older_than=1d";
    let server = Canned::start(&[found(), success(json!({"groups": 3}))]);
    let address = format!("--address={}", server.address);
    let all: Vec<&str> = args.iter().copied().chain([address.as_str()]).collect();
    let (exit, questions) = run_with(&all, Consent::Yes);
    assert_eq!((exit.code, exit.text.as_str()), (0, "deleted 3 groups\n"));
    assert_eq!(
        questions,
        ["  job=a\n  job=b\n  and 1 more\ndelete 3 groups?"]
    );
    assert_eq!(
        server.requests(),
        [
            format!("POST /api/v1/admin/delete_groups?{query}&dry_run=true"),
            format!("POST /api/v1/admin/delete_groups?{query}"),
        ]
    );
    done(
        &["ttl", "reap", "--yes"],
        &[success(json!({"groups": 1}))],
        &["POST /api/v1/admin/ttl/reap"],
        "reaped 1 group\n",
    );
    done(
        &["ttl", "reap", "--dry-run"],
        &[found()],
        &["POST /api/v1/admin/ttl/reap?dry_run=true"],
        "would reap 3 groups\n  job=a\n  job=b\n  and 1 more\n",
    );
    done(
        &["groups", "delete", "--match={}"],
        &[success(json!({"groups": 0, "labels": []}))],
        &["POST /api/v1/admin/delete_groups?match%5B%5D=%7B%7D&dry_run=true"],
        "would delete 0 groups\n",
    );
}

#[test]
fn nothing_is_removed_without_consent() {
    for (consent, text) in [
        (Consent::No, "nothing was changed"),
        (
            Consent::Nobody,
            "nobody can be asked: standard input is no terminal; give --yes",
        ),
    ] {
        let server = Canned::start(&[success(json!({"groups": 1, "labels": [{"job": "a"}]}))]);
        let address = format!("--address={}", server.address);
        let (exit, _) = run_with(&["ttl", "reap", &address], consent);
        assert_eq!(exit.text, format!("tidegate: error: {text}\n"));
        assert_eq!((exit.code, server.requests().len()), (1, 1));
        // Nobody listens there: it is not even tried.
        let args = ["groups", "delete", "job=a", "--address=127.0.0.1:1"];
        assert_eq!(run_with(&args, consent).0.code, 1);
    }
}

#[test]
fn one_group_is_deleted_by_its_labels() {
    let deleted = |count: u32| {
        (
            format!("202 Accepted\r\nTidegate-Groups-Deleted: {count}"),
            String::new(),
        )
    };
    let (status, body) = deleted(1);
    done(
        &["groups", "delete", "job=a", "--yes"],
        &[(&status, body)],
        &["DELETE /metrics/job/a"],
        "deleted job=a\n",
    );
    let (status, body) = deleted(0);
    refused(
        &["groups", "delete", "job=a", "--yes"],
        &[(&status, body)],
        "tidegate: error: there is no group job=a\n",
    );
    done(
        &["groups", "delete", "job=backup", "env=prod", "--dry-run"],
        &[success(backup())],
        &["GET /api/v1/groups/job/backup/env/prod"],
        "would delete job=backup env=prod\n",
    );
}

#[test]
fn refusals_are_told_in_the_gateways_words() {
    let error =
        |text: &str| json!({"status": "error", "errorType": "x", "error": text}).to_string();
    for (status, body, text) in [
        (
            "403 Forbidden",
            error("start it with --web.enable-admin-api"),
            "the gateway answered 403: start it with --web.enable-admin-api",
        ),
        (
            "404 Not Found",
            "404 page not found\n".to_owned(),
            "the gateway answered 404: 404 page not found; is --address complete, its path prefix included?",
        ),
        (
            "500 No",
            "a\u{1b}\nb".to_owned(),
            "the gateway answered 500: a\\u{1b}\nb",
        ),
        ("503 No", String::new(), "the gateway answered 503"),
        (
            "401 Unauthorized",
            "Unauthorized\n".to_owned(),
            "the gateway answered 401: Unauthorized; give --username and --password-file",
        ),
        (
            "302 Found\r\nLocation: /x",
            String::new(),
            "the gateway answered 302; is --address complete, its path prefix included?",
        ),
        (
            "200 OK",
            "<html>".to_owned(),
            "the answer is not that of a tidegate; is --address right?",
        ),
        (
            "200 OK",
            "{}".to_owned(),
            "the answer is not that of a tidegate; is --address right?",
        ),
    ] {
        refused(
            &["ttl", "show"],
            &[(status, body)],
            &format!("tidegate: error: {text}\n"),
        );
    }
}

#[test]
fn credentials_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "open sesame\nnot this\n").unwrap();
    let password = format!("--password-file={}", file.display());
    let (exit, requests) = ask(
        &["ttl", "resume", "--username=Aladdin", &password],
        &[success(json!(null))],
    );
    assert_eq!(exit.code, 0, "{}", exit.text);
    assert_eq!(
        requests,
        ["POST /api/v1/admin/ttl/resume [authorization: basic qwxhzgrpbjpvcgvuihnlc2ftzq==]"]
    );
    let (exit, _) = run_with(
        &[
            "ttl",
            "resume",
            "--username=a",
            "--password-file=/nonexistent",
        ],
        Consent::No,
    );
    assert!(
        exit.code == 1 && exit.text.contains("/nonexistent: No such file"),
        "{exit:?}"
    );
}

#[test]
fn an_address_where_nobody_answers_ends_with_code_2() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (exit, _) = run_with(&["ttl", "show", &format!("--address={free}")], Consent::No);
    let start = format!("tidegate: error: cannot reach http://{free}: ");
    assert!(exit.code == 2 && exit.text.starts_with(&start), "{exit:?}");
    // It hangs up without an answer, or in the middle of one.
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"] {
        let server = Canned::serve(&[("", String::new())], "http", move |stream, _| {
            exchange(stream, answer)
        });
        let (exit, _) = run_with(
            &["ttl", "show", &format!("--address={}", server.address)],
            Consent::No,
        );
        assert_eq!(exit.code, 2, "{answer:?} {exit:?}");
    }
}

#[test]
fn mistakes_in_the_command_line_end_with_code_1() {
    for (args, part) in [
        (&["ttl"][..], "Usage: tidegate ttl"),
        (&["ttl", "drop"], "drop"),
        (&["ttl", "set", "job=a"], "--ttl"),
        (&["ttl", "set", "--ttl=1h"], "LABEL=VALUE"),
        (&["ttl", "set", "a=b", "--ttl=1h"], "a group has a job"),
        (&["ttl", "set", "job=a", "--ttl=soon"], "expected a number"),
        (
            &["ttl", "set", "job=a", "--ttl=1h", "--for=x"],
            "expected a number",
        ),
        (
            &["ttl", "explain"],
            "name a group, such as job=backup, or give --match",
        ),
        (&["ttl", "explain", "job=a", "--match={}"], "--match"),
        (&["ttl", "unset"], "--match"),
        (&["ttl", "unset", "job=a", "--match={}"], "--match"),
        (
            &["ttl", "set", "job=a", "--match={}", "--ttl=1h"],
            "--match",
        ),
        (
            &["ttl", "list", "--match={job=x}"],
            "column 6: expected a value in quotes",
        ),
        (&["ttl", "list", "--output=xml"], "table, json"),
        (&["ttl", "list", "--username=a"], "--password-file"),
        (
            &["ttl", "list", "--address=ftp://a"],
            "neither http:// nor https://",
        ),
        (&["groups", "delete"], "--match"),
        (
            &["groups", "delete", "job=a", "--older-than=1h"],
            "--older-than",
        ),
        (
            &[
                "groups",
                "list",
                "--ca-file=/nonexistent",
                "--address=https://a",
            ],
            "/nonexistent: No such file",
        ),
        (&["ttl", "list", "--cert-file=a"], "--key-file"),
        (&["ttl", "list", "--key-file=a"], "--cert-file"),
        (&["check"], "Usage: tidegate check"),
    ] {
        let (exit, _) = run_with(args, Consent::No);
        assert_eq!(exit.code, 1, "{args:?} {}", exit.text);
        assert!(
            exit.text.starts_with("tidegate: error: ") || exit.text.contains("Usage"),
            "{}",
            exit.text
        );
        assert!(exit.text.contains(part), "{args:?}: {}", exit.text);
    }
}

#[test]
fn help_tells_the_exit_codes() {
    for args in [&["ttl", "--help"][..], &["groups", "-h"]] {
        let (exit, _) = run_with(args, Consent::No);
        assert!(
            exit.code == 0 && exit.text.contains("Exit codes: 0 done;"),
            "{}",
            exit.text
        );
    }
}

#[test]
fn the_readme_lists_the_flags_that_find_the_gateway() {
    let readme = include_str!("../../README.md");
    let target = <Target as clap::Args>::augment_args(clap::Command::new("target"));
    let names: Vec<_> = target
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .collect();
    assert!(names.contains(&"cert-file"), "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("`--{name}`")), "--{name}");
    }
}

#[test]
fn a_config_file_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.yml");
    let file_text = file.display().to_string();
    std::fs::write(&file, "ttl: {default: x, min: y}").unwrap();
    let (exit, _) = run_with(&["check", "config", &file_text], Consent::No);
    let lines: Vec<&str> = exit.text.lines().collect();
    assert_eq!((exit.code, lines.len()), (1, 2), "{}", exit.text);
    for (line, place) in lines.iter().zip(["1:16: ttl.default", "1:24: ttl.min"]) {
        assert!(
            line.starts_with(&format!("tidegate: error: {file_text}:{place}: bad value")),
            "{line}"
        );
    }
    std::fs::write(&file, "ttl: {default: 1h}").unwrap();
    let (exit, _) = run_with(&["check", "config", &file_text], Consent::No);
    assert!(
        exit.code == 0 && exit.text.starts_with("default  1h\n"),
        "{}",
        exit.text
    );
}

#[test]
fn https_is_trusted_by_file_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, config) = certified();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let trusting = format!("--ca-file={}", file.display());
    std::fs::write(folder.path().join("other.pem"), certified().0).unwrap();
    let distrusting = format!("--ca-file={}", folder.path().join("other.pem").display());
    for (flag, code) in [(trusting.as_str(), 0), (&distrusting, 2), ("--insecure", 0)] {
        let config = Arc::clone(&config);
        let serve = move |stream: TcpStream, answer: &str| {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut first = [0; 0];
            // Nothing is asked over a connection that the client does not trust.
            match stream
                .read(&mut first)
                .and_then(|_| stream.conn.complete_io(&mut stream.sock))
            {
                Ok(_) => exchange(stream, answer),
                Err(error) => error.to_string(),
            }
        };
        let server = Canned::serve(&[success(json!(null))], "https", serve);
        let address = format!("--address={}", server.address);
        let (exit, _) = run_with(&["ttl", "resume", flag, &address], Consent::No);
        assert_eq!(exit.code, code, "{flag} {}", exit.text);
        let requests = server.requests();
        let asked = requests == ["POST /api/v1/admin/ttl/resume"];
        assert_eq!(asked, code == 0, "{requests:?}");
    }
}
