//! The numbers of `MetricType`, the protobuf enumeration of the types of families.

use crate::model::Kind;

/// The number of a type.
pub(super) fn number(kind: Kind) -> u64 {
    match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Summary => 2,
        Kind::Untyped => 3,
        Kind::Histogram => 4,
        Kind::GaugeHistogram => 5,
    }
}

/// The type of a number; `None` if it has none.
pub(super) fn from_number(number: u64) -> Option<Kind> {
    Some(match number {
        0 => Kind::Counter,
        1 => Kind::Gauge,
        2 => Kind::Summary,
        3 => Kind::Untyped,
        4 => Kind::Histogram,
        5 => Kind::GaugeHistogram,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_for_types_both_ways() {
        let words = "COUNTER GAUGE SUMMARY UNTYPED HISTOGRAM GAUGE_HISTOGRAM";
        for (wanted, word) in (0..).zip(words.split(' ')) {
            let kind = from_number(wanted).expect("a type");
            assert_eq!((number(kind), kind.as_upper()), (wanted, word));
        }
        assert_eq!(from_number(6), None);
    }
}
