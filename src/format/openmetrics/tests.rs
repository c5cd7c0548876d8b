//! What is read of OpenMetrics, and what is refused; floods and random bodies.

mod accepted;
mod refused;

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
        labels: vec![Label::new("trace_id", "4b f9")].into(),
        value,
        timestamp,
    }
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
