//! TTL rules of a config file, and the subcommands, with the real program.

mod support;

use std::path::Path;
use std::process::{Command, Output};

use support::http::request;
use support::process::Gateway;

const RULES: &str = "ttl:
  default: never
  max: 1h
  rules:
    - {name: ci, match: {job: ci-.*}, ttl: 2h}
";

fn tidegate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).output().expect("run tidegate")
}

fn written(folder: &Path, text: &str) -> String {
    let file = folder.join("tidegate.yml");
    std::fs::write(&file, text).expect("write the config file");
    file.to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn a_push_gets_the_ttl_of_the_first_rule_that_matches() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = written(folder.path(), RULES);
    let gateway = Gateway::start_with(&["--config.file", &file]);
    let expires = |path: &str| {
        let answer = request(gateway.address(), "PUT", path, &[], b"a 1\n");
        assert_eq!(answer.status, 200, "{path}");
        answer
            .header("tidegate-expires")
            .expect("a header")
            .to_owned()
    };
    assert_ne!(expires("/metrics/job/ci-a"), "never");
    let by_default = expires("/metrics/job/a-ci-a");
    assert_eq!(by_default, "never");
    let cut = expires("/ttl/never/metrics/job/other");
    assert_ne!(cut, "never", "ttl.max of the file");
    assert!(gateway.log().contains("rules=1"), "{}", gateway.log());
}

#[test]
fn check_says_what_is_wrong_by_words_and_exit_code() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = written(folder.path(), RULES);
    let good = tidegate(&["check", "config", &file]);
    assert_eq!(good.status.code(), Some(0));
    let text = String::from_utf8_lossy(&good.stdout);
    assert!(
        text.contains("ci    2h   -     {job=~\"ci-.*\"}\n"),
        "{text}"
    );
    let file = written(folder.path(), "ttl: {defualt: 1h}");
    let config_file = format!("--config.file={file}");
    for arguments in [&["check", "config", &file][..], &[&config_file]] {
        let bad = tidegate(arguments);
        assert_eq!(bad.status.code(), Some(1));
        let text = String::from_utf8_lossy(&bad.stderr);
        assert!(text.contains(":1:7: ttl.defualt: unknown key"), "{text}");
    }
}

#[test]
fn a_hold_is_read_shown_and_checked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = written(
        folder.path(),
        &RULES.replace("2h}", "2h, hold: until_scraped}"),
    );
    let good = tidegate(&["check", "config", &file]);
    let text = String::from_utf8_lossy(&good.stdout);
    let row = "ci    2h   until_scraped  {job=~\"ci-.*\"}\n";
    assert!(text.contains(row), "{text}");
    for (value, fault) in [
        (
            "until_seen",
            ":5:54: ttl.rules[0].hold: bad value \"until_seen\": expected until_scraped",
        ),
        ("", ":5:52: ttl.rules[0].hold: a value is missing"),
        (
            "[a]",
            ":5:54: ttl.rules[0].hold: expected one value, found a list",
        ),
    ] {
        let rules = RULES.replace("2h}", &format!("2h, hold: {value}}}"));
        let file = written(folder.path(), &rules);
        let bad = tidegate(&["check", "config", &file]);
        assert_eq!(bad.status.code(), Some(1), "{value:?}");
        let text = String::from_utf8_lossy(&bad.stderr);
        assert!(text.contains(fault), "{text}");
    }
}

