//! Which label names need no quotes.

/// Whether `name` is a label name of the text format and of `PromQL`:
/// `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_label_name(name: &[u8]) -> bool {
    name.first().is_some_and(|byte| !byte.is_ascii_digit())
        && name.iter().all(|byte| is_label_byte(*byte))
}

/// Whether `byte` may stand in a label name, its first place aside.
pub(crate) fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
