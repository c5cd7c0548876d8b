//! What is pushed: the figures of a batch job, 20 series in 5 families.

use std::fmt::Write;

use prost::Message;

use super::messages::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, Number};

const OUTCOMES: [&str; 4] = ["inserted", "updated", "skipped", "failed"];
const QUEUES: [&str; 4] = ["in", "out", "retry", "dead"];
const BOUNDS: [&str; 8] = ["0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf"];

/// A push as text.
pub(crate) fn text(value: usize) -> String {
    let mut text = format!(
        "# HELP job_duration_seconds How long the last run of the job took.\n\
         # TYPE job_duration_seconds gauge\njob_duration_seconds {value}.25\n\
         # TYPE job_last_success gauge\njob_last_success 1.7953e+09\n"
    );
    text += "# HELP job_rows_total Rows handled, by outcome.\n# TYPE job_rows_total counter\n";
    for outcome in OUTCOMES {
        line(
            &mut text,
            "job_rows_total",
            ("outcome", outcome),
            value * 17,
        );
    }
    text += "# HELP job_queue_depth Depth of each queue.\n# TYPE job_queue_depth gauge\n";
    for queue in QUEUES {
        line(&mut text, "job_queue_depth", ("queue", queue), value % 97);
    }
    text += "# HELP job_step_seconds Time of each step.\n# TYPE job_step_seconds histogram\n";
    for (number, bound) in BOUNDS.iter().enumerate() {
        line(
            &mut text,
            "job_step_seconds_bucket",
            ("le", bound),
            (number + 1) * 3,
        );
    }
    text + "job_step_seconds_sum 12.5\njob_step_seconds_count 24\n"
}

fn line(text: &mut String, name: &str, (label, said): (&str, &str), value: usize) {
    writeln!(text, "{name}{{{label}=\"{said}\"}} {value}").expect("a string takes all");
}

/// The same push as delimited protobuf.
pub(crate) fn protobuf(value: usize) -> Vec<u8> {
    const COUNTER: i32 = 0;
    const GAUGE: i32 = 1;
    const HISTOGRAM: i32 = 4;
    let value = f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    let rows = |outcome: &&str| Metric {
        label: vec![label("outcome", outcome)],
        counter: Some(Counter {
            value: Some(value * 17.0),
            ..Counter::default()
        }),
        ..Metric::default()
    };
    let depth = |queue: &&str| Metric {
        label: vec![label("queue", queue)],
        ..gauge(value % 97.0)
    };
    let bucket = |(number, bound): (u64, &&str)| Bucket {
        cumulative_count: Some(number * 3),
        upper_bound: Some(bound.parse().expect("a bound")),
        ..Bucket::default()
    };
    let steps = Metric {
        histogram: Some(Histogram {
            sample_count: Some(24),
            sample_sum: Some(12.5),
            bucket: (1..).zip(&BOUNDS).map(bucket).collect(),
            ..Histogram::default()
        }),
        ..Metric::default()
    };
    let duration = "How long the last run of the job took.";
    [
        family(
            "job_duration_seconds",
            duration,
            GAUGE,
            vec![gauge(value + 0.25)],
        ),
        family("job_last_success", "", GAUGE, vec![gauge(1.7953e9)]),
        family(
            "job_rows_total",
            "Rows handled, by outcome.",
            COUNTER,
            OUTCOMES.iter().map(rows).collect(),
        ),
        family(
            "job_queue_depth",
            "Depth of each queue.",
            GAUGE,
            QUEUES.iter().map(depth).collect(),
        ),
        family(
            "job_step_seconds",
            "Time of each step.",
            HISTOGRAM,
            vec![steps],
        ),
    ]
    .iter()
    .flat_map(Message::encode_length_delimited_to_vec)
    .collect()
}

fn family(name: &str, help: &str, kind: i32, metric: Vec<Metric>) -> MetricFamily {
    MetricFamily {
        name: Some(name.into()),
        help: (!help.is_empty()).then(|| help.into()),
        kind: Some(kind),
        metric,
        ..MetricFamily::default()
    }
}

fn gauge(value: f64) -> Metric {
    Metric {
        gauge: Some(Number { value: Some(value) }),
        ..Metric::default()
    }
}

fn label(name: &str, value: &str) -> LabelPair {
    LabelPair {
        name: Some(name.into()),
        value: Some(value.into()),
    }
}

/// One push of so many families of one series each.
pub(crate) fn families(families: usize) -> String {
    let mut text = String::new();
    for family in 0..families {
        let name = format!("wide_{family:06}_rows");
        writeln!(text, "# TYPE {name} gauge\n{name} {family}").expect("a string takes all");
    }
    text
}

/// One push of so many series, about 90 bytes each, in ten families.
pub(crate) fn large(series: usize) -> String {
    let mut text = String::new();
    for family in 0..10 {
        let name = format!("import_table_rows_total_{family}");
        writeln!(text, "# TYPE {name} counter").expect("a string takes all");
        for table in 0..series / 10 {
            let line = format!(
                "{name}{{table=\"public.orders_{table:06}\",shard=\"shard-{:02}\"}} {}",
                table % 32,
                table * 37
            );
            writeln!(text, "{line}").expect("a string takes all");
        }
    }
    text
}
