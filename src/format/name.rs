//! Which names the text format 0.0.4 can carry, and what it prints for others.

use std::borrow::Cow;

/// Whether `name` is a metric name of the text format: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_metric_name(name: &[u8]) -> bool {
    starts_well(name) && name.iter().all(|byte| is_metric_byte(*byte))
}

/// Whether `name` is a label name of the text format: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_label_name(name: &[u8]) -> bool {
    starts_well(name) && name.iter().all(|byte| is_label_byte(*byte))
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

/// Whether `byte` may stand in a metric name, its first place aside.
pub(crate) fn is_metric_byte(byte: u8) -> bool {
    is_label_byte(byte) || byte == b':'
}

/// Whether `byte` may stand in a label name, its first place aside.
pub(crate) fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn starts_well(name: &[u8]) -> bool {
    name.first().is_some_and(|byte| !byte.is_ascii_digit())
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
