//! `POST /api/v1/push`: many groups in one request and one transaction.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{ApiError, Outcome, body_error, shape};
use crate::format::name::is_label_name;
use crate::format::text_read;
use crate::http::body::{Received, inflate, receive};
use crate::http::context::Context;
use crate::http::push::{own_helps, pusher};
use crate::limits::{BATCH_GROUPS, RENDERED_BYTES};
use crate::model::GroupKey;
use crate::state::{self, Done, Method, Prepared, PreparedPush, State, Unstorable};
use crate::store::Pusher;
use crate::telemetry::own_kind;
use crate::ttl::{Ttl, TtlPolicy};

/// Body of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody {
    groups: Vec<GroupBody>,
}

/// One push of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupBody {
    /// The grouping key, `job` included.
    labels: BTreeMap<String, String>,
    /// `PUT` (the default) or `POST`.
    #[serde(default)]
    method: BatchMethod,
    /// The push's own TTL.
    ttl: Option<String>,
    /// Metrics in the text format.
    #[serde(default)]
    body: String,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum BatchMethod {
    #[default]
    Put,
    Post,
}

/// Stores all pushes of a batch, or none.
pub(super) async fn push(
    context: &Arc<Context>,
    state: &Arc<State>,
    parts: &Parts,
    body: Body,
    peer: IpAddr,
) -> Outcome {
    let received = receive(context, &parts.headers, body)
        .await
        .map_err(body_error)?;
    let work = Work {
        context: Arc::clone(context),
        headers: parts.headers.clone(),
        policy: state.policy(),
        pusher: pusher(&parts.headers, peer),
    };
    // Never closed, so this only waits for a place.
    let place = context.large_pushes.clone().acquire_owned().await.ok();
    let work = move || {
        let prepared = work.prepare_all(received);
        drop(place);
        prepared
    };
    let prepared = tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(ApiError {
                status,
                text: panic.to_string(),
            })
        })?;
    let expires = match state.store_all(prepared).await? {
        Done::PushedMany { expires } => expires,
        _ => Vec::new(),
    };
    let groups: Vec<_> = expires
        .into_iter()
        .map(|at| json!({ "expires_at": at.map(shape::time) }))
        .collect();
    Ok(json!({ "groups": groups }))
}

/// What is needed beside the body: no waiting, only work.
struct Work {
    context: Arc<Context>,
    headers: HeaderMap,
    policy: Arc<TtlPolicy>,
    pusher: Pusher,
}

impl Work {
    fn prepare_all(&self, received: Received) -> Result<Vec<PreparedPush>, ApiError> {
        let received = inflate(&self.context, &self.headers, received).map_err(body_error)?;
        let Received { bytes, mut share } = received;
        let batch: BatchBody = serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::bad(format!("the body: {error}")))?;
        if batch.groups.len() > BATCH_GROUPS {
            return Err(too_large(format!(
                "more than {BATCH_GROUPS} groups in one request"
            )));
        }
        let mut prepared = Vec::with_capacity(batch.groups.len());
        let mut made = 0;
        for (at, group) in batch.groups.iter().enumerate() {
            let push = prepare_one(at, group, &self.policy, &self.pusher)?;
            made += push.bytes();
            if made > RENDERED_BYTES {
                return Err(too_large(Unstorable::TooLarge.to_string()));
            }
            // The groups still to come are held beside what was made of the others.
            share
                .cover(&self.context, bytes.len() + made)
                .map_err(body_error)?;
            prepared.push(push);
        }
        if let Some(first) = prepared.first_mut() {
            first.keep(share.into_permit());
        }
        Ok(prepared)
    }
}

fn too_large(text: String) -> ApiError {
    ApiError {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        text,
    }
}

fn prepare_one(
    at: usize,
    group: &GroupBody,
    policy: &TtlPolicy,
    pusher: &Pusher,
) -> Result<PreparedPush, ApiError> {
    let key = key_of(&group.labels).map_err(|text| ApiError::bad(format!("group {at}: {text}")))?;
    let bad = |text: String| ApiError::bad(format!("group {at} {key}: {text}"));
    let ttl: Option<Ttl> = match &group.ttl {
        None => None,
        Some(text) => Some(
            text.parse()
                .map_err(|fault| bad(format!("ttl {text:?}: {fault}")))?,
        ),
    };
    policy
        .check_pushed(ttl)
        .map_err(|fault| bad(fault.to_string()))?;
    let mut families = text_read::parse(group.body.as_bytes()).map_err(|fault| {
        if fault.is_limit {
            too_large(format!("group {at} {key}: {fault}"))
        } else {
            bad(fault.to_string())
        }
    })?;
    own_helps(&mut families);
    let method = match group.method {
        BatchMethod::Put => Method::Replace,
        BatchMethod::Post => Method::Merge,
    };
    let prepared = state::prepare(key.clone(), method, families, ttl, pusher.clone(), own_kind);
    match prepared {
        Ok(Prepared::Push(push)) => Ok(*push),
        Ok(Prepared::Failed(failed)) => Err(bad(failed.refusal().to_string())),
        Err(Unstorable::Refused(refusal)) => Err(bad(refusal.to_string())),
        Err(limit) => Err(too_large(format!("group {at} {key}: {limit}"))),
    }
}

fn key_of(labels: &BTreeMap<String, String>) -> Result<GroupKey, String> {
    let job = labels
        .get("job")
        .filter(|job| !job.is_empty())
        .ok_or("job name is required")?;
    for name in labels.keys() {
        if !is_label_name(name.as_bytes()) || name.starts_with("__") {
            return Err(format!("improper label name {name:?}"));
        }
    }
    Ok(GroupKey::new(job, labels))
}
