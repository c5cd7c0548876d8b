//! Arbitrary messages, most of them with text that is UTF-8 and a known type.

use proptest::collection::vec;
use proptest::num::f64::ANY as ANY_DOUBLE;
use proptest::option::of;
use proptest::prelude::*;

use crate::messages::{
    Bucket, BucketSpan, Counter, Exemplar, Histogram, LabelPair, Metric, MetricFamily, Number,
    Quantile, Summary, Timestamp,
};

/// Several families. Their names come from a small set, so that some come twice.
pub(crate) fn families() -> BoxedStrategy<Vec<MetricFamily>> {
    vec(family(), 0..4).boxed()
}

pub(crate) fn family() -> BoxedStrategy<MetricFamily> {
    let name = prop_oneof![9 => "[ab.Π]{1,2}".prop_map(Option::Some), 1 => of(Just(String::new()))];
    let kind = of(prop_oneof![20 => 0..6, 1 => any::<i32>()]);
    (name, of(text()), kind, vec(metric(), 0..4), of(text()))
        .prop_map(|(name, help, kind, metric, unit)| MetricFamily {
            name: name.map(String::into_bytes),
            help,
            kind,
            metric,
            unit,
        })
        .boxed()
}

pub(crate) fn metric() -> BoxedStrategy<Metric> {
    let number = || of(of(double()).prop_map(|value| Number { value }));
    let (gauge, untyped) = (number(), number());
    let scalars = (
        vec(label(), 0..4),
        gauge,
        of(counter()),
        untyped,
        of(any::<i64>()),
    );
    (scalars, of(summary()), of(histogram()))
        .prop_map(
            |((label, gauge, counter, untyped, timestamp_ms), summary, histogram)| Metric {
                label,
                gauge,
                counter,
                summary,
                untyped,
                timestamp_ms,
                histogram,
            },
        )
        .boxed()
}

/// UTF-8 nearly always: one broken label refuses a whole body.
fn text() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![200 => ".{0,5}".prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..5)].boxed()
}

fn double() -> BoxedStrategy<f64> {
    prop_oneof![
        ANY_DOUBLE,
        Just(0.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        0.0..9.0
    ]
    .boxed()
}

fn label() -> BoxedStrategy<LabelPair> {
    (of(text()), of(text()))
        .prop_map(|(name, value)| LabelPair { name, value })
        .boxed()
}

fn timestamp() -> BoxedStrategy<Timestamp> {
    (of(any::<i64>()), of(any::<i32>()))
        .prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
        .boxed()
}

fn exemplar() -> BoxedStrategy<Exemplar> {
    (vec(label(), 0..3), of(double()), of(timestamp()))
        .prop_map(|(label, value, timestamp)| Exemplar {
            label,
            value,
            timestamp,
        })
        .boxed()
}

fn counter() -> BoxedStrategy<Counter> {
    (of(double()), of(exemplar()), of(timestamp()))
        .prop_map(|(value, exemplar, created_timestamp)| Counter {
            value,
            exemplar,
            created_timestamp,
        })
        .boxed()
}

fn summary() -> BoxedStrategy<Summary> {
    let quantile =
        (of(double()), of(double())).prop_map(|(quantile, value)| Quantile { quantile, value });
    (
        of(any::<u64>()),
        of(double()),
        vec(quantile, 0..3),
        of(timestamp()),
    )
        .prop_map(
            |(sample_count, sample_sum, quantile, created_timestamp)| Summary {
                sample_count,
                sample_sum,
                quantile,
                created_timestamp,
            },
        )
        .boxed()
}

fn histogram() -> BoxedStrategy<Histogram> {
    let counts = (
        of(any::<u64>()),
        of(double()),
        of(any::<u64>()),
        of(double()),
    );
    let rest = (of(double()), vec(bucket(), 0..3), of(timestamp()));
    let scales = (of(any::<i32>()), of(double()), vec(exemplar(), 0..2));
    let native = || {
        (
            vec(span(), 0..3),
            vec(any::<i64>(), 0..4),
            vec(double(), 0..4),
        )
    };
    (counts, rest, scales, native(), native())
        .prop_map(|(counts, rest, scales, negative, positive)| Histogram {
            sample_count: counts.0,
            sample_count_float: counts.1,
            zero_count: counts.2,
            zero_count_float: counts.3,
            sample_sum: rest.0,
            bucket: rest.1,
            created_timestamp: rest.2,
            schema: scales.0,
            zero_threshold: scales.1,
            exemplars: scales.2,
            negative_span: negative.0,
            negative_delta: negative.1,
            negative_count: negative.2,
            positive_span: positive.0,
            positive_delta: positive.1,
            positive_count: positive.2,
        })
        .boxed()
}

fn bucket() -> BoxedStrategy<Bucket> {
    (of(any::<u64>()), of(double()), of(double()), of(exemplar()))
        .prop_map(
            |(cumulative_count, upper_bound, cumulative_count_float, exemplar)| Bucket {
                cumulative_count,
                upper_bound,
                exemplar,
                cumulative_count_float,
            },
        )
        .boxed()
}

fn span() -> BoxedStrategy<BucketSpan> {
    (of(any::<i32>()), of(any::<u32>()))
        .prop_map(|(offset, length)| BucketSpan { offset, length })
        .boxed()
}
