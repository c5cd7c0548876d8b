//! Why a push that could be parsed is refused, in the Pushgateway's words.

use std::fmt::{self, Write as _};

use crate::format::{float, quote};
use crate::limits::SHOWN_LABELS;
use crate::model::{GroupKey, Kind, Metric, Value, all_labels};

/// A push that would make the exposition inconsistent. `Display` is the body of
/// the answer 400, without its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, at least one text.
    faults: Vec<String>,
    /// Whether the group's `push_failure_time_seconds` is set. Not so where the
    /// failure marker itself, or any push repeated, would break the exposition.
    pub leaves_mark: bool,
}

impl Refusal {
    /// A refusal that sets `push_failure_time_seconds`.
    pub fn marked(faults: Vec<String>) -> Self {
        Self {
            faults,
            leaves_mark: true,
        }
    }

    /// A refusal that stores nothing at all.
    pub fn unmarked(faults: Vec<String>) -> Self {
        Self {
            faults,
            leaves_mark: false,
        }
    }
}

impl Refusal {
    /// The first thing that is wrong.
    pub fn reason(&self) -> &str {
        self.faults.first().map_or("", String::as_str)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pushed metrics are invalid or inconsistent with existing metrics: ")?;
        match self.faults.as_slice() {
            [fault] => f.write_str(fault),
            faults => {
                write!(f, "{} error(s) occurred:", faults.len())?;
                faults.iter().try_for_each(|fault| write!(f, "\n* {fault}"))
            }
        }
    }
}

/// `collected metric "a" { … } ` and what is wrong with it.
pub fn collected(
    name: &str,
    key: &GroupKey,
    kind: Kind,
    metric: &Metric<'_>,
    what: &str,
) -> String {
    format!(
        "collected metric {} {} {what}",
        quote::quote(name.as_bytes()),
        dump(key, kind, metric)
    )
}

/// The fault of a series that two groups, or one push twice, would show.
pub const COLLECTED_BEFORE: &str = "was collected before with the same name and label values";

/// `s_count` beside a summary or histogram `s`.
pub fn collides(name: &str, kind: Kind, base: &str) -> String {
    let kind = if kind.is_histogram() {
        "histogram"
    } else {
        "summary"
    };
    format!(
        "collected metric named {} collides with previously collected {kind} named {}",
        quote::quote(name.as_bytes()),
        quote::quote(base.as_bytes())
    )
}

/// A series in the protobuf text form, labels and value only.
fn dump(key: &GroupKey, kind: Kind, metric: &Metric<'_>) -> String {
    let mut out = String::from("{");
    for (name, value) in all_labels(key, metric) {
        let (name, value) = (
            quote::quote(name.as_bytes()),
            quote::quote(value.as_bytes()),
        );
        let _ = write!(out, " label:{{name:{name}  value:{value}}}");
    }
    out.truncate(out.floor_char_boundary(SHOWN_LABELS));
    let _ = write!(
        out,
        " {}:{{{}}}}}",
        kind.as_upper().to_lowercase(),
        dump_value(&metric.value)
    );
    out
}

fn dump_value(value: &Value<'_>) -> String {
    let number = |value: f64| {
        let mut out = Vec::new();
        float::write(&mut out, value);
        String::from_utf8_lossy(&out).into_owned()
    };
    match value {
        Value::Number(value, _) => format!("value:{}", number(*value)),
        Value::Summary(s) => format!("sample_count:{}  sample_sum:{}", s.count, number(s.sum)),
        Value::Histogram(h) => {
            let count = number(h.count.as_f64());
            format!("sample_count:{count}  sample_sum:{}", number(h.sum))
        }
        Value::Missing => String::new(),
    }
}
