//! The walk-through of `docs/ttl-walkthrough.md`, run as it stands there, by the real program and a
//! real Prometheus: rules in a config file, a TTL by header, a pause, an expiry seen everywhere, a
//! pin, a reload that shortens a rule.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use support::daemon::Daemon;
use support::http::request;
use support::process::Gateway;
use support::{LIMIT, eventually, output, repository_file};

/// The blocks of commands of the page, in their order.
fn blocks() -> Vec<String> {
    let page = repository_file("docs/ttl-walkthrough.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let mut blocks = Vec::new();
    let mut within = false;
    for line in page.lines() {
        let command = line.strip_prefix("    ");
        if command.is_some() && !within {
            blocks.push(String::new());
        }
        within = command.is_some();
        if let Some((command, block)) = command.zip(blocks.last_mut()) {
            block.push_str(command);
            block.push('\n');
        }
    }
    blocks
}

/// The arguments of the line that starts a program in the background, and the other lines.
fn background(block: &str, program: &str) -> (Vec<String>, String) {
    let is_start = |line: &&str| line.starts_with(&format!("{program} --")) && line.ends_with(" &");
    let (started, others): (Vec<&str>, Vec<&str>) = block.lines().partition(is_start);
    let [started] = started[..] else {
        panic!("one line that starts {program} in the background:\n{block}");
    };
    let arguments = started.trim_end_matches(" &").split(' ').skip(1);
    (arguments.map(str::to_owned).collect(), others.join("\n"))
}

/// Where the reader's gateway and Prometheus are, and the folder he works in.
struct Reader<'a> {
    folder: &'a Path,
    gateway: String,
    prometheus: String,
}

impl Reader<'_> {
    fn text(&self, block: &str) -> String {
        let block = block.replace("localhost:9091", &self.gateway);
        block.replace("localhost:9090", &self.prometheus)
    }

    /// Runs a block; what it prints.
    fn run(&self, block: &str) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_tidegate"));
        let folder = program.parent().expect("the folder of the program");
        let path = std::env::var("PATH").unwrap_or_default();
        output(
            Command::new("bash")
                .args(["-euo", "pipefail", "-c", &self.text(block)])
                .current_dir(self.folder)
                .env("PATH", format!("{}:{path}", folder.display()))
                .env("TIDEGATE_ADDRESS", format!("http://{}", self.gateway)),
        )
    }
}

/// Paths of the reader's folder, for a program that is not started in it.
fn in_folder(arguments: &[String], folder: &Path) -> Vec<String> {
    let path = |argument: &String| {
        let config = argument.strip_prefix("--config.file=")?;
        Some(format!("--config.file={}", folder.join(config).display()))
    };
    let arguments = arguments.iter();
    arguments
        .map(|argument| path(argument).unwrap_or_else(|| argument.clone()))
        .collect()
}

fn start_prometheus(arguments: &[String], folder: &Path) -> (Daemon, SocketAddr) {
    let mut command = Command::new("prometheus");
    command
        .args(in_folder(arguments, folder))
        .arg(format!("--storage.tsdb.path={}/tsdb", folder.display()))
        .arg("--web.listen-address=127.0.0.1:0");
    let mut daemon = Daemon::spawn(&mut command, &folder.join("prometheus.log"));
    let address = daemon.listening_address();
    (daemon, address)
}

/// Waits until an instant query has so many elements.
fn elements(prometheus: &str, promql: &str, expected: usize) {
    let address: SocketAddr = prometheus.parse().expect("an address");
    let query = utf8_percent_encode(promql, NON_ALPHANUMERIC);
    eventually(LIMIT, &format!("{expected} for {promql}"), || {
        let path = format!("/api/v1/query?query={query}");
        let answer = request(address, "GET", &path, &[], b"");
        let json: Value = serde_json::from_slice(&answer.body).map_err(|_| answer.text())?;
        let found = json["data"]["result"].as_array().map(Vec::len);
        let right = found == Some(expected);
        right.then_some(()).ok_or_else(|| answer.text())
    });
}

/// Waits until the gateway has logged all of this in one line.
fn logged(gateway: &Gateway, parts: &[&str]) {
    eventually(LIMIT, &format!("{parts:?}"), || {
        let log = gateway.log();
        let has = |line: &str| parts.iter().all(|part| line.contains(part));
        if log.lines().any(has) {
            Ok(())
        } else {
            Err(log)
        }
    });
}

