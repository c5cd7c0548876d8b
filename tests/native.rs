//! What the text format cannot show is kept all the same: native histograms and
//! exemplars, pushed as protobuf, are whole in the store after the gateway has stopped.

mod support;

#[path = "property_proto/messages.rs"]
#[allow(dead_code, reason = "the other test uses all of it")]
mod messages;
#[path = "property_proto/native.rs"]
mod native;

use std::collections::BTreeMap;

use messages::{Histogram, Metric, MetricFamily};
use prost::Message;
use support::http::request;
use support::in_process::InProcess;
use tidegate::clock::Clock;
use tidegate::format::proto;
use tidegate::model::{GroupKey, Value};
use tidegate::store::{Place, Store, decode_metrics};

const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// A histogram with native buckets on both sides of zero, a classic one, and exemplars.
fn body(histogram: Histogram) -> Vec<u8> {
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
fn native_histograms_and_exemplars_are_whole_in_the_store() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = Place::folder(folder.path());
    let gateway = InProcess::start(place.clone(), Clock::system()).expect("a start");
    let type_of = [("Content-Type", PROTOBUF)];
    let answer = request(
        gateway.address(),
        "PUT",
        "/metrics/job/native",
        &type_of,
        &body(native::histogram()),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    drop(gateway);

    let store = Store::open(&place).expect("the closed store").store;
    let key = GroupKey::new("native", &BTreeMap::new());
    let found = store
        .detail(&key)
        .expect("a row that can be read")
        .expect("the group");
    let (facts, _) = &found.families[0];
    let body = body(native::histogram());
    let pushed = proto::parse(&body).expect("a sound body");
    let kept = decode_metrics(&facts.metrics).expect("series that can be read");
    assert_eq!(kept, pushed[0].metrics);
    let Value::Histogram(histogram) = &kept[0].value else {
        panic!("{kept:?}")
    };
    assert!(
        histogram
            .native
            .as_ref()
            .is_some_and(|native| native.exemplars.len() == 1)
    );
}

/// Histograms that would make Prometheus refuse a whole scrape, each with what is wrong.
fn broken() -> Vec<(&'static str, Histogram)> {
    let sound = native::histogram;
    vec![
        (
            "fewer counts than the spans say",
            Histogram {
                positive_delta: vec![1],
                ..sound()
            },
        ),
        (
            "a count below zero",
            Histogram {
                positive_delta: vec![1, -2, 3],
                ..sound()
            },
        ),
        (
            "spans that overlap",
            Histogram {
                positive_span: vec![native::span(0, 2), native::span(-1, 1)],
                ..sound()
            },
        ),
        (
            "more in the buckets than counted",
            Histogram {
                sample_count: Some(1),
                ..sound()
            },
        ),
        (
            "more counted than in the buckets",
            Histogram {
                sample_count: Some(10),
                ..sound()
            },
        ),
        (
            "counts as floats beside a count that is an integer",
            Histogram {
                positive_delta: vec![],
                positive_count: vec![1.0, 2.0, 1.0],
                ..sound()
            },
        ),
        (
            "an empty histogram of floats: Prometheus takes it for one of integers",
            Histogram {
                sample_count_float: Some(0.0),
                positive_span: vec![native::span(0, 1)],
                positive_count: vec![0.0],
                ..Histogram::default()
            },
        ),
        (
            "a schema that is not one of exponential buckets",
            Histogram {
                schema: Some(9),
                ..sound()
            },
        ),
    ]
}

#[test]
fn native_histograms_that_prometheus_would_refuse_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = Place::folder(folder.path());
    let gateway = InProcess::start(place, Clock::system()).expect("a start");
    let push = |histogram| {
        let headers = [("Content-Type", PROTOBUF)];
        let path = "/metrics/job/native";
        request(gateway.address(), "PUT", path, &headers, &body(histogram))
    };
    for (name, broken) in broken() {
        let answer = push(broken);
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        assert!(
            answer.text().contains("native buckets"),
            "{name}: {}",
            answer.text()
        );
    }
    // Observations that are no number are in no bucket, and make the sum none.
    let answer = push(Histogram {
        sample_count: Some(10),
        sample_sum: Some(f64::NAN),
        ..native::histogram()
    });
    assert_eq!(answer.status, 200, "{}", answer.text());
}
