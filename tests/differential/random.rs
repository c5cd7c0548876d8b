//! Random requests over spaces so small that everything clashes with everything.

use super::bodies;
use super::cases::Step;
use super::support::random::Seeded;

/// Grouping keys: two jobs, and label sets that can and cannot show the same series.
const KEYS: &[&str] = &[
    "job/a",
    "job/b",
    "job/a/x/1",
    "job/a/x/2",
    "job/a/y/1",
    "job/a/x/1/y/1",
    "job/a/instance/i",
    "job/b/x@base64/MQ",
];

/// Labels of a sample; some are those of a grouping key, which overrides them.
const LABELS: &[&str] = &[
    "",
    "{x=\"1\"}",
    "{x=\"2\"}",
    "{y=\"1\"}",
    "{x=\"1\",y=\"1\"}",
    "{z=\"\"}",
    "{instance=\"i\"}",
    "{job=\"c\"}",
];

const TYPES: &[&str] = &["gauge", "counter", "untyped", "summary", "histogram"];

/// Names that are families of their own and parts of others.
const NAMES: &[&str] = &["m", "n", "s", "s_count", "h", "h_bucket"];

const VALUES: &[&str] = &["0", "1", "-2.5", "1e6", "NaN", "+Inf", "123456789", "-0"];

/// A sequence of requests that its seed decides.
pub(crate) struct Generator(Seeded);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Seeded::new(seed))
    }

    pub(crate) fn step(&mut self) -> Step {
        let key = self.one(KEYS);
        let method = match self.0.below(10) {
            0..=3 => "PUT",
            4..=7 => "POST",
            _ => "DELETE",
        };
        let mut step = Step::new(method, &format!("/metrics/{key}"));
        if method != "DELETE" {
            let families = self.0.below(4);
            let mut names: Vec<&str> = NAMES.to_vec();
            for _ in 0..families {
                let place = self.0.below(names.len() as u64);
                let name = names.swap_remove(usize::try_from(place).unwrap_or_default());
                let family = self.family(name);
                step.body.extend(family.into_bytes());
            }
            if self.0.once_in(8) {
                step.headers
                    .push(("Content-Encoding".to_owned(), "gzip".to_owned()));
                step.body = bodies::gzip(&step.body);
            }
        }
        step
    }

    /// A family of a random type, with a help that is the same wherever it is given: the Pushgateway
    /// shows one of several at random.
    fn family(&mut self, name: &str) -> String {
        let kind = self.one(TYPES);
        let mut lines = Vec::new();
        let is_typed = !self.0.once_in(4);
        if is_typed {
            lines.push(format!("# TYPE {name} {kind}"));
        }
        lines.push(format!("# HELP {name} what {name} is"));
        for _ in 0..=self.0.below(2) {
            let (labels, value) = (self.one(LABELS), self.one(VALUES));
            if is_typed && matches!(kind, "summary" | "histogram") {
                lines.push(format!("{name}_sum{labels} {value}"));
                lines.push(format!("{name}_count{labels} 3"));
            } else {
                lines.push(format!("{name}{labels} {value}"));
            }
        }
        let mut text = lines.join("\n") + "\n";
        if self.0.once_in(40) {
            text.push_str(self.one(&["broken\n", "at 1 5\n", "r{__x=\"1\"} 1\n", "q 1"]));
        }
        text
    }

    fn one(&mut self, of: &[&'static str]) -> &'static str {
        of[usize::try_from(self.0.below(of.len() as u64)).unwrap_or_default()]
    }
}
