//! A metric family and what it holds, all but histograms.

use std::borrow::Cow;

use super::{Histogram, Labels};

/// The type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A value that only grows.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Count, sum and quantiles.
    Summary,
    /// No declared type.
    Untyped,
    /// Count, sum and buckets, classic, native or both.
    Histogram,
    /// A histogram whose buckets may shrink. The text format calls it `histogram`.
    GaugeHistogram,
}

impl Kind {
    /// The word of a `# TYPE` line in the text format 0.0.4.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
            Self::Histogram | Self::GaugeHistogram => "histogram",
        }
    }

    /// The upper-case word that error texts and the JSON API use.
    pub fn as_upper(self) -> &'static str {
        match self {
            Self::Counter => "COUNTER",
            Self::Gauge => "GAUGE",
            Self::Summary => "SUMMARY",
            Self::Untyped => "UNTYPED",
            Self::Histogram => "HISTOGRAM",
            Self::GaugeHistogram => "GAUGE_HISTOGRAM",
        }
    }

    /// Suffixes that the samples of a family of this type take beside its name.
    pub fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Summary => &["_count", "_sum"],
            Self::Histogram | Self::GaugeHistogram => &["_count", "_sum", "_bucket"],
            Self::Counter | Self::Gauge | Self::Untyped => &[],
        }
    }

    /// The names of families of which `name` could be a sample, each with the suffix.
    pub fn bases(name: &str) -> impl Iterator<Item = (&str, &'static str)> {
        ["_count", "_sum", "_bucket"]
            .into_iter()
            .filter_map(move |suffix| Some((name.strip_suffix(suffix)?, suffix)))
    }

    /// Whether the family's samples carry `_bucket`, `_sum` and `_count` names.
    pub fn is_histogram(self) -> bool {
        matches!(self, Self::Histogram | Self::GaugeHistogram)
    }
}

/// All series of one metric name in one push.
#[derive(Debug, Clone, PartialEq)]
pub struct Family<'a> {
    /// Metric name as pushed. Legal in the text format; any UTF-8 from protobuf.
    pub name: Cow<'a, str>,
    /// Type, `Untyped` where none was given in text.
    pub kind: Kind,
    /// Help, unescaped. `None`: none was given; `Some("")`: an empty one was.
    pub help: Option<Cow<'a, str>>,
    /// Series in the order in which they were pushed.
    pub metrics: Vec<Metric<'a>>,
}

/// One series: its labels and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric<'a> {
    /// Labels, unescaped. As pushed when fresh from a parser; sorted by name
    /// and without those of the grouping key once a push is prepared.
    pub labels: Labels<'a>,
    /// The value.
    pub value: Value<'a>,
    /// A timestamp given by the pusher, milliseconds since 1970. It is refused.
    pub timestamp_ms: Option<i64>,
}

/// A label, name and value unescaped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label<'a> {
    /// Label name.
    pub name: Cow<'a, str>,
    /// Label value, any UTF-8.
    pub value: Cow<'a, str>,
}

impl<'a> Label<'a> {
    /// A label of this name and value.
    pub fn new(name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }

    /// A label that says nothing: what stands where there is none yet.
    pub(super) const fn empty() -> Self {
        Self {
            name: Cow::Borrowed(""),
            value: Cow::Borrowed(""),
        }
    }
}

/// The value of one series; its form follows the family's [`Kind`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Counter, gauge or untyped. Only a counter from protobuf has details.
    Number(f64, Option<Box<CounterDetails<'a>>>),
    /// Summary.
    Summary(Box<Summary>),
    /// Histogram or gauge histogram.
    Histogram(Box<Histogram<'a>>),
    /// A protobuf series without a value of its family's type. The check refuses it.
    Missing,
}

/// What a protobuf counter may carry beside its value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CounterDetails<'a> {
    /// Exemplar.
    pub exemplar: Option<Exemplar<'a>>,
    /// When the counter started.
    pub created: Option<Timestamp>,
}

/// A summary.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Number of observations.
    pub count: u64,
    /// Sum of observations.
    pub sum: f64,
    /// Quantiles in pushed order.
    pub quantiles: Vec<Quantile>,
    /// When the summary started.
    pub created: Option<Timestamp>,
}

/// One quantile of a summary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The rank, for example 0.99; not checked.
    pub quantile: f64,
    /// The value at that rank.
    pub value: f64,
}

/// An exemplar of a counter, a bucket or a native histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar<'a> {
    /// Its labels, as pushed.
    pub labels: Labels<'a>,
    /// The observed value.
    pub value: f64,
    /// When it was observed.
    pub timestamp: Option<Timestamp>,
}

/// A protobuf timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds of that second.
    pub nanos: i32,
}
