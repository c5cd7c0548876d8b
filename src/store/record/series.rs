//! The series of one family: one rmp value, its form fixed by the family's type.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Damage;
use super::histogram::{ExemplarRow, HistogramOut, HistogramRow};
use super::labels::{LabelRow, LabelRows, LabelsOut};
use crate::model::{CounterDetails, Kind, Metric, Quantile, Summary, Timestamp, Value};

/// All series of a family. One form a family, so that no series repeats its own.
#[derive(Deserialize)]
enum SeriesRows<'a> {
    #[serde(borrow, rename = "n")]
    Numbers(Rows<NumberRow<'a>, Metric<'a>>),
    #[serde(borrow, rename = "s")]
    Summaries(Rows<SummaryRow<'a>, Metric<'a>>),
    #[serde(borrow, rename = "h")]
    Histograms(Rows<(LabelRows<'a>, HistogramRow<'a>), Metric<'a>>),
}

/// A sequence of rows `R` read as what they stand for, each as it comes.
pub(super) struct Rows<R, T>(pub(super) Vec<T>, PhantomData<R>);

impl<'de, R: Deserialize<'de> + Into<T>, T> Deserialize<'de> for Rows<R, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self(Vec::new(), PhantomData))
    }
}

impl<'de, R: Deserialize<'de> + Into<T>, T> Visitor<'de> for Rows<R, T> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<Self, A::Error> {
        // A length that is not that of what follows takes no memory.
        self.0
            .reserve(rows.size_hint().unwrap_or(0).min(MOST_EXPECTED));
        while let Some(row) = rows.next_element::<R>()? {
            self.0.push(row.into());
        }
        Ok(self)
    }
}

/// Rows for which there is room before they are read.
const MOST_EXPECTED: usize = 1024;

#[derive(Deserialize)]
struct NumberRow<'a> {
    /// Those that do not belong to the grouping key, sorted by name; so below.
    #[serde(borrow)]
    labels: LabelRows<'a>,
    value: f64,
    #[serde(borrow)]
    details: Option<Box<DetailsRow<'a>>>,
}

#[derive(Serialize, Deserialize)]
struct DetailsRow<'a> {
    #[serde(borrow)]
    exemplar: Option<ExemplarRow<'a>>,
    created: Option<TimestampRow>,
}

#[derive(Deserialize)]
struct SummaryRow<'a> {
    #[serde(borrow)]
    labels: LabelRows<'a>,
    count: u64,
    sum: f64,
    quantiles: Vec<(f64, f64)>,
    created: Option<TimestampRow>,
}

/// Seconds since 1970 and nanoseconds.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) struct TimestampRow(i64, i32);

/// A sequence whose rows are made one by one while they are written: the path of a push
/// allocates nothing for a series. It is read back as a vector.
pub(super) struct Each<'a, T, R>(&'a [T], fn(&'a T) -> R);

impl<'a, T, R> Each<'a, T, R> {
    pub(super) fn of(all: &'a [T], row: fn(&'a T) -> R) -> Self {
        Self(all, row)
    }
}

impl<T, R: Serialize> Serialize for Each<'_, T, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(self.1))
    }
}

/// The series that have a value of their family's type, written likewise.
struct Fitting<'a, R>(&'a [Metric<'a>], fn(&'a Metric<'a>) -> Option<R>);

impl<R: Serialize> Serialize for Fitting<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = || self.0.iter().filter_map(self.1);
        let mut all = serializer.serialize_seq(Some(rows().count()))?;
        for row in rows() {
            all.serialize_element(&row)?;
        }
        all.end()
    }
}

/// [`SeriesRows`] as they are written.
#[derive(Serialize)]
enum SeriesOut<'a> {
    #[serde(rename = "n")]
    Numbers(Fitting<'a, NumberOut<'a>>),
    #[serde(rename = "s")]
    Summaries(Fitting<'a, SummaryOut<'a>>),
    #[serde(rename = "h")]
    Histograms(Fitting<'a, (LabelsOut<'a>, HistogramOut<'a>)>),
}

