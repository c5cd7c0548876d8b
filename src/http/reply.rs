//! Replies: the only place, with the modules below it, where statuses, headers and bodies are put
//! together.
//!
//! Plain errors have the form of Go's `http.Error`, which clients of the
//! Pushgateway see: `text/plain`, `nosniff`, a body that ends in a newline.

mod api;
mod page;
mod raw;

use std::fmt::Display;

use axum::body::{Body, HttpBody};
use axum::http::header::{
    ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;

use crate::clock::UnixNanos;
use crate::format::accept::Offer;
use crate::limits::{HEADERS, PATH_BYTES};
use crate::state::Refused;
pub(super) use api::{api_error, api_stream, cors, success, yaml};
pub(super) use page::{asset, page, see_other};
pub(super) use raw::{NO_TLS, TOO_MANY_CONNECTIONS};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

const EXPIRES: HeaderName = HeaderName::from_static("tidegate-expires");
const DELETED: HeaderName = HeaderName::from_static("tidegate-groups-deleted");

/// Why nothing is done for a page of another site.
pub(super) const FOREIGN: &str = "another site asked for this: nothing was done";

/// Seconds after which a refused client may try again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// 200 for a stored push, with the time at which its group will expire.
pub(super) fn pushed(expires: Option<UnixNanos>) -> Response {
    let mut response = empty(StatusCode::OK);
    set_expires(&mut response, expires);
    response
}

/// 202 for a push that is stored although part of it may be hidden.
pub(super) fn stored_unseen(expires: Option<UnixNanos>) -> Response {
    let mut response = dropped();
    set_expires(&mut response, expires);
    response
}

/// 202 for a push of which nothing is stored but that it failed.
pub(super) fn dropped() -> Response {
    empty(StatusCode::ACCEPTED)
}

fn set_expires(response: &mut Response, expires: Option<UnixNanos>) {
    let expires = expires.map_or_else(|| "never".to_owned(), |at| at.rfc3339().to_string());
    set(response, EXPIRES, &expires);
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

/// An exposition of what is offered; `gzip` if the body is compressed.
pub(super) fn exposition(body: Body, offer: Offer, gzip: bool) -> Response {
    let mut response = Response::new(body);
    set(&mut response, CONTENT_TYPE, &offer.content_type());
    if gzip {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    response
}

/// A plain error: `text` and a newline; a 503 says when to try again.
pub(super) fn error(status: StatusCode, text: impl Display) -> Response {
    tracing::debug!(status = status.as_u16(), %text, "a request is refused");
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TEXT);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_SECONDS);
    }
    response
}

/// 200 with plain text.
pub(super) fn text(text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// 400.
pub(super) fn bad_request(text: impl Display) -> Response {
    error(StatusCode::BAD_REQUEST, text)
}

/// 503 with `Retry-After`.
pub(super) fn unavailable(text: impl Display) -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// What the writer would not do.
pub(super) fn refused(refused: &Refused) -> Response {
    match refused {
        Refused::Unavailable(_) => unavailable(format_args!("not stored: {refused}")),
        _ => error(status_of(refused), refused),
    }
}

/// The status for what the writer would not do, whatever form the answer has.
pub(super) fn status_of(refused: &Refused) -> StatusCode {
    match refused {
        Refused::Inconsistent(_) | Refused::InBatch { .. } => StatusCode::BAD_REQUEST,
        Refused::NoSuchGroup(_) => StatusCode::NOT_FOUND,
        Refused::Unavailable(_) | Refused::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Refused::OverQuota(_) | Refused::DiskFull(_) => StatusCode::INSUFFICIENT_STORAGE,
    }
}

/// 401, without a realm as the Pushgateway has it.
pub(super) fn unauthorized() -> Response {
    let mut response = error(StatusCode::UNAUTHORIZED, "Unauthorized");
    let basic = HeaderValue::from_static("Basic");
    response.headers_mut().insert(WWW_AUTHENTICATE, basic);
    response
}

/// 429 of the rate limit.
pub(super) fn rate_limited() -> Response {
    error(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests")
}

/// 500 while the web config file cannot be used; the log says why.
pub(super) fn web_config_broken() -> Response {
    error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// 431, for HTTP/2; in HTTP/1 the connection answers it.
pub(super) fn too_many_headers() -> Response {
    let text = format!("the request has more than {HEADERS} headers");
    error(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text)
}

/// The answer to HEAD: that to GET without its body.
pub(super) fn without_body(response: Response) -> Response {
    let length = response.body().size_hint().exact();
    let mut response = response.map(|_| Body::empty());
    if let Some(length) = length {
        let headers = response.headers_mut();
        headers.entry(CONTENT_LENGTH).or_insert(length.into());
    }
    response
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

/// The answer to OPTIONS; `allow` is empty where nobody knows.
pub(super) fn options(allow: &'static str) -> Response {
    let mut response = empty(StatusCode::OK);
    if !allow.is_empty() {
        let allow = HeaderValue::from_static(allow);
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// 400 for a path that cannot be decoded, as Go's HTTP layer answers: no newline,
/// and the connection ends.
pub(super) fn malformed() -> Response {
    let mut response = Response::new(Body::from("400 Bad Request"));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    last(response)
}

/// The last answer on its connection.
pub(super) fn last(mut response: Response) -> Response {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// 400 for what Go's HTTP layer refuses with a reason, in its form.
pub(super) fn bad_head(reason: &str) -> Response {
    let mut response = malformed();
    *response.body_mut() = Body::from(format!("400 Bad Request: {reason}"));
    response
}

/// 501 for a `Transfer-Encoding` other than `chunked`, as Go's HTTP layer answers.
pub(super) fn unknown_transfer_coding() -> Response {
    let mut response = malformed();
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    *response.body_mut() = Body::from("Unsupported transfer encoding");
    response
}

/// A redirect to another path: method and body are kept. A GET gets a page with a link,
/// as Go sends it.
pub(super) fn redirect(method: &Method, status: StatusCode, location: &str) -> Response {
    let mut response = empty(status);
    if matches!(*method, Method::GET | Method::HEAD) {
        let words = status.canonical_reason().unwrap_or_default();
        let link = html_escaped(location);
        let page = format!("<a href=\"{link}\">{words}</a>.\n\n");
        response = Response::new(Body::from(page));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HTML);
    }
    set(&mut response, LOCATION, location);
    response
}

/// Text that can stand in an attribute of HTML.
fn html_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

/// 405 of `/-/quit`, in the Pushgateway's form: no `Allow`, no newline.
pub(super) fn how_to_quit() -> Response {
    let mut response = text("Only POST or PUT requests allowed.");
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// 403 of what a browser was made to send by a page of another site.
pub(super) fn foreign() -> Response {
    error(StatusCode::FORBIDDEN, FOREIGN)
}

/// 403 of what needs `--web.enable-lifecycle`, in the Pushgateway's form: no newline.
pub(super) fn lifecycle_off() -> Response {
    let mut response = text("Lifecycle API is not enabled.");
    *response.status_mut() = StatusCode::FORBIDDEN;
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
