//! The settings that decide a group's TTL, and their order.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{Override, Rules, Schedule, Ttl, TtlError, TtlSource};
use crate::clock::UnixNanos;
use crate::model::GroupKey;

/// What decides how long groups live: `--ttl.*` and the rules of the config file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TtlPolicy {
    /// For groups that nothing else covers (`--ttl.default`).
    pub default: Ttl,
    /// A push that names less is refused (`--ttl.min`).
    pub min: Duration,
    /// A push that names more, or never, gets this; `None` is no cap (`--ttl.max`).
    pub max: Option<Duration>,
    /// What a push's own TTL counts for (`--ttl.client`).
    pub client: ClientTtl,
    /// TTLs by grouping key, for pushes that name none.
    pub rules: Arc<Rules>,
}

/// What TTLs that pushers name count for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ClientTtl {
    /// They beat rules and default.
    #[default]
    Allow,
    /// They are read and count for nothing.
    Ignore,
    /// Pushes that name one are refused. Groups that were pushed with one
    /// before keep it until their next push.
    Reject,
}

impl FromStr for ClientTtl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "allow" => Ok(Self::Allow),
            "ignore" => Ok(Self::Ignore),
            "reject" => Ok(Self::Reject),
            _ => Err("expected allow, ignore or reject"),
        }
    }
}

impl fmt::Display for ClientTtl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Allow => "allow",
            Self::Ignore => "ignore",
            Self::Reject => "reject",
        })
    }
}

impl Default for TtlPolicy {
    /// 35 days: longer than any monthly job, so that nothing alive is lost, and
    /// everything dead is still forgotten one day.
    fn default() -> Self {
        Self {
            default: Ttl::After(Duration::from_hours(35 * 24)),
            min: Duration::from_secs(1),
            max: None,
            client: ClientTtl::default(),
            rules: Arc::default(),
        }
    }
}

impl TtlPolicy {
    /// Refuses a TTL that a push may not name. Call it with what
    /// [`super::pushed_ttl`] gave, before the push is stored.
    ///
    /// # Errors
    ///
    /// [`TtlError::Rejected`] and [`TtlError::BelowMin`].
    pub fn check_pushed(&self, pushed: Option<Ttl>) -> Result<(), TtlError> {
        match (self.client, pushed) {
            (ClientTtl::Reject, Some(_)) => Err(TtlError::Rejected),
            (ClientTtl::Allow, Some(ttl @ Ttl::After(duration))) if duration < self.min => {
                Err(TtlError::BelowMin { ttl, min: self.min })
            }
            _ => Ok(()),
        }
    }

    /// The TTL of the group of this key whose last push named `pushed`, and why:
    /// the push's own TTL, the first rule that matches, the default.
    ///
    /// A push's own TTL is cut to the cap; rules and default are the operator's
    /// word and are not.
    pub fn effective(&self, key: &GroupKey, pushed: Option<Ttl>) -> (Ttl, TtlSource) {
        if let Some(pushed) = pushed.filter(|_| self.client != ClientTtl::Ignore) {
            return (self.capped(pushed), TtlSource::Push);
        }
        match self.rules.first_match(key) {
            Some(rule) => (rule.ttl, TtlSource::Rule(Arc::clone(&rule.name))),
            None => (self.default, TtlSource::Default),
        }
    }

    /// The schedule at `now` of the group of this key, whose TTL clock started at
    /// `clock_start` and whose last push named `pushed`.
    pub fn schedule(
        &self,
        key: &GroupKey,
        clock_start: UnixNanos,
        pushed: Option<Ttl>,
        pinned: Option<&Override>,
        now: UnixNanos,
    ) -> Schedule {
        let own = self.effective(key, pushed);
        Schedule::of(clock_start, own, self.rules.hold(key), pinned, now)
    }

