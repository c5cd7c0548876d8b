//! What a scrape and the query API show, in a form that can be compared.

use std::collections::BTreeMap;

use serde_json::Value;

/// Stands for a time that is not zero.
const SOME_TIME: &str = "<a time>";

/// A metric family as printed: its comments and its samples, which are sorted because the
/// Pushgateway orders series by their labels and tidegate by their groups.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) help: Option<String>,
    pub(crate) kind: Vec<String>,
    pub(crate) samples: Vec<String>,
}

/// The families of an exposition by name.
pub(crate) type Families = BTreeMap<String, Shown>;

/// What has been pushed, and what the gateway says of itself.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Exposition {
    pub(crate) pushed: Families,
    pub(crate) own: Families,
}

/// Reads an exposition. Times of pushes are masked, but for 0. Metrics of the process, of the Go
/// runtime and of tidegate are left out where nobody has pushed them: their values are the machine's,
/// and their samples have no `job`.
pub(crate) fn read(text: &str) -> Exposition {
    let mut all = Families::new();
    let mut name = "";
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let keyword = words.next().unwrap_or_default();
            name = words.next().unwrap_or_default();
            let family = all.entry(name.to_owned()).or_default();
            let rest = words.next().unwrap_or_default().to_owned();
            match keyword {
                "HELP" => family.help = Some(rest),
                _ => family.kind.push(rest),
            }
        } else {
            let family = all.entry(name.to_owned()).or_default();
            family.samples.push(masked(name, line));
        }
    }
    let mut exposition = Exposition::default();
    for (name, mut family) in all {
        family.samples.sort();
        if name.starts_with("pushgateway_") {
            exposition.own.insert(name, family);
            continue;
        }
        if is_runtime(&name) {
            family.samples.retain(|line| line.contains("job=\""));
            if family.samples.is_empty() {
                continue;
            }
        }
        exposition.pushed.insert(name, family);
    }
    exposition
}

/// What the gateway has counted: requests, pushes and their sizes. Looking at the query API is left
/// out, since the tests look at it as often as they need to.
pub(crate) fn counters(exposition: &Exposition) -> BTreeMap<String, f64> {
    let samples = exposition.own.values().flat_map(|family| &family.samples);
    samples
        .filter_map(|line| line.rsplit_once(' '))
        .filter(|(series, _)| {
            let counts = ["_total{", "_count{", "_size_bytes_sum{"];
            counts.iter().any(|part| series.contains(part))
                && !series.contains("handler=\"api/v1/metrics\"")
        })
        .map(|(series, value)| (series.to_owned(), value.parse().unwrap_or(f64::NAN)))
        .collect()
}

fn is_runtime(name: &str) -> bool {
    ["go_", "process_", "tidegate_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn masked(family: &str, line: &str) -> String {
    let Some((series, value)) = line.rsplit_once(' ') else {
        return line.to_owned();
    };
    let times = ["push_time_seconds", "push_failure_time_seconds"];
    if times.contains(&family) && value != "0" {
        format!("{series} {SOME_TIME}")
    } else {
        line.to_owned()
    }
}

/// The answer of the query API with groups in order of their labels and times masked.
pub(crate) fn api(body: &str) -> Value {
    let mut answer: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    if let Some(Value::Array(groups)) = answer.get_mut("data") {
        groups.iter_mut().for_each(mask_group);
        groups.sort_by_cached_key(|group| group["labels"].to_string());
    }
    answer
}

fn mask_group(group: &mut Value) {
    let Value::Object(members) = group else {
        return;
    };
    for (name, family) in members {
        if let Some(time) = family.get_mut("time_stamp") {
            *time = SOME_TIME.into();
        }
        if !name.ends_with("_time_seconds") {
            continue;
        }
        let metrics = family.get_mut("metrics").and_then(Value::as_array_mut);
        for metric in metrics.into_iter().flatten() {
            if metric["value"] != "0" {
                metric["value"] = SOME_TIME.into();
            }
        }
    }
}
