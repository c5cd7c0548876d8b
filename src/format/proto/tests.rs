//! Tables of hand-encoded bodies. What random messages can prove stands in
//! `tests/property_proto.rs`.

use super::*;
use crate::limits::{LABELS_PER_SERIES, SERIES_PER_PUSH};
use crate::model::{Count, CounterDetails, Kind, Label, Timestamp, Value};

/// A field of wire type 2; both its number and its length below 16 and 128.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    assert!(number < 16 && length < 128);
    [&[number << 3 | 2, length], content].concat()
}

fn varint(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

fn double(number: u8, value: f64) -> Vec<u8> {
    [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
}

fn delimited(message: &[u8]) -> Vec<u8> {
    let length = u8::try_from(message.len()).unwrap();
    assert!(length < 128);
    [&[length], message].concat()
}

/// A body of one family of this type whose one metric has these fields.
fn body(name: &str, kind: u8, metric: &[u8]) -> Vec<u8> {
    let family = [bytes(1, name.as_bytes()), varint(3, kind), bytes(4, metric)].concat();
    delimited(&family)
}

fn only_value(body: &[u8]) -> Value<'_> {
    let mut families = parse(body).unwrap();
    families.remove(0).metrics.remove(0).value
}

fn gauge(value: f64) -> Vec<u8> {
    bytes(2, &double(1, value))
}

fn error(body: &[u8]) -> String {
    parse(body).unwrap_err().to_string()
}

#[test]
fn a_body_of_nothing_has_no_families() {
    assert_eq!(parse(b""), Ok(vec![]));
}

#[test]
fn a_family_borrows_its_text_from_the_body() {
    let metric = [
        bytes(1, &[bytes(1, b"x"), bytes(2, b"1")].concat()),
        gauge(2.5),
    ]
    .concat();
    let family = [
        bytes(1, b"a"),
        bytes(2, b"help"),
        varint(3, 1),
        bytes(4, &metric),
    ]
    .concat();
    let body = delimited(&family);
    let families = parse(&body).unwrap();
    let [family] = &families[..] else {
        panic!("{families:?}")
    };
    assert_eq!(
        (&*family.name, family.kind, family.help.as_deref()),
        ("a", Kind::Gauge, Some("help"))
    );
    assert_eq!(*family.metrics[0].labels, [Label::new("x", "1")]);
    assert_eq!(family.metrics[0].value, Value::Number(2.5, None));
    assert!(matches!(
        family.metrics[0].labels[0].value,
        std::borrow::Cow::Borrowed(_)
    ));
}

#[test]
fn a_family_without_type_is_a_counter_and_without_metrics_is_kept() {
    let body = delimited(&bytes(1, b"a"));
    let families = parse(&body).unwrap();
    assert_eq!(families[0].kind, Kind::Counter);
    assert_eq!(families[0].help, None);
    assert!(families[0].metrics.is_empty());
}

#[test]
fn the_type_may_come_after_the_metrics() {
    let family = [bytes(4, &gauge(7.0)), varint(3, 1), bytes(1, b"a")].concat();
    assert_eq!(only_value(&delimited(&family)), Value::Number(7.0, None));
}

#[test]
fn the_last_message_of_a_name_wins_whole_in_the_place_of_the_first() {
    let first = [
        bytes(1, b"a"),
        bytes(2, b"old"),
        varint(3, 1),
        bytes(4, &gauge(1.0)),
    ]
    .concat();
    let other = bytes(1, b"b");
    let last = bytes(1, b"a");
    let body = [delimited(&first), delimited(&other), delimited(&last)].concat();
    let families = parse(&body).unwrap();
    let names: Vec<&str> = families.iter().map(|family| &*family.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        (families[0].help.as_deref(), families[0].metrics.len()),
        (None, 0)
    );
}

#[test]
fn the_familys_own_value_is_taken_and_any_other_is_missing() {
    let counter = bytes(3, &double(1, 3.0));
    let both = [gauge(2.0), counter.clone()].concat();
    for (kind, metric, wanted) in [
        (0, &both, Value::Number(3.0, None)),
        (1, &both, Value::Number(2.0, None)),
        (3, &both, Value::Missing),
        (1, &counter, Value::Missing),
        (4, &vec![], Value::Missing),
        (1, &bytes(2, b""), Value::Number(0.0, None)),
    ] {
        assert_eq!(
            only_value(&body("a", kind, metric)),
            wanted,
            "{kind} {metric:x?}"
        );
    }
}

#[test]
fn pieces_of_a_value_merge_and_the_last_scalar_wins() {
    let exemplar = |fields: &[u8]| bytes(3, &bytes(2, fields));
    let metric = [
        bytes(3, &[double(1, 1.0), double(1, 2.0)].concat()),
        exemplar(&bytes(1, &bytes(1, b"x"))),
        exemplar(&[double(2, 5.0), bytes(3, &varint(1, 9))].concat()),
        exemplar(&bytes(3, &varint(2, 8))),
    ]
    .concat();
    let body = body("a", 0, &metric);
    let Value::Number(value, Some(details)) = only_value(&body) else {
        panic!()
    };
    let CounterDetails {
        exemplar: Some(exemplar),
        created: None,
    } = *details
    else {
        panic!()
    };
    assert_eq!((value, exemplar.value), (2.0, 5.0));
    assert_eq!(*exemplar.labels, [Label::new("x", "")]);
    assert_eq!(
        exemplar.timestamp,
        Some(Timestamp {
            seconds: 9,
            nanos: 8
        })
    );
}

#[test]
fn a_float_count_overrides_the_integer_if_above_zero() {
    for (fields, wanted) in [
        (vec![], Count::Int(0)),
        (varint(1, 5), Count::Int(5)),
        (double(4, 2.5), Count::Float(2.5)),
        (double(4, 0.0), Count::Float(0.0)),
        ([varint(1, 5), double(4, 2.5)].concat(), Count::Float(2.5)),
        ([double(4, 2.5), varint(1, 5)].concat(), Count::Float(2.5)),
        ([varint(1, 5), double(4, 0.0)].concat(), Count::Int(5)),
        ([varint(1, 5), double(4, -1.0)].concat(), Count::Int(5)),
    ] {
        let body = body("h", 4, &bytes(7, &fields));
        let Value::Histogram(histogram) = only_value(&body) else {
            panic!()
        };
        assert_eq!(histogram.count, wanted, "{fields:x?}");
        assert_eq!(histogram.native, None);
    }
    let body = body(
        "h",
        5,
        &bytes(7, &[varint(1, 5), double(4, f64::NAN)].concat()),
    );
    let Value::Histogram(histogram) = only_value(&body) else {
        panic!()
    };
    assert!(matches!(histogram.count, Count::Float(count) if count.is_nan()));
}

#[test]
fn an_empty_span_makes_a_histogram_native() {
    // What Go clients send for a native histogram without observations.
    let body = body("h", 4, &bytes(7, &bytes(12, b"")));
    let Value::Histogram(histogram) = only_value(&body) else {
        panic!()
    };
    assert_eq!(histogram.native.unwrap().positive_spans.len(), 1);
}

#[test]
fn unknown_fields_and_known_ones_of_another_wire_type_are_skipped() {
    let metric = [varint(1, 9), bytes(6, b"x"), bytes(9, b"new"), gauge(4.0)].concat();
    let mut family = [bytes(1, b"a"), varint(3, 1), bytes(4, &metric)].concat();
    family.extend(varint(2, 1)); // help as a number
    family.extend(varint(4, 1)); // metric as a number
    family.extend([0x3b, 0x3c]); // an empty group
    family.extend(bytes(5, b"seconds")); // unit
    assert_eq!(only_value(&delimited(&family)), Value::Number(4.0, None));
}

#[test]
fn broken_bodies_are_refused_in_the_originals_words() {
    let eof = "unexpected EOF";
    let wire = "proto: cannot parse invalid wire-format data";
    let good = body("a", 1, &gauge(1.0));
    for (body, wanted) in [
        (&good[..good.len() - 1], eof),
        (&[good.clone(), vec![0x80]].concat(), eof),
        (&[good.clone(), vec![1]].concat(), eof),
        (b"\x80\x80\x80\x80\x80\x80\x80\x80\x40", eof), // a length of 2^62
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", eof),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", wire),
        (&delimited(b"\x0a\x05a"), wire), // a name longer than its message
        (&delimited(b"\x08"), wire),
        (&delimited(b"\x00\x00"), wire),
        (&delimited(b"\x0e\x00"), wire),
        (&body_with_metric(b"\x12\x09"), wire),
        (&body_with_metric(&bytes(2, b"\x09123")), wire),
        (&body_with_metric(&bytes(1, b"\x0a\x01")), wire),
    ] {
        assert_eq!(error(body), wanted, "{body:x?}");
    }
}

