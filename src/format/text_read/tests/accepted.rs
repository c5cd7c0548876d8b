//! What is read although it looks odd.

use super::*;

#[test]
fn bodies_without_samples_are_empty() {
    reads(&[
        ("", ""),
        ("\n\n", ""),
        ("  \t", ""),
        ("a 1\n   ", "a untyped {} 1"),
        ("# foo\n#\n# \n#foo bar\n", ""),
        ("# TYPE a gauge\n# HELP b c\n", ""),
        ("# TYPE\n# HELP\n# TYPE \n", ""),
        ("# TYPE a\n# TYPE a \n# HELP a\n# HELP a  \n", ""),
    ]);
}

#[test]
fn comment_lines_are_read_leniently() {
    reads(&[
        ("    # TYPE a gauge\n\t a 1\n", "a gauge {} 1"),
        ("#TYPE a gauge\na 1\n", "a gauge {} 1"),
        ("#\tTYPE\ta\tgauge\na 1\n", "a gauge {} 1"),
        (
            "# HELP a h\n# TYPE a counter\na 1\n",
            "a counter \"h\" {} 1",
        ),
        (
            "# TYPE a counter\n# HELP a h\na 1\n",
            "a counter \"h\" {} 1",
        ),
        ("a 1\n# HELP a h\n", "a untyped \"h\" {} 1"),
        ("# HELP a h h \t\na 1\n", "a untyped \"h h \\t\" {} 1"),
        ("# HELP a  \t h\na 1\n", "a untyped \"h\" {} 1"),
        ("# HELP a h\r\na 1\n", "a untyped \"h\\r\" {} 1"),
        (
            "# HELP a \\\\ \\n \\\" \" 中\na 1\n",
            "a untyped \"\\\\ \\n \\\" \\\" 中\" {} 1",
        ),
        (
            "# HELP a\n# HELP a \n# HELP a h\na 1\n",
            "a untyped \"h\" {} 1",
        ),
        ("# TYPE a\n# TYPE a \n# TYPE a gauge\na 1\n", "a gauge {} 1"),
        (
            "# type a gauge\n# Help a h\n# UNIT a b\na 1\n",
            "a untyped {} 1",
        ),
        ("a 1\n# EOF\nb 2\n", "a untyped {} 1; b untyped {} 2"),
        ("# TYPE a GAUGE\na 1\n", "a gauge {} 1"),
        ("# TYPE a Untyped\na 1\n", "a untyped {} 1"),
        ("# TYPE a ga\\uge\na 1\n", "a gauge {} 1"),
        (
            "# TYPE \"a\" gauge\n# HELP \"a\" h\na 1\n",
            "a gauge \"h\" {} 1",
        ),
        (
            "# TYPE h gauge_histogram\nh 1\n",
            "h gauge_histogram {} [] count=0 sum=0",
        ),
        (
            "# TYPE h GaugeHistogram\nh 1\n",
            "h gauge_histogram {} [] count=0 sum=0",
        ),
    ]);
    assert_eq!(
        read(b"# HELP a \xFFx\xE4\xB8\na 1\n"),
        "a untyped \"\u{FFFD}x\u{FFFD}\" {} 1"
    );
    assert_eq!(
        read(b"# HELP a \\n\xFF\na 1\n"),
        "a untyped \"\\n\u{FFFD}\" {} 1"
    );
}

