//! Real client libraries: each does the same with the real Pushgateway, with tidegate, and with
//! tidegate through an address that names a TTL, and all three show the same.
//!
//! The programs are in `clients/`; `clients/recorded.txt` has the requests of libraries that
//! cannot be run here. `test.sh` installs and builds what the programs need.

mod support;

#[path = "differential/bodies.rs"]
mod bodies;
#[path = "differential/cases.rs"]
#[expect(dead_code, reason = "the comparison of both gateways uses the rest")]
mod cases;
#[path = "differential/exposition.rs"]
#[expect(dead_code, reason = "the comparison of both gateways uses the rest")]
mod exposition;
#[path = "property_proto/messages.rs"]
mod messages;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use support::daemon::Daemon;
use support::http::request;
use support::process::Gateway;
use support::pushgateway::Pushgateway;
use support::{LIMIT, eventually, output, python_tool, repository_file};

/// The prefix by which a client without any setting for it names a TTL.
const PREFIX: &str = "/ttl/6h";

/// A program that pushes: its command up to the gateway's URL, and what follows the verb.
struct Client {
    command: Vec<PathBuf>,
    options: &'static [&'static str],
    verbs: &'static [&'static str],
}

impl Client {
    fn run(&self, url: &str, verb: &str) {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).arg(url).arg(verb);
        command.env("NODE_PATH", repository_file("target/node/node_modules"));
        output(command.args(self.options));
    }
}

/// Runs every verb against all three and compares what is shown after each.
fn shows_the_same(client: &Client) {
    let (theirs, ours, with_ttl) = (Pushgateway::start(), Gateway::start(), Gateway::start());
    for verb in client.verbs {
        client.run(&format!("http://{}", theirs.addr), verb);
        client.run(&ours.url(), verb);
        client.run(&format!("{}{PREFIX}", with_ttl.url()), verb);
        let shown = shown(ours.address());
        // The Pushgateway deletes after it has answered.
        eventually(LIMIT, "the same in the Pushgateway", || {
            let theirs = self::shown(theirs.addr);
            let differ = || format!("{verb}\ntheirs: {theirs:#?}\nours: {shown:#?}");
            (theirs == shown).then_some(()).ok_or_else(differ)
        });
        assert_eq!(shown, self::shown(with_ttl.address()), "{verb}");
        let has_groups = !shown.is_empty();
        assert_eq!(has_groups, *verb != "delete", "{verb}: {shown:#?}");
        if has_groups {
            assert_eq!(ttl_sources(&with_ttl), ["push"], "{verb}");
            assert_eq!(ttl_sources(&ours), ["default"], "{verb}");
        }
    }
}

/// What a gateway shows but for its own metrics, with times masked.
fn shown(address: SocketAddr) -> exposition::Families {
    let scrape = request(address, "GET", "/metrics", &[], b"");
    assert_eq!(scrape.status, 200, "{}", scrape.text());
    let mut families = exposition::read(&scrape.text()).pushed;
    for family in families.values_mut() {
        // The moment at which the client was started.
        family.samples = family
            .samples
            .iter()
            .map(|line| created_masked(line))
            .collect();
    }
    families
}

fn created_masked(line: &str) -> String {
    match line.rsplit_once(' ') {
        Some((series, _)) if series.contains("_created{") => series.to_owned(),
        _ => line.to_owned(),
    }
}

/// Where the TTL of each group comes from.
fn ttl_sources(gateway: &Gateway) -> Vec<String> {
    let answer = gateway.send("GET", "/api/v1/groups", &[], "").text();
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let groups = answer["data"]["groups"].as_array().expect("a list");
    let source = |group: &serde_json::Value| group["ttl_source"].as_str().map(str::to_owned);
    groups.iter().filter_map(source).collect()
}

const ALL: &[&str] = &["push", "add", "push", "delete"];

fn python(options: &'static [&'static str]) -> Client {
    Client {
        command: vec![
            python_tool("python"),
            repository_file("tests/clients/push.py"),
        ],
        options,
        verbs: ALL,
    }
}

fn node(options: &'static [&'static str]) -> Client {
    Client {
        command: vec!["node".into(), repository_file("tests/clients/push.js")],
        options,
        verbs: ALL,
    }
}

#[test]
fn the_python_client() {
    shows_the_same(&python(&[]));
}

#[test]
fn the_python_client_with_gzip() {
    shows_the_same(&python(&["gzip"]));
}

#[test]
fn the_node_client() {
    shows_the_same(&node(&[]));
}

#[test]
fn the_node_client_with_gzip() {
    shows_the_same(&node(&["gzip"]));
}

#[test]
fn the_go_client() {
    shows_the_same(&Client {
        command: vec![repository_file("target/clients/push-go")],
        options: &[],
        verbs: ALL,
    });
}

fn rust_program() -> PathBuf {
    repository_file("target/clients/rust/debug/tidegate-test-clients")
}

#[test]
fn the_rust_client() {
    shows_the_same(&Client {
        command: vec![rust_program(), "prometheus".into()],
        options: &[],
        verbs: &["push", "add", "push"],
    });
}

#[test]
fn the_rust_exporter_that_pushes_for_ever() {
    for verb in ["push", "add"] {
        let (theirs, ours, with_ttl) = (Pushgateway::start(), Gateway::start(), Gateway::start());
        let urls = [
            format!("http://{}", theirs.addr),
            ours.url(),
            format!("{}{PREFIX}", with_ttl.url()),
        ];
        let _pushing = urls.map(|url| {
            let log = ours.folder().join("exporter.log");
            Daemon::spawn(
                Command::new(rust_program()).args(["exporter", &url, verb]),
                &log,
            )
        });
        eventually(LIMIT, "the same metrics in all three", || {
            let (theirs, ours, with_ttl) = (
                shown(theirs.addr),
                shown(ours.address()),
                shown(with_ttl.address()),
            );
            let whole = ours.contains_key("batch_step_seconds");
            let same = theirs == ours && ours == with_ttl && whole;
            same.then_some(())
                .ok_or_else(|| format!("{theirs:#?}\n{ours:#?}"))
        });
        assert_eq!(ttl_sources(&with_ttl), ["push"]);
    }
}

#[test]
fn recorded_requests_of_clients_that_cannot_be_run_here() {
    let (theirs, ours, with_ttl) = (Pushgateway::start(), Gateway::start(), Gateway::start());
    let cases = cases::of_file(&repository_file("tests/clients/recorded.txt"));
    for case in &cases {
        for step in &case.steps {
            let send = |address, prefix| {
                let answer = step.send(address, prefix);
                (answer.status, answer.text())
            };
            let answer = send(ours.address(), "");
            assert_eq!(answer, send(theirs.addr, ""), "{}: {step}", case.name);
            assert_eq!(
                answer,
                send(with_ttl.address(), PREFIX),
                "{}: {step}",
                case.name
            );
            let shown = shown(ours.address());
            eventually(LIMIT, "the same in the Pushgateway", || {
                let theirs = self::shown(theirs.addr);
                let differ = || format!("{}: {step}\n{theirs:#?}\n{shown:#?}", case.name);
                (theirs == shown).then_some(()).ok_or_else(differ)
            });
            assert_eq!(shown, self::shown(with_ttl.address()), "{}", case.name);
        }
    }
    assert_eq!(cases.len(), 9);
}
