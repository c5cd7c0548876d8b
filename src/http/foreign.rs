//! Requests that a browser sends because a page of another site asked for them.
//!
//! Any page can make its visitor's browser send a POST to whatever the visitor can reach,
//! with the visitor's password. Browsers say so, programs say nothing: curl, clients and our
//! own command line send neither of these headers. The rule is that of Go's
//! `http.CrossOriginProtection`.

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

/// Whether the browser itself calls the request foreign; `None`: it says nothing, as always
/// without TLS.
pub(super) fn called_foreign(headers: &HeaderMap) -> Option<bool> {
    let site = headers.get("sec-fetch-site")?;
    Some(site != "same-origin" && site != "none")
}

/// Whether a page of another site asked for this.
pub(super) fn is_foreign(parts: &Parts) -> bool {
    called_foreign(&parts.headers).unwrap_or_else(|| {
        let origin = parts.headers.get(ORIGIN).map(HeaderValue::as_bytes);
        origin.is_some_and(|origin| !is_ours(origin, parts))
    })
}

/// Whether an origin, such as `https://host:9091`, is the host that was asked.
fn is_ours(origin: &[u8], parts: &Parts) -> bool {
    let asked = parts.headers.get(HOST).map(HeaderValue::as_bytes);
    let authority = parts.uri.authority().map(|host| host.as_str().as_bytes());
    let host = origin.strip_prefix(b"http://");
    let host = host.or_else(|| origin.strip_prefix(b"https://"));
    host.zip(authority.or(asked))
        .is_some_and(|(origin, asked)| origin.eq_ignore_ascii_case(asked))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn browsers_say_what_other_sites_ask_for_and_programs_say_nothing() {
        let evil = Some("http://evil.example");
        for (site, origin, foreign) in [
            (None, None, false),
            (Some("same-origin"), evil, false),
            (Some("none"), None, false),
            (Some("same-site"), None, true),
            (Some("cross-site"), Some("http://gateway:9091"), true),
            (None, evil, true),
            (None, Some("null"), true),
            (None, Some(""), true),
            (None, Some("http://gateway:9091"), false),
            (None, Some("https://GATEWAY:9091"), false),
            (None, Some("http://gateway:9091.evil.example"), true),
            (None, Some("http://gateway"), true),
        ] {
            let headers = [("sec-fetch-site", site), ("origin", origin)];
            let given = headers
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            for (uri, host) in [("/", Some("gateway:9091")), ("https://gateway:9091/", None)] {
                let mut request = Request::post(uri);
                for (name, value) in given.clone().chain(host.map(|host| ("host", host))) {
                    request = request.header(name, value);
                }
                let (parts, ()) = request.body(()).unwrap().into_parts();
                assert_eq!(is_foreign(&parts), foreign, "{site:?} {origin:?} {uri}");
            }
        }
    }
}
