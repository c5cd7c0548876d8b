//! Faults that a push has by itself, whatever is stored.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::format::name::{is_label_name, printed_label_name};
use crate::limits::NAMED_FAULTS;
use crate::model::{Family, GroupKey, Kind, Label, Metric, Value};

use super::native::native_fault;
use super::printed::has_plain_names;
use super::refusal::{COLLECTED_BEFORE, Refusal, collected, collides};

/// Type of a metric of the gateway itself, `None` if there is none of that name.
pub type OwnKind = fn(&str) -> Option<Kind>;

/// Checks rewritten families of one push, as the Pushgateway would find their
/// faults when gathering them.
///
/// # Errors
/// Names every fault, up to [`NAMED_FAULTS`]. Timestamps are looked for first
/// and reported alone; a clash with the gateway's own metrics stores nothing.
pub fn check(families: &[Family<'_>], key: &GroupKey, own: OwnKind) -> Result<(), Refusal> {
    check_timestamps(families)?;
    let own: Vec<String> = families
        .iter()
        .filter_map(|family| own_clash(family, own))
        .collect();
    if !own.is_empty() {
        return Err(Refusal::unmarked(own));
    }
    let plain_key = has_plain_names(key);
    let faults: Vec<String> = families
        .iter()
        .flat_map(|family| family_faults(family, key, plain_key))
        .chain(suffix_collisions(families))
        .take(NAMED_FAULTS)
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Refusal::marked(faults))
    }
}

/// No series may have a timestamp.
///
/// # Errors
/// Says that, and nothing else.
pub fn check_timestamps(families: &[Family<'_>]) -> Result<(), Refusal> {
    let mut metrics = families.iter().flat_map(|family| &family.metrics);
    if metrics.any(|metric| metric.timestamp_ms.is_some()) {
        let fault = "pushed metrics must not have timestamps".to_owned();
        return Err(Refusal::marked(vec![fault]));
    }
    Ok(())
}

/// The first fault that one family has by itself, timestamps aside.
pub fn family_fault(family: &Family<'_>, key: &GroupKey, own: OwnKind) -> Option<String> {
    let faults = || family_faults(family, key, has_plain_names(key)).next();
    own_clash(family, own).or_else(faults)
}

/// Whether families of one push collide by a suffix, such as `s_count` and a summary `s`.
pub fn collide(families: &[Family<'_>]) -> bool {
    suffix_collisions(families).next().is_some()
}

/// A family that would break one of the gateway's own.
fn own_clash(family: &Family<'_>, own: OwnKind) -> Option<String> {
    let name = family.name.as_ref();
    if let Some(kind) = own(name) {
        return (kind != family.kind).then(|| {
            format!(
                "gathered metric family {name} has type {} but should have {}",
                family.kind.as_upper(),
                kind.as_upper()
            )
        });
    }
    let as_suffixed = Kind::bases(name).find_map(|(base, suffix)| {
        let kind = own(base)?;
        kind.suffixes()
            .contains(&suffix)
            .then(|| collides(name, kind, base))
    });
    let as_base = || {
        let mut suffixed = String::with_capacity(name.len() + SUFFIX_BYTES);
        let suffix = family.kind.suffixes().iter().find(|suffix| {
            suffixed.clear();
            suffixed.extend([name, suffix]);
            own(&suffixed).is_some()
        })?;
        Some(collides(&format!("{name}{suffix}"), family.kind, name))
    };
    as_suffixed.or_else(as_base)
}

/// `plain_key`: see [`has_plain_names`].
fn family_faults<'a>(
    family: &'a Family<'_>,
    key: &'a GroupKey,
    plain_key: bool,
) -> impl Iterator<Item = String> + 'a {
    let mut seen = Seen::among(&family.metrics);
    let metrics = family.metrics.iter().enumerate();
    metrics.filter_map(move |(at, metric)| {
        let what = metric_fault(family.kind, key, plain_key, metric).or_else(|| {
            let again = !seen.insert(at, &metric.labels);
            again.then(|| COLLECTED_BEFORE.to_owned())
        })?;
        Some(collected(&family.name, key, family.kind, metric, &what))
    })
}

/// Label sets of one family that have been seen.
enum Seen<'a> {
    /// Comparing a few costs less than a hash of each.
    Few(&'a [Metric<'a>]),
    Many(HashSet<&'a [Label<'a>]>),
}

/// Series of a family that are still compared one by one.
const FEW_SERIES: usize = 16;

