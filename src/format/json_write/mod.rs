//! The JSON of the Pushgateway's query API: values as strings, keys sorted, Go's escapes.
//!
//! Written by hand rather than by serde: keys are as the data has them, nothing is
//! copied, and a family goes out before the next is looked at.

mod native;
#[cfg(test)]
mod tests;

pub use native::{Bounds, NativeBuckets, is_shown, native_buckets};

use std::collections::BTreeMap;
use std::io::Write as _;

use super::float;
use crate::clock::UnixNanos;
use crate::model::{Count, GroupKey, Histogram, Kind, Metric, Summary, Value, all_labels};

/// What an object of a family says beside its series.
#[derive(Debug, Clone, Copy)]
pub struct Heading<'a> {
    /// Type.
    pub kind: Kind,
    /// Help; an empty one is left out.
    pub help: Option<&'a str>,
    /// When the family was pushed.
    pub pushed: UnixNanos,
}

/// Appends one family of a group, its series in the order in which they are.
pub fn write_family(
    out: &mut Vec<u8>,
    heading: Heading<'_>,
    key: &GroupKey,
    metrics: &[Metric<'_>],
) {
    put(out, r#"{"time_stamp":""#);
    // Writing to memory does not fail, here and below.
    let _ = write!(out, "{}", heading.pushed.rfc3339());
    let _ = write!(out, r#"","type":"{}""#, heading.kind.as_upper());
    if let Some(help) = heading.help.filter(|help| !help.is_empty()) {
        put(out, r#","help":"#);
        write_string(out, help);
    }
    put(out, r#","metrics":["#);
    for (place, metric) in metrics.iter().enumerate() {
        put(out, if place > 0 { ",{" } else { "{" });
        write_metric(out, heading.kind, key, metric);
        put(out, "}");
    }
    put(out, "]}");
}

/// Appends an object of strings. Keys are in the order given.
pub fn write_labels<'a>(out: &mut Vec<u8>, labels: impl IntoIterator<Item = (&'a str, &'a str)>) {
    put(out, "{");
    for (place, (name, value)) in labels.into_iter().enumerate() {
        put(out, if place > 0 { "," } else { "" });
        write_string(out, name);
        put(out, ":");
        write_string(out, value);
    }
    put(out, "}");
}

/// Appends a string as Go's `encoding/json` does, which also escapes what HTML gives a
/// meaning to.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut plain = 0;
    for (place, char) in text.char_indices() {
        let escape = match char {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => "",
            _ => continue,
        };
        put(out, &text[plain..place]);
        plain = place + char.len_utf8();
        put(out, escape);
        if escape.is_empty() {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        }
    }
    put(out, &text[plain..]);
    out.push(b'"');
}

fn write_metric(out: &mut Vec<u8>, kind: Kind, key: &GroupKey, metric: &Metric<'_>) {
    match (kind, &metric.value) {
        (Kind::Histogram, Value::Histogram(histogram)) => {
            write_histogram(out, key, metric, histogram);
        }
        (Kind::Summary, Value::Summary(summary)) => write_summary(out, key, metric, summary),
        (_, value) => {
            write_series_labels(out, key, metric);
            put(out, r#","value":""#);
            match value {
                Value::Number(value, _) => write_float(out, *value),
                // So for gauge histograms, in all versions of the original.
                _ => put(out, "0"),
            }
            put(out, "\"");
        }
    }
}

/// Of equal names, which only a hidden family has, the last counts: keys stand once.
fn write_series_labels(out: &mut Vec<u8>, key: &GroupKey, metric: &Metric<'_>) {
    put(out, r#""labels":"#);
    let mut labels = all_labels(key, metric);
    labels.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            *kept = *later;
        }
        same
    });
    write_labels(out, labels);
}

fn write_summary(out: &mut Vec<u8>, key: &GroupKey, metric: &Metric<'_>, summary: &Summary) {
    let _ = write!(out, r#""count":"{}","#, summary.count);
    write_series_labels(out, key, metric);
    put(out, r#","quantiles":"#);
    let quantiles = summary.quantiles.iter();
    write_map(
        out,
        quantiles.map(|quantile| (float_text(quantile.quantile), float_text(quantile.value))),
    );
    put(out, r#","sum":""#);
    write_float(out, summary.sum);
    put(out, "\"");
}

fn write_histogram(
    out: &mut Vec<u8>,
    key: &GroupKey,
    metric: &Metric<'_>,
    histogram: &Histogram<'_>,
) {
    put(out, r#""buckets":"#);
    let native = histogram
        .native
        .as_deref()
        .filter(|it| native::is_shown(it));
    let count = if let Some(native) = native {
        native::write_buckets(out, native, histogram.count)
    } else {
        let buckets = histogram.buckets.iter();
        let texts = buckets.map(|bucket| (float_text(bucket.upper), count_text(bucket.count)));
        write_map(out, texts);
        count_text(histogram.count)
    };
    let _ = write!(out, r#","count":"{count}","#);
    write_series_labels(out, key, metric);
    put(out, r#","sum":""#);
    write_float(out, histogram.sum);
    put(out, "\"");
}

/// An object with sorted keys; of equal ones the last counts.
fn write_map(out: &mut Vec<u8>, entries: impl Iterator<Item = (String, String)>) {
    let entries: BTreeMap<String, String> = entries.collect();
    let entries = entries.iter();
    write_labels(
        out,
        entries.map(|(key, value)| (key.as_str(), value.as_str())),
    );
}

/// A count: whole, or of a float histogram. One that is not above zero is not taken for
/// a float's.
fn count_text(count: Count) -> String {
    match count {
        Count::Int(count) => count.to_string(),
        Count::Float(count) if count > 0.0 => float_text(count),
        Count::Float(_) => "0".to_owned(),
    }
}

fn float_text(value: f64) -> String {
    let mut text = Vec::with_capacity(24);
    write_float(&mut text, value);
    String::from_utf8(text).unwrap_or_default()
}

/// As the exposition has it, but for the sign of zero.
fn write_float(out: &mut Vec<u8>, value: f64) {
    if value == 0.0 && value.is_sign_negative() {
        put(out, "-");
    }
    float::write(out, value);
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
