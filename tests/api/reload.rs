//! `POST /-/reload`: TTL rules from the config file, all or nothing.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use tempfile::TempDir;
use tidegate::config::{PolicySource, TtlFlags};
use tidegate::http::Doors;

use crate::client::{get, jobs};
use crate::harness::{Gateway, NANOSECOND, Options, SECOND};
use crate::support::disk::{Disk, Trouble};
use crate::support::output;

const RULES: &str = "ttl:
  default: 1h
  rules:
  - {name: ci, match: {job: ci-.*}, ttl: 10m}
";

struct Ruled {
    gateway: Gateway,
    path: PathBuf,
    _folder: TempDir,
}

/// A gateway with these rules, and the file they are read from.
fn ruled() -> Ruled {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tidegate.yml");
    std::fs::write(&path, RULES).expect("write the rules");
    let source = PolicySource {
        file: Some(path.clone()),
        flags: TtlFlags::default(),
    };
    let gateway = Gateway::with(Options {
        policy: source.load().expect("rules without a fault"),
        doors: Doors {
            reload: Some(source),
            ..Doors::default()
        },
        ..Options::default()
    });
    Ruled {
        gateway,
        path,
        _folder: folder,
    }
}

impl Ruled {
    fn write(&self, rules: &str) {
        std::fs::write(&self.path, rules).expect("write the rules");
    }

    /// Status and text of a reload.
    fn reload(&self, query: &str) -> (u16, String) {
        let answer = self
            .gateway
            .send("POST", &format!("/-/reload{query}"), &[], "");
        (answer.status, answer.text())
    }

    fn successful(&self) -> Option<String> {
        self.gateway.value("tidegate_config_last_reload_successful")
    }

    fn ttl_of(&self, group: &str) -> (String, String) {
        let group = get(&self.gateway, &format!("groups/{group}"));
        let word = |name: &str| group[name].as_str().expect("a string").to_owned();
        (word("ttl"), word("ttl_source"))
    }
}

fn pair(ttl: &str, source: &str) -> (String, String) {
    (ttl.to_owned(), source.to_owned())
}

#[test]
fn a_good_file_re_times_groups_of_rules_and_the_default_at_once() {
    let ruled = ruled();
    let gateway = &ruled.gateway;
    gateway.put("job/ci-1", "m 1\n");
    gateway.put("job/other", "m 1\n");
    gateway.put_for("30m", "job/own", "m 1\n");
    gateway.advance(60 * SECOND);
    assert_eq!(ruled.ttl_of("job/ci-1"), pair("10m", "rule:ci"));
    ruled.write("ttl: {default: 2h, rules: [{name: short, match: {job: ci-.*}, ttl: 1m}]}");
    assert_eq!(ruled.reload(""), (200, "reloaded\n".to_owned()));
    assert_eq!(jobs(gateway, "groups"), ["other", "own"]);
    assert!(!gateway.pushed().contains("ci-1"));
    assert_eq!(ruled.ttl_of("job/other"), pair("2h", "default"));
    assert_eq!(ruled.ttl_of("job/own"), pair("30m", "push"));
    assert_eq!(get(gateway, "ttl")["rules"][0]["name"], "short");
    // Raised again: what is gone stays gone, what is there lives longer.
    gateway.put("job/ci-2", "m 1\n");
    ruled.write("ttl: {default: 3h, rules: [{name: short, match: {job: ci-.*}, ttl: never}]}");
    assert_eq!(ruled.reload("").0, 200);
    assert_eq!(ruled.ttl_of("job/ci-2"), pair("never", "rule:short"));
    gateway.advance(10 * 60 * SECOND);
    assert_eq!(jobs(gateway, "groups"), ["ci-2", "other", "own"]);
}

