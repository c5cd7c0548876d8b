//! Persistence files that no Pushgateway of Debian's can write.

use prost::Message;
use tidegate::clock::UnixNanos;

use super::messages::{Counter, Histogram, LabelPair, Metric, MetricFamily, Number, Summary};
use super::native::{self, exemplar, span};
use super::support::gob::Group;

/// When most groups of the written files were pushed.
pub(crate) const PUSHED: UnixNanos = UnixNanos(1_795_308_991_679_737_914);

pub(crate) const GAUGE: i32 = 1;
pub(crate) const COUNTER: i32 = 0;
pub(crate) const UNTYPED: i32 = 3;

/// A family of one series in a written group.
pub(crate) trait With {
    fn with(self, name: &str, kind: i32, labels: &[(&str, &str)], value: f64) -> Self;
}

impl With for Group {
    fn with(self, name: &str, kind: i32, labels: &[(&str, &str)], value: f64) -> Self {
        self.family(name, PUSHED, number(name, kind, labels, value))
    }
}

pub(crate) fn number(name: &str, kind: i32, labels: &[(&str, &str)], value: f64) -> Vec<u8> {
    let value = Some(value);
    let number = || Some(Number { value });
    let counter = Counter {
        value,
        ..Counter::default()
    };
    let metric = Metric {
        label: labels
            .iter()
            .map(|(name, value)| pair(name, value))
            .collect(),
        counter: (kind == COUNTER).then_some(counter),
        gauge: number().filter(|_| kind == GAUGE),
        untyped: number().filter(|_| kind == UNTYPED),
        ..Metric::default()
    };
    family(name, kind, metric).encode_to_vec()
}

pub(crate) fn pair(name: &str, value: &str) -> LabelPair {
    LabelPair {
        name: Some(name.into()),
        value: Some(value.into()),
    }
}

pub(crate) fn family(name: &str, kind: i32, metric: Metric) -> MetricFamily {
    MetricFamily {
        name: Some(name.into()),
        kind: Some(kind),
        metric: vec![metric],
        ..MetricFamily::default()
    }
}

/// A group that was pushed, and failed to be pushed, at these times.
pub(crate) fn group(job: &str, pushed: UnixNanos, failed: UnixNanos) -> Group {
    let time = |name, at: UnixNanos| number(name, 1, &[("job", job)], at.as_seconds_f64());
    let at = pushed.max(failed);
    let name = "push_failure_time_seconds";
    Group::of(job)
        .family("push_time_seconds", at, time("push_time_seconds", pushed))
        .family(name, at, time(name, failed))
}

/// Families of one group that only 1.11 stores.
pub(crate) fn native_families() -> [MetricFamily; 3] {
    let histogram = native::histogram();
    let labels = || {
        vec![
            pair("instance", ""),
            pair("job", "native"),
            pair("path", "/"),
        ]
    };
    let float = Histogram {
        sample_count_float: Some(2.5),
        positive_span: vec![span(1, 1)],
        positive_count: vec![2.5],
        ..Histogram::default()
    };
    let metric = |histogram| Metric {
        label: labels(),
        histogram: Some(histogram),
        ..Metric::default()
    };
    let counter = Counter {
        value: Some(3.0),
        exemplar: Some(exemplar()),
        created_timestamp: exemplar().timestamp,
    };
    let counter = Metric {
        label: labels(),
        counter: Some(counter),
        ..Metric::default()
    };
    let mut families = [
        family("a_seconds", 4, metric(histogram)),
        family("b_seconds", 5, metric(float)),
        family("c_total", COUNTER, counter),
    ];
    families[1].help = Some(Vec::new());
    families
}

/// Groups that the Pushgateway can hold, and no exposition can show together.
pub(crate) fn poison() -> Vec<Group> {
    let at = |seconds: u64| UnixNanos(PUSHED.0 + seconds * 1_000_000_000);
    let never = UnixNanos(0);
    vec![
        group("sound", PUSHED, never).with("sound", GAUGE, &[], 1.0),
        // The last pushed wins: `clash` is a gauge.
        group("old", at(1), never)
            .with("clash", COUNTER, &[], 1.0)
            .with("kept", GAUGE, &[], 1.0),
        group("new", at(2), never).with("clash", GAUGE, &[], 2.0),
        // Twins: each would show the same push_time_seconds. The second only failed.
        group("twin", at(3), never).with("twin", GAUGE, &[], 1.0),
        group("twin", never, at(4)).label("instance", ""),
        // Two groups of one job that show the same series.
        group("same", at(5), never).label("zone", "w").with(
            "same",
            GAUGE,
            &[("rack", "1"), ("zone", "w")],
            1.0,
        ),
        group("same", at(6), never)
            .label("rack", "1")
            .with("same", GAUGE, &[("rack", "1"), ("zone", "w")], 2.0)
            .with("other", GAUGE, &[("rack", "1")], 2.0),
        Group::of("bad").label("x", b"\xFF"),
        Group::of("bad").label("__x", "1"),
        Group::of("").label("x", "1"),
        group("own", at(7), never)
            .with("tidegate_groups", COUNTER, &[], 1.0)
            .with("le", GAUGE, &[("le", "1")], 1.0)
            .family("h", PUSHED, {
                let histogram = Metric {
                    label: vec![pair("le", "5")],
                    histogram: Some(Histogram::default()),
                    ..Metric::default()
                };
                family("h", 4, histogram).encode_to_vec()
            })
            .family("s", PUSHED, {
                let summary = Metric {
                    summary: Some(Summary::default()),
                    ..Metric::default()
                };
                family("s", 2, summary).encode_to_vec()
            })
            .with("s_count", UNTYPED, &[], 1.0)
            .family("", PUSHED, family("", 1, Metric::default()).encode_to_vec()),
    ]
}

/// Groups as the Pushgateway keeps them with `--push.enable-utf8-names`: with decoded names.
pub(crate) fn utf8_groups() -> Vec<Group> {
    let labelled = |name: &str, seconds: u64, value| {
        let pushed = UnixNanos(PUSHED.0 + seconds * 1_000_000_000);
        group("a", pushed, UnixNanos::default())
            .label(name, "1")
            .with("m", GAUGE, &[("job", "a"), (name, "1")], value)
    };
    vec![
        labelled("x.y", 2, 1.0),
        labelled("x_y", 1, 2.0),
        labelled("\u{3a0}", 0, 3.0),
        labelled("U__z_2e_z", 0, 4.0),
        labelled("__r", 0, 5.0),
        labelled("._r", 0, 6.0),
    ]
}
