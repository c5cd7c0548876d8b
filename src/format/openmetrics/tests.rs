use proptest::prelude::*;

use super::*;
use crate::model::Value;
use crate::model::{Bucket, Count, CounterDetails, Histogram, Kind, Label, Metric, Quantile};

fn read(body: &str) -> Vec<Family<'_>> {
    parse(body.as_bytes(), NameRule::Legacy).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn series(labels: &[(&'static str, &'static str)], value: Value<'static>) -> Metric<'static> {
    Metric {
        labels: labels
            .iter()
            .map(|(name, value)| Label::new(*name, *value))
            .collect(),
        value,
        timestamp_ms: None,
    }
}

fn number(value: f64) -> Value<'static> {
    Value::Number(value, None)
}

fn family(name: &'static str, kind: Kind, metrics: Vec<Metric<'static>>) -> Family<'static> {
    Family {
        name: name.into(),
        kind,
        help: None,
        metrics,
    }
}

fn time(seconds: i64, nanos: i32) -> Timestamp {
    Timestamp { seconds, nanos }
}

fn exemplar(value: f64, timestamp: Option<Timestamp>) -> Exemplar<'static> {
    Exemplar {
        labels: vec![Label::new("trace_id", "4b f9")],
        value,
        timestamp,
    }
}

#[test]
fn only_a_body_that_ends_in_its_closing_line_is_closed() {
    for yes in ["# EOF\n", "# EOF", "a 1\n# EOF\n", "a 1\n# EOF"] {
        assert!(is_closed(yes.as_bytes()), "{yes:?}");
    }
    for no in [
        "",
        "a 1\n",
        "# EOF\n\n",
        "# EOF \n",
        " # EOF\n",
        "a 1# EOF\n",
        "#EOF\n",
        "# EOF\na 1\n",
    ] {
        assert!(!is_closed(no.as_bytes()), "{no:?}");
    }
}

#[test]
fn families_without_samples_are_left_out() {
    for body in ["# EOF\n", "# EOF", "# TYPE a counter\n# HELP b x\n# EOF\n"] {
        assert_eq!(read(body), [], "{body:?}");
    }
}

