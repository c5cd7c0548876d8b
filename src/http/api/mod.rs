//! The API beyond the Pushgateway's: `/api/v1/groups`, `/api/v1/ttl`, `/api/v1/admin`,
//! `/api/v1/push`. Answers are JSON in the Pushgateway's envelope.

mod admin;
mod batch;
mod cursor;
mod groups;
mod overview;
mod query;
mod shape;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::body::{BodyError, receive};
use super::context::Context;
use super::health::LOADING;
use super::reply;
use crate::limits::API_BODY;
use crate::model::GroupKey;
use crate::push::path::grouping_key;
use crate::state::{Refused, State};
use query::Query;

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

    fn not_found(text: impl Into<String>) -> Self {
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
            Refused::InBatch { at, refusal } => {
                (StatusCode::BAD_REQUEST, format!("group {at}: {refusal}"))
            }
            Refused::NoSuchGroup(key) => (StatusCode::NOT_FOUND, format!("no group {key}")),
            Refused::Unavailable(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
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
    Groups,
    Group(Vec<u8>),
    Overview,
    Explain(Option<Vec<u8>>),
    Push,
    Pin(Vec<u8>),
    Touch(Vec<u8>),
    DeleteGroups,
    Reap,
    Pause,
    Resume,
    OpenApi,
}

impl Route {
    fn of(path: &[u8]) -> Option<Self> {
        let job = |prefix: &str| {
            let rest = path.strip_prefix(prefix.as_bytes())?;
            let is_job = rest.starts_with(b"job/") || rest.starts_with(b"job@base64/");
            is_job.then(|| rest.to_vec())
        };
        match path {
            b"groups" => Some(Self::Groups),
            b"ttl" => Some(Self::Overview),
            b"ttl/explain" => Some(Self::Explain(None)),
            b"push" => Some(Self::Push),
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

    fn allow(&self) -> &'static str {
        match self {
            Self::Groups | Self::Group(_) | Self::Overview | Self::Explain(_) | Self::OpenApi => {
                "GET, HEAD, OPTIONS"
            }
            Self::Pin(_) => "DELETE, OPTIONS, PUT",
            _ => "OPTIONS, POST",
        }
    }

    /// The parameters of its query string.
    fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::Groups => &["match[]", "state", "sort", "limit", "cursor"],
            Self::Explain(None) => &["match[]", "limit"],
            Self::DeleteGroups => &["match[]", "older_than", "dry_run"],
            Self::Reap => &["dry_run"],
            _ => &[],
        }
    }

    /// Whether it needs `--web.enable-admin-api`.
    fn is_admin(&self) -> bool {
        matches!(
            self,
            Self::Pin(_)
                | Self::Touch(_)
                | Self::DeleteGroups
                | Self::Reap
                | Self::Pause
                | Self::Resume
        )
    }
}

/// Answers a request below `/api/v1/`.
pub(super) async fn answer(context: &Arc<Context>, request: ApiRequest) -> Response {
    let Some(route) = Route::of(&request.path) else {
        return reply::not_found();
    };
    let method = &request.parts.method;
    if method == Method::OPTIONS {
        return reply::cors(reply::options(route.allow()));
    }
    if !route
        .allow()
        .split(", ")
        .any(|allowed| allowed == method.as_str())
    {
        return reply::method_not_allowed(route.allow());
    }
    if matches!(route, Route::OpenApi) {
        return reply::yaml(include_str!("openapi.yaml"));
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
        Some(state) => dispatch(context, state, route, request).await,
    };
    match outcome {
        Ok(data) => reply::success(&data),
        Err(error) => reply::api_error(error.status, &error.text),
    }
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
    match route {
        Route::Groups => groups::list(state, &query).await,
        Route::Group(key) => groups::detail(state, key_of(&key)?).await,
        Route::Overview => Ok(overview::overview(state)),
        Route::Explain(key) => overview::explain(state, key.as_deref(), &query).await,
        Route::Push => batch::push(context, state, &parts, body, peer).await,
        Route::Pin(key) if parts.method == Method::DELETE => {
            admin::unpin(state, key_of(&key)?, by).await
        }
        Route::Pin(key) => {
            let key = key_of(&key)?;
            admin::pin(state, key, json(context, &parts, body).await?, by).await
        }
        Route::Touch(key) => admin::touch(state, key_of(&key)?, &by).await,
        Route::DeleteGroups => admin::delete_groups(state, &query, by).await,
        Route::Reap => admin::reap(state, &query, &by).await,
        Route::Pause => admin::pause(state, json(context, &parts, body).await?, by).await,
        Route::Resume => admin::resume(state, &by).await,
        Route::OpenApi => Ok(serde_json::Value::Null),
    }
}

