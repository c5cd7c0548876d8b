//! `GET /api/v1/groups` and `GET /api/v1/groups/job/...`.
//!
//! Pages stay right while groups come and go: one that is there from the first page to the last
//! is shown once. By key a cursor names the last group shown; see [`lists`] for the other orders.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::json;

use super::cursor::Cursor;
use super::query::Query;
use super::shape::{self, GroupState};
use super::{ApiError, Outcome, lists, pages, read};
use crate::clock::UnixNanos;
use crate::http::context::Context;
use crate::limits::LISTS_BYTES;
use crate::model::GroupKey;
use crate::state::{Standing, State};
use crate::store::{Listed, ReadError, Store};
use crate::ttl::Schedule;

/// How a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Key,
    Expires,
    LastPush,
}

/// What is asked of a list.
#[derive(Debug, Clone)]
struct Asked {
    pages: pages::Asked,
    state: Option<GroupState>,
    sort: Sort,
    descending: bool,
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
        let sort = query.one("sort")?;
        if state == Some(GroupState::Expired) && sort.is_some() {
            let text = "what has expired is listed newest first: no sort= with state=expired";
            return Err(ApiError::bad(text));
        }
        let sort = sort.unwrap_or("job");
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
        Ok(Self {
            pages: pages::Asked::of(query)?,
            state,
            sort,
            descending,
        })
    }

    /// By what a group is sorted: the smallest comes first.
    fn value(&self, listed: &Listed, schedule: &Schedule) -> u64 {
        let value = match self.sort {
            Sort::Key => 0,
            Sort::Expires => schedule.deadline.unwrap_or(UnixNanos(u64::MAX)).0,
            Sort::LastPush => listed.head.last_push.0,
        };
        if self.descending {
            u64::MAX - value
        } else {
            value
        }
    }

    /// Tells what is asked for, whatever the page.
    fn name(&self, query: &Query) -> String {
        let matches: Vec<&str> = query.values("match[]").collect();
        format!("{:?}", (self.sort, self.descending, self.state, matches))
    }
}

/// Answers a list.
pub(super) async fn list(context: &Arc<Context>, state: &Arc<State>, query: &Query) -> Outcome {
    let asked = Asked::of(query)?;
    if asked.state == Some(GroupState::Expired) {
        return history(state, asked).await;
    }
    let standing = state.standing();
    let now = standing.now.ttl;
    if asked.sort == Sort::Key {
        let (page, next) = read(state, move |store| {
            pages::by_key(store, &asked.pages, |listed| {
                let (schedule, state) = shown(listed, &asked, &standing)?;
                Some(shape::group(listed, &schedule, state, standing.now))
            })
        })
        .await?;
        return Ok(json!({ "groups": page, "next_cursor": next }));
    }
    let name = asked.name(query);
    let (keys, at, id) = if let Some(cursor) = &asked.pages.after {
        let found = context.lists.find(cursor, &name, now);
        let (keys, at) = found.ok_or_else(|| {
            ApiError::bad("the list of this cursor is not kept any more: begin with its first page")
        })?;
        (keys, at, Some(cursor.value))
    } else {
        let (wanted, standing) = (asked.clone(), standing.clone());
        let keys = read(state, move |store| sorted(store, &wanted, &standing)).await?;
        let keys = keys.ok_or_else(|| {
            ApiError::bad("too many groups for this order: narrow them by match[], or sort by job")
        })?;
        (keys, 0, None)
    };
    let list = Arc::clone(&keys);
    let (page, next) = read(state, move |store| {
        let keys = list.get(at..).unwrap_or_default();
        page(store, keys, &asked, &standing)
    })
    .await?;
    let next = next.map(|next| {
        let id = id.unwrap_or_else(|| context.lists.keep(name, keys, now));
        lists::cursor(id, at + next).encode()
    });
    Ok(json!({ "groups": page, "next_cursor": next }))
}

/// What is shown of one group; `None`: it is not asked for, or not there.
fn shown(listed: &Listed, asked: &Asked, standing: &Standing) -> Option<(Schedule, GroupState)> {
    let schedule = standing.judge(listed)?;
    let state = state_of(standing, &schedule);
    let wanted = asked.state.is_none_or(|wanted| wanted == state);
    wanted.then_some((schedule, state))
}

/// The keys of all groups that are asked for, in order; `None` if they take too much memory.
fn sorted(
    store: &Store,
    asked: &Asked,
    standing: &Standing,
) -> Result<Option<Arc<[GroupKey]>>, ReadError> {
    let mut places = Vec::new();
    let mut bytes = 0;
    store.walk(|row| {
        if asked.pages.selection.matches(row.key()) {
            let listed = row.listed()?;
            if let Some((schedule, _)) = shown(&listed, asked, standing) {
                bytes += lists::bytes_of(&listed.key);
                places.push((asked.value(&listed, &schedule), listed.key));
            }
        }
        if bytes > LISTS_BYTES {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if bytes > LISTS_BYTES {
        return Ok(None);
    }
    places.sort_unstable();
    Ok(Some(places.into_iter().map(|(_, key)| key).collect()))
}

/// One page of those of these groups that are still there, as they are now, and where among
/// them the next begins.
fn page(
    store: &Store,
    keys: &[GroupKey],
    asked: &Asked,
    standing: &Standing,
) -> Result<(Vec<shape::Group>, Option<usize>), ReadError> {
    let (mut page, mut next) = (Vec::new(), None);
    store.list_of(keys, |at, listed| {
        let Some((schedule, state)) = shown(&listed, asked, standing) else {
            return ControlFlow::Continue(());
        };
        if page.len() == asked.pages.limit {
            next = Some(at);
            return ControlFlow::Break(());
        }
        page.push(shape::group(&listed, &schedule, state, standing.now));
        ControlFlow::Continue(())
    })?;
    Ok((page, next))
}

/// Groups that are gone, newest first.
async fn history(state: &Arc<State>, asked: Asked) -> Outcome {
    let (keep, wall) = (state.keep_history(), state.clock().wall());
    read(state, move |store| {
        let below = asked
            .pages
            .after
            .as_ref()
            .map_or(u64::MAX, |after| after.value);
        let page = store.history(below, asked.pages.limit, |ended| {
            asked.pages.selection.matches(&ended.key) && wall.since(ended.at) <= keep
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
    let standing = state.standing();
    let wanted = key.clone();
    let found = read(state, move |store| store.detail(&wanted)).await?;
    let shown = found.and_then(|detail| {
        let schedule = standing.judge(&detail.listed)?;
        let state = state_of(&standing, &schedule);
        let now = standing.now;
        Some(shape::detail(&detail, &schedule, state, now))
    });
    let shown = shown.ok_or_else(|| ApiError::not_found(format!("no group {key}")))?;
    Ok(json!(shown))
}

/// How a group on this schedule stands that is there.
pub(in crate::http) fn state_of(standing: &Standing, schedule: &Schedule) -> GroupState {
    if standing.is_overdue(schedule) {
        GroupState::Overdue
    } else {
        GroupState::Live
    }
}