#[test]
fn the_longest_ttl_cuts_what_pushes_asked_for_at_once_and_the_rest_is_theirs() {
    let ruled = ruled();
    let gateway = &ruled.gateway;
    gateway.put_for("30m", "job/short", "m 1\n");
    gateway.put_for("6h", "job/long", "m 1\n");
    gateway.put_for("never", "job/never", "m 1\n");
    gateway.advance_almost(60 * 60 * SECOND);
    gateway.put_for("30m", "job/short", "m 1\n");
    ruled.write("ttl: {default: 1m, max: 2h}");
    assert_eq!(ruled.reload("").0, 200);
    assert_eq!(ruled.ttl_of("job/short"), pair("30m", "push"));
    for job in ["long", "never"] {
        assert_eq!(ruled.ttl_of(&format!("job/{job}")), pair("2h", "push"));
    }
    ruled.write("ttl: {default: 1m, max: 1h}");
    assert_eq!(ruled.reload("").0, 200);
    assert_eq!(jobs(gateway, "groups"), ["long", "never", "short"]);
    gateway.advance(NANOSECOND);
    assert_eq!(jobs(gateway, "groups"), ["short"]);
}

#[test]
fn a_broken_file_is_told_line_by_line_and_the_rules_stay() {
    let ruled = ruled();
    ruled.gateway.put("job/ci-1", "m 1\n");
    let before = get(&ruled.gateway, "ttl");
    ruled.write(
        "ttl:\n  default: soon\n  rules:\n  - {name: ci, match: {job: '('}, ttl: 10m}\n  tll: 1\n",
    );
    let (status, text) = ruled.reload("");
    assert_eq!(status, 400, "{text}");
    let file = ruled.path.display();
    for place in ["2:12", "4:", "5:3"] {
        assert!(
            text.contains(&format!("{file}:{place}")),
            "{place} is missing in {text}"
        );
    }
    assert_eq!(get(&ruled.gateway, "ttl"), before);
    assert_eq!(ruled.ttl_of("job/ci-1"), pair("10m", "rule:ci"));
    assert_eq!(ruled.successful().as_deref(), Some("0"));
    ruled.write(RULES);
    assert_eq!(ruled.reload("").0, 200);
    assert_eq!(ruled.successful().as_deref(), Some("1"));
}

#[test]
fn a_missing_file_is_a_fault_like_any_other() {
    let ruled = ruled();
    std::fs::remove_file(&ruled.path).expect("remove the file");
    let (status, text) = ruled.reload("");
    assert_eq!(status, 400);
    assert!(text.contains("cannot open it"), "{text}");
    assert_eq!(get(&ruled.gateway, "ttl")["default"], "1h");
}

#[test]
fn a_dry_run_counts_what_would_expire_and_changes_nothing() {
    let ruled = ruled();
    let gateway = &ruled.gateway;
    for job in ["ci-1", "ci-2", "other"] {
        gateway.put(&format!("job/{job}"), "m 1\n");
    }
    gateway.put_for("5m", "job/ci-own", "m 1\n");
    gateway.advance(60 * SECOND);
    ruled.write("ttl: {default: 1h, rules: [{name: ci, match: {job: ci-.*}, ttl: 1m}]}");
    let expected = (200, "2 groups would expire now\n".to_owned());
    for query in ["?dry_run=true", "?dry_run=1", "?dry_run"] {
        assert_eq!(ruled.reload(query), expected, "{query}");
        assert_eq!(ruled.ttl_of("job/ci-1"), pair("10m", "rule:ci"), "{query}");
    }
    for query in [
        "?dry_run=maybe",
        "?dry_run=true&dry_run=true",
        "?dry_run=%zz",
    ] {
        assert_eq!(ruled.reload(query).0, 400, "{query}");
    }
    assert_eq!(jobs(gateway, "groups").len(), 4);
    assert_eq!(ruled.reload("?dry_run=false").0, 200);
    assert_eq!(jobs(gateway, "groups"), ["ci-own", "other"]);
}

