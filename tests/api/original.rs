//! The Pushgateway's own routes, to the byte: section 4 of the reference.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tidegate::http::Site;
use tidegate::limits::SLICE;
use tidegate::settings::Paths;

use crate::client::{admin, get, ok, with_admin};
use crate::harness::{Gateway, Options, repeated};
use crate::support::{LIMIT, eventually};

fn body(gateway: &Gateway) -> String {
    let answer = gateway.get("/api/v1/metrics", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
    answer.text()
}

/// The grouping keys that are shown, as `a` or `a{x=1}`.
fn groups(gateway: &Gateway) -> Vec<String> {
    let data = get(gateway, "metrics");
    let groups = data.as_array().expect("a list").iter();
    groups.map(|group| group["labels"].to_string()).collect()
}

#[test]
fn everything_is_shown_in_the_originals_form() {
    let gateway = Gateway::start();
    assert_eq!(body(&gateway), r#"{"status":"success","data":[]}"#);
    gateway.put(
        "job/nightly/zone/w",
        "# TYPE dur summary\ndur{quantile=\"0.99\"} 2\ndur_sum 3e10\ndur_count 4\n\
         # TYPE lat histogram\nlat_bucket{le=\"0.5\"} 1\nlat_bucket{le=\"+Inf\"} 3\n\
         lat_sum 1.5\nlat_count 123456789\n\
         # HELP rows_done Rows <done>\n# TYPE rows_done gauge\n\
         rows_done{b=\"2\"} 123456789\nrows_done{b=\"1\"} -0\n",
    );
    let time = r#""time_stamp":"2026-11-22T03:07:00.5Z""#;
    let labels = r#"{"instance":"","job":"nightly","zone":"w"}"#;
    let with_b = |b| format!(r#"{{"b":"{b}","instance":"","job":"nightly","zone":"w"}}"#);
    let (two, one) = (with_b(2), with_b(1));
    let help = "Last Unix time when changing this group in the Pushgateway";
    let expected = format!(
        r#"{{"status":"success","data":[{{"dur":{{{time},"type":"SUMMARY","metrics":[{{"count":"4","labels":{labels},"quantiles":{{"0.99":"2"}},"sum":"3e+10"}}]}},"labels":{{"job":"nightly","zone":"w"}},"last_push_successful":true,"lat":{{{time},"type":"HISTOGRAM","metrics":[{{"buckets":{{"+Inf":"3","0.5":"1"}},"count":"123456789","labels":{labels},"sum":"1.5"}}]}},"push_failure_time_seconds":{{{time},"type":"GAUGE","help":"{help} failed.","metrics":[{{"labels":{labels},"value":"0"}}]}},"push_time_seconds":{{{time},"type":"GAUGE","help":"{help} succeeded.","metrics":[{{"labels":{labels},"value":"1.7953168205e+09"}}]}},"rows_done":{{{time},"type":"GAUGE","help":"Rows \u003cdone\u003e","metrics":[{{"labels":{two},"value":"1.23456789e+08"}},{{"labels":{one},"value":"-0"}}]}}}}]}}"#
    );
    // The writer sets the requests of one batch apart by a nanosecond each.
    assert_eq!(body(&gateway).replace(".500000001Z", ".5Z"), expected);
}

#[test]
fn each_family_has_the_time_of_the_push_that_set_it() {
    let gateway = Gateway::start();
    gateway.put("job/a", "a 1\nb 1\n");
    gateway.advance(Duration::from_secs(1));
    gateway.post("job/a", "b 2\n");
    gateway.advance(Duration::from_secs(1));
    gateway.refused("POST", "job/a", "b 2 1\n");
    let group = get(&gateway, "metrics")[0].take();
    // The writer sets the requests of one batch apart by a nanosecond each.
    let time = |family: &str| {
        let text = group[family]["time_stamp"].as_str().unwrap_or_default();
        text.replace("00000001Z", "Z")
    };
    for (family, expected) in [
        ("a", "2026-11-22T03:07:00.5Z"),
        ("b", "2026-11-22T03:07:01.5Z"),
        ("push_time_seconds", "2026-11-22T03:07:01.5Z"),
        ("push_failure_time_seconds", "2026-11-22T03:07:02.5Z"),
    ] {
        assert_eq!(time(family), expected, "{family}");
    }
    assert_eq!(group["last_push_successful"], Value::Bool(false));
    assert_eq!(group["b"]["metrics"][0]["value"], "2");
}

/// Corner case 7: in the original the metric takes the place of the group's own key.
#[test]
fn metrics_of_the_groups_own_names_are_left_out() {
    let gateway = Gateway::start();
    gateway.put("job/l", "labels 5\nlast_push_successful 7\nm 1\n");
    let group = get(&gateway, "metrics")[0].take();
    assert_eq!(group["labels"]["job"], "l");
    assert_eq!(group["last_push_successful"], Value::Bool(true));
    assert_eq!(group.as_object().expect("an object").len(), 5);
    assert!(
        gateway
            .scrape()
            .contains("labels{instance=\"\",job=\"l\"} 5\n")
    );
}

#[test]
fn groups_are_in_order_of_their_keys_and_expired_ones_are_not_there() {
    let gateway = Gateway::start();
    gateway.put("job/b", "m 1\n");
    gateway.put_for("10s", "job/a/x/1", "m 1\n");
    gateway.put("job/a", "");
    gateway.refused("PUT", "job/aa", "m 1 1\n");
    let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
    let (a, aa, ax, b) = (
        r#"{"job":"a"}"#,
        r#"{"job":"aa"}"#,
        r#"{"job":"a","x":"1"}"#,
        r#"{"job":"b"}"#,
    );
    // A key's parts end in a byte above all others.
    assert_eq!(groups(&gateway), keys(&[aa, a, ax, b]));
    gateway.advance_almost(Duration::from_secs(10));
    assert_eq!(groups(&gateway).len(), 4);
    gateway.advance(Duration::from_nanos(2));
    assert_eq!(groups(&gateway), keys(&[aa, a, b]));
}

/// More than is kept in memory ahead of the reader.
#[test]
fn a_large_answer_is_whole() {
    let gateway = Gateway::start();
    for group in 0..40 {
        let lines = |line| format!("m{{i=\"{line:0100}\"}} {line}\n");
        let body: String = (0..200).map(lines).collect();
        gateway.put(&format!("job/{group:02}"), &body);
    }
    let data = get(&gateway, "metrics");
    let data = data.as_array().expect("a list");
    assert_eq!(data.len(), 40);
    for (place, group) in data.iter().enumerate() {
        assert_eq!(group["labels"]["job"], format!("{place:02}"));
        assert_eq!(group["m"]["metrics"][199]["value"], "199");
    }
}

#[test]
fn the_status_names_build_flags_and_start() {
    let flag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let site = Site {
        paths: Paths::default(),
        flags: vec![flag("web.x", "a<b"), flag("a.b", "5m0s")],
    };
    let gateway = Gateway::with(Options {
        site,
        ..Options::default()
    });
    let answer = gateway.get("/api/v1/status", &[]);
    let text = answer.text();
    let start = r#"{"status":"success","data":{"build_information":{"branch":""#;
    assert!(text.starts_with(start), "{text}");
    let end =
        r#""flags":{"a.b":"5m0s","web.x":"a\u003cb"},"start_time":"2026-11-22T03:07:00.5Z"}}"#;
    assert!(text.ends_with(end), "{text}");
    let status = get(&gateway, "status");
    let build = status["build_information"].as_object().expect("an object");
    let names: Vec<&str> = build.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "branch",
            "buildDate",
            "buildUser",
            "goVersion",
            "revision",
            "version"
        ]
    );
}

#[test]
fn options_is_answered_on_any_path() {
    let gateway = Gateway::start();
    for path in ["status", "metrics", "admin/wipe", "no/such/path", ""] {
        let answer = gateway.send("OPTIONS", &format!("/api/v1/{path}"), &[], "");
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{path}");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
        assert_eq!(answer.header("Allow"), None, "{path}");
    }
}

#[test]
fn a_wipe_is_done_when_it_is_answered_and_stays_in_the_history() {
    let mut gateway = admin();
    gateway.put("job/a", "m 1\n");
    gateway.put("job/b/x/1", "m 1\n");
    gateway.refused("PUT", "job/c", "m 1 1\n");
    gateway.put_for("1s", "job/d", "m 1\n");
    gateway.advance(Duration::from_secs(2));
    let answer = gateway.send("PUT", "/api/v1/admin/wipe", &[], "");
    assert_eq!((answer.status, answer.text().as_str()), (202, ""));
    assert_eq!(answer.header("Tidegate-Groups-Deleted"), Some("3"));
    assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
    assert_eq!(
        (gateway.exposition().as_str(), groups(&gateway)),
        ("", vec![])
    );
    let gone = get(&gateway, "groups?state=expired");
    let gone = gone["groups"].as_array().expect("a list");
    let ends: Vec<(&str, &str)> = gone
        .iter()
        .map(|group| (&group["labels"]["job"], &group["end"]))
        .map(|(job, end)| (job.as_str().unwrap_or(""), end.as_str().unwrap_or("")))
        .collect();
    let expected = [
        ("a", "deleted"),
        ("b", "deleted"),
        ("c", "deleted"),
        ("d", "expired"),
    ];
    assert_eq!(ends.len(), expected.len(), "{ends:?}");
    assert!(expected.iter().all(|end| ends.contains(end)), "{ends:?}");
    gateway.restart();
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn a_wipe_goes_on_from_slice_to_slice() {
    let gateway = admin();
    let count = 2 * SLICE + 1;
    let group = |i| format!(r#"{{"labels":{{"job":"{i}"}},"body":""}}"#);
    let all: Vec<String> = (0..count).map(group).collect();
    let body = format!(r#"{{"groups":[{}]}}"#, all.join(","));
    ok(&gateway, "POST", "push", &body);
    let answer = gateway.send("PUT", "/api/v1/admin/wipe", &[], "");
    assert_eq!(
        answer.header("Tidegate-Groups-Deleted"),
        Some(count.to_string().as_str())
    );
    assert_eq!(groups(&gateway).len(), 0);
}

/// A reader that takes nothing is cut off when its own time is up, so that it cannot keep
/// old pages of the store alive for ever; meanwhile others are answered.
#[test]
fn a_reader_that_takes_nothing_is_cut_off() {
    let gateway = Gateway::start();
    let value = "v".repeat(1000);
    for group in 0..20 {
        let lines = repeated(1000, |line| format!("m{{i=\"{line}{value}\"}} 1\n"));
        gateway.put(&format!("job/{group}"), &lines);
    }
    let counted = || {
        let series =
            r#"pushgateway_http_requests_total{code="200",handler="api/v1/metrics",method="get"}"#;
        gateway.value(series)
    };
    let mut stream = TcpStream::connect(gateway.address()).expect("a connection");
    stream
        .write_all(
            b"GET /api/v1/metrics HTTP/1.1\r\nHost: a\r\n\
              X-Prometheus-Scrape-Timeout-Seconds: 0.2\r\n\r\n",
        )
        .expect("a request");
    gateway.put("job/other", "m 1\n");
    eventually(LIMIT, "an answer that was given up", || {
        counted().map(drop).ok_or_else(|| "not yet".to_owned())
    });
    let mut taken = Vec::new();
    // The connection may end in a reset.
    let _ = stream.read_to_end(&mut taken);
    assert!(!taken.ends_with(b"0\r\n\r\n"), "{} bytes", taken.len());
    assert!(body(&gateway).len() > 20_000_000);
}

#[test]
fn without_the_admin_api_there_is_no_wipe() {
    let closed = Gateway::start();
    closed.put("job/a", "m 1\n");
    for method in ["PUT", "GET", "POST", "DELETE", "BREW"] {
        let answer = closed.send(method, "/api/v1/admin/wipe", &[], "");
        let seen = (answer.status, answer.text());
        assert_eq!(seen, (404, "404 page not found\n".to_owned()), "{method}");
    }
    assert_eq!(groups(&closed).len(), 1);
    let open = Gateway::with(with_admin(Options::default()));
    for method in ["GET", "POST", "DELETE", "BREW"] {
        let answer = open.send(method, "/api/v1/admin/wipe", &[], "");
        let seen = (answer.status, answer.header("Allow"));
        assert_eq!(seen, (405, Some("OPTIONS, PUT")), "{method}");
    }
}
