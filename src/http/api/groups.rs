//! `GET /api/v1/groups` and `GET /api/v1/groups/job/...`.

use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::json;

use super::cursor::Cursor;
use super::query::{Query, Selection};
use super::shape::{self, GroupState, Now};
use super::{ApiError, Outcome, read};
use crate::clock::UnixNanos;
use crate::limits::{API_PAGE, API_PAGE_DEFAULT};
use crate::model::GroupKey;
use crate::state::State;
use crate::store::{Listed, Store};
use crate::ttl::{Schedule, TtlPolicy, is_expired};

/// How a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Key,
    Expires,
    LastPush,
}

/// What is asked of a list.
struct Asked {
    selection: Selection,
    state: Option<GroupState>,
    sort: Sort,
    descending: bool,
    limit: usize,
    after: Option<Cursor>,
}

impl Asked {
    fn of(query: &Query) -> Result<Self, ApiError> {
        let state = match query.one("state")? {
            None => None,
            Some("live") => Some(GroupState::Live),
            Some("overdue") => Some(GroupState::Overdue),
            Some("expired") => Some(GroupState::Expired),
            Some(other) => {
                return Err(ApiError::bad(format!(
                    "state={other:?} is not live, overdue or expired"
                )));
            }
        };
        let sort = query.one("sort")?.unwrap_or("job");
        let (descending, name) = sort
            .strip_prefix('-')
            .map_or((false, sort), |name| (true, name));
        let sort = match name {
            "job" if !descending => Sort::Key,
            "expires" => Sort::Expires,
            "last_push" => Sort::LastPush,
            _ => {
                return Err(ApiError::bad(format!(
                    "sort={sort:?} is not job, expires, last_push, -expires or -last_push"
                )));
            }
        };
        let decode = |text| {
            Cursor::decode(text).ok_or_else(|| ApiError::bad("cursor is not one of this API's"))
        };
        Ok(Self {
            selection: query.selection()?,
            state,
            sort,
            descending,
            limit: query.limit(API_PAGE_DEFAULT, API_PAGE)?,
            after: query.one("cursor")?.map(decode).transpose()?,
        })
    }

    fn place(&self, listed: &Listed, schedule: &Schedule) -> Cursor {
        let value = match self.sort {
            Sort::Key => 0,
            Sort::Expires => schedule.deadline.unwrap_or(UnixNanos(u64::MAX)).0,
            Sort::LastPush => listed.head.last_push.0,
        };
        let value = if self.descending {
            u64::MAX - value
        } else {
            value
        };
        Cursor::of(value, &listed.key)
    }
}

/// Answers a list.
pub(super) async fn list(state: &Arc<State>, query: &Query) -> Outcome {
    let asked = Asked::of(query)?;
    if asked.state == Some(GroupState::Expired) {
        return history(state, asked).await;
    }
    let (policy, now) = (state.policy(), Now::of(state));
    read(state, move |store| {
        let (page, next) = page(store, &asked, &policy, now)?;
        Ok(json!({ "groups": page, "next_cursor": next }))
    })
    .await
}

/// One page, and the cursor of the next.
fn page(
    store: &Store,
    asked: &Asked,
    policy: &TtlPolicy,
    now: Now,
) -> Result<(Vec<shape::Group>, Option<String>), crate::store::ReadError> {
    // The smallest places behind the cursor, one more than asked for.
    let mut places: BinaryHeap<(Cursor, usize)> = BinaryHeap::new();
    let mut kept: Vec<Option<(Listed, Schedule, GroupState)>> = Vec::new();
    store.list(|listed| {
        if !asked.selection.matches(&listed.key) {
            return ControlFlow::Continue(());
        }
        let schedule = schedule(&listed, policy, now);
        let Some(state) = state_of(&schedule, now) else {
            return ControlFlow::Continue(());
        };
        let place = asked.place(&listed, &schedule);
        let wanted = asked.state.is_none_or(|wanted| wanted == state)
            && asked.after.as_ref().is_none_or(|after| place > *after);
        let full = places.len() > asked.limit;
        if !wanted || (full && places.peek().is_some_and(|(last, _)| place > *last)) {
            return ControlFlow::Continue(());
        }
        let slot = if let Some((_, slot)) = full.then(|| places.pop()).flatten() {
            slot
        } else {
            kept.push(None);
            kept.len() - 1
        };
        kept[slot] = Some((listed, schedule, state));
        places.push((place, slot));
        ControlFlow::Continue(())
    })?;
    let mut places = places.into_sorted_vec();
    let more = places.len() > asked.limit;
    places.truncate(asked.limit);
    let next = places
        .last()
        .filter(|_| more)
        .map(|(place, _)| place.encode());
    let shown = places.into_iter().filter_map(|(_, slot)| kept[slot].take());
    let groups =
        shown.map(|(listed, schedule, state)| shape::group(&listed, &schedule, state, now));
    Ok((groups.collect(), next))
}

/// Groups that are gone, newest first.
async fn history(state: &Arc<State>, asked: Asked) -> Outcome {
    let (keep, wall) = (state.keep_history(), state.clock().wall());
    read(state, move |store| {
        let below = asked.after.as_ref().map_or(u64::MAX, |after| after.value);
        let page = store.history(below, asked.limit, |ended| {
            asked.selection.matches(&ended.key) && wall.since(ended.at) <= keep
        })?;
        let last = page.ended.last().filter(|_| page.more);
        let next = last.map(|(number, ended)| Cursor::of(*number, &ended.key).encode());
        let groups: Vec<_> = page
            .ended
            .iter()
            .map(|(_, ended)| shape::gone(ended))
            .collect();
        Ok(json!({ "groups": groups, "next_cursor": next }))
    })
    .await
}

/// Answers one group.
pub(super) async fn detail(state: &Arc<State>, key: GroupKey) -> Outcome {
    let (policy, now) = (state.policy(), Now::of(state));
    let wanted = key.clone();
    let found = read(state, move |store| store.detail(&wanted)).await?;
    let shown = found.and_then(|detail| {
        let schedule = schedule(&detail.listed, &policy, now);
        let state = state_of(&schedule, now)?;
        Some(shape::detail(&detail, &schedule, state, now))
    });
    let shown = shown.ok_or_else(|| ApiError::not_found(format!("no group {key}")))?;
    Ok(json!(shown))
}

/// The TTL in force of a listed group.
pub(super) fn schedule(listed: &Listed, policy: &TtlPolicy, now: Now) -> Schedule {
    // As at the start: see `state::load`.
    let clock_start = listed.head.clock_start.min(now.ttl);
    let own = policy.effective(&listed.key, listed.head.pushed_ttl);
    Schedule::of(clock_start, own, listed.pinned.as_ref(), now.ttl)
}

/// `None`: the group has expired, and is in no answer.
pub(super) fn state_of(schedule: &Schedule, now: Now) -> Option<GroupState> {
    if is_expired(schedule.deadline, now.horizon) {
        None
    } else if is_expired(schedule.deadline, now.ttl) {
        Some(GroupState::Overdue)
    } else {
        Some(GroupState::Live)
    }
}
