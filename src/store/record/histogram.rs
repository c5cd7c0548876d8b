//! Histograms and exemplars.

use serde::{Deserialize, Serialize};

use super::labels::LabelRows;
use super::series::{Each, Rows, TimestampRow};
use crate::model::{Bucket, Count, Exemplar, Histogram, NativeHistogram, Span};

#[derive(Deserialize)]
pub(super) struct HistogramRow<'a> {
    count: CountRow,
    sum: f64,
    #[serde(borrow)]
    buckets: Rows<BucketRow<'a>, Bucket<'a>>,
    #[serde(borrow)]
    native: Option<NativeRow<'a>>,
    created: Option<TimestampRow>,
}

/// [`HistogramRow`] as it is written.
#[derive(Serialize)]
pub(super) struct HistogramOut<'a> {
    count: CountRow,
    sum: f64,
    buckets: Each<'a, Bucket<'a>, BucketRow<'a>>,
    native: Option<NativeRow<'a>>,
    created: Option<TimestampRow>,
}

/// A whole count, or a float one: exactly one of the two is there.
#[derive(Serialize, Deserialize, Clone, Copy)]
struct CountRow(Option<u64>, Option<f64>);

#[derive(Serialize, Deserialize)]
struct BucketRow<'a> {
    upper: f64,
    count: CountRow,
    #[serde(borrow)]
    exemplar: Option<Box<ExemplarRow<'a>>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ExemplarRow<'a> {
    #[serde(borrow)]
    labels: LabelRows<'a>,
    value: f64,
    timestamp: Option<TimestampRow>,
}

#[derive(Serialize, Deserialize)]
struct NativeRow<'a> {
    schema: Option<i32>,
    zero_threshold: Option<f64>,
    zero_count: Option<CountRow>,
    negative: SideRow,
    positive: SideRow,
    #[serde(borrow)]
    exemplars: Vec<ExemplarRow<'a>>,
}

/// The buckets on one side of zero.
#[derive(Serialize, Deserialize)]
struct SideRow {
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

impl<'a> HistogramOut<'a> {
    pub(super) fn of(histogram: &'a Histogram<'_>) -> Self {
        Self {
            count: CountRow::of(histogram.count),
            sum: histogram.sum,
            buckets: Each::of(&histogram.buckets, BucketRow::of),
            native: histogram.native.as_deref().map(NativeRow::of),
            created: histogram.created.map(TimestampRow::of),
        }
    }
}

impl<'a> HistogramRow<'a> {
    pub(super) fn into_histogram(self) -> Histogram<'a> {
        Histogram {
            count: self.count.into_count(),
            sum: self.sum,
            buckets: self.buckets.0,
            native: self.native.map(|row| Box::new(row.into_native())),
            created: self.created.map(TimestampRow::into_timestamp),
        }
    }
}

impl CountRow {
    fn of(count: Count) -> Self {
        match count {
            Count::Int(n) => Self(Some(n), None),
            Count::Float(n) => Self(None, Some(n)),
        }
    }

    fn into_count(self) -> Count {
        match self {
            Self(_, Some(n)) => Count::Float(n),
            Self(n, None) => Count::Int(n.unwrap_or_default()),
        }
    }
}

impl<'a> BucketRow<'a> {
    fn of(bucket: &'a Bucket<'_>) -> Self {
        Self {
            upper: bucket.upper,
            count: CountRow::of(bucket.count),
            exemplar: bucket
                .exemplar
                .as_deref()
                .map(|exemplar| Box::new(ExemplarRow::of(exemplar))),
        }
    }
}

impl<'a> From<BucketRow<'a>> for Bucket<'a> {
    fn from(row: BucketRow<'a>) -> Self {
        Self {
            upper: row.upper,
            count: row.count.into_count(),
            exemplar: row.exemplar.map(|row| Box::new(row.into_exemplar())),
        }
    }
}

impl<'a> ExemplarRow<'a> {
    pub(super) fn of(exemplar: &'a Exemplar<'_>) -> Self {
        Self {
            labels: LabelRows::of(&exemplar.labels),
            value: exemplar.value,
            timestamp: exemplar.timestamp.map(TimestampRow::of),
        }
    }

    pub(super) fn into_exemplar(self) -> Exemplar<'a> {
        Exemplar {
            labels: self.labels.into_labels(),
            value: self.value,
            timestamp: self.timestamp.map(TimestampRow::into_timestamp),
        }
    }
}

impl<'a> NativeRow<'a> {
    fn of(native: &'a NativeHistogram<'_>) -> Self {
        Self {
            schema: native.schema,
            zero_threshold: native.zero_threshold,
            zero_count: native.zero_count.map(CountRow::of),
            negative: SideRow::of(
                &native.negative_spans,
                &native.negative_deltas,
                &native.negative_counts,
            ),
            positive: SideRow::of(
                &native.positive_spans,
                &native.positive_deltas,
                &native.positive_counts,
            ),
            exemplars: native.exemplars.iter().map(ExemplarRow::of).collect(),
        }
    }

    fn into_native(self) -> NativeHistogram<'a> {
        NativeHistogram {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count.map(CountRow::into_count),
            negative_spans: self.negative.spans(),
            negative_deltas: self.negative.deltas,
            negative_counts: self.negative.counts,
            positive_spans: self.positive.spans(),
            positive_deltas: self.positive.deltas,
            positive_counts: self.positive.counts,
            exemplars: self
                .exemplars
                .into_iter()
                .map(ExemplarRow::into_exemplar)
                .collect(),
        }
    }
}

impl SideRow {
    fn of(spans: &[Span], deltas: &[i64], counts: &[f64]) -> Self {
        Self {
            spans: spans
                .iter()
                .map(|span| (span.offset, span.length))
                .collect(),
            deltas: deltas.to_vec(),
            counts: counts.to_vec(),
        }
    }

    fn spans(&self) -> Vec<Span> {
        self.spans
            .iter()
            .map(|(offset, length)| Span {
                offset: *offset,
                length: *length,
            })
            .collect()
    }
}
