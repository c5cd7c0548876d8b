//! Facts read from the store, and what a scrape in text should show of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tidegate::clock::UnixNanos;
use tidegate::model::{GroupKey, Kind, Label, Metric, Value};
use tidegate::push::rewrite::{PUSH_FAILURE_TIME, PUSH_TIME};
use tidegate::state::{PUSH_FAILURE_TIME_HELP, PUSH_TIME_HELP, State};
use tidegate::store::{FamilyFacts, Head, ReadError, decode_metrics};
use tidegate::ttl::TtlPolicy;

/// One group that has not expired.
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    pub(crate) head: Head,
    families: Vec<FamilyFacts>,
}

/// What a scrape shows of one family.
pub(crate) struct Family {
    pub(crate) kind: Kind,
    pub(crate) help: Option<String>,
    /// All series in order, with all their labels.
    pub(crate) series: Vec<(Labels, Number)>,
}

/// What one group holds of a family.
type Part<'g> = (&'g Group, Kind, Option<String>, Vec<Metric<'g>>);

pub(crate) type Labels = BTreeMap<String, String>;

/// A value, without what text cannot say.
pub(crate) enum Number {
    Plain(f64),
    Summary(u64, f64, Vec<(f64, f64)>),
    Histogram(u64, f64, Vec<(f64, u64)>),
}

