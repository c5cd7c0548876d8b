//! The TTL a pusher names, in any of three places, because clients differ in
//! what they let their users set: a header, a prefix of the address
//! (`/ttl/6h/metrics/job/...`) and the query string (`?ttl=6h`).

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

use super::{Ttl, TtlError};

/// The headers a pusher may name its TTL in, in lower case.
pub const HEADERS: [&str; 2] = ["tidegate-ttl", "x-tidegate-ttl"];

/// A place where a push can name its TTL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// `Tidegate-TTL`, or `X-Tidegate-TTL` for proxies that pass only such.
    Header,
    /// `/ttl/<TTL>` in front of the path.
    Prefix,
    /// `ttl=<TTL>` in the query string.
    Query,
}

impl fmt::Display for Carrier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Header => "header Tidegate-TTL",
            Self::Prefix => "address prefix /ttl/",
            Self::Query => "query parameter ttl",
        })
    }
}

/// The TTL a push names itself; `None` if it names none.
///
/// `header` is every value of the headers in [`HEADERS`], `prefix` the
/// percent-decoded path segment after `/ttl/`, `query` the whole query string
/// as sent. Places that spell one duration differently agree.
///
/// # Errors
///
/// [`TtlError::Bad`] for an empty, negative or meaningless value,
/// [`TtlError::Differ`] if two places name different TTLs.
pub fn pushed_ttl(
    header: &[&str],
    prefix: Option<&str>,
    query: Option<&str>,
) -> Result<Option<Ttl>, TtlError> {
    let headers = header
        .iter()
        .map(|text| (Carrier::Header, Cow::Borrowed(*text)));
    let prefixes = prefix
        .into_iter()
        .map(|text| (Carrier::Prefix, Cow::Borrowed(text)));
    let queries = query_values(query.unwrap_or_default()).map(|text| (Carrier::Query, text));
    let mut first: Option<(Carrier, Ttl)> = None;
    for (carrier, text) in headers.chain(prefixes).chain(queries) {
        let ttl = text.parse().map_err(|source| TtlError::Bad {
            carrier,
            text: text.chars().take(40).collect(),
            source,
        })?;
        match first {
            None => first = Some((carrier, ttl)),
            Some(first) if first.1 != ttl => {
                return Err(TtlError::Differ {
                    first,
                    second: (carrier, ttl),
                });
            }
            Some(_) => {}
        }
    }
    Ok(first.map(|(_, ttl)| ttl))
}

/// The decoded values of the key `ttl` in a query string.
fn query_values(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == "ttl").then(|| decoded(value))
    })
}

/// Percent-decoded; bytes that are not UTF-8 become replacement characters,
/// which no TTL holds.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SIX_HOURS: Ttl = Ttl::After(Duration::from_hours(6));

    #[test]
    fn every_carrier_is_read_and_equal_durations_agree() {
        type Case<'a> = (&'a [&'a str], Option<&'a str>, Option<&'a str>, Option<Ttl>);
        let cases: [Case<'_>; 14] = [
            (&[], None, None, None),
            (&[], None, Some(""), None),
            (&[], None, Some("tt=1&l&attl=6h&ttl2=6h&TTL=6h"), None),
            (&["6h"], None, None, Some(SIX_HOURS)),
            (&[" 6h "], None, None, Some(SIX_HOURS)),
            (&["6h", "360m"], None, None, Some(SIX_HOURS)),
            (&[], Some("21600"), None, Some(SIX_HOURS)),
            (&[], None, Some("ttl=6h"), Some(SIX_HOURS)),
            (&[], None, Some("a=b&&ttl=6h&ttl=21600s&c"), Some(SIX_HOURS)),
            (&[], None, Some("%74tl=6%68"), Some(SIX_HOURS)),
            (&["6h"], Some("0.25d"), Some("ttl=21600"), Some(SIX_HOURS)),
            (&["never"], Some("0"), Some("ttl=0s"), Some(Ttl::Never)),
            (
                &["1ms"],
                None,
                None,
                Some(Ttl::After(Duration::from_millis(1))),
            ),
            (
                &[],
                None,
                Some("ttl=1%C2%B5s"),
                Some(Ttl::After(Duration::from_micros(1))),
            ),
        ];
        for (header, prefix, query, ttl) in cases {
            let case = format!("{header:?} {prefix:?} {query:?}");
            assert_eq!(pushed_ttl(header, prefix, query), Ok(ttl), "{case}");
        }
    }

    #[test]
    fn what_is_no_ttl_is_refused_by_its_carrier_and_text() {
        for (text, reason) in [
            ("", "\"\" in the C: a duration is missing"),
            ("soon", "\"soon\" in the C: expected a number"),
            ("-1h", "\"-1h\" in the C: a duration cannot be negative"),
            ("6h, 6h", "\"6h, 6h\" in the C: unknown unit \"h, \""),
            ("\u{fffd}", "\"\u{fffd}\" in the C: expected a number"),
        ] {
            let query = format!("x=1&ttl={}", text.replace('\u{fffd}', "%FF"));
            for (carrier, result) in [
                ("header Tidegate-TTL", pushed_ttl(&[text], None, None)),
                ("address prefix /ttl/", pushed_ttl(&[], Some(text), None)),
                (
                    "query parameter ttl",
                    pushed_ttl(&["1h"], Some("1h"), Some(&query)),
                ),
            ] {
                let error = result.unwrap_err().to_string();
                let start = format!("bad TTL {}", reason.replace('C', carrier));
                assert!(error.starts_with(&start), "{error}");
            }
        }
        assert!(
            pushed_ttl(&[], None, Some("ttl")).is_err(),
            "a key without a value"
        );
        assert!(
            pushed_ttl(&[], None, Some("ttl=6h&ttl=x")).is_err(),
            "the second value"
        );
    }

    #[test]
    fn places_that_do_not_agree_are_both_named() {
        type Case<'a> = (&'a [&'a str], Option<&'a str>, Option<&'a str>, &'a str);
        let cases: [Case<'_>; 4] = [
            (
                &["6h"],
                Some("7h"),
                None,
                "the H says the TTL is 6h, the P says 7h",
            ),
            (
                &["6h"],
                None,
                Some("ttl=0"),
                "the H says the TTL is 6h, the Q says never",
            ),
            (
                &["1h", "2h"],
                None,
                None,
                "the H says the TTL is 1h, the H says 2h",
            ),
            (
                &[],
                Some("1y"),
                Some("ttl=1w"),
                "the P says the TTL is 365d, the Q says 7d",
            ),
        ];
        for (header, prefix, query, message) in cases {
            let error = pushed_ttl(header, prefix, query).unwrap_err().to_string();
            let message = message
                .replace("the H", "the header Tidegate-TTL")
                .replace("the P", "the address prefix /ttl/")
                .replace("the Q", "the query parameter ttl");
            assert_eq!(error, message);
        }
    }

    #[test]
    fn a_refusal_repeats_only_the_beginning_of_a_long_text() {
        let long = "\u{1F550}".repeat(10_000);
        let error = pushed_ttl(&[&long], None, None).unwrap_err().to_string();
        assert!(error.len() < 500, "{} bytes", error.len());
    }
}
