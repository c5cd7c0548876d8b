//! Scrapes in protobuf: what is negotiated, and that it shows what the text shows and more.

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;
use serde_json::json;
use tidegate::format::inflate::gunzip;
use tidegate::format::text_write::{Identity, write_header, write_metrics};
use tidegate::limits::{FORM_IDLE, MAX_BODY};

use crate::harness::{Gateway, HOUR, START_SECONDS};
use crate::messages::{
    Bucket, BucketSpan, Counter, Exemplar, Histogram, LabelPair, Metric, MetricFamily, Number,
    Quantile, Summary, Timestamp,
};
use crate::sound;

pub(crate) const DELIMITED: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// The families of a scrape in protobuf, the gateway's own included.
pub(crate) fn families(gateway: &Gateway, accept: &str) -> Vec<MetricFamily> {
    let answer = gateway.get("/metrics", &[("Accept", accept)]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kind = answer.header("Content-Type").unwrap_or_default();
    assert!(kind.starts_with(DELIMITED), "{kind}");
    let zipped = [("Accept", accept), ("Accept-Encoding", "gzip")];
    let zipped = gateway.get("/metrics", &zipped);
    assert_eq!(zipped.header("Content-Encoding"), Some("gzip"));
    let zipped = gunzip(&zipped.body, MAX_BODY).expect("one sound gzip member");
    let families = decode(&answer.body);
    let pushed = |families: &[MetricFamily]| -> Vec<MetricFamily> {
        families
            .iter()
            .filter(|family| !is_own(family))
            .cloned()
            .collect()
    };
    assert_eq!(
        pushed(&decode(&zipped)),
        pushed(&families),
        "gzip and identity differ"
    );
    families
}

fn decode(mut body: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !body.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut body).expect("a sound message");
        families.push(family);
    }
    families
}

pub(crate) fn name(family: &MetricFamily) -> String {
    let name = family.name.clone().expect("a name");
    String::from_utf8(name).expect("text")
}

fn is_own(family: &MetricFamily) -> bool {
    let name = name(family);
    ["process_", "pushgateway_", "tidegate_"]
        .iter()
        .any(|own| name.starts_with(own))
}

/// What was pushed, and the push times, of a protobuf scrape: written as text.
pub(crate) fn as_text(families: &[MetricFamily]) -> String {
    let body: Vec<u8> = families
        .iter()
        .flat_map(Message::encode_length_delimited_to_vec)
        .collect();
    let mut text = Vec::new();
    for family in tidegate::format::proto::parse(&body).expect("what pushes may be, too") {
        write_header(&mut text, &family.name, family.kind, family.help.as_deref());
        write_metrics(&mut text, &family, &Identity::none());
    }
    sound::without_own(&String::from_utf8(text).expect("text"))
}

fn push(gateway: &Gateway, group: &str, families: &[MetricFamily]) {
    let body: Vec<u8> = families
        .iter()
        .flat_map(Message::encode_length_delimited_to_vec)
        .collect();
    let answer = gateway.send(
        "PUT",
        &format!("/metrics/{group}"),
        &[("Content-Type", DELIMITED)],
        &body,
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
}

pub(crate) fn label(name: &str, value: &str) -> LabelPair {
    LabelPair {
        name: Some(name.into()),
        value: Some(value.into()),
    }
}

fn family(name: &str, kind: i32, metric: Metric) -> MetricFamily {
    MetricFamily {
        name: Some(name.into()),
        help: Some(format!("Help of {name}.").into()),
        kind: Some(kind),
        metric: vec![metric],
        unit: None,
    }
}

fn exemplar() -> Exemplar {
    Exemplar {
        label: vec![label("trace_id", "4bf9"), label("a.b", "")],
        value: Some(0.75),
        timestamp: Some(Timestamp {
            seconds: Some(1_795_308_991),
            nanos: Some(7),
        }),
    }
}

const CREATED: Option<Timestamp> = Some(Timestamp {
    seconds: Some(-5),
    nanos: Some(999),
});

/// One family of each type, with everything the schema can say. Labels are not in order.
fn everything() -> Vec<MetricFamily> {
    let labels = || vec![label("zone", "w"), label("a", "\n\"\\ü")];
    let metric = |set: fn(&mut Metric)| {
        let mut metric = Metric {
            label: labels(),
            ..Metric::default()
        };
        set(&mut metric);
        metric
    };
    vec![
        family(
            "all_counter",
            0,
            metric(|metric| {
                metric.counter = Some(Counter {
                    value: Some(3.5),
                    exemplar: Some(exemplar()),
                    created_timestamp: CREATED,
                });
            }),
        ),
        family(
            "all_floats",
            5,
            metric(|metric| {
                metric.histogram = Some(float_histogram());
            }),
        ),
        family(
            "all_gauge",
            1,
            metric(|metric| {
                metric.gauge = Some(Number { value: Some(-0.0) });
            }),
        ),
        family(
            "all_histogram",
            4,
            metric(|metric| {
                metric.histogram = Some(histogram());
            }),
        ),
        family(
            "all_summary",
            2,
            metric(|metric| {
                let quantile = Quantile {
                    quantile: Some(0.5),
                    value: Some(f64::INFINITY),
                };
                metric.summary = Some(Summary {
                    sample_count: Some(u64::MAX),
                    sample_sum: Some(1e-300),
                    quantile: vec![quantile.clone(), quantile],
                    created_timestamp: CREATED,
                });
            }),
        ),
        family(
            "all_untyped",
            3,
            metric(|metric| {
                metric.untyped = Some(Number { value: Some(1e300) });
            }),
        ),
    ]
}

fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan {
        offset: Some(offset),
        length: Some(length),
    }
}

