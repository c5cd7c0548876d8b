//! Prints delimited `MetricFamily` messages as the text form of protobuf, in the
//! two layouts that an exposition can be asked for: `encoding=text` with a field a
//! line and an empty line behind each family, `encoding=compact-text` with a family
//! a line.
//!
//! Fields are printed in the order in which they stand. How many blanks stand
//! between them is not fixed by the format; Go's printer varies it from build to
//! build on purpose.

use std::io::Write;

use super::float;
use super::metric_type;
use super::proto::wire::{Fields, Wire, sint32, sint64, take_varint};
use crate::model::Kind;

/// Prints a stream of messages piece by piece.
#[derive(Debug)]
pub struct Prototext {
    compact: bool,
    /// Bytes of the message begun that are still to come.
    left: usize,
}

/// The type of a field.
#[derive(Clone, Copy)]
enum Type {
    Double,
    Uint,
    Int,
    Sint32,
    Sint64,
    Text,
    Kind,
    Message(Schema),
}

/// The fields of a message: number, name, type.
type Schema = &'static [(u32, &'static str, Type)];

const FAMILY: Schema = &[
    (1, "name", Type::Text),
    (2, "help", Type::Text),
    (3, "type", Type::Kind),
    (4, "metric", Type::Message(METRIC)),
];
const METRIC: Schema = &[
    (1, "label", Type::Message(LABEL)),
    (2, "gauge", Type::Message(NUMBER)),
    (3, "counter", Type::Message(COUNTER)),
    (4, "summary", Type::Message(SUMMARY)),
    (5, "untyped", Type::Message(NUMBER)),
    (7, "histogram", Type::Message(HISTOGRAM)),
];
const LABEL: Schema = &[(1, "name", Type::Text), (2, "value", Type::Text)];
const NUMBER: Schema = &[(1, "value", Type::Double)];
const COUNTER: Schema = &[
    (1, "value", Type::Double),
    (2, "exemplar", Type::Message(EXEMPLAR)),
    (3, "created_timestamp", Type::Message(TIMESTAMP)),
];
const SUMMARY: Schema = &[
    (1, "sample_count", Type::Uint),
    (2, "sample_sum", Type::Double),
    (3, "quantile", Type::Message(QUANTILE)),
    (4, "created_timestamp", Type::Message(TIMESTAMP)),
];
const QUANTILE: Schema = &[(1, "quantile", Type::Double), (2, "value", Type::Double)];
const HISTOGRAM: Schema = &[
    (1, "sample_count", Type::Uint),
    (2, "sample_sum", Type::Double),
    (3, "bucket", Type::Message(BUCKET)),
    (4, "sample_count_float", Type::Double),
    (5, "schema", Type::Sint32),
    (6, "zero_threshold", Type::Double),
    (7, "zero_count", Type::Uint),
    (8, "zero_count_float", Type::Double),
    (9, "negative_span", Type::Message(SPAN)),
    (10, "negative_delta", Type::Sint64),
    (11, "negative_count", Type::Double),
    (12, "positive_span", Type::Message(SPAN)),
    (13, "positive_delta", Type::Sint64),
    (14, "positive_count", Type::Double),
    (15, "created_timestamp", Type::Message(TIMESTAMP)),
    (16, "exemplars", Type::Message(EXEMPLAR)),
];
const BUCKET: Schema = &[
    (1, "cumulative_count", Type::Uint),
    (2, "upper_bound", Type::Double),
    (3, "exemplar", Type::Message(EXEMPLAR)),
    (4, "cumulative_count_float", Type::Double),
];
const SPAN: Schema = &[(1, "offset", Type::Sint32), (2, "length", Type::Uint)];
const EXEMPLAR: Schema = &[
    (1, "label", Type::Message(LABEL)),
    (2, "value", Type::Double),
    (3, "timestamp", Type::Message(TIMESTAMP)),
];
const TIMESTAMP: Schema = &[(1, "seconds", Type::Int), (2, "nanos", Type::Int)];

