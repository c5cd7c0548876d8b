//! Replies: the only place where statuses, headers and bodies are put together.
//!
//! Plain errors have the form of Go's `http.Error`, which clients of the
//! Pushgateway see: `text/plain`, `nosniff`, a body that ends in a newline.

use std::fmt::Display;

use axum::body::Body;
use axum::http::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use crate::clock::UnixNanos;
use crate::limits::PATH_BYTES;
use crate::state::Refused;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The exposition's own type: text 0.0.4, names escaped as the Pushgateway 1.11 says.
const EXPOSITION: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8; escaping=underscores");

const EXPIRES: HeaderName = HeaderName::from_static("tidegate-expires");
const DELETED: HeaderName = HeaderName::from_static("tidegate-groups-deleted");

/// Seconds after which a refused client may try again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Written to a connection that is one too many, before anything is read from it.
pub(super) const TOO_MANY_CONNECTIONS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
    Retry-After: 1\r\nConnection: close\r\nContent-Length: 21\r\n\r\ntoo many connections\n";

/// 200 for a stored push, with the time at which its group will expire.
pub(super) fn pushed(expires: Option<UnixNanos>) -> Response {
    let mut response = empty(StatusCode::OK);
    let expires = expires.map_or_else(|| "never".to_owned(), |at| at.rfc3339().to_string());
    set(&mut response, EXPIRES, &expires);
    response
}

/// 202 for a delete, with the number of groups that are gone.
pub(super) fn deleted(groups: usize) -> Response {
    let mut response = empty(StatusCode::ACCEPTED);
    set(&mut response, DELETED, &groups.to_string());
    response
}

/// `OK` for health checks, without newline.
pub(super) fn healthy() -> Response {
    let mut response = Response::new(Body::from("OK"));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// An exposition; `gzip` if the body is compressed.
pub(super) fn exposition(body: Body, gzip: bool) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, EXPOSITION);
    if gzip {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    response
}

/// A plain error: `text` and a newline.
pub(super) fn error(status: StatusCode, text: impl Display) -> Response {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TEXT);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// 200 with plain text.
pub(super) fn text(text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// 200 with data in the envelope of the Pushgateway's API.
pub(super) fn success(data: &serde_json::Value) -> Response {
    json(
        StatusCode::OK,
        format!(r#"{{"status":"success","data":{data}}}"#),
    )
}

/// An error in the envelope of the Pushgateway's API.
pub(super) fn api_error(status: StatusCode, text: &str) -> Response {
    let kind = match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => "bad_data",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => "unavailable",
        _ => "internal",
    };
    let text = serde_json::Value::from(text);
    let body = format!(r#"{{"status":"error","errorType":"{kind}","error":{text}}}"#);
    let mut response = json(status, body);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    }
    response
}

fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    cors(response)
}

/// A description of the API.
pub(super) fn yaml(text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("application/yaml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    cors(response)
}

/// The headers that the Pushgateway's API has.
pub(super) fn cors(mut response: Response) -> Response {
    for (name, value) in [
        (
            "access-control-allow-headers",
            "Accept, Authorization, Content-Type, Origin",
        ),
        ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "Date"),
        ("cache-control", "no-cache, no-store, must-revalidate"),
    ] {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// 400.
pub(super) fn bad_request(text: impl Display) -> Response {
    error(StatusCode::BAD_REQUEST, text)
}

/// 503 with `Retry-After`.
pub(super) fn unavailable(text: impl Display) -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    response
}

/// What the writer would not do.
pub(super) fn refused(refused: &Refused) -> Response {
    match refused {
        Refused::Inconsistent(refusal) => bad_request(refusal),
        Refused::InBatch { at, refusal } => bad_request(format_args!("group {at}: {refusal}")),
        Refused::NoSuchGroup(key) => error(StatusCode::NOT_FOUND, format!("no group {key}")),
        Refused::Unavailable(reason) => unavailable(format_args!("not stored: {reason}")),
        Refused::Busy => unavailable("not stored: too many pushes are waiting"),
        Refused::DiskFull(reason) => {
            let text = format!("not stored, the disk is full: {reason}");
            error(StatusCode::INSUFFICIENT_STORAGE, text)
        }
    }
}

/// 414.
pub(super) fn path_too_long() -> Response {
    let text = format!("path and query of the address are longer than {PATH_BYTES} bytes");
    error(StatusCode::URI_TOO_LONG, text)
}

/// 404.
pub(super) fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "404 page not found")
}

/// 405, naming the methods that are allowed.
pub(super) fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// The answer to OPTIONS.
pub(super) fn options(allow: &'static str) -> Response {
    let mut response = empty(StatusCode::OK);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// 400 for a path that cannot be decoded, as Go's HTTP layer answers: no newline,
/// and the connection ends.
pub(super) fn malformed() -> Response {
    let mut response = Response::new(Body::from("400 Bad Request"));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TEXT);
    headers.insert("connection", HeaderValue::from_static("close"));
    response
}

/// 307 to another path: method and body are kept.
pub(super) fn redirect(location: &str) -> Response {
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    set(&mut response, LOCATION, location);
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

/// Sets a header whose value is ASCII; one that is not is left out.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
