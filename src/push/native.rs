//! What makes a native histogram one that Prometheus can take: else it refuses the whole scrape.

use std::ops::RangeInclusive;

use crate::model::{Count, Histogram, NativeHistogram, Span};

/// The schemas of exponential buckets. Prometheus releases differ in what they do with others:
/// some refuse the scrape, some fail on queries.
const SCHEMAS: RangeInclusive<i32> = -4..=8;

/// What is wrong with the native buckets of a histogram; `None`: nothing. The rules are those
/// by which Prometheus checks a histogram it has scraped.
pub(super) fn native_fault(histogram: &Histogram<'_>) -> Option<String> {
    let native = histogram.native.as_ref()?;
    if let Some(schema) = native.schema.filter(|schema| !SCHEMAS.contains(schema))
        && is_native(native)
    {
        let (first, last) = (SCHEMAS.start(), SCHEMAS.end());
        return Some(format!(
            "has native buckets of the schema {schema}, which is not one of {first} to {last}"
        ));
    }
    let (is_float, mut observed) = (is_float(histogram, native), 0);
    for (side, buckets) in sides(native) {
        if let Some(fault) = buckets.fault(is_float, &mut observed) {
            return Some(format!(
                "has {side} native buckets that do not fit: {fault}"
            ));
        }
    }
    if is_float {
        return None; // Sums of floats are not exact.
    }
    observed += u128::from(whole(native.zero_count));
    let count = whole(Some(histogram.count));
    let counted = u128::from(count);
    // Observations that are no number are counted and in no bucket, and make the sum none.
    let is_short = observed < counted && !histogram.sum.is_nan() && is_native(native);
    (observed > counted || is_short).then(|| {
        format!("has {observed} observations in its native buckets, and a count of {count}")
    })
}

/// Whether Prometheus reads the floats of a histogram: of one whose counts as floats are not
/// above 0 it reads the integers, although there may be none.
fn is_float(histogram: &Histogram<'_>, native: &NativeHistogram<'_>) -> bool {
    let counts = [Some(histogram.count), native.zero_count];
    let above_zero = |count| matches!(count, Some(Count::Float(count)) if count > 0.0);
    counts.into_iter().any(above_zero)
}

/// A count where Prometheus reads integers.
fn whole(count: Option<Count>) -> u64 {
    match count {
        Some(Count::Int(count)) => count,
        Some(Count::Float(_)) | None => 0,
    }
}

/// The buckets on one side of zero.
struct Buckets<'a> {
    spans: &'a [Span],
    deltas: &'a [i64],
    counts: &'a [f64],
}

fn sides<'a>(native: &'a NativeHistogram<'_>) -> [(&'static str, Buckets<'a>); 2] {
    let negative = Buckets {
        spans: &native.negative_spans,
        deltas: &native.negative_deltas,
        counts: &native.negative_counts,
    };
    let positive = Buckets {
        spans: &native.positive_spans,
        deltas: &native.positive_deltas,
        counts: &native.positive_counts,
    };
    [("negative", negative), ("positive", positive)]
}

impl Buckets<'_> {
    /// What is wrong with them. Adds what integers they hold to `observed`.
    fn fault(&self, is_float: bool, observed: &mut u128) -> Option<String> {
        if is_float {
            let negative = || self.counts.iter().position(|count| *count < 0.0);
            return span_fault(self.spans, self.counts.len())
                .or_else(|| negative().map(|at| bucket_fault(at, "negative")));
        }
        let fault = span_fault(self.spans, self.deltas.len());
        let fault = fault.map(|fault| match self.counts.len() {
            0 => fault,
            floats => format!(
                "{fault} as integers; the {floats} as floats are not read beside a count that is no float above 0"
            ),
        });
        fault.or_else(|| add_up(self.deltas, observed).err())
    }
}

