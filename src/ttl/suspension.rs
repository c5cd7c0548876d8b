//! Suspended expiry: a pause by an operator, and the grace after a start.
//!
//! While expiry is suspended nothing expires, however late it is and however short its
//! TTL is made meanwhile. What had expired before is removed when a pause begins. There is
//! no state in which a group is hidden and yet may come back.

use super::Horizon;
use crate::clock::UnixNanos;

/// A span of TTL time in which the clock of expiry stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Where expiry stands: at [`Horizon::SUSPENDED`], where nothing has expired. Only as long
    /// as groups that had expired before are being removed, where it was: then scrapes do not
    /// count either, as what they let expire now would not be removed.
    pub at: Horizon,
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
}

/// All suspensions there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspensions {
    /// The grace after the start.
    pub grace: Option<Suspension>,
    /// The pause that an operator asked for.
    pub pause: Option<Suspension>,
    /// While other TTL rules are put in force: what one of them lets expire the other may not
    /// bring back.
    pub reload: Option<Suspension>,
}

impl Suspensions {
    /// By what expiry is judged where `now` has come.
    pub fn horizon(&self, now: Horizon) -> Horizon {
        self.active(now.at)
            .map(|suspension| suspension.at)
            .fold(now, Horizon::min)
    }

    /// The last moment after `now` at which a suspension that holds now ends by itself; `None`:
    /// none does. Until then the horizon stands still, and beyond it while another one holds that
    /// somebody has to resume.
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
        [&self.grace, &self.pause, &self.reload]
            .into_iter()
            .flatten()
            .filter(move |some| some.is_active(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn horizon(at: u64, scraped: u64) -> Horizon {
        let at = UnixNanos(at);
        Horizon { at, scraped }
    }

    #[expect(clippy::unnecessary_wraps, reason = "what the fields take")]
    fn suspension(at: Horizon, until: Option<u64>) -> Option<Suspension> {
        let until = until.map(UnixNanos);
        Some(Suspension {
            at,
            until,
            reason: String::new(),
            by: String::new(),
        })
    }

    #[test]
    fn the_horizon_stands_still_and_then_jumps_to_the_present() {
        let grace = suspension(Horizon::SUSPENDED, Some(10));
        let pause = suspension(horizon(20, 4), Some(30));
        let both = Suspensions {
            grace,
            pause,
            reload: None,
        };
        for (now, at) in [(5, 0), (9, 0), (10, 10), (15, 15)] {
            let early = Suspensions {
                pause: None,
                ..both.clone()
            };
            assert_eq!(early.horizon(horizon(now, 7)), horizon(at, 7), "at {now}");
        }
        for (now, at, scraped) in [(20, 20, 4), (29, 20, 4), (30, 30, 7), (31, 31, 7)] {
            let expected = horizon(at, scraped);
            assert_eq!(both.horizon(horizon(now, 7)), expected, "at {now}");
        }
        assert_eq!(both.resumes(UnixNanos(25)), Some(UnixNanos(30)));
        assert_eq!(both.resumes(UnixNanos(30)), None);
        let endless = Suspensions {
            pause: suspension(horizon(20, 4), None),
            ..Suspensions::default()
        };
        assert_eq!(endless.horizon(horizon(u64::MAX, 7)), horizon(20, 4));
        assert!(endless.is_active(UnixNanos(u64::MAX)));
    }
}
