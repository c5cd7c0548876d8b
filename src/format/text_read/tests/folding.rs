//! How the lines of histograms and summaries become series.

use super::*;

#[test]
fn suffixed_lines_fold_only_after_a_type_line() {
    reads(&[
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4.5\nh_count 3\n",
            "h histogram {} [\"1:2\", \"inf:3\"] count=3 sum=4.5",
        ),
        (
            "# TYPE s summary\ns{quantile=\"0.5\"} 2\ns_sum 4.5\ns_count 3\n",
            "s summary {} [\"0.5:2\"] count=3 sum=4.5",
        ),
        (
            "h_bucket{le=\"1\"} 2\nh_sum 1\nh_count 2\n",
            "h_bucket untyped {le=1} 2; h_sum untyped {} 1; h_count untyped {} 2",
        ),
        (
            "h_count 2\n# TYPE h histogram\nh_count 3\nh_sum 1\n",
            "h_count untyped {} 2 {} 3; h histogram {} [] count=0 sum=1",
        ),
        (
            "# TYPE s summary\ns_bucket{le=\"1\"} 2\ns_sum 1\n",
            "s summary {} [] count=0 sum=1; s_bucket untyped {le=1} 2",
        ),
        ("# TYPE h gauge\nh_count 2\n", "h_count untyped {} 2"),
        (
            "# HELP h x\nh_count 2\n# TYPE h histogram\nh_sum 1\n",
            "h histogram \"x\" {} [] count=0 sum=1; h_count untyped {} 2",
        ),
        (
            "# TYPE h histogram\n# HELP h_count x\nh_count 2\n",
            "h histogram \"x\" {} [] count=2 sum=0",
        ),
        (
            "# HELP h_count x\n# TYPE h histogram\nh_count 2\n",
            "h_count untyped \"x\" {} 2",
        ),
        (
            "# TYPE _count histogram\n_count 1\n",
            "_count histogram {} [] count=0 sum=0",
        ),
        (
            "# TYPE h gaugehistogram\nh_bucket{le=\"1\"} 2\nh_count 2\n",
            "h gauge_histogram {} [\"1:2\"] count=2 sum=0",
        ),
        ("# TYPE h gauge\nh{le=\"1\"} 2\n", "h gauge {le=1} 2"),
    ]);
    refuses(&[(
        b"# TYPE h histogram\n# TYPE h_count counter\n",
        2,
        r#"second TYPE line for metric name "h", or TYPE reported after samples"#,
    )]);
}

#[test]
fn lines_of_one_series_meet_whatever_their_order() {
    reads(&[
        (
            "# TYPE h histogram\nh_bucket{a=\"1\",le=\"1\",b=\"2\"} 1\nh_sum{x=\"y\"} 7\nh_bucket{b=\"2\",a=\"1\",le=\"2\"} 2\nh_count{b=\"2\",a=\"1\"} 3\nh_count{x=\"y\"} 4\n",
            "h histogram {a=1,b=2} [\"1:1\", \"2:2\"] count=3 sum=0 {x=y} [] count=4 sum=7",
        ),
        (
            "# TYPE h histogram\nh_sum{a=\"\"} 1\nh_sum 2\n",
            "h histogram {a=} [] count=0 sum=1 {} [] count=0 sum=2",
        ),
        (
            "# TYPE s summary\ns{quantile=\"1\",le=\"1\"} 1\ns{le=\"1\",quantile=\"2\"} 2\n",
            "s summary {le=1} [\"1:1\", \"2:2\"] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\nh_sum{a=\"b\",c=\"d\"} 1\nh_sum{a=\"bc\",d=\"\"} 2\n",
            "h histogram {a=b,c=d} [] count=0 sum=1 {a=bc,d=} [] count=0 sum=2",
        ),
        (
            "# TYPE h histogram\nh_count 1 5\nh_sum 1 6\n",
            "h histogram {} [] count=1 sum=1 @6",
        ),
    ]);
}

#[test]
fn histograms_and_summaries_are_not_judged() {
    reads(&[
        (
            "# TYPE s summary\ns 5\ns{quantile=\"NaN\"} 6\n",
            "s summary {} [] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"2\"} 5\nh_bucket{le=\"1\"} 9\nh_bucket{le=\"2\"} 4\nh_bucket{le=\"+Inf\"} 1\nh_count 3\n",
            "h histogram {} [\"2:5\", \"1:9\", \"2:4\", \"inf:1\"] count=3 sum=0",
        ),
        (
            "# TYPE s summary\ns{quantile=\"7\"} 1\ns{quantile=\"7\"} 2\n",
            "s summary {} [\"7:1\", \"7:2\"] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\nh 5\n",
            "h histogram {} [] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\nh -5\nh_bucket -1\nh_bucket{le=\"NaN\"} -1\n",
            "h histogram {} [] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\nh{le=\"1\"} 5\n",
            "h histogram {} [\"1:5\"] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"NaN\"} 5\n",
            "h histogram {} [] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\",le=\"2\"} 5\n",
            "h histogram {} [\"2:5\"] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\nh_count{le=\"1\"} 5\nh_sum{le=\"1\"} -6\n",
            "h histogram {} [] count=5 sum=-6",
        ),
        (
            "# TYPE h histogram\nh_count 1\nh_count 2\nh_sum 3\nh_sum 4\n",
            "h histogram {} [] count=2 sum=4",
        ),
    ]);
}

#[test]
fn summary_counts_are_cut_as_go_cuts_them() {
    for (text, count) in [
        ("1.9", 1),
        ("-0.5", 0),
        ("-1", u64::MAX),
        ("-2.5", u64::MAX - 1),
        ("NaN", 1 << 63),
        ("+Inf", 1 << 63),
        ("-Inf", 1 << 63),
        ("1e20", 1 << 63),
        ("-1e20", 1 << 63),
        ("1e19", 10_000_000_000_000_000_000),
    ] {
        let body = format!("# TYPE s summary\ns_count {text}\n");
        assert_eq!(
            read(body.as_bytes()),
            format!("s summary {{}} [] count={count} sum=0")
        );
    }
}

#[test]
fn a_fraction_makes_the_whole_histogram_a_float_one() {
    reads(&[
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1.5\nh_bucket{le=\"2\"} 2\nh_count 3\nh_count{x=\"y\"} 4\n",
            "h histogram {} [\"1:1.5f\", \"2:2f\"] count=3f sum=0 {x=y} [] count=4 sum=0",
        ),
        (
            "# TYPE h histogram\nh_count NaN\nh_bucket{le=\"1\"} 1\n",
            "h histogram {} [\"1:1f\"] count=NaNf sum=0",
        ),
        (
            "# TYPE h histogram\nh_count 1e20\n",
            "h histogram {} [] count=100000000000000000000f sum=0",
        ),
        (
            "# TYPE h histogram\nh_count +Inf\n",
            "h histogram {} [] count=inff sum=0",
        ),
        (
            "# TYPE h histogram\nh_count -0\n",
            "h histogram {} [] count=0 sum=0",
        ),
        (
            "# TYPE h histogram\nh_count 1.5\nh_count 2\n",
            "h histogram {} [] count=2 sum=0",
        ),
    ]);
    refuses(&[
        (
            b"# TYPE h histogram\nh_count -1\n",
            2,
            r#"negative count for histogram "h""#,
        ),
        (
            b"# TYPE h histogram\nh_count -0.5 x\n",
            2,
            r#"negative count for histogram "h""#,
        ),
        (
            b"# TYPE h histogram\nh_bucket{le=\"1\"} -Inf\n",
            2,
            r#"negative bucket population for histogram "h""#,
        ),
    ]);
}
