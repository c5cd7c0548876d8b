//! From method and path to what is asked for.
//!
//! Paths are matched as the Pushgateway does: cleaned while still escaped, then
//! percent-decoded, then split. What is nearly a path is redirected to it.

mod clean;
#[cfg(test)]
mod tests;

use axum::http::{Method, StatusCode};
use axum::response::Response;

use super::page::Screen;
use super::reply;
use crate::push::path::percent_decode;
use crate::settings::Paths;
use clean::{behind, cleaned, is_nearly};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A page at a path of its own.
    Page(Page),
    /// A file of the web page: the decoded path behind `/static/`.
    Asset(Vec<u8>),
    /// Something below `/api/v1/`: the decoded path behind it.
    Api(Vec<u8>),
    /// PUT, POST or DELETE of a group.
    Group {
        /// Decoded path behind `/metrics/`: `job/...`.
        key: Vec<u8>,
        /// The TTL in front of it, as in `/ttl/6h/metrics/job/...`, decoded.
        ttl: Option<String>,
    },
    /// GET of `/-/quit`, which has no prefix ever: told how it is done.
    HowToQuit,
    /// A path that exists, with OPTIONS.
    Options(&'static str),
    /// A path that exists, with a method it does not have.
    NotAllowed(&'static str),
    /// The path must be spelled otherwise.
    Redirect(StatusCode, String),
    /// Broken percent-encoding.
    Malformed,
    /// No such path.
    NotFound,
}

impl Route {
    /// Whether the body is for what answers this; the body of any other request is
    /// not needed. Answers to a path that cannot stand are given before any body.
    pub(super) fn reads_body(&self, method: &Method) -> bool {
        match self {
            Self::Api(_) | Self::Redirect(..) | Self::Malformed => true,
            Self::Group { .. } => *method != Method::DELETE,
            Self::Page(Page::Screen(_)) => *method == Method::POST,
            _ => false,
        }
    }
}

/// What is at a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The exposition.
    Scrape,
    /// `/-/healthy`.
    Healthy,
    /// `/-/ready`.
    Ready,
    /// `/-/reload`.
    Reload,
    /// `/-/quit`.
    Quit,
    /// Something for people.
    Screen(Screen),
}

const READ: &str = "GET, HEAD, OPTIONS";
const ACT: &str = "OPTIONS, POST, PUT";
const FORM: &str = "GET, HEAD, OPTIONS, POST";
const QUIT: &str = "GET, HEAD, OPTIONS, POST, PUT";
const WRITE: &str = "DELETE, OPTIONS, POST, PUT";

/// The two spellings of a job in front of its name.
const JOBS: [&str; 2] = ["/metrics/job/", "/metrics/job@base64/"];

