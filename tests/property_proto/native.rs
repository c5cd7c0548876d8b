//! A native histogram with all that 1.11 knows, as a message.

use super::messages::{Bucket, BucketSpan, Exemplar, Histogram, LabelPair, Timestamp};

/// An exemplar with a label and a time.
pub(crate) fn exemplar() -> Exemplar {
    Exemplar {
        label: vec![LabelPair {
            name: Some(b"trace_id".to_vec()),
            value: Some(b"4bf92f".to_vec()),
        }],
        value: Some(0.75),
        timestamp: Some(Timestamp {
            seconds: Some(1_795_308_991),
            nanos: Some(7),
        }),
    }
}

/// A run of native buckets.
pub(crate) fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan {
        offset: Some(offset),
        length: Some(length),
    }
}

/// A histogram with native buckets on both sides of zero, a classic one, and exemplars.
pub(crate) fn histogram() -> Histogram {
    Histogram {
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
    }
}
