//! Names that the text format cannot carry, under every escaping, and what is shown where
//! two of them become one.

use prost::Message;

use crate::harness::Gateway;
use crate::messages::{Metric, MetricFamily, Number};
use crate::protobuf::{DELIMITED, families, label, name};
use crate::sound;

/// A series: its name, its labels, its value.
type Series<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

/// Pushes untyped series, each `family` with labels `name=value`, in protobuf.
fn push(gateway: &Gateway, group: &str, series: &[Series<'_>]) {
    let mut families: Vec<MetricFamily> = Vec::new();
    for (name, labels, value) in series {
        let metric = Metric {
            label: labels
                .iter()
                .map(|(name, value)| label(name, value))
                .collect(),
            untyped: Some(Number {
                value: Some(*value),
            }),
            ..Metric::default()
        };
        let known = families
            .iter_mut()
            .find(|family| family.name.as_deref() == Some(name.as_bytes()));
        match known {
            Some(family) => family.metric.push(metric),
            None => families.push(MetricFamily {
                name: Some(name.as_bytes().to_vec()),
                kind: Some(3),
                metric: vec![metric],
                ..MetricFamily::default()
            }),
        }
    }
    let body: Vec<u8> = families
        .iter()
        .flat_map(Message::encode_length_delimited_to_vec)
        .collect();
    let headers = [("Content-Type", DELIMITED)];
    let answer = gateway.send("PUT", &format!("/metrics/{group}"), &headers, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// What was pushed, without push times, under this escaping.
fn text(gateway: &Gateway, escaping: &str) -> String {
    let accept = format!("text/plain;escaping={escaping}");
    let answer = gateway.get("/metrics", &[("Accept", &accept)]);
    let kind = answer.header("Content-Type").unwrap_or_default();
    assert!(kind.ends_with(&format!("; escaping={escaping}")), "{kind}");
    let text = answer.text();
    if escaping != "allow-utf-8" {
        sound::check(&text);
    }
    let pushed = text
        .split_inclusive('\n')
        .skip_while(|line| !line.starts_with("# TYPE begin"))
        .take_while(|line| !line.contains("# TYPE end"));
    pushed.skip(2).collect()
}

/// Families of `begin` and `end` stand around what a test looks at.
fn started() -> Gateway {
    let gateway = Gateway::start();
    gateway.put("job/around", "begin 1\nend 1\n");
    gateway
}

/// The names and label names of a protobuf scrape that start with a `c` or another sign.
fn names(gateway: &Gateway, escaping: &str) -> Vec<String> {
    let families = families(gateway, &format!("{DELIMITED};escaping={escaping}"));
    let wanted = families.iter().filter(|family| {
        let name = name(family);
        name.as_str() > "begin" && name.as_str() < "end" || name.starts_with("U__")
    });
    let series = wanted.flat_map(|family| {
        let name = name(family);
        family.metric.iter().map(move |metric| {
            let labels: Vec<String> = metric
                .label
                .iter()
                .map(|label| {
                    String::from_utf8(label.name.clone().unwrap_or_default()).expect("text")
                })
                .collect();
            format!("{name} {}", labels.join(","))
        })
    });
    series.collect()
}

#[test]
fn each_escaping_spells_names_in_its_own_way_in_text_and_protobuf() {
    let gateway = started();
    push(
        &gateway,
        "job/j",
        &[("c.metric", &[("foo.bar", "x"), ("a", "b")], 1.0)],
    );
    for (escaping, expected, in_protobuf) in [
        (
            "underscores",
            "# TYPE c_metric untyped\nc_metric{a=\"b\",foo_bar=\"x\",instance=\"\",job=\"j\"} 1\n",
            "c_metric a,foo_bar,instance,job",
        ),
        (
            "dots",
            "# TYPE c_dot_metric untyped\n\
             c_dot_metric{a=\"b\",foo_dot_bar=\"x\",instance=\"\",job=\"j\"} 1\n",
            "c_dot_metric a,foo_dot_bar,instance,job",
        ),
        (
            "allow-utf-8",
            "# TYPE \"c.metric\" untyped\n\
             {\"c.metric\",a=\"b\",\"foo.bar\"=\"x\",instance=\"\",job=\"j\"} 1\n",
            "c.metric a,foo.bar,instance,job",
        ),
    ] {
        assert_eq!(text(&gateway, escaping), expected);
        assert_eq!(names(&gateway, escaping), [in_protobuf], "{escaping}");
    }
    let accept = [("Accept", "text/plain;escaping=values")];
    let values = gateway.get("/metrics", &accept).text();
    let line = "U__c_2e_metric{a=\"b\",U__foo_2e_bar=\"x\",instance=\"\",job=\"j\"} 1\n";
    assert!(values.contains(line), "{values}");
    let in_protobuf = "U__c_2e_metric a,U__foo_2e_bar,instance,job";
    assert_eq!(names(&gateway, "values"), [in_protobuf]);
}

#[test]
fn of_two_families_of_one_escaped_name_the_legacy_one_is_shown() {
    let gateway = started();
    push(&gateway, "job/a", &[("c.b", &[], 1.0), ("c-b", &[], 2.0)]);
    assert_eq!(
        text(&gateway, "underscores"),
        "# TYPE c_b untyped\nc_b{instance=\"\",job=\"a\"} 2\n",
        "of two other names the first"
    );
    gateway.put("job/b", "c_b 3\n");
    let legacy = "# TYPE c_b untyped\nc_b{instance=\"\",job=\"b\"} 3\n";
    assert_eq!(text(&gateway, "underscores"), legacy);
    assert_eq!(names(&gateway, "underscores"), ["c_b instance,job"]);
    assert_eq!(gateway.value("tidegate_name_clashes").as_deref(), Some("2"));
    let all = "# TYPE \"c-b\" untyped\n{\"c-b\",instance=\"\",job=\"a\"} 2\n\
               # TYPE \"c.b\" untyped\n{\"c.b\",instance=\"\",job=\"a\"} 1\n";
    assert_eq!(text(&gateway, "allow-utf-8"), [all, legacy].concat());
    assert_eq!(names(&gateway, "allow-utf-8").len(), 3);
    gateway.delete("job/b");
    assert!(text(&gateway, "underscores").contains("job=\"a\"} 2"));
}

#[test]
fn an_escaped_name_is_no_sample_of_another_family() {
    let gateway = started();
    push(&gateway, "job/a", &[("c.x.count", &[], 1.0)]);
    let shown = "# TYPE c_x_count untyped\nc_x_count{instance=\"\",job=\"a\"} 1\n";
    assert_eq!(text(&gateway, "underscores"), shown);
    gateway.put("job/b", "# TYPE c_x summary\nc_x_sum 1\nc_x_count 1\n");
    let shown = "# TYPE c_x summary\nc_x_sum{instance=\"\",job=\"b\"} 1\n\
                 c_x_count{instance=\"\",job=\"b\"} 1\n";
    assert_eq!(text(&gateway, "underscores"), shown);
    push(&gateway, "job/o", &[("tidegate.groups", &[], 5.0)]);
    sound::check(&gateway.scrape());
}

#[test]
fn no_series_stands_in_an_answer_twice_when_label_names_become_one() {
    let gateway = started();
    // Within a push, and across groups of one job.
    push(
        &gateway,
        "job/a",
        &[
            ("c", &[("x.y", "1")], 1.0),
            ("c", &[("x_y", "1")], 2.0),
            ("c", &[("x.y", "2")], 3.0),
        ],
    );
    let own = "# TYPE c untyped\nc{instance=\"\",job=\"a\",x_y=\"1\"} 2\n\
               c{instance=\"\",job=\"a\",x_y=\"2\"} 3\n";
    assert_eq!(text(&gateway, "underscores"), own);
    gateway.put("job/a/x_y/2", "c 4\n");
    let shown = "# TYPE c untyped\nc{instance=\"\",job=\"a\",x_y=\"2\"} 4\n";
    assert_eq!(text(&gateway, "underscores"), shown);
    assert_eq!(names(&gateway, "underscores"), ["c instance,job,x_y"]);
    assert_eq!(names(&gateway, "dots").len(), 4);
    let all = text(&gateway, "allow-utf-8");
    assert_eq!(all.lines().count(), 5, "{all}");
    assert_eq!(names(&gateway, "allow-utf-8").len(), 4);
}

#[test]
fn what_has_expired_hides_nothing() {
    let gateway = started();
    push(
        &gateway,
        "job/a",
        &[("c.b", &[], 1.0), ("c", &[("x.y", "1")], 1.0)],
    );
    gateway.put_for("1h", "job/a/x_y/1", "c_b 3\nc 2\n");
    assert!(text(&gateway, "underscores").contains("c_b{instance=\"\",job=\"a\",x_y=\"1\"} 3"));
    gateway.advance(crate::harness::HOUR);
    assert_eq!(
        text(&gateway, "underscores"),
        "# TYPE c untyped\nc{instance=\"\",job=\"a\",x_y=\"1\"} 1\n\
         # TYPE c_b untyped\nc_b{instance=\"\",job=\"a\"} 1\n"
    );
    sound::check(&gateway.scrape());
}
