//! Base64 in push addresses, read as leniently as Go's decoder does.

use thiserror::Error;

/// What stopped the decoder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("illegal base64 data at input byte {position}")]
pub struct Corrupt {
    /// Where, in bytes from the start of the text.
    pub position: usize,
    /// What the whole groups of four characters before it stand for. The
    /// Pushgateway shows it in its answer.
    pub decoded: Vec<u8>,
}

/// Decodes the URL alphabet of RFC 4648.
///
/// All `=` at the end are dropped whatever their number, CR and LF are skipped
/// anywhere, and leftover bits may be set.
///
/// # Errors
///
/// [`Corrupt`] for any other character, and for a last group of a single one.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let text = &text[..text.len() - padding];
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut group, mut size) = (0_u32, 0);
    for (position, byte) in text.iter().enumerate() {
        if matches!(byte, b'\r' | b'\n') {
            continue;
        }
        let Some(bits) = sextet(*byte) else {
            return Err(Corrupt { position, decoded });
        };
        group = group << 6 | bits;
        size += 1;
        if size == 4 {
            decoded.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, size) = (0, 0);
        }
    }
    match size {
        // The position of a lonely character is counted from the end, as Go counts it.
        1 => {
            return Err(Corrupt {
                position: text.len() - 1,
                decoded,
            });
        }
        2 => decoded.extend_from_slice(&(group << 12).to_be_bytes()[1..2]),
        3 => decoded.extend_from_slice(&(group << 6).to_be_bytes()[1..3]),
        _ => {}
    }
    Ok(decoded)
}

fn sextet(byte: u8) -> Option<u32> {
    let bits = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(u32::from(bits))
}

#[cfg(test)]
mod tests {
    use ::base64::Engine;
    use ::base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_url_alphabet_is_decoded_leniently() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("=", b""),
            ("===", b""),
            ("Zg", b"f"),
            ("Zg==", b"f"),
            ("Zh", b"f"),
            ("Zm8", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg=====", b"foob"),
            ("Zm9v\nYmFy", b"foobar"),
            ("\r\nZ\nm\n9v\r\n", b"foo"),
            ("\n", b""),
            ("_-8=", b"\xFF\xEF"),
            ("L3Zhci90bXA", b"/var/tmp"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Ok(bytes), "{text:?}");
        }
    }

    #[test]
    fn the_first_bad_byte_is_reported_with_what_came_before() {
        for (text, position, decoded) in [
            ("Zm9vY", 4, "foo"),
            ("Zm9vY=", 4, "foo"),
            ("Z", 0, ""),
            ("Zm9v\nY", 5, "foo"),
            ("Zm9vY\n", 5, "foo"),
            ("Zm9vY+FyYmF6", 5, "foo"),
            ("Zm/v", 2, ""),
            ("Zm9=vYmFy", 3, ""),
            ("Zm9vYmFyZm9vYmFyZm9 YmFy", 19, "foobarfoobar"),
            ("ü", 0, ""),
        ] {
            let decoded = decoded.as_bytes().to_vec();
            assert_eq!(
                decode(text.as_bytes()),
                Err(Corrupt { position, decoded }),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes: Vec<u8>) {
            for engine in [URL_SAFE, URL_SAFE_NO_PAD] {
                prop_assert_eq!(decode(engine.encode(&bytes).as_bytes()), Ok(bytes.clone()));
            }
        }

        #[test]
        fn any_bytes_are_decoded_or_refused_in_bounds(text: Vec<u8>) {
            if let Err(corrupt) = decode(&text) {
                prop_assert!(corrupt.position < text.len());
            }
        }

        #[test]
        fn alphabet_texts_decode_to_three_quarters(text in "[A-Za-z0-9_-]{0,80}") {
            let len = text.len();
            match decode(text.as_bytes()) {
                Ok(bytes) => prop_assert_eq!(bytes.len(), len * 3 / 4),
                Err(corrupt) => prop_assert_eq!((len % 4, corrupt.position), (1, len - 1)),
            }
        }
    }
}
