//! The same pushes to tidegate and to the real Pushgateway 1.5.1, then the same scrape in
//! protobuf of both, decoded by prost: equal messages, the own metrics and times aside.

mod support;

#[path = "property_proto/messages.rs"]
#[allow(dead_code, reason = "the other test uses all of it")]
mod messages;

use std::net::SocketAddr;

use messages::{
    Bucket, BucketSpan, Counter, Exemplar, Histogram, LabelPair, Metric, MetricFamily, Timestamp,
};
use prost::Message;
use support::http::request;
use support::in_process::InProcess;
use support::pushgateway::Pushgateway;
use tidegate::clock::Clock;
use tidegate::store::Place;

const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Text pushes: the group and the body.
const TEXT: &[(&str, &str)] = &[
    (
        "job/a",
        "# HELP m help\n# TYPE m gauge\nm 1\nm{x=\"1\"} NaN\n",
    ),
    (
        "job/b/instance/i",
        "# HELP m help\n# TYPE m gauge\nm{z=\"1\",a=\"2\",instance=\"n\",job=\"n\"} -0\n",
    ),
    (
        "job/c/zone@base64/",
        "# TYPE c counter\nc 1e300\nu +Inf\n# TYPE m gauge\n# HELP m help\nm{x=\"\\n\\\"\"} 3\n",
    ),
    (
        "job/d",
        "# TYPE h histogram\nh_bucket{le=\"0.5\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n\
         # TYPE s summary\ns{quantile=\"0.5\"} 2\ns_sum 3\ns_count 2\ns_sum{y=\"1\"} 3\n",
    ),
    ("job/e", ""),
];

fn exemplar() -> Exemplar {
    Exemplar {
        label: vec![LabelPair {
            name: Some("trace".into()),
            value: Some("1".into()),
        }],
        value: Some(2.5),
        timestamp: Some(Timestamp {
            seconds: Some(17),
            nanos: Some(5),
        }),
    }
}

fn in_protobuf() -> Vec<MetricFamily> {
    let counter = Counter {
        value: Some(4.0),
        exemplar: Some(exemplar()),
        ..Counter::default()
    };
    let bucket = Bucket {
        cumulative_count: Some(2),
        upper_bound: Some(0.5),
        exemplar: Some(exemplar()),
        ..Bucket::default()
    };
    let histogram = Histogram {
        sample_count: Some(6),
        sample_sum: Some(4.5),
        bucket: vec![bucket],
        schema: Some(3),
        zero_threshold: Some(0.25),
        zero_count: Some(1),
        positive_span: vec![BucketSpan {
            offset: Some(-3),
            length: Some(2),
        }],
        positive_delta: vec![3, -1],
        ..Histogram::default()
    };
    let family = |name: &str, kind, metric| MetricFamily {
        name: Some(name.into()),
        kind: Some(kind),
        help: Some("Help.".into()),
        metric: vec![metric],
        ..MetricFamily::default()
    };
    vec![
        family(
            "pc",
            0,
            Metric {
                counter: Some(counter),
                ..Metric::default()
            },
        ),
        family(
            "ph",
            4,
            Metric {
                histogram: Some(histogram),
                ..Metric::default()
            },
        ),
    ]
}

/// Everything pushed, in protobuf, with times masked and series in one order.
fn scraped(gateway: SocketAddr) -> Vec<MetricFamily> {
    let body: Vec<u8> = in_protobuf()
        .iter()
        .flat_map(Message::encode_length_delimited_to_vec)
        .collect();
    for (group, text) in TEXT {
        push(gateway, group, "text/plain", text.as_bytes());
    }
    push(gateway, "job/p", PROTOBUF, &body);
    let answer = request(gateway, "GET", "/metrics", &[("Accept", PROTOBUF)], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kind = answer.header("Content-Type").unwrap_or_default();
    assert!(kind.starts_with(PROTOBUF), "{kind}");
    let mut rest = answer.body.as_slice();
    let mut families = Vec::new();
    while !rest.is_empty() {
        let mut family = MetricFamily::decode_length_delimited(&mut rest).expect("a message");
        let name = String::from_utf8(family.name.clone().unwrap_or_default()).expect("text");
        let own = ["go_", "process_", "pushgateway_", "tidegate_"];
        if own.iter().any(|own| name.starts_with(own)) {
            continue;
        }
        if name == "push_time_seconds" {
            for gauge in family
                .metric
                .iter_mut()
                .flat_map(|metric| &mut metric.gauge)
            {
                gauge.value = gauge.value.map(f64::signum);
            }
        }
        for summary in family
            .metric
            .iter_mut()
            .flat_map(|metric| &mut metric.summary)
        {
            // Ours is always there; what is not there is 0.
            summary.sample_count.get_or_insert_default();
        }
        family
            .metric
            .sort_by_key(|metric| format!("{:?}", metric.label));
        families.push(family);
    }
    families
}

fn push(gateway: SocketAddr, group: &str, kind: &str, body: &[u8]) {
    let path = format!("/metrics/{group}");
    let answer = request(gateway, "PUT", &path, &[("Content-Type", kind)], body);
    assert_eq!(answer.status, 200, "{group}: {}", answer.text());
}

#[test]
fn a_scrape_in_protobuf_is_that_of_the_real_pushgateway() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ours = InProcess::start(Place::folder(folder.path()), Clock::system()).expect("a start");
    let theirs = Pushgateway::start();
    let (ours, theirs) = (scraped(ours.address()), scraped(theirs.addr));
    assert_eq!(theirs.len(), 9);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        // By their text, in which NaN equals itself.
        let name = String::from_utf8_lossy(ours.name());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{name}");
    }
    assert_eq!(ours.len(), theirs.len());
}
