//! `GET /api/v1/ttl` and `GET /api/v1/ttl/explain`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::groups::{schedule, state_of};
use super::query::Query;
use super::shape::{self, Now};
use super::{ApiError, Outcome, key_of, read};
use crate::limits::{API_PAGE, API_PAGE_DEFAULT};
use crate::state::State;

/// Answers what TTLs there are.
pub(super) fn overview(state: &State) -> Value {
    let (policy, now) = (state.policy(), Now::of(state));
    let snapshot = state.snapshot();
    let by_source: BTreeMap<String, usize> = snapshot
        .by_source()
        .iter()
        .filter(|(_, groups)| **groups > 0)
        .map(|(source, groups)| (source.to_string(), *groups))
        .collect();
    let rules: Vec<Value> = policy
        .rules
        .iter()
        .map(|rule| {
            json!({
                "name": rule.name.as_ref(),
                "selector": rule.selector.to_string(),
                "ttl": rule.ttl,
            })
        })
        .collect();
    let next = state
        .next_expiry()
        .map(|deadline| shape::time(now.wall_of(deadline)));
    let paused = state
        .expiry()
        .suspensions()
        .pause
        .filter(|pause| pause.is_active(now.ttl));
    json!({
        "default": policy.default,
        "min": crate::duration::format(policy.min),
        "max": policy.max.map(crate::duration::format),
        "client": policy.client.to_string(),
        "rules": rules,
        "groups_by_source": by_source,
        "next_expiry": next,
        "paused": paused.map(|pause| shape::paused(&pause, now)),
        "warnings": Vec::<String>::new(),
    })
}

/// Answers why a group, or each of those that match, has its TTL.
pub(super) async fn explain(state: &Arc<State>, key: Option<&[u8]>, query: &Query) -> Outcome {
    let policy = state.policy();
    if let Some(key) = key {
        let key = key_of(key)?;
        let wanted = key.clone();
        let found = read(state, move |store| store.detail(&wanted)).await?;
        let now = Now::of(state);
        // One that has expired is explained like one that never was.
        let listed = found
            .map(|detail| detail.listed)
            .filter(|listed| state_of(&schedule(listed, &policy, now), now).is_some());
        let pushed = listed.as_ref().and_then(|listed| listed.head.pushed_ttl);
        let pinned = listed.and_then(|listed| listed.pinned);
        let pinned = pinned.filter(|pinned| pinned.is_active(now.ttl));
        return Ok(json!(policy.explain_with(&key, pushed, pinned.as_ref())));
    }
    let selection = query.selection()?;
    if selection.is_empty() {
        return Err(ApiError::bad("name a group in the path, or give match[]"));
    }
    let limit = query.limit(API_PAGE_DEFAULT, API_PAGE)?;
    let now = Now::of(state);
    read(state, move |store| {
        let mut explained = Vec::new();
        store.list(|listed| {
            let there = state_of(&schedule(&listed, &policy, now), now).is_some();
            let (key, pushed) = (listed.key, listed.head.pushed_ttl);
            if there && selection.matches(&key) {
                let pinned = listed.pinned.filter(|pinned| pinned.is_active(now.ttl));
                explained.push(json!(policy.explain_with(&key, pushed, pinned.as_ref())));
            }
            if explained.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(json!(explained))
    })
    .await
}