impl Prototext {
    /// A printer at the beginning of a stream.
    pub fn new(compact: bool) -> Self {
        Self { compact, left: 0 }
    }

    /// Prints the next piece of the stream, which ends at the end of a field of a family.
    pub fn print(&mut self, mut piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len() * 3);
        while !piece.is_empty() {
            if self.left == 0 {
                let Ok(len) = take_varint(&mut piece) else {
                    return out; // Made by `proto_write`, so never.
                };
                self.left = usize::try_from(len).unwrap_or(usize::MAX);
            } else if self.compact {
                out.push(b' ');
            }
            let (here, after) = piece.split_at(piece.len().min(self.left));
            let mut printer = Printer {
                out: &mut out,
                compact: self.compact,
                depth: 0,
            };
            printer.message(here, FAMILY);
            self.left -= here.len();
            piece = after;
            if self.left == 0 {
                // What `fmt.Fprintln` adds: compact families have no line end of their own.
                out.push(b'\n');
            }
        }
        out
    }
}

struct Printer<'o> {
    out: &'o mut Vec<u8>,
    compact: bool,
    depth: usize,
}

impl Printer<'_> {
    fn message(&mut self, message: &[u8], schema: Schema) {
        let mut first = true;
        for (number, wire) in Fields::new(message).flatten() {
            let Some((_, name, kind)) = schema.iter().find(|field| field.0 == number) else {
                continue;
            };
            for wire in unpacked(wire, *kind) {
                self.begin(name, first);
                self.value(wire, *kind);
                if !self.compact {
                    self.out.push(b'\n');
                }
                first = false;
            }
        }
    }

    fn begin(&mut self, name: &str, first: bool) {
        if self.compact {
            if !first {
                self.out.push(b' ');
            }
            self.put(format_args!("{name}:"));
        } else {
            let indent = 2 * self.depth;
            self.put(format_args!("{:indent$}{name}: ", ""));
        }
    }

    fn value(&mut self, wire: Wire<'_>, kind: Type) {
        match (kind, wire) {
            (Type::Message(schema), Wire::Bytes(message)) => self.braces(message, schema),
            (Type::Text, Wire::Bytes(text)) => self.text(text),
            (Type::Double, Wire::Fixed64(bits)) => self.double(f64::from_bits(bits)),
            (Type::Uint, Wire::Varint(value)) => self.put(format_args!("{value}")),
            (Type::Int, Wire::Varint(value)) => self.put(format_args!("{}", value.cast_signed())),
            (Type::Sint32, Wire::Varint(value)) => self.put(format_args!("{}", sint32(value))),
            (Type::Sint64, Wire::Varint(value)) => self.put(format_args!("{}", sint64(value))),
            (Type::Kind, Wire::Varint(value)) => {
                let kind = metric_type::from_number(value).unwrap_or(Kind::Untyped);
                self.put(format_args!("{}", kind.as_upper()));
            }
            _ => {}
        }
    }

    fn braces(&mut self, message: &[u8], schema: Schema) {
        self.out.push(b'{');
        if !self.compact && !message.is_empty() {
            self.out.push(b'\n');
        }
        self.depth += 1;
        self.message(message, schema);
        self.depth -= 1;
        if !self.compact && !message.is_empty() {
            let indent = 2 * self.depth;
            self.put(format_args!("{:indent$}", ""));
        }
        self.out.push(b'}');
    }

    fn double(&mut self, value: f64) {
        match value {
            value if value.is_nan() => self.out.extend_from_slice(b"nan"),
            f64::INFINITY => self.out.extend_from_slice(b"inf"),
            f64::NEG_INFINITY => self.out.extend_from_slice(b"-inf"),
            value => {
                if value == 0.0 && value.is_sign_negative() {
                    self.out.push(b'-');
                }
                float::write(self.out, value);
            }
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for c in String::from_utf8_lossy(text).chars() {
            match c {
                '"' | '\\' => self.put(format_args!("\\{c}")),
                '\n' => self.put(format_args!("\\n")),
                '\r' => self.put(format_args!("\\r")),
                '\t' => self.put(format_args!("\\t")),
                '\0'..' ' | '\x7f' => self.put(format_args!("\\x{:02x}", u32::from(c))),
                '\u{80}'..'\u{a0}' => self.put(format_args!("\\u{:04x}", u32::from(c))),
                c => self.put(format_args!("{c}")),
            }
        }
        self.out.push(b'"');
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into memory cannot fail.
        let _ = self.out.write_fmt(text);
    }
}

