//! What happens in a sequence.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use tidegate::model::GroupKey;

/// Job and labels of the groups: several name sets in one job, values that must be escaped, a
/// name that older scrapers cannot read.
const GROUPS: [(&str, &[(&str, &str)]); 10] = [
    ("j", &[]),
    ("j", &[("a", "1")]),
    ("j", &[("a", "2")]),
    ("j", &[("a", "3")]),
    ("j", &[("a", "10")]),
    ("j", &[("a", "1"), ("b", "1")]),
    ("k", &[("instance", "i:1")]),
    ("k", &[("zone", "\"w\\e\nst\"")]),
    ("k", &[("größe.l", "ü"), ("zone", "e")]),
    ("", &[("b", "")]),
];

/// Number of groups.
pub(crate) const ALL: usize = GROUPS.len();

/// Names of families; two cannot be read by older scrapers, one collides with a histogram's samples.
const NAMES: [&str; 8] = [
    "busy",
    "a_total",
    "m:n",
    "span_seconds",
    "span_seconds_count",
    "zz",
    "größe.m",
    "0x",
];

/// A name that has the next one with a suffix.
const BASE: usize = 3;

const HELPS: [Option<&str>; 5] = [
    None,
    Some(""),
    Some("Plain."),
    Some("A \\ and a\nline."),
    Some("ä"),
];

const KINDS: [&str; 5] = ["untyped", "gauge", "counter", "summary", "histogram"];

/// Values of many widths.
const VALUES: [&str; 14] = [
    "0",
    "1",
    "-1.5",
    "1e6",
    "999999",
    "123456789.125",
    "1e21",
    "2.5e-7",
    "0.0001",
    "NaN",
    "+Inf",
    "-Inf",
    "-0",
    "0.1",
];

/// One family of a push.
#[derive(Debug, Clone)]
pub(crate) struct Pushed {
    name: usize,
    kind: usize,
    help: usize,
    series: usize,
    /// Bytes of a label, so that chunks grow large.
    wide: usize,
    value: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Push {
        group: usize,
        put: bool,
        families: Vec<Pushed>,
        /// Whether the group lives for an hour from then on, and not for ever.
        hour: bool,
    },
    /// A push that is refused for a timestamp.
    Fail(usize),
    Delete(usize),
    Wipe,
    /// An hour passes. Nobody removes what has expired.
    Hour,
    Reap,
    Restart,
}

pub(crate) fn key(group: usize) -> GroupKey {
    let (job, labels) = GROUPS[group];
    let labels = labels
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    GroupKey::new(job, &labels.collect())
}

fn family() -> impl Strategy<Value = Pushed> {
    let width = prop_oneof![8 => Just(0_usize), 2 => 1..40_usize, 1 => 1500..3000_usize];
    // A type of its own, or nearly always the one that everybody gives this name.
    let kind = prop_oneof![4 => Just(None), 1 => (0..KINDS.len()).prop_map(Some)];
    let rest = (0..HELPS.len(), 1..12_usize, width, 0..VALUES.len());
    (0..NAMES.len(), kind, rest).prop_map(|(name, kind, (help, series, wide, value))| Pushed {
        name,
        kind: kind.unwrap_or(name % KINDS.len()),
        help,
        series,
        wide,
        value,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let group = 0..ALL;
    let families = prop::collection::vec(family(), 0..6);
    let push = (
        group.clone(),
        any::<bool>(),
        families,
        prop::bool::weighted(0.25),
    );
    prop_oneof![
        24 => push.prop_map(|(group, put, families, hour)| Step::Push { group, put, families, hour }),
        2 => group.clone().prop_map(Step::Fail),
        4 => group.prop_map(Step::Delete),
        1 => Just(Step::Wipe),
        2 => Just(Step::Hour),
        1 => Just(Step::Reap),
        1 => Just(Step::Restart),
    ]
}

pub(crate) fn sequences() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..30)
}

/// The body of a push.
pub(crate) fn body(families: &[Pushed]) -> String {
    // The last of a name, as in a program that sets a family anew.
    let mut families: BTreeMap<usize, &Pushed> = families.iter().map(|f| (f.name, f)).collect();
    if families.contains_key(&BASE) {
        // In one body its lines would be taken for those of the other.
        families.remove(&(BASE + 1));
    }
    families.values().map(|family| family.text()).collect()
}

impl Pushed {
    fn text(&self) -> String {
        let (name, kind) = (NAMES[self.name], KINDS[self.kind]);
        let plain = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b))
            && !name.starts_with('0');
        let shown = if plain {
            name.to_owned()
        } else {
            format!("\"{name}\"")
        };
        let mut text = String::new();
        if let Some(help) = HELPS[self.help] {
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = writeln!(text, "# HELP {shown} {help}");
        }
        let _ = writeln!(text, "# TYPE {shown} {kind}");
        for at in 0..self.series {
            let value = |more: usize| VALUES[(self.value + at + more) % VALUES.len()];
            let mut own = format!("s=\"{at}\"");
            if self.wide > 0 {
                let _ = write!(own, ",wide=\"{}\"", "w".repeat(self.wide));
            }
            if at % 3 == 1 {
                own = "instance=\"own\\\\\\n\\\"\",".to_owned() + &own;
            }
            let mut line = |suffix: &str, more: &str, value: &str| {
                let _ = if plain {
                    writeln!(text, "{name}{suffix}{{{own}{more}}} {value}")
                } else {
                    writeln!(text, "{{\"{name}{suffix}\",{own}{more}}} {value}")
                };
            };
            match kind {
                "summary" => {
                    line("", ",quantile=\"0.5\"", value(0));
                    line("", ",quantile=\"0.99\"", value(1));
                    line("_sum", "", value(2));
                    line("_count", "", "17");
                }
                "histogram" => {
                    line("_bucket", ",le=\"0.25\"", "3");
                    line("_bucket", ",le=\"1e6\"", "1000000");
                    if at % 2 == 0 {
                        line("_bucket", ",le=\"+Inf\"", "12345678");
                    }
                    line("_sum", "", value(0));
                    line("_count", "", "12345678");
                }
                _ => line("", "", value(0)),
            }
        }
        text
    }
}
