//! Commands that change something.

use super::*;

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
