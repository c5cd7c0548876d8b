//! The series of one family: one rmp value, its form fixed by the family's type.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Damage;
use super::histogram::{ExemplarRow, HistogramRow};
use crate::model::{CounterDetails, Kind, Label, Metric, Quantile, Summary, Timestamp, Value};

/// All series of a family. One form a family, so that no series repeats its own.
#[derive(Serialize, Deserialize)]
enum SeriesRows<'a> {
    #[serde(borrow, rename = "n")]
    Numbers(Vec<NumberRow<'a>>),
    #[serde(borrow, rename = "s")]
    Summaries(Vec<SummaryRow<'a>>),
    #[serde(borrow, rename = "h")]
    Histograms(Vec<(LabelRows<'a>, HistogramRow<'a>)>),
}

/// Labels that do not belong to the grouping key, sorted by name.
#[derive(Serialize, Deserialize)]
pub(super) struct LabelRows<'a>(#[serde(borrow)] Vec<LabelRow<'a>>);

#[derive(Serialize, Deserialize)]
struct LabelRow<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Cow<'a, str>);

#[derive(Serialize, Deserialize)]
struct NumberRow<'a> {
    #[serde(borrow)]
    labels: LabelRows<'a>,
    value: f64,
    #[serde(borrow)]
    details: Option<DetailsRow<'a>>,
}

#[derive(Serialize, Deserialize)]
struct DetailsRow<'a> {
    #[serde(borrow)]
    exemplar: Option<ExemplarRow<'a>>,
    created: Option<TimestampRow>,
}

#[derive(Serialize, Deserialize)]
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

pub(super) fn encode_series(kind: Kind, metrics: &[Metric<'_>]) -> Vec<u8> {
    let rows = match kind {
        Kind::Counter | Kind::Gauge | Kind::Untyped => {
            SeriesRows::Numbers(metrics.iter().filter_map(NumberRow::of).collect())
        }
        Kind::Summary => SeriesRows::Summaries(metrics.iter().filter_map(SummaryRow::of).collect()),
        Kind::Histogram | Kind::GaugeHistogram => {
            SeriesRows::Histograms(metrics.iter().filter_map(histogram_row).collect())
        }
    };
    // Writing to memory fails only on types that rmp cannot express; ours are fixed.
    rmp_serde::to_vec(&rows).unwrap_or_default()
}

pub(super) fn decode_series(bytes: &[u8]) -> Result<Vec<Metric<'_>>, Damage> {
    let rows: SeriesRows<'_> =
        rmp_serde::from_slice(bytes).map_err(|_| "series are not of this schema version")?;
    Ok(match rows {
        SeriesRows::Numbers(rows) => rows.into_iter().map(NumberRow::into_metric).collect(),
        SeriesRows::Summaries(rows) => rows.into_iter().map(SummaryRow::into_metric).collect(),
        SeriesRows::Histograms(rows) => rows
            .into_iter()
            .map(|(labels, row)| metric(labels, Value::Histogram(Box::new(row.into_histogram()))))
            .collect(),
    })
}

fn metric<'a>(labels: LabelRows<'a>, value: Value<'a>) -> Metric<'a> {
    Metric {
        labels: labels.into_labels(),
        value,
        timestamp_ms: None,
    }
}

fn histogram_row<'a>(metric: &'a Metric<'_>) -> Option<(LabelRows<'a>, HistogramRow<'a>)> {
    let Value::Histogram(histogram) = &metric.value else {
        return None;
    };
    Some((LabelRows::of(&metric.labels), HistogramRow::of(histogram)))
}

impl<'a> NumberRow<'a> {
    fn of(metric: &'a Metric<'_>) -> Option<Self> {
        let Value::Number(value, details) = &metric.value else {
            return None;
        };
        let details = details.as_deref().map(|details| DetailsRow {
            exemplar: details.exemplar.as_ref().map(ExemplarRow::of),
            created: details.created.map(TimestampRow::of),
        });
        Some(Self {
            labels: LabelRows::of(&metric.labels),
            value: *value,
            details,
        })
    }

    fn into_metric(self) -> Metric<'a> {
        let details = self.details.map(|row| {
            Box::new(CounterDetails {
                exemplar: row.exemplar.map(ExemplarRow::into_exemplar),
                created: row.created.map(TimestampRow::into_timestamp),
            })
        });
        metric(self.labels, Value::Number(self.value, details))
    }
}

impl<'a> SummaryRow<'a> {
    fn of(metric: &'a Metric<'_>) -> Option<Self> {
        let Value::Summary(summary) = &metric.value else {
            return None;
        };
        Some(Self {
            labels: LabelRows::of(&metric.labels),
            count: summary.count,
            sum: summary.sum,
            quantiles: summary
                .quantiles
                .iter()
                .map(|q| (q.quantile, q.value))
                .collect(),
            created: summary.created.map(TimestampRow::of),
        })
    }

    fn into_metric(self) -> Metric<'a> {
        let quantile = |(quantile, value)| Quantile { quantile, value };
        let summary = Summary {
            count: self.count,
            sum: self.sum,
            quantiles: self.quantiles.into_iter().map(quantile).collect(),
            created: self.created.map(TimestampRow::into_timestamp),
        };
        metric(self.labels, Value::Summary(Box::new(summary)))
    }
}

impl<'a> LabelRows<'a> {
    pub(super) fn of(labels: &'a [Label<'_>]) -> Self {
        let row = |label: &'a Label<'_>| {
            LabelRow(Cow::Borrowed(&label.name), Cow::Borrowed(&label.value))
        };
        Self(labels.iter().map(row).collect())
    }

    pub(super) fn into_labels(self) -> Vec<Label<'a>> {
        self.0
            .into_iter()
            .map(|LabelRow(name, value)| Label { name, value })
            .collect()
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
    use crate::model::{Bucket, Count, Exemplar, Histogram, NativeHistogram, Span};

    fn round_trip(kind: Kind, value: Value<'static>) {
        let labels = vec![Label::new("a", ""), Label::new("b", "\u{e9}\n\"")];
        let metrics = vec![Metric {
            labels,
            value,
            timestamp_ms: None,
        }];
        let bytes = encode_series(kind, &metrics);
        assert_eq!(decode_series(&bytes), Ok(metrics));
    }

    fn exemplar() -> Exemplar<'static> {
        Exemplar {
            labels: vec![Label::new("trace", "1")],
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
