//! `POST /api/v1/push`: many groups in one request and one transaction.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::object::{Object, Spelled, object};
use super::{ApiError, Outcome, body_error, shape};
use crate::format::name::NameRule;
use crate::format::text_read;
use crate::http::body::{Received, Whole, inflate, receive};
use crate::http::context::Context;
use crate::http::push::{own_helps, pusher};
use crate::limits::{BATCH_GROUPS, LABELS_PER_SERIES, RENDERED_BYTES};
use crate::model::GroupKey;
use crate::push::printed::printed_fault;
use crate::state::{self, Done, Method, Prepared, PreparedPush, State, Unstorable};
use crate::store::Pusher;
use crate::telemetry::own_kind;
use crate::ttl::{Ttl, TtlPolicy};

/// Body of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody {
    #[serde(deserialize_with = "groups")]
    groups: Vec<Object<GroupBody>>,
}

/// The groups up to one too many, since each takes far more memory than the shortest text.
fn groups<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Object<GroupBody>>, D::Error> {
    deserializer.deserialize_seq(GroupsVisitor)
}

struct GroupsVisitor;

impl<'de> Visitor<'de> for GroupsVisitor {
    type Value = Vec<Object<GroupBody>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of groups")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Object<GroupBody>>, A::Error> {
        let mut groups = Vec::new();
        while groups.len() <= BATCH_GROUPS
            && let Some(group) = seq.next_element()?
        {
            groups.push(group);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(groups)
    }
}

/// One push of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupBody {
    /// The grouping key, `job` included.
    labels: Labels,
    /// `PUT` (the default) or `POST`.
    #[serde(default)]
    method: BatchMethod,
    /// The push's own TTL.
    ttl: Option<Spelled>,
    /// Metrics in the text format.
    #[serde(default)]
    body: String,
}

/// The members of an object in their order, those of the same name too: a map would
/// silently take the last of them.
#[derive(Debug)]
struct Labels(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Labels, A::Error> {
        let mut labels = Vec::new();
        while let Some(label) = members.next_entry()? {
            if labels.len() == LABELS_PER_SERIES {
                let most = format!("a group has more than {LABELS_PER_SERIES} labels");
                return Err(A::Error::custom(most));
            }
            labels.push(label);
        }
        Ok(Labels(labels))
    }
}

/// As they were given: `{job="a",x=""}`.
impl fmt::Display for Labels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("{")?;
        for (place, (name, value)) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(out, "{comma}{name}={value:?}")?;
        }
        out.write_str("}")
    }
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
enum BatchMethod {
    #[default]
    Put,
    Post,
}

/// From a text: what serde derives for an enum takes an object, too.
impl TryFrom<String> for BatchMethod {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "PUT" => Ok(Self::Put),
            "POST" => Ok(Self::Post),
            _ => Err(format!("a group is pushed by PUT or POST, not {text:?}")),
        }
    }
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
    // Never closed, so this only waits for its places.
    let places = context.large_pushes.clone();
    let count = received.places(&parts.headers);
    let places = places.acquire_many_owned(count).await.ok();
    let work = move || {
        let prepared = work.prepare_all(received);
        drop(places);
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
        let whole = inflate(&self.headers, received).map_err(body_error)?;
        let Whole { bytes, mut share } = whole;
        let batch: BatchBody = object(&bytes)?;
        if batch.groups.len() > BATCH_GROUPS {
            return Err(too_large(format!(
                "more than {BATCH_GROUPS} groups in one request"
            )));
        }
        let mut prepared = Vec::with_capacity(batch.groups.len());
        let mut made = 0;
        for (at, Object(group)) in batch.groups.iter().enumerate() {
            let push = prepare_one(at, group, self)?;
            made += push.bytes();
            if made > RENDERED_BYTES {
                return Err(too_large(Unstorable::TooLarge.to_string()));
            }
            // The groups still to come are held beside what was made of the others.
            share.cover(bytes.len() + made).map_err(body_error)?;
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

fn prepare_one(at: usize, group: &GroupBody, work: &Work) -> Result<PreparedPush, ApiError> {
    let (labels, names) = (&group.labels, work.context.limits.names);
    let key = key_of(labels, names)
        .map_err(|text| ApiError::bad(format!("group {at} {labels}: {text}")))?;
    let bad = |text: String| ApiError::bad(format!("group {at} {key}: {text}"));
    let ttl: Option<Ttl> = match &group.ttl {
        None => None,
        Some(Spelled(text)) => Some(
            text.parse()
                .map_err(|fault| bad(format!("ttl {text:?}: {fault}")))?,
        ),
    };
    work.policy
        .check_pushed(ttl)
        .map_err(|fault| bad(fault.to_string()))?;
    let mut families = text_read::parse(group.body.as_bytes(), names).map_err(|fault| {
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
    let prepared = state::prepare(
        key.clone(),
        method,
        families,
        ttl,
        work.pusher.clone(),
        own_kind,
    );
    match prepared {
        Ok(Prepared::Push(push)) => Ok(*push),
        Ok(Prepared::Failed(failed)) => Err(bad(failed.refusal().to_string())),
        Err(Unstorable::Refused(refusal)) => Err(bad(refusal.to_string())),
        Err(limit) => Err(too_large(format!("group {at} {key}: {limit}"))),
    }
}

fn key_of(given: &Labels, names: NameRule) -> Result<GroupKey, String> {
    let mut labels = BTreeMap::new();
    for (name, value) in &given.0 {
        if !names.allows_label(name.as_bytes()) || name.starts_with("__") {
            return Err(format!("improper label name {name:?}"));
        }
        if labels.insert(name.clone(), value.clone()).is_some() {
            return Err(format!("the label {name:?} is given twice"));
        }
    }
    let job = labels
        .get("job")
        .filter(|job| !job.is_empty())
        .ok_or("job name is required")?;
    let key = GroupKey::new(job, &labels);
    match printed_fault(&key) {
        Some(fault) => Err(fault.to_string()),
        None => Ok(key),
    }
}
