//! A scrape with gzip is one member made of many segments, old ones and new. Whatever reads gzip has to
//! read it: the commands, and the libraries of the languages that scrapers are written in.

mod support;

use std::fmt::Write as _;
use std::process::Command;

use support::process::Gateway;
use support::{output, python_tool, repository_file};

/// More than the gateway compresses at once, in families large and small.
const SERIES: usize = 8_000;

/// Reads a scrape of everything, and one after a part has changed.
fn reads_what_is_shown(reader: impl Fn(&str) -> Command) {
    let gateway = Gateway::start();
    push(&gateway, "large", SERIES, 1);
    for group in 0..20 {
        push(&gateway, &format!("small{group}"), 3, group);
    }
    let url = format!("{}/metrics", gateway.url());
    for value in 2..4 {
        let text = output(&mut reader(&url));
        let shown = pushed(&gateway.metrics());
        assert!(shown.len() > SERIES, "{} lines", shown.len());
        // Not `assert_eq`: it would print two megabytes.
        assert!(pushed(&text) == shown, "the reader saw something else");
        push(&gateway, "small7", 5, value);
    }
}

fn push(gateway: &Gateway, job: &str, series: usize, value: usize) {
    let mut body = format!("# TYPE read_{job} gauge\nread_{job} {value}\n");
    for number in 0..series {
        let _ = writeln!(
            body,
            "read_rows{{shard=\"{number:08}\"}} {}",
            number * value
        );
    }
    let answer = gateway.send("PUT", &format!("/metrics/job/{job}"), &[], &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The lines of what was pushed.
fn pushed(scrape: &str) -> Vec<String> {
    let lines = scrape.lines().filter(|line| line.starts_with("read_"));
    lines.map(str::to_owned).collect()
}

#[test]
fn curl_reads_a_compressed_scrape() {
    reads_what_is_shown(|url| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--fail", "--compressed", url]);
        command
    });
}

#[test]
fn gunzip_reads_a_compressed_scrape() {
    reads_what_is_shown(|url| {
        let pipe = "set -o pipefail; curl -sf -H 'Accept-Encoding: gzip' \"$0\" | gunzip";
        let mut command = Command::new("bash");
        command.args(["-c", pipe, url]);
        command
    });
}

#[test]
fn python_reads_a_compressed_scrape() {
    reads_what_is_shown(|url| {
        let mut command = Command::new(python_tool("python"));
        command
            .arg(repository_file("tests/readers/scrape.py"))
            .arg(url);
        command
    });
}

#[test]
fn node_reads_a_compressed_scrape() {
    reads_what_is_shown(|url| {
        let mut command = Command::new("node");
        command
            .arg(repository_file("tests/readers/scrape.js"))
            .arg(url);
        command
    });
}

#[test]
fn go_reads_a_compressed_scrape() {
    reads_what_is_shown(|url| {
        let mut command = Command::new("go");
        command.env("GO111MODULE", "off").arg("run");
        command
            .arg(repository_file("tests/readers/scrape.go"))
            .arg(url);
        command
    });
}
