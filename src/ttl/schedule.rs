//! When a group expires, all things considered: its clock, its TTL, an
//! operator's override.

use super::{Hold, Horizon, Ttl, TtlSource, deadline, is_expired};
use crate::clock::UnixNanos;

/// An operator's word about the TTL of one group. It ends with its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The TTL instead of the group's own.
    pub ttl: Ttl,
    /// When the override ends by itself, in TTL time; `None`: with its group.
    pub until: Option<UnixNanos>,
    /// Why.
    pub reason: String,
    /// Who set it: the peer's address.
    pub by: String,
    /// When it was set, wall clock.
    pub set: UnixNanos,
}

impl Override {
    /// Whether it decides at `now` about a group whose TTL clock started at `clock_start`:
    /// until it ends, and after that if the group's time was over by then. (While expiry is
    /// suspended such a group is still there.)
    pub fn counts(&self, clock_start: UnixNanos, now: UnixNanos) -> bool {
        let ended = self.until.filter(|until| *until <= now);
        ended.is_none_or(|until| {
            deadline(clock_start, self.ttl).is_some_and(|deadline| deadline < until)
        })
    }

    /// Whether it makes no difference to a TTL clock that started then: it had ended before.
    /// One that ended while the clock ran may have let the group expire, and counts.
    pub fn is_spent(&self, clock_start: UnixNanos) -> bool {
        self.until.is_some_and(|until| until <= clock_start)
    }
}

/// The TTL of a group in force, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The TTL.
    pub ttl: Ttl,
    /// Where it comes from.
    pub source: TtlSource,
    /// When the group expires unless something happens, in TTL time; `None`: never.
    pub deadline: Option<UnixNanos>,
    /// What expiry waits for beside that.
    pub hold: Option<Hold>,
}

impl Schedule {
    /// The schedule at `now` of a group whose TTL clock started at `clock_start`
    /// and whose TTL without an override is `own`. `hold` is the word of its rule, which
    /// counts unless the deadline is that of an override: an operator's word is exact.
    ///
    /// The end of an override is part of the deadline, so that nobody needs to
    /// look again at that moment: what the override alone keeps alive expires
    /// exactly then. The deadline does not depend on `now`: what an override let expire
    /// does not come back when it has ended and the deadline is worked out again.
    pub fn of(
        clock_start: UnixNanos,
        own: (Ttl, TtlSource),
        hold: Option<Hold>,
        pinned: Option<&Override>,
        now: UnixNanos,
    ) -> Self {
        let (ttl, source) = own;
        let own_deadline = deadline(clock_start, ttl);
        let Some(pinned) = pinned else {
            return Self {
                ttl,
                source,
                deadline: own_deadline,
                hold,
            };
        };
        let (deadline, hold) = match (deadline(clock_start, pinned.ttl), pinned.until) {
            (deadline, None) => (deadline, None),
            (Some(deadline), Some(until)) if deadline < until => (Some(deadline), None),
            (_, Some(until)) => (own_deadline.map(|own| own.max(until)), hold),
        };
        let (ttl, source) = if pinned.counts(clock_start, now) {
            (pinned.ttl, TtlSource::Override)
        } else {
            (ttl, source)
        };
        Self {
            ttl,
            source,
            deadline,
            hold,
        }
    }

    /// Whether a group on this schedule has expired whose last push has this number.
    pub fn is_expired(&self, pushed: u64, horizon: Horizon) -> bool {
        let held = self.hold.is_some() && pushed > horizon.scraped;
        is_expired(self.deadline, horizon.at) && !held
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds(seconds: u64) -> UnixNanos {
        UnixNanos(seconds * 1_000_000_000)
    }

    fn ttl(seconds: u64) -> Ttl {
        Ttl::from_duration(Duration::from_secs(seconds))
    }

    /// The deadline and the source of a group whose clock started at 100 with a default TTL.
    fn schedule(own: u64, pinned: Option<(u64, Option<u64>)>, now: u64) -> (Option<u64>, String) {
        let pinned = pinned.map(|(pinned, until)| Override {
            ttl: ttl(pinned),
            until: until.map(seconds),
            reason: String::new(),
            by: String::new(),
            set: seconds(0),
        });
        let own = (ttl(own), TtlSource::Default);
        let schedule = Schedule::of(seconds(100), own, None, pinned.as_ref(), seconds(now));
        (
            schedule.deadline.map(|at| at.0 / 1_000_000_000),
            schedule.source.to_string(),
        )
    }

    #[test]
    fn an_override_counts_until_it_ends_and_what_it_kept_alive_expires_then() {
        for (own, pinned, now, expected, source) in [
            (10, None, 105, Some(110), "default"),
            (0, None, 105, None, "default"),
            // Without an end.
            (10, Some((50, None)), 105, Some(150), "override"),
            (10, Some((0, None)), 105, None, "override"),
            (10, Some((5, None)), 102, Some(105), "override"),
            // It ends before its own deadline: the group falls back to its own TTL.
            (10, Some((50, Some(120))), 105, Some(120), "override"),
            (30, Some((50, Some(120))), 105, Some(130), "override"),
            (0, Some((50, Some(120))), 105, None, "override"),
            (10, Some((0, Some(120))), 105, Some(120), "override"),
            // Its own deadline comes first.
            (30, Some((5, Some(120))), 102, Some(105), "override"),
            // It ends at its own deadline, and counts no more at that instant.
            (30, Some((20, Some(120))), 105, Some(130), "override"),
            // Over.
            (30, Some((50, Some(120))), 120, Some(130), "default"),
            (30, Some((5, Some(120))), 120, Some(105), "override"),
        ] {
            let found = schedule(own, pinned, now);
            assert_eq!(
                found,
                (expected, source.to_owned()),
                "{own} {pinned:?} at {now}"
            );
        }
    }

    #[test]
    fn a_held_group_expires_when_its_deadline_has_passed_and_its_push_was_scraped() {
        let held = Some(Hold::UntilScraped);
        let own = (ttl(10), TtlSource::Push);
        let schedule = Schedule::of(seconds(100), own, held, None, seconds(100));
        for (at, scraped, expired) in [
            (109, 7, false),
            (110, 6, false),
            (110, 7, true),
            (999, 6, false),
            (999, 8, true),
        ] {
            let horizon = Horizon {
                at: seconds(at),
                scraped,
            };
            assert_eq!(schedule.is_expired(7, horizon), expired, "{horizon:?}");
        }
    }

    #[test]
    fn a_rules_hold_does_not_bind_an_operator() {
        for (pinned, until, held) in [
            (5, None, false),
            (5, Some(120), false),
            (50, Some(120), true),
        ] {
            let pinned = Override {
                ttl: ttl(pinned),
                until: until.map(seconds),
                reason: String::new(),
                by: String::new(),
                set: seconds(0),
            };
            let own = (ttl(10), TtlSource::Default);
            let hold = Some(Hold::UntilScraped);
            let schedule = Schedule::of(seconds(100), own, hold, Some(&pinned), seconds(101));
            assert_eq!(schedule.hold.is_some(), held, "{pinned:?}");
        }
    }
}