/// [`NumberRow`].
#[derive(Serialize)]
struct NumberOut<'a> {
    labels: LabelsOut<'a>,
    value: f64,
    details: Option<DetailsRow<'a>>,
}

/// [`SummaryRow`].
#[derive(Serialize)]
struct SummaryOut<'a> {
    labels: LabelsOut<'a>,
    count: u64,
    sum: f64,
    quantiles: Each<'a, Quantile, (f64, f64)>,
    created: Option<TimestampRow>,
}

/// Bytes that a series and each of its buckets take, or nearly.
const SERIES_BYTES: usize = 40;

/// Bytes that the series of a family take, or nearly.
pub(super) fn size_hint(metrics: &[Metric<'_>]) -> usize {
    let lines = metrics.iter().map(|metric| match &metric.value {
        Value::Histogram(histogram) => 1 + histogram.buckets.len(),
        _ => 1,
    });
    lines.sum::<usize>() * SERIES_BYTES
}

/// Appends the series of a family.
pub(super) fn encode_series(out: &mut Vec<u8>, kind: Kind, metrics: &[Metric<'_>]) {
    let rows = match kind {
        Kind::Counter | Kind::Gauge | Kind::Untyped => SeriesOut::Numbers(Fitting(metrics, number)),
        Kind::Summary => SeriesOut::Summaries(Fitting(metrics, summary)),
        Kind::Histogram | Kind::GaugeHistogram => {
            SeriesOut::Histograms(Fitting(metrics, histogram))
        }
    };
    // Writing to memory fails only on types that rmp cannot express; ours are fixed.
    let _ = rmp_serde::encode::write(out, &rows);
}

fn labels<'a>(metric: &'a Metric<'a>) -> LabelsOut<'a> {
    Each::of(&metric.labels, LabelRow::of)
}

fn number<'a>(metric: &'a Metric<'a>) -> Option<NumberOut<'a>> {
    let Value::Number(value, details) = &metric.value else {
        return None;
    };
    let details = details.as_deref().map(|details| DetailsRow {
        exemplar: details.exemplar.as_ref().map(ExemplarRow::of),
        created: details.created.map(TimestampRow::of),
    });
    Some(NumberOut {
        labels: labels(metric),
        value: *value,
        details,
    })
}

fn summary<'a>(metric: &'a Metric<'a>) -> Option<SummaryOut<'a>> {
    let Value::Summary(summary) = &metric.value else {
        return None;
    };
    Some(SummaryOut {
        labels: labels(metric),
        count: summary.count,
        sum: summary.sum,
        quantiles: Each::of(&summary.quantiles, |q| (q.quantile, q.value)),
        created: summary.created.map(TimestampRow::of),
    })
}

fn histogram<'a>(metric: &'a Metric<'a>) -> Option<(LabelsOut<'a>, HistogramOut<'a>)> {
    let Value::Histogram(histogram) = &metric.value else {
        return None;
    };
    Some((labels(metric), HistogramOut::of(histogram)))
}

pub(super) fn decode_series(bytes: &[u8]) -> Result<Vec<Metric<'_>>, Damage> {
    let rows: SeriesRows<'_> =
        rmp_serde::from_slice(bytes).map_err(|_| "series are not of this schema version")?;
    Ok(match rows {
        SeriesRows::Numbers(rows) => rows.0,
        SeriesRows::Summaries(rows) => rows.0,
        SeriesRows::Histograms(rows) => rows.0,
    })
}

fn metric<'a>(labels: LabelRows<'a>, value: Value<'a>) -> Metric<'a> {
    Metric {
        labels: labels.into_labels(),
        value,
        timestamp_ms: None,
    }
}

impl<'a> From<NumberRow<'a>> for Metric<'a> {
    fn from(row: NumberRow<'a>) -> Self {
        let details = row.details.map(|row| {
            Box::new(CounterDetails {
                exemplar: row.exemplar.map(ExemplarRow::into_exemplar),
                created: row.created.map(TimestampRow::into_timestamp),
            })
        });
        metric(row.labels, Value::Number(row.value, details))
    }
}

