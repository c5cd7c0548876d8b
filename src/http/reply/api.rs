//! Answers of the API: JSON in the Pushgateway's envelope.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::RETRY_SECONDS;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with JSON that is made while it is sent.
pub(in crate::http) fn api_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    not_kept(response)
}

/// 200 with data in the envelope of the Pushgateway's API.
pub(in crate::http) fn success(data: &serde_json::Value) -> Response {
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
pub(in crate::http) fn api_error(status: StatusCode, text: &str) -> Response {
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
pub(in crate::http) fn yaml(text: &'static str) -> Response {
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
pub(in crate::http) fn cors(mut response: Response) -> Response {
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