fn histogram() -> Histogram {
    let bucket = Bucket {
        cumulative_count: Some(4),
        upper_bound: Some(0.5),
        exemplar: Some(exemplar()),
        ..Bucket::default()
    };
    Histogram {
        sample_count: Some(9),
        sample_sum: Some(4.5),
        bucket: vec![bucket],
        schema: Some(-3),
        zero_threshold: Some(0.001),
        zero_count: Some(1),
        negative_span: vec![span(-2, 1)],
        negative_delta: vec![2],
        positive_span: vec![span(0, 2), span(300, 1)],
        positive_delta: vec![1, 2, -1],
        created_timestamp: CREATED,
        exemplars: vec![exemplar(), exemplar()],
        ..Histogram::default()
    }
}

fn float_histogram() -> Histogram {
    let bucket = Bucket {
        cumulative_count_float: Some(0.25),
        upper_bound: Some(f64::INFINITY),
        ..Bucket::default()
    };
    Histogram {
        sample_count_float: Some(2.5),
        sample_sum: Some(-1.0),
        bucket: vec![bucket],
        schema: Some(8),
        zero_threshold: Some(0.0),
        zero_count_float: Some(0.5),
        negative_span: vec![span(1, 1)],
        negative_count: vec![0.25],
        positive_span: vec![span(-7, 2)],
        positive_count: vec![1.0, 0.75],
        ..Histogram::default()
    }
}

#[test]
fn accept_decides_the_content_type() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    let protobuf =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=";
    let text = "text/plain; version=0.0.4; charset=utf-8; escaping=";
    for (accept, expected) in [
        ("P=delimited", "P=delimited; escaping=underscores"),
        ("P=text", "P=text; escaping=underscores"),
        ("P=compact-text", "P=compact-text; escaping=underscores"),
        (
            "P=delimited;escaping=allow-utf-8",
            "P=delimited; escaping=allow-utf-8",
        ),
        (
            "P=text;escaping=values;q=0.4,*/*;q=0.2",
            "P=text; escaping=values",
        ),
        ("P=delimited;q=0.2,text/plain;q=0.5", "T=underscores"),
        ("text/plain;escaping=dots", "T=dots"),
        ("text/plain;escaping=other", "T=underscores"),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
          text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,\
          */*;q=0.2",
            "T=allow-utf-8",
        ),
        ("*/*", "T=underscores"),
    ] {
        let accept = accept.replace("P=", protobuf);
        let spaced = protobuf.replace(';', "; ");
        let expected = expected.replace("P=", &spaced).replace("T=", text);
        for zip in [false, true] {
            let zip = zip.then_some(("Accept-Encoding", "gzip"));
            let headers: Vec<_> = zip
                .into_iter()
                .chain([("Accept", accept.as_str())])
                .collect();
            let answer = gateway.get("/metrics", &headers);
            let kind = answer.header("Content-Type");
            assert_eq!(
                (answer.status, kind),
                (200, Some(expected.as_str())),
                "{accept}"
            );
            let encoding = answer.header("Content-Encoding");
            assert_eq!(encoding, zip.map(|_| "gzip"), "{accept}");
        }
    }
}

#[test]
fn what_was_pushed_in_protobuf_comes_out_equal_with_the_labels_of_its_group() {
    let mut gateway = Gateway::start();
    push(&gateway, "job/j/zone/north", &everything());
    let mut expected = everything();
    for family in &mut expected {
        family.metric[0].label = vec![
            label("a", "\n\"\\ü"),
            label("instance", ""),
            label("job", "j"),
            label("zone", "north"),
        ];
    }
    let shown = |gateway: &Gateway| -> Vec<MetricFamily> {
        let families = families(gateway, DELIMITED);
        families
            .into_iter()
            .filter(|family| name(family).starts_with("all_"))
            .collect()
    };
    assert_eq!(shown(&gateway), expected);
    gateway.restart();
    assert_eq!(shown(&gateway), expected, "after a restart");
}