fn body_with_metric(metric: &[u8]) -> Vec<u8> {
    body("a", 1, metric)
}

#[test]
fn what_would_break_a_scrape_is_refused_by_name() {
    let prefix = "pushed metrics are invalid or inconsistent with existing metrics: ";
    let label = |name: &[u8], value: &[u8]| {
        body(
            "a",
            1,
            &bytes(1, &[bytes(1, name), bytes(2, value)].concat()),
        )
    };
    for (body, wanted) in [
        (
            delimited(b""),
            r#"collected metric family "" has an empty name"#,
        ),
        (
            delimited(&bytes(1, b"")),
            r#"collected metric family "" has an empty name"#,
        ),
        (
            delimited(&bytes(1, b"a\xff")),
            r#"collected metric family "a\xff" has a name that is not utf8"#,
        ),
        (
            body("n", 9, b""),
            r#"collected metric family "n" has an unknown type: 9"#,
        ),
        (
            delimited(&[bytes(1, b"n"), vec![0x18], vec![0xff; 9], vec![1]].concat()),
            r#"collected metric family "n" has an unknown type: -1"#,
        ),
        (
            label(b"x", b"\xff"),
            r#"collected metric "a" { label:{name:"x"  value:"\xff"}} has a label named "x" whose value is not utf8: "\xff""#,
        ),
        (
            label(b"\xfe", b"\xff"),
            r#"collected metric "a" { label:{name:"\xfe"  value:"\xff"}} has a label whose name is not utf8: "\xfe""#,
        ),
    ] {
        assert_eq!(error(&body), format!("{prefix}{wanted}"));
    }
}

