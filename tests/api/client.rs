//! Asking the API, and reading its envelope.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tidegate::http::Doors;

use crate::harness::{Gateway, Options};

/// A gateway with the admin API.
pub(crate) fn admin() -> Gateway {
    Gateway::with(with_admin(Options::default()))
}

/// These options with the admin API.
pub(crate) fn with_admin(options: Options) -> Options {
    Options {
        doors: Doors {
            admin: true,
            ..options.doors
        },
        ..options
    }
}

/// The data of an answer that has to be a success.
#[track_caller]
pub(crate) fn ok(gateway: &Gateway, method: &str, path: &str, body: &str) -> Value {
    let answer = gateway.send(method, &format!("/api/v1/{path}"), &[], body);
    // The writer sets the requests of one batch apart by a nanosecond each.
    let text = answer.text().replace(".500000001Z", ".5Z");
    assert_eq!(answer.status, 200, "{method} {path}: {text}");
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let mut envelope: Value = serde_json::from_str(&text).expect("an answer in JSON");
    assert_eq!(envelope["status"], "success", "{text}");
    envelope["data"].take()
}

/// The data of a GET.
#[track_caller]
pub(crate) fn get(gateway: &Gateway, path: &str) -> Value {
    ok(gateway, "GET", path, "")
}

/// Status, kind and text of an answer that has to be an error in the envelope.
#[track_caller]
pub(crate) fn fails(
    gateway: &Gateway,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String, String) {
    let answer = gateway.send(method, &format!("/api/v1/{path}"), &[], body);
    let text = answer.text();
    assert_eq!(
        answer.header("Content-Type"),
        Some("application/json"),
        "{method} {path}: {} {text}",
        answer.status
    );
    let envelope: Value = serde_json::from_str(&text).expect("an answer in JSON");
    assert_eq!(envelope["status"], "error", "{method} {path}: {text}");
    let word = |name: &str| envelope[name].as_str().expect("a string").to_owned();
    (answer.status, word("errorType"), word("error"))
}

/// A 400 whose text contains this.
#[track_caller]
pub(crate) fn bad(gateway: &Gateway, method: &str, path: &str, body: &str, says: &str) {
    let (status, kind, text) = fails(gateway, method, path, body);
    assert_eq!(
        (status, kind.as_str()),
        (400, "bad_data"),
        "{method} {path}: {text}"
    );
    assert!(
        text.contains(says),
        "{method} {path}: {text:?} lacks {says:?}"
    );
}

/// A list: the path of its query, such as `groups?limit=2`.
#[track_caller]
pub(crate) fn jobs(gateway: &Gateway, path: &str) -> Vec<String> {
    names(&get(gateway, path))
}

/// The values of `job` of one page.
pub(crate) fn names(page: &Value) -> Vec<String> {
    let groups = page["groups"].as_array().expect("a list of groups");
    let name = |group: &Value| group["labels"]["job"].as_str().map(str::to_owned);
    groups
        .iter()
        .map(|group| name(group).expect("a job"))
        .collect()
}

/// `match[]=` and this selector, escaped.
pub(crate) fn matching(selector: &str) -> String {
    format!(
        "match[]={}",
        utf8_percent_encode(selector, NON_ALPHANUMERIC)
    )
}
