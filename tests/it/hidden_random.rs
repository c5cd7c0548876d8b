//! Random pushes, deletes, expiries and restarts over few jobs, labels, families and types, with
//! `--push.disable-consistency-check`, held against a plain model of what is shown.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use tidegate::http::Doors;
use tidegate::model::GroupKey;

use crate::harness::{Gateway, HOUR, Options};
use crate::messages;
use crate::messages::{Histogram, LabelPair, Metric, MetricFamily, Number, Summary};
use crate::protobuf::{self, DELIMITED};

const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Addresses of the groups, and their labels beside the job. The last is a twin of the first.
const GROUPS: [(&str, &[(&str, &str)]); 6] = [
    ("job/j", &[]),
    ("job/j/a/1", &[("a", "1")]),
    ("job/j/a/2", &[("a", "2")]),
    ("job/j/b/1", &[("b", "1")]),
    ("job/j/a/1/b/1", &[("a", "1"), ("b", "1")]),
    ("job/j/instance@base64/=", &[("instance", "")]),
];

/// Counter, gauge, summary, histogram, as protobuf numbers them.
const KINDS: [i32; 4] = [0, 1, 2, 4];

const NAMES: [&str; 4] = ["x", "x_bucket", "x_count", "y"];

type Labels = BTreeMap<String, String>;

/// One family of a push: its name, its type, and the labels of its series.
#[derive(Debug, Clone)]
struct Pushed {
    name: &'static str,
    kind: i32,
    series: Vec<Vec<(&'static str, &'static str)>>,
}

#[derive(Debug, Clone)]
enum Step {
    Push {
        put: bool,
        group: usize,
        families: Vec<Pushed>,
        hour: bool,
    },
    Failed {
        group: usize,
    },
    Delete {
        group: usize,
    },
    Expire,
    Restart,
}

fn families() -> impl Strategy<Value = Vec<Pushed>> {
    let labels = select(vec![
        vec![],
        vec![("a", "1")],
        vec![("b", "1")],
        vec![("a", "1"), ("b", "1")],
        vec![("a", "2"), ("b", "1")],
    ]);
    let family = (select(&KINDS[..]), prop::collection::vec(labels, 1..3));
    prop::collection::btree_map(select(&NAMES[..]), family, 0..4).prop_map(|families| {
        let family = |(name, (kind, series))| Pushed { name, kind, series };
        families.into_iter().map(family).collect()
    })
}

fn step() -> impl Strategy<Value = Step> {
    let group = 0..GROUPS.len();
    let push = (
        any::<bool>(),
        group.clone(),
        families(),
        prop::bool::weighted(0.3),
    );
    prop_oneof![
        12 => push.prop_map(|(put, group, families, hour)| Step::Push { put, group, families, hour }),
        1 => group.clone().prop_map(|group| Step::Failed { group }),
        4 => group.prop_map(|group| Step::Delete { group }),
        1 => Just(Step::Expire),
        1 => Just(Step::Restart),
    ]
}

/// A family as the model holds it.
#[derive(Debug, Clone)]
struct Held {
    kind: i32,
    /// All labels of each series as they are shown.
    series: Vec<Labels>,
    shown: bool,
}

#[derive(Debug, Clone, Default)]
struct Group {
    families: BTreeMap<&'static str, Held>,
    times_shown: bool,
    expires: Option<u32>,
}

/// What is shown by the rule: who is shown stays shown.
#[derive(Debug, Default)]
struct Model {
    groups: BTreeMap<GroupKey, Group>,
    hours: u32,
}

fn suffixes(kind: i32) -> &'static [&'static str] {
    match kind {
        2 => &["_count", "_sum"],
        4 => &["_count", "_sum", "_bucket"],
        _ => &[],
    }
}

/// Whether one family takes a name of samples of the other.
fn collide(base: (&str, i32), other: &str) -> bool {
    suffixes(base.1)
        .iter()
        .any(|suffix| other == format!("{}{suffix}", base.0))
}

impl Held {
    fn of(pushed: &Pushed, key: &GroupKey) -> Self {
        let all = |own: &Vec<(&str, &str)>| {
            let own = own.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            let mut labels: Labels = [("instance".to_owned(), String::new())].into();
            labels.extend(own);
            let grouping = key.labels().into_iter();
            labels.extend(grouping.map(|(n, v)| (n.to_owned(), v.to_owned())));
            labels
        };
        Self {
            kind: pushed.kind,
            series: pushed.series.iter().map(all).collect(),
            shown: false,
        }
    }

    fn has_own_fault(&self) -> bool {
        let distinct: BTreeSet<&Labels> = self.series.iter().collect();
        distinct.len() < self.series.len()
    }
}

