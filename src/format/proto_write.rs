//! Writes the protobuf exposition: `io.prometheus.client.MetricFamily` messages,
//! each after its length.
//!
//! A family's message is a header and the `metric` fields of its groups behind
//! each other, so that these can be encoded apart and copied. Fields stand in the
//! order in which the schema declares them (not that of their numbers), since
//! that is the order in which `prototext` prints them. Repeated scalars are packed.

use super::escape::distinct;
use super::identity::Identity;
use super::metric_type;
use super::proto::wire::take_delimited;
use crate::model::{
    Bucket, Count, CounterDetails, Exemplar, Family, Histogram, Kind, Metric, NativeHistogram,
    Span, Summary, Timestamp, Value,
};

/// Wire types.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;

/// Tag of `MetricFamily.metric` and of `Metric.label`.
const METRIC_TAG: u8 = 4 << 3 | 2;
const LABEL_TAG: u8 = 1 << 3 | 2;

/// Appends the length of a family's message, its name, help and type; `len` bytes
/// of `metric` fields follow.
pub(super) fn write_header(
    out: &mut Vec<u8>,
    name: &str,
    kind: Kind,
    help: Option<&str>,
    len: usize,
) {
    let mut header = Vec::with_capacity(name.len() + help.map_or(0, str::len) + 12);
    write_str(&mut header, 1, name);
    if let Some(help) = help {
        write_str(&mut header, 2, help);
    }
    write_uint(&mut header, 3, metric_type::number(kind));
    write_varint(out, (header.len() + len) as u64);
    out.extend_from_slice(&header);
}

/// Appends the series of `family` as `metric` fields; like
/// [`write_metrics`](super::text_write::write_metrics), but everything that was
/// pushed is kept, and nothing is added.
pub(super) fn write_metrics(out: &mut Vec<u8>, family: &Family<'_>, identity: &Identity) -> bool {
    let start = out.len();
    let legacy = write_all(out, family.kind, &family.metrics, identity);
    if !legacy {
        out.truncate(start);
        let escaping = identity.form().escaping;
        let shown = distinct(&family.metrics, &identity.names(), escaping);
        write_all(out, family.kind, shown, identity);
    }
    legacy
}

/// Appends one gauge that has only the labels of `identity`; like
/// [`write_sample`](super::text_write::write_sample).
pub(super) fn write_gauge(out: &mut Vec<u8>, identity: &Identity, value: f64) -> bool {
    if !identity.is_shown() {
        return false;
    }
    let mut legacy = true;
    write_message(out, 4, |out| {
        legacy = identity.write_merged(out, &[]);
        write_value(out, Kind::Gauge, &Value::Number(value, None));
    });
    legacy
}

/// Appends one `label` field.
pub(super) fn write_label(out: &mut Vec<u8>, name: &str, value: &str) {
    write_message(out, 1, |out| {
        write_str(out, 1, name);
        write_str(out, 2, value);
    });
}

/// Shows the label fields of each `metric` field in `rendered`.
pub(super) fn each_series<'a>(mut rendered: &'a [u8], mut see: impl FnMut(&'a [u8])) {
    while let Some(after) = rendered.strip_prefix(&[METRIC_TAG]) {
        rendered = after;
        let Ok(metric) = take_delimited(&mut rendered) else {
            return; // Written here, so never.
        };
        let mut rest = metric;
        while let Some(mut after) = rest.strip_prefix(&[LABEL_TAG]) {
            if take_delimited(&mut after).is_err() {
                break;
            }
            rest = after;
        }
        see(&metric[..metric.len() - rest.len()]);
    }
}

fn write_all<'m>(
    out: &mut Vec<u8>,
    kind: Kind,
    metrics: impl IntoIterator<Item = &'m Metric<'m>>,
    identity: &Identity,
) -> bool {
    let mut legacy = true;
    for metric in metrics {
        if metric.value == Value::Missing {
            continue;
        }
        write_message(out, 4, |out| {
            legacy &= identity.write_merged(out, &metric.labels);
            write_value(out, kind, &metric.value);
        });
    }
    legacy
}

fn write_value(out: &mut Vec<u8>, kind: Kind, value: &Value<'_>) {
    match value {
        Value::Number(value, details) => {
            let field = match kind {
                Kind::Gauge => 2,
                Kind::Counter => 3,
                _ => 5,
            };
            write_message(out, field, |out| {
                write_double(out, 1, *value);
                if let Some(details) = details {
                    write_details(out, details);
                }
            });
        }
        Value::Summary(summary) => write_message(out, 4, |out| write_summary(out, summary)),
        Value::Histogram(histogram) => {
            write_message(out, 7, |out| write_histogram(out, histogram));
        }
        Value::Missing => {}
    }
}

fn write_details(out: &mut Vec<u8>, details: &CounterDetails<'_>) {
    if let Some(exemplar) = &details.exemplar {
        write_exemplar(out, 2, exemplar);
    }
    write_created(out, 3, details.created);
}

