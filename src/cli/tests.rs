//! Whole commands against canned answers.

mod canned;
mod changed;
mod failed;
mod shown;

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
    for (flag, code) in [(trusting.as_str(), 0), (&distrusting, 1), ("--insecure", 0)] {
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
