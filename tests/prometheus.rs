//! A real Prometheus scrapes the gateway, and its query API is asked what has arrived.

mod support;

#[path = "property_proto/messages.rs"]
#[allow(dead_code, reason = "the other test uses all of it")]
mod messages;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use messages::{BucketSpan, Histogram, Metric, MetricFamily};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;
use serde_json::Value;
use support::daemon::Daemon;
use support::http::request;
use support::process::Gateway;
use support::wiretap::Wiretap;
use support::{LIMIT, eventually, repository_file};

const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// One entry of `scrape_configs`.
struct ScrapeJob<'a> {
    name: &'a str,
    honor_labels: bool,
    targets: &'a [SocketAddr],
}

/// A Prometheus server that scrapes every second into a temporary folder.
struct Prometheus {
    daemon: Daemon,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// One element of an instant vector.
#[derive(Debug, PartialEq)]
struct Element {
    labels: Vec<(String, String)>,
    value: String,
}

impl Element {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Prometheus {
    /// Starts Prometheus and waits until it has scraped every target once without a fault.
    fn start(jobs: &[ScrapeJob<'_>]) -> Self {
        Self::start_with(jobs, &[])
    }

    /// The same with more flags.
    fn start_with(jobs: &[ScrapeJob<'_>], flags: &[&str]) -> Self {
        Self::start_by(&scrape_config(jobs), jobs, flags)
    }

    /// The same by a configuration that has more in it than the jobs.
    fn start_by(configuration: &str, jobs: &[ScrapeJob<'_>], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = configuration;
        let configuration = folder.path().join("prometheus.yml");
        std::fs::write(&configuration, text).expect("write the configuration");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}/tsdb",
                folder.path().display()
            ))
            .arg("--web.listen-address=127.0.0.1:0")
            .args(flags);
        let mut daemon = Daemon::spawn(&mut command, &folder.path().join("log"));
        let address = daemon.listening_address();
        let prometheus = Self {
            daemon,
            address,
            _folder: folder,
        };
        let targets: usize = jobs.iter().map(|job| job.targets.len()).sum();
        eventually(LIMIT, "every target scraped", || {
            let up = prometheus.query("up == 1")?;
            (up.len() == targets)
                .then_some(())
                .ok_or_else(|| format!("{up:?}"))
        });
        prometheus
    }

    /// An instant query. The error is Prometheus' answer, as before it is ready.
    fn query(&self, promql: &str) -> Result<Vec<Element>, String> {
        let query = utf8_percent_encode(promql, NON_ALPHANUMERIC);
        let answer = self.get(&format!("/api/v1/query?query={query}"))?;
        let elements = answer["data"]["result"]
            .as_array()
            .ok_or_else(|| answer.to_string())?;
        Ok(elements.iter().map(element).collect())
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        let answer = request(self.address, "GET", path, &[], b"");
        if answer.status != 200 {
            return Err(answer.text());
        }
        serde_json::from_slice(&answer.body).map_err(|error| format!("{error}: {}", answer.text()))
    }

    /// Waits until the query has exactly one element, and returns it.
    fn one(&self, promql: &str) -> Element {
        eventually(LIMIT, promql, || {
            let mut vector = self.query(promql)?;
            match vector.len() {
                1 => Ok(vector.remove(0)),
                _ => Err(format!("{vector:?}\n{}", self.daemon.log())),
            }
        })
    }

