//! Where the gateway's pages are: `--web.route-prefix`, `--web.external-url`,
//! `--web.telemetry-path`.

use axum::http::uri::Authority;

use crate::push::path::percent_decode;

/// Paths that flags decide. They are compared with decoded paths of requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paths {
    /// In front of every path: empty, or begins with a slash and does not end with one.
    pub prefix: String,
    /// The exposition's path behind the prefix; begins with a slash. Pushes go to
    /// `/metrics/job/...` whatever it is.
    pub telemetry: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            telemetry: "/metrics".to_owned(),
        }
    }
}

/// Paths behind the prefix that `--web.telemetry-path` must leave alone.
const TAKEN: [&str; 9] = [
    "/",
    "/status",
    "/-/healthy",
    "/-/ready",
    "/-/reload",
    "/-/quit",
    "/-/group",
    "/-/delete",
    "/-/wipe",
];

/// Beginnings of such paths.
const TAKEN_BELOW: [&str; 4] = ["/api/", "/static/", "/metrics/job", "/ttl/"];

/// The prefix that a path makes, as the Pushgateway 1.11 computes it: `/` is none, a
/// slash in front is added, one at the end is dropped, and the rest is cleaned as its
/// router does.
///
/// # Errors
/// If no request can have such a path.
pub(super) fn prefix(path: &str) -> Result<String, String> {
    let path = clean(path)?;
    Ok(path.strip_suffix('/').unwrap_or(&path).to_owned())
}

/// The path of a URL, decoded.
///
/// # Errors
/// If the text is not a URL, or a path alone: among what Go's `url.Parse` refuses, a broken
/// escape in the path and a port that is no number.
pub(super) fn path_of_url(url: &str) -> Result<String, String> {
    let expected = || "expected a URL such as https://example.org/pushgateway/".to_owned();
    if url.is_empty() {
        return Ok(String::new());
    }
    let parsed: axum::http::Uri = url.parse().map_err(|_| expected())?;
    // Without a scheme it would be the authority of a CONNECT request.
    if parsed.scheme().is_none() && !url.starts_with('/') {
        return Err(expected());
    }
    if let Some(authority) = parsed.authority() {
        check_port(authority)?;
    }
    let Some(path) = percent_decode(parsed.path()) else {
        return Err("it has a % without two hexadecimal digits behind it".to_owned());
    };
    String::from_utf8(path).map_err(|_| expected())
}

/// Only that it is a number, as Go does: nothing ever connects to it.
fn check_port(authority: &Authority) -> Result<(), String> {
    let (_, place) = authority
        .as_str()
        .rsplit_once('@')
        .unwrap_or(("", authority.as_str()));
    let port = place.strip_prefix(authority.host()).unwrap_or(place);
    let port = port.strip_prefix(':').unwrap_or(port);
    if port.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(format!("the port {port:?} is not a number"))
    }
}

/// The path of the exposition, cleaned as the Pushgateway's router does.
///
/// # Errors
/// If no request can have such a path, or something else is there.
pub(super) fn telemetry(path: &str) -> Result<String, String> {
    let path = clean(path)?;
    let below = |start: &&str| path.starts_with(*start);
    if TAKEN.contains(&path.as_str()) || TAKEN_BELOW.iter().any(below) {
        return Err("something else has that path".to_owned());
    }
    Ok(path)
}

/// The path as requests have it, since any other is redirected before it is looked at:
/// with a slash in front and none at the end, without empty, `.` and `..` segments.
fn clean(path: &str) -> Result<String, String> {
    if path.contains(['?', '#']) {
        return Err("a path has no ? and no #".to_owned());
    }
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    Ok(format!("/{}", kept.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_a_slash_in_front_and_none_at_the_end() {
        for (text, expected) in [
            ("", ""),
            ("/", ""),
            ("/x", "/x"),
            ("x", "/x"),
            ("/x/", "/x"),
            ("x/y/", "/x/y"),
            ("//", ""),
            ("/..", ""),
            ("/x//", "/x"),
            ("/a//b", "/a/b"),
            ("/x/../y/./", "/y"),
        ] {
            assert_eq!(prefix(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["/x?y", "/x#y"] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }

    #[test]
    fn of_a_url_the_path_counts() {
        for (url, path) in [
            ("", ""),
            ("http://host:9091", "/"),
            ("https://host/x/", "/x/"),
            ("https://host/a%20b?q=1", "/a b"),
            ("/only/path", "/only/path"),
            ("http://h/a%2Fb%25", "/a/b%"),
            ("http://h:99999/x", "/x"),
            ("http://h:/x", "/x"),
            ("http://u:p@h:1/x", "/x"),
            ("http://[::1]/x", "/x"),
            ("http://[::1]:80/x", "/x"),
        ] {
            assert_eq!(path_of_url(url).as_deref(), Ok(path), "{url}");
        }
        for url in [
            "host/x",
            "a b",
            "http://",
            "http://h/%ff",
            "http://h/%zz",
            "http://h/a%2",
            "/%",
            "http://h:abc/x",
            "http://h:-1/x",
            "http://[::1]:x/x",
        ] {
            assert!(path_of_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_exposition_takes_nobodys_path() {
        for (text, expected) in [
            ("/metrics", "/metrics"),
            ("m", "/m"),
            ("/a/b", "/a/b"),
            ("/metrics/x", "/metrics/x"),
            ("/metrics/", "/metrics"),
            ("/a//b", "/a/b"),
            ("/a/../b", "/b"),
            ("/x/", "/x"),
        ] {
            assert_eq!(telemetry(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "/",
            "/status",
            "/-/ready",
            "/-/quit",
            "/api/v1/x",
            "/static/x",
            "/ttl/1h",
            "/metrics/job/a",
            "//",
            "/x/..",
            "/-//ready",
            "/a?b",
        ] {
            assert!(telemetry(text).is_err(), "{text}");
        }
    }
}
