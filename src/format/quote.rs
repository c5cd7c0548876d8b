//! Go's quoted forms, for error texts that clients may match.

/// `bytes` as Go's `%q` verb prints a string: in double quotes, with what is
/// not printable escaped and every byte that is not UTF-8 as `\xNN`.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_char(&mut out, c, '"');
        }
        for byte in chunk.invalid() {
            push_hex(&mut out, 'x', 2, u32::from(*byte));
        }
    }
    out.push('"');
    out
}

/// `byte` as Go's `%q` verb prints a single byte: the character of that code
/// point in single quotes, escaped as [`quote`] does.
pub fn quote_byte(byte: u8) -> String {
    let mut out = String::from('\'');
    push_char(&mut out, char::from(byte), '\'');
    out.push('\'');
    out
}

fn push_char(out: &mut String, c: char, mark: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0C' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0B' => out.push_str("\\v"),
        c if c == mark => out.extend(['\\', c]),
        ' '..='~' => out.push(c),
        '\0'..='\x7F' => push_hex(out, 'x', 2, u32::from(c)),
        c if is_printable(c) => out.push(c),
        '\0'..='\u{FFFF}' => push_hex(out, 'u', 4, u32::from(c)),
        _ => push_hex(out, 'U', 8, u32::from(c)),
    }
}

fn push_hex(out: &mut String, letter: char, width: usize, value: u32) {
    out.push('\\');
    out.push(letter);
    for place in (0..width).rev() {
        let nibble = value >> (4 * place) & 0xF;
        out.push(char::from_digit(nibble, 16).unwrap_or('0'));
    }
}

/// Whether Go's `unicode.IsPrint` holds for a character beyond ASCII. The
/// standard library's own table is the same one (no control, format, private,
/// unassigned or space characters); it is only reachable through the escape of
/// a string, where a leading combining mark would be escaped too.
fn is_printable(c: char) -> bool {
    let mut text = String::from('x');
    text.push(c);
    text.escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_are_quoted_as_go_quotes_them() {
        for (bytes, text) in [
            (&b""[..], r#""""#),
            (b"a b", r#""a b""#),
            (b"a\"b\\c'd", r#""a\"b\\c'd""#),
            (b"\x07\x08\x0C\n\r\t\x0B", r#""\a\b\f\n\r\t\v""#),
            (b"\x00\x1F\x7F", r#""\x00\x1f\x7f""#),
            (b"\xFF\xEF", r#""\xff\xef""#),
            (b"a\xE2\x82z", r#""a\xe2\x82z""#),
            ("ü€😀".as_bytes(), r#""ü€😀""#),
            (
                "\u{A0}\u{AD}\u{200B}\u{2028}\u{3000}".as_bytes(),
                r#""\u00a0\u00ad\u200b\u2028\u3000""#,
            ),
            ("\u{301}e\u{301}".as_bytes(), "\"\u{301}e\u{301}\""),
            (
                "\u{FEFF}\u{FFFD}\u{E000}".as_bytes(),
                "\"\\ufeff\u{FFFD}\\ue000\"",
            ),
            (
                "\u{F0000}\u{10FFFF}".as_bytes(),
                r#""\U000f0000\U0010ffff""#,
            ),
        ] {
            assert_eq!(quote(bytes), text, "{bytes:?}");
        }
    }

    #[test]
    fn single_bytes_are_quoted_as_go_quotes_them() {
        for (byte, text) in [
            (b'}', "'}'"),
            (b'\'', r"'\''"),
            (b'"', "'\"'"),
            (b'\n', r"'\n'"),
            (0, r"'\x00'"),
            (0xC3, "'Ã'"),
            (0x85, r"'\u0085'"),
            (0xAD, r"'\u00ad'"),
        ] {
            assert_eq!(quote_byte(byte), text);
        }
    }

    proptest! {
        #[test]
        fn a_quoted_text_is_one_printable_line(bytes: Vec<u8>) {
            let text = quote(&bytes);
            prop_assert!(text.len() >= 2 && !text.contains(['\n', '\r', '\0']));
        }
    }
}