/// Whether the query string of a request asks to change nothing.
///
/// # Errors
/// If it cannot be understood: a dry run that is not recognised must not be a real one.
pub(super) fn dry_run(query: Option<&str>) -> Result<bool, String> {
    let query = Query::parse(query.unwrap_or_default())?;
    query.flag("dry_run").map_err(|error| error.text)
}

/// The grouping key of a decoded path.
pub(super) fn key_of(path: &[u8]) -> Result<GroupKey, ApiError> {
    grouping_key(path).map_err(|error| ApiError::bad(error.to_string()))
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
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad(format!("the body: {error}")))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn body_error(error: BodyError) -> ApiError {
    ApiError {
        status: error.status(),
        text: error.to_string(),
    }
}

/// Works on the store without holding up the runtime.
async fn read<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&crate::store::Store) -> Result<T, crate::store::ReadError> + Send + 'static,
) -> Result<T, ApiError> {
    let state = Arc::clone(state);
    let failed = |text: String| ApiError {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        text,
    };
    let done = tokio::task::spawn_blocking(move || state.read(work)).await;
    let read = done.map_err(|panic| failed(panic.to_string()))??;
    read.map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DESCRIPTION: &str = include_str!("openapi.yaml");

    /// The paths of the description, each with its methods in upper case.
    fn described() -> Vec<(String, BTreeSet<String>)> {
        let paths = DESCRIPTION.split_once("\npaths:\n").unwrap().1;
        let paths = paths.split_once("\ncomponents:\n").unwrap().0;
        let mut described: Vec<(String, BTreeSet<String>)> = Vec::new();
        for line in paths.lines() {
            let name = line.trim().trim_end_matches(':');
            match line.len() - line.trim_start().len() {
                2 => described.push((name.to_owned(), BTreeSet::new())),
                4 => drop(described.last_mut().unwrap().1.insert(name.to_uppercase())),
                _ => {}
            }
        }
        described
    }

    /// One path of every route. Written as a match, so that a new route does not compile
    /// without its path here.
    fn path(route: &Route) -> &'static str {
        match route {
            Route::Groups => "groups",
            Route::Group(_) => "groups/job/{job}",
            Route::Overview => "ttl",
            Route::Explain(None) => "ttl/explain",
            Route::Explain(Some(_)) => "ttl/explain/job/{job}",
            Route::Push => "push",
            Route::Pin(_) => "admin/ttl/job/{job}",
            Route::Touch(_) => "admin/touch/job/{job}",
            Route::DeleteGroups => "admin/delete_groups",
            Route::Reap => "admin/ttl/reap",
            Route::Pause => "admin/ttl/pause",
            Route::Resume => "admin/ttl/resume",
            Route::OpenApi => "openapi.yaml",
        }
    }

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let key = || b"job/a".to_vec();
        let routes = [
            Route::Groups,
            Route::Group(key()),
            Route::Overview,
            Route::Explain(None),
            Route::Explain(Some(key())),
            Route::Push,
            Route::Pin(key()),
            Route::Touch(key()),
            Route::DeleteGroups,
            Route::Reap,
            Route::Pause,
            Route::Resume,
            Route::OpenApi,
        ];
        let served: BTreeSet<String> = routes
            .iter()
            .map(|route| format!("/api/v1/{}", path(route)))
            .collect();
        let paths = described().into_iter().map(|(path, _)| path).collect();
        assert_eq!(served, paths);
    }

    #[test]
    fn described_paths_are_served_with_just_these_methods() {
        for (path, methods) in described() {
            let served = path.strip_prefix("/api/v1/").unwrap();
            let route = Route::of(served.replace("{job}", "a").as_bytes()).unwrap();
            assert_eq!(format!("/api/v1/{}", super::tests::path(&route)), path);
            let allowed = route.allow().split(", ");
            let allowed: BTreeSet<String> = allowed
                .filter(|method| !matches!(*method, "HEAD" | "OPTIONS"))
                .map(str::to_owned)
                .collect();
            assert_eq!(methods, allowed, "{path}");
        }
    }
}
