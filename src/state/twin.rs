//! Groups that a scrape would show as one: `{L}` and `{L, instance=""}`, and, with
//! UTF-8 names, groups whose names are printed alike. Only one of them can show its
//! `push_time_seconds`, which would be the same series.

use std::collections::BTreeMap;

use crate::model::{GroupKey, Kind, Labels, Metric, Value};
use crate::push::printed::shown_key;
use crate::push::refusal::{COLLECTED_BEFORE, Refusal, collected};
use crate::push::rewrite::{PUSH_FAILURE_TIME, PUSH_TIME};
use crate::ttl::Horizon;
use crate::view::GroupId;

use super::check::Conflict;
use super::index::{Index, Obstacle};

/// The twins of a group that have expired at `now`, and so make room for it.
///
/// # Errors
/// If one shows its push times: nothing of the other may be stored then, not even a
/// failure, unless its own are hidden.
pub(super) fn expired_twins(
    key: &GroupKey,
    index: &Index,
    now: Horizon,
) -> Result<Vec<GroupId>, Box<Conflict>> {
    let mut expired = Vec::new();
    for id in twins(key, index) {
        match index.get(id) {
            // Those that hide theirs stand in nobody's way.
            Some(twin) if !twin.is_expired(now) => {
                if !twin.hidden.contains_key(PUSH_TIME) {
                    return Err(Box::new(conflict(id, &twin.key)));
                }
            }
            _ => expired.push(id),
        }
    }
    Ok(expired)
}

fn twins(key: &GroupKey, index: &Index) -> Vec<GroupId> {
    let shown = shown_key(key);
    let plain = [
        index.find(&shown),
        with_empty_instance(&shown).and_then(|key| index.find(&key)),
    ];
    let printed = index.shown_as(&shown).iter().copied();
    let own = index.find(key);
    plain
        .into_iter()
        .flatten()
        .chain(printed)
        .filter(|id| Some(*id) != own)
        .collect()
}

fn with_empty_instance(key: &GroupKey) -> Option<GroupKey> {
    if key.get("instance").is_some() {
        return None;
    }
    let labels = key.labels().into_iter().chain([("instance", "")]);
    let labels: BTreeMap<String, String> = labels
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    Some(GroupKey::new(key.job(), &labels))
}

fn conflict(id: GroupId, twin: &GroupKey) -> Conflict {
    let series = Metric {
        labels: Labels::new(),
        value: Value::Number(0.0, None),
        timestamp_ms: None,
    };
    let fault = |name| collected(name, twin, Kind::Gauge, &series, COLLECTED_BEFORE);
    Conflict {
        refusal: Refusal::unmarked([PUSH_TIME, PUSH_FAILURE_TIME].map(fault).to_vec()),
        obstacle: Obstacle::Twin(id),
    }
}
