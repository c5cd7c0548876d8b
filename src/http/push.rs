//! PUT, POST and DELETE of a group.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, EXPECT, HOST, HeaderName, TRANSFER_ENCODING, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;

use super::body::{BodyError, Encoding, Received, Whole, inflate, receive};
use super::context::Context;
use super::reply;
use crate::clock::Stopwatch;
use crate::format::name::NameRule;
use crate::format::negotiate::{is_delimited_protobuf, is_openmetrics};
use crate::format::{openmetrics, proto, text_read};
use crate::limits::{AGENT_TEXT, LOGGED_LABELS};
use crate::model::{Family, GroupKey};
use crate::push::path::{PathError, grouping_key};
use crate::state::{self, Answer, Done, Prepared, Refused, State, Unstorable};
use crate::store::Pusher;
use crate::telemetry::{own_help, own_kind};
use crate::ttl::{self, Ttl, TtlPolicy};

/// Pushes above this are prepared on the blocking pool, so that a large push does
/// not hold up the small ones of its thread.
const SMALL_PUSH: usize = 128 * 1024;

/// One request for a group.
pub(super) struct GroupRequest {
    pub(super) parts: Parts,
    pub(super) body: Body,
    /// Decoded path behind `/metrics/`.
    pub(super) key: Vec<u8>,
    /// TTL in front of the path.
    pub(super) ttl: Option<String>,
    pub(super) peer: IpAddr,
}

/// Answers PUT and POST.
pub(super) async fn push(
    context: &Arc<Context>,
    state: &Arc<State>,
    request: GroupRequest,
) -> Response {
    let watch = Stopwatch::start();
    let method = request.parts.method.clone();
    let size = approximate_size(&request.parts);
    let body = if is_refused_anyway(context, &request) {
        Body::empty()
    } else {
        request.body
    };
    let received = receive(context, &request.parts.headers, body).await;
    // As in the Pushgateway, which finds this before anything else and counts it nowhere.
    if let Ok(received) = &received
        && let Err(error) = received.check_begin(&request.parts.headers)
    {
        return error.into_reply();
    }
    let work = Work {
        parts: request.parts,
        policy: state.policy(),
        key: request.key,
        ttl: request.ttl,
        peer: request.peer,
    };
    let response = match take(context, work, received).await {
        Ok(prepared) => store(context, state, prepared).await,
        Err(response) => *response,
    };
    context
        .telemetry
        .observe_push(method.as_str(), watch.seconds(), size);
    context
        .telemetry
        .count_request("push", method.as_str(), response.status().as_u16());
    response
}

/// Whether the answer is the same whatever the body is, and the client waits to be told to
/// send it: then it is told the answer instead. To another client an answer before the end of
/// its body may be lost.
fn is_refused_anyway(context: &Context, request: &GroupRequest) -> bool {
    let headers = &request.parts.headers;
    headers.contains_key(EXPECT)
        && Encoding::of(headers).is_none()
        && grouping_key(&request.key, context.limits.names).is_err()
}

/// Answers DELETE: 202 if the address can be read, whether or not there is such a group.
pub(super) async fn delete(
    context: &Arc<Context>,
    state: &Arc<State>,
    request: GroupRequest,
) -> Response {
    let response = match grouping_key(&request.key, context.limits.names) {
        // No group has such a key: see `PathError::NotUtf8`.
        Err(PathError::NotUtf8 { .. }) => reply::deleted(0),
        Err(error) => reply::bad_request(error),
        Ok(key) => deleted(
            &key,
            state.delete(key.clone(), request.peer.to_string()).await,
        ),
    };
    context
        .telemetry
        .count_request("delete", "delete", response.status().as_u16());
    response
}

/// The beginning of a text for the log.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOGGED_LABELS)]
}

fn deleted(key: &GroupKey, answer: Answer) -> Response {
    match answer {
        Ok(Done::Deleted {
            groups: 0,
            with_more_labels,
        }) => {
            // Scripts that clean up delete what never was; a key that is not complete is
            // worth a line.
            if with_more_labels > 0 {
                tracing::info!(
                    group = shortened(&key.to_string()),
                    "no group with exactly this key; {with_more_labels} groups of job {:?} have \
                     more labels",
                    shortened(key.job())
                );
            } else {
                tracing::debug!(
                    group = shortened(&key.to_string()),
                    "no group with this key"
                );
            }
            reply::deleted(0)
        }
        Ok(Done::Deleted { groups, .. }) => {
            tracing::debug!(group = %key, "group deleted");
            reply::deleted(groups)
        }
        Ok(_) => reply::deleted(0),
        Err(refused) => reply::refused(&refused),
    }
}

/// The answer to a push that cannot be taken; boxed, as it is larger than a success.
type ErrorReply = Box<Response>;

/// Reads, parses and prepares a push; the answer if that fails.
async fn take(
    context: &Arc<Context>,
    work: Work,
    received: Result<Received, BodyError>,
) -> Result<Prepared, ErrorReply> {
    let received = received.map_err(BodyError::into_reply)?;
    let context = Arc::clone(context);
    if work.is_small(&received) {
        return work.prepare(&context, received);
    }
    // Never closed, so this only waits for its places.
    let places = context.large_pushes.clone();
    let count = received.places(&work.parts.headers);
    let places = places.acquire_many_owned(count).await.ok();
    let done = tokio::task::spawn_blocking(move || {
        let prepared = work.prepare(&context, received);
        drop(places);
        prepared
    });
    done.await.unwrap_or_else(|_| {
        let text = "the push could not be worked on";
        Err(reply::error(StatusCode::INTERNAL_SERVER_ERROR, text).into())
    })
}