/// Whether Prometheus takes a histogram for a native one. Of others it reads the classic
/// buckets only.
fn is_native(native: &NativeHistogram<'_>) -> bool {
    let has_spans = !native.positive_spans.is_empty() || !native.negative_spans.is_empty();
    let zero_count = native.zero_count.is_some_and(|count| count.as_f64() > 0.0);
    has_spans || zero_count || native.zero_threshold.is_some_and(|width| width > 0.0)
}

fn span_fault(spans: &[Span], buckets: usize) -> Option<String> {
    let offsets = spans.iter().enumerate().skip(1);
    if let Some((at, span)) = offsets.clone().find(|(_, span)| span.offset < 0) {
        return Some(format!("span {} has the offset {}", at + 1, span.offset));
    }
    let length: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    let fits = length == buckets as u64;
    (!fits).then(|| format!("the spans are {length} long, and there are {buckets} counts"))
}

/// Adds the counts that deltas stand for.
fn add_up(deltas: &[i64], observed: &mut u128) -> Result<(), String> {
    let mut count = 0_i64;
    for (at, delta) in deltas.iter().enumerate() {
        let next = count.checked_add(*delta).filter(|next| *next >= 0);
        count = next.ok_or_else(|| bucket_fault(at, "impossible"))?;
        *observed += u128::from(count.unsigned_abs());
    }
    Ok(())
}

