//! `Histogram`, `Bucket` and `BucketSpan`.

use super::parts::{merge_exemplar, merge_timestamp};
use super::wire::{Fields, Wire, WireFault, low32, push_doubles, push_sint64s, sint32};
use crate::model::{Bucket, Count, Histogram, NativeHistogram, Span, Value};

/// A histogram while it is read.
#[derive(Default)]
pub(super) struct PartialHistogram<'a> {
    /// Its native part is there once a field of it is.
    histogram: Box<Histogram<'a>>,
    count: Counts,
    zero_count: Counts,
}

impl<'a> PartialHistogram<'a> {
    /// Reads one piece of a `Histogram`, which has so many fields.
    pub(super) fn merge(&mut self, message: &'a [u8], fields: usize) -> Result<(), WireFault> {
        let Self {
            histogram,
            count,
            zero_count,
        } = self;
        for field in Fields::new(message) {
            match field? {
                (1, Wire::Varint(n)) => count.int = Some(n),
                (2, Wire::Fixed64(bits)) => histogram.sum = f64::from_bits(bits),
                (3, Wire::Bytes(bytes)) => {
                    if histogram.buckets.capacity() == 0 {
                        histogram.buckets.reserve_exact(fields);
                    }
                    histogram.buckets.push(bucket(bytes)?);
                }
                (4, Wire::Fixed64(bits)) => count.float = Some(f64::from_bits(bits)),
                (7, Wire::Varint(n)) => zero_count.int = Some(n),
                (8, Wire::Fixed64(bits)) => zero_count.float = Some(f64::from_bits(bits)),
                (15, Wire::Bytes(bytes)) => merge_timestamp(&mut histogram.created, bytes)?,
                (number @ (5 | 6 | 9..=14 | 16), wire) => {
                    let native = histogram.native.get_or_insert_default();
                    merge_native(native, number, wire)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The histogram as the model has it. It is native as soon as one native field says something.
    pub(super) fn finish(self) -> Value<'a> {
        let Self {
            mut histogram,
            count,
            zero_count,
        } = self;
        histogram.count = count.chosen().unwrap_or_default();
        if let Some(zero_count) = zero_count.chosen() {
            histogram.native.get_or_insert_default().zero_count = Some(zero_count);
        }
        if histogram.native.as_deref() == Some(&NativeHistogram::default()) {
            histogram.native = None;
        }
        Value::Histogram(histogram)
    }
}

/// Reads one field of those that only native histograms have.
fn merge_native<'a>(
    native: &mut NativeHistogram<'a>,
    number: u32,
    wire: Wire<'a>,
) -> Result<(), WireFault> {
    match (number, wire) {
        (5, Wire::Varint(schema)) => native.schema = Some(sint32(schema)),
        (6, Wire::Fixed64(bits)) => native.zero_threshold = Some(f64::from_bits(bits)),
        (9, Wire::Bytes(bytes)) => native.negative_spans.push(span(bytes)?),
        (10, wire) => push_sint64s(&mut native.negative_deltas, wire)?,
        (11, wire) => push_doubles(&mut native.negative_counts, wire)?,
        (12, Wire::Bytes(bytes)) => native.positive_spans.push(span(bytes)?),
        (13, wire) => push_sint64s(&mut native.positive_deltas, wire)?,
        (14, wire) => push_doubles(&mut native.positive_counts, wire)?,
        (16, Wire::Bytes(bytes)) => native.exemplars.push(merge_exemplar(None, bytes)?),
        _ => {}
    }
    Ok(())
}

/// A count that comes as an integer, a double or both.
#[derive(Default)]
struct Counts {
    int: Option<u64>,
    float: Option<f64>,
}

impl Counts {
    /// The schema's comment: the double overrides the integer if it is above 0.
    /// NaN overrides too, or a broken count would look like a sound 0.
    fn chosen(&self) -> Option<Count> {
        match (self.int, self.float) {
            (Some(int), Some(float)) if float <= 0.0 => Some(Count::Int(int)),
            (_, Some(float)) => Some(Count::Float(float)),
            (int, None) => int.map(Count::Int),
        }
    }
}

fn bucket(message: &[u8]) -> Result<Bucket<'_>, WireFault> {
    let mut upper = 0.0;
    let mut counts = Counts::default();
    let mut exemplar = None;
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Varint(n)) => counts.int = Some(n),
            (2, Wire::Fixed64(bits)) => upper = f64::from_bits(bits),
            (3, Wire::Bytes(bytes)) => exemplar = Some(merge_exemplar(exemplar.take(), bytes)?),
            (4, Wire::Fixed64(bits)) => counts.float = Some(f64::from_bits(bits)),
            _ => {}
        }
    }
    let count = counts.chosen().unwrap_or_default();
    Ok(Bucket {
        upper,
        count,
        exemplar: exemplar.map(Box::new),
    })
}

fn span(message: &[u8]) -> Result<Span, WireFault> {
    let mut span = Span {
        offset: 0,
        length: 0,
    };
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Varint(offset)) => span.offset = sint32(offset),
            (2, Wire::Varint(length)) => span.length = low32(length),
            _ => {}
        }
    }
    Ok(span)
}
