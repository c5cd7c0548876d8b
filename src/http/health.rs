//! `/-/healthy` and `/-/ready`.

use axum::http::Method;
use axum::response::Response;

use super::context::Context;
use super::reply;

/// Text of every 503 before the store is loaded.
pub(super) const LOADING: &str = "the store is still being loaded";

/// Text of the 503 for those who waited for a store that could not be loaded.
pub(super) const NOT_LOADED: &str = "the store could not be loaded";

/// The same for a gateway that is stopped before its store is loaded.
pub(super) const STOPPED: &str = "the gateway was stopped before its store was loaded";

/// 200 unless a failed commit keeps the store from taking pushes.
pub(super) fn healthy(context: &Context, method: &Method) -> Response {
    let response = match context.state().and_then(|state| state.health().refusal()) {
        None => reply::healthy(),
        Some(reason) => reply::unavailable(reason),
    };
    context
        .telemetry
        .count_request("healthy", method.as_str(), response.status().as_u16());
    response
}

/// 200 once the store is loaded, and while it takes pushes.
pub(super) fn ready(context: &Context, method: &Method) -> Response {
    let response = match context.state().map(|state| state.health().refusal()) {
        None => reply::unavailable(LOADING),
        Some(None) => reply::healthy(),
        Some(Some(reason)) => reply::unavailable(reason),
    };
    context
        .telemetry
        .count_request("ready", method.as_str(), response.status().as_u16());
    response
}