impl Model {
    fn clashes(&self, key: &GroupKey, name: &str, held: &Held) -> bool {
        if held.has_own_fault() {
            return true;
        }
        self.groups.iter().any(|(other_key, group)| {
            group
                .families
                .iter()
                .filter(|(_, other)| other.shown)
                .any(|(other_name, other)| {
                    if *other_name == name {
                        return other_key != key
                            && (other.kind != held.kind
                                || other
                                    .series
                                    .iter()
                                    .any(|labels| held.series.contains(labels)));
                    }
                    collide((name, held.kind), other_name)
                        || collide((other_name, other.kind), name)
                })
        })
    }

    fn twin_shows(&self, key: &GroupKey) -> bool {
        let twin = |labels: &[(&str, &str)]| {
            let labels = labels
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            GroupKey::new("j", &labels.collect())
        };
        let twins = [twin(&[]), twin(&[("instance", "")])];
        let other =
            |twin: &GroupKey| twin != key && self.groups.get(twin).is_some_and(|g| g.times_shown);
        twins.contains(key) && twins.iter().any(other)
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Push {
                put,
                group,
                families,
                hour,
            } => {
                let key = key(*group);
                let mut new = self.groups.remove(&key).unwrap_or_default();
                if *put {
                    new.families.clear();
                }
                new.families
                    .retain(|name, _| families.iter().all(|pushed| pushed.name != *name));
                new.expires = hour.then_some(self.hours + 1);
                new.times_shown = !self.twin_shows(&key);
                self.groups.insert(key.clone(), new);
                for pushed in families {
                    let mut held = Held::of(pushed, &key);
                    held.shown = !self.clashes(&key, pushed.name, &held);
                    self.groups
                        .entry(key.clone())
                        .or_default()
                        .families
                        .insert(pushed.name, held);
                }
            }
            Step::Failed { group } => {
                let key = key(*group);
                if !self.groups.contains_key(&key) {
                    let times_shown = !self.twin_shows(&key);
                    self.groups.insert(
                        key,
                        Group {
                            times_shown,
                            ..Group::default()
                        },
                    );
                }
            }
            Step::Delete { group } => drop(self.groups.remove(&key(*group))),
            Step::Expire => {
                self.hours += 1;
                let hours = self.hours;
                self.groups
                    .retain(|_, group| group.expires.is_none_or(|at| at > hours));
            }
            Step::Restart => {}
        }
        self.look_again();
    }

    /// Everything that is hidden, in order.
    fn look_again(&mut self) {
        let keys: Vec<GroupKey> = self.groups.keys().cloned().collect();
        for key in keys {
            let group = &self.groups[&key];
            let times = group.times_shown || !self.twin_shows(&key);
            let names: Vec<&str> = group.families.keys().copied().collect();
            self.groups.entry(key.clone()).or_default().times_shown = times;
            for name in names {
                let held = &self.groups[&key].families[name];
                if !held.shown && !self.clashes(&key, name, held) {
                    let group = self.groups.entry(key.clone()).or_default();
                    group
                        .families
                        .entry(name)
                        .and_modify(|held| held.shown = true);
                }
            }
        }
    }

    /// Headers and series, each once.
    fn lines(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (key, group) in &self.groups {
            if group.times_shown {
                let mut labels: Labels = [("instance".to_owned(), String::new())].into();
                labels.extend(
                    key.labels()
                        .into_iter()
                        .map(|(n, v)| (n.to_owned(), v.to_owned())),
                );
                for name in ["push_time_seconds", "push_failure_time_seconds"] {
                    lines.insert(format!("# TYPE {name} gauge"));
                    lines.insert(series(name, &labels, ""));
                }
            }
            for (name, held) in group.families.iter().filter(|(_, held)| held.shown) {
                let kind = ["counter", "gauge", "summary", "", "histogram"];
                let kind = kind[usize::try_from(held.kind).expect("a type")];
                lines.insert(format!("# TYPE {name} {kind}"));
                for labels in &held.series {
                    match held.kind {
                        0 | 1 => drop(lines.insert(series(name, labels, ""))),
                        kind => {
                            lines.insert(series(&format!("{name}_sum"), labels, ""));
                            lines.insert(series(&format!("{name}_count"), labels, ""));
                            if kind == 4 {
                                let bucket = format!("{name}_bucket");
                                lines.insert(series(&bucket, labels, ",le=\"+Inf\""));
                            }
                        }
                    }
                }
            }
        }
        lines
    }

    /// Names of hidden families by group, as the API has them.
    fn hidden(&self) -> BTreeMap<String, Vec<String>> {
        let mut hidden = BTreeMap::new();
        for (key, group) in &self.groups {
            let families = group.families.iter().filter(|(_, held)| !held.shown);
            let mut names: Vec<String> = families.map(|(name, _)| (*name).to_owned()).collect();
            if !group.times_shown {
                names.push("push_time_seconds".to_owned());
            }
            names.sort();
            let labels: Labels = key
                .labels()
                .into_iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect();
            hidden.insert(format!("{labels:?}"), names);
        }
        hidden
    }
}

