//! `/api/v1/admin/...?match[]=...`: what operators may do to all groups that match.
//!
//! The groups are those that are there when the request comes: one that is pushed for the
//! first time later is not among them, and one that is pushed again before its turn comes is
//! not deleted. More than [`SLICE`] take several transactions, one at a time, between which
//! pushes pass; the answer comes when all are on disk. A transaction that fails ends the
//! request with an error: what was changed before stays changed. A client that goes away
//! stops nothing.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::admin::{PinBody, spelled};
use super::query::Query;
use super::shape;
use super::{ApiError, Outcome, read};
use crate::clock::UnixNanos;
use crate::http::reply;
use crate::http::to_the_end::to_the_end;
use crate::limits::LISTED_LABELS;
#[cfg(doc)]
use crate::limits::SLICE;
use crate::model::GroupKey;
use crate::state::{DeleteMany, NewOverride, PinMany, SlicesDone, State};
use crate::store::Listed;

/// What a request is about.
struct Matched {
    /// Selectors for the log.
    matching: String,
    keys: Vec<GroupKey>,
    /// Labels of the first of them, for the answer.
    labels: Value,
    dry_run: bool,
}

/// Deletes all groups that match.
pub(super) async fn delete(state: &Arc<State>, query: &Query, by: String) -> Outcome {
    let older_than = query.duration("older_than")?;
    let wall = state.clock().wall();
    let pushed_before = older_than.map(|age| {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        UnixNanos(wall.0.saturating_sub(age))
    });
    let old =
        move |listed: &Listed| pushed_before.is_none_or(|limit| listed.head.last_push < limit);
    let pushed_until = state.pushes();
    let Matched {
        matching,
        keys,
        labels,
        dry_run,
    } = Matched::find(state, query, old).await?;
    if dry_run {
        return Ok(answer(keys.len(), &labels, true));
    }
    let which = DeleteMany {
        keys,
        pushed_until,
        pushed_before,
        by: by.clone(),
    };
    let groups = carry_out(state, |state| async move {
        let (groups, refused) = state.delete_many(which).await;
        let whole = refused.is_none();
        tracing::info!(groups, whole, matching, by, "groups deleted by matcher");
        (groups, refused)
    });
    Ok(answer(groups.await?, &labels, false))
}

/// Answers the Pushgateway's wipe; done when it is answered.
pub(super) async fn wipe(state: &Arc<State>, by: String) -> Response {
    match delete_all(state, by).await {
        Ok(groups) => reply::deleted(groups),
        Err(error) => reply::error(error.status, error.text),
    }
}

/// Deletes all groups there are now, but those that are pushed meanwhile; how many.
pub(in crate::http) async fn delete_all(state: &Arc<State>, by: String) -> Result<usize, ApiError> {
    let pushed_until = state.pushes();
    let keys = read(state, |store| {
        let mut keys = Vec::new();
        store.walk(|row| {
            keys.push(row.key().clone());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(keys)
    });
    let which = DeleteMany {
        keys: keys.await?,
        pushed_until,
        pushed_before: None,
        by: by.clone(),
    };
    carry_out(state, |state| async move {
        let (groups, refused) = state.delete_many(which).await;
        let whole = refused.is_none();
        tracing::info!(groups, whole, by, "groups wiped");
        (groups, refused)
    })
    .await
}

/// Sets the overrides of all groups that match.
pub(super) async fn pin(state: &Arc<State>, query: &Query, body: PinBody, by: String) -> Outcome {
    let new = body.check(by)?;
    let Matched {
        matching,
        keys,
        labels,
        dry_run,
    } = Matched::find(state, query, |_| true).await?;
    if dry_run {
        return Ok(answer(keys.len(), &labels, true));
    }
    let of = Some(new.clone());
    let lasts = spelled(new.lasts);
    let NewOverride {
        ttl, reason, by, ..
    } = new;
    let groups = carry_out(state, |state| async move {
        let (groups, refused) = state.pin_many(PinMany { keys, of }).await;
        let whole = refused.is_none();
        tracing::info!(groups, whole, matching, %ttl, r#for = lasts, by, reason, "TTL overrides set by matcher");
        (groups, refused)
    });
    Ok(answer(groups.await?, &labels, false))
}

/// Takes the overrides of all groups that match away; groups without one do not count.
pub(super) async fn unpin(state: &Arc<State>, query: &Query, by: String) -> Outcome {
    let now = state.expiry().now();
    let overridden = move |listed: &Listed| {
        let pinned = listed.pinned.as_ref();
        pinned.is_some_and(|pinned| pinned.counts(listed.head.clock_start, now))
    };
    let Matched {
        matching,
        keys,
        labels,
        dry_run,
    } = Matched::find(state, query, overridden).await?;
    if dry_run {
        return Ok(answer(keys.len(), &labels, true));
    }
    let groups = carry_out(state, |state| async move {
        let (groups, refused) = state.pin_many(PinMany { keys, of: None }).await;
        let whole = refused.is_none();
        tracing::info!(
            groups,
            whole,
            matching,
            by,
            "TTL overrides removed by matcher"
        );
        (groups, refused)
    });
    Ok(answer(groups.await?, &labels, false))
}

impl Matched {
    /// The groups that match and are `wanted`, by grouping key.
    async fn find(
        state: &Arc<State>,
        query: &Query,
        wanted: impl Fn(&Listed) -> bool + Send + 'static,
    ) -> Result<Self, ApiError> {
        let selection = query.selection()?;
        if selection.is_empty() {
            return Err(ApiError::bad(
                "match[] is missing; match[]={} means every group",
            ));
        }
        let dry_run = query.flag("dry_run")?;
        let matching = selection.to_string();
        let standing = state.standing();
        let keys = read(state, move |store| {
            let mut keys = Vec::new();
            store.walk(|row| {
                if selection.matches(row.key()) {
                    let listed = row.listed()?;
                    if wanted(&listed) && standing.judge(&listed).is_some() {
                        keys.push(listed.key);
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(keys)
        });
        let keys: Vec<GroupKey> = keys.await?;
        let first = keys.iter().take(LISTED_LABELS).map(shape::labels);
        Ok(Self {
            matching,
            labels: json!(first.collect::<Vec<_>>()),
            keys,
            dry_run,
        })
    }
}

/// The answer where so many groups were changed, or would be.
fn answer(groups: usize, labels: &Value, dry_run: bool) -> Value {
    json!({ "groups": groups, "labels": labels, "dry_run": dry_run })
}

/// Carries out what changes many groups; how many were changed. An error half way says how many
/// were before it.
async fn carry_out<F>(
    state: &Arc<State>,
    work: impl FnOnce(Arc<State>) -> F,
) -> Result<usize, ApiError>
where
    F: Future<Output = SlicesDone> + Send + 'static,
{
    let done = to_the_end(state, |state| {
        let work = work(state);
        async move { Ok::<_, ApiError>(work.await) }
    });
    let (groups, refused) = done.await?;
    refused.map_or(Ok(groups), |refused| {
        let ApiError { status, text } = refused.into();
        let text = if groups == 0 {
            text
        } else {
            format!("{text}; {groups} groups were changed before that")
        };
        Err(ApiError { status, text })
    })
}
