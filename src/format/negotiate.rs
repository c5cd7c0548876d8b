//! What the headers of a request ask for: the format of a pushed body, and
//! whether a scrape may be answered in gzip.
//!
//! Both readers follow those that Pushgateway 1.11 uses, to the letter: Go's
//! `mime.ParseMediaType` for Content-Type, and gddo's header parser, which
//! stops at the first thing it does not understand, for Accept-Encoding. Only
//! the parameters of RFC 2231 (`encoding*=utf-8''delimited`) are not decoded.

/// Whether a body of this Content-Type is delimited protobuf and not text.
///
/// It is if the media type is `application/vnd.google.protobuf`, `proto` is
/// `io.prometheus.client.MetricFamily` and `encoding` is `delimited`. Names are
/// compared without case, values with; values may be quoted and other
/// parameters are ignored. A Content-Type that cannot be parsed means text.
pub fn is_delimited_protobuf(content_type: Option<&str>) -> bool {
    let Some((media_type, parameters)) = content_type.and_then(parse_media_type) else {
        return false;
    };
    let is = |wanted: (&str, &str)| {
        parameters
            .iter()
            .any(|(name, value)| (name.as_str(), value.as_str()) == wanted)
    };
    media_type == "application/vnd.google.protobuf"
        && is(("proto", "io.prometheus.client.MetricFamily"))
        && is(("encoding", "delimited"))
}

/// Whether a body of this Content-Type says that it is OpenMetrics text, whatever
/// its version and character set. A Content-Type that cannot be parsed says nothing.
pub fn is_openmetrics(content_type: Option<&str>) -> bool {
    let parsed = content_type.and_then(parse_media_type);
    parsed.is_some_and(|(media_type, _)| media_type == "application/openmetrics-text")
}

/// Whether a scrape with this Accept-Encoding is answered in gzip. Several
/// header lines are given joined by commas.
///
/// On offer are the plain body, first, and gzip; the greatest weight wins and
/// the plain body wins a tie. `*` stands for either, so it never chooses gzip.
/// Tokens are compared with case. Where nothing matches or all weights are 0
/// the answer is plain.
pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    let accepted = accept_encoding.map(parse_accept).unwrap_or_default();
    let best = |offer: &str| {
        let weights = accepted
            .iter()
            .filter(|(value, _)| *value == "*" || *value == offer);
        weights
            .map(|(_, weight)| *weight)
            .fold(f64::NEG_INFINITY, f64::max)
    };
    best("gzip") > best("identity").max(0.0)
}

/// The media type and the parameters, names in lower case. `None` where Go's
/// parser reports an error.
fn parse_media_type(header: &str) -> Option<(String, Vec<(String, String)>)> {
    let (media_type, mut rest) = header.split_at(header.find(';').unwrap_or(header.len()));
    let media_type = media_type.trim().to_ascii_lowercase();
    let mut parameters: Vec<(String, String)> = Vec::new();
    while !rest.trim_start().is_empty() {
        rest = rest.trim_start().strip_prefix(';')?.trim_start();
        if rest.is_empty() {
            break;
        }
        let (name, value, after) = take_parameter(rest)?;
        match parameters.iter().find(|(known, _)| *known == name) {
            Some((_, known)) if *known != value => return None,
            Some(_) => {}
            None => parameters.push((name, value)),
        }
        rest = after;
    }
    Some((media_type, parameters))
}

/// Takes `name=value` or `name="value"`, blanks around `=` allowed.
fn take_parameter(text: &str) -> Option<(String, String, &str)> {
    let (name, rest) = split_token(text);
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let (value, rest) = if let Some(quoted) = rest.strip_prefix('"') {
        take_quoted(quoted)?
    } else {
        let (value, rest) = split_token(rest);
        (!value.is_empty()).then(|| (value.to_owned(), rest))?
    };
    (!name.is_empty()).then(|| (name.to_ascii_lowercase(), value, rest))
}

/// Takes a quoted string after its first quote. A backslash only escapes what
/// could not stand in a token: browsers send Windows paths unescaped.
fn take_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\r' | '\n' => return None,
            '\\' => match chars.next_if(|(_, next)| is_separator(*next)) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push(c),
            },
            c => value.push(c),
        }
    }
    None
}

/// The values of an Accept-Encoding header and their weights, up to the first
/// thing that is not understood. The only parameter understood is `q`.
fn parse_accept(header: &str) -> Vec<(&str, f64)> {
    let mut accepted = Vec::new();
    let mut rest = header;
    loop {
        let (value, after) = split_while(rest, |c| (is_token(c) && !"{}".contains(c)) || c == '/');
        if value.is_empty() {
            return accepted;
        }
        let (weight, after) = match trim_blanks(after).strip_prefix(';') {
            None => (1.0, after),
            Some(parameter) => {
                let weight = trim_blanks(parameter)
                    .strip_prefix("q=")
                    .and_then(take_weight);
                let Some(taken) = weight else { return accepted };
                taken
            }
        };
        accepted.push((value, weight));
        let Some(after) = trim_blanks(after).strip_prefix(',') else {
            return accepted;
        };
        rest = trim_blanks(after);
    }
}

