//! User and password of a request.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a client says who it is. Neither part has to be UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: Vec<u8>,
    pub(super) password: Vec<u8>,
}

/// The first `Authorization: Basic ...`, read as Go reads it: the scheme in any
/// case, standard base64 with its padding, the user up to the first colon.
pub(super) fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    const SCHEME: &[u8] = b"Basic ";
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, encoded) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let decoded = STANDARD.decode(encoded).ok()?;
    let colon = memchr::memchr(b':', &decoded)?;
    Some(Credentials {
        user: decoded[..colon].to_vec(),
        password: decoded[colon + 1..].to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_are_read_as_go_reads_them() {
        for (value, expected) in [
            ("Basic YTpi", Some(("a", "b"))),
            ("bAsIc YTpi", Some(("a", "b"))),
            ("Basic YTpiOmM=", Some(("a", "b:c"))),
            ("Basic Og==", Some(("", ""))),
            ("Basic YTo", None),
            ("Basic YWI=", None),
            ("Basic  YTpi", None),
            ("Basic", None),
            ("Bearer YTpi", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            let expected = expected.map(|(user, password)| Credentials {
                user: user.into(),
                password: password.into(),
            });
            assert!(credentials(&headers) == expected, "{value:?}");
        }
        assert!(credentials(&HeaderMap::new()).is_none());
    }
}