impl<'a> Seen<'a> {
    fn among(series: &'a [Metric<'a>]) -> Self {
        if series.len() <= FEW_SERIES {
            Self::Few(series)
        } else {
            Self::Many(HashSet::with_capacity(series.len()))
        }
    }

    /// Notes the label set of the series at this place, in order; whether it is new.
    fn insert(&mut self, at: usize, labels: &'a [Label<'a>]) -> bool {
        match self {
            Self::Few(series) => series[..at].iter().all(|before| *before.labels != *labels),
            Self::Many(many) => many.insert(labels),
        }
    }
}

/// `plain_key`: see [`has_plain_names`], which is not to be asked for every series.
fn metric_fault(
    kind: Kind,
    key: &GroupKey,
    plain_key: bool,
    metric: &Metric<'_>,
) -> Option<String> {
    if metric.value == Value::Missing {
        return Some(format!("is not a {}", kind.as_upper()));
    }
    let mut before: Option<&str> = None;
    for label in &metric.labels {
        if label.name.is_empty() || label.name.starts_with("__") {
            return Some(format!("has a label with an invalid name: {}", label.name));
        }
        if before == Some(&label.name) {
            return Some(same_name(&label.name));
        }
        before = Some(&label.name);
    }
    if let Some(fault) = printed_fault(key, plain_key, metric) {
        return Some(fault);
    }
    if let Value::Histogram(histogram) = &metric.value
        && let Some(fault) = native_fault(histogram)
    {
        return Some(fault);
    }
    let own = match kind {
        Kind::Summary => "quantile",
        // The Pushgateway takes it and prints `le` twice, which makes Prometheus
        // refuse the whole scrape.
        Kind::Histogram | Kind::GaugeHistogram => "le",
        Kind::Counter | Kind::Gauge | Kind::Untyped => return None,
    };
    let explicit = metric.labels.iter().any(|label| label.name == own) || key.get(own).is_some();
    explicit.then(|| format!("must not have an explicit \"{own}\" label"))
}

fn same_name(name: &str) -> String {
    format!("has two or more labels with the same name: {name}")
}

/// Names of protobuf, and others with UTF-8 names, may hold characters that the exposition replaces. Two labels
/// that are then printed alike, or one as `__name__`, would make Prometheus
/// refuse the whole scrape.
fn printed_fault(key: &GroupKey, plain_key: bool, metric: &Metric<'_>) -> Option<String> {
    let legal = |label: &Label<'_>| is_label_name(label.name.as_bytes());
    if plain_key && metric.labels.iter().all(legal) {
        return None;
    }
    let grouping = key
        .labels()
        .into_iter()
        .map(|(name, _)| printed_label_name(name));
    let own = metric
        .labels
        .iter()
        .map(|label| printed_label_name(&label.name));
    let mut names: Vec<Cow<'_, str>> = grouping.chain(own).collect();
    names.sort_unstable();
    if let Some(name) = names.iter().find(|name| name.starts_with("__")) {
        return Some(format!("has a label with an invalid name: {name}"));
    }
    let pair = names.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(same_name(&pair[0]))
}

/// Bytes of the longest of [`Kind::suffixes`].
const SUFFIX_BYTES: usize = "_bucket".len();

