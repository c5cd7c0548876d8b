//! Characters that cannot be seen, and texts in which they are spelled out: what pushers named
//! things must neither end a line, nor move the cursor of a terminal, nor look like another name.

/// Whether a character cannot be seen: controls, the separators of lines and paragraphs, those
/// that turn the direction of writing, and those that take no room.
pub(crate) fn is_unseen(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        )
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// The text with those characters as escapes: a line break is `\n`, an override of the direction
/// `\u{202e}`.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unseen(char) {
            visible.extend(char.escape_default());
        } else {
            visible.push(char);
        }
    }
    visible
}

/// [`visible`] for a text of several lines.
pub(crate) fn visible_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(visible).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelled_out_and_nothing_else() {
        let seen = "a \u{e9}\u{a0}\u{5d0}\u{1f980}\u{2026}\u{fffd}\\";
        assert_eq!(visible(seen), seen);
        for unseen in [
            '\0', '\n', '\u{1b}', '\u{7f}', '\u{9b}', '\u{61c}', '\u{180e}', '\u{200b}',
            '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202e}', '\u{2060}',
            '\u{2066}', '\u{2069}', '\u{feff}',
        ] {
            assert!(is_unseen(unseen), "{unseen:?}");
        }
        assert_eq!(visible("a\n\u{202e}b\u{1b}"), r"a\n\u{202e}b\u{1b}");
    }
}