fn write_summary(out: &mut Vec<u8>, summary: &Summary) {
    write_uint(out, 1, summary.count);
    write_double(out, 2, summary.sum);
    for quantile in &summary.quantiles {
        write_message(out, 3, |out| {
            write_double(out, 1, quantile.quantile);
            write_double(out, 2, quantile.value);
        });
    }
    write_created(out, 4, summary.created);
}

fn write_histogram(out: &mut Vec<u8>, histogram: &Histogram<'_>) {
    write_count(out, 1, 4, histogram.count);
    write_double(out, 2, histogram.sum);
    for bucket in &histogram.buckets {
        write_message(out, 3, |out| write_bucket(out, bucket));
    }
    write_created(out, 15, histogram.created);
    if let Some(native) = &histogram.native {
        write_native(out, native);
    }
}

fn write_bucket(out: &mut Vec<u8>, bucket: &Bucket<'_>) {
    write_count(out, 1, 4, bucket.count);
    write_double(out, 2, bucket.upper);
    if let Some(exemplar) = &bucket.exemplar {
        write_exemplar(out, 3, exemplar);
    }
}

fn write_native(out: &mut Vec<u8>, native: &NativeHistogram<'_>) {
    if let Some(schema) = native.schema {
        write_uint(out, 5, u64::from(zigzag32(schema)));
    }
    if let Some(threshold) = native.zero_threshold {
        write_double(out, 6, threshold);
    }
    if let Some(count) = native.zero_count {
        write_count(out, 7, 8, count);
    }
    write_spans(out, 9, &native.negative_spans);
    write_deltas(out, 10, &native.negative_deltas);
    write_doubles(out, 11, &native.negative_counts);
    write_spans(out, 12, &native.positive_spans);
    write_deltas(out, 13, &native.positive_deltas);
    write_doubles(out, 14, &native.positive_counts);
    for exemplar in &native.exemplars {
        write_exemplar(out, 16, exemplar);
    }
}

fn write_spans(out: &mut Vec<u8>, field: u32, spans: &[Span]) {
    for span in spans {
        write_message(out, field, |out| {
            write_uint(out, 1, u64::from(zigzag32(span.offset)));
            write_uint(out, 2, u64::from(span.length));
        });
    }
}

fn write_deltas(out: &mut Vec<u8>, field: u32, deltas: &[i64]) {
    if !deltas.is_empty() {
        write_message(out, field, |out| {
            for delta in deltas {
                write_varint(out, ((delta << 1) ^ (delta >> 63)).cast_unsigned());
            }
        });
    }
}

fn write_doubles(out: &mut Vec<u8>, field: u32, doubles: &[f64]) {
    if !doubles.is_empty() {
        write_message(out, field, |out| {
            for double in doubles {
                out.extend_from_slice(&double.to_le_bytes());
            }
        });
    }
}

fn write_exemplar(out: &mut Vec<u8>, field: u32, exemplar: &Exemplar<'_>) {
    write_message(out, field, |out| {
        for label in &exemplar.labels {
            write_label(out, &label.name, &label.value);
        }
        write_double(out, 2, exemplar.value);
        write_created(out, 3, exemplar.timestamp);
    });
}

/// A `google.protobuf.Timestamp`, in which zeroes are left out.
fn write_created(out: &mut Vec<u8>, field: u32, timestamp: Option<Timestamp>) {
    let Some(Timestamp { seconds, nanos }) = timestamp else {
        return;
    };
    write_message(out, field, |out| {
        for (field, value) in [(1, seconds), (2, i64::from(nanos))] {
            if value != 0 {
                write_uint(out, field, value.cast_unsigned());
            }
        }
    });
}

fn write_count(out: &mut Vec<u8>, whole: u32, float: u32, count: Count) {
    match count {
        Count::Int(count) => write_uint(out, whole, count),
        Count::Float(count) => write_double(out, float, count),
    }
}

fn write_str(out: &mut Vec<u8>, field: u32, text: &str) {
    write_tag(out, field, BYTES);
    write_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn write_uint(out: &mut Vec<u8>, field: u32, value: u64) {
    write_tag(out, field, VARINT);
    write_varint(out, value);
}

fn write_double(out: &mut Vec<u8>, field: u32, value: f64) {
    write_tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a field whose content `body` appends.
fn write_message(out: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    write_tag(out, field, BYTES);
    let at = out.len();
    // Room for the length of most messages; longer ones are moved by a byte or two.
    out.push(0);
    body(out);
    let len = (out.len() - at - 1) as u64;
    if let Ok(short) = u8::try_from(len)
        && short < 0x80
    {
        out[at] = short;
        return;
    }
    let mut prefix = Vec::with_capacity(5);
    write_varint(&mut prefix, len);
    out.splice(at..=at, prefix);
}

fn write_tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    write_varint(out, u64::from(field << 3 | wire_type));
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low7(value) | 0x80);
        value >>= 7;
    }
    out.push(low7(value));
}

fn low7(value: u64) -> u8 {
    (value & 0x7F) as u8
}

fn zigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}
