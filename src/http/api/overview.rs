//! `GET /api/v1/ttl` and `GET /api/v1/ttl/explain`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::query::Query;
use super::shape;
use super::{ApiError, Outcome, pages, read};
use crate::model::GroupKey;
use crate::state::{Standing, State};
use crate::store::Listed;
use crate::ttl::{Explanation, Schedule, Ttl};

/// Answers what TTLs there are.
pub(super) async fn overview(state: &Arc<State>) -> Outcome {
    let warnings = warnings(state).await?;
    let (now, policy) = (state.clock().now(), state.policy());
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
                "hold": rule.hold,
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
    Ok(json!({
        "default": policy.default,
        "min": crate::duration::format(policy.min),
        "max": policy.max.map(crate::duration::format),
        "client": policy.client.to_string(),
        "rules": rules,
        "groups_by_source": by_source,
        "next_expiry": next,
        "paused": paused.map(|pause| shape::paused(&pause, now)),
        "warnings": warnings,
    }))
}

/// What an operator should know: groups whose TTL is so short that no scrape may see them.
async fn warnings(state: &Arc<State>) -> Result<Vec<String>, ApiError> {
    let (groups, limit) = (state.snapshot().short_ttl_groups(), state.short_ttl());
    if groups == 0 {
        return Ok(Vec::new());
    }
    let standing = state.standing();
    let example = read(state, move |store| {
        let mut example = None;
        store.list(|listed| {
            let is_short = standing.judge(&listed).is_some_and(|schedule| {
                schedule.hold.is_none() && matches!(schedule.ttl, Ttl::After(ttl) if ttl < limit)
            });
            if is_short {
                example = Some(listed.key);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(example)
    })
    .await?;
    let such_as = example.map_or_else(String::new, |key| format!(", such as {key}"));
    let limit = crate::duration::format(limit);
    let (have, their) = if groups == 1 {
        ("1 group has a TTL", "it")
    } else {
        ("groups have TTLs", "they")
    };
    let count = if groups == 1 {
        String::new()
    } else {
        format!("{groups} ")
    };
    Ok(vec![format!(
        "{count}{have} below twice the scrape interval ({limit}){such_as}: {their} may never be \
         scraped; give a longer TTL, or a rule with hold: until_scraped"
    )])
}

/// Why a group that is there has the TTL of this schedule.
fn explanation(standing: &Standing, listed: &Listed, schedule: &Schedule) -> Explanation {
    let pinned = listed.pinned.as_ref();
    let pinned = pinned.filter(|pinned| pinned.counts(listed.head.clock_start, standing.now.ttl));
    let policy = standing.policy();
    let explained = policy.explain_with(&listed.key, listed.head.pushed_ttl, pinned);
    Explanation {
        hold: schedule.hold,
        ..explained
    }
}

/// Answers why a group, or each of those that match, has its TTL.
pub(super) async fn explain(state: &Arc<State>, key: Option<GroupKey>, query: &Query) -> Outcome {
    let standing = state.standing();
    if let Some(key) = key {
        let wanted = key.clone();
        let found = read(state, move |store| store.detail(&wanted)).await?;
        let explained = found.and_then(|detail| {
            let schedule = standing.judge(&detail.listed)?;
            Some(explanation(&standing, &detail.listed, &schedule))
        });
        // One that has expired is explained like one that never was.
        let unknown = || standing.policy().explain_with(&key, None, None);
        return Ok(json!(explained.unwrap_or_else(unknown)));
    }
    let asked = pages::Asked::of(query)?;
    if asked.selection.is_empty() {
        return Err(ApiError::bad("name a group in the path, or give match[]"));
    }
    let (page, next) = read(state, move |store| {
        pages::by_key(store, &asked, |listed| {
            let schedule = standing.judge(listed)?;
            Some(explanation(&standing, listed, &schedule))
        })
    })
    .await?;
    Ok(json!({ "groups": page, "next_cursor": next }))
}
