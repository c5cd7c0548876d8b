//! `/api/v1/admin/...?match[]=...`: what operators may do to all groups that match.
//!
//! The groups are those that are there when the request comes: one that is pushed for the
//! first time later is not among them. Up to [`MATCHED_SLICE`] are changed in one
//! transaction; more take several, between which pushes pass.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::admin::{PinBody, spelled};
use super::query::Query;
use super::shape;
use super::{ApiError, Outcome, read};
use crate::clock::UnixNanos;
use crate::http::reply;
use crate::limits::{LISTED_LABELS, MATCHED_SLICE};
use crate::model::GroupKey;
use crate::state::{Answer, DeleteMany, Done, NewOverride, PinMany, Refused, State};
use crate::store::Listed;

/// What a request is about.
struct Matched {
    /// Selectors for the log.
    matching: String,
    keys: Vec<GroupKey>,
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
    let matched = Matched::find(state, query, old).await?;
    if matched.dry_run {
        return Ok(matched.answer(matched.keys.len()));
    }
    let (groups, refused) = in_slices(&matched.keys, |keys| {
        let by = by.clone();
        let which = DeleteMany {
            keys,
            pushed_before,
            by,
        };
        state.delete_many(which)
    })
    .await;
    let matching = &matched.matching;
    tracing::info!(groups, matching, by, "groups deleted by matcher");
    refused.map_or_else(|| Ok(matched.answer(groups)), |refused| Err(refused.into()))
}

/// Answers the Pushgateway's wipe; done when it is answered.
pub(super) async fn wipe(state: &Arc<State>, by: String) -> Response {
    match delete_all(state, by).await {
        Ok(groups) => reply::deleted(groups),
        Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE => {
            reply::unavailable(error.text)
        }
        Err(error) => reply::error(error.status, error.text),
    }
}

/// Deletes all groups there are now; how many.
pub(in crate::http) async fn delete_all(state: &Arc<State>, by: String) -> Result<usize, ApiError> {
    let keys = read(state, |store| {
        let mut keys = Vec::new();
        store.list(|listed| {
            keys.push(listed.key);
            ControlFlow::Continue(())
        })?;
        Ok(keys)
    });
    let (groups, refused) = in_slices(&keys.await?, |keys| {
        let (pushed_before, by) = (None, by.clone());
        state.delete_many(DeleteMany {
            keys,
            pushed_before,
            by,
        })
    })
    .await;
    tracing::info!(groups, by, "all groups wiped");
    refused.map_or(Ok(groups), |refused| Err(refused.into()))
}

/// Sets the overrides of all groups that match.
pub(super) async fn pin(state: &Arc<State>, query: &Query, body: PinBody, by: String) -> Outcome {
    let new = body.check(by)?;
    let matched = Matched::find(state, query, |_| true).await?;
    if matched.dry_run {
        return Ok(matched.answer(matched.keys.len()));
    }
    let (groups, refused) = in_slices(&matched.keys, |keys| {
        let of = Some(new.clone());
        state.pin_many(PinMany { keys, of })
    })
    .await;
    let (matching, lasts) = (&matched.matching, spelled(new.lasts));
    let NewOverride {
        ttl, reason, by, ..
    } = new;
    tracing::info!(groups, matching, %ttl, r#for = lasts, by, reason, "TTL overrides set by matcher");
    refused.map_or_else(|| Ok(matched.answer(groups)), |refused| Err(refused.into()))
}

/// Takes the overrides of all groups that match away; groups without one do not count.
pub(super) async fn unpin(state: &Arc<State>, query: &Query, by: &str) -> Outcome {
    let now = state.expiry().now();
    let overridden = move |listed: &Listed| {
        let pinned = listed.pinned.as_ref();
        pinned.is_some_and(|pinned| pinned.counts(listed.head.clock_start, now))
    };
    let matched = Matched::find(state, query, overridden).await?;
    if matched.dry_run {
        return Ok(matched.answer(matched.keys.len()));
    }
    let (groups, refused) = in_slices(&matched.keys, |keys| {
        state.pin_many(PinMany { keys, of: None })
    })
    .await;
    let matching = &matched.matching;
    tracing::info!(groups, matching, by, "TTL overrides removed by matcher");
    refused.map_or_else(|| Ok(matched.answer(groups)), |refused| Err(refused.into()))
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
            store.list(|listed| {
                let is_meant = selection.matches(&listed.key)
                    && wanted(&listed)
                    && standing.judge(&listed).is_some();
                if is_meant {
                    keys.push(listed.key);
                }
                ControlFlow::Continue(())
            })?;
            Ok(keys)
        });
        Ok(Self {
            matching,
            keys: keys.await?,
            dry_run,
        })
    }

    /// The answer where so many groups were changed, or would be.
    fn answer(&self, groups: usize) -> Value {
        let first = self.keys.iter().take(LISTED_LABELS);
        let labels: Vec<_> = first.map(shape::labels).collect();
        json!({ "groups": groups, "labels": labels, "dry_run": self.dry_run })
    }
}

/// How many groups were changed, and why the rest was not.
async fn in_slices<F>(
    keys: &[GroupKey],
    change: impl Fn(Vec<GroupKey>) -> F,
) -> (usize, Option<Refused>)
where
    F: Future<Output = Answer>,
{
    let mut changed = 0;
    for slice in keys.chunks(MATCHED_SLICE) {
        match change(slice.to_vec()).await {
            Ok(Done::Deleted { groups, .. } | Done::Pinned { groups }) => changed += groups,
            Ok(_) => {}
            Err(refused) => return (changed, Some(refused)),
        }
    }
    (changed, None)
}
