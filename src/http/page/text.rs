//! Texts of pushers and times, as pages show them.
//!
//! Escaping for HTML is the templates' business. Here texts are cut to what a page has
//! room for, and what cannot be seen is spelled out.

use std::time::Duration;

use ::base64::Engine;
use ::base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};

use crate::clock::UnixNanos;
use crate::duration;
use crate::format::base64;
use crate::format::name::is_label_name;
use crate::http::api::ApiError;
use crate::limits::{PAGE_CURSOR, PAGE_LABELS, PAGE_TEXT};
use crate::model::GroupKey;
pub(super) use crate::unseen::visible;

/// The beginning of a text, and a word about the rest.
pub(super) fn cut(text: &str) -> String {
    shortened(text, visible)
}

/// The same in quotes, as the exposition has label values.
fn quoted(text: &str) -> String {
    shortened(text, |text| {
        let escaped = text.replace('\\', r"\\").replace('"', r#"\""#);
        format!("\"{}\"", visible(&escaped))
    })
}

fn shortened(text: &str, form: impl Fn(&str) -> String) -> String {
    match text.char_indices().nth(PAGE_TEXT) {
        None => form(text),
        Some((end, _)) => {
            let more = text.len() - end;
            format!("{}\u{2026} ({more} bytes more)", form(&text[..end]))
        }
    }
}

/// A number of things, `many` being the word for any number but 1.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `name="value"`; a name that the exposition would quote is quoted.
fn pair(name: &str, value: &str) -> String {
    let name = if is_label_name(name.as_bytes()) {
        cut(name)
    } else {
        quoted(name)
    };
    format!("{name}={}", quoted(value))
}

/// A badge for each label: `job` first, then `instance`, the rest by name.
pub(super) fn badges<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Markup {
    let mut labels: Vec<(&str, &str)> = labels.into_iter().collect();
    labels.sort_by_key(|(name, _)| (*name != "job", *name != "instance", *name));
    let more = labels.len().saturating_sub(PAGE_LABELS);
    let class = |name| match name {
        "job" => "badge job",
        "instance" => "badge instance",
        _ => "badge",
    };
    html! {
        span.labels {
            @for (name, value) in labels.iter().take(PAGE_LABELS) {
                span class=(class(name)) { (pair(name, value)) } " "
            }
            @if more > 0 { "and " (more) " labels more" }
        }
    }
}

/// A moment, to the second, and how long ago it was.
pub(super) fn moment(at: UnixNanos, now: UnixNanos) -> Markup {
    html! {
        @if at == UnixNanos::default() {
            "never"
        } @else {
            (time(at)) " (" (span(now.since(at))) " ago)"
        }
    }
}

/// A moment, to the second.
pub(super) fn time(at: UnixNanos) -> Markup {
    let whole = UnixNanos(at.0 - at.0 % 1_000_000_000);
    let shown = whole.rfc3339().to_string();
    html! { time datetime=(shown) { (shown) } }
}

/// A time span to the nearest second.
pub(super) fn span(span: Duration) -> String {
    let nearest = span.saturating_add(Duration::from_millis(500));
    duration::format(Duration::from_secs(nearest.as_secs()))
}

/// Bytes of a key as the query string of a link has them.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// As much of a key or a name as a link to the page that begins there has.
pub(super) fn start(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(PAGE_CURSOR)]
}

/// [`start`] as the query string of a link has it.
pub(super) fn cursor(bytes: &[u8]) -> String {
    encode(start(bytes))
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, ApiError> {
    base64::decode(text.as_bytes()).map_err(|_| ApiError::bad("the address is not one of ours"))
}

/// The grouping key in a link or a form.
pub(super) fn key_of(text: Option<&str>) -> Result<GroupKey, ApiError> {
    let bytes = decode(text.unwrap_or_default())?;
    GroupKey::from_bytes(&bytes).ok_or_else(|| ApiError::bad("the address names no group"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters_and_say_so() {
        assert_eq!(cut("a\nb\u{1b}"), r"a\nb\u{1b}");
        assert_eq!(cut(&"é".repeat(PAGE_TEXT)), "é".repeat(PAGE_TEXT));
        let long = cut(&"é".repeat(PAGE_TEXT + 3));
        let expected = format!("{}\u{2026} (6 bytes more)", "é".repeat(PAGE_TEXT));
        assert_eq!(long, expected);
    }

    #[test]
    fn labels_read_as_in_the_exposition() {
        for (name, value, expected) in [
            ("a", "b", r#"a="b""#),
            ("a", "", r#"a="""#),
            ("a", "x\"\\\n/\0\r", r#"a="x\"\\\n/\u{0}\r""#),
            ("a", "\u{202e}x", r#"a="\u{202e}x""#),
            ("a.b", "1", r#""a.b"="1""#),
            ("\u{e9}", "\u{1f980}", "\"\u{e9}\"=\"\u{1f980}\""),
        ] {
            assert_eq!(pair(name, value), expected);
        }
    }

    #[test]
    fn job_and_instance_come_first() {
        let labels = [("a", "1"), ("instance", "2"), ("job", "3"), ("z", "4")];
        let html = badges(labels).into_string();
        let place = |text: &str| html.find(text).unwrap();
        assert!(place("job=") < place("instance="));
        assert!(place("instance=") < place("a="));
        assert!(place("a=") < place("z="));
    }

    #[test]
    fn more_labels_than_anybody_has_are_counted() {
        let names: Vec<String> = (0..PAGE_LABELS + 5).map(|n| format!("l{n}")).collect();
        let html = badges(names.iter().map(|name| (name.as_str(), "v"))).into_string();
        assert_eq!(html.matches("badge").count(), PAGE_LABELS);
        assert!(html.contains("and 5 labels more"), "{html}");
    }

    #[test]
    fn a_link_to_a_long_key_is_short() {
        assert_eq!(decode(&cursor(b"a\xFFb")).unwrap(), b"a\xFFb");
        assert_eq!(start(&vec![b'a'; 1 << 20]).len(), PAGE_CURSOR);
        assert!(decode("*").is_err());
        assert!(key_of(None).is_err());
        assert!(key_of(Some("YQ")).is_err());
    }
}
