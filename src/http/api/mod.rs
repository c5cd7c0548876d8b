//! The Pushgateway's API, `/api/v1/status`, `/api/v1/metrics` and `/api/v1/admin/wipe`, and
//! what goes beyond it: `/api/v1/groups`, `/api/v1/ttl`, `/api/v1/admin`, `/api/v1/push`.
//! Answers are JSON in the Pushgateway's envelope.

mod admin;
mod batch;
mod cursor;
mod groups;
mod lists;
mod matching;
mod metrics;
mod object;
mod overview;
mod query;
mod shape;
mod status;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::body::{BodyError, receive};
use super::context::Context;
use super::foreign::is_foreign;
use super::health::LOADING;
use super::{reply, route};

use crate::format::name::NameRule;
use crate::limits::API_BODY;
use crate::model::GroupKey;
use crate::push::path::grouping_key_with;
use crate::state::{Refused, State};
pub(super) use groups::state_of;
pub(super) use lists::Lists;
pub(super) use matching::delete_all;
use object::object;
pub(super) use query::Query;
pub(super) use shape::{GroupState, Now};

/// One request to the API.
pub(super) struct ApiRequest {
    pub(super) parts: Parts,
    pub(super) body: Body,
    /// Decoded path behind `/api/v1/`.
    pub(super) path: Vec<u8>,
    pub(super) peer: IpAddr,
}

/// Why the API does not do what it is asked for.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl ApiError {
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text: text.into(),
        }
    }

    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            text: text.into(),
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let (status, text) = match refused {
            Refused::Inconsistent(refusal) => (StatusCode::BAD_REQUEST, refusal.to_string()),
            Refused::InBatch { at, key, refusal } => {
                let text = format!("group {at} {key}: {refusal}");
                (StatusCode::BAD_REQUEST, text)
            }
            Refused::NoSuchGroup(key) => (StatusCode::NOT_FOUND, format!("no group {key}")),
            Refused::Unavailable(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
            Refused::OverQuota(over) => {
                let text = format!("not stored: {over}");
                (StatusCode::INSUFFICIENT_STORAGE, text)
            }
            Refused::DiskFull(reason) => (StatusCode::INSUFFICIENT_STORAGE, reason),
            Refused::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many pushes are waiting".to_owned(),
            ),
        };
        Self { status, text }
    }
}

/// The data of an answer, or why there is none.
type Outcome = Result<serde_json::Value, ApiError>;

/// What a path of the API is about.
enum Route {
    Status,
    Metrics,
    Wipe,
    Groups,
    Group(Vec<u8>),
    Overview,
    Explain(Option<Vec<u8>>),
    Push,
    Pin(Vec<u8>),
    PinMatching,
    Touch(Vec<u8>),
    DeleteGroups,
    Reap,
    Pause,
    Resume,
    OpenApi,
}

/// Paths in which nothing varies.
const FIXED: [&str; 11] = [
    "status",
    "metrics",
    "admin/wipe",
    "groups",
    "ttl",
    "ttl/explain",
    "push",
    "admin/delete_groups",
    "admin/ttl/reap",
    "admin/ttl/pause",
    "admin/ttl/resume",
];

impl Route {
    fn of(path: &[u8]) -> Option<Self> {
        let job = |prefix: &str| {
            let rest = path.strip_prefix(prefix.as_bytes())?;
            let is_job = rest.starts_with(b"job/") || rest.starts_with(b"job@base64/");
            is_job.then(|| rest.to_vec())
        };
        match path {
            b"status" => Some(Self::Status),
            b"metrics" => Some(Self::Metrics),
            b"admin/wipe" => Some(Self::Wipe),
            b"groups" => Some(Self::Groups),
            b"ttl" => Some(Self::Overview),
            b"ttl/explain" => Some(Self::Explain(None)),
            b"push" => Some(Self::Push),
            b"admin/ttl" => Some(Self::PinMatching),
            b"admin/delete_groups" => Some(Self::DeleteGroups),
            b"admin/ttl/reap" => Some(Self::Reap),
            b"admin/ttl/pause" => Some(Self::Pause),
            b"admin/ttl/resume" => Some(Self::Resume),
            b"openapi.yaml" => Some(Self::OpenApi),
            _ => None,
        }
        .or_else(|| job("groups/").map(Self::Group))
        .or_else(|| job("ttl/explain/").map(|key| Self::Explain(Some(key))))
        .or_else(|| job("admin/ttl/").map(Self::Pin))
        .or_else(|| job("admin/touch/").map(Self::Touch))
    }

