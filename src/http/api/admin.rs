//! `/api/v1/admin/...`: what operators may do to one group and to expiry.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::object::Spelled;
use super::query::Query;
use super::shape;
use super::{ApiError, Outcome};
use crate::duration;
use crate::http::to_the_end::to_the_end;
use crate::limits::REASON_TEXT;
use crate::model::GroupKey;
use crate::state::{Done, NewOverride, Pause, Pin, State};
use crate::ttl::Ttl;

/// Body of an override.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinBody {
    ttl: Spelled,
    #[serde(rename = "for")]
    lasts: Option<Spelled>,
    #[serde(default)]
    reason: String,
}

/// Body of a pause.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseBody {
    #[serde(rename = "for")]
    lasts: Option<Spelled>,
    #[serde(default)]
    reason: String,
}

impl Spelled {
    fn ttl(&self, field: &str) -> Result<Ttl, ApiError> {
        let Self(text) = self;
        text.parse()
            .map_err(|fault| ApiError::bad(format!("{field} {text:?}: {fault}")))
    }

    fn lasts(&self) -> Result<std::time::Duration, ApiError> {
        let Self(text) = self;
        let parsed = duration::parse(text);
        let parsed = parsed.map_err(|fault| ApiError::bad(format!("for {text:?}: {fault}")))?;
        if parsed.is_zero() {
            return Err(ApiError::bad("for is zero: leave it out for no end"));
        }
        Ok(parsed)
    }
}

impl PinBody {
    /// The override that is asked for.
    pub(super) fn check(self, by: String) -> Result<NewOverride, ApiError> {
        Ok(NewOverride {
            ttl: self.ttl.ttl("ttl")?,
            lasts: self.lasts.map(|lasts| lasts.lasts()).transpose()?,
            reason: reason(self.reason)?,
            by,
        })
    }
}

/// Sets an override.
pub(super) async fn pin(state: &Arc<State>, key: GroupKey, body: PinBody, by: String) -> Outcome {
    let new = body.check(by)?;
    let done = to_the_end(state, |state| async move {
        let set = Pin {
            key: key.clone(),
            of: Some(new.clone()),
        };
        let done = state.pin(set).await?;
        let lasts = spelled(new.lasts);
        let NewOverride {
            ttl, reason, by, ..
        } = new;
        tracing::info!(group = %key, %ttl, r#for = lasts, by, reason, "TTL override set");
        Ok::<_, ApiError>(done)
    });
    Ok(scheduled(&done.await?))
}

/// A span for the log.
pub(super) fn spelled(lasts: Option<std::time::Duration>) -> String {
    lasts.map_or_else(|| "no end".to_owned(), duration::format)
}

/// Takes an override away.
pub(super) async fn unpin(state: &Arc<State>, key: GroupKey, by: String) -> Outcome {
    let done = to_the_end(state, |state| async move {
        let unset = Pin {
            key: key.clone(),
            of: None,
        };
        let done = state.pin(unset).await?;
        tracing::info!(group = %key, by, "TTL override removed");
        Ok::<_, ApiError>(done)
    });
    Ok(scheduled(&done.await?))
}

/// Starts a TTL clock anew.
pub(super) async fn touch(state: &Arc<State>, key: GroupKey, by: String) -> Outcome {
    let done = to_the_end(state, |state| async move {
        let done = state.touch(key.clone()).await?;
        tracing::info!(group = %key, by, "TTL clock started anew");
        Ok::<_, ApiError>(done)
    });
    Ok(scheduled(&done.await?))
}

fn scheduled(done: &Done) -> Value {
    let expires = match done {
        Done::Scheduled { expires } => *expires,
        _ => None,
    };
    json!({ "expires_at": expires.map(shape::time) })
}

/// Removes what has expired, without waiting for the reaper.
pub(super) async fn reap(state: &Arc<State>, query: &Query, by: String) -> Outcome {
    let dry_run = query.flag("dry_run")?;
    let groups = if dry_run {
        state.expired_groups()
    } else {
        let reaped = to_the_end(state, |state| async move {
            let groups = state.reap_now().await?;
            tracing::info!(groups, by, "expired groups removed on request");
            Ok::<_, ApiError>(groups)
        });
        reaped.await?
    };
    Ok(json!({ "groups": groups, "dry_run": dry_run }))
}

/// Suspends expiry.
pub(super) async fn pause(state: &Arc<State>, body: PauseBody, by: String) -> Outcome {
    let lasts = body.lasts.map(|lasts| lasts.lasts()).transpose()?;
    let reason = reason(body.reason)?;
    let done = to_the_end(state, |state| async move {
        let begin = Pause::Begin {
            lasts,
            reason: reason.clone(),
            by: by.clone(),
        };
        let done = state.pause(begin).await?;
        let lasts = spelled(lasts);
        tracing::warn!(r#for = lasts, by, reason, "expiry paused");
        Ok::<_, ApiError>(done)
    });
    Ok(suspended(state, done.await?))
}

/// Lets expiry go on.
pub(super) async fn resume(state: &Arc<State>, by: String) -> Outcome {
    let done = to_the_end(state, |state| async move {
        let done = state.pause(Pause::End).await?;
        tracing::warn!(by, "expiry resumed");
        Ok::<_, ApiError>(done)
    });
    Ok(suspended(state, done.await?))
}

fn suspended(state: &State, done: Done) -> Value {
    let pause = match done {
        Done::Suspended { pause } => pause,
        _ => None,
    };
    let now = state.clock().now();
    let paused = pause.map_or(Value::Null, |pause| json!(shape::paused(&pause, now)));
    json!({ "paused": paused })
}

fn reason(text: String) -> Result<String, ApiError> {
    if text.len() > REASON_TEXT {
        return Err(ApiError::bad(format!(
            "the reason is longer than {REASON_TEXT} bytes"
        )));
    }
    Ok(text)
}
