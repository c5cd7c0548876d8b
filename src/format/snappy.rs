//! Undoes `Content-Encoding: snappy`, with a bound on what comes out.
//!
//! The frame is read here and only the blocks by `snap`: that crate's own frame
//! reader does not tell apart what Go's does, whose words clients see, and takes
//! one block's length for another's where a chunk is empty.

use snap::raw::{Decoder, decompress_len};

use super::room::make_room;

/// First chunk of every stream: type, length and name.
const STREAM_BEGIN: u8 = 0xFF;
const STREAM_NAME: &[u8] = b"sNaPpY";

const COMPRESSED: u8 = 0x00;
const PLAIN: u8 = 0x01;

/// Chunk types up to this one must be understood; those above may be skipped.
const LAST_REQUIRED: u8 = 0x7F;

/// Most content of one chunk, by the format.
const BLOCK: usize = 65_536;

/// Most bytes of one chunk behind its header that Go's reader takes: a block that
/// does not compress, and its checksum.
const CHUNK: usize = 76_490 + 4;

/// Why a snappy body is refused; the Display text is Go's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnappyError {
    /// Not framed, cut off, or not what its checksum says.
    #[error("snappy: corrupt input")]
    Corrupt,
    /// A chunk of a reserved type, or one that is too long.
    #[error("snappy: unsupported input")]
    Unsupported,
    /// The content is larger than the caller allows.
    #[error("request body is larger than {limit} bytes when inflated")]
    TooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
    /// There is no memory for the content, or its caller does not allow it.
    #[error("no memory for the inflated body")]
    NoRoom,
}

/// Inflates a framed body, maybe several streams one behind the other, to at
/// most `limit` bytes. No body at all is no content.
///
/// Writes to no more memory than the content there is, whatever the body says of its
/// size, and never allocates more than `limit`.
///
/// # Errors
///
/// See [`SnappyError`].
pub fn unsnap(body: &[u8], limit: usize) -> Result<Vec<u8>, SnappyError> {
    unsnap_within(body, limit, &mut |_| true)
}

