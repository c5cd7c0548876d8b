//! Replies: the only place where statuses, headers and bodies are put together.
//!
//! Plain errors have the form of Go's `http.Error`, which clients of the
//! Pushgateway see: `text/plain`, `nosniff`, a body that ends in a newline.

use std::fmt::Display;

use axum::body::{Body, HttpBody};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;

use crate::clock::UnixNanos;
use crate::format::accept::Offer;
use crate::limits::{HEADERS, PATH_BYTES};
use crate::state::Refused;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Nothing runs, nothing comes from or goes to elsewhere, no other site frames the page.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

const EXPIRES: HeaderName = HeaderName::from_static("tidegate-expires");
const DELETED: HeaderName = HeaderName::from_static("tidegate-groups-deleted");

/// Why nothing is done for a page of another site.
pub(super) const FOREIGN: &str = "another site asked for this: nothing was done";

/// Seconds after which a refused client may try again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Written to a connection that is one too many, before anything is read from it.
pub(super) const TOO_MANY_CONNECTIONS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
    Retry-After: 1\r\nConnection: close\r\nContent-Length: 21\r\n\r\ntoo many connections\n";

/// Written to a client that speaks plain HTTP to a port with TLS. The words are Go's.
pub(super) const NO_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n\
    Client sent an HTTP request to an HTTPS server.\n";

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

/// A plain error: `text` and a newline.
pub(super) fn error(status: StatusCode, text: impl Display) -> Response {
    tracing::debug!(status = status.as_u16(), %text, "a request is refused");
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TEXT);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// 200 with plain text.
pub(super) fn text(text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// 200 with JSON that is made while it is sent.
pub(super) fn api_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    not_kept(response)
}

/// 200 with data in the envelope of the Pushgateway's API.
pub(super) fn success(data: &serde_json::Value) -> Response {
    json(
        StatusCode::OK,
        html_safe(&format!(r#"{{"status":"success","data":{data}}}"#)),
    )
}

/// JSON with what HTML gives a meaning to escaped, as Go's `encoding/json` writes it.
/// These characters are only ever inside of strings.
fn html_safe(json: &str) -> String {
    let escaped = json.replace('<', "\\u003c").replace('>', "\\u003e");
    escaped.replace('&', "\\u0026")
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
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    not_kept(response)
}

/// A description of the API.
pub(super) fn yaml(text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("application/yaml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    not_kept(response)
}

/// Nobody keeps what the API answers.
fn not_kept(mut response: Response) -> Response {
    let never = HeaderValue::from_static("no-cache, no-store, must-revalidate");
    response.headers_mut().insert(CACHE_CONTROL, never);
    response
}

/// The headers by which the Pushgateway lets any web page read its API. Routes that it does
/// not have are without them: what is stored is no affair of whichever page is open in the
/// browser of somebody who can reach the gateway.
pub(super) fn cors(mut response: Response) -> Response {
    for (name, value) in [
        (
            "access-control-allow-headers",
            "Accept, Authorization, Content-Type, Origin",
        ),
        ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "Date"),
    ] {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    not_kept(response)
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
        Refused::InBatch { at, key, refusal } => {
            bad_request(format_args!("group {at} {key}: {refusal}"))
        }
        Refused::NoSuchGroup(key) => error(StatusCode::NOT_FOUND, format!("no group {key}")),
        Refused::Unavailable(reason) => unavailable(format_args!("not stored: {reason}")),
        Refused::Busy => unavailable("not stored: too many pushes are waiting"),
        Refused::OverQuota(over) => error(
            StatusCode::INSUFFICIENT_STORAGE,
            format!("not stored: {over}"),
        ),
        Refused::DiskFull(reason) => {
            let text = format!("not stored, the disk is full: {reason}");
            error(StatusCode::INSUFFICIENT_STORAGE, text)
        }
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

/// A page for people, never kept by anybody.
pub(super) fn page(status: StatusCode, html: String) -> Response {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_SECONDS);
    }
    response
}

/// A file that pages refer to by an address that changes with the version.
pub(super) fn asset(kind: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    response
}

/// 303 after a form has done its work, so that loading the page anew does not repeat it.
/// `to` is relative: nobody here knows what a proxy puts in front of our paths.
pub(super) fn see_other(to: &'static str) -> Response {
    let mut response = empty(StatusCode::SEE_OTHER);
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static(to));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
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