/// A packed field as its elements.
fn unpacked(wire: Wire<'_>, kind: Type) -> Vec<Wire<'_>> {
    match (kind, wire) {
        (Type::Double, Wire::Bytes(packed)) => {
            let (doubles, _) = packed.as_chunks();
            let bits = doubles.iter().map(|bytes| u64::from_le_bytes(*bytes));
            bits.map(Wire::Fixed64).collect()
        }
        (Type::Sint64, Wire::Bytes(mut packed)) => {
            let mut elements = Vec::new();
            while let Ok(element) = take_varint(&mut packed) {
                elements.push(Wire::Varint(element));
            }
            elements
        }
        _ => vec![wire],
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::{Encoding, Form, write_metrics};
    use super::super::identity::Identity;
    use super::*;
    use crate::model::{
        Count, Family, GroupKey, Histogram, Kind, Label, Metric, NativeHistogram, Span, Value,
    };

    fn stream() -> (Vec<u8>, Vec<u8>) {
        let form = Form {
            encoding: Encoding::Protobuf,
            ..Form::default()
        };
        let metric = |labels, value| Metric {
            labels,
            value,
            timestamp_ms: None,
        };
        let native = NativeHistogram {
            schema: Some(-1),
            positive_spans: vec![Span {
                offset: -2,
                length: 2,
            }],
            positive_deltas: vec![3, -1],
            ..NativeHistogram::default()
        };
        let histogram = Histogram {
            count: Count::Float(1.5),
            sum: f64::NEG_INFINITY,
            native: Some(Box::new(native)),
            ..Histogram::default()
        };
        let value = Value::Histogram(Box::new(histogram));
        let family = Family {
            name: "h".into(),
            kind: Kind::Histogram,
            help: Some("a \"b\"\n\u{7}é".into()),
            metrics: vec![metric(vec![Label::new("x", "1")].into(), value)],
        };
        let key = GroupKey::new("j", &std::collections::BTreeMap::new());
        let mut series = Vec::new();
        write_metrics(&mut series, &family, &Identity::in_form(&key, form));
        let mut head = Vec::new();
        let help = family.help.as_deref();
        form.write_header(&mut head, "h", family.kind, help, series.len());
        (head, series)
    }

    #[test]
    fn a_family_is_printed_on_one_line_or_with_a_field_a_line() {
        let (head, series) = stream();
        let printed = |compact| {
            let mut printer = Prototext::new(compact);
            let text = [printer.print(&head), printer.print(&series)].concat();
            String::from_utf8(text).expect("text")
        };
        assert_eq!(
            printed(true),
            "name:\"h\" help:\"a \\\"b\\\"\\n\\x07é\" type:HISTOGRAM \
             metric:{label:{name:\"instance\" value:\"\"} label:{name:\"job\" value:\"j\"} \
             label:{name:\"x\" value:\"1\"} histogram:{sample_count_float:1.5 sample_sum:-inf \
             schema:-1 positive_span:{offset:-2 length:2} positive_delta:3 positive_delta:-1}}\n"
        );
        let text = printed(false);
        assert!(
            text.starts_with("name: \"h\"\nhelp: \"a \\\"b\\\"\\n\\x07é\"\ntype: HISTOGRAM\n"),
            "{text}"
        );
        assert!(
            text.contains("metric: {\n  label: {\n    name: \"instance\"\n    value: \"\"\n  }\n"),
            "{text}"
        );
        assert!(
            text.ends_with("    positive_delta: -1\n  }\n}\n\n"),
            "{text}"
        );
    }
}
