//! Why a group has the TTL it has, step by step, in the form of the API.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ClientTtl, Hold, Override, Rule, Ttl, TtlPolicy, TtlSource};
use crate::duration;
use crate::model::GroupKey;

/// The TTL of a group, existing or not, and all that could have decided it.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Explanation {
    /// The grouping key.
    pub labels: BTreeMap<String, String>,
    /// The TTL in force.
    pub ttl: Ttl,
    /// Where it comes from.
    #[serde(rename = "ttl_source")]
    pub source: TtlSource,
    /// What expiry waits for beside the TTL: the word of the first rule that matches,
    /// wherever the TTL comes from, unless an override does.
    pub hold: Option<Hold>,
    /// Everything that could decide, highest first. Exactly one step wins.
    pub chain: Vec<Step>,
}

/// One thing that could decide a TTL.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Step {
    /// What it is.
    pub source: TtlSource,
    /// The TTL it would give; `None` if it names none.
    pub ttl: Option<Ttl>,
    /// What a rule lets expiry wait for.
    pub hold: Option<Hold>,
    /// What came of it.
    pub outcome: Outcome,
    /// The reason, for people.
    pub why: String,
}

/// What came of a step.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It decides.
    Wins,
    /// It would, but a higher one does.
    Outranked,
    /// It is about other groups, or the push names no TTL.
    DoesNotApply,
    /// It was named and counts for nothing (`--ttl.client=ignore`).
    Ignored,
}

impl TtlPolicy {
    /// Why the group of this key, whose last push named `pushed`, has its TTL.
    /// The winner is that of [`TtlPolicy::effective`].
    pub fn explain(&self, key: &GroupKey, pushed: Option<Ttl>) -> Explanation {
        let (ttl, source) = self.effective(key, pushed);
        let mut chain = vec![self.explain_push(pushed)];
        chain.extend(self.rules.iter().map(|rule| explain_rule(rule, key)));
        chain.push(Step {
            source: TtlSource::Default,
            ttl: Some(self.default),
            hold: None,
            outcome: Outcome::Wins,
            why: "for groups that nothing else covers".to_owned(),
        });
        let mut decided = false;
        for step in chain
            .iter_mut()
            .filter(|step| step.outcome == Outcome::Wins)
        {
            if decided {
                step.outcome = Outcome::Outranked;
            }
            decided = true;
        }
        let labels = key.labels().into_iter();
        Explanation {
            labels: labels
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ttl,
            source,
            hold: self.rules.hold(key),
            chain,
        }
    }

    /// The same with an operator's override, which wins while it counts.
    pub fn explain_with(
        &self,
        key: &GroupKey,
        pushed: Option<Ttl>,
        pinned: Option<&Override>,
    ) -> Explanation {
        let mut explanation = self.explain(key, pushed);
        let Some(pinned) = pinned else {
            return explanation;
        };
        for step in &mut explanation.chain {
            if step.outcome == Outcome::Wins {
                step.outcome = Outcome::Outranked;
            }
        }
        let step = Step {
            source: TtlSource::Override,
            ttl: Some(pinned.ttl),
            hold: None,
            outcome: Outcome::Wins,
            why: format!("set by {}: {:?}", pinned.by, pinned.reason),
        };
        explanation.chain.insert(0, step);
        explanation.ttl = pinned.ttl;
        explanation.source = TtlSource::Override;
        explanation.hold = None;
        explanation
    }

    fn explain_push(&self, pushed: Option<Ttl>) -> Step {
        let (outcome, why) = match (pushed, self.client) {
            (None, _) => (Outcome::DoesNotApply, "the push names no TTL".to_owned()),
            (Some(ttl), ClientTtl::Ignore) => (
                Outcome::Ignored,
                format!("the push names {ttl}, which counts for nothing (--ttl.client=ignore)"),
            ),
            (Some(ttl), _) => (Outcome::Wins, self.explain_cap(ttl)),
        };
        Step {
            source: TtlSource::Push,
            ttl: pushed.map(|ttl| self.capped(ttl)),
            hold: None,
            outcome,
            why,
        }
    }

    fn explain_cap(&self, pushed: Ttl) -> String {
        match self.max {
            Some(max) if self.capped(pushed) != pushed => {
                let max = duration::format(max);
                format!("the push names {pushed}, cut to the maximum of {max} (--ttl.max)")
            }
            _ => format!("the push names {pushed}"),
        }
    }
}

