//! JSON forms of groups, as lists and details show them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::{Now, UnixNanos};
use crate::model::GroupKey;
use crate::store::{End, Ended, GroupDetail, Listed};
use crate::ttl::{Hold, Schedule, Suspension, Ttl};

/// Whether a group's time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum GroupState {
    /// Its TTL has not passed.
    Live,
    /// Its TTL has passed, and expiry is suspended, or waits for a scrape.
    Overdue,
    /// It has expired, or was deleted.
    Expired,
}

/// One group that is there.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    labels: BTreeMap<String, String>,
    state: GroupState,
    created: String,
    last_push: Option<String>,
    last_push_successful: bool,
    pushes: u64,
    ttl: Ttl,
    ttl_seconds: u64,
    ttl_source: String,
    hold: Option<Hold>,
    expires_at: Option<String>,
    expires_in_seconds: Option<i64>,
    families: u32,
    series: u64,
    hidden_families: Vec<Hidden>,
    last_pusher: String,
    user_agent: String,
    #[serde(rename = "override")]
    pinned: Option<Pinned>,
}

/// A family that is not shown.
#[derive(Debug, Serialize)]
struct Hidden {
    name: String,
    reason: String,
}

/// An override.
#[derive(Debug, Serialize)]
struct Pinned {
    ttl: Ttl,
    until: Option<String>,
    reason: String,
    by: String,
    set: String,
}

/// One group with its families.
#[derive(Debug, Serialize)]
pub(super) struct Detail {
    #[serde(flatten)]
    group: Group,
    last_error: Option<LastError>,
    family_list: Vec<Family>,
}

/// Why the last rejected push was rejected.
#[derive(Debug, Serialize)]
struct LastError {
    at: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct Family {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    help: Option<String>,
    series: u32,
    last_push: String,
}

/// One group that is gone.
#[derive(Debug, Serialize)]
pub(super) struct Gone {
    labels: BTreeMap<String, String>,
    state: GroupState,
    last_push: Option<String>,
    pushes: u64,
    series: u64,
    ttl: Ttl,
    ttl_seconds: u64,
    ttl_source: String,
    ended_at: String,
    /// `expired`, or `deleted`.
    end: &'static str,
    by: Option<String>,
}

/// The pause of expiry.
#[derive(Debug, Serialize)]
pub(super) struct Paused {
    until: Option<String>,
    reason: String,
    by: String,
}

pub(super) fn group(listed: &Listed, schedule: &Schedule, state: GroupState, now: Now) -> Group {
    let Listed {
        key,
        head,
        pinned,
        hidden,
    } = listed;
    let hidden = hidden.iter().map(|family| Hidden {
        name: family.name.clone(),
        reason: family.fault.clone(),
    });
    let failed = head
        .failure
        .as_ref()
        .map(|failure| failure.at)
        .unwrap_or_default();
    Group {
        labels: labels(key),
        state,
        created: time(head.created),
        last_push: since_ever(head.last_push),
        last_push_successful: failed <= head.last_push,
        pushes: head.pushes,
        ttl: schedule.ttl,
        ttl_seconds: seconds(schedule.ttl),
        ttl_source: schedule.source.to_string(),
        hold: schedule.hold,
        expires_at: schedule
            .deadline
            .map(|deadline| time(now.wall_of(deadline))),
        expires_in_seconds: schedule.deadline.map(|deadline| left(deadline, now.ttl)),
        families: head.families,
        series: head.series,
        hidden_families: hidden.collect(),
        last_pusher: head.pusher.address.clone(),
        user_agent: head.pusher.agent.clone(),
        pinned: pinned
            .as_ref()
            .filter(|pinned| pinned.counts(head.clock_start, now.ttl))
            .map(|pinned| Pinned {
                ttl: pinned.ttl,
                until: pinned.until.map(|until| time(now.wall_of(until))),
                reason: pinned.reason.clone(),
                by: pinned.by.clone(),
                set: time(pinned.set),
            }),
    }
}

pub(super) fn detail(
    detail: &GroupDetail,
    schedule: &Schedule,
    state: GroupState,
    now: Now,
) -> Detail {
    let failure = detail.listed.head.failure.as_ref();
    let families = detail.families.iter().map(|(facts, pushed)| Family {
        name: facts.name.clone(),
        kind: facts.kind.as_upper(),
        help: facts.help.clone(),
        series: facts.series,
        last_push: time(*pushed),
    });
    Detail {
        group: group(&detail.listed, schedule, state, now),
        last_error: failure.map(|failure| LastError {
            at: time(failure.at),
            text: failure.text.clone(),
        }),
        family_list: families.collect(),
    }
}

pub(super) fn gone(ended: &Ended) -> Gone {
    let (end, by) = match &ended.end {
        End::Expired => ("expired", None),
        End::Deleted { by } => ("deleted", Some(by.clone())),
    };
    Gone {
        labels: labels(&ended.key),
        state: GroupState::Expired,
        last_push: since_ever(ended.last_push),
        pushes: ended.pushes,
        series: ended.series,
        ttl: ended.ttl,
        ttl_seconds: seconds(ended.ttl),
        ttl_source: ended.ttl_source.clone(),
        ended_at: time(ended.at),
        end,
        by,
    }
}

pub(super) fn paused(pause: &Suspension, now: Now) -> Paused {
    Paused {
        until: pause.until.map(|until| time(now.wall_of(until))),
        reason: pause.reason.clone(),
        by: pause.by.clone(),
    }
}

pub(super) fn labels(key: &GroupKey) -> BTreeMap<String, String> {
    let labels = key.labels().into_iter();
    labels
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

pub(super) fn time(at: UnixNanos) -> String {
    at.rfc3339().to_string()
}

/// `None` for what never happened.
fn since_ever(at: UnixNanos) -> Option<String> {
    (at != UnixNanos::default()).then(|| time(at))
}

pub(super) fn seconds(ttl: Ttl) -> u64 {
    match ttl {
        Ttl::Never => 0,
        Ttl::After(duration) => duration.as_secs(),
    }
}

/// Whole seconds to a deadline, negative once it has passed.
fn left(deadline: UnixNanos, now: UnixNanos) -> i64 {
    let ahead = i64::try_from(deadline.since(now).as_secs()).unwrap_or(i64::MAX);
    let behind = i64::try_from(now.since(deadline).as_secs()).unwrap_or(i64::MAX);
    ahead - behind
}
