//! Which names the text format 0.0.4 can carry, and what it prints for others.

use std::borrow::Cow;

pub(crate) use crate::model::is_label_byte;
pub use crate::model::is_label_name;

/// Which names of metrics and labels a push may have: `--push.enable-utf8-names`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameRule {
    /// Those that the text format 0.0.4 can carry.
    #[default]
    Legacy,
    /// Any UTF-8 but nothing.
    Utf8,
}

impl NameRule {
    /// What a flag says that allows UTF-8.
    pub fn utf8_if(allowed: bool) -> Self {
        if allowed { Self::Utf8 } else { Self::Legacy }
    }

    /// Whether a metric may have this name.
    pub fn allows_metric(self, name: &[u8]) -> bool {
        match self {
            Self::Legacy => is_metric_name(name),
            Self::Utf8 => is_utf8_name(name),
        }
    }

    /// Whether a label may have this name, reserved ones aside.
    pub fn allows_label(self, name: &[u8]) -> bool {
        match self {
            Self::Legacy => is_label_name(name),
            Self::Utf8 => is_utf8_name(name),
        }
    }
}

fn is_utf8_name(name: &[u8]) -> bool {
    !name.is_empty() && std::str::from_utf8(name).is_ok()
}

/// Whether `name` is a metric name of the text format: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_metric_name(name: &[u8]) -> bool {
    name.first().is_some_and(|byte| !byte.is_ascii_digit())
        && name.iter().all(|byte| is_metric_byte(*byte))
}

/// `name` as the exposition prints a metric name: every character that the text
/// format cannot carry is one `_`, and so is a digit in front.
pub fn printed_metric_name(name: &str) -> Cow<'_, str> {
    if is_metric_name(name.as_bytes()) {
        Cow::Borrowed(name)
    } else {
        underscored(name, true)
    }
}

/// `name` as the exposition prints a label name, by the rule of [`printed_metric_name`].
pub fn printed_label_name(name: &str) -> Cow<'_, str> {
    if is_label_name(name.as_bytes()) {
        Cow::Borrowed(name)
    } else {
        underscored(name, false)
    }
}

/// Begins a name in which what the text format cannot carry is written in hex.
const VALUES_PREFIX: &str = "U__";

/// Most hex digits of a character that the Pushgateway reads.
const VALUES_DIGITS: usize = 5;

/// What a name of the form `U__foo_2e_bar` stands for, here `foo.bar`: behind the
/// prefix `_HEX_` is the character of that number and `__` an underscore.
///
/// `None` if it is not of that form, or anything in it is malformed: such a name
/// stands for itself.
pub fn decode_values(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix(VALUES_PREFIX)?;
    let mut decoded = String::with_capacity(rest.len());
    while let Some((plain, after)) = rest.split_once('_') {
        decoded.push_str(plain);
        let (digits, after) = after.split_once('_')?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        decoded.push(match digits {
            "" => '_',
            _ if !hex || digits.len() > VALUES_DIGITS => return None,
            _ => char::from_u32(u32::from_str_radix(digits, 16).ok()?)?,
        });
        rest = after;
    }
    decoded.push_str(rest);
    Some(decoded)
}

/// Whether `byte` may stand in a metric name, its first place aside.
pub(crate) fn is_metric_byte(byte: u8) -> bool {
    is_label_byte(byte) || byte == b':'
}

fn underscored(name: &str, colon: bool) -> Cow<'static, str> {
    let legal = |at, c: char| match c {
        '0'..='9' => at > 0,
        ':' => colon,
        c => c.is_ascii_alphabetic(),
    };
    let printed: String = name
        .chars()
        .enumerate()
        .map(|(at, c)| if legal(at, c) { c } else { '_' })
        .collect();
    // An empty name would leave a line that no scraper reads.
    if printed.is_empty() {
        Cow::Borrowed("_")
    } else {
        Cow::Owned(printed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_names_are_told_from_others() {
        for (name, metric, label) in [
            ("a", true, true),
            ("_", true, true),
            ("__name__", true, true),
            ("aZ09_", true, true),
            (":a:b", true, false),
            ("a:b", true, false),
            ("", false, false),
            ("1a", false, false),
            ("a-b", false, false),
            ("a.b", false, false),
            ("ü", false, false),
        ] {
            assert_eq!(is_metric_name(name.as_bytes()), metric, "{name:?}");
            assert_eq!(is_label_name(name.as_bytes()), label, "{name:?}");
        }
    }

    #[test]
    fn any_utf8_is_a_name_where_that_is_allowed() {
        for name in ["a.b", "Π", " ", "\n", "1", "__x", "a"] {
            assert!(NameRule::Utf8.allows_metric(name.as_bytes()), "{name:?}");
            assert!(NameRule::Utf8.allows_label(name.as_bytes()), "{name:?}");
        }
        for name in [&b""[..], b"\xFF"] {
            assert!(!NameRule::Utf8.allows_metric(name) && !NameRule::Utf8.allows_label(name));
        }
        assert!(!NameRule::Legacy.allows_label(b"a:b") && NameRule::Legacy.allows_metric(b"a:b"));
    }

    #[test]
    fn encoded_names_stand_for_others() {
        for (name, decoded) in [
            ("U__foo_2e_bar", Some("foo.bar")),
            ("U__foo__bar", Some("foo_bar")),
            ("U___3A0_x_3a0_", Some("Πx\u{3a0}")),
            ("U___1F600_", Some("😀")),
            ("U__a.b", Some("a.b")),
            ("U__", Some("")),
            ("U___5F__5F_name", Some("__name")),
            ("u__foo_2e_bar", None),
            ("U_foo_2e_bar", None),
            ("U__in_xxx_valid", None),
            ("U__a_", None),
            ("U__a_2e", None),
            ("U___00002e_", None),
            ("U___10FFFF_", None),
            ("U___D800_", None),
            ("U___+2e_", None),
        ] {
            assert_eq!(decode_values(name).as_deref(), decoded, "{name}");
        }
    }

    #[test]
    fn other_names_are_printed_with_underscores() {
        for (name, metric, label) in [
            ("a:b", "a:b", "a_b"),
            ("a b-c", "a_b_c", "a_b_c"),
            ("1a1", "_a1", "_a1"),
            ("Πü.😀", "____", "____"),
            ("", "_", "_"),
        ] {
            assert_eq!(printed_metric_name(name), metric);
            assert_eq!(printed_label_name(name), label);
        }
    }
}