#[test]
fn sample_lines_are_read_leniently() {
    reads(&[
        ("a 1\n", "a untyped {} 1"),
        ("a\t1\n", "a untyped {} 1"),
        (" \ta  \t 1\n", "a untyped {} 1"),
        ("a{} 1\n", "a untyped {} 1"),
        ("a{}1\n", "a untyped {} 1"),
        ("a{x=\"1\",} 1\n", "a untyped {x=1} 1"),
        ("a{x=\"1\"}1\n", "a untyped {x=1} 1"),
        ("a { x = \"1\" , y\t=\t\"2\" } 1\n", "a untyped {x=1,y=2} 1"),
        ("a{ } 1\n", "a untyped {} 1"),
        ("a{y=\"2\",x=\"1\"} 1\n", "a untyped {y=2,x=1} 1"),
        (":a 1\n__a:b 2\n", ":a untyped {} 1; __a:b untyped {} 2"),
        ("a{__x=\"1\"} 1\n", "a untyped {__x=1} 1"),
        ("a{x=\"\"} 1\n", "a untyped {x=} 1"),
        (
            "a{x=\"}\",y=\",\",z=\"#\"} 1\n",
            "a untyped {x=},y=,,z=#} 1",
        ),
        ("a{x=\"\\\\\\\"\\n\"} 1\n", "a untyped {x=\\\"\n} 1"),
        ("a{x=\"b\\\\c\\\"d\\ne\"} 1\n", "a untyped {x=b\\c\"d\ne} 1"),
        ("a{x=\"ü\\\\中\"} 1\n", "a untyped {x=ü\\中} 1"),
        (
            "a{le=\"x\",quantile=\"y\"} 1\n",
            "a untyped {le=x,quantile=y} 1",
        ),
        ("a 1 5\n", "a untyped {} 1 @5"),
        ("a 1  -5\n", "a untyped {} 1 @-5"),
        ("a 1\t+5\n", "a untyped {} 1 @5"),
        (
            "a 1 5\\\n",
            "text format parsing error in line 1: expected integer as timestamp, got \"5\\\\\"",
        ),
        ("a 1\nb 2\na 1\n", "a untyped {} 1 {} 1; b untyped {} 2"),
        ("# TYPE b gauge\na 1\nb 1\n", "b gauge {} 1; a untyped {} 1"),
    ]);
}

#[test]
fn numbers_are_gos() {
    for (text, shown_as) in [
        ("NaN", "NaN"),
        ("nan", "NaN"),
        ("Inf", "inf"),
        ("+Inf", "inf"),
        ("-inf", "-inf"),
        ("infinity", "inf"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+5", "5"),
        ("1E5", "100000"),
        ("00012", "12"),
        ("-0", "-0"),
        ("1e-400", "0"),
        ("12345678901234567890", "12345678901234567000"),
    ] {
        let body = format!("a {text}\n");
        assert_eq!(read(body.as_bytes()), format!("a untyped {{}} {shown_as}"));
    }
}

#[test]
fn quoted_names_of_1_11_are_read() {
    reads(&[
        ("\"a\" 1\n", "a untyped {} 1"),
        ("\"a\"{x=\"1\"} 1\n", "a untyped {x=1} 1"),
        ("a\"b\" 1\n", "ab untyped {} 1"),
        ("a\"b:c\"{x=\"1\"} 1\n", "ab:c untyped {x=1} 1"),
        ("{\"a\"} 1\n", "a untyped {} 1"),
        ("{a} 1\n", "a untyped {} 1"),
        ("{ \"a\" } 1\n", "a untyped {} 1"),
        ("{\"a\",} 1\n", "a untyped {} 1"),
        ("{\"a\",x=\"1\"} 1\n", "a untyped {x=1} 1"),
        ("{x=\"1\",\"a\"} 1\n", "a untyped {x=1} 1"),
        ("{x=\"1\",\"a\",y=\"2\"}1\n", "a untyped {x=1,y=2} 1"),
        ("a{\"x\"=\"1\"} 1\n", "a untyped {x=1} 1"),
        ("{\"a:b\"} 1\n", "a:b untyped {} 1"),
        ("a 1\n{\"a\"} 2\n", "a untyped {} 1 {} 2"),
        (
            "# TYPE h histogram\n{\"h_bucket\",le=\"1\"} 2\n",
            "h histogram {} [\"1:2\"] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\n{le=\"1\",x=\"y\",\"h_bucket\"} 2\n",
            "h histogram {x=y} [\"1:2\"] count=0 sum=0",
        ),
        (
            "# TYPE s summary\n{quantile=\"1\",\"s\"} 2\n",
            "s summary {} [\"1:2\"] count=0 sum=0",
        ),
    ]);
}

#[test]
fn names_and_plain_values_borrow_from_the_body() {
    let families = parse(b"# HELP a h\na{x=\"1\"} 1\n", NameRule::Legacy).expect("valid");
    let label = &families[0].metrics[0].labels[0];
    let texts = [
        &families[0].name,
        families[0].help.as_ref().expect("help"),
        &label.name,
        &label.value,
    ];
    assert!(
        texts.iter().all(|text| matches!(text, Cow::Borrowed(_))),
        "{families:?}"
    );
}
