use super::*;
use crate::model::{Bucket, Label, Labels, NativeHistogram, Quantile, Span};

fn key() -> GroupKey {
    let labels = [("zone".to_owned(), "w".to_owned())].into();
    GroupKey::new("nightly", &labels)
}

/// The one series of a family.
fn series(kind: Kind, value: Value<'_>) -> String {
    let metric = Metric {
        labels: Labels::new(),
        value,
        timestamp_ms: None,
    };
    let mut out = Vec::new();
    write_metric(&mut out, kind, &key(), &metric);
    String::from_utf8(out).unwrap()
}

const LABELS: &str = r#""labels":{"instance":"","job":"nightly","zone":"w"}"#;

#[test]
fn a_family_has_the_originals_keys_in_its_order() {
    let metric = |name: &'static str, value| Metric {
        labels: vec![Label::new("a", name)].into(),
        value: Value::Number(value, None),
        timestamp_ms: None,
    };
    let heading = Heading {
        kind: Kind::Gauge,
        help: Some("Rows <done>"),
        pushed: UnixNanos(1_795_316_820_500_000_000),
    };
    let mut out = Vec::new();
    write_family(
        &mut out,
        heading,
        &key(),
        &[metric("2", 123_456_789.0), metric("1", -0.0)],
    );
    let expected = r#"{"time_stamp":"2026-11-22T03:07:00.5Z","type":"GAUGE","help":"Rows \u003cdone\u003e","metrics":[{"labels":{"a":"2","instance":"","job":"nightly","zone":"w"},"value":"1.23456789e+08"},{"labels":{"a":"1","instance":"","job":"nightly","zone":"w"},"value":"-0"}]}"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    for help in [None, Some("")] {
        let mut out = Vec::new();
        write_family(&mut out, Heading { help, ..heading }, &key(), &[]);
        let expected = r#"{"time_stamp":"2026-11-22T03:07:00.5Z","type":"GAUGE","metrics":[]}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn strings_are_escaped_as_by_go() {
    for (text, expected) in [
        ("a/ü", r#""a/ü""#),
        ("\"\\\n\r\t\u{8}\u{c}", r#""\"\\\n\r\t\b\f""#),
        ("\0\u{1f}\u{7f}", "\"\\u0000\\u001f\u{7f}\""),
        ("<&>", r#""\u003c\u0026\u003e""#),
        ("\u{2028}x\u{2029}", r#""\u2028x\u2029""#),
    ] {
        let mut out = Vec::new();
        write_string(&mut out, text);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn summaries_and_classic_histograms_are_maps_in_which_the_last_counts() {
    let quantile = |quantile, value| Quantile { quantile, value };
    let summary = Summary {
        count: 4,
        sum: 3e10,
        quantiles: vec![
            quantile(0.99, 1.0),
            quantile(0.5, f64::NAN),
            quantile(0.99, 2.0),
        ],
        created: None,
    };
    assert_eq!(
        series(Kind::Summary, Value::Summary(Box::new(summary))),
        format!(r#""count":"4",{LABELS},"quantiles":{{"0.5":"NaN","0.99":"2"}},"sum":"3e+10""#)
    );
    let bucket = |upper, count| Bucket {
        upper,
        count,
        exemplar: None,
    };
    let mut histogram = Histogram {
        count: Count::Int(123_456_789),
        sum: 1.5,
        buckets: vec![
            bucket(0.5, Count::Int(1)),
            bucket(f64::INFINITY, Count::Int(3_000_000)),
        ],
        ..Histogram::default()
    };
    assert_eq!(
        series(
            Kind::Histogram,
            Value::Histogram(Box::new(histogram.clone()))
        ),
        format!(
            r#""buckets":{{"+Inf":"3000000","0.5":"1"}},"count":"123456789",{LABELS},"sum":"1.5""#
        )
    );
    histogram.count = Count::Float(3e6);
    histogram.buckets = vec![
        bucket(1.0, Count::Float(1.5)),
        bucket(2.0, Count::Float(f64::NAN)),
    ];
    assert_eq!(
        series(
            Kind::Histogram,
            Value::Histogram(Box::new(histogram.clone()))
        ),
        format!(r#""buckets":{{"1":"1.5","2":"0"}},"count":"3e+06",{LABELS},"sum":"1.5""#)
    );
    assert_eq!(
        series(Kind::GaugeHistogram, Value::Histogram(Box::new(histogram))),
        format!(r#"{LABELS},"value":"0""#)
    );
}

#[test]
fn native_buckets_are_a_list_from_the_lowest_to_the_highest() {
    let span = |offset, length| Span { offset, length };
    let native = NativeHistogram {
        schema: Some(0),
        zero_threshold: Some(0.001),
        zero_count: Some(Count::Int(1)),
        negative_spans: vec![span(1, 2)],
        negative_deltas: vec![4, 1],
        positive_spans: vec![span(0, 1), span(1, 2), span(5, u32::MAX)],
        positive_deltas: vec![2, 1, -3, 7],
        ..NativeHistogram::default()
    };
    let shown = |native: NativeHistogram<'static>, count| {
        let histogram = Histogram {
            count,
            sum: 1.0,
            native: Some(Box::new(native)),
            ..Histogram::default()
        };
        series(Kind::Histogram, Value::Histogram(Box::new(histogram)))
    };
    assert_eq!(
        shown(native.clone(), Count::Int(20)),
        format!(
            r#""buckets":[[1,"-4","-2","5"],[1,"-2","-1","4"],[3,"-0.001","0.001","1"],[0,"0.5","1","2"],[0,"2","4","3"],[0,"256","512","7"]],"count":"20",{LABELS},"sum":"1""#
        )
    );
    let float = NativeHistogram {
        zero_count: Some(Count::Float(0.5)),
        positive_counts: vec![1.5, 0.0, 2e6],
        ..native.clone()
    };
    assert_eq!(
        shown(float, Count::Float(2e6)),
        format!(
            r#""buckets":[[3,"-0.001","0.001","0.5"],[0,"0.5","1","1.5"],[0,"4","8","2e+06"]],"count":"2e+06",{LABELS},"sum":"1""#
        )
    );
    // Nothing in it, and bounds that nobody knows.
    for schema in [0, -53, 9] {
        let empty = NativeHistogram {
            schema: Some(schema),
            zero_count: None,
            positive_deltas: vec![],
            negative_deltas: vec![0],
            ..native.clone()
        };
        let text = shown(empty, Count::Int(0));
        assert!(text.starts_with(r#""buckets":[],"count":"0""#), "{text}");
    }
}

#[test]
fn a_label_that_a_series_has_twice_stands_once() {
    let metric = Metric {
        labels: vec![
            Label::new("a", "1"),
            Label::new("a", "2"),
            Label::new("b", ""),
        ]
        .into(),
        value: Value::Number(1.0, None),
        timestamp_ms: None,
    };
    let mut out = Vec::new();
    write_metric(&mut out, Kind::Gauge, &key(), &metric);
    let expected =
        r#""labels":{"a":"2","b":"","instance":"","job":"nightly","zone":"w"},"value":"1""#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
