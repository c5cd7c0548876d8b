//! The types of families, what their samples are called, and what they become in
//! a scrape.

use crate::model::{Kind, Value};

/// The types of OpenMetrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Info,
    StateSet,
    Summary,
    Unknown,
}

/// What a sample line is for its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The value itself, or a quantile.
    Value,
    Bucket,
    Count,
    Sum,
    /// When the series began.
    Created,
}

impl Type {
    /// As `# TYPE` lines have them.
    pub(super) const WORDS: [(&'static str, Self); 8] = [
        ("counter", Self::Counter),
        ("gauge", Self::Gauge),
        ("histogram", Self::Histogram),
        ("gaugehistogram", Self::GaugeHistogram),
        ("info", Self::Info),
        ("stateset", Self::StateSet),
        ("summary", Self::Summary),
        ("unknown", Self::Unknown),
    ];

    /// What the names of its samples have behind that of the family.
    pub(super) fn suffixes(self) -> &'static [(&'static str, Role)] {
        match self {
            Self::Counter => &[("_total", Role::Value), ("_created", Role::Created)],
            Self::Gauge | Self::StateSet | Self::Unknown => &[("", Role::Value)],
            Self::Info => &[("_info", Role::Value)],
            Self::Summary => &[
                ("", Role::Value),
                ("_count", Role::Count),
                ("_sum", Role::Sum),
                ("_created", Role::Created),
            ],
            Self::Histogram => &[
                ("_bucket", Role::Bucket),
                ("_count", Role::Count),
                ("_sum", Role::Sum),
                ("_created", Role::Created),
            ],
            Self::GaugeHistogram => &[
                ("_bucket", Role::Bucket),
                ("_gcount", Role::Count),
                ("_gsum", Role::Sum),
            ],
        }
    }

    /// Type and suffix of the family that a scrape shows.
    pub(super) fn shown_as(self) -> (Kind, &'static str) {
        match self {
            Self::Counter => (Kind::Counter, "_total"),
            Self::Info => (Kind::Gauge, "_info"),
            Self::Gauge | Self::StateSet => (Kind::Gauge, ""),
            Self::Summary => (Kind::Summary, ""),
            Self::Histogram => (Kind::Histogram, ""),
            Self::GaugeHistogram => (Kind::GaugeHistogram, ""),
            Self::Unknown => (Kind::Untyped, ""),
        }
    }

    pub(super) fn empty_value(self) -> Value<'static> {
        match self {
            Self::Summary => Value::Summary(Box::default()),
            Self::Histogram | Self::GaugeHistogram => Value::Histogram(Box::default()),
            _ => Value::Number(0.0, None),
        }
    }
}
