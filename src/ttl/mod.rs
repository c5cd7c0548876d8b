//! How long a group lives: pure arithmetic, time is an argument.
//!
//! A group expires when its TTL has passed since its TTL clock started, that
//! is since its last accepted push. "Not set" (`Option::None`) and "never"
//! ([`Ttl::Never`]) are different values everywhere.

mod carrier;
mod explain;
mod hold;
mod policy;
mod rules;
mod schedule;
mod suspension;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

pub use carrier::{Carrier, HEADERS, pushed_ttl};
pub use explain::{Explanation, Outcome, Step};
pub use hold::{Hold, Horizon};
pub use policy::{ClientTtl, TtlPolicy};
pub use rules::{Rule, Rules};
pub use schedule::{Override, Schedule};
pub use suspension::{Suspension, Suspensions};

use crate::clock::UnixNanos;
use crate::duration::{self, DurationError};

/// How long a group lives after its TTL clock started.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ttl {
    /// It does not expire.
    Never,
    /// It expires after this time, which is not zero.
    After(Duration),
}

impl Ttl {
    /// A TTL from a duration, where zero means never.
    pub fn from_duration(duration: Duration) -> Self {
        if duration.is_zero() {
            Self::Never
        } else {
            Self::After(duration)
        }
    }
}

impl FromStr for Ttl {
    type Err = DurationError;

    /// Reads `never`, or a duration as [`duration::parse`] does; zero is never.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        match text.trim_matches([' ', '\t']) {
            "never" => Ok(Self::Never),
            text => duration::parse(text).map(Self::from_duration),
        }
    }
}

impl Serialize for Ttl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Ttl {
    /// Writes `never`, or the duration in its canonical form (`35d`).
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => out.write_str("never"),
            Self::After(duration) => out.write_str(&duration::format(*duration)),
        }
    }
}

/// Where a group's TTL came from, as the API shows it (`ttl_source`). Written
/// `override`, `push`, `rule:NAME` or `default`; highest first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TtlSource {
    /// An operator set it by the API.
    Override,
    /// The push itself named it.
    Push,
    /// The rule of this name, the first that matches.
    Rule(Arc<str>),
    /// Nothing did, `--ttl.default` holds.
    Default,
}

impl TtlSource {
    /// Reads what is written; `None` for anything else.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "override" => Some(Self::Override),
            "push" => Some(Self::Push),
            "default" => Some(Self::Default),
            word => word
                .strip_prefix("rule:")
                .map(|name| Self::Rule(name.into())),
        }
    }
}

impl fmt::Display for TtlSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Override => out.write_str("override"),
            Self::Push => out.write_str("push"),
            Self::Rule(name) => write!(out, "rule:{name}"),
            Self::Default => out.write_str("default"),
        }
    }
}

impl Serialize for TtlSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a push's TTL is refused. The push is answered 400 with this text and
/// nothing is stored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TtlError {
    /// A carrier holds something that is no TTL.
    #[error("bad TTL {text:?} in the {carrier}: {source}")]
    Bad {
        /// Which carrier.
        carrier: Carrier,
        /// What it holds, cut off if long.
        text: String,
        /// What is wrong with it.
        source: DurationError,
    },
    /// Two places name different TTLs.
    #[error("the {} says the TTL is {}, the {} says {}", .first.0, .first.1, .second.0, .second.1)]
    Differ {
        /// The place read first, and its TTL.
        first: (Carrier, Ttl),
        /// The place that does not agree, and its TTL.
        second: (Carrier, Ttl),
    },
    /// It is shorter than `--ttl.min`.
    #[error("the TTL {ttl} is below the minimum of {} (--ttl.min)", duration::format(*.min))]
    BelowMin {
        /// What the push named.
        ttl: Ttl,
        /// The bound.
        min: Duration,
    },
    /// Pushes may not name TTLs at all.
    #[error("a push may not name a TTL of its own here (--ttl.client=reject)")]
    Rejected,
}

/// When a group expires whose TTL clock started at `clock_start`, in TTL time.
/// `None` is never; so is a deadline after the year 2554, which cannot be
/// represented.
pub fn deadline(clock_start: UnixNanos, ttl: Ttl) -> Option<UnixNanos> {
    match ttl {
        Ttl::Never => None,
        Ttl::After(duration) => clock_start.checked_plus(duration),
    }
}

/// Whether a group with this deadline is expired at `now`: from the deadline's
/// own nanosecond on.
pub fn is_expired(deadline: Option<UnixNanos>, now: UnixNanos) -> bool {
    deadline.is_some_and(|deadline| now >= deadline)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Ttl = Ttl::After(Duration::from_hours(1));

    #[test]
    fn never_and_every_zero_do_not_expire() {
        for (text, ttl) in [
            ("never", Ttl::Never),
            (" never ", Ttl::Never),
            ("0", Ttl::Never),
            ("0s", Ttl::Never),
            ("0h0m", Ttl::Never),
            ("3600", HOUR),
            ("60m", HOUR),
            ("500ms", Ttl::After(Duration::from_millis(500))),
        ] {
            assert_eq!(text.parse(), Ok(ttl), "{text:?}");
        }
        for text in ["", "Never", "-1", "forever"] {
            assert!(text.parse::<Ttl>().is_err(), "{text:?}");
        }
        assert_eq!(Ttl::Never.to_string(), "never");
        assert_eq!(HOUR.to_string(), "1h");
    }

    #[test]
    fn a_group_is_expired_from_its_deadline_on() {
        let start = UnixNanos(1_000);
        let after = |nanos| Ttl::After(Duration::from_nanos(nanos));
        assert_eq!(deadline(start, after(5)), Some(UnixNanos(1_005)));
        assert_eq!(deadline(start, Ttl::Never), None);
        assert_eq!(
            deadline(start, after(u64::MAX - 1_000)),
            Some(UnixNanos(u64::MAX))
        );
        assert_eq!(
            deadline(start, after(u64::MAX - 999)),
            None,
            "too far away is never"
        );
        for (deadline, now, expired) in [
            (Some(1_005), 1_004, false),
            (Some(1_005), 1_005, true),
            (Some(1_005), 1_006, true),
            (None, u64::MAX, false),
        ] {
            let deadline = deadline.map(UnixNanos);
            assert_eq!(
                is_expired(deadline, UnixNanos(now)),
                expired,
                "{deadline:?} {now}"
            );
        }
    }

    #[test]
    fn the_words_of_sources_are_read_back() {
        for (source, word) in [
            (TtlSource::Override, "override"),
            (TtlSource::Push, "push"),
            (TtlSource::Rule("ci".into()), "rule:ci"),
            (TtlSource::Rule("push".into()), "rule:push"),
            (TtlSource::Default, "default"),
        ] {
            assert_eq!(source.to_string(), word);
            assert_eq!(TtlSource::from_word(word), Some(source));
        }
        assert_eq!(TtlSource::from_word("operator"), None);
    }

    proptest! {
        #[test]
        fn a_deadline_is_after_the_start_of_its_clock(start: u64, nanos in 1_u64..) {
            let ttl = Ttl::After(Duration::from_nanos(nanos));
            if let Some(deadline) = deadline(UnixNanos(start), ttl) {
                prop_assert!(deadline > UnixNanos(start));
                prop_assert!(!is_expired(Some(deadline), UnixNanos(start)));
            }
        }

        #[test]
        fn what_is_written_is_read_back(nanos: u64) {
            let ttl = Ttl::from_duration(Duration::from_nanos(nanos));
            prop_assert_eq!(ttl.to_string().parse(), Ok(ttl));
        }
    }
}
