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
mod pages;
mod query;
mod route;
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
use super::reply;
use super::route::{has, redirect};
use super::to_the_end::Panicked;

use crate::format::name::NameRule;
use crate::limits::API_BODY;
use crate::model::GroupKey;
use crate::push::path::grouping_key;
use crate::state::{Refused, State};
pub(super) use groups::state_of;
pub(super) use lists::Lists;
pub(super) use matching::delete_all;
use object::object;
pub(super) use query::Query;
use route::{Original, Own, Route};
pub(super) use shape::GroupState;

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
        Self {
            status: reply::status_of(&refused),
            text: refused.to_string(),
        }
    }
}

impl From<Panicked> for ApiError {
    fn from(panic: Panicked) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            text: panic.to_string(),
        }
    }
}

/// The data of an answer, or why there is none.
type Outcome = Result<serde_json::Value, ApiError>;

/// Answers a request below `/api/v1/`. `connection` is cut if an answer that holds
/// resources is not taken in time.
pub(super) async fn answer(
    context: &Arc<Context>,
    request: ApiRequest,
    connection: &CancellationToken,
) -> Response {
    let method = &request.parts.method;
    // A wipe that is not open is not there.
    let is_there =
        |route: &Route| !matches!(route, Route::Original(Original::Wipe)) || context.admin;
    let route = Route::of(&request.path).filter(is_there);
    if method == Method::OPTIONS {
        context
            .telemetry
            .count_request("api/v1/options", "options", 200);
        return match route {
            None | Some(Route::Original(_)) => reply::cors(reply::options("")),
            Some(route) => reply::options(route.allow()),
        };
    }
    let Some(route) = route else {
        return elsewhere(context, &request);
    };
    if !has(route.allow(), method) {
        return reply::method_not_allowed(route.allow());
    }
    match route {
        Route::Original(original) => answer_original(context, &original, request, connection).await,
        Route::Description => reply::yaml(include_str!("openapi.yaml")),
        Route::Own(own) => match answer_own(context, own, request).await {
            Ok(data) => reply::success(&data),
            Err(error) => reply::api_error(error.status, &error.text),
        },
    }
}

/// Answers as the Pushgateway does, which counts these requests.
async fn answer_original(
    context: &Arc<Context>,
    original: &Original,
    request: ApiRequest,
    connection: &CancellationToken,
) -> Response {
    let (parts, telemetry) = (&request.parts, &context.telemetry);
    match (original, context.state()) {
        (Original::Wipe, _) if is_foreign(parts) => reply::foreign(),
        (Original::Wipe, None) => reply::unavailable(LOADING),
        (Original::Wipe, Some(state)) => {
            let response = matching::wipe(state, request.peer.to_string()).await;
            telemetry.count_request("wipe", "put", response.status().as_u16());
            response
        }
        (Original::Status, _) => {
            let response = reply::success(&status::status(context));
            telemetry.count_request("api/v1/status", parts.method.as_str(), 200);
            reply::cors(response)
        }
        (Original::Metrics, None) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            reply::cors(reply::api_error(status, LOADING))
        }
        (Original::Metrics, Some(state)) => {
            reply::cors(metrics::metrics(context, state, parts, connection).await)
        }
    }
}

async fn answer_own(context: &Arc<Context>, own: Own, request: ApiRequest) -> Outcome {
    let forbidden = |text: &str| ApiError {
        status: StatusCode::FORBIDDEN,
        text: text.to_owned(),
    };
    let state = context.state().ok_or_else(|| ApiError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: LOADING.to_owned(),
    })?;
    if own.is_admin() && !context.admin {
        let off = "the admin API is off: start with --web.enable-admin-api";
        return Err(forbidden(off));
    }
    if own.is_admin() && is_foreign(&request.parts) {
        return Err(forbidden(reply::FOREIGN));
    }
    dispatch(context, state, own, request).await
}

/// The answer where there is nothing: where it may be instead, or 404.
fn elsewhere(context: &Context, request: &ApiRequest) -> Response {
    let parts = &request.parts;
    let Some(path) = Route::respelled(&request.path, &parts.method) else {
        return reply::not_found();
    };
    let query = parts.uri.query();
    redirect(
        &parts.method,
        &context.site.paths,
        &format!("/api/v1/{path}"),
        query,
    )
}

async fn dispatch(
    context: &Arc<Context>,
    state: &Arc<State>,
    own: Own,
    request: ApiRequest,
) -> Outcome {
    let ApiRequest {
        parts, body, peer, ..
    } = request;
    let query = Query::parse(parts.uri.query().unwrap_or_default()).map_err(ApiError::bad)?;
    query.only(own.parameters())?;
    let by = peer.to_string();
    let key_of = |path: &[u8]| key_of(path, context.limits.names);
    match own {
        Own::Groups => groups::list(context, state, &query).await,
        Own::Group(key) => groups::detail(state, key_of(&key)?).await,
        Own::Overview => overview::overview(state).await,
        Own::Explain(key) => {
            let key = key.map(|key| key_of(&key)).transpose()?;
            overview::explain(state, key, &query).await
        }
        Own::Push => batch::push(context, state, &parts, body, peer).await,
        Own::Pin(key) if parts.method == Method::DELETE => {
            admin::unpin(state, key_of(&key)?, by).await
        }
        Own::Pin(key) => {
            let key = key_of(&key)?;
            admin::pin(state, key, json(context, &parts, body).await?, by).await
        }
        Own::PinMatching if parts.method == Method::DELETE => {
            matching::unpin(state, &query, by).await
        }
        Own::PinMatching => {
            let body = json(context, &parts, body).await?;
            matching::pin(state, &query, body, by).await
        }
        Own::Touch(key) => admin::touch(state, key_of(&key)?, by).await,
        Own::DeleteGroups => matching::delete(state, &query, by).await,
        Own::Reap => admin::reap(state, &query, by).await,
        Own::Pause => admin::pause(state, json(context, &parts, body).await?, by).await,
        Own::Resume => admin::resume(state, by).await,
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
    grouping_key(path, names).map_err(|error| ApiError::bad(error.to_string()))
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
    if received.len() > API_BODY {
        let text = format!("the body is larger than {API_BODY} bytes");
        return Err(ApiError {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            text,
        });
    }
    let bytes = received.join().map_err(body_error)?.bytes;
    let bytes = if bytes.is_empty() {
        b"{}"
    } else {
        bytes.as_slice()
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
