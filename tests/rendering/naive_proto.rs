//! What a scrape in protobuf should show of facts.

use prost::Message as _;
use tidegate::model::Kind;

use crate::messages::{
    Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, Number as Value, Quantile, Summary,
};
use crate::naive::{Family, Group, Labels, Number, families};

/// The delimited messages of these groups' families; names as they are.
pub(crate) fn messages(groups: &[&Group]) -> Vec<MetricFamily> {
    families(groups).into_iter().map(message).collect()
}

/// The messages of a scrape.
pub(crate) fn decode(mut body: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !body.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut body).expect("a sound message");
        families.push(family);
    }
    families
}

pub(crate) fn bytes(family: &MetricFamily) -> Vec<u8> {
    family.encode_to_vec()
}

/// A family in words.
pub(crate) fn words(family: &MetricFamily) -> String {
    format!("{family:?}")
}

fn message((name, family): (String, Family)) -> MetricFamily {
    let kind = family.kind;
    let metric = |(labels, number)| metric(kind, labels, number);
    MetricFamily {
        name: Some(name.into_bytes()),
        help: family.help.map(String::into_bytes),
        kind: Some(match kind {
            Kind::Counter => 0,
            Kind::Gauge => 1,
            Kind::Summary => 2,
            Kind::Untyped => 3,
            Kind::Histogram => 4,
            Kind::GaugeHistogram => 5,
        }),
        metric: family.series.into_iter().map(metric).collect(),
        unit: None,
    }
}

fn metric(kind: Kind, labels: Labels, number: Number) -> Metric {
    let pair = |(name, value): (String, String)| LabelPair {
        name: Some(name.into_bytes()),
        value: Some(value.into_bytes()),
    };
    let mut metric = Metric {
        label: labels.into_iter().map(pair).collect(),
        ..Metric::default()
    };
    match (number, kind) {
        (Number::Plain(value), Kind::Counter) => {
            metric.counter = Some(Counter {
                value: Some(value),
                ..Counter::default()
            });
        }
        (Number::Plain(value), Kind::Gauge) => metric.gauge = Some(Value { value: Some(value) }),
        (Number::Plain(value), _) => metric.untyped = Some(Value { value: Some(value) }),
        (Number::Summary(count, sum, quantiles), _) => {
            let quantile = |(quantile, value)| Quantile {
                quantile: Some(quantile),
                value: Some(value),
            };
            metric.summary = Some(Summary {
                sample_count: Some(count),
                sample_sum: Some(sum),
                quantile: quantiles.into_iter().map(quantile).collect(),
                created_timestamp: None,
            });
        }
        (Number::Histogram(count, sum, buckets), _) => {
            let bucket = |(upper, count)| Bucket {
                cumulative_count: Some(count),
                upper_bound: Some(upper),
                ..Bucket::default()
            };
            metric.histogram = Some(Histogram {
                sample_count: Some(count),
                sample_sum: Some(sum),
                bucket: buckets.into_iter().map(bucket).collect(),
                ..Histogram::default()
            });
        }
    }
    metric
}