    /// The path that this one is but for letter case and a slash at its end, if that has
    /// the method.
    fn respelled(path: &[u8], method: &Method) -> Option<&'static str> {
        let bare = path.strip_suffix(b"/").unwrap_or(path);
        let has = |name: &str| {
            let route = Self::of(name.as_bytes());
            route.is_some_and(|route| allows(route.allow(), method))
        };
        let same = |name: &str| name.as_bytes().eq_ignore_ascii_case(bare);
        let found = FIXED.into_iter().find(|name| same(name))?;
        (found.as_bytes() != path && has(found)).then_some(found)
    }

    fn allow(&self) -> &'static str {
        match self {
            Self::Status
            | Self::Metrics
            | Self::Groups
            | Self::Group(_)
            | Self::Overview
            | Self::Explain(_)
            | Self::OpenApi => "GET, HEAD, OPTIONS",
            Self::Wipe => "OPTIONS, PUT",
            Self::Pin(_) | Self::PinMatching => "DELETE, OPTIONS, PUT",
            _ => "OPTIONS, POST",
        }
    }

    /// What OPTIONS is told; the Pushgateway says nothing.
    fn options(&self) -> &'static str {
        match self {
            Self::Status | Self::Metrics | Self::Wipe => "",
            _ => self.allow(),
        }
    }

    /// The parameters of its query string.
    fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::Groups => &["match[]", "state", "sort", "limit", "cursor"],
            Self::Explain(None) => &["match[]", "limit"],
            Self::DeleteGroups => &["match[]", "older_than", "dry_run"],
            Self::PinMatching => &["match[]", "dry_run"],
            Self::Reap => &["dry_run"],
            _ => &[],
        }
    }

    /// Whether the Pushgateway has it.
    fn is_original(&self) -> bool {
        matches!(self, Self::Status | Self::Metrics | Self::Wipe)
    }

    /// Whether it needs `--web.enable-admin-api`.
    fn is_admin(&self) -> bool {
        matches!(
            self,
            Self::Pin(_)
                | Self::PinMatching
                | Self::Touch(_)
                | Self::DeleteGroups
                | Self::Reap
                | Self::Pause
                | Self::Resume
        )
    }
}

fn allows(allow: &str, method: &Method) -> bool {
    allow.split(", ").any(|allowed| allowed == method.as_str())
}

/// Answers a request below `/api/v1/`. `connection` is cut if an answer that holds
/// resources is not taken in time.
pub(super) async fn answer(
    context: &Arc<Context>,
    request: ApiRequest,
    connection: &CancellationToken,
) -> Response {
    let method = &request.parts.method;
    // A wipe that is not open is not there.
    let route =
        Route::of(&request.path).filter(|route| !matches!(route, Route::Wipe) || context.admin);
    if method == Method::OPTIONS {
        context
            .telemetry
            .count_request("api/v1/options", "options", 200);
        return match route.filter(|route| !route.is_original()) {
            Some(own) => reply::options(own.options()),
            None => reply::cors(reply::options("")),
        };
    }
    let Some(route) = route else {
        return elsewhere(context, &request);
    };
    if !allows(route.allow(), method) {
        return reply::method_not_allowed(route.allow());
    }
    if matches!(route, Route::Wipe) && is_foreign(&request.parts) {
        return reply::foreign();
    }
    let is_read = matches!(route, Route::Status | Route::Metrics);
    let response = answer_route(context, route, request, connection).await;
    if is_read {
        reply::cors(response)
    } else {
        response
    }
}

async fn answer_route(
    context: &Arc<Context>,
    route: Route,
    request: ApiRequest,
    connection: &CancellationToken,
) -> Response {
    let method = &request.parts.method;
    match (&route, context.state()) {
        (Route::OpenApi, _) => return reply::yaml(include_str!("openapi.yaml")),
        (Route::Status, _) => {
            let response = reply::success(&status::status(context));
            let telemetry = &context.telemetry;
            telemetry.count_request("api/v1/status", method.as_str(), 200);
            return response;
        }
        (Route::Metrics, Some(state)) => {
            return metrics::metrics(context, state, &request.parts, connection).await;
        }
        (Route::Wipe, None) => return reply::unavailable(LOADING),
        (Route::Wipe, Some(state)) => {
            let response = matching::wipe(state, request.peer.to_string()).await;
            let code = response.status().as_u16();
            context.telemetry.count_request("wipe", "put", code);
            return response;
        }
        _ => {}
    }
    let outcome = match context.state() {
        None => Err(ApiError {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text: LOADING.into(),
        }),
        Some(_) if route.is_admin() && !context.admin => Err(ApiError {
            status: StatusCode::FORBIDDEN,
            text: "the admin API is off: start with --web.enable-admin-api".into(),
        }),
        Some(_) if route.is_admin() && is_foreign(&request.parts) => Err(ApiError {
            status: StatusCode::FORBIDDEN,
            text: reply::FOREIGN.into(),
        }),
        Some(state) => dispatch(context, state, route, request).await,
    };
    match outcome {
        Ok(data) => reply::success(&data),
        Err(error) => reply::api_error(error.status, &error.text),
    }
}

