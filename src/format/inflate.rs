//! Undoes `Content-Encoding: gzip`, with a bound on what comes out.
//!
//! The member frame (RFC 1952) is read here and only the deflate stream by
//! `flate2`, because clients see the words of Go's gzip package and its readers
//! tell faults apart that `flate2`'s own gzip reader does not.

use flate2::{Decompress, FlushDecompress, Status};

use super::room::make_room;

/// Room made at first.
const FIRST_ROOM: usize = 16 * 1024;

/// As much is inflated at once, and becomes [`EXPANSION`] times as much at most.
const PIECE: usize = 4 * 1024;

/// No byte of deflate data becomes more.
const EXPANSION: usize = 1032;

/// Bytes of a member's header before its optional fields.
const FIXED_HEADER: usize = 10;

const FLAG_HEADER_CRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;

/// Why a gzip body is refused; the Display text is Go's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// There is no body at all.
    #[error("EOF")]
    Empty,
    /// The body ends inside a member.
    #[error("unexpected EOF")]
    Truncated,
    /// The body, or what follows a member, is no gzip member.
    #[error("gzip: invalid header")]
    Header,
    /// A member's trailer does not agree with its content.
    #[error("gzip: invalid checksum")]
    Checksum,
    /// A member's content is not deflate data.
    #[error("flate: corrupt input before offset {offset}")]
    Corrupt {
        /// Bytes of deflate data read before the fault was noticed.
        offset: u64,
    },
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

/// Inflates a body of one or more gzip members to at most `limit` bytes.
///
/// Never allocates more than `limit` + 1 bytes for the content, whatever the
/// body says of its size.
///
/// # Errors
///
/// See [`InflateError`]. Bytes after the last member are an error, as in
/// Pushgateway 1.11: [`Truncated`](InflateError::Truncated) up to nine of them,
/// [`Header`](InflateError::Header) beyond.
pub fn gunzip(body: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    gunzip_within(body, limit, &mut |_| true)
}

/// As [`gunzip`]. Before the content grows, `allow` is asked with the bytes that it may then
/// take; if it says no, that is the end.
///
/// # Errors
///
/// Also [`NoRoom`](InflateError::NoRoom).
pub fn gunzip_within(
    body: &[u8],
    limit: usize,
    allow: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<u8>, InflateError> {
    if body.is_empty() {
        return Err(InflateError::Empty);
    }
    let mut inflater = Decompress::new(false);
    let mut content = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let member_start = content.len();
        rest = after_header(rest)?;
        rest = inflate(&mut inflater, rest, &mut content, limit, allow)?;
        rest = after_trailer(rest, &content[member_start..])?;
        inflater.reset(false);
    }
    Ok(content)
}

/// Checks only that a body begins as a gzip member: what the Pushgateway reads of
/// one whose content it does not need.
///
/// # Errors
///
/// [`Empty`](InflateError::Empty), [`Truncated`](InflateError::Truncated) or
/// [`Header`](InflateError::Header).
pub fn check_header(body: &[u8]) -> Result<(), InflateError> {
    if body.is_empty() {
        return Err(InflateError::Empty);
    }
    after_header(body).map(drop)
}

/// Checks a member's header and returns what follows it.
fn after_header(member: &[u8]) -> Result<&[u8], InflateError> {
    let (fixed, mut rest) = member
        .split_at_checked(FIXED_HEADER)
        .ok_or(InflateError::Truncated)?;
    let [0x1F, 0x8B, 8, flags, ..] = *fixed else {
        return Err(InflateError::Header);
    };
    if flags & FLAG_EXTRA != 0 {
        let (length, after) = rest.split_first_chunk().ok_or(InflateError::Truncated)?;
        let length = usize::from(u16::from_le_bytes(*length));
        rest = after.get(length..).ok_or(InflateError::Truncated)?;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let end = memchr::memchr(0, rest).ok_or(InflateError::Truncated)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & FLAG_HEADER_CRC != 0 {
        let header = &member[..member.len() - rest.len()];
        let (sum, after) = rest
            .split_first_chunk::<2>()
            .ok_or(InflateError::Truncated)?;
        if crc32fast::hash(header).to_le_bytes()[..2] != *sum {
            return Err(InflateError::Header);
        }
        rest = after;
    }
    Ok(rest)
}

/// Inflates one deflate stream onto `content` and returns what follows it.
fn inflate<'a>(
    inflater: &mut Decompress,
    deflated: &'a [u8],
    content: &mut Vec<u8>,
    limit: usize,
    allow: &mut dyn FnMut(usize) -> bool,
) -> Result<&'a [u8], InflateError> {
    let mut rest = deflated;
    loop {
        let piece = &rest[..rest.len().min(PIECE)];
        grow(content, limit, piece.len() * EXPANSION, allow)?;
        let (in_before, out_before) = (inflater.total_in(), content.len());
        let status = inflater
            .decompress_vec(piece, content, FlushDecompress::None)
            .map_err(|_| InflateError::Corrupt {
                offset: inflater.total_in(),
            })?;
        let read = usize::try_from(inflater.total_in() - in_before).unwrap_or(usize::MAX);
        rest = rest.get(read..).unwrap_or_default();
        if content.len() > limit {
            return Err(InflateError::TooLarge { limit });
        }
        if status == Status::StreamEnd {
            return Ok(rest);
        }
        // There was room, so a step without progress wants input that is not there.
        if read == 0 && content.len() == out_before {
            return Err(InflateError::Truncated);
        }
    }
}