/// All groups that the store holds and that have not expired at `now`, in key order.
pub(crate) fn facts(state: &State, policy: &TtlPolicy, now: UnixNanos) -> Vec<Group> {
    let read = |store: &tidegate::store::Store| -> Result<Vec<Group>, ReadError> {
        let mut groups = Vec::new();
        store.walk(|row| {
            let listed = row.listed()?;
            let deadline = listed.schedule(policy, now).deadline;
            if deadline.is_none_or(|deadline| deadline > now) {
                groups.push(Group {
                    key: listed.key,
                    head: listed.head,
                    families: row
                        .families()?
                        .into_iter()
                        .map(|(facts, _)| facts)
                        .collect(),
                });
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(groups)
    };
    state
        .read(read)
        .expect("an open store")
        .expect("whole rows")
}

/// The families of these groups by name, series in the order of the groups.
pub(crate) fn families(groups: &[&Group]) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Vec<Part<'_>>> = BTreeMap::new();
    for group in groups {
        let failed = group.head.failure.as_ref().map(|failure| failure.at);
        for (name, help, at) in [
            (PUSH_TIME, PUSH_TIME_HELP, group.head.last_push),
            (
                PUSH_FAILURE_TIME,
                PUSH_FAILURE_TIME_HELP,
                failed.unwrap_or_default(),
            ),
        ] {
            let metric = Metric {
                labels: vec![].into(),
                value: Value::Number(at.as_seconds_f64(), None),
                timestamp_ms: None,
            };
            let family = families.entry(name.to_owned()).or_default();
            family.push((group, Kind::Gauge, Some(help.to_owned()), vec![metric]));
        }
        for facts in &group.families {
            let metrics = decode_metrics(&facts.metrics).expect("whole series");
            let family = families.entry(facts.name.clone()).or_default();
            family.push((group, facts.kind, facts.help.clone(), metrics));
        }
    }
    let family = |(name, held): (String, Vec<Part<'_>>)| {
        let kind = held[0].1;
        assert!(held.iter().all(|held| held.1 == kind), "types of {name}");
        let helps = || held.iter().filter_map(|held| held.2.clone());
        let help = helps().filter(|help| !help.is_empty()).min();
        let family = Family {
            kind,
            help: help.or_else(|| helps().next()),
            series: held
                .iter()
                .flat_map(|(group, _, _, metrics)| metrics.iter().map(|m| (*group, m)))
                .map(|(group, metric)| (labels(&group.key, &metric.labels), number(&metric.value)))
                .collect(),
        };
        (name, family)
    };
    families.into_iter().map(family).collect()
}

fn labels(key: &GroupKey, own: &[Label<'_>]) -> Labels {
    let mut labels = Labels::from([("instance".to_owned(), String::new())]);
    labels.extend(
        own.iter()
            .map(|l| (l.name.to_string(), l.value.to_string())),
    );
    let grouping = key.labels().into_iter();
    labels.extend(grouping.map(|(n, v)| (n.to_owned(), v.to_owned())));
    labels
}

fn number(value: &Value<'_>) -> Number {
    let whole = |count: tidegate::model::Count| match count {
        tidegate::model::Count::Int(count) => count,
        tidegate::model::Count::Float(_) => panic!("no step pushes these"),
    };
    match value {
        Value::Number(value, _) => Number::Plain(*value),
        Value::Summary(summary) => {
            let quantiles = summary.quantiles.iter().map(|q| (q.quantile, q.value));
            Number::Summary(summary.count, summary.sum, quantiles.collect())
        }
        Value::Histogram(histogram) => {
            let buckets = histogram.buckets.iter().map(|b| (b.upper, whole(b.count)));
            Number::Histogram(whole(histogram.count), histogram.sum, buckets.collect())
        }
        Value::Missing => panic!("no step pushes these"),
    }
}

/// The exposition of these groups. Names are escaped, or else quoted where that is needed.
pub(crate) fn text(groups: &[&Group], escaped: bool) -> String {
    let mut text = String::new();
    for (name, family) in families(groups) {
        let shown = match escaped {
            true => underscored(&name, true),
            false if is_plain(&name, true) => name.clone(),
            false => format!("\"{name}\""),
        };
        if let Some(help) = &family.help {
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = writeln!(text, "# HELP {shown} {help}");
        }
        let _ = writeln!(text, "# TYPE {shown} {}", family.kind.as_text());
        for (labels, number) in &family.series {
            for (suffix, special, value) in lines(number) {
                let mut inside: Vec<String> = labels
                    .iter()
                    .map(|(n, v)| format!("{}={}", label_name(n, escaped), quoted(v)))
                    .collect();
                inside.extend(special.map(|(n, v)| format!("{n}=\"{}\"", float(v))));
                let name = if shown.starts_with('"') {
                    inside.insert(0, quoted(&format!("{name}{suffix}")));
                    String::new()
                } else {
                    format!("{shown}{suffix}")
                };
                let _ = writeln!(text, "{name}{{{}}} {}", inside.join(","), float(value));
            }
        }
    }
    text
}

type Line = (&'static str, Option<(&'static str, f64)>, f64);

#[expect(clippy::cast_precision_loss, reason = "counts are printed as doubles")]
fn lines(number: &Number) -> Vec<Line> {
    let (mut lines, count, sum): (Vec<Line>, _, _) = match number {
        Number::Plain(value) => return vec![("", None, *value)],
        Number::Summary(count, sum, quantiles) => {
            let line = |(q, v): &(f64, f64)| ("", Some(("quantile", *q)), *v);
            (quantiles.iter().map(line).collect(), count, sum)
        }
        Number::Histogram(count, sum, buckets) => {
            let line = |(le, n): &(f64, u64)| ("_bucket", Some(("le", *le)), *n as f64);
            let mut lines: Vec<Line> = buckets.iter().map(line).collect();
            if buckets.iter().all(|(le, _)| *le != f64::INFINITY) {
                lines.push(("_bucket", Some(("le", f64::INFINITY)), *count as f64));
            }
            (lines, count, sum)
        }
    };
    lines.push(("_sum", None, *sum));
    lines.push(("_count", None, *count as f64));
    lines
}

/// What one family of the exposition shows, line by line, by its header.
pub(crate) fn by_family(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut family = Vec::new();
    let mut name = String::new();
    for line in text.lines().chain(["# TYPE end end"]) {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let before = std::mem::replace(&mut name, typed.to_owned());
            // A help stands before the type.
            let help = family.pop_if(|line: &mut String| line.starts_with("# HELP"));
            family.sort();
            families.insert(before, std::mem::take(&mut family));
            family.extend(help);
        } else {
            family.push(line.to_owned());
        }
    }
    families
}

/// The labels of a group's push time as they are printed, which tell groups apart.
pub(crate) fn mark(key: &GroupKey) -> String {
    let inside: Vec<String> = labels(key, &[])
        .iter()
        .map(|(n, v)| format!("{}={}", label_name(n, true), quoted(v)))
        .collect();
    format!("{PUSH_TIME}{{{}}} ", inside.join(","))
}

fn label_name(name: &str, escaped: bool) -> String {
    match escaped {
        true => underscored(name, false),
        false if is_plain(name, false) => name.to_owned(),
        false => format!("\"{name}\""),
    }
}

fn is_plain(name: &str, colons: bool) -> bool {
    underscored(name, colons) == name
}

fn underscored(name: &str, colons: bool) -> String {
    let plain = |(at, c): (usize, char)| {
        let fits = c.is_ascii_alphabetic() || c == '_' || (colons && c == ':');
        let digit = at > 0 && c.is_ascii_digit();
        if fits || digit { c } else { '_' }
    };
    name.char_indices().map(plain).collect()
}

fn quoted(value: &str) -> String {
    let value = value
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"");
    format!("\"{value}\"")
}

/// As Go prints a float by its shortest `%g`; a zero never has a sign in the text format.
fn float(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("an exponent");
    let number: i32 = exponent.parse().expect("a number");
    if (-4..6).contains(&number) {
        format!("{value}")
    } else {
        let sign = if number < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", number.abs())
    }
}