fn suffix_collisions<'a>(families: &'a [Family<'_>]) -> impl Iterator<Item = String> + 'a {
    // Families are sorted by name: see `rewrite`.
    let kind = move |name: &str| {
        let at = families.binary_search_by(|family| family.name.as_ref().cmp(name));
        at.ok().map(|at| families[at].kind)
    };
    families.iter().filter_map(move |family| {
        Kind::bases(&family.name).find_map(|(base, suffix)| {
            let kind = kind(base)?;
            kind.suffixes()
                .contains(&suffix)
                .then(|| collides(&family.name, kind, base))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::name::NameRule;
    use crate::format::text_read;
    use crate::push::rewrite::rewrite;

    fn own(name: &str) -> Option<Kind> {
        match name {
            "own_gauge" => Some(Kind::Gauge),
            "own_summary" => Some(Kind::Summary),
            _ => None,
        }
    }

    fn refusal(labels: &[(&str, &str)], body: &str) -> Option<Refusal> {
        let labels = labels
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect();
        let key = GroupKey::new("j", &labels);
        let mut families =
            text_read::parse(body.as_bytes(), NameRule::Legacy).expect("a body that parses");
        rewrite(&mut families, &key);
        check(&families, &key, own).err()
    }

    #[test]
    fn sound_pushes_pass() {
        for body in [
            "",
            "a 1\na{x=\"1\"} 1\n",
            "own_gauge_total 1\n# TYPE own_gauge gauge\nown_gauge 2\n",
            "# TYPE s summary\ns_count 1\n# TYPE s_bucket gauge\ns_bucket 1\n",
            "a_count 1\na 1\n",
        ] {
            assert_eq!(refusal(&[], body), None, "{body}");
        }
    }

    #[test]
    fn each_fault_has_the_originals_words() {
        let prefix = "pushed metrics are invalid or inconsistent with existing metrics: ";
        let label = |name: &str, value: &str| format!("label:{{name:{name:?}  value:{value:?}}}");
        let base = format!("{} {}", label("instance", ""), label("job", "j"));
        for (labels, body, fault) in [
            (&[][..], "a 1 0\na 1\na 1\n", "pushed metrics must not have timestamps".to_owned()),
            (&[], "a 1\na 2\n", format!("collected metric \"a\" {{ {base} untyped:{{value:2}}}} was collected before with the same name and label values")),
            (&[], "a 1\na{instance=\"\"} 2\n", format!("collected metric \"a\" {{ {base} untyped:{{value:2}}}} was collected before with the same name and label values")),
            (&[("x", "1")], "# TYPE a gauge\na{x=\"2\"} 1\na{x=\"3\"} 2\n", format!("collected metric \"a\" {{ {base} {} gauge:{{value:2}}}} was collected before with the same name and label values", label("x", "1"))),
            (&[], "a{__x=\"\"} 1\n", format!("collected metric \"a\" {{ {} {base} untyped:{{value:1}}}} has a label with an invalid name: __x", label("__x", ""))),
            (&[("quantile", "1")], "# TYPE s summary\ns_count 1\n", format!("collected metric \"s\" {{ {base} {} summary:{{sample_count:1  sample_sum:0}}}} must not have an explicit \"quantile\" label", label("quantile", "1"))),
            (&[("le", "1")], "# TYPE h histogram\nh_count 1\n", format!("collected metric \"h\" {{ {base} {} histogram:{{sample_count:1  sample_sum:0}}}} must not have an explicit \"le\" label", label("le", "1"))),
            (&[], "s_count 1\n# TYPE s summary\ns 1\n", "collected metric named \"s_count\" collides with previously collected summary named \"s\"".to_owned()),
            (&[], "h_bucket 1\n# TYPE h histogram\nh_sum 1\n", "collected metric named \"h_bucket\" collides with previously collected histogram named \"h\"".to_owned()),
        ] {
            let refusal = refusal(labels, body).expect(body);
            assert_eq!(refusal.to_string(), format!("{prefix}{fault}"));
            assert!(refusal.leaves_mark);
        }
    }

    #[test]
    fn clashes_with_the_gateways_own_metrics_leave_no_mark() {
        for (body, fault) in [
            (
                "own_gauge 1\n",
                "gathered metric family own_gauge has type UNTYPED but should have GAUGE",
            ),
            (
                "own_summary_sum 1\n",
                "collected metric named \"own_summary_sum\" collides with previously collected summary named \"own_summary\"",
            ),
        ] {
            let refusal = refusal(&[], body).expect(body);
            assert!(refusal.to_string().ends_with(fault), "{refusal}");
            assert!(!refusal.leaves_mark);
        }
    }

    #[test]
    fn labels_that_are_printed_alike_are_refused() {
        let number = || Value::Number(1.0, None);
        let fault = |names: &[&'static str]| {
            let labels = names.iter().map(|name| Label::new(*name, "1")).collect();
            let metric = Metric {
                labels,
                value: number(),
                timestamp_ms: None,
            };
            let key = GroupKey::new("j", &[("a_b".to_owned(), "1".to_owned())].into());
            metric_fault(Kind::Gauge, &key, has_plain_names(&key), &metric)
        };
        assert_eq!(fault(&["a c", "é"]), None);
        for names in [&["a!c", "a b"][..], &["c d", "c!e", "c_d"], &["a.b"]] {
            let fault = fault(names).expect("a fault");
            assert!(
                fault.starts_with("has two or more labels with the same name"),
                "{fault}"
            );
        }
        let reserved = Some("has a label with an invalid name: __name__".to_owned());
        assert_eq!(fault(&["._name__"]), reserved);
    }

    #[test]
    fn a_flood_of_faults_is_named_in_part() {
        let body = "a 1\n".repeat(10_000);
        let text = refusal(&[], &body).expect("duplicates").to_string();
        assert!(
            text.contains("100 error(s) occurred:\n* collected"),
            "{}",
            &text[..200]
        );
        // Of all kinds together.
        let collide = |n| format!("s{n}_count 1\n# TYPE s{n} summary\ns{n} 1\n");
        let body = "a 1\n".repeat(61) + &(0..100).map(collide).collect::<String>();
        let text = refusal(&[], &body).expect("duplicates").to_string();
        assert!(text.contains("100 error(s) occurred:"), "{}", &text[..200]);
        assert_eq!(text.matches("was collected before").count(), 60);
        assert_eq!(text.matches("collides with").count(), 40);
    }
}