impl<'a> From<SummaryRow<'a>> for Metric<'a> {
    fn from(row: SummaryRow<'a>) -> Self {
        let quantile = |(quantile, value)| Quantile { quantile, value };
        let summary = Summary {
            count: row.count,
            sum: row.sum,
            quantiles: row.quantiles.into_iter().map(quantile).collect(),
            created: row.created.map(TimestampRow::into_timestamp),
        };
        metric(row.labels, Value::Summary(Box::new(summary)))
    }
}

impl<'a> From<(LabelRows<'a>, HistogramRow<'a>)> for Metric<'a> {
    fn from((labels, row): (LabelRows<'a>, HistogramRow<'a>)) -> Self {
        metric(labels, Value::Histogram(Box::new(row.into_histogram())))
    }
}

impl TimestampRow {
    pub(super) fn of(timestamp: Timestamp) -> Self {
        Self(timestamp.seconds, timestamp.nanos)
    }

    pub(super) fn into_timestamp(self) -> Timestamp {
        Timestamp {
            seconds: self.0,
            nanos: self.1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bucket, Count, Exemplar, Histogram, Label, NativeHistogram, Span};

    fn round_trip(kind: Kind, value: Value<'static>) {
        let labels = vec![Label::new("a", ""), Label::new("b", "\u{e9}\n\"")];
        let metrics = vec![Metric {
            labels: labels.into(),
            value,
            timestamp_ms: None,
        }];
        let mut bytes = Vec::new();
        encode_series(&mut bytes, kind, &metrics);
        assert_eq!(decode_series(&bytes), Ok(metrics));
    }

    fn exemplar() -> Exemplar<'static> {
        Exemplar {
            labels: vec![Label::new("trace", "1")].into(),
            value: 0.5,
            timestamp: Some(Timestamp {
                seconds: 7,
                nanos: 8,
            }),
        }
    }

    #[test]
    fn numbers_keep_every_bit_and_their_details() {
        for value in [0.0, -0.0, f64::MIN_POSITIVE, f64::INFINITY, 1e300] {
            round_trip(Kind::Gauge, Value::Number(value, None));
        }
        let created = Some(Timestamp {
            seconds: 1,
            nanos: 2,
        });
        let details = CounterDetails {
            exemplar: Some(exemplar()),
            created,
        };
        round_trip(Kind::Counter, Value::Number(3.0, Some(Box::new(details))));
    }

    #[test]
    fn summaries_round_trip() {
        let quantiles = vec![Quantile {
            quantile: 0.99,
            value: 2.0,
        }];
        let summary = Summary {
            count: u64::MAX,
            sum: -1.5,
            quantiles,
            created: None,
        };
        round_trip(Kind::Summary, Value::Summary(Box::new(summary)));
    }

    #[test]
    fn native_and_float_histograms_with_exemplars_round_trip() {
        let native = NativeHistogram {
            schema: Some(3),
            zero_threshold: Some(0.001),
            zero_count: Some(Count::Int(1)),
            negative_spans: vec![Span {
                offset: -4,
                length: 2,
            }],
            negative_deltas: vec![1, -1],
            negative_counts: vec![],
            positive_spans: vec![Span {
                offset: 0,
                length: 1,
            }],
            positive_deltas: vec![5],
            positive_counts: vec![0.5],
            exemplars: vec![exemplar()],
        };
        let exemplar = Some(Box::new(exemplar()));
        let buckets = vec![Bucket {
            upper: f64::INFINITY,
            count: Count::Float(0.5),
            exemplar,
        }];
        let created = Some(Timestamp {
            seconds: 1,
            nanos: 2,
        });
        let count = Count::Float(0.5);
        let native = Some(Box::new(native));
        let histogram = Histogram {
            count,
            sum: 1.0,
            buckets,
            native,
            created,
        };
        round_trip(Kind::Histogram, Value::Histogram(Box::new(histogram)));
    }
}
