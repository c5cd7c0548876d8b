//! What the exposition writer prints, the text parser reads back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidegate::format::name::NameRule;
use tidegate::format::text_read::parse;
use tidegate::format::text_write::{Identity, write_header, write_metrics};
use tidegate::model::{
    Bucket, Count, Family, GroupKey, Histogram, Kind, Label, Metric, Quantile, Summary, Value,
};

/// Counts that a double holds exactly.
const MAX_EXACT: u64 = 1 << 53;

type Labels = BTreeMap<String, String>;

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-1_000_000..1_000_000_i32).prop_map(|n| f64::from(n) / 100.0),
        Just(-0.0),
    ]
}

fn bound() -> impl Strategy<Value = f64> {
    prop_oneof![
        number().prop_filter("NaN bounds are dropped", |n| !n.is_nan()),
        Just(f64::INFINITY)
    ]
}

fn count() -> impl Strategy<Value = Count> {
    prop_oneof![
        4 => (0..MAX_EXACT).prop_map(Count::Int),
        1 => number().prop_map(|n| Count::Float(n.abs())),
    ]
}

fn summary() -> impl Strategy<Value = Value<'static>> {
    let quantile = (bound(), number()).prop_map(|(quantile, value)| Quantile { quantile, value });
    (
        0..MAX_EXACT,
        number(),
        prop::collection::vec(quantile, 0..4),
    )
        .prop_map(|(count, sum, quantiles)| {
            Value::Summary(Box::new(Summary {
                count,
                sum,
                quantiles,
                created: None,
            }))
        })
}

fn histogram() -> impl Strategy<Value = Value<'static>> {
    let bucket = (bound(), count()).prop_map(|(upper, count)| Bucket {
        upper,
        count,
        exemplar: None,
    });
    (count(), number(), prop::collection::vec(bucket, 0..4)).prop_map(|(count, sum, buckets)| {
        Value::Histogram(Box::new(Histogram {
            count,
            sum,
            buckets,
            ..Histogram::default()
        }))
    })
}

fn kind_and_values() -> impl Strategy<Value = (Kind, Vec<Value<'static>>)> {
    let plain = prop::sample::select(vec![Kind::Counter, Kind::Gauge, Kind::Untyped]);
    let numbers = prop::collection::vec(number().prop_map(|n| Value::Number(n, None)), 1..4);
    prop_oneof![
        (plain, numbers),
        (Just(Kind::Summary), prop::collection::vec(summary(), 1..4)),
        (
            Just(Kind::Histogram),
            prop::collection::vec(histogram(), 1..4)
        ),
    ]
}

/// Label sets without the names that mean something in a histogram or summary.
fn labels() -> impl Strategy<Value = Labels> {
    let names = prop_oneof![8 => "[a-zA-Z_][a-zA-Z0-9_]{0,3}", 1 => Just("instance".to_owned())];
    prop::collection::btree_map(names, "(\\PC|[\"\\\\\n\r\t]){0,8}", 0..4).prop_map(|mut labels| {
        for name in ["le", "quantile", "job", "nth"] {
            labels.remove(name);
        }
        labels
    })
}

/// Help texts that survive the loss of blanks in front.
fn help() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-zü\\\\\"\n\r][a-z \t\\\\\"\n\r]{0,12}")
}

fn families() -> impl Strategy<Value = Vec<Family<'static>>> {
    let contents = (kind_and_values(), labels(), help());
    // No underscores: no name is another's `_sum`.
    prop::collection::btree_map("[a-zA-Z:][a-z0-9:]{0,6}", contents, 0..5).prop_map(|families| {
        let family = |(name, ((kind, values), labels, help)): (String, ((_, Vec<_>), _, _))| {
            let metrics = values.into_iter().enumerate();
            let metrics = metrics
                .map(|(nth, value)| metric(&labels, nth, value))
                .collect();
            Family {
                name: name.into(),
                kind,
                help: Option::map(help, String::into),
                metrics,
            }
        };
        families.into_iter().map(family).collect()
    })
}

/// A series told from its neighbours by the label `nth`.
fn metric(labels: &Labels, nth: usize, value: Value<'static>) -> Metric<'static> {
    let mut labels = labels.clone();
    labels.insert("nth".to_owned(), nth.to_string());
    Metric {
        labels: in_model(labels).into(),
        value,
        timestamp_ms: None,
    }
}

fn in_model(labels: Labels) -> Vec<Label<'static>> {
    labels
        .into_iter()
        .map(|(name, value)| Label::new(name, value))
        .collect()
}

/// The family as a parser sees it after the writer has added the group's labels.
fn exposed(mut family: Family<'static>, key: &GroupKey) -> Family<'static> {
    for metric in &mut family.metrics {
        let own = metric.labels.iter();
        let mut labels: Labels = own
            .map(|label| (label.name.to_string(), label.value.to_string()))
            .collect();
        labels.extend(
            key.labels()
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        labels.entry("instance".to_owned()).or_default();
        metric.labels = in_model(labels).into();
        if let Value::Histogram(histogram) = &mut metric.value {
            complete(histogram);
        }
    }
    family
}

/// Adds what the text form of a histogram adds, and settles whole or float.
fn complete(histogram: &mut Histogram<'_>) {
    let count = histogram.count;
    if !histogram
        .buckets
        .iter()
        .any(|bucket| bucket.upper == f64::INFINITY)
    {
        histogram.buckets.push(Bucket {
            upper: f64::INFINITY,
            count,
            exemplar: None,
        });
    }
    let counts = histogram.buckets.iter_mut().map(|bucket| &mut bucket.count);
    let counts: Vec<&mut Count> = counts.chain([&mut histogram.count]).collect();
    let is_whole = |n: f64| n.fract() == 0.0 && n < 2.0_f64.powi(64);
    let whole = counts.iter().all(|count| is_whole(count.as_f64()));
    for count in counts {
        let number = count.as_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole"
        )]
        let settled = if whole {
            Count::Int(number as u64)
        } else {
            Count::Float(number)
        };
        *count = settled;
    }
}

/// A form in which NaN equals itself, and -0 equals the 0 that the exposition prints.
fn comparable(families: &[Family<'_>]) -> String {
    format!("{families:#?}").replace("-0.0,\n", "0.0,\n")
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        mut families in families(),
        job in "\\PC{1,8}",
        mut grouping in labels(),
    ) {
        grouping.remove("nth");
        for metric in families.iter_mut().flat_map(|family| &mut family.metrics) {
            metric.labels.retain(|label| !grouping.contains_key(&*label.name));
        }
        let key = GroupKey::new(&job, &grouping);
        let identity = Identity::new(&key);
        let mut text = Vec::new();
        for family in &families {
            write_header(&mut text, &family.name, family.kind, family.help.as_deref());
            write_metrics(&mut text, family, &identity);
        }
        let expected: Vec<Family<'static>> =
            families.into_iter().map(|family| exposed(family, &key)).collect();
        let read = parse(&text, NameRule::Legacy).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(comparable(&read), comparable(&expected));
    }
}