/// Path behind the prefix and methods of every page.
fn pages(paths: &Paths) -> [(&str, &'static str, Page); 10] {
    [
        (&paths.telemetry, READ, Page::Scrape),
        ("/-/healthy", READ, Page::Healthy),
        ("/-/ready", READ, Page::Ready),
        ("/-/reload", ACT, Page::Reload),
        ("/-/quit", ACT, Page::Quit),
        ("/", READ, Page::Screen(Screen::Groups)),
        ("/status", READ, Page::Screen(Screen::Status)),
        ("/-/group", READ, Page::Screen(Screen::Group)),
        ("/-/delete", FORM, Page::Screen(Screen::Delete)),
        ("/-/wipe", FORM, Page::Screen(Screen::Wipe)),
    ]
}

/// The route of a request; `path` is still escaped.
pub(super) fn route(method: &Method, path: &str, query: Option<&str>, paths: &Paths) -> Route {
    let redirect = |status, to: String| {
        Route::Redirect(
            status,
            query.map_or(to.clone(), |query| format!("{to}?{query}")),
        )
    };
    if let Some(clean) = cleaned(path) {
        return redirect(StatusCode::TEMPORARY_REDIRECT, clean);
    }
    let Some(decoded) = percent_decode(path) else {
        return Route::Malformed;
    };
    if decoded == b"*" && method == Method::OPTIONS {
        return Route::Options("");
    }
    let at_prefix = decoded.strip_prefix(paths.prefix.as_bytes());
    let found = match at_prefix {
        Some(b"/-/quit") if paths.prefix.is_empty() => quit(method),
        Some(at) => found(method, at, paths),
        None if decoded == b"/-/quit" => unprefixed_quit(method),
        None => Route::NotFound,
    };
    if !matches!(found, Route::NotFound | Route::NotAllowed(_)) {
        return found;
    }
    let better = respelled(method, path, &decoded, paths);
    better.map_or(found, |path| redirect(moved(method), path))
}

/// The route of a decoded path behind the prefix.
fn found(method: &Method, path: &[u8], paths: &Paths) -> Route {
    if let Some(path) = path.strip_prefix(b"/api/v1/") {
        return Route::Api(path.to_vec());
    }
    if let Some(name) = path.strip_prefix(b"/static/") {
        return allowed(method, READ, || Route::Asset(name.to_vec()));
    }
    let mut pages = pages(paths).into_iter();
    match pages.find(|(at, ..)| at.as_bytes() == path) {
        Some((_, allow, page)) => allowed(method, allow, || Route::Page(page)),
        None => group(method, path),
    }
}

/// The route, if its path has the method.
fn allowed(method: &Method, allow: &'static str, route: impl FnOnce() -> Route) -> Route {
    match *method {
        Method::OPTIONS => Route::Options(allow),
        _ if has(allow, method) => route(),
        _ => Route::NotAllowed(allow),
    }
}

/// Whether a method is in a value of the `Allow` header.
pub(super) fn has(allow: &str, method: &Method) -> bool {
    allow.split(", ").any(|allowed| allowed == method.as_str())
}

/// `/-/quit` where no prefix moves it.
fn quit(method: &Method) -> Route {
    match *method {
        Method::GET | Method::HEAD => Route::HowToQuit,
        _ => allowed(method, QUIT, || Route::Page(Page::Quit)),
    }
}

/// `/-/quit` outside the prefix.
fn unprefixed_quit(method: &Method) -> Route {
    allowed(method, READ, || Route::HowToQuit)
}

fn group(method: &Method, path: &[u8]) -> Route {
    let (ttl, path) = match ttl_prefix(path) {
        Some((ttl, path)) => (Some(ttl), path),
        None => (None, path),
    };
    let named = |job: &&str| path.len() > job.len() && path.starts_with(job.as_bytes());
    if !JOBS.iter().any(named) {
        return Route::NotFound;
    }
    allowed(method, WRITE, || Route::Group {
        key: path["/metrics/".len()..].to_vec(),
        ttl,
    })
}

/// Splits `/ttl/<TTL>` off a decoded path.
fn ttl_prefix(path: &[u8]) -> Option<(String, &[u8])> {
    let rest = path.strip_prefix(b"/ttl/")?;
    let end = memchr::memchr(b'/', rest)?;
    Some((
        String::from_utf8_lossy(&rest[..end]).into_owned(),
        &rest[end..],
    ))
}

/// How the path should be spelled for this method, but for a slash at the end and letter
/// case; escaped. `None` if no spelling would do.
fn respelled(method: &Method, path: &str, decoded: &[u8], paths: &Paths) -> Option<String> {
    let prefix = &paths.prefix;
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let near = |at: &str| is_nearly(decoded, &format!("{prefix}{at}"));
    let to = |at: &str| Some(escaped(&format!("{prefix}{at}")));
    if decoded == format!("{prefix}/api/v1").as_bytes() {
        return to("/api/v1/");
    }
    if reads && !prefix.is_empty() && near("/") && !decoded.ends_with(b"/") {
        return to("/");
    }
    if reads && is_nearly(decoded, "/-/quit") && decoded != b"/-/quit" {
        return Some("/-/quit".to_owned());
    }
    if *method == Method::OPTIONS {
        return None;
    }
    let page = pages(paths).into_iter();
    let mut page = page.filter(|(at, allow, _)| has(allow, method) && near(at));
    if let Some((at, ..)) = page.next() {
        return to(at);
    }
    if !has(WRITE, method) {
        return None;
    }
    // A slash too many, for the Pushgateway's router; what it says of the rest is 404.
    if decoded == format!("{prefix}{}", JOBS[0]).as_bytes() {
        return to(JOBS[0].trim_end_matches('/'));
    }
    JOBS.iter().find_map(|job| {
        let rest = behind(path, &format!("{prefix}{job}"))?;
        let better = format!("{}{rest}", to(job)?);
        (!rest.is_empty() && better != path).then_some(better)
    })
}

/// The answer that sends to another path behind the prefix.
pub(super) fn redirect(
    method: &Method,
    paths: &Paths,
    path: &str,
    query: Option<&str>,
) -> Response {
    let path = escaped(&format!("{}{path}", paths.prefix));
    let location = query.map_or(path.clone(), |query| format!("{path}?{query}"));
    reply::redirect(method, moved(method), &location)
}

/// As the Pushgateway's router moves: for good where that keeps the method everywhere.
fn moved(method: &Method) -> StatusCode {
    match *method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::TEMPORARY_REDIRECT,
    }
}

/// A path of ours as it stands in an address.
pub(super) fn escaped(path: &str) -> String {
    percent_encoding::utf8_percent_encode(path, RESERVED).to_string()
}

/// What Go escapes in paths.
const RESERVED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');
