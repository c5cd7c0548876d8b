//! Histograms: classic buckets, native buckets, or both in one series.

use super::{Exemplar, Timestamp};

/// A count of observations: whole in an integer histogram, any number in a float one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Count {
    /// Integer histogram.
    Int(u64),
    /// Float histogram.
    Float(f64),
}

impl Count {
    /// The count as the text format prints it.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the exposition prints counts as doubles"
    )]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Float(n) => n,
        }
    }
}

impl Default for Count {
    fn default() -> Self {
        Self::Int(0)
    }
}

/// A histogram.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram<'a> {
    /// Number of observations.
    pub count: Count,
    /// Sum of observations.
    pub sum: f64,
    /// Classic buckets in pushed order, cumulative. `+Inf` only if it was pushed.
    pub buckets: Vec<Bucket<'a>>,
    /// Native buckets.
    pub native: Option<Box<NativeHistogram<'a>>>,
    /// When the histogram started.
    pub created: Option<Timestamp>,
}

/// One classic bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket<'a> {
    /// Upper bound, inclusive.
    pub upper: f64,
    /// Observations up to the bound.
    pub count: Count,
    /// Exemplar.
    pub exemplar: Option<Box<Exemplar<'a>>>,
}

/// The native part of a histogram, as `io.prometheus.client.Histogram` has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NativeHistogram<'a> {
    /// Resolution; -53 marks custom bounds.
    pub schema: Option<i32>,
    /// Width of the zero bucket.
    pub zero_threshold: Option<f64>,
    /// Observations in the zero bucket.
    pub zero_count: Option<Count>,
    /// Spans of the negative buckets.
    pub negative_spans: Vec<Span>,
    /// Integer histogram: count deltas of the negative buckets.
    pub negative_deltas: Vec<i64>,
    /// Float histogram: counts of the negative buckets.
    pub negative_counts: Vec<f64>,
    /// Spans of the positive buckets.
    pub positive_spans: Vec<Span>,
    /// Integer histogram: count deltas of the positive buckets.
    pub positive_deltas: Vec<i64>,
    /// Float histogram: counts of the positive buckets.
    pub positive_counts: Vec<f64>,
    /// Exemplars of native buckets.
    pub exemplars: Vec<Exemplar<'a>>,
}

/// A run of consecutive native buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Gap to the previous span, or the first bucket's index.
    pub offset: i32,
    /// Number of buckets.
    pub length: u32,
}
