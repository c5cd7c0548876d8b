//! Native histograms: a list of buckets with their bounds.

use std::io::Write as _;

use super::{float_text, put};
use crate::model::{Count, NativeHistogram, Span};

/// Resolutions with exponential bounds. Of others the bounds are not known here.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

/// Whether the buckets of this histogram are shown as native ones.
pub fn is_shown(native: &NativeHistogram<'_>) -> bool {
    !native.positive_spans.is_empty() || !native.negative_spans.is_empty()
}

/// The buckets of a native histogram that hold something.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeBuckets {
    /// Lowest first.
    pub buckets: Vec<NativeBucket>,
    /// The total count as text; of a float histogram without a count above zero `0`.
    pub count: String,
}

/// One bucket with its bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeBucket {
    /// Which of the bounds are part of the bucket.
    pub bounds: Bounds,
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// How many observations, as text.
    pub count: String,
}

/// Which bounds are part of a bucket, by the numbers of the JSON API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// The upper one: buckets of values above zero.
    Upper = 0,
    /// The lower one: buckets of values below zero.
    Lower = 1,
    /// Both: the bucket around zero.
    Both = 3,
}

/// The buckets that hold something, lowest first, and the total count.
pub fn native_buckets(native: &NativeHistogram<'_>, count: Count) -> NativeBuckets {
    let above = |count| match count {
        Count::Float(count) => Some(count).filter(|count| *count > 0.0),
        Count::Int(_) => None,
    };
    let total = above(count);
    let is_float = total.or(native.zero_count.and_then(above)).is_some();
    let found = |spans, deltas, counts: &[f64]| {
        let found = indices(spans);
        if is_float {
            let counts = counts
                .iter()
                .map(|count| (*count != 0.0, float_text(*count)));
            filled(native, found, counts)
        } else {
            filled(native, found, whole(deltas))
        }
    };
    let (spans, deltas) = (&native.negative_spans, &native.negative_deltas);
    let mut buckets: Vec<NativeBucket> = found(spans, deltas, &native.negative_counts)
        .into_iter()
        .rev()
        .map(|bucket| NativeBucket {
            bounds: Bounds::Lower,
            lower: -bucket.upper,
            upper: -bucket.lower,
            ..bucket
        })
        .collect();
    if let Some(count) = zero_count(native, is_float) {
        let threshold = native.zero_threshold.unwrap_or_default();
        buckets.push(NativeBucket {
            bounds: Bounds::Both,
            lower: -threshold,
            upper: threshold,
            count,
        });
    }
    let (spans, deltas) = (&native.positive_spans, &native.positive_deltas);
    buckets.extend(found(spans, deltas, &native.positive_counts));
    let count = match count {
        Count::Int(count) => count.to_string(),
        Count::Float(_) => float_text(total.unwrap_or_default()),
    };
    NativeBuckets { buckets, count }
}

/// Appends the list of buckets, lowest first, and gives the text of the total count.
pub(super) fn write_buckets(
    out: &mut Vec<u8>,
    native: &NativeHistogram<'_>,
    count: Count,
) -> String {
    let shown = native_buckets(native, count);
    put(out, "[");
    for (place, bucket) in shown.buckets.iter().enumerate() {
        put(out, if place > 0 { "," } else { "" });
        let (lower, upper) = (float_text(bucket.lower), float_text(bucket.upper));
        let (kind, count) = (bucket.bounds as u8, &bucket.count);
        // Writing to memory does not fail.
        let _ = write!(out, r#"[{kind},"{lower}","{upper}","{count}"]"#);
    }
    put(out, "]");
    shown.count
}

/// The count of the zero bucket, if it is not zero.
fn zero_count(native: &NativeHistogram<'_>, is_float: bool) -> Option<String> {
    match native.zero_count? {
        Count::Float(count) if is_float && count != 0.0 => Some(float_text(count)),
        Count::Int(count) if !is_float && count != 0 => Some(count.to_string()),
        _ => None,
    }
}

/// The numbers of the buckets, in order.
fn indices(spans: &[Span]) -> impl Iterator<Item = i64> {
    let mut next = 0_i64;
    spans.iter().flat_map(move |span| {
        let start = next + i64::from(span.offset);
        next = start + i64::from(span.length);
        start..next
    })
}

/// Counts of an integer histogram from their differences, and whether each is not zero.
fn whole(deltas: &[i64]) -> impl Iterator<Item = (bool, String)> {
    let mut sum = 0_i64;
    deltas.iter().map(move |delta| {
        sum = sum.wrapping_add(*delta);
        (sum != 0, sum.cast_unsigned().to_string())
    })
}

/// The buckets that hold something; never more than there are counts, however long the
/// spans say they are.
fn filled(
    native: &NativeHistogram<'_>,
    indices: impl Iterator<Item = i64>,
    counts: impl Iterator<Item = (bool, String)>,
) -> Vec<NativeBucket> {
    let schema = native.schema.unwrap_or_default();
    if !SCHEMAS.contains(&schema) {
        return Vec::new();
    }
    // Counts first: one of the spans may be far longer.
    let buckets = counts.zip(indices).filter(|((filled, _), _)| *filled);
    buckets
        .map(|((_, count), index)| NativeBucket {
            bounds: Bounds::Upper,
            lower: bound(index - 1, schema),
            upper: bound(index, schema),
            count,
        })
        .collect()
}

/// The upper bound of a bucket: two to the power of `index` times two to the power of
/// minus `schema`. The last bucket of finite values ends at the largest of them.
#[expect(
    clippy::cast_precision_loss,
    reason = "exponents are cut to a few thousand"
)]
fn bound(index: i64, schema: i32) -> f64 {
    let (whole, part) = if schema <= 0 {
        (index << -schema, 0)
    } else {
        (index >> schema, index & ((1 << schema) - 1))
    };
    if whole == 1024 && part == 0 {
        return f64::MAX;
    }
    let fraction = (part as f64 / f64::from(1 << schema.max(0))).exp2();
    fraction * (whole.clamp(-2000, 2000) as f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_powers_of_two_and_their_roots() {
        for (index, schema, expected) in [
            (0, 0, 1.0),
            (-1, 0, 0.5),
            (3, 0, 8.0),
            (1, -1, 4.0),
            (2, -4, 4_294_967_296.0),
            (1024, 0, f64::MAX),
            (1025, 0, f64::INFINITY),
            (4096, 2, f64::MAX),
            (-1074, 0, 5e-324),
            (i64::from(i32::MIN), 8, 0.0),
            (i64::from(i32::MAX), -4, f64::INFINITY),
            (8, 3, 2.0),
            (-8, 3, 0.5),
        ] {
            assert_eq!(
                bound(index, schema).to_bits(),
                expected.to_bits(),
                "{index} {schema}"
            );
        }
        assert!((bound(1, 1) - std::f64::consts::SQRT_2).abs() < 1e-15);
    }
}
