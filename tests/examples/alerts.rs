//! `alerts.yml`, by promtool and beside the exposition of a real gateway.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use tidegate::telemetry::own_kind;

use crate::support::process::Gateway;
use crate::support::{output, repository_file};

fn alerts() -> String {
    fs::read_to_string(repository_file("examples/alerts.yml")).expect("the alerts")
}

/// The cases that promtool runs.
fn cases() -> String {
    fs::read_to_string(repository_file("tests/examples/alerts.yml")).expect("the cases")
}

#[test]
fn promtool_takes_the_alerts() {
    let file = repository_file("examples/alerts.yml");
    output(Command::new("promtool").args(["check", "rules"]).arg(file));
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("alerts-under-test.yml", alerts()), ("cases.yml", cases())] {
        fs::write(folder.path().join(name), text).expect("write a file");
    }
    let mut promtool = Command::new("promtool");
    promtool.args(["test", "rules", "cases.yml"]);
    output(promtool.current_dir(&folder));

    let (alerts, cases) = (alerts(), cases());
    let names = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    for name in names {
        let expected = [
            format!("{{ labels: '{{alertname=\"{name}\","),
            format!("{{ labels: 'ALERTS{{alertname=\"{name}\","),
        ];
        let is_expected = expected.iter().any(|sample| cases.contains(sample));
        assert!(is_expected, "no case expects {name} to fire");
    }
}

/// Words of the alerts, comments and annotations included, that are names of our metrics.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':'));
    let prefixes = ["tidegate_", "pushgateway_", "process_", "push_"];
    words
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

#[test]
fn every_metric_in_the_alerts_is_one_that_a_gateway_has() {
    let gateway = Gateway::start();
    let pushes = [
        ("a 1\n", 200),
        ("# TYPE a counter\na x\n", 400),
        ("push_time_seconds 1\n", 200),
    ];
    for (body, status) in pushes {
        let answer = gateway.send("POST", "/metrics/job/backup/instance/db1", &[], body);
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let scraped = gateway.metrics();
    let text = alerts();
    let names = names(&text);
    assert!(names.len() > 12, "{names:?}");
    for name in names {
        let series = |sign| scraped.contains(&format!("\n{name}{sign}"));
        let is_there = series('{') || series(' ') || own_kind(name).is_some();
        assert!(is_there, "{name} is nowhere in\n{scraped}");
    }
    // The labels by which the alerts choose.
    for series in [
        r#"pushgateway_http_requests_total{code="400",handler="push",method="post"} 1"#,
        r#"push_failure_time_seconds{instance="db1",job="backup"} "#,
    ] {
        assert!(
            scraped.contains(series),
            "{series} is nowhere in\n{scraped}"
        );
    }
}
