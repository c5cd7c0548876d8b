//! Forgetting on time from end to end: rules in a config file, a TTL by header, a reload, a pin, a
//! pause, and an expiry seen everywhere, by the real program and a real Prometheus.

mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::process::Signal;
use serde_json::Value;
use support::daemon::{Daemon, signal};
use support::http::request;
use support::process::Gateway;
use support::{LIMIT, eventually};

const RULES: &str = "ttl:
  default: 35d
  rules:
  - {name: ci, match: {job: ci}, ttl: 10m}
  - {name: release, match: {job: release}, ttl: never}
  - {name: backups, match: {job: backup}, ttl: 35d}
";

fn api(gateway: &Gateway, method: &str, path: &str, body: &str) -> Value {
    let answer = gateway.send(method, &format!("/api/v1/{path}"), &[], body);
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    let mut envelope: Value = serde_json::from_slice(&answer.body).expect("an answer in JSON");
    envelope["data"].take()
}

/// TTL and source of the group of a job.
fn ttl(gateway: &Gateway, job: &str) -> (String, String) {
    let group = api(gateway, "GET", &format!("groups/job/{job}"), "");
    let word = |name: &str| group[name].as_str().expect("a string").to_owned();
    (word("ttl"), word("ttl_source"))
}

fn pair(ttl: &str, source: &str) -> (String, String) {
    (ttl.to_owned(), source.to_owned())
}

fn push(gateway: &Gateway, job: &str, headers: &[(&str, &str)]) {
    let body = format!("{job}_done 1\n");
    let answer = gateway.send("PUT", &format!("/metrics/job/{job}"), headers, &body);
    assert_eq!(answer.status, 200, "{job}: {}", answer.text());
}

fn exposed(gateway: &Gateway, job: &str) -> bool {
    gateway.metrics().contains(&format!("\n{job}_done{{"))
}

/// A Prometheus that scrapes the gateway every second.
fn prometheus(folder: &Path, target: SocketAddr) -> (Daemon, SocketAddr) {
    let config: PathBuf = folder.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
         - {{job_name: gateway, honor_labels: true, static_configs: [{{targets: ['{target}']}}]}}\n"
    );
    std::fs::write(&config, text).expect("write the configuration");
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}/tsdb", folder.display()))
        .arg("--web.listen-address=127.0.0.1:0");
    let mut daemon = Daemon::spawn(&mut command, &folder.join("log"));
    let address = daemon.listening_address();
    (daemon, address)
}

/// Waits until an instant query has so many elements.
fn elements(prometheus: SocketAddr, promql: &str, expected: usize) {
    let query = utf8_percent_encode(promql, NON_ALPHANUMERIC);
    eventually(LIMIT, &format!("{expected} for {promql}"), || {
        let path = format!("/api/v1/query?query={query}");
        let answer = request(prometheus, "GET", &path, &[], b"");
        let json: Value = serde_json::from_slice(&answer.body).map_err(|_| answer.text())?;
        let found = json["data"]["result"].as_array().map(Vec::len);
        let right = found == Some(expected);
        right.then_some(()).ok_or_else(|| answer.text())
    });
}

/// Waits until the program has logged this since its start.
fn logged(gateway: &Gateway, text: &str) {
    eventually(LIMIT, text, || {
        let log = gateway.log();
        if log.contains(text) { Ok(()) } else { Err(log) }
    });
}

/// Three jobs by rules and one by header have their TTLs.
fn begin(gateway: &Gateway) {
    for job in ["ci", "release", "backup"] {
        push(gateway, job, &[]);
    }
    push(gateway, "probe", &[("Tidegate-TTL", "2s")]);
    assert_eq!(ttl(gateway, "ci"), pair("10m", "rule:ci"));
    assert_eq!(ttl(gateway, "release"), pair("never", "rule:release"));
    assert_eq!(ttl(gateway, "backup"), pair("35d", "rule:backups"));
    assert_eq!(ttl(gateway, "probe"), pair("2s", "push"));
}

/// Waits until so many groups of that TTL source have expired.
fn expired(gateway: &Gateway, source: &str, groups: &str) {
    let series = format!("tidegate_groups_expired_total{{source=\"{source}\"}}");
    eventually(LIMIT, &series, || {
        let value = gateway.value(&series);
        let right = value.as_deref() == Some(groups);
        right.then_some(()).ok_or_else(|| format!("{value:?}"))
    });
}

/// While expiry is paused nothing goes, however late. Once it goes on the group is gone at once,
/// and its history tells why.
fn pause_and_resume(gateway: &Gateway, prometheus: SocketAddr) {
    elements(prometheus, r#"{__name__=~".+_done"}"#, 4);
    eventually(LIMIT, "an overdue group", || {
        let probe = api(gateway, "GET", "groups/job/probe", "");
        let overdue = probe["state"] == "overdue";
        overdue.then_some(()).ok_or_else(|| probe.to_string())
    });
    assert!(exposed(gateway, "probe"));
    api(gateway, "POST", "admin/ttl/resume", "");
    assert!(!exposed(gateway, "probe"));
    expired(gateway, "push", "1");
    let history = api(gateway, "GET", "groups?state=expired", "");
    let gone = &history["groups"][0];
    assert_eq!(gone["labels"]["job"], "probe");
    let end = (&gone["end"], &gone["ttl"]);
    assert_eq!(end, (&"expired".into(), &"2s".into()));
    logged(gateway, "removed expired groups");
    elements(prometheus, "probe_done", 0);
    elements(prometheus, r#"{__name__=~".+_done"}"#, 3);
}

/// A pin keeps a group whose rule a reload then shortens; without it the group goes.
fn shorten_a_rule(gateway: &Gateway, rules: &Path, prometheus: SocketAddr) {
    let pin = r#"{"ttl":"1d","for":"2h","reason":"triage"}"#;
    api(gateway, "PUT", "admin/ttl/job/ci", pin);
    std::fs::write(rules, RULES.replace("10m", "1s")).expect("write the rules");
    signal(gateway.pid(), Signal::HUP);
    logged(gateway, "TTL rules reloaded");
    assert_eq!(ttl(gateway, "ci"), pair("1d", "override"));
    assert_eq!(ttl(gateway, "backup"), pair("35d", "rule:backups"));
    elements(prometheus, "ci_done", 1);
    api(gateway, "DELETE", "admin/ttl/job/ci", "");
    expired(gateway, "rule:ci", "1");
    assert!(!exposed(gateway, "ci"));
    elements(prometheus, "ci_done", 0);
    elements(prometheus, r#"{__name__=~"(release|backup)_done"}"#, 2);
}

#[test]
fn groups_are_forgotten_on_time_and_everybody_can_see_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = folder.path().join("tidegate.yml");
    std::fs::write(&rules, RULES).expect("write the rules");
    let config = format!("--config.file={}", rules.display());
    let gateway = Gateway::start_with(&[&config, "--web.enable-admin-api"]);

    let pause = r#"{"for":"1h","reason":"walk-through"}"#;
    api(&gateway, "POST", "admin/ttl/pause", pause);
    begin(&gateway);
    let (_prometheus, address) = prometheus(folder.path(), gateway.address());
    pause_and_resume(&gateway, address);
    shorten_a_rule(&gateway, &rules, address);

    let log = gateway.log();
    for said in [
        "expiry paused",
        "walk-through",
        "expiry resumed",
        "TTL override set",
        "triage",
    ] {
        assert!(log.contains(said), "{said} is not in the log:\n{log}");
    }
}
