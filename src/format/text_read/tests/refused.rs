//! What is refused, with line and message.

use super::*;

#[test]
fn a_body_must_end_its_last_line() {
    for body in [
        "a",
        "a ",
        "a 1",
        "a 1 5",
        "a{",
        "a{x",
        "a{x ",
        "a{x=",
        "a{x=\"",
        "a{x=\"1",
        "a{x=\"1\\",
        "a{x=\"1\\n",
        "a{x=\"1\"",
        "a{x=\"1\",",
        "a{x=\"1\"}",
        "a{x=\"1\"} ",
        "a{x=\"1\"} 1",
        "{",
        "{a",
        "{a}",
        "{a,",
        "#",
        "# ",
        "# foo",
        "# TYPE",
        "# TYPE ",
        "# TYPE a",
        "# TYPE a ",
        "# TYPE a gauge",
        "# HELP a",
        "# HELP a b",
        "# HELP a b\\",
        "# HELP a b\\n",
        "a x",
    ] {
        refuses(&[(body.as_bytes(), 1, "unexpected end of input stream")]);
        let later = format!("b 1\n\n# c\n{body}");
        refuses(&[(later.as_bytes(), 4, "unexpected end of input stream")]);
    }
}

#[test]
fn bad_names_values_and_timestamps_are_refused() {
    refuses(&[
        (b"1a 1\n", 1, "invalid metric name"),
        ("ü 1\n".as_bytes(), 1, "invalid metric name"),
        (b"\xEF\xBB\xBFa 1\n", 1, "invalid metric name"),
        (b"\x1F\x8B\x08\x00\n", 1, "invalid metric name"),
        (b"a 1\n\n-b 1\n", 3, "invalid metric name"),
        (b"\r\n", 1, "invalid metric name"),
        (b"a 1\r\n", 1, r#"expected float as value, got "1\r""#),
        (b"a\n", 1, r#"expected float as value, got """#),
        (b"a \n", 1, r#"expected float as value, got """#),
        (b"each_lab x\n", 1, r#"expected float as value, got "x""#),
        (b"a 1e400\n", 1, r#"expected float as value, got "1e400""#),
        (b"a 0x10\n", 1, r#"expected float as value, got "0x10""#),
        (b"a 1_000\n", 1, r#"expected float as value, got "1_000""#),
        (b"a 1,5\n", 1, r#"expected float as value, got "1,5""#),
        (b"a-b 1\n", 1, r#"expected float as value, got "-b""#),
        (b"a.b 1\n", 1, r#"expected float as value, got ".b""#),
        (b"a} 1\n", 1, r#"expected float as value, got "}""#),
        (b"a \xFF\n", 1, r#"expected float as value, got "\xff""#),
        (b"a{} {} 1\n", 1, r#"expected float as value, got "{}""#),
        (b"a 1 \n", 1, r#"expected integer as timestamp, got """#),
        (
            b"a 1 1.5\n",
            1,
            r#"expected integer as timestamp, got "1.5""#,
        ),
        (
            b"a 1 # {} 1\n",
            1,
            "expected integer as timestamp, got \"#\"",
        ),
        (
            b"a 1 9223372036854775808\n",
            1,
            r#"expected integer as timestamp, got "9223372036854775808""#,
        ),
        (b"a 1 2 x\n", 1, r#"spurious string after timestamp: " x""#),
        (b"a 1 2 \n", 1, r#"spurious string after timestamp: " ""#),
    ]);
}

#[test]
fn bad_comment_lines_are_refused() {
    refuses(&[
        (b"# TYPE a gauge\r\n", 1, r#"unknown metric type "gauge\r""#),
        (b"# TYPE a gauge \n", 1, r#"unknown metric type "gauge ""#),
        (
            b"# TYPE a gauge # b\n",
            1,
            "unknown metric type \"gauge # b\"",
        ),
        (b"# TYPE a unknown\n", 1, r#"unknown metric type "unknown""#),
        (b"# TYPE a info\n", 1, r#"unknown metric type "info""#),
        (
            b"# TYPE a stateset\n",
            1,
            r#"unknown metric type "stateset""#,
        ),
        (
            b"# TYPE a gauge\n# TYPE a gauge\n",
            2,
            r#"second TYPE line for metric name "a", or TYPE reported after samples"#,
        ),
        (
            b"a 1\n# TYPE a gauge\n",
            2,
            r#"second TYPE line for metric name "a", or TYPE reported after samples"#,
        ),
        (
            b"# HELP a b\n# HELP a b\n",
            2,
            r#"second HELP line for metric name "a""#,
        ),
        (b"# HELP a b\\c\n", 1, r"invalid escape sequence '\c'"),
        (b"# HELP a b\\\n", 1, "invalid escape sequence '\\\n'"),
        (b"# HELP a \\\xC3\xBC\n", 1, "invalid escape sequence '\\Ã'"),
        (b"# TYPE 1a gauge\n", 1, "invalid metric name in comment"),
        (b"# TYPE a-b gauge\n", 1, "invalid metric name in comment"),
        (b"# HELP a{} b\n", 1, "invalid metric name in comment"),
        (
            "# TYPE ü gauge\n".as_bytes(),
            1,
            "invalid metric name in comment",
        ),
    ]);
}

#[test]
fn bad_label_names_are_refused() {
    refuses(&[
        (
            b"a{x=\"1\",x=\"2\"} 1\n",
            1,
            r#"duplicate label names for metric "a""#,
        ),
        (
            b"{\"a\",x=\"1\",x=\"2\"} 1\n",
            1,
            r#"duplicate label names for metric "a""#,
        ),
        (
            b"a{__name__=\"b\"} 1\n",
            1,
            r#"label name "__name__" is reserved"#,
        ),
        (b"a{x} 1\n", 1, "expected '=' after label name, found '}'"),
        (
            b"a{x:y=\"1\"} 1\n",
            1,
            "expected '=' after label name, found ':'",
        ),
        (b"a{x\n", 1, r"expected '=' after label name, found '\n'"),
        (
            b"a{1x=\"1\"} 1\n",
            1,
            r#"invalid label name for metric "a""#,
        ),
        (b"a{,} 1\n", 1, r#"invalid label name for metric "a""#),
        (
            b"a{x=\"1\",,} 1\n",
            1,
            r#"invalid label name for metric "a""#,
        ),
        (b"a{{} 1\n", 1, r#"invalid label name for metric "a""#),
        (b"a{\n", 1, r#"invalid label name for metric "a""#),
        (b"a{x=\"1\",\n", 1, r#"invalid label name for metric "a""#),
    ]);
}

#[test]
fn bad_label_values_are_refused() {
    refuses(&[
        (
            b"a{x='1'} 1\n",
            1,
            r#"expected '"' at start of label value, found '\''"#,
        ),
        (
            b"a{x=1} 1\n",
            1,
            r#"expected '"' at start of label value, found '1'"#,
        ),
        (
            b"a{x=\xFF} 1\n",
            1,
            r#"expected '"' at start of label value, found 'ÿ'"#,
        ),
        (
            b"a{x=\"a\nb\"} 1\n",
            1,
            r#"label value "a" contains unescaped new-line"#,
        ),
        (
            b"a{x=\"a\\\\\nb\"} 1\n",
            1,
            r#"label value "a\\" contains unescaped new-line"#,
        ),
        (b"a{x=\"\xFF\"} 1\n", 1, r#"invalid label value "\xff""#),
        (
            b"a{x=\"\\n\xFF\"} 1\n",
            1,
            r#"invalid label value "\n\xff""#,
        ),
        (b"a{x=\"1\" 1\n", 1, r#"unexpected end of label value "1""#),
        (b"a{x=\"1\"\n", 1, r#"unexpected end of label value "1""#),
        (
            b"a{x=\"1\"y=\"2\"} 1\n",
            1,
            r#"unexpected end of label value "1""#,
        ),
        (b"a{x=\"\\t\"} 1\n", 1, r"invalid escape sequence '\t'"),
        (
            b"# TYPE h histogram\nh_bucket{le=\"x\"} 1\n",
            2,
            r#"expected float as value for 'le' label, got "x""#,
        ),
        (
            b"# TYPE s summary\ns{quantile=\"\"} 1\n",
            2,
            r#"expected float as value for 'quantile' label, got """#,
        ),
        (
            b"# TYPE h histogram\n{le=\"x\",\"h\"} 1\n",
            2,
            r#"expected float as value for 'le' label, got "x""#,
        ),
    ]);
}

#[test]
fn quoted_names_must_be_legacy_names() {
    refuses(&[
        (b"\"a.b\" 1\n", 1, r#"invalid metric name "a.b""#),
        (b"{\"a.b\"} 1\n", 1, r#"invalid metric name "a.b""#),
        (b"\"1a\" 1\n", 1, r#"invalid metric name "1a""#),
        (b"\"\xFF\\n\" 1\n", 1, r#"invalid metric name "\xff\n""#),
        (b"\"a\\\"b\" 1\n", 1, r#"invalid metric name "a\"b""#),
        (b"\"\" 1\n", 1, "invalid metric name"),
        (b"# TYPE \"a b\" gauge\n", 1, r#"invalid metric name "a b""#),
        (b"# HELP \"\" gauge\n", 1, r#"invalid metric name """#),
        (b"a{\"b.c\"=\"1\"} 1\n", 1, r#"invalid label name "b.c""#),
        (b"a{\"b:c\"=\"1\"} 1\n", 1, r#"invalid label name "b:c""#),
        (
            b"a{\"\"=\"1\"} 1\n",
            1,
            r#"invalid label name for metric "a""#,
        ),
        (
            b"\"a\nb\" 1\n",
            1,
            r#"metric name "a" contains unescaped new-line"#,
        ),
        (
            b"a{\"b\n\"=\"1\"} 1\n",
            1,
            r#"label name "b" contains unescaped new-line"#,
        ),
        (b"\"a\\x\" 1\n", 1, r"invalid escape sequence '\x'"),
        (
            b"{\"a\",\"b\"} 1\n",
            1,
            r#"multiple metric names for metric "a""#,
        ),
        (
            b"{\"a\",b 1\n",
            1,
            r#"multiple metric names for metric "a""#,
        ),
        (b"{\"a\"x 1\n", 1, "unexpected end of metric name 'x'"),
        (b"{a:b} 1\n", 1, "unexpected end of metric name ':'"),
        (
            b"a{\"b\"} 1\n",
            1,
            "expected '=' after label name, found '}'",
        ),
        (b"\"a", 1, "unexpected end of input stream"),
        (b"\"a\\", 1, "unexpected end of input stream"),
        (b"a\"b\"c 1\n", 1, r#"expected float as value, got "c""#),
    ]);
}

#[test]
fn braces_without_a_name_are_no_metric() {
    refuses(&[
        (b"{} 1\n", 1, "invalid metric name"),
        (b"{x=\"1\"} 1\n", 1, "invalid metric name"),
        (b"a 1\n{x=\"1\"} 5\n", 2, "invalid metric name"),
        (b"a 1\n{} 5\n", 2, "invalid metric name"),
        (b"{1} 1\n", 1, r#"invalid label name for metric """#),
    ]);
}