/// Waits until the probe's TTL has passed.
fn overdue(gateway: &Gateway) {
    eventually(LIMIT, "an overdue group", || {
        let answer = gateway.send("GET", "/api/v1/groups/job/probe", &[], "");
        let text = answer.text();
        let overdue = text.contains(r#""state":"overdue""#);
        overdue.then_some(()).ok_or(text)
    });
}

/// A line of a table, its columns one space apart.
#[track_caller]
fn has_row(table: &str, row: &str) {
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let found = table.lines().any(|line| squeezed(line).starts_with(row));
    assert!(found, "no row {row:?} in\n{table}");
}

fn of_probe(reader: &Reader<'_>, gateway: &Gateway, [late, gone]: [&str; 2]) {
    elements(&reader.prometheus, r#"{__name__=~".+_done"}"#, 4);
    overdue(gateway);
    let shown = reader.run(late);
    has_row(&shown, "job=probe 1 1 1 ");
    assert!(
        shown.contains("probe_done{instance=\"\",job=\"probe\"} 1\n"),
        "{shown}"
    );
    let shown = reader.run(gone);
    assert!(shown.contains("the pause is over\n"), "{shown}");
    has_row(&shown, "job=probe ");
    assert!(shown.contains(" expired 20"), "{shown}");
    let expired = "tidegate_groups_expired_total{ttl_source=\"push\"} 1\n";
    assert!(shown.contains(expired), "{shown}");
    assert!(shown.contains(r#""status":"success""#), "{shown}");
    assert!(!gateway.metrics().contains("probe_done"));
    let line = [
        "group expired",
        r#"{job=\"probe\"}"#,
        "ttl=3s",
        "ttl_source=push",
    ];
    logged(gateway, &line);
    elements(&reader.prometheus, r#"{__name__=~".+_done"}"#, 3);
    elements(&reader.prometheus, "probe_done", 0);
}

fn of_ci(reader: &Reader<'_>, gateway: &Gateway, [pinned, unpinned]: [&str; 2]) {
    let shown = reader.run(pinned);
    has_row(&shown, "the TTL of job=ci is 1d for 2h; it expires at ");
    // Even without the dry run: the pin holds.
    has_row(&shown, "0 groups would expire now");
    has_row(&shown, "reloaded");
    has_row(&shown, "override 1d wins ");
    has_row(&shown, "rule:ci 1s outranked ");
    assert!(gateway.metrics().contains("\nci_done{"));
    let shown = reader.run(unpinned);
    has_row(&shown, "took back the override of 1 group");
    let (there, gone) = shown.rsplit_once("GROUP").expect("two lists");
    has_row(there, "job=backup ");
    has_row(there, "job=release ");
    assert!(!there.contains("job=ci"), "{shown}");
    has_row(gone, "job=ci ");
    logged(
        gateway,
        &["group expired", r#"{job=\"ci\"}"#, "ttl_source=rule:ci"],
    );
    elements(&reader.prometheus, "ci_done", 0);
    elements(
        &reader.prometheus,
        r#"{__name__=~"(release|backup)_done"}"#,
        2,
    );
}

#[test]
fn the_walk_through_does_what_it_says() {
    let blocks = blocks();
    let [rules, scraping, pushes, late, gone, pinned, unpinned] = &blocks[..] else {
        panic!("seven blocks of commands: {blocks:#?}");
    };
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut reader = Reader {
        folder: home.path(),
        gateway: "127.0.0.1:1".to_owned(),
        prometheus: "127.0.0.1:1".to_owned(),
    };

    let (arguments, files) = background(rules, "tidegate");
    let shown = reader.run(&files);
    has_row(&shown, "backups 35d ");
    let arguments = in_folder(&arguments, home.path());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let gateway = Gateway::start_with(&arguments);
    reader.gateway = gateway.address().to_string();

    let (arguments, files) = background(scraping, "prometheus");
    reader.run(&files);
    let (_prometheus, address) = start_prometheus(&arguments, home.path());
    reader.prometheus = address.to_string();

    let shown = reader.run(pushes);
    has_row(&shown, "nothing expires for 1h");
    has_row(&shown, "job=probe 3s push ");
    has_row(&shown, "job=ci 10m rule:ci ");
    has_row(&shown, "job=backup 35d rule:backups ");
    has_row(&shown, "job=release never rule:release ");
    of_probe(&reader, &gateway, [late, gone]);
    of_ci(&reader, &gateway, [pinned, unpinned]);
    let (who, why) = ("by=127.0.0.1", "looking into a failure");
    logged(&gateway, &["expiry paused", "for=1h", who, "walk-through"]);
    logged(&gateway, &["expiry resumed", who]);
    logged(
        &gateway,
        &["TTL override set", "ttl=1d", "for=2h", who, why],
    );
    logged(&gateway, &["TTL overrides removed by matcher", who]);
}