/// Takes a weight: `0` or `1`, then perhaps a point and digits. Weights above 1
/// such as `1.5` count as they stand.
fn take_weight(text: &str) -> Option<(f64, &str)> {
    let end = match text.strip_prefix(['0', '1'])?.strip_prefix('.') {
        Some(digits) => {
            text.len()
                - digits
                    .trim_start_matches(|c: char| c.is_ascii_digit())
                    .len()
        }
        None => 1,
    };
    let (weight, rest) = text.split_at(end);
    weight.parse().ok().map(|weight| (weight, rest))
}

fn split_token(text: &str) -> (&str, &str) {
    split_while(text, is_token)
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn trim_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

/// A character of a token (RFC 2045).
fn is_token(c: char) -> bool {
    c.is_ascii_graphic() && !is_separator(c)
}

fn is_separator(c: char) -> bool {
    "()<>@,;:\\\"/[]?=".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTO: &str = "proto=io.prometheus.client.MetricFamily";

    /// `P`: the protobuf media type; `F`: its `proto` parameter.
    fn content_type(short: &str) -> String {
        short
            .replace('P', "application/vnd.google.protobuf")
            .replace('F', PROTO)
    }

    #[test]
    fn the_complete_content_type_is_protobuf() {
        for yes in [
            "P; F; encoding=delimited",
            "P;encoding=delimited;F",
            "P ;F ; encoding = delimited ;",
            "P; F; encoding=\"delimited\"",
            "P; F; ENCODING=delimited",
            "P; x=\"a;\\\"b\"; F; encoding=delimited; escaping=allow-utf-8",
            "P; F; encoding=delimited; encoding=delimited",
            "P; F; encoding=delimited; x=\"\"",
        ] {
            assert!(is_delimited_protobuf(Some(&content_type(yes))), "{yes}");
        }
        let upper = "APPLICATION/VND.google.protobuf; F; encoding=delimited";
        assert!(is_delimited_protobuf(Some(&upper.replace('F', PROTO))));
    }

    #[test]
    fn every_other_content_type_is_text() {
        for no in [
            "",
            ";",
            "text/plain; version=0.0.4",
            "application/x-www-form-urlencoded",
            "application/json",
            "application/openmetrics-text; version=1.0.0",
            "text/plain; F; encoding=delimited",
            "P",
            "P; F",
            "P; encoding=delimited",
            "P; F; encoding=text",
            "P; F; encoding=Delimited",
            "P; proto=io.prometheus.client.metricfamily; encoding=delimited",
            "P F; encoding=delimited",
            "P; F encoding=delimited",
            "P; F; encoding=delimited; encoding=text",
            "P; F; encoding=delimited; x",
            "P; F; encoding=delimited; x=",
            "P; F; encoding=delimited; =x",
            "P; F; encoding=delimited;;",
            "P; F; encoding=\"delimited",
            "P; F; encoding=\"delimi\\ted\"",
            "P; F; encoding=delimited; x=\"a\nb\"",
            "P; F; encoding=delimited, text/plain",
        ] {
            assert!(!is_delimited_protobuf(Some(&content_type(no))), "{no}");
        }
        assert!(!is_delimited_protobuf(None));
    }

    #[test]
    fn openmetrics_is_told_by_the_media_type_alone() {
        for yes in [
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; version=1.0.0; charset=utf-8",
            "application/openmetrics-text;version=0.0.1;escaping=values",
        ] {
            assert!(is_openmetrics(Some(yes)), "{yes}");
        }
        for no in [
            None,
            Some("text/plain; version=1.0.0"),
            Some("application/openmetrics-text, text/plain"),
            Some("application/openmetrics-text; version"),
        ] {
            assert!(!is_openmetrics(no), "{no:?}");
        }
    }

    #[test]
    fn gzip_is_used_where_it_weighs_more_than_the_plain_body() {
        for yes in [
            "gzip",
            "gzip, deflate, br",
            "deflate,gzip;q=0.5",
            "gzip;q=0.001",
            "gzip;q=1.0",
            "gzip;q=1.",
            "gzip ; q=0.9 , identity;q=0.8",
            "identity;q=0.8, gzip",
            "identity;q=0, gzip;q=0.1",
            "gzip;q=0.2, gzip;q=0.6, identity;q=0.5",
            "*;q=0.1, gzip",
            "gzip;q=1.5, identity",
            "gzip, ???",
            "gzip;q=0.5;level=9",
        ] {
            assert!(accepts_gzip(Some(yes)), "{yes}");
        }
        for no in [
            "",
            "identity",
            "br, zstd",
            "GZIP",
            "x-gzip",
            "*",
            "*;q=0.5, gzip;q=0.5",
            "gzip;q=0",
            "gzip;q=0.000",
            "gzip, identity",
            "gzip;q=0.5, identity",
            "gzip;q=0.5, identity;q=0.5",
            "gzip;q=0.5, *;q=0.6",
            "gzip;level=9",
            "gzip;Q=0.5",
            "gzip;q=2",
            "gzip;q=",
            "gzip;q=.5",
            "???, gzip",
            "br;x=1, gzip",
            ", gzip",
            " gzip",
        ] {
            assert!(!accepts_gzip(Some(no)), "{no}");
        }
        assert!(!accepts_gzip(None));
    }
}
