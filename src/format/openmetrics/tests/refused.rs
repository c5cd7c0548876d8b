//! Every fault, with its line.

use super::*;

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