#[test]
fn text_that_never_reaches_a_scrape_as_a_name_or_label_is_repaired() {
    let exemplar = bytes(
        2,
        &bytes(1, &[bytes(1, b"t\xff"), bytes(2, b"\xfe")].concat()),
    );
    let metric = bytes(3, &exemplar);
    let family = [bytes(1, b"a"), bytes(2, b"caf\xe9"), bytes(4, &metric)].concat();
    let body = delimited(&family);
    let families = parse(&body).unwrap();
    assert_eq!(families[0].help.as_deref(), Some("caf\u{fffd}"));
    let Value::Number(_, Some(details)) = &families[0].metrics[0].value else {
        panic!()
    };
    let exemplar = details.exemplar.as_ref().unwrap();
    assert_eq!(*exemplar.labels, [Label::new("t\u{fffd}", "\u{fffd}")]);
}

#[test]
fn a_hundred_thousand_messages_of_few_names_take_linear_time() {
    let mut body = vec![];
    for i in 0..100_000_u32 {
        body.extend(delimited(&bytes(1, format!("m{}", i % 50_000).as_bytes())));
    }
    assert_eq!(parse(&body).unwrap().len(), 50_000);
}

#[test]
fn more_parts_than_a_push_may_have_are_refused_as_too_large() {
    // Two bytes each, and many times that in memory.
    let refused = |message: &[u8]| {
        let mut body = Vec::new();
        let mut length = message.len();
        while length > 0x7F {
            body.push(u8::try_from(length & 0x7F).unwrap() | 0x80);
            length >>= 7;
        }
        body.push(u8::try_from(length).unwrap());
        body.extend_from_slice(message);
        parse(&body).err()
    };
    let field = |number: u8, content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap();
        let mut out = vec![number << 3 | 2];
        out.extend((0..4).map(|at| ((length >> (7 * at)) & 0x7F) as u8 | 0x80));
        out.push((length >> 28) as u8);
        [out.as_slice(), content].concat()
    };
    let named = |kind, metrics: &[u8]| [&bytes(1, b"a"), &varint(3, kind)[..], metrics].concat();
    let many = |field: [u8; 2], count: usize| field.repeat(count);
    let metrics = |count| named(1, &many([4 << 3 | 2, 0], count));
    assert_eq!(refused(&metrics(SERIES_PER_PUSH)), None);
    let too_many = refused(&metrics(SERIES_PER_PUSH + 1));
    assert_eq!(too_many, Some(ProtoError::TooManySeries));
    let buckets = field(4, &field(7, &many([3 << 3 | 2, 0], SERIES_PER_PUSH)));
    let too_many = refused(&named(4, &buckets));
    assert_eq!(too_many, Some(ProtoError::TooManySeries));
    let labels = |count| named(1, &field(4, &many([1 << 3 | 2, 0], count)));
    assert_eq!(refused(&labels(LABELS_PER_SERIES)), None);
    let error = refused(&labels(LABELS_PER_SERIES + 1)).expect("a limit");
    assert!(error.is_limit());
    assert_eq!(
        error.to_string(),
        "a series of \"a\" has more than 512 labels"
    );
}