fn explain_rule(rule: &Rule, key: &GroupKey) -> Step {
    let failing = rule.selector.first_failing(key);
    let (outcome, why) = match failing {
        None => (Outcome::Wins, format!("{} matches", rule.selector)),
        Some(matcher) => {
            let label = matcher.label();
            let found = match key.get(label) {
                Some(value) => format!("{label} is {value:?}"),
                None => format!("there is no {label}"),
            };
            (
                Outcome::DoesNotApply,
                format!("{matcher} does not hold: {found}"),
            )
        }
    };
    Step {
        source: TtlSource::Rule(rule.name.clone()),
        ttl: Some(rule.ttl),
        hold: rule.hold,
        outcome,
        why,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::policy::tests::{hours, key, policy};
    use super::*;

    /// One line for each step: source, TTL, outcome, reason.
    fn shown(explanation: &Explanation) -> Vec<String> {
        let steps = explanation.chain.iter();
        steps
            .map(
                |Step {
                     source,
                     ttl,
                     outcome,
                     why,
                     ..
                 }| {
                    let ttl = ttl.map_or("-".to_owned(), |ttl| ttl.to_string());
                    format!("{source} {ttl} {outcome:?}: {why}")
                },
            )
            .collect()
    }

    #[test]
    fn every_step_says_what_came_of_it() {
        assert_eq!(
            shown(&policy().explain(&key("ci-slow"), None)),
            [
                "push - DoesNotApply: the push names no TTL",
                r#"rule:ci 2h Wins: {job=~"ci-.*"} matches"#,
                r#"rule:slow 3h Outranked: {job="ci-slow"} matches"#,
                r#"rule:kept never DoesNotApply: job="keep" does not hold: job is "ci-slow""#,
                "default 1d Outranked: for groups that nothing else covers",
            ]
        );
    }

    #[test]
    fn a_push_wins_is_cut_or_is_ignored() {
        let capped = TtlPolicy {
            max: Some(Duration::from_hours(1)),
            ..policy()
        };
        let ignoring = TtlPolicy {
            client: ClientTtl::Ignore,
            ..policy()
        };
        for (policy, line) in [
            (policy(), "push 9h Wins: the push names 9h"),
            (
                capped,
                "push 1h Wins: the push names 9h, cut to the maximum of 1h (--ttl.max)",
            ),
            (
                ignoring,
                "push 9h Ignored: the push names 9h, which counts for nothing (--ttl.client=ignore)",
            ),
        ] {
            let explanation = policy.explain(&key("keep"), Some(hours(9)));
            assert_eq!(shown(&explanation)[0], line);
        }
    }

    #[test]
    fn the_one_winner_is_the_ttl_in_force() {
        for client in [ClientTtl::Allow, ClientTtl::Ignore, ClientTtl::Reject] {
            for max in [None, Some(Duration::from_hours(1))] {
                for job in ["ci-slow", "keep", "other"] {
                    for pushed in [None, Some(hours(9)), Some(Ttl::Never)] {
                        let policy = TtlPolicy {
                            max,
                            client,
                            ..policy()
                        };
                        let explanation = policy.explain(&key(job), pushed);
                        let mut winners = explanation
                            .chain
                            .iter()
                            .filter(|step| step.outcome == Outcome::Wins)
                            .map(|step| (step.ttl.unwrap(), step.source.clone()));
                        assert_eq!(winners.next(), Some(policy.effective(&key(job), pushed)));
                        assert_eq!(winners.next(), None);
                        assert_eq!(
                            (explanation.ttl, explanation.source),
                            policy.effective(&key(job), pushed)
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn an_absent_label_is_called_absent() {
        let selector = crate::model::Selector::parse(r#"{zone=~"w.*"}"#).unwrap();
        let rule = Rule {
            name: "w".into(),
            selector,
            ttl: Ttl::Never,
            hold: None,
        };
        assert_eq!(
            explain_rule(&rule, &key("a")).why,
            r#"zone=~"w.*" does not hold: there is no zone"#
        );
    }

    #[test]
    fn the_json_has_the_words_of_the_api() {
        let explanation = policy().explain(&key("keep"), None);
        let json = serde_json::to_value(&explanation).unwrap();
        assert_eq!(json["labels"]["job"], "keep");
        assert_eq!(json["ttl"], "never");
        assert_eq!(json["ttl_source"], "rule:kept");
        assert_eq!(json["chain"][0]["ttl"], serde_json::Value::Null);
        assert_eq!(json["chain"][0]["outcome"], "does_not_apply");
        assert_eq!(json["chain"][3]["outcome"], "wins");
        assert_eq!(json["chain"][3]["source"], "rule:kept");
    }
}
