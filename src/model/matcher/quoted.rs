//! Strings as `PromQL` writes them, which is as Go writes them.

use std::fmt::Write as _;

use super::{MatcherFault, shown};

/// A string read off the front of a text.
#[derive(Debug)]
pub(crate) struct Quoted {
    /// What it stands for.
    pub(crate) value: String,
    /// Bytes it takes, quotes included.
    pub(crate) len: usize,
}

/// Reads the string at the front of `text`, which begins with `"`, `'` or a
/// backquote.
///
/// # Errors
/// The fault, and its distance from the start in bytes.
pub(crate) fn read(text: &str) -> Result<Quoted, (usize, MatcherFault)> {
    let mut chars = text.char_indices();
    let quote = chars.next().map_or('"', |(_, quote)| quote);
    if quote == '`' {
        let end = text[1..].find('`').ok_or((0, MatcherFault::Unclosed))?;
        let value = text[1..=end].to_owned();
        return Ok(Quoted {
            value,
            len: end + 2,
        });
    }
    let mut value = Vec::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => break,
            c if c == quote => {
                let value = String::from_utf8(value).map_err(|_| (0, MatcherFault::NotUtf8))?;
                return Ok(Quoted { value, len: at + 1 });
            }
            '\\' => {
                let after = &text[at + 1..];
                let len = escape(after, quote, &mut value)
                    .ok_or_else(|| (at, MatcherFault::Escape(beginning(&text[at..]))))?;
                // What an escape is made of is ASCII: as many characters as bytes.
                chars.nth(len - 1);
            }
            c => value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err((0, MatcherFault::Unclosed))
}

/// Undoes one escape, given without its backslash; its length in bytes.
fn escape(text: &str, quote: char, value: &mut Vec<u8>) -> Option<usize> {
    let kind = text.chars().next()?;
    let plain = match kind {
        'a' => Some(0x07),
        'b' => Some(0x08),
        'f' => Some(0x0C),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(0x0B),
        '\\' => Some(b'\\'),
        '"' | '\'' if kind == quote => u8::try_from(kind).ok(),
        _ => None,
    };
    if let Some(byte) = plain {
        value.push(byte);
        return Some(1);
    }
    let (start, digits, radix) = match kind {
        '0'..='7' => (0, 3, 8),
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        _ => return None,
    };
    let digits_text = text.get(start..start + digits)?;
    if !digits_text.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = u32::from_str_radix(digits_text, radix).ok()?;
    if matches!(kind, 'u' | 'U') {
        let c = char::from_u32(number)?;
        value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        value.push(u8::try_from(number).ok()?);
    }
    Some(start + digits)
}

/// The backslash and the character behind it.
fn beginning(text: &str) -> String {
    shown(text).chars().take(2).collect()
}

/// A text in double quotes, on one line.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0'..='\x1F' | '\x7F'..='\u{9F}' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
