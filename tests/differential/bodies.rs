//! Bodies that cannot be written as text.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::messages::{
    Bucket, Histogram, LabelPair, Metric, MetricFamily, Number, Quantile, Summary,
};

/// The Content-Type of a protobuf push.
pub(crate) const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

const COUNTER: i32 = 0;
const GAUGE: i32 = 1;
const SUMMARY: i32 = 2;
const UNTYPED: i32 = 3;
const HISTOGRAM: i32 = 4;

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// Messages one after the other, each after its length.
pub(crate) fn delimited(families: &[MetricFamily]) -> Vec<u8> {
    families
        .iter()
        .flat_map(prost::Message::encode_length_delimited_to_vec)
        .collect()
}

/// The protobuf body of this name; `None` if there is none.
pub(crate) fn protobuf(name: &str) -> Option<Vec<u8>> {
    let body = match name {
        "gauge" => delimited(&[family("a", Some(GAUGE), vec![gauge(1.5)])]),
        "counter" => delimited(&[family("c", Some(COUNTER), vec![counter(3.0)])]),
        "no type" => delimited(&[family("c", None, vec![counter(3.0)])]),
        "untyped" => delimited(&[family("u", Some(UNTYPED), vec![untyped(3.0)])]),
        "help" => delimited(&[helped("a", "text\nof two \\ lines")]),
        "empty help" => delimited(&[helped("a", "")]),
        "labels" => delimited(&[family(
            "a",
            Some(GAUGE),
            vec![
                labelled(gauge(1.0), &[("z", "1"), ("b", "2")]),
                labelled(gauge(2.0), &[("z", "2"), ("b", "1")]),
            ],
        )]),
        "label twice" => delimited(&[family(
            "a",
            Some(GAUGE),
            vec![labelled(gauge(1.0), &[("x", "1"), ("x", "2")])],
        )]),
        "reserved label" => delimited(&[family(
            "a",
            Some(GAUGE),
            vec![labelled(gauge(1.0), &[("__x", "1")])],
        )]),
        "job label" => delimited(&[family(
            "a",
            Some(GAUGE),
            vec![labelled(gauge(1.0), &[("job", "own"), ("instance", "i")])],
        )]),
        "same series" => delimited(&[family("a", Some(GAUGE), vec![gauge(1.0), gauge(2.0)])]),
        "same family" => delimited(&[
            family("a", Some(GAUGE), vec![gauge(1.0)]),
            family("a", Some(COUNTER), vec![counter(2.0)]),
        ]),
        "no metrics" => delimited(&[family("a", Some(GAUGE), vec![])]),
        "wrong value" => delimited(&[family("a", Some(GAUGE), vec![counter(1.0)])]),
        "timestamp" => delimited(&[family(
            "a",
            Some(GAUGE),
            vec![Metric {
                timestamp_ms: Some(0),
                ..gauge(1.0)
            }],
        )]),
        "summary" => delimited(&[family("s", Some(SUMMARY), vec![summary()])]),
        "histogram" => delimited(&[family("h", Some(HISTOGRAM), vec![histogram()])]),
        "all" => delimited(&[
            helped("a", "a gauge"),
            family("c", Some(COUNTER), vec![counter(3.0)]),
            family("s", Some(SUMMARY), vec![summary()]),
            family("h", Some(HISTOGRAM), vec![histogram()]),
            family("u", Some(UNTYPED), vec![untyped(f64::NAN)]),
        ]),
        "cut" => {
            let mut body = delimited(&[family("a", Some(GAUGE), vec![gauge(1.5)])]);
            body.pop();
            body
        }
        _ => return None,
    };
    Some(body)
}

/// A family without help.
pub(crate) fn family(name: &str, kind: Option<i32>, metric: Vec<Metric>) -> MetricFamily {
    MetricFamily {
        name: Some(name.into()),
        kind,
        metric,
        ..MetricFamily::default()
    }
}

fn helped(name: &str, help: &str) -> MetricFamily {
    MetricFamily {
        help: Some(help.into()),
        ..family(name, Some(GAUGE), vec![gauge(1.0)])
    }
}

fn gauge(value: f64) -> Metric {
    let value = Some(value);
    Metric {
        gauge: Some(Number { value }),
        ..Metric::default()
    }
}

fn untyped(value: f64) -> Metric {
    let value = Some(value);
    Metric {
        untyped: Some(Number { value }),
        ..Metric::default()
    }
}

fn counter(value: f64) -> Metric {
    Metric {
        counter: Some(super::messages::Counter {
            value: Some(value),
            ..Default::default()
        }),
        ..Metric::default()
    }
}

fn summary() -> Metric {
    let quantile = |quantile: f64, value: f64| Quantile {
        quantile: Some(quantile),
        value: Some(value),
    };
    Metric {
        summary: Some(Summary {
            sample_count: Some(4),
            sample_sum: Some(3e10),
            quantile: vec![quantile(0.5, 1.0), quantile(0.99, f64::NAN)],
            ..Summary::default()
        }),
        ..Metric::default()
    }
}

fn histogram() -> Metric {
    let bucket = |bound: f64, count: u64| Bucket {
        upper_bound: Some(bound),
        cumulative_count: Some(count),
        ..Bucket::default()
    };
    Metric {
        histogram: Some(Histogram {
            sample_count: Some(123_456_789),
            sample_sum: Some(1.5),
            bucket: vec![bucket(0.5, 1), bucket(2.0, 7)],
            ..Histogram::default()
        }),
        ..Metric::default()
    }
}

fn labelled(metric: Metric, labels: &[(&str, &str)]) -> Metric {
    let label = labels.iter().map(|&(name, value)| LabelPair {
        name: Some(name.into()),
        value: Some(value.into()),
    });
    Metric {
        label: label.collect(),
        ..metric
    }
}
