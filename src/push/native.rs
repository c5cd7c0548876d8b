//! What makes a native histogram one that Prometheus can take: else it refuses the whole scrape.

use crate::model::{Count, Histogram, NativeHistogram, Span};

/// What is wrong with the native buckets of a histogram; `None`: nothing. The rules are those
/// by which Prometheus checks a histogram it has scraped.
pub(super) fn native_fault(histogram: &Histogram<'_>) -> Option<String> {
    let native = histogram.native.as_ref()?;
    let zero_is_float = matches!(native.zero_count, Some(Count::Float(zero)) if zero > 0.0);
    let is_float =
        zero_is_float || !native.negative_counts.is_empty() || !native.positive_counts.is_empty();
    let sides = [
        (
            "negative",
            &native.negative_spans,
            &native.negative_deltas,
            &native.negative_counts,
        ),
        (
            "positive",
            &native.positive_spans,
            &native.positive_deltas,
            &native.positive_counts,
        ),
    ];
    let mut observed = match native.zero_count {
        Some(Count::Int(zero)) => u128::from(zero),
        _ => 0,
    };
    for (side, spans, deltas, counts) in sides {
        let buckets = if is_float { counts.len() } else { deltas.len() };
        let fault = span_fault(spans, buckets).or_else(|| {
            let negative = counts.iter().position(|count| *count < 0.0);
            let negative = negative.map(|at| bucket_fault(at, "negative"));
            negative.or_else(|| add_up(deltas, &mut observed).err())
        });
        if let Some(fault) = fault {
            return Some(format!(
                "has {side} native buckets that do not fit: {fault}"
            ));
        }
    }
    match histogram.count {
        Count::Int(count) if !is_float => {
            let counted = u128::from(count);
            // Observations that are no number are counted and in no bucket, and make the sum none.
            let is_short = observed < counted && !histogram.sum.is_nan() && is_native(native);
            (observed > counted || is_short).then(|| {
                format!("has {observed} observations in its native buckets, and a count of {count}")
            })
        }
        // Sums of floats are not exact.
        _ => None,
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
