//! What the text format cannot show is kept all the same: native histograms and
//! exemplars, pushed as protobuf, are whole in the store after the gateway has stopped.

mod support;

#[path = "property_proto/messages.rs"]
#[allow(dead_code, reason = "the other test uses all of it")]
mod messages;

use std::collections::BTreeMap;

use messages::{
    Bucket, BucketSpan, Exemplar, Histogram, LabelPair, Metric, MetricFamily, Timestamp,
};
use prost::Message;
use support::http::request;
use support::in_process::InProcess;
use tidegate::clock::Clock;
use tidegate::format::proto;
use tidegate::model::{GroupKey, Value};
use tidegate::store::{Place, Store, decode_metrics};

const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

fn exemplar() -> Exemplar {
    let label = LabelPair {
        name: Some(b"trace_id".to_vec()),
        value: Some(b"4bf92f".to_vec()),
    };
    Exemplar {
        label: vec![label],
        value: Some(0.75),
        timestamp: Some(Timestamp {
            seconds: Some(1_795_308_991),
            nanos: Some(7),
        }),
    }
}

/// A histogram with native buckets on both sides of zero, a classic one, and exemplars.
fn body() -> Vec<u8> {
    let span = |offset, length| BucketSpan {
        offset: Some(offset),
        length: Some(length),
    };
    let histogram = Histogram {
        sample_count: Some(9),
        sample_sum: Some(4.5),
        bucket: vec![Bucket {
            cumulative_count: Some(4),
            upper_bound: Some(0.5),
            exemplar: Some(exemplar()),
            ..Bucket::default()
        }],
        schema: Some(3),
        zero_threshold: Some(0.001),
        zero_count: Some(1),
        negative_span: vec![span(-2, 1)],
        negative_delta: vec![2],
        positive_span: vec![span(0, 2), span(3, 1)],
        positive_delta: vec![1, 2, -1],
        exemplars: vec![exemplar()],
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
        &body(),
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
    let body = body();
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
