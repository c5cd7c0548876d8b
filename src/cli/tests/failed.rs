//! Refusals, mistakes, and gateways that nobody can reach.

use super::*;

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
