//! Paths as they should be spelled: what is redirected, and to where.
//!
//! The Pushgateway's redirects, but escaped once and with method and body kept.

use crate::push::path::percent_decode;

/// The path without empty, `.` and `..` segments, if it has any; a slash at the end stays.
///
/// Backslashes are escaped: browsers take them for slashes, and `/\\host` for another site.
pub(super) fn cleaned(path: &str) -> Option<String> {
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
    Some(format!("/{}{slash}", kept.join("/")).replace('\\', "%5C"))
}

/// What is left of an escaped path behind `start`, if it begins so when decoded, in
/// whatever letter case. It stays escaped, so that nothing in it changes its meaning.
pub(super) fn behind<'a>(path: &'a str, start: &str) -> Option<&'a str> {
    let mut rest = path;
    for wanted in start.bytes() {
        let (first, length) = match rest.as_bytes() {
            [b'%', _, _, ..] => (percent_decode(rest.get(..3)?)?[0], 3),
            [first, ..] => (*first, 1),
            [] => return None,
        };
        if !first.eq_ignore_ascii_case(&wanted) {
            return None;
        }
        rest = rest.get(length..)?;
    }
    Some(rest)
}

/// Whether a decoded path is `page` but for letter case and one slash at the end.
pub(super) fn is_nearly(path: &[u8], page: &str) -> bool {
    let bare = |path: &[u8]| path.strip_suffix(b"/").unwrap_or(path).to_ascii_lowercase();
    bare(path) == bare(page.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_path_keeps_its_escapes() {
        for (path, rest) in [
            ("/metrics/job/a%2Fb", Some("a%2Fb")),
            ("/METRICS/Job/a/x/%2Fvar", Some("a/x/%2Fvar")),
            ("/%4detrics/job/", Some("")),
            ("/metrics/job", None),
            ("/metrics/jobs/a", None),
            ("/m\u{e9}trics/job/a", None),
            ("/metrics/job%", None),
        ] {
            assert_eq!(behind(path, "/metrics/job/"), rest, "{path}");
        }
    }

    #[test]
    fn letter_case_and_one_slash_do_not_count() {
        for (path, near) in [
            ("/metrics", true),
            ("/Metrics/", true),
            ("/metrics//", false),
            ("/metric", false),
            ("/metrics/x", false),
        ] {
            assert_eq!(is_nearly(path.as_bytes(), "/metrics"), near, "{path}");
        }
        assert!(is_nearly(b"/X", "/x/"));
    }
}