#[test]
fn a_dry_run_of_a_broken_file_tells_its_faults_and_is_no_reload() {
    let ruled = ruled();
    let before = ruled.successful();
    ruled.write("ttl: {default: soon}");
    let (status, text) = ruled.reload("?dry_run=true");
    assert_eq!(status, 400);
    assert!(text.contains(":1:16: ttl.default"), "{text}");
    assert_eq!(ruled.successful(), before);
}

/// A pipe in place of a config file: whoever reads it waits for what the test writes.
fn pipe(path: &Path) {
    std::fs::remove_file(path).expect("remove the file");
    output(Command::new("mkfifo").arg(path));
}

#[test]
fn of_two_reloads_at_once_the_one_that_read_the_newer_file_holds() {
    let ruled = ruled();
    pipe(&ruled.path);
    thread::scope(|scope| {
        let first = scope.spawn(|| ruled.reload(""));
        // Opened when the first reload has opened it too.
        let old = File::options().write(true).open(&ruled.path);
        let mut old = old.expect("the end of a pipe");
        let newer = ruled.path.with_extension("new");
        std::fs::write(&newer, "ttl: {default: 3h}").expect("write the rules");
        std::fs::rename(&newer, &ruled.path).expect("put the rules in place");
        let (done, second) = mpsc::channel();
        scope.spawn(|| {
            let done = done;
            done.send(ruled.reload("")).expect("a test that listens");
        });
        // It has to wait for the first. If it does not, let it be done before that.
        let too_early = second.recv_timeout(SECOND);
        old.write_all(b"ttl: {default: 2h}").expect("old rules");
        drop(old);
        let reloaded = (200, "reloaded\n".to_owned());
        assert_eq!(first.join().expect("an answer"), reloaded);
        let second = too_early.or_else(|_| second.recv());
        assert_eq!(second.expect("an answer"), reloaded);
    });
    assert_eq!(get(&ruled.gateway, "ttl")["default"], "3h");
}

#[test]
fn without_its_flag_reloading_is_403() {
    let gateway = Gateway::start();
    let answer = gateway.send("POST", "/-/reload", &[], "");
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (403, "Lifecycle API is not enabled.")
    );
    let answer = gateway.send("GET", "/-/reload", &[], "");
    assert_eq!(
        (answer.status, answer.header("Allow")),
        (405, Some("OPTIONS, POST, PUT"))
    );
}

#[test]
fn a_reload_that_the_store_cannot_carry_out_is_503_and_the_old_rules_stay() {
    let disk = Disk::default();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = PolicySource {
        file: Some(folder.path().join("tidegate.yml")),
        flags: TtlFlags::default(),
    };
    let write = |rules: &str| std::fs::write(folder.path().join("tidegate.yml"), rules);
    write("ttl: {default: 1h}").expect("write the rules");
    let gateway = Gateway::with(Options {
        policy: source.load().expect("rules without a fault"),
        doors: Doors {
            reload: Some(source),
            ..Doors::default()
        },
        place: Some(disk.place()),
        ..Options::default()
    });
    gateway.put_for("10s", "job/expired", "m 1\n");
    gateway.put("job/kept", "m 1\n");
    gateway.advance(10 * SECOND);
    write("ttl: {default: 5s}").expect("write the rules");
    // What has expired has to be removed first, and cannot be.
    disk.trouble_after(0, Trouble::Fails(ErrorKind::Other));
    for _ in 0..2 {
        let answer = gateway.send("POST", "/-/reload", &[], "");
        let text = answer.text();
        assert_eq!(answer.status, 503, "{text}");
        assert!(
            text.starts_with("the TTL rules stay as they were: "),
            "{text}"
        );
        assert!(!text.contains("Unavailable("), "{text}");
        assert!(answer.header("Retry-After").is_some());
        let taken = gateway.value("tidegate_config_last_reload_successful");
        assert_eq!(taken.as_deref(), Some("0"));
        assert!(
            gateway.pushed().contains("kept"),
            "by the old rules it lives"
        );
    }
    assert_eq!(get(&gateway, "ttl")["default"], "1h");
}
