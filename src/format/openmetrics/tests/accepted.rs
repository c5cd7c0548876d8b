//! What is read of bodies that are sound.

use super::*;

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