/// What is left to do once the body is there: no waiting, only work.
struct Work {
    parts: Parts,
    policy: Arc<TtlPolicy>,
    key: Vec<u8>,
    ttl: Option<String>,
    peer: IpAddr,
}

impl Work {
    /// Whether this is little work. Of a compressed body nobody knows before.
    fn is_small(&self, received: &Received) -> bool {
        // Every line repeats the key; the shortest lines have a few bytes.
        let grown = received.len() * (1 + self.key.len() / 32);
        grown <= SMALL_PUSH && Encoding::of(&self.parts.headers).is_none()
    }

    fn prepare(self, context: &Context, received: Received) -> Result<Prepared, ErrorReply> {
        let headers = &self.parts.headers;
        let whole = inflate(headers, received).map_err(BodyError::into_reply)?;
        let Whole { bytes, mut share } = whole;
        let key = grouping_key(&self.key, context.limits.names).map_err(reply::bad_request)?;
        let pushed_ttl = self.pushed_ttl().map_err(reply::bad_request)?;
        let mut families = parse(headers, &bytes, context.limits.names)?;
        own_helps(&mut families);
        let method = match self.parts.method {
            Method::POST => state::Method::Merge,
            _ => state::Method::Replace,
        };
        let pusher = pusher(headers, self.peer);
        let prepare = if context.limits.hide_inconsistent {
            state::prepare_hiding
        } else {
            state::prepare
        };
        let prepared = prepare(key, method, families, pushed_ttl, pusher, own_kind);
        let mut prepared = prepared.map_err(|unstorable| match unstorable {
            Unstorable::Refused(refusal) => reply::bad_request(refusal),
            limit => reply::error(StatusCode::PAYLOAD_TOO_LARGE, limit),
        })?;
        drop(bytes);
        share
            .cover(prepared.bytes())
            .map_err(BodyError::into_reply)?;
        prepared.keep(share.into_permit());
        Ok(prepared)
    }

    fn pushed_ttl(&self) -> Result<Option<Ttl>, ttl::TtlError> {
        let values = ttl::HEADERS
            .iter()
            .flat_map(|name| self.parts.headers.get_all(*name));
        let values: Vec<String> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let ttl = ttl::pushed_ttl(&values, self.ttl.as_deref(), self.parts.uri.query())?;
        self.policy.check_pushed(ttl)?;
        Ok(ttl)
    }
}

/// Who pushes.
pub(super) fn pusher(headers: &HeaderMap, peer: IpAddr) -> Pusher {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    let mut agent = String::from_utf8_lossy(agent.unwrap_or_default()).into_owned();
    agent.truncate(agent.floor_char_boundary(AGENT_TEXT));
    Pusher {
        address: peer.to_string(),
        agent,
    }
}

/// The help of the gateway's own metrics is its own, also where it has no series.
pub(super) fn own_helps(families: &mut [Family<'_>]) {
    for family in families {
        if let Some(help) = own_help(&family.name) {
            family.help = Some(help.into());
        }
    }
}

fn parse<'a>(
    headers: &HeaderMap,
    body: &'a [u8],
    names: NameRule,
) -> Result<Vec<Family<'a>>, ErrorReply> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if is_delimited_protobuf(content_type) {
        proto::parse(body).map_err(|error| unparsed(error.is_limit(), error).into())
    } else if is_openmetrics(content_type) && openmetrics::is_closed(body) {
        openmetrics::parse(body, names).map_err(|error| unparsed(error.is_limit, error).into())
    } else {
        text_read::parse(body, names).map_err(|error| unparsed(error.is_limit, error).into())
    }
}

fn unparsed(is_limit: bool, error: impl Display) -> Response {
    let status = if is_limit {
        StatusCode::PAYLOAD_TOO_LARGE
    } else {
        StatusCode::BAD_REQUEST
    };
    reply::error(status, error)
}

async fn store(context: &Context, state: &State, prepared: Prepared) -> Response {
    let hides = context.limits.hide_inconsistent;
    match state.store(prepared).await {
        Ok(Done::Pushed { expires }) if hides => reply::stored_unseen(expires),
        // A push with timestamps: dropped, and noted as failed.
        Err(Refused::Inconsistent(_)) if hides => reply::dropped(),
        Ok(Done::Pushed { expires }) => reply::pushed(expires),
        Ok(_) => reply::pushed(None),
        Err(refused) => reply::refused(&refused),
    }
}

/// Size of the request as the Pushgateway counts it: request line, headers and
/// declared body, each roughly.
fn approximate_size(parts: &Parts) -> f64 {
    let line = parts.method.as_str().len() + parts.uri.to_string().len() + "HTTP/1.1".len();
    // Go keeps these two out of the headers. The host counts, but not its header's name.
    let kept = |name: &HeaderName| *name != HOST && *name != TRANSFER_ENCODING;
    let names = parts.headers.keys().filter(|name| kept(name));
    let names: usize = names.map(|name| name.as_str().len()).sum();
    let values = parts.headers.iter();
    let values: usize = values
        .filter(|(name, _)| **name != TRANSFER_ENCODING)
        .map(|(_, value)| value.len())
        .sum();
    let headers = names + values;
    let declared = parts
        .headers
        .get("content-length")
        .and_then(|value| value.to_str().ok());
    let body: f64 = declared
        .and_then(|value| value.parse().ok())
        .unwrap_or_default();
    // Sizes of heads are far below 2^32.
    f64::from(u32::try_from(line + headers).unwrap_or(u32::MAX)) + body
}