/// Makes room for at least one byte: one more than `limit` proves a content too large. Of the
/// room that there is no more than `most` bytes will be written to.
fn grow(
    content: &mut Vec<u8>,
    limit: usize,
    most: usize,
    allow: &mut dyn FnMut(usize) -> bool,
) -> Result<(), InflateError> {
    if content.len() == content.capacity() {
        let limit = limit.saturating_add(1);
        let more = if content.is_empty() { FIRST_ROOM } else { 1 };
        make_room(content, more.min(limit), limit).map_err(|_| InflateError::NoRoom)?;
    }
    let room = content.capacity() - content.len();
    if allow(content.len() + room.min(most)) {
        Ok(())
    } else {
        Err(InflateError::NoRoom)
    }
}

/// Checks a member's trailer against its content and returns what follows it.
fn after_trailer<'a>(rest: &'a [u8], content: &[u8]) -> Result<&'a [u8], InflateError> {
    let (trailer, rest) = rest
        .split_first_chunk::<8>()
        .ok_or(InflateError::Truncated)?;
    let mut wanted = [0; 8];
    wanted[..4].copy_from_slice(&crc32fast::hash(content).to_le_bytes());
    // The size counts modulo 2^32, so its four low bytes are all there is.
    wanted[4..].copy_from_slice(&content.len().to_le_bytes()[..4]);
    if *trailer == wanted {
        Ok(rest)
    } else {
        Err(InflateError::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use flate2::{Compression, GzBuilder};
    use proptest::prelude::*;

    use super::*;

    const AMPLE: usize = 1 << 20;

    fn gzip(content: &[u8]) -> Vec<u8> {
        finish(GzEncoder::new(Vec::new(), Compression::default()), content)
    }

    fn finish(mut encoder: GzEncoder<Vec<u8>>, content: &[u8]) -> Vec<u8> {
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_are_inflated_and_joined() {
        let long: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for content in [&b""[..], b"a 1\n", &long] {
            assert_eq!(gunzip(&gzip(content), AMPLE).unwrap(), content);
        }
        let joined = [gzip(b"a 1\n"), gzip(b""), gzip(b"b 2\n")].concat();
        assert_eq!(gunzip(&joined, AMPLE).unwrap(), b"a 1\nb 2\n");
    }

    #[test]
    fn optional_header_fields_are_read_over() {
        let builder = GzBuilder::new()
            .extra(vec![0, 1, 2])
            .filename("metrics.txt")
            .comment("a comment");
        let mut body = finish(builder.write(Vec::new(), Compression::fast()), b"a 1\n");
        assert_eq!(gunzip(&body, AMPLE).unwrap(), b"a 1\n");

        let plain = finish(GzEncoder::new(Vec::new(), Compression::fast()), b"a 1\n");
        let header = body.len() - (plain.len() - FIXED_HEADER);
        body[3] |= FLAG_HEADER_CRC;
        let sum = crc32fast::hash(&body[..header]).to_le_bytes();
        body.splice(header..header, sum[..2].iter().copied());
        assert_eq!(gunzip(&body, AMPLE).unwrap(), b"a 1\n");
        for end in 1..body.len() {
            assert_eq!(
                gunzip(&body[..end], AMPLE),
                Err(InflateError::Truncated),
                "{end}"
            );
        }
        body[header] ^= 1;
        assert_eq!(gunzip(&body, AMPLE), Err(InflateError::Header));
    }

    #[test]
    fn faults_are_told_in_gos_words() {
        let good = gzip(b"a 1\n");
        let with = |at: usize, byte: u8| {
            let mut body = good.clone();
            body[at] ^= byte;
            body
        };
        let end = good.len();
        for (body, wanted) in [
            (vec![], "EOF"),
            (b"a 1\n".to_vec(), "unexpected EOF"),
            (b"a 1\nb 2\nc 3\n".to_vec(), "gzip: invalid header"),
            (with(0, 1), "gzip: invalid header"),
            (with(2, 1), "gzip: invalid header"),
            (good[..10].to_vec(), "unexpected EOF"),
            (good[..end - 9].to_vec(), "unexpected EOF"),
            (good[..end - 1].to_vec(), "unexpected EOF"),
            (with(end - 8, 1), "gzip: invalid checksum"),
            (with(end - 1, 1), "gzip: invalid checksum"),
            ([&good[..], b"0123456789"].concat(), "gzip: invalid header"),
            ([&good[..], &[0; 512]].concat(), "gzip: invalid header"),
            ([&good[..], b"012345678"].concat(), "unexpected EOF"),
        ] {
            assert_eq!(
                gunzip(&body, AMPLE).unwrap_err().to_string(),
                wanted,
                "{body:x?}"
            );
        }
    }

    #[test]
    fn data_that_is_not_deflate_is_corrupt() {
        let mut body = gzip(b"a 1\n");
        body[FIXED_HEADER] = 0x07; // the reserved block type
        let error = gunzip(&body, AMPLE).unwrap_err();
        assert!(
            matches!(error, InflateError::Corrupt { offset: 0..=2 }),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .starts_with("flate: corrupt input before offset ")
        );
    }

    #[test]
    fn the_limit_is_the_last_size_allowed() {
        let body = gzip(&[b'x'; 1000]);
        assert_eq!(gunzip(&body, 1000).unwrap().len(), 1000);
        for limit in [0, 1, 999] {
            assert_eq!(gunzip(&body, limit), Err(InflateError::TooLarge { limit }));
        }
        assert_eq!(gunzip(&gzip(b""), 0).unwrap(), b"");
        let members = [gzip(b"12345"), gzip(b"67890")].concat();
        assert_eq!(
            gunzip(&members, 9),
            Err(InflateError::TooLarge { limit: 9 })
        );
        assert_eq!(gunzip(&members, usize::MAX).unwrap().len(), 10);
    }

    #[test]
    fn no_more_than_the_limit_is_allocated() {
        let limit = 100_000;
        let body = gzip(&vec![0; limit]);
        assert!(gunzip(&body, limit).unwrap().capacity() <= limit + 1);
        let bomb = gzip(&vec![0; 20 * limit]);
        assert_eq!(gunzip(&bomb, limit), Err(InflateError::TooLarge { limit }));
    }

    #[test]
    fn content_is_allowed_before_it_is_there() {
        let plain = vec![b'x'; 20 * AMPLE];
        let body = gzip(&plain);
        let mut asked = Vec::new();
        let whole = gunzip_within(&body, usize::MAX, &mut |bytes| {
            asked.push(bytes);
            true
        });
        assert_eq!(whole.unwrap(), plain);
        // In steps, none of which is much more than what then comes.
        let step = PIECE * EXPANSION;
        assert!(asked.windows(2).all(|two| two[1] <= two[0] + step));
        let last = *asked.last().unwrap();
        assert!(last >= plain.len() && last <= plain.len() + step, "{last}");
        let bound = 5 * AMPLE;
        let refused = gunzip_within(&body, usize::MAX, &mut |bytes| bytes <= bound);
        assert_eq!(refused, Err(InflateError::NoRoom));
        // A small one asks for little.
        let mut asked = 0;
        let small = gzip(b"a 1\n");
        let inflated = gunzip_within(&small, usize::MAX, &mut |bytes| {
            asked = bytes;
            true
        });
        assert!(
            inflated.unwrap().len() == 4 && asked <= FIRST_ROOM,
            "{asked}"
        );
    }

    proptest! {
        #[test]
        fn any_content_survives(content: Vec<u8>, cut in 0_usize..100) {
            let (left, right) = content.split_at(cut.min(content.len()));
            prop_assert_eq!(gunzip(&[gzip(left), gzip(right)].concat(), AMPLE), Ok(content));
        }

        #[test]
        fn damaged_bodies_never_panic(
            content: Vec<u8>,
            at: prop::sample::Index,
            byte: u8,
            end: prop::sample::Index,
        ) {
            let mut body = gzip(&content);
            let at = at.index(body.len());
            body[at] = byte;
            let _ = gunzip(&body, 100);
            let whole = gzip(&content);
            let end = end.index(whole.len());
            prop_assert!(gunzip(&whole[..end], AMPLE).is_err());
        }
    }
}