#[test]
fn numbers_have_the_type_that_they_have_in_a_scrape() {
    let body = "\
# TYPE c counter
# HELP c a \\\"c\\\" \\\\ \\n \\x
c_total{x=\"1\"} 3 # {trace_id=\"4b f9\"} 0.5 1520879607.789
c_created{x=\"1\"} 1520872607.25
# TYPE g_seconds gauge
# UNIT g_seconds seconds
g_seconds -1.5
g_seconds{a=\"\\\\\\\"\\n\\t\"} NaN
# TYPE i info
i_info{version=\"1\"} 1
# TYPE s stateset
s{s=\"on\"} 1
s{s=\"off\"} 0
# TYPE u unknown
u 1e3
v +Inf
# EOF
";
    let details = CounterDetails {
        exemplar: Some(exemplar(0.5, Some(time(1_520_879_607, 789_000_000)))),
        created: Some(time(1_520_872_607, 250_000_000)),
    };
    let mut counter = family(
        "c_total",
        Kind::Counter,
        vec![series(
            &[("x", "1")],
            Value::Number(3.0, Some(Box::new(details))),
        )],
    );
    counter.help = Some("a \"c\" \\ \n \\x".into());
    let read = read(body);
    assert_eq!(read[0], counter);
    let gauge = &read[1];
    assert_eq!(
        (gauge.name.as_ref(), gauge.kind),
        ("g_seconds", Kind::Gauge)
    );
    assert_eq!(gauge.metrics[0], series(&[], number(-1.5)));
    assert_eq!(gauge.metrics[1].labels[0].value, "\\\"\n\\t");
    assert!(matches!(gauge.metrics[1].value, Value::Number(value, None) if value.is_nan()));
    assert_eq!(
        read[2..],
        [
            family(
                "i_info",
                Kind::Gauge,
                vec![series(&[("version", "1")], number(1.0))]
            ),
            family(
                "s",
                Kind::Gauge,
                vec![
                    series(&[("s", "on")], number(1.0)),
                    series(&[("s", "off")], number(0.0))
                ],
            ),
            family("u", Kind::Untyped, vec![series(&[], number(1000.0))]),
            family("v", Kind::Untyped, vec![series(&[], number(f64::INFINITY))]),
        ]
    );
}

#[test]
fn summaries_and_histograms_are_folded() {
    let body = "\
# TYPE s summary
s_count 3
s_sum -1
s{quantile=\"0.5\"} 1
s{quantile=\"1\"} NaN
s_created 5
# TYPE h histogram
h_bucket{a=\"1\",le=\"0.5\"} 1 # {trace_id=\"4b f9\"} 0.25
h_bucket{le=\"+Inf\",a=\"1\"} 2
h_sum{a=\"1\"} 1.5
h_count{a=\"1\"} 2
h_created{a=\"1\"} 1e3
h_bucket{le=\"+Inf\"} 7
# TYPE g gaugehistogram
g_bucket{le=\"-1\"} 1
g_bucket{le=\"+Inf\"} 4
g_gsum -3
g_gcount 4
# EOF
";
    let read = read(body);
    let Value::Summary(summary) = &read[0].metrics[0].value else {
        panic!("{read:?}")
    };
    assert_eq!(read[0].metrics.len(), 1);
    assert!(summary.quantiles[1].value.is_nan());
    let quantile = Quantile {
        quantile: 0.5,
        value: 1.0,
    };
    assert_eq!(summary.quantiles[0], quantile);
    let (count, sum, created) = (summary.count, summary.sum, summary.created);
    assert_eq!((count, sum, created), (3, -1.0, Some(time(5, 0))));

    let bucket = |upper, count, exemplar: Option<Exemplar<'static>>| Bucket {
        upper,
        count: Count::Int(count),
        exemplar: exemplar.map(Box::new),
    };
    let histogram = |count, sum, buckets, created| {
        let count = Count::Int(count);
        Value::Histogram(Box::new(Histogram {
            count,
            sum,
            buckets,
            created,
            native: None,
        }))
    };
    let first = vec![
        bucket(0.5, 1, Some(exemplar(0.25, None))),
        bucket(f64::INFINITY, 2, None),
    ];
    let first = histogram(2, 1.5, first, Some(time(1000, 0)));
    let second = histogram(7, 0.0, vec![bucket(f64::INFINITY, 7, None)], None);
    let gauge = vec![bucket(-1.0, 1, None), bucket(f64::INFINITY, 4, None)];
    let gauge = histogram(4, -3.0, gauge, None);
    assert_eq!(
        read[1..],
        [
            family(
                "h",
                Kind::Histogram,
                vec![series(&[("a", "1")], first), series(&[], second)]
            ),
            family("g", Kind::GaugeHistogram, vec![series(&[], gauge)]),
        ]
    );
}

#[test]
fn timestamps_are_read_and_kept_for_the_check() {
    for (sample, millis) in [
        ("a 1 0", 0),
        ("a 1 1520879607.789", 1_520_879_607_789),
        ("a 1 -1.5", -1500),
        ("a 1 1e3", 1_000_000),
        ("a{b=\"# {\"} 1 5", 5000),
    ] {
        let body = format!("{sample}\n# EOF\n");
        assert_eq!(
            read(&body)[0].metrics[0].timestamp_ms,
            Some(millis),
            "{sample}"
        );
    }
    let folded = "# TYPE s summary\ns_count 1\ns_sum 1 3\n# EOF\n";
    assert_eq!(read(folded)[0].metrics[0].timestamp_ms, Some(3000));
}

#[test]
fn quoted_names_are_read_where_they_are_allowed() {
    let body = "# TYPE \"a.b\" counter\n{\"a.b_total\",\"l.m\"=\"1\",x=\"2\"} 1\n# EOF\n";
    let families = parse(body.as_bytes(), NameRule::Utf8).expect("UTF-8 names");
    let wanted = series(&[("l.m", "1"), ("x", "2")], number(1.0));
    assert_eq!(families, [family("a.b_total", Kind::Counter, vec![wanted])]);
    let refused = parse(body.as_bytes(), NameRule::Legacy).expect_err("legacy names");
    let text = "OpenMetrics parsing error in line 1: invalid metric name \"a.b\"";
    assert_eq!(refused.to_string(), text);
    let legal = read("{\"a\",\"b\"=\"1\"} 1\n# EOF\n");
    assert_eq!(
        legal,
        [family(
            "a",
            Kind::Untyped,
            vec![series(&[("b", "1")], number(1.0))]
        )]
    );
}

/// Body without its `# EOF`, line of the fault, text.
const FAULTS: &[(&str, usize, &str)] = &[
    ("\na 1\n", 1, "a blank line"),
    ("a 1\n\n", 2, "a blank line"),
    ("a 1\n# EOF\nb 1\n", 3, "something follows # EOF"),
    (
        "# a comment\n",
        1,
        "expected # HELP, # TYPE, # UNIT or # EOF, found \"# a comment\"",
    ),
    (
        "#TYPE a gauge\n",
        1,
        "expected # HELP, # TYPE, # UNIT or # EOF, found \"#TYPE a gauge\"",
    ),
    ("# TYPE  a gauge\n", 1, "expected the name of a metric"),
    ("# TYPE a\n", 1, "expected \" \", found \"\""),
    ("# TYPE a untyped\n", 1, "unknown metric type \"untyped\""),
    ("# TYPE a Gauge\n", 1, "unknown metric type \"Gauge\""),
    ("# TYPE a gauge\r\n", 1, "unknown metric type \"gauge\\r\""),
    (
        "# TYPE a gauge\n# TYPE a gauge\n",
        2,
        "a second TYPE of \"a\"",
    ),
    ("# HELP a x\n# HELP a x\n", 2, "a second HELP of \"a\""),
    (
        "# UNIT a_s s\n# UNIT a_s s\n",
        2,
        "a second UNIT of \"a_s\"",
    ),
    (
        "# UNIT a s\n",
        1,
        "the name \"a\" does not end in _ and its unit \"s\"",
    ),
    (
        "# UNIT as s\n",
        1,
        "the name \"as\" does not end in _ and its unit \"s\"",
    ),
    (
        "# TYPE a_s info\n# UNIT a_s s\na_s_info 1\n",
        3,
        "the info \"a_s\" has a unit",
    ),
    (
        "a 1\n# TYPE a gauge\n",
        2,
        "metadata of \"a\" after its samples",
    ),
    (
        "a 1\nb 1\na{x=\"1\"} 1\n",
        3,
        "\"a\" belongs to an earlier metric family; lines of one family stand together",
    ),
    (
        "# TYPE a counter\na_total 1\na_created 1\n# TYPE a_total gauge\n",
        4,
        "\"a_total\" belongs to an earlier metric family; lines of one family stand together",
    ),
    (
        "a_count 1\n# TYPE a summary\na_sum 1\n",
        3,
        "\"a_count\" is a name of two metric families",
    ),
    (
        "# TYPE a counter\na 1\n",
        2,
        "samples of the counter \"a\" end in _total, _created",
    ),
    (
        "# TYPE a info\na 1\n",
        2,
        "samples of the info \"a\" end in _info",
    ),
    (" a 1\n", 1, "expected the name of a metric"),
    ("1a 1\n", 1, "expected the name of a metric"),
    ("a  1\n", 1, "expected a number as value, found \"\""),
    ("a\t1\n", 1, "expected \" \", found \"\\t1\""),
    ("a\n", 1, "expected \" \", found \"\""),
    (
        "a 1 \n",
        1,
        "expected seconds since 1970 as timestamp, found \"\"",
    ),
    ("a 0x1\n", 1, "expected a number as value, found \"0x1\""),
    ("a 1_0\n", 1, "expected a number as value, found \"1_0\""),
    (
        "a 1 x\n",
        1,
        "expected seconds since 1970 as timestamp, found \"x\"",
    ),
    (
        "a 1 NaN\n",
        1,
        "expected seconds since 1970 as timestamp, found \"NaN\"",
    ),
    ("a 1 1 1\n", 1, "expected \" # \", found \" 1\""),
    (
        "a{x=\"1\",} 1\n",
        1,
        "expected the name of a label, found \"} 1\"",
    ),
    (
        "a{,} 1\n",
        1,
        "expected the name of a label, found \",} 1\"",
    ),
    (
        "a{ x=\"1\"} 1\n",
        1,
        "expected the name of a label, found \" x=\\\"1\\\"} 1\"",
    ),
    ("a{x=1} 1\n", 1, "expected \"\\\"\", found \"1} 1\""),
    ("a{x} 1\n", 1, "expected \"=\", found \"} 1\""),
    ("a{x=\"1} 1\n", 1, "the label value \"1} 1 is not closed"),
    ("a{x=\"1\\\n", 1, "the label value \"1\\ is not closed"),
    (
        "a{x=\"1\" y=\"1\"} 1\n",
        1,
        "expected ',' or '}' after a label, found \" y=\\\"1\\\"} 1\"",
    ),
    (
        "a{x=\"1\",x=\"1\"} 1\n",
        1,
        "the label \"x\" is given twice",
    ),
    (
        "a{__name__=\"b\"} 1\n",
        1,
        "label name \"__name__\" is reserved",
    ),
    ("a{\"b\"} 1\n", 1, "a second metric name \"b\""),
    ("{} 1\n", 1, "expected the name of a metric"),
    ("{\"\"} 1\n", 1, "invalid metric name \"\""),
    (
        "# TYPE a counter\na_total -1\n",
        2,
        "a counter is negative or NaN",
    ),
    (
        "# TYPE a counter\na_total 1\na_total 1\n",
        3,
        "a second _total of one series",
    ),
    (
        "# TYPE a counter\na_created 1\na_total{x=\"1\"} 1\n",
        2,
        "the counter \"a\" has no _total",
    ),
    (
        "# TYPE a counter\na_created 1\n",
        2,
        "the counter \"a\" has no _total",
    ),
    (
        "# TYPE a counter\na_total 1\na_created NaN\n",
        3,
        "a _created value is no time",
    ),
    (
        "# TYPE a info\na_info 2\n",
        2,
        "the value of the info \"a\" is not 1",
    ),
    (
        "# TYPE a stateset\na 1\n",
        2,
        "the state set \"a\" lacks a label of its name",
    ),
    (
        "# TYPE a stateset\na{a=\"x\"} 2\n",
        2,
        "a value of the state set \"a\" is neither 0 nor 1",
    ),
    (
        "# TYPE a summary\na 1\n",
        2,
        "expected a label quantile from 0 to 1",
    ),
    (
        "# TYPE a summary\na{quantile=\"2\"} 1\n",
        2,
        "expected a label quantile from 0 to 1",
    ),
    (
        "# TYPE a summary\na{quantile=\"1\"} 1\na{quantile=\"1.0\"} 1\n",
        3,
        "a quantile is given twice",
    ),
    (
        "# TYPE a summary\na{quantile=\"1\"} -1\n",
        2,
        "the value of a quantile is negative",
    ),
    (
        "# TYPE a summary\na_count 1.5\n",
        2,
        "the count is no whole number from 0 on",
    ),
    (
        "# TYPE a histogram\na_bucket 1\n",
        2,
        "expected a number as label le, found \"\"",
    ),
    (
        "# TYPE a histogram\na_bucket{le=\"NaN\"} 1\n",
        2,
        "expected a number as label le, found \"NaN\"",
    ),
    (
        "# TYPE a histogram\na_bucket{le=\"inf\"} 1\n",
        2,
        "the label le of the last bucket is \"inf\", not \"+Inf\"",
    ),
    (
        "# TYPE a histogram\na_bucket{le=\"1\"} 1\n",
        2,
        "the histogram \"a\" has no bucket le=\"+Inf\"",
    ),
    (
        "# TYPE a histogram\na_count 1\nb 1\n",
        2,
        "the histogram \"a\" has no bucket le=\"+Inf\"",
    ),
    (
        "# TYPE a histogram\na_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\n",
        3,
        "buckets are not in order of le",
    ),
    (
        "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"2\"} 1\n",
        3,
        "a bucket counts less than the one before it",
    ),
    (
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_count 1\n",
        3,
        "the count of the histogram \"a\" is not that of its bucket le=\"+Inf\"",
    ),
    (
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_bucket{le=\"+Inf\",x=\"1\"} 1\na_sum 1\n",
        4,
        "lines of one series of the histogram \"a\" do not stand together",
    ),
    (
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} -1\n",
        2,
        "the count of a bucket is no whole number from 0 on",
    ),
    (
        "a 1 # {} 1\n",
        1,
        "only buckets and the totals of counters have exemplars",
    ),
    (
        "# TYPE a counter\na_total 1 # {}\n",
        2,
        "expected \" \", found \"\"",
    ),
    (
        "# TYPE a counter\na_total 1 # {} x\n",
        2,
        "expected a number as value of the exemplar, found \"x\"",
    ),
    (
        "# TYPE a counter\na_total 1 # {} 1 x\n",
        2,
        "expected seconds since 1970 as timestamp of the exemplar, found \"x\"",
    ),
    (
        "# TYPE a counter\na_total 1 # {} 1 1 1\n",
        2,
        "\" 1\" follows the exemplar",
    ),
    (
        "# TYPE a counter\na_total 1 #{} 1\n",
        2,
        "expected \" # \", found \" #{} 1\"",
    ),
];

#[test]
fn faults_are_named_with_their_line() {
    for (body, line, text) in FAULTS {
        let body = format!("{body}# EOF\n");
        let error = parse(body.as_bytes(), NameRule::Legacy).expect_err(&body);
        assert_eq!(
            (&error.line, error.message.as_str()),
            (line, *text),
            "{body}"
        );
        assert!(!error.is_limit);
    }
}

#[test]
fn a_body_that_is_not_utf8_or_not_closed_is_refused() {
    let refused = |body: &[u8]| {
        parse(body, NameRule::Utf8)
            .expect_err("a fault")
            .to_string()
    };
    assert_eq!(
        refused(b"a 1\nb{x=\"\xFF\"} 1\n# EOF\n"),
        "OpenMetrics parsing error in line 2: not UTF-8"
    );
    assert_eq!(
        refused(b"a 1\nb 1\n"),
        "OpenMetrics parsing error in line 2: the last line is not # EOF"
    );
}

#[test]
fn the_labels_of_an_exemplar_have_128_characters_at_most() {
    let body = |value: usize| {
        let value = "ü".repeat(value);
        format!("# TYPE a counter\na_total 1 # {{x=\"{value}\"}} 1\n# EOF\n")
    };
    assert_eq!(read(&body(127)).len(), 1);
    let error = parse(body(128).as_bytes(), NameRule::Legacy).expect_err("too long");
    assert_eq!(
        error.message,
        "the labels of an exemplar have more than 128 characters"
    );
}

#[test]
fn floods_are_stopped_by_the_limits_of_every_push() {
    let labels: Vec<String> = (0..513).map(|at| format!("l{at}=\"\"")).collect();
    let helps: Vec<String> = (0..=SERIES_PER_PUSH)
        .map(|at| format!("# HELP a{at} \n"))
        .collect();
    for (body, text) in [
        (
            "a 1\n".repeat(SERIES_PER_PUSH + 1),
            "more than 1000000 series in one push",
        ),
        (
            helps.concat(),
            "more than 1000000 metric families in one push",
        ),
        (
            format!("a{{{}}} 1\n", labels.join(",")),
            "a series has more than 512 labels",
        ),
    ] {
        let body = format!("{body}# EOF\n");
        let error = parse(body.as_bytes(), NameRule::Legacy).expect_err("too much");
        assert_eq!((error.to_string().as_str(), error.is_limit), (text, true));
    }
}

proptest! {
    /// Pieces of the format in any order.
    #[test]
    fn any_text_is_read_or_refused_with_a_line(
        pieces in prop::collection::vec(
            prop_oneof![
                "[ -~\\n]{0,12}",
                prop::sample::select(vec![
                    "# TYPE a ", "# HELP a ", "# UNIT a ", "counter\n", "histogram\n", "summary\n",
                    "a", "_total", "_bucket", "_sum", "_count", "_created", "{le=\"1\"}",
                    "{le=\"+Inf\"}", "{x=\"\\\\", "\"", " 1\n", " 1", "\n", " # {x=\"1\"} 1", "ü",
                ]).prop_map(str::to_owned),
            ],
            0..24,
        ),
    ) {
        let body = format!("{}\n# EOF\n", pieces.concat());
        for names in [NameRule::Legacy, NameRule::Utf8] {
            if let Err(error) = parse(body.as_bytes(), names) {
                prop_assert!((1..=body.lines().count()).contains(&error.line), "{error}");
                prop_assert!(!error.to_string().contains('\n'), "{error}");
            }
        }
    }

    #[test]
    fn damaged_bodies_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end: prop::sample::Index,
    ) {
        let mut body = b"# TYPE c counter\nc_total{x=\"\xC3\xBC\\n\"} 3 # {t=\"4b\"} 0.5 1.5\nc_created{x=\"\xC3\xBC\\n\"} 1\n\
            # TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n# EOF\n".to_vec();
        prop_assert!(parse(&body, NameRule::Legacy).is_ok());
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body.truncate(end.index(body.len() + 1));
        let _ = parse(&body, NameRule::Utf8);
        body.extend(b"\n# EOF\n");
        let _ = parse(&body, NameRule::Utf8);
    }
}
