//! Every accepted and refused form, as tables; hostile and random bodies.

mod accepted;
mod folding;
mod refused;

use super::*;
use crate::limits::LABELS_PER_SERIES;
use crate::model::{Count, Metric, Value};
use proptest::prelude::*;

/// What was read, in short: `a gauge "help" {x=1} 5 @7` per series.
fn read(body: &[u8]) -> String {
    match parse(body, NameRule::Legacy) {
        Ok(families) => families.iter().map(family).collect::<Vec<_>>().join("; "),
        Err(e) => e.to_string(),
    }
}

fn family(family: &Family<'_>) -> String {
    let kind = family.kind.as_upper().to_lowercase();
    let help = family
        .help
        .as_ref()
        .map(|help| format!(" {help:?}"))
        .unwrap_or_default();
    let metrics: Vec<String> = family.metrics.iter().map(metric).collect();
    format!("{} {kind}{help} {}", family.name, metrics.join(" "))
}

fn metric(metric: &Metric<'_>) -> String {
    let labels: Vec<String> = metric
        .labels
        .iter()
        .map(|label| format!("{}={}", label.name, label.value))
        .collect();
    let time = metric
        .timestamp_ms
        .map(|time| format!(" @{time}"))
        .unwrap_or_default();
    format!("{{{}}} {}{time}", labels.join(","), value(&metric.value))
}

fn value(value: &Value<'_>) -> String {
    match value {
        Value::Number(value, _) => format!("{value}"),
        Value::Summary(summary) => {
            let quantiles = summary
                .quantiles
                .iter()
                .map(|q| format!("{}:{}", q.quantile, q.value));
            format!(
                "{:?} count={} sum={}",
                quantiles.collect::<Vec<_>>(),
                summary.count,
                summary.sum
            )
        }
        Value::Histogram(histogram) => {
            let buckets = histogram
                .buckets
                .iter()
                .map(|b| format!("{}:{}", b.upper, count(b.count)));
            let buckets: Vec<String> = buckets.collect();
            format!(
                "{buckets:?} count={} sum={}",
                count(histogram.count),
                histogram.sum
            )
        }
        Value::Missing => "missing".to_owned(),
    }
}

fn count(count: Count) -> String {
    match count {
        Count::Int(n) => format!("{n}"),
        Count::Float(n) => format!("{n}f"),
    }
}

#[track_caller]
fn reads(cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        assert_eq!(read(body.as_bytes()), *expected, "{body:?}");
    }
}

/// Each case: a body, the line of the fault, the message.
#[track_caller]
fn refuses(cases: &[(&[u8], usize, &str)]) {
    for (body, line, message) in cases {
        let text = format!("text format parsing error in line {line}: {message}");
        assert_eq!(read(body), text, "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn duplicate_labels_are_found_among_many() {
    let labels = |count: usize| {
        let labels: Vec<String> = (0..count).map(|i| format!("l{i}=\"v\",")).collect();
        labels.concat()
    };
    for count in [1, 15, 16, 17, 100] {
        let twice = format!("a 1\na{{{}l0=\"w\"}} 1\n", labels(count));
        refuses(&[(
            twice.as_bytes(),
            2,
            r#"duplicate label names for metric "a""#,
        )]);
        let last = format!("a{{{}l{}=\"w\"}} 1\n", labels(count), count - 1);
        refuses(&[(
            last.as_bytes(),
            1,
            r#"duplicate label names for metric "a""#,
        )]);
        let once = format!("a{{{0}}} 1\na{{{0}}} 1\n", labels(count));
        assert_eq!(
            parse(once.as_bytes(), NameRule::Legacy).expect("valid")[0]
                .metrics
                .len(),
            2
        );
    }
}

#[test]
fn hostile_bodies_take_linear_time() {
    // Quadratic work on any of these would take minutes.
    let n = 100_000;
    let lines = |line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    let most_labels = (0..LABELS_PER_SERIES).map(|i| format!("l{i}=\"\","));
    let many_labels = format!("a{{{}}} 1\n", most_labels.collect::<String>());
    let after_many = many_labels + &lines(&|_| "a{a=\"\",b=\"\"} 1\n".to_owned());
    let families = lines(&|i| format!("# TYPE f{i} gauge\nf{i} 1\n"));
    let interleaved = |half: &str| lines(&|i| format!("h_{half}{{x=\"{}\"}} 1\n", i % (n / 2)));
    let histogram = format!(
        "# TYPE h histogram\n{}{}",
        interleaved("sum"),
        interleaved("count")
    );
    let escapes = format!("a{{x=\"{}\"}} 1\n", "\\n".repeat(n * 4));
    for (body, series) in [
        (after_many, n + 1),
        (families, n),
        (histogram, n / 2),
        (escapes, 1),
    ] {
        let read = parse(body.as_bytes(), NameRule::Legacy).expect("valid");
        assert_eq!(
            read.iter()
                .map(|family| family.metrics.len())
                .sum::<usize>(),
            series
        );
    }
    let open = "a{x=\"1\"} 1\n".repeat(n) + &"{".repeat(n * 4);
    assert!(parse(open.as_bytes(), NameRule::Legacy).is_err());
}

#[test]
fn a_message_repeats_a_bounded_part_of_the_body() {
    let long = "x".repeat(1_000_000);
    for body in [
        format!("a {long}\n"),
        format!("a{{x=\"{long}\n"),
        format!("a 1 {long}\n"),
    ] {
        let e = parse(body.as_bytes(), NameRule::Legacy).expect_err("no number, no quote, no time");
        assert!(e.message.len() < 5000 && e.message.contains(&long[..4096]));
    }
}

const VALID: &str = "# HELP a help \\n text\n# TYPE a counter\na{x=\"1\",y=\"\\\\ü\"} 1.5 7\n\
    # TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n\
    # TYPE s summary\ns{quantile=\"0.9\",z=\"\"} NaN\n{\"b\",q=\"w\"} -Inf\n\"c\" 0\n";

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body: Vec<u8>) {
        let _ = parse(&body, NameRule::Legacy);
    }

    #[test]
    fn any_format_characters_are_read_or_refused(body in "[a#{}\"=,\\\\n \t\nTYPEHL1.é]{0,200}") {
        let _ = parse(body.as_bytes(), NameRule::Legacy);
    }

    #[test]
    fn mutated_valid_text_is_read_or_refused(
        edits in prop::collection::vec((0..VALID.len(), any::<u8>(), 0..4_u8), 0..6)
    ) {
        let mut body = VALID.as_bytes().to_vec();
        for (at, byte, edit) in edits {
            let at = at.min(body.len() - 1);
            match edit {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 if at > 0 => drop(body.remove(at)),
                _ => body.truncate(at.max(1)),
            }
        }
        let lines = memchr::memchr_iter(b'\n', &body).count() + 1;
        if let Err(e) = parse(&body, NameRule::Legacy) {
            prop_assert!((1..=lines).contains(&e.line));
        }
    }
}
