//! What the store knows of a group beside its families.

use crate::clock::UnixNanos;
use crate::model::GroupKey;
use crate::ttl::Ttl;

use super::Packed;

/// Times, TTL and provenance of one group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// When the group came into being, by push or by a failed push.
    pub created: UnixNanos,
    /// Wall clock of the last successful push: `push_time_seconds`. 0: never.
    pub last_push: UnixNanos,
    /// When the TTL clock started, in TTL time (see [`crate::clock`]).
    pub clock_start: UnixNanos,
    /// Where it started by a wall clock that was ahead of the one found at a later start; then
    /// `clock_start` is that start, and this holds again should the clock be put right.
    pub clock_ahead: Option<UnixNanos>,
    /// The TTL the last push asked for. `None`: none, so rule or default holds.
    pub pushed_ttl: Option<Ttl>,
    /// Number of successful pushes here; one that was imported had others before.
    pub pushes: u64,
    /// Number of families it holds.
    pub families: u32,
    /// Number of sample lines of these.
    pub series: u64,
    /// Who pushed last with success.
    pub pusher: Pusher,
    /// The last rejected push, if any.
    pub failure: Option<Failure>,
}

impl Head {
    /// Whether a push ever succeeded, be it one to the gateway that this group was imported
    /// from: those are not counted.
    pub fn was_pushed(&self) -> bool {
        self.last_push != UnixNanos::default()
    }
}

/// Where a push came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pusher {
    /// Peer address without port.
    pub address: String,
    /// `User-Agent`, cut to a bounded length.
    pub agent: String,
}

/// A rejected push: `push_failure_time_seconds` and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Wall clock of the rejection.
    pub at: UnixNanos,
    /// The answer's text, cut to a bounded length.
    pub text: String,
}

/// A family that is stored and not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenFamily {
    /// Its name. `push_time_seconds` stands for both families that the gateway keeps.
    pub name: String,
    /// Whether it has a fault of its own, whatever others hold.
    pub by_itself: bool,
    /// Why, for people.
    pub fault: String,
}

/// One group as read from the store.
#[derive(Debug, Clone)]
pub struct GroupFacts {
    /// Its grouping key.
    pub key: GroupKey,
    /// Its newest head.
    pub head: Head,
    /// Its families; `None` if only a mark exists (every push so far was rejected).
    pub stored: Option<Stored>,
}

/// A group that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its grouping key.
    pub key: GroupKey,
    /// Wall clock of its last successful push. 0: never.
    pub last_push: UnixNanos,
    /// The TTL it had.
    pub ttl: Ttl,
    /// Where that came from, as the API spells it.
    pub ttl_source: String,
    /// Wall clock of its end: of the deadline where it expired.
    pub at: UnixNanos,
    /// Number of sample lines it held.
    pub series: u64,
    /// Number of successful pushes.
    pub pushes: u64,
    /// What ended it.
    pub end: End,
}

/// What ended a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Its TTL.
    Expired,
    /// Somebody.
    Deleted {
        /// The peer's address.
        by: String,
    },
}

/// The families in a group's row.
#[derive(Debug, Clone)]
pub struct Stored {
    /// When those that name no time of their own were pushed.
    pub pushed: UnixNanos,
    /// The families.
    pub families: Packed,
}
