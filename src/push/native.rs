//! What makes a native histogram one that Prometheus can take: else it refuses the whole scrape.

use crate::model::{Count, NativeHistogram, Span};

/// What is wrong with the native buckets of a histogram; `None`: nothing. The rules are those
/// by which Prometheus checks a histogram it has scraped.
pub(super) fn native_fault(count: Count, native: &NativeHistogram<'_>) -> Option<String> {
    let is_float = !native.negative_counts.is_empty() || !native.positive_counts.is_empty();
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
    match count {
        // Observations that are no number are counted and in no bucket.
        Count::Int(count) if !is_float && observed > u128::from(count) => Some(format!(
            "has {observed} observations in its native buckets, and a count of {count}"
        )),
        _ => None,
    }
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

    #[test]
    fn what_prometheus_would_refuse_is_a_fault() {
        for (count, of, deltas, fault) in [
            (9, &[(0, 3)][..], &[2, 1, -1][..], None),
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
        ] {
            let native = NativeHistogram {
                positive_spans: spans(of),
                positive_deltas: deltas.to_vec(),
                ..NativeHistogram::default()
            };
            let found = native_fault(Count::Int(count), &native);
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
        let fault = native_fault(Count::Float(1.0), &float).expect("a fault");
        assert!(
            fault.contains("negative native buckets") && fault.contains("bucket 2"),
            "{fault}"
        );
    }
}