/// The answer where there is nothing: where it may be instead, or 404.
fn elsewhere(context: &Context, request: &ApiRequest) -> Response {
    let parts = &request.parts;
    let Some(path) = Route::respelled(&request.path, &parts.method) else {
        return reply::not_found();
    };
    let query = parts.uri.query();
    route::redirect(
        &parts.method,
        &context.site.paths,
        &format!("/api/v1/{path}"),
        query,
    )
}

async fn dispatch(
    context: &Arc<Context>,
    state: &Arc<State>,
    route: Route,
    request: ApiRequest,
) -> Outcome {
    let ApiRequest {
        parts, body, peer, ..
    } = request;
    let query = Query::parse(parts.uri.query().unwrap_or_default()).map_err(ApiError::bad)?;
    query.only(route.parameters())?;
    let by = peer.to_string();
    let key_of = |path: &[u8]| key_of(path, context.limits.names);
    match route {
        Route::Groups => groups::list(context, state, &query).await,
        Route::Group(key) => groups::detail(state, key_of(&key)?).await,
        Route::Overview => overview::overview(state).await,
        Route::Explain(key) => {
            let key = key.map(|key| key_of(&key)).transpose()?;
            overview::explain(state, key, &query).await
        }
        Route::Push => batch::push(context, state, &parts, body, peer).await,
        Route::Pin(key) if parts.method == Method::DELETE => {
            admin::unpin(state, key_of(&key)?, &by).await
        }
        Route::Pin(key) => {
            let key = key_of(&key)?;
            admin::pin(state, key, json(context, &parts, body).await?, by).await
        }
        Route::PinMatching if parts.method == Method::DELETE => {
            matching::unpin(state, &query, by).await
        }
        Route::PinMatching => {
            let body = json(context, &parts, body).await?;
            matching::pin(state, &query, body, by).await
        }
        Route::Touch(key) => admin::touch(state, key_of(&key)?, &by).await,
        Route::DeleteGroups => matching::delete(state, &query, by).await,
        Route::Reap => admin::reap(state, &query, &by).await,
        Route::Pause => admin::pause(state, json(context, &parts, body).await?, by).await,
        Route::Resume => admin::resume(state, &by).await,
        // Answered before.
        Route::OpenApi | Route::Status | Route::Metrics | Route::Wipe => {
            Ok(serde_json::Value::Null)
        }
    }
}

/// Whether the query string of a request asks to change nothing.
///
/// # Errors
/// If it cannot be understood: a dry run that is not recognised must not be a real one.
pub(super) fn dry_run(query: Option<&str>) -> Result<bool, String> {
    let query = Query::parse(query.unwrap_or_default())?;
    let dry_run = query
        .only(&["dry_run"])
        .and_then(|()| query.flag("dry_run"));
    dry_run.map_err(|error| error.text)
}

/// The grouping key of a decoded path.
fn key_of(path: &[u8], names: NameRule) -> Result<GroupKey, ApiError> {
    grouping_key_with(path, names).map_err(|error| ApiError::bad(error.to_string()))
}

/// Reads a body of JSON; an empty one is an empty object.
async fn json<T: DeserializeOwned>(
    context: &Context,
    parts: &Parts,
    body: Body,
) -> Result<T, ApiError> {
    let received = receive(context, &parts.headers, body)
        .await
        .map_err(body_error)?;
    if received.bytes.len() > API_BODY {
        let text = format!("the body is larger than {API_BODY} bytes");
        return Err(ApiError {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            text,
        });
    }
    let bytes = if received.bytes.is_empty() {
        b"{}"
    } else {
        received.bytes.as_slice()
    };
    object(bytes)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn body_error(error: BodyError) -> ApiError {
    ApiError {
        status: error.status(),
        text: error.to_string(),
    }
}

/// Works on the store without holding up the runtime.
pub(super) async fn read<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&crate::store::Store) -> Result<T, crate::store::ReadError> + Send + 'static,
) -> Result<T, ApiError> {
    let state = Arc::clone(state);
    let failed = |text: String| ApiError {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        text,
    };
    let place = state.place_to_read().await;
    let work = move || {
        // Kept to the end of the work, which nobody can stop once it has begun.
        let _place = place;
        state.read(work)
    };
    let done = tokio::task::spawn_blocking(work).await;
    let read = done.map_err(|panic| failed(panic.to_string()))??;
    read.map_err(|error| failed(error.to_string()))
}
