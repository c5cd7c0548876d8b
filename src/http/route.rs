//! From method and path to what is asked for.
//!
//! Paths are matched as the Pushgateway does: cleaned while still escaped, then
//! percent-decoded, then split.

use axum::http::Method;

use crate::push::path::percent_decode;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The exposition.
    Scrape,
    /// `/-/healthy`.
    Healthy,
    /// `/-/ready`.
    Ready,
    /// `/-/reload`.
    Reload,
    /// Something below `/api/v1/`: the decoded path behind it.
    Api(Vec<u8>),
    /// PUT, POST or DELETE of a group.
    Group {
        /// Decoded path behind `/metrics/`: `job/...`.
        key: Vec<u8>,
        /// The TTL in front of it, as in `/ttl/6h/metrics/job/...`, decoded.
        ttl: Option<String>,
    },
    /// A path that exists, with OPTIONS.
    Options(&'static str),
    /// A path that exists, with a method it does not have.
    NotAllowed(&'static str),
    /// The path must be spelled otherwise.
    Redirect(String),
    /// Broken percent-encoding.
    Malformed,
    /// No such path.
    NotFound,
}

const READ: &str = "GET, HEAD, OPTIONS";
const RELOAD: &str = "OPTIONS, POST, PUT";
const WRITE: &str = "DELETE, OPTIONS, POST, PUT";

/// The route of a request; `path` is still escaped.
pub(super) fn route(method: &Method, path: &str, query: Option<&str>) -> Route {
    if let Some(clean) = cleaned(path) {
        return Route::Redirect(query.map_or(clean.clone(), |query| format!("{clean}?{query}")));
    }
    let Some(path) = percent_decode(path) else {
        return Route::Malformed;
    };
    match path.as_slice() {
        b"*" if method == Method::OPTIONS => Route::Options(""),
        b"/metrics" => read(method, Route::Scrape),
        b"/-/healthy" => read(method, Route::Healthy),
        b"/-/ready" => read(method, Route::Ready),
        b"/-/reload" => match *method {
            Method::PUT | Method::POST => Route::Reload,
            Method::OPTIONS => Route::Options(RELOAD),
            _ => Route::NotAllowed(RELOAD),
        },
        path => match path.strip_prefix(b"/api/v1/") {
            Some(path) => Route::Api(path.to_vec()),
            None => group(method, path),
        },
    }
}

fn read(method: &Method, route: Route) -> Route {
    match *method {
        Method::GET | Method::HEAD => route,
        Method::OPTIONS => Route::Options(READ),
        _ => Route::NotAllowed(READ),
    }
}

fn group(method: &Method, path: &[u8]) -> Route {
    let (ttl, path) = match ttl_prefix(path) {
        Some((ttl, path)) => (Some(ttl), path),
        None => (None, path),
    };
    let Some(key) = path.strip_prefix(b"/metrics/") else {
        return Route::NotFound;
    };
    let job = [&b"job/"[..], b"job@base64/"]
        .iter()
        .find_map(|prefix| key.strip_prefix(*prefix));
    if job.is_none_or(<[u8]>::is_empty) {
        return Route::NotFound;
    }
    match *method {
        Method::PUT | Method::POST | Method::DELETE => Route::Group {
            key: key.to_vec(),
            ttl,
        },
        Method::OPTIONS => Route::Options(WRITE),
        _ => Route::NotAllowed(WRITE),
    }
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

/// The path without empty, `.` and `..` segments, if it has any; a slash at the end stays.
fn cleaned(path: &str) -> Option<String> {
    let body = path.strip_prefix('/')?;
    let unclean = |segment: &str| matches!(segment, "" | "." | "..");
    let (inner, last) = body
        .rsplit_once('/')
        .map_or(("", body), |(inner, last)| (inner, last));
    let inner_unclean = body.contains('/') && inner.split('/').any(unclean);
    if !inner_unclean && !matches!(last, "." | "..") {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in body.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let slash = if last.is_empty() && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    Some(format!("/{}{slash}", kept.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(key: &str) -> Route {
        Route::Group {
            key: key.into(),
            ttl: None,
        }
    }

    #[test]
    fn routes_by_method_and_path() {
        for (method, path, expected) in [
            ("GET", "/metrics", Route::Scrape),
            ("HEAD", "/metrics", Route::Scrape),
            ("OPTIONS", "/metrics", Route::Options(READ)),
            ("BREW", "/metrics", Route::NotAllowed(READ)),
            ("GET", "/-/healthy", Route::Healthy),
            ("GET", "/-/ready", Route::Ready),
            ("POST", "/-/ready", Route::NotAllowed(READ)),
            ("PUT", "/metrics/job/a", group("job/a")),
            ("POST", "/metrics/job/a/x/1", group("job/a/x/1")),
            ("DELETE", "/metrics/job@base64/YQ", group("job@base64/YQ")),
            ("PUT", "/metrics/job/a%2Fb/c", group("job/a/b/c")),
            ("PUT", "/metrics/job/%2Fa%2Fb", group("job//a/b")),
            ("GET", "/metrics/job/a", Route::NotAllowed(WRITE)),
            ("OPTIONS", "/metrics/job/a", Route::Options(WRITE)),
            ("PUT", "/metrics/job", Route::NotFound),
            ("PUT", "/metrics/job/", Route::NotFound),
            ("PUT", "/metrics/job@base64/", Route::NotFound),
            ("PUT", "/metrics/jobs/a", Route::NotFound),
            ("PUT", "/metrics/", Route::NotFound),
            ("GET", "/nothing", Route::NotFound),
            ("PUT", "/metrics/job/%zz", Route::Malformed),
            ("PUT", "/metrics/job/a%", Route::Malformed),
        ] {
            let method: Method = method.parse().unwrap();
            assert_eq!(route(&method, path, None), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_ttl_may_stand_in_front_of_a_push_path() {
        let expected = Route::Group {
            key: "job/a".into(),
            ttl: Some("6h".into()),
        };
        assert_eq!(route(&Method::PUT, "/ttl/6h/metrics/job/a", None), expected);
        assert_eq!(
            route(&Method::PUT, "/ttl/6h/metrics", None),
            Route::NotFound
        );
        assert_eq!(route(&Method::GET, "/ttl/6h", None), Route::NotFound);
    }

    #[test]
    fn unclean_paths_are_redirected_with_their_escapes_and_query() {
        for (path, clean) in [
            ("/metrics//job/a%20b", "/metrics/job/a%20b"),
            ("//metrics", "/metrics"),
            ("/metrics/./job/a/", "/metrics/job/a/"),
            ("/x/../metrics", "/metrics"),
            ("/metrics/job/a/..", "/metrics/job"),
            ("/..", "/"),
            ("//", "/"),
        ] {
            assert_eq!(
                route(&Method::PUT, path, None),
                Route::Redirect(clean.into()),
                "{path}"
            );
            let with_query = Route::Redirect(format!("{clean}?q=1"));
            assert_eq!(route(&Method::PUT, path, Some("q=1")), with_query, "{path}");
        }
        for path in [
            "/metrics/job/a/",
            "/metrics/job/%2F%2Fa",
            "/metrics/job/a/x/%2e%2e",
            "/..a",
        ] {
            assert_eq!(cleaned(path), None, "{path}");
        }
    }
}