/// As [`unsnap`]. Before the content grows, `allow` is asked with the bytes that it then
/// takes; if it says no, that is the end.
///
/// # Errors
///
/// Also [`NoRoom`](SnappyError::NoRoom).
pub fn unsnap_within(
    body: &[u8],
    limit: usize,
    allow: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<u8>, SnappyError> {
    let mut decoder = Decoder::new();
    let mut content = Vec::new();
    let mut rest = body;
    if !rest.is_empty() && rest[0] != STREAM_BEGIN {
        return Err(SnappyError::Corrupt);
    }
    while !rest.is_empty() {
        let (kind, chunk, after) = split_chunk(rest)?;
        rest = after;
        match kind {
            COMPRESSED => {
                let (sum, block) = split_checksum(chunk)?;
                let size = decompress_len(block).map_err(|_| SnappyError::Corrupt)?;
                let start = content.len();
                grow(&mut content, size, limit, allow)?;
                let room = &mut content[start..];
                decoder
                    .decompress(block, room)
                    .map_err(|_| SnappyError::Corrupt)?;
                verify(sum, room)?;
            }
            PLAIN => {
                let (sum, block) = split_checksum(chunk)?;
                let start = content.len();
                grow(&mut content, block.len(), limit, allow)?;
                content[start..].copy_from_slice(block);
                verify(sum, block)?;
            }
            STREAM_BEGIN if chunk == STREAM_NAME => {}
            STREAM_BEGIN => return Err(SnappyError::Corrupt),
            // Of those that must be understood `split_chunk` lets no other pass.
            _ => {}
        }
    }
    Ok(content)
}

/// The type and content of the first chunk, and what follows it.
fn split_chunk(rest: &[u8]) -> Result<(u8, &[u8], &[u8]), SnappyError> {
    let (head, rest) = rest.split_first_chunk().ok_or(SnappyError::Corrupt)?;
    let [kind, low, middle, high] = *head;
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    let reserved = !matches!(kind, COMPRESSED | PLAIN) && kind <= LAST_REQUIRED;
    if length > CHUNK || reserved {
        return Err(SnappyError::Unsupported);
    }
    let (chunk, rest) = rest.split_at_checked(length).ok_or(SnappyError::Corrupt)?;
    Ok((kind, chunk, rest))
}

fn split_checksum(chunk: &[u8]) -> Result<([u8; 4], &[u8]), SnappyError> {
    let (sum, block) = chunk.split_first_chunk().ok_or(SnappyError::Corrupt)?;
    Ok((*sum, block))
}

/// Makes room for the content of one chunk.
fn grow(
    content: &mut Vec<u8>,
    size: usize,
    limit: usize,
    allow: &mut dyn FnMut(usize) -> bool,
) -> Result<(), SnappyError> {
    if size > BLOCK {
        return Err(SnappyError::Corrupt);
    }
    let wanted = content.len() + size;
    if wanted > limit {
        return Err(SnappyError::TooLarge { limit });
    }
    if !allow(wanted) {
        return Err(SnappyError::NoRoom);
    }
    make_room(content, size, limit).map_err(|_| SnappyError::NoRoom)?;
    content.resize(wanted, 0);
    Ok(())
}

/// Checks the format's masked CRC32C.
fn verify(sum: [u8; 4], block: &[u8]) -> Result<(), SnappyError> {
    let masked = crc32c::crc32c(block)
        .rotate_right(15)
        .wrapping_add(0xA282_EAD8);
    if masked.to_le_bytes() == sum {
        Ok(())
    } else {
        Err(SnappyError::Corrupt)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;
    use snap::write::FrameEncoder;

    use super::*;

    const AMPLE: usize = 1 << 20;

    fn framed(content: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::new(Vec::new());
        encoder.write_all(content).unwrap();
        encoder.into_inner().unwrap()
    }

    fn stream(chunks: &[&[u8]]) -> Vec<u8> {
        [&b"\xFF\x06\0\0sNaPpY"[..], &chunks.concat()].concat()
    }

    fn chunk(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        [&[kind][..], &length[..3], content].concat()
    }

    #[test]
    fn streams_are_inflated_and_joined() {
        let long: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for content in [&b"a 1\n"[..], &vec![b'x'; 70_000], &long] {
            assert_eq!(unsnap(&framed(content), AMPLE).unwrap(), content);
        }
        let joined = [framed(b"a 1\n"), framed(b"b 2\n")].concat();
        assert_eq!(unsnap(&joined, AMPLE).unwrap(), b"a 1\nb 2\n");
        assert_eq!(unsnap(b"", 0).unwrap(), b"");
        assert_eq!(unsnap(&stream(&[]), 0).unwrap(), b"");
    }

    #[test]
    fn faults_are_told_in_gos_words() {
        let good = framed(b"a 1\n");
        let mut bad_sum = good.clone();
        bad_sum[14] ^= 1;
        let huge = chunk(0xFE, &vec![0; CHUNK + 1]);
        for (body, wanted) in [
            (b"a 1\n".to_vec(), SnappyError::Corrupt),
            (b"\xFF\x06\0".to_vec(), SnappyError::Corrupt),
            (b"\xFF\x06\0\0snappy".to_vec(), SnappyError::Corrupt),
            (b"\xFF\x05\0\0sNaPp".to_vec(), SnappyError::Corrupt),
            (
                snap::raw::Encoder::new().compress_vec(b"a 1\n").unwrap(),
                SnappyError::Corrupt,
            ),
            (good[10..].to_vec(), SnappyError::Corrupt),
            (bad_sum, SnappyError::Corrupt),
            (stream(&[&chunk(PLAIN, b"abc")]), SnappyError::Corrupt),
            (stream(&[&chunk(COMPRESSED, b"")]), SnappyError::Corrupt),
            (stream(&[&chunk(COMPRESSED, b"1234")]), SnappyError::Corrupt),
            (
                stream(&[&chunk(PLAIN, &vec![0; BLOCK + 5])]),
                SnappyError::Corrupt,
            ),
            (
                stream(&[&chunk(COMPRESSED, b"1234\xFF\xFF\x7Fabc")]),
                SnappyError::Corrupt,
            ),
            (stream(&[&chunk(0x02, b"")]), SnappyError::Unsupported),
            (stream(&[&chunk(0x7F, b"abc")]), SnappyError::Unsupported),
            (stream(&[&huge]), SnappyError::Unsupported),
        ] {
            assert_eq!(
                unsnap(&body, AMPLE),
                Err(wanted),
                "{:x?}",
                &body[..body.len().min(32)]
            );
        }
        for end in 1..good.len() {
            if end != 10 {
                assert_eq!(
                    unsnap(&good[..end], AMPLE),
                    Err(SnappyError::Corrupt),
                    "{end}"
                );
            }
        }
    }

    #[test]
    fn padding_and_chunks_that_may_be_skipped_are_skipped() {
        let text = framed(b"a 1\n");
        let body = stream(&[
            &chunk(0xFE, &[7; 100]),
            &chunk(0x80, b"x"),
            &chunk(0xFD, b""),
            &text,
        ]);
        assert_eq!(unsnap(&body, AMPLE).unwrap(), b"a 1\n");
    }

    #[test]
    fn the_limit_is_the_last_size_allowed() {
        let body = framed(&vec![b'x'; 100_000]);
        let content = unsnap(&body, 100_000).unwrap();
        assert!(content.len() == 100_000 && content.capacity() <= 100_000);
        for limit in [0, 65_535, 65_536, 99_999] {
            assert_eq!(unsnap(&body, limit), Err(SnappyError::TooLarge { limit }));
        }
        let bomb = framed(&vec![0; 1 << 24]);
        assert_eq!(
            unsnap(&bomb, AMPLE),
            Err(SnappyError::TooLarge { limit: AMPLE })
        );
    }

    #[test]
    fn content_is_allowed_before_it_is_there() {
        let body = framed(&vec![b'x'; 100_000]);
        let mut asked = Vec::new();
        let whole = unsnap_within(&body, AMPLE, &mut |bytes| {
            asked.push(bytes);
            true
        });
        assert_eq!(
            (whole.unwrap().len(), asked),
            (100_000, vec![65_536, 100_000])
        );
        let refused = unsnap_within(&body, AMPLE, &mut |bytes| bytes < 100_000);
        assert_eq!(refused, Err(SnappyError::NoRoom));
    }

    proptest! {
        #[test]
        fn any_content_survives(content: Vec<u8>) {
            prop_assert_eq!(unsnap(&framed(&content), AMPLE), Ok(content));
        }

        #[test]
        fn damaged_bodies_never_panic_nor_outgrow_the_limit(
            content: Vec<u8>,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
            end: prop::sample::Index,
        ) {
            let mut body = framed(&content);
            if body.is_empty() {
                return Ok(());
            }
            for (at, byte) in changes {
                let at = at.index(body.len());
                body[at] = byte;
            }
            body.truncate(end.index(body.len()) + 1);
            if let Ok(content) = unsnap(&body, 100) {
                prop_assert!(content.capacity() <= 100);
            }
        }
    }
}