    /// Waits until the query has no element any more.
    fn none(&self, promql: &str) {
        eventually(LIMIT, &format!("nothing for {promql}"), || {
            let vector = self.query(promql)?;
            vector
                .is_empty()
                .then_some(())
                .ok_or_else(|| format!("{vector:?}"))
        });
    }
}

fn scrape_config(jobs: &[ScrapeJob<'_>]) -> String {
    let mut text =
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for job in jobs {
        let targets: Vec<String> = job
            .targets
            .iter()
            .map(|target| format!("'{target}'"))
            .collect();
        writeln!(
            text,
            "- job_name: {}\n  honor_labels: {}\n  static_configs: [{{targets: [{}]}}]",
            job.name,
            job.honor_labels,
            targets.join(", ")
        )
        .expect("write into a string");
    }
    text
}

fn element(json: &Value) -> Element {
    let labels = json["metric"]
        .as_object()
        .expect("the labels of an element");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    Element {
        labels: labels
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        value: text(&json["value"][1]),
    }
}

fn push(gateway: &Gateway, path: &str, headers: &[(&str, &str)], body: &str) {
    let answer = gateway.send("PUT", path, headers, body);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}

/// Starts a Prometheus whose only job scrapes one target and keeps the pushed labels.
fn honoring(target: SocketAddr) -> Prometheus {
    Prometheus::start(&[ScrapeJob {
        name: "gateway",
        honor_labels: true,
        targets: &[target],
    }])
}

#[test]
fn with_honor_labels_promql_answers_the_pushed_value_under_its_own_job_and_instance() {
    let gateway = Gateway::start();
    let prometheus = honoring(gateway.address());
    push(
        &gateway,
        "/metrics/job/backup/instance/db1",
        &[],
        "backup_bytes{set=\"full\"} 1024.5\n",
    );
    push(&gateway, "/metrics/job/nightly", &[], "nightly_rows 7\n");

    let backup = prometheus.one("backup_bytes");
    assert_eq!(backup.value, "1024.5");
    assert_eq!(backup.label("job"), Some("backup"));
    assert_eq!(backup.label("instance"), Some("db1"));
    assert_eq!(backup.label("set"), Some("full"));
    assert_eq!(backup.label("exported_job"), None);

    let nightly = prometheus.one("nightly_rows");
    assert_eq!(nightly.value, "7");
    assert_eq!(
        nightly.label("instance"),
        None,
        "a job without instance gets none: {nightly:?}"
    );

    push(&gateway, "/metrics/job/nightly", &[], "nightly_rows 8\n");
    assert_eq!(
        prometheus.one("nightly_rows == 8").label("job"),
        Some("nightly")
    );
    let age = prometheus
        .one("time() - push_time_seconds{job=\"nightly\"}")
        .value;
    let age: f64 = age.parse().expect("a number of seconds");
    assert!((-1.0..60.0).contains(&age), "pushed {age} s ago");
}

#[test]
fn without_honor_labels_the_pushed_labels_are_kept_as_exported_ones() {
    let gateway = Gateway::start();
    let address = gateway.address();
    let targets = &[address];
    let prometheus = Prometheus::start(&[
        ScrapeJob {
            name: "kept",
            honor_labels: true,
            targets,
        },
        ScrapeJob {
            name: "exported",
            honor_labels: false,
            targets,
        },
    ]);
    push(
        &gateway,
        "/metrics/job/backup/instance/db1",
        &[],
        "backup_bytes 1024.5\n",
    );

    let exported = prometheus.one(r#"backup_bytes{job="exported"}"#);
    assert_eq!(exported.value, "1024.5");
    assert_eq!(exported.label("exported_job"), Some("backup"));
    assert_eq!(exported.label("exported_instance"), Some("db1"));
    assert_eq!(
        exported.label("instance"),
        Some(address.to_string().as_str())
    );

    assert_eq!(
        prometheus
            .one(r#"backup_bytes{job="backup"}"#)
            .label("instance"),
        Some("db1")
    );
}

#[test]
fn an_expired_group_leaves_the_exposition_and_the_next_instant_query() {
    let gateway = Gateway::start();
    let prometheus = honoring(gateway.address());
    push(
        &gateway,
        "/metrics/job/lasting",
        &[],
        "mortal{by=\"nobody\"} 1\n",
    );
    push(
        &gateway,
        "/metrics/job/a",
        &[("Tidegate-TTL", "3s")],
        "mortal{by=\"header\"} 1\n",
    );
    push(
        &gateway,
        "/ttl/3s/metrics/job/b",
        &[],
        "mortal{by=\"prefix\"} 1\n",
    );
    push(
        &gateway,
        "/metrics/job/c?ttl=3s",
        &[],
        "mortal{by=\"query\"} 1\n",
    );

    // The look back in time finds what was scraped even if this test is slower than the TTL.
    let seen = "count(count_over_time(mortal[5m]))";
    eventually(LIMIT, "a scrape of every group", || {
        let count = prometheus.query(seen)?;
        count
            .iter()
            .any(|count| count.value == "4")
            .then_some(())
            .ok_or(format!("{count:?}"))
    });
    prometheus.none(r#"mortal{by!="nobody"}"#);
    assert_eq!(prometheus.one("mortal").label("by"), Some("nobody"));
    assert_eq!(prometheus.one(r#"up{job="gateway"}"#).value, "1");

    let text = gateway.metrics();
    let left = text
        .lines()
        .filter(|line| line.starts_with("mortal{"))
        .collect::<Vec<_>>();
    assert_eq!(left, [r#"mortal{by="nobody",instance="",job="lasting"} 1"#]);
    assert!(
        !text.contains(r#"push_time_seconds{instance="",job="a"}"#),
        "{text}"
    );
}

#[test]
fn two_gateways_behind_one_prometheus_both_show_up() {
    let (first, second) = (Gateway::start(), Gateway::start());
    let targets = &[first.address(), second.address()];
    let prometheus = Prometheus::start(&[ScrapeJob {
        name: "gateways",
        honor_labels: true,
        targets,
    }]);
    push(
        &first,
        "/metrics/job/backup/instance/db1",
        &[],
        "backup_bytes 1\n",
    );
    push(
        &second,
        "/metrics/job/backup/instance/db2",
        &[],
        "backup_bytes 2\n",
    );

    assert_eq!(prometheus.one(r#"backup_bytes{instance="db1"}"#).value, "1");
    assert_eq!(prometheus.one(r#"backup_bytes{instance="db2"}"#).value, "2");
    assert_eq!(prometheus.one("sum(backup_bytes)").value, "3");
    for target in targets {
        let up = prometheus.one(&format!(r#"up{{job="gateways",instance="{target}"}}"#));
        assert_eq!(up.value, "1", "{target}");
    }

    // What one alone held goes with it; the other half stays.
    drop(first);
    prometheus.none(r#"backup_bytes{instance="db1"}"#);
    assert_eq!(
        prometheus.one("backup_bytes").label("instance"),
        Some("db2")
    );
}

#[test]
fn a_pushed_histogram_answers_histogram_quantile() {
    let gateway = Gateway::start();
    let prometheus = honoring(gateway.address());
    let histogram = "\
# TYPE step_seconds histogram
step_seconds_bucket{le=\"1\"} 10
step_seconds_bucket{le=\"2\"} 30
step_seconds_bucket{le=\"4\"} 40
step_seconds_bucket{le=\"+Inf\"} 40
step_seconds_sum 66
step_seconds_count 40
";
    push(&gateway, "/metrics/job/steps", &[], histogram);
    // Half of 40 are 20, ten of them above 1 s: the middle of the bucket from 1 s to 2 s.
    assert_eq!(
        prometheus
            .one("histogram_quantile(0.5, step_seconds_bucket)")
            .value,
        "1.5"
    );
    assert_eq!(
        prometheus
            .one("histogram_quantile(1, step_seconds_bucket)")
            .value,
        "4"
    );
    assert_eq!(
        prometheus
            .one("step_seconds_sum / step_seconds_count")
            .value,
        "1.65"
    );
    assert_eq!(prometheus.one("count(step_seconds_bucket)").value, "4");
}

#[test]
fn prometheus_asks_for_gzip_and_reads_every_sample_of_the_compressed_answer() {
    let gateway = Gateway::start();
    for group in 0..50 {
        let rows = (0..40).map(|row| format!("row_bytes{{row=\"{row}\"}} 2\n"));
        let body = rows.collect::<Vec<_>>().concat();
        push(
            &gateway,
            &format!("/metrics/job/rows/shard/{group}"),
            &[],
            &body,
        );
    }
    let wire = Wiretap::in_front_of(gateway.address());
    let prometheus = honoring(wire.address());

    assert_eq!(prometheus.one("count(row_bytes)").value, "2000");
    assert_eq!(prometheus.one("sum(row_bytes)").value, "4000");
    assert_eq!(
        prometheus
            .one(r#"count(push_time_seconds{job="rows"})"#)
            .value,
        "50"
    );
    let asked = wire.requests().to_lowercase();
    assert!(asked.contains("\r\naccept-encoding: gzip\r\n"), "{asked}");
    let answered = wire.answers().to_lowercase();
    let head: String = answered.chars().take(300).collect();
    assert!(
        answered.contains("\r\ncontent-encoding: gzip\r\n"),
        "{head}"
    );

    let targets = prometheus
        .get("/api/v1/targets")
        .expect("the state of the targets");
    let target = &targets["data"]["activeTargets"][0];
    assert_eq!(target["health"], "up", "{target}");
    assert_eq!(target["lastError"], "", "{target}");
}

/// A histogram with native buckets of schema 0, (0.5, 1], (1, 2] and (2, 4], and a classic one.
fn native_body() -> Vec<u8> {
    let span = BucketSpan {
        offset: Some(0),
        length: Some(3),
    };
    let histogram = Histogram {
        sample_count: Some(10),
        sample_sum: Some(17.5),
        schema: Some(0),
        zero_threshold: Some(0.001),
        zero_count: Some(0),
        positive_span: vec![span],
        positive_delta: vec![2, 2, 0], // 2, 4, 4
        ..Histogram::default()
    };
    let family = MetricFamily {
        name: Some(b"job_seconds".to_vec()),
        kind: Some(4),
        metric: vec![Metric {
            histogram: Some(histogram),
            ..Metric::default()
        }],
        ..MetricFamily::default()
    };
    family.encode_length_delimited_to_vec()
}

#[test]
fn prometheus_scrapes_protobuf_and_answers_queries_over_a_pushed_native_histogram() {
    let gateway = Gateway::start();
    let wiretap = Wiretap::in_front_of(gateway.address());
    let answer = request(
        gateway.address(),
        "PUT",
        "/metrics/job/native/zone/w",
        &[("Content-Type", PROTOBUF)],
        &native_body(),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    push(
        &gateway,
        "/metrics/job/classic",
        &[],
        "# TYPE c histogram\nc_bucket{le=\"1\"} 3\nc_bucket{le=\"+Inf\"} 4\nc_sum 5\nc_count 4\n\
         # TYPE s summary\ns{quantile=\"0.5\"} 2\ns_sum 3\ns_count 2\n# TYPE g gauge\ng 7\n",
    );
    let job = ScrapeJob {
        name: "gateway",
        honor_labels: true,
        targets: &[wiretap.address()],
    };
    let flags = ["--enable-feature=native-histograms"];
    let prometheus = Prometheus::start_with(&[job], &flags);

    for (query, expected) in [
        ("histogram_count(job_seconds)", "10"),
        ("histogram_sum(job_seconds)", "17.5"),
        // 5 of 10 observations: 2 below 1, 3 of the 4 in (1, 2].
        ("histogram_quantile(0.5, job_seconds)", "1.75"),
        ("c_bucket{le=\"1.0\"}", "3"),
        ("c_bucket{le=\"+Inf\"}", "4"),
        ("c_sum", "5"),
        ("c_count", "4"),
        ("s{quantile=\"0.5\"}", "2"),
        ("s_count", "2"),
        ("g", "7"),
        ("tidegate_groups", "2"),
        ("count(push_time_seconds)", "2"),
    ] {
        assert_eq!(prometheus.one(query).value, expected, "{query}");
    }
    let count = prometheus.one("histogram_count(job_seconds)");
    assert_eq!(
        (count.label("job"), count.label("zone")),
        (Some("native"), Some("w"))
    );
    assert_eq!(count.label("instance"), None);
    let exchange = wiretap.answers();
    assert!(
        exchange.contains("encoding=delimited; escaping=underscores"),
        "scraped as text: {exchange}"
    );
}

#[test]
fn the_alerts_of_the_examples_find_the_job_whose_last_push_was_refused_and_nothing_else() {
    let gateway = Gateway::start();
    let path = "/metrics/job/backup/instance/db1";
    push(&gateway, path, &[], "rows 1\n");
    let refused = gateway.send("PUT", path, &[], "rows 1 1000\n");
    assert_eq!(refused.status, 400, "{}", refused.text());
    let jobs = [ScrapeJob {
        name: "pushed",
        honor_labels: true,
        targets: &[gateway.address()],
    }];
    let configuration = scrape_config(&jobs).replacen('{', "{evaluation_interval: 1s, ", 1);
    let alerts = repository_file("examples/alerts.yml");
    let configuration = format!("{configuration}rule_files: ['{}']\n", alerts.display());
    let prometheus = Prometheus::start_by(&configuration, &jobs, &[]);

    let alert = prometheus.one("ALERTS{alertstate=\"firing\"}");
    assert_eq!(alert.label("alertname"), Some("PushedJobRefused"));
    assert_eq!(alert.label("job"), Some("backup"));
    assert_eq!(alert.label("instance"), Some("db1"));
    push(&gateway, path, &[], "rows 2\n");
    prometheus.none("ALERTS");
}
