//! When a group expires, all things considered: its clock, its TTL, an
//! operator's override.

use super::{Ttl, TtlSource, deadline};
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
    /// Whether it still counts at `now`.
    pub fn is_active(&self, now: UnixNanos) -> bool {
        self.until.is_none_or(|until| now < until)
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
}

impl Schedule {
    /// The schedule at `now` of a group whose TTL clock started at `clock_start`
    /// and whose TTL without an override is `own`.
    ///
    /// The end of an override is part of the deadline, so that nobody needs to
    /// look again at that moment: what the override alone keeps alive expires
    /// exactly then. The deadline does not depend on `now`: what an override let expire
    /// does not come back when it has ended and the deadline is worked out again.
    pub fn of(
        clock_start: UnixNanos,
        own: (Ttl, TtlSource),
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
            };
        };
        let deadline = match (deadline(clock_start, pinned.ttl), pinned.until) {
            (deadline, None) => deadline,
            (Some(deadline), Some(until)) if deadline < until => Some(deadline),
            (_, Some(until)) => own_deadline.map(|own| own.max(until)),
        };
        let (ttl, source) = if pinned.is_active(now) {
            (pinned.ttl, TtlSource::Override)
        } else {
            (ttl, source)
        };
        Self {
            ttl,
            source,
            deadline,
        }
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
        let schedule = Schedule::of(seconds(100), own, pinned.as_ref(), seconds(now));
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
            (30, Some((5, Some(120))), 120, Some(105), "default"),
        ] {
            let found = schedule(own, pinned, now);
            assert_eq!(
                found,
                (expected, source.to_owned()),
                "{own} {pinned:?} at {now}"
            );
        }
    }
}