    pub(super) fn capped(&self, pushed: Ttl) -> Ttl {
        match (pushed, self.max) {
            (ttl, None) => ttl,
            (Ttl::Never, Some(max)) => Ttl::After(max),
            (Ttl::After(duration), Some(max)) => Ttl::After(duration.min(max)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::super::Rule;
    use super::*;
    use crate::model::Selector;

    pub(in crate::ttl) fn key(job: &str) -> GroupKey {
        GroupKey::new(job, &BTreeMap::new())
    }

    pub(in crate::ttl) fn hours(hours: u64) -> Ttl {
        Ttl::After(Duration::from_hours(hours))
    }

    /// `ci-.*` two hours, `ci-slow` (never reached) three, `keep` never.
    pub(in crate::ttl) fn policy() -> TtlPolicy {
        let rule = |name: &str, selector: &str, ttl| Rule {
            name: name.into(),
            selector: Selector::parse(selector).unwrap(),
            ttl,
            hold: None,
        };
        TtlPolicy {
            default: hours(24),
            rules: Arc::new(Rules::new(vec![
                rule("ci", r#"{job=~"ci-.*"}"#, hours(2)),
                rule("slow", r#"{job="ci-slow"}"#, hours(3)),
                rule("kept", r#"{job="keep"}"#, Ttl::Never),
            ])),
            ..TtlPolicy::default()
        }
    }

    #[test]
    fn the_push_beats_the_first_rule_that_beats_the_default() {
        let rule = |name: &str| TtlSource::Rule(name.into());
        let open = policy();
        let capped = TtlPolicy {
            max: Some(Duration::from_hours(1)),
            ..policy()
        };
        let ignoring = TtlPolicy {
            client: ClientTtl::Ignore,
            ..capped.clone()
        };
        let rejecting = TtlPolicy {
            client: ClientTtl::Reject,
            ..capped.clone()
        };
        for (policy, job, pushed, ttl, source) in [
            (&open, "other", None, hours(24), TtlSource::Default),
            (&open, "other", Some(hours(9)), hours(9), TtlSource::Push),
            (&open, "ci-a", None, hours(2), rule("ci")),
            (&open, "ci-slow", None, hours(2), rule("ci")),
            (&open, "ci-slow", Some(hours(9)), hours(9), TtlSource::Push),
            (
                &open,
                "ci-slow",
                Some(Ttl::Never),
                Ttl::Never,
                TtlSource::Push,
            ),
            (&open, "keep", None, Ttl::Never, rule("kept")),
            // The cap is for pushes, not for the operator.
            (&capped, "other", None, hours(24), TtlSource::Default),
            (&capped, "ci-a", None, hours(2), rule("ci")),
            (&capped, "keep", None, Ttl::Never, rule("kept")),
            (&capped, "ci-a", Some(hours(9)), hours(1), TtlSource::Push),
            (&capped, "keep", Some(Ttl::Never), hours(1), TtlSource::Push),
            (&ignoring, "ci-a", Some(hours(9)), hours(2), rule("ci")),
            (
                &ignoring,
                "other",
                Some(Ttl::Never),
                hours(24),
                TtlSource::Default,
            ),
            (
                &rejecting,
                "ci-a",
                Some(hours(9)),
                hours(1),
                TtlSource::Push,
            ),
        ] {
            assert_eq!(
                policy.effective(&key(job), pushed),
                (ttl, source),
                "{job} {pushed:?} {:?} {:?}",
                policy.max,
                policy.client
            );
        }
    }

    #[test]
    fn a_push_below_the_minimum_is_refused() {
        let policy = TtlPolicy::default();
        let short = Ttl::After(Duration::from_millis(999));
        let error = policy.check_pushed(Some(short)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the TTL 999ms is below the minimum of 1s (--ttl.min)"
        );
        for pushed in [None, Some(Ttl::Never), Some(Ttl::After(policy.min))] {
            assert_eq!(policy.check_pushed(pushed), Ok(()));
        }
    }

    #[test]
    fn what_pushers_may_name_is_the_operators_choice() {
        let policy = |client| TtlPolicy {
            client,
            ..TtlPolicy::default()
        };
        let short = Some(Ttl::After(Duration::from_millis(1)));
        assert_eq!(policy(ClientTtl::Ignore).check_pushed(short), Ok(()));
        let rejecting = policy(ClientTtl::Reject);
        assert_eq!(rejecting.check_pushed(None), Ok(()));
        assert_eq!(
            rejecting
                .check_pushed(Some(Ttl::Never))
                .unwrap_err()
                .to_string(),
            "a push may not name a TTL of its own here (--ttl.client=reject)"
        );
        for client in [ClientTtl::Allow, ClientTtl::Ignore, ClientTtl::Reject] {
            assert_eq!(client.to_string().parse(), Ok(client));
        }
        assert!("deny".parse::<ClientTtl>().is_err());
    }
}