fn series(name: &str, labels: &Labels, more: &str) -> String {
    let labels: Vec<String> = labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
    format!("{name}{{{}{more}}}", labels.join(","))
}

fn key(group: usize) -> GroupKey {
    let labels = GROUPS[group].1.iter();
    let labels = labels.map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    GroupKey::new("j", &labels.collect())
}

fn body(families: &[Pushed]) -> Vec<u8> {
    let pair = |(name, value): &(&str, &str)| LabelPair {
        name: Some((*name).into()),
        value: Some((*value).into()),
    };
    let number = || Some(Number { value: Some(1.0) });
    let metric = |kind: i32, labels: &Vec<(&str, &str)>| Metric {
        label: labels.iter().map(pair).collect(),
        gauge: number().filter(|_| kind == 1),
        counter: (kind == 0).then(messages::Counter::default),
        summary: (kind == 2).then(Summary::default),
        histogram: (kind == 4).then(Histogram::default),
        ..Metric::default()
    };
    let message = |pushed: &Pushed| MetricFamily {
        name: Some(pushed.name.into()),
        kind: Some(pushed.kind),
        metric: pushed
            .series
            .iter()
            .map(|labels| metric(pushed.kind, labels))
            .collect(),
        ..MetricFamily::default()
    };
    let messages = families.iter().map(message);
    messages
        .flat_map(|message| prost::Message::encode_length_delimited_to_vec(&message))
        .collect()
}

fn carry_out(gateway: &mut Gateway, step: &Step) {
    let status = match step {
        Step::Push {
            put,
            group,
            families,
            hour,
        } => {
            let method = if *put { "PUT" } else { "POST" };
            let ttl = if *hour { "1h" } else { "never" };
            let headers = [("Content-Type", PROTOBUF), ("Tidegate-TTL", ttl)];
            let path = format!("/metrics/{}", GROUPS[*group].0);
            gateway.send(method, &path, &headers, body(families)).status
        }
        Step::Failed { group } => gateway.write("PUT", GROUPS[*group].0, "x 1 1\n").status,
        Step::Delete { group } => gateway.write("DELETE", GROUPS[*group].0, "").status,
        Step::Expire => {
            gateway.advance(HOUR);
            gateway
                .send("POST", "/api/v1/admin/ttl/reap", &[], "")
                .status
                + 2
        }
        Step::Restart => {
            gateway.restart();
            202
        }
    };
    assert_eq!(status, 202, "{step:?}");
}

/// Headers and series of a sound exposition, without values.
fn lines(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with("# HELP"));
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(_) => line.to_owned(),
        None => line.rsplit_once(' ').expect("a sample").0.to_owned(),
    };
    lines.map(line).collect()
}

fn hidden(gateway: &Gateway) -> BTreeMap<String, Vec<String>> {
    let answer = gateway.get("/api/v1/groups?limit=1000", &[]);
    let found: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let groups = found["data"]["groups"].as_array().expect("groups");
    let group = |group: &Value| {
        let labels: Labels = serde_json::from_value(group["labels"].clone()).expect("labels");
        let hidden = group["hidden_families"].as_array().expect("a list");
        let names = hidden
            .iter()
            .map(|family| family["name"].as_str().expect("a name").to_owned());
        (format!("{labels:?}"), names.collect())
    };
    groups.iter().map(group).collect()
}

proptest! {
    // Each case starts a gateway or two: a tenth of the usual number, or of PROPTEST_CASES.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 10,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_shown_follows_the_rule(steps in prop::collection::vec(step(), 1..40)) {
        let mut gateway = Gateway::with(Options {
            hide_inconsistent: true,
            doors: Doors { admin: true, ..Doors::default() },
            ..Options::default()
        });
        let mut model = Model::default();
        for (at, step) in steps.iter().enumerate() {
            carry_out(&mut gateway, step);
            model.apply(step);
            let shown = lines(&gateway.exposition());
            prop_assert_eq!(shown, model.lines(), "after step {}: {:?}", at, step);
            let encoded = protobuf::as_text(&protobuf::families(&gateway, DELIMITED));
            prop_assert_eq!(lines(&encoded), model.lines(), "after step {}: {:?}", at, step);
            let names = model.hidden();
            let count: usize = names.values().map(Vec::len).sum();
            prop_assert_eq!(hidden(&gateway), names, "after step {}: {:?}", at, step);
            let shown = gateway.value("tidegate_hidden_families");
            prop_assert_eq!(shown, Some(count.to_string()), "after step {}", at);
        }
    }
}