#[test]
fn exit_codes_tell_a_refusal_from_an_absent_gateway() {
    let gateway = Gateway::start();
    let address = format!("--address={}", gateway.url());
    let refused = tidegate(&["ttl", "touch", "job=nobody", &address]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let deleted = tidegate(&["groups", "delete", "job=nobody", "--yes", &address]);
    assert_eq!(deleted.status.code(), Some(1), "{deleted:?}");
    let absent = tidegate(&["ttl", "show", "--address=127.0.0.1:1"]);
    assert_eq!(absent.status.code(), Some(2), "{absent:?}");
    let pushed = request(
        gateway.address(),
        "PUT",
        "/metrics/job/a%20b",
        &[],
        b"a 1\n",
    );
    assert_eq!(pushed.status, 200);
    let deleted = tidegate(&["groups", "delete", "job=a b", "--yes", &address]);
    assert_eq!(deleted.status.code(), Some(0), "{deleted:?}");
    assert_eq!(
        String::from_utf8_lossy(&deleted.stdout),
        "deleted job='a b'\n"
    );
}

#[test]
fn an_answer_that_cannot_be_written_is_no_success() {
    let gateway = Gateway::start();
    let full = std::fs::File::create("/dev/full").expect("/dev/full");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["ttl", "list", "--address", &gateway.url()]);
    let listed = command.stdout(full).output().expect("run tidegate");
    assert_eq!(listed.status.code(), Some(1), "{listed:?}");
    let text = String::from_utf8_lossy(&listed.stderr);
    assert!(text.contains("No space left"), "{text}");
}

#[test]
fn every_command_is_understood_by_the_gateway() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = written(folder.path(), RULES);
    let gateway = Gateway::start_with(&["--config.file", &file, "--web.enable-admin-api"]);
    let address = format!("--address={}", gateway.url());
    for path in ["job/ci-a", "job/ci-b/zone/w", "job@base64/L2E/x@base64/="] {
        let path = format!("/metrics/{path}");
        let answer = request(gateway.address(), "PUT", &path, &[], b"a 1\n");
        assert_eq!(answer.status, 200, "{path}");
    }
    for (command, words) in [
        ("ttl list", "job=ci-b zone=w  2h     rule:ci"),
        ("groups list --limit=2", "raise --limit"),
        ("ttl show", "default 1, rule:ci 2"),
        ("ttl explain job=ci-x", "rule:ci  2h     wins"),
        (
            "ttl explain --match={job=~\"ci.*\"}",
            "group        job=ci-b zone=w",
        ),
        (
            "ttl set job=/a x= --ttl=6h --for=8h --reason=moved",
            "is 6h for 8h; it expires at 2",
        ),
        ("ttl show job=/a x=", "override     6h until 2"),
        ("ttl explain job=/a x=", "override  6h"),
        ("ttl unset job=/a x=", "is taken back; it does not expire"),
        ("ttl touch job=ci-a", "starts anew; it expires at 2"),
        (
            "ttl pause --for=2h --reason=moved",
            "nothing expires for 2h",
        ),
        ("ttl show", ", by 127.0.0.1: moved"),
        ("ttl resume", "the pause is over"),
        ("ttl reap --dry-run", "would reap 0 groups"),
        ("ttl reap --yes", "reaped 0 groups"),
        (
            "groups delete --match={zone=\"w\"} --dry-run",
            "would delete 1 group\n  job=ci-b zone=w",
        ),
        (
            "groups delete --match={zone=\"w\"} --older-than=1h --yes",
            "deleted 0 groups",
        ),
        (
            "groups delete --match={zone=\"w\"} --yes",
            "deleted 1 group",
        ),
        ("groups delete job=ci-a --dry-run", "would delete job=ci-a"),
        ("groups delete job=ci-a --yes", "deleted job=ci-a"),
        ("groups list --state=expired", "deleted 2"),
        (
            "groups list --state=live --sort=last_push --output=json",
            "\"job\": \"/a\"",
        ),
    ] {
        let arguments: Vec<&str> = command.split(' ').chain([address.as_str()]).collect();
        let done = tidegate(&arguments);
        let text = String::from_utf8_lossy(&done.stdout);
        assert!(
            done.status.success() && text.contains(words),
            "{command}: {done:?}"
        );
    }
    let refused = tidegate(&["ttl", "touch", "job=nobody", &address]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}
