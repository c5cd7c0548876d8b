//! Suspended expiry: a pause by an operator, and the grace after a start.
//!
//! While expiry is suspended its clock stands still: what had expired before
//! stays expired, and nothing else does, however late it is. There is no state
//! in which a group is hidden and yet may come back.

use crate::clock::UnixNanos;

/// A span of TTL time in which the clock of expiry stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Where the clock of expiry stands.
    pub at: UnixNanos,
    /// When it goes on, by itself; `None`: when somebody resumes it.
    pub until: Option<UnixNanos>,
    /// Why.
    pub reason: String,
    /// Who asked for it: the peer's address, or `--ttl.startup-grace`.
    pub by: String,
}

impl Suspension {
    /// Whether it still holds at `now`.
    pub fn is_active(&self, now: UnixNanos) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// The same as it holds when a store is opened at `now`. One that began in what is
    /// now the future (the wall clock was set back while the gateway was down) suspends as
    /// a grace does: nothing had expired before it.
    #[must_use]
    pub fn found_at(mut self, now: UnixNanos) -> Self {
        if self.at > now {
            self.at = UnixNanos(0);
        }
        self
    }
}

/// All suspensions there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspensions {
    /// The grace after the start.
    pub grace: Option<Suspension>,
    /// The pause that an operator asked for.
    pub pause: Option<Suspension>,
}

impl Suspensions {
    /// The time by which expiry is judged when it is `now`: a group has expired
    /// if its deadline is not later than this.
    pub fn horizon(&self, now: UnixNanos) -> UnixNanos {
        self.active(now)
            .map(|suspension| suspension.at)
            .fold(now, UnixNanos::min)
    }

    /// The first moment after `now` at which the horizon moves again; `None`: it moves now,
    /// or only when somebody resumes it.
    pub fn resumes(&self, now: UnixNanos) -> Option<UnixNanos> {
        self.active(now)
            .filter_map(|suspension| suspension.until)
            .max()
    }

    /// Whether expiry is suspended at `now`.
    pub fn is_active(&self, now: UnixNanos) -> bool {
        self.active(now).next().is_some()
    }

    fn active(&self, now: UnixNanos) -> impl Iterator<Item = &Suspension> {
        [&self.grace, &self.pause]
            .into_iter()
            .flatten()
            .filter(move |some| some.is_active(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "what the fields take")]
    fn suspension(at: u64, until: Option<u64>) -> Option<Suspension> {
        let until = until.map(UnixNanos);
        Some(Suspension {
            at: UnixNanos(at),
            until,
            reason: String::new(),
            by: String::new(),
        })
    }

    #[test]
    fn the_horizon_stands_still_and_then_jumps_to_the_present() {
        let grace = suspension(0, Some(10));
        let pause = suspension(20, Some(30));
        let both = Suspensions { grace, pause };
        for (now, horizon) in [(5, 0), (9, 0), (10, 10), (15, 15)] {
            let early = Suspensions {
                pause: None,
                ..both.clone()
            };
            assert_eq!(
                early.horizon(UnixNanos(now)),
                UnixNanos(horizon),
                "at {now}"
            );
        }
        for (now, horizon) in [(20, 20), (29, 20), (30, 30), (31, 31)] {
            assert_eq!(both.horizon(UnixNanos(now)), UnixNanos(horizon), "at {now}");
        }
        assert_eq!(both.resumes(UnixNanos(25)), Some(UnixNanos(30)));
        assert_eq!(both.resumes(UnixNanos(30)), None);
        let endless = Suspensions {
            grace: None,
            pause: suspension(20, None),
        };
        assert_eq!(endless.horizon(UnixNanos(u64::MAX)), UnixNanos(20));
        assert!(endless.is_active(UnixNanos(u64::MAX)));
    }
}