fn bucket_fault(at: usize, what: &str) -> String {
    format!("bucket {} has a count that is {what}", at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(spans: &[(i32, u32)]) -> Vec<Span> {
        let span = |&(offset, length)| Span { offset, length };
        spans.iter().map(span).collect()
    }

    fn of_native(count: Count, sum: f64, native: NativeHistogram<'static>) -> Histogram<'static> {
        Histogram {
            count,
            sum,
            native: Some(Box::new(native)),
            ..Histogram::default()
        }
    }

    #[test]
    fn only_what_is_no_number_is_counted_beside_the_buckets() {
        let buckets = || NativeHistogram {
            zero_count: Some(Count::Int(1)),
            positive_spans: spans(&[(0, 2)]),
            positive_deltas: vec![2, 1],
            ..NativeHistogram::default()
        };
        let fault = |count, sum| native_fault(&of_native(Count::Int(count), sum, buckets()));
        for sum in [1.0, f64::INFINITY] {
            assert_eq!(fault(6, sum), None);
            assert!(fault(5, sum).is_some() && fault(7, sum).is_some());
        }
        assert_eq!((fault(6, f64::NAN), fault(7, f64::NAN)), (None, None));
        assert!(fault(5, f64::NAN).is_some());
    }

    #[test]
    fn what_prometheus_takes_for_a_classic_histogram_or_a_float_one_is_not_counted() {
        let fault = |native| native_fault(&of_native(Count::Int(7), 1.0, native));
        let schema = || NativeHistogram {
            schema: Some(3),
            zero_threshold: Some(0.0),
            ..NativeHistogram::default()
        };
        assert_eq!(fault(schema()), None);
        let wide = NativeHistogram {
            zero_threshold: Some(0.1),
            ..schema()
        };
        assert!(fault(wide).is_some());
        let empty = NativeHistogram {
            positive_spans: spans(&[(0, 0)]),
            ..schema()
        };
        assert!(fault(empty).is_some());
        let float = NativeHistogram {
            zero_count: Some(Count::Float(1.5)),
            ..schema()
        };
        assert_eq!(fault(float), None);
    }

    /// As Prometheus 2.42 was seen to do with each: it refuses the scrape of those with a fault.
    #[test]
    fn floats_are_read_only_beside_a_count_above_zero() {
        let side = |deltas: &[i64], counts: &[f64]| NativeHistogram {
            positive_spans: spans(&[(0, 1)]),
            positive_deltas: deltas.to_vec(),
            positive_counts: counts.to_vec(),
            ..NativeHistogram::default()
        };
        let fault = |count, native| native_fault(&of_native(count, 1.0, native));
        assert_eq!(fault(Count::Float(3.5), side(&[], &[3.5])), None);
        assert_eq!(fault(Count::Float(0.0), NativeHistogram::default()), None);
        let zero = NativeHistogram {
            zero_count: Some(Count::Float(0.5)),
            ..side(&[], &[3.0])
        };
        assert_eq!(fault(Count::Int(3), zero), None);
        for (count, native) in [
            (Count::Float(0.0), side(&[], &[0.0])),
            (Count::Float(3.5), side(&[3], &[])),
            (Count::Int(3), side(&[], &[3.0])),
            (Count::Float(-3.5), side(&[], &[3.5])),
            (Count::Float(f64::NAN), side(&[], &[f64::NAN])),
            (Count::Float(0.0), side(&[3], &[])),
        ] {
            assert!(
                fault(count, native.clone()).is_some(),
                "{count:?} {native:?}"
            );
        }
        let empty = fault(Count::Float(0.0), side(&[], &[0.0])).expect("a fault");
        assert!(empty.contains("are not read beside a count"), "{empty}");
    }

    #[test]
    fn only_schemas_that_every_prometheus_takes_are_taken() {
        let fault = |schema, native| {
            let schema = Some(schema);
            let native = NativeHistogram { schema, ..native };
            native_fault(&of_native(Count::Int(0), 0.0, native))
        };
        let bucket = || NativeHistogram {
            positive_spans: spans(&[(0, 1)]),
            positive_deltas: vec![0],
            ..NativeHistogram::default()
        };
        for schema in [-4, 0, 8] {
            assert_eq!(fault(schema, bucket()), None);
        }
        for schema in [-53, -5, 9, i32::MAX] {
            let of_bucket = fault(schema, bucket()).expect("a fault");
            assert!(
                of_bucket.contains(&format!("the schema {schema},")),
                "{of_bucket}"
            );
            let classic = fault(schema, NativeHistogram::default());
            assert_eq!(classic, None, "only its classic buckets are read");
        }
    }

    #[test]
    fn what_prometheus_would_refuse_is_a_fault() {
        for (count, of, deltas, fault) in [
            (7, &[(0, 3)][..], &[2, 1, -1][..], None),
            (7, &[(-4, 2), (3, 1)], &[2, 1, -1], None),
            (0, &[], &[], None),
            (
                9,
                &[(0, 5)],
                &[2, 1],
                Some("5 long, and there are 2 counts"),
            ),
            (9, &[(0, u32::MAX)], &[], Some("4294967295 long")),
            (
                9,
                &[(0, 2)],
                &[2, -5],
                Some("bucket 2 has a count that is impossible"),
            ),
            (
                9,
                &[(0, 1), (-5, 1)],
                &[2, 1],
                Some("span 2 has the offset -5"),
            ),
            (9, &[(0, 2)], &[i64::MAX, i64::MAX], Some("bucket 2")),
            (
                3,
                &[(0, 2)],
                &[2, 1],
                Some("has 5 observations in its native buckets"),
            ),
            (
                6,
                &[(0, 2)],
                &[2, 1],
                Some("has 5 observations in its native buckets, and a count of 6"),
            ),
        ] {
            let native = NativeHistogram {
                positive_spans: spans(of),
                positive_deltas: deltas.to_vec(),
                ..NativeHistogram::default()
            };
            let found = native_fault(&of_native(Count::Int(count), 1.0, native));
            match fault {
                None => assert_eq!(found, None, "{of:?} {deltas:?}"),
                Some(fault) => assert!(
                    found.as_ref().is_some_and(|found| found.contains(fault)),
                    "{of:?} {deltas:?}: {found:?}"
                ),
            }
        }
        let float = NativeHistogram {
            negative_spans: spans(&[(0, 2)]),
            negative_counts: vec![1.5, -0.5],
            ..NativeHistogram::default()
        };
        let fault = native_fault(&of_native(Count::Float(1.0), 1.0, float)).expect("a fault");
        assert!(
            fault.contains("negative native buckets") && fault.contains("bucket 2"),
            "{fault}"
        );
    }
}