#[test]
fn own_metrics_and_push_times_are_in_a_protobuf_scrape() {
    let gateway = Gateway::start();
    gateway.put(
        "job/b/instance/i",
        "# TYPE process_open_fds gauge\nprocess_open_fds 7\n",
    );
    let families = families(&gateway, DELIMITED);
    let names: Vec<String> = families.iter().map(name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    let find = |wanted| families.iter().find(|family| name(family) == wanted);
    let open = find("process_open_fds").expect("own and pushed");
    assert_eq!(
        open.help,
        Some(b"Number of open file descriptors.".to_vec())
    );
    assert_eq!(
        (open.metric[0].label.len(), open.metric[1].label.len()),
        (0, 2)
    );
    let pushed = find("push_time_seconds").expect("push times");
    let value = pushed.metric[0]
        .gauge
        .as_ref()
        .and_then(|gauge| gauge.value);
    assert_eq!(value, START_SECONDS.parse().ok());
    assert_eq!(pushed.kind, Some(1));
    for wanted in [
        "push_failure_time_seconds",
        "tidegate_groups",
        "pushgateway_build_info",
    ] {
        assert!(find(wanted).is_some(), "{wanted}");
    }
}

/// A scrape in protobuf, written as text, is the text that is scraped.
#[track_caller]
fn agree(gateway: &Gateway) {
    assert_eq!(as_text(&families(gateway, DELIMITED)), gateway.exposition());
}

#[test]
fn a_protobuf_scrape_follows_every_change_of_the_groups() {
    let mut gateway = Gateway::start();
    agree(&gateway);
    gateway.put("job/a", "# HELP m z\n# TYPE m gauge\nm 1\nm{x=\"1\"} 2\n");
    gateway.put("job/b", "# HELP m a\n# TYPE m gauge\nm 3\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_count 3\nh_sum 1\n");
    agree(&gateway);
    gateway.post("job/a", "n 5\n");
    agree(&gateway);
    gateway.put("job/a", "n 6\n");
    gateway.post("job/b", "");
    agree(&gateway);
    gateway.refused("PUT", "job/c", "m 1 1\n");
    agree(&gateway);
    assert!(gateway.delete("job/b"));
    gateway.put("job/d", "# TYPE m counter\nm 1\n");
    agree(&gateway);
    gateway.restart();
    agree(&gateway);
}

/// Pushes these groups in one request: help, type and number of series differ.
fn push_many(gateway: &Gateway, groups: impl Iterator<Item = usize>, value: usize) {
    let groups = groups.map(|group| {
        let help = (group % 3).max(value / 5);
        let (other, long) = (group % 400, "x".repeat(group % 50));
        let body = format!(
            "# HELP m Help {help}.\n# TYPE m gauge\nm {value}\nm{{x=\"{long}\"}} {value}.5\n\
             # TYPE o{other} counter\no{other} {group}\n"
        );
        json!({"labels": {"job": format!("g{group}")}, "body": body})
    });
    let groups = json!({ "groups": groups.collect::<Vec<_>>() });
    let answer = gateway.send("POST", "/api/v1/push", &[], groups.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// So many that they are encoded in several parts beside each other.
#[test]
fn a_protobuf_scrape_of_many_groups_is_the_text_whatever_share_of_them_changed() {
    let gateway = Gateway::start();
    push_many(&gateway, 0..2500, 1);
    agree(&gateway);
    push_many(&gateway, (0..2500).step_by(40), 2);
    agree(&gateway);
    // More than half: all is made anew.
    push_many(&gateway, (0..2500).filter(|group| group % 5 > 0), 3);
    for group in (0..2500).step_by(250) {
        assert!(gateway.delete(&format!("job/g{group}")));
    }
    agree(&gateway);
    push_many(&gateway, 2400..2600, 4);
    agree(&gateway);
    // Nobody has the smallest help any more.
    push_many(&gateway, (0..2600).step_by(3), 5);
    agree(&gateway);
    assert!(gateway.scrape().contains("# HELP m Help 1."));
}

#[test]
fn an_expired_group_is_left_out_of_protobuf_at_the_instant_of_its_deadline() {
    let gateway = Gateway::start();
    gateway.put("job/stays", "m 1\n");
    gateway.put_for("1h", "job/goes", "# HELP m a\nm 2\nonly 3\n");
    agree(&gateway);
    gateway.advance_almost(HOUR);
    agree(&gateway);
    assert!(as_text(&families(&gateway, DELIMITED)).contains("only"));
    gateway.advance(std::time::Duration::from_nanos(1));
    agree(&gateway);
    assert!(!as_text(&families(&gateway, DELIMITED)).contains("goes"));
    let compact = DELIMITED.replace("delimited", "compact-text");
    let compact = gateway.get("/metrics", &[("Accept", &compact)]).text();
    assert!(
        compact.contains("stays") && !compact.contains("goes"),
        "{compact}"
    );
}

#[test]
fn protobuf_that_nobody_asked_for_in_a_while_shows_what_was_pushed_meanwhile() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    for pushed in 0..3 {
        agree(&gateway);
        gateway.put("job/a", &format!("m{pushed} 1\n"));
        gateway.advance(FORM_IDLE);
        gateway.put("job/b", &format!("n{pushed} 1\n"));
    }
    agree(&gateway);
}

#[test]
fn the_text_forms_of_protobuf_show_each_family() {
    let gateway = Gateway::start();
    push(&gateway, "job/j", &everything());
    let scrape = |encoding| {
        let accept = DELIMITED.replace("delimited", encoding);
        gateway.get("/metrics", &[("Accept", &accept)]).text()
    };
    let compact = scrape("compact-text");
    let line = compact
        .lines()
        .find(|line| line.starts_with("name:\"all_histogram\""))
        .expect("the family");
    assert_eq!(
        line,
        "name:\"all_histogram\" help:\"Help of all_histogram.\" type:HISTOGRAM metric:{\
         label:{name:\"a\" value:\"\\n\\\"\\\\ü\"} label:{name:\"instance\" value:\"\"} \
         label:{name:\"job\" value:\"j\"} label:{name:\"zone\" value:\"w\"} \
         histogram:{sample_count:9 sample_sum:4.5 bucket:{cumulative_count:4 upper_bound:0.5 \
         exemplar:{label:{name:\"trace_id\" value:\"4bf9\"} label:{name:\"a.b\" value:\"\"} \
         value:0.75 timestamp:{seconds:1795308991 nanos:7}}} \
         created_timestamp:{seconds:-5 nanos:999} schema:-3 zero_threshold:0.001 zero_count:1 \
         negative_span:{offset:-2 length:1} negative_delta:2 positive_span:{offset:0 length:2} \
         positive_span:{offset:300 length:1} positive_delta:1 positive_delta:2 \
         positive_delta:-1 exemplars:{label:{name:\"trace_id\" value:\"4bf9\"} \
         label:{name:\"a.b\" value:\"\"} value:0.75 timestamp:{seconds:1795308991 nanos:7}} \
         exemplars:{label:{name:\"trace_id\" value:\"4bf9\"} label:{name:\"a.b\" value:\"\"} \
         value:0.75 timestamp:{seconds:1795308991 nanos:7}}}}"
    );
    let gauge = "name: \"all_gauge\"\nhelp: \"Help of all_gauge.\"\ntype: GAUGE\nmetric: {\n  \
                 label: {\n    name: \"a\"\n";
    assert!(scrape("text").contains(gauge), "{}", scrape("text"));
}

/// What a random schedule does to one of a few groups.
#[derive(Debug, Clone)]
enum Step {
    Put(usize, String),
    Post(usize, String),
    Delete(usize),
    Pass(u64),
    Scrape,
}

fn step() -> impl Strategy<Value = Step> {
    let series = ("[a-d]", "[xyz]", 0_u32..9);
    let body =
        proptest::collection::btree_map("[a-d]", proptest::collection::vec(series, 1..4), 0..3);
    let body = body.prop_map(|families| {
        let lines = families.into_iter().flat_map(|(name, series)| {
            let distinct: BTreeMap<String, u32> =
                series.into_iter().map(|(_, x, value)| (x, value)).collect();
            let lines = distinct.into_iter();
            let lines: Vec<String> = lines
                .map(|(x, value)| format!("{name}{{x=\"{x}\"}} {value}\n"))
                .collect();
            lines
        });
        lines.collect::<String>()
    });
    prop_oneof![
        4 => (0_usize..5, body.clone()).prop_map(|(group, body)| Step::Put(group, body)),
        3 => (0_usize..5, body).prop_map(|(group, body)| Step::Post(group, body)),
        2 => (0_usize..5).prop_map(Step::Delete),
        2 => (1_u64..40).prop_map(Step::Pass),
        2 => Just(Step::Scrape),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn text_and_protobuf_agree_after_any_pushes_deletes_and_expiries(
        steps in proptest::collection::vec(step(), 1..40),
        reaper in any::<bool>(),
    ) {
        let gateway = if reaper { Gateway::with_reaper() } else { Gateway::start() };
        for step in steps {
            match step {
                Step::Put(group, body) => gateway.put_for("1m", &format!("job/j{group}"), &body),
                Step::Post(group, body) => gateway.post(&format!("job/j{group}"), &body),
                Step::Delete(group) => drop(gateway.delete(&format!("job/j{group}"))),
                Step::Pass(seconds) => gateway.advance(std::time::Duration::from_secs(seconds)),
                Step::Scrape => agree(&gateway),
            }
        }
        agree(&gateway);
    }
}
