//! One gzip member made of segments that were compressed apart.
//!
//! Each chunk is compressed once, as raw deflate ended by a full flush, so that
//! segments can stand behind each other in any order; its CRC and length are
//! kept, and combined into the member's own. Header, segments, an empty last
//! block, CRC32 and size modulo 2^32: RFC 1951 and 1952.

use std::sync::Arc;

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::{Frame, Holding};

/// Level 1: twice as fast as 2 for a quarter more bytes, and the same speed in
/// segments as in one stream.
const LEVEL: Compression = Compression::fast();

/// A gzip header: deflate, no name, no time, fastest, Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3];

/// An empty last block of fixed codes.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// Below this a stored block is smaller than what a compressor's start costs.
const STORED_BYTES: usize = 512;

/// A piece of a deflate stream that begins and ends on a byte and refers to nothing before it.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    deflate: Bytes,
    crc: Hasher,
    len: usize,
}

/// Makes segments one after the other. Its tables are allocated once: that takes as long
/// as a segment does.
#[derive(Debug, Default)]
pub struct Compressor {
    compress: Option<Compress>,
    out: Vec<u8>,
}

impl Compressor {
    pub(super) fn segment(&mut self, text: &[u8]) -> Segment {
        let mut crc = Hasher::new();
        crc.update(text);
        self.out.clear();
        if text.len() < STORED_BYTES {
            self.store(text);
        } else {
            self.deflate(text);
        }
        Segment {
            deflate: Bytes::copy_from_slice(&self.out),
            crc,
            len: text.len(),
        }
    }

    /// One stored block; `text` is below [`STORED_BYTES`].
    fn store(&mut self, text: &[u8]) {
        let len = u16::try_from(text.len()).unwrap_or_default();
        self.out.push(0);
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.extend_from_slice(&(!len).to_le_bytes());
        self.out.extend_from_slice(text);
    }

    fn deflate(&mut self, text: &[u8]) {
        let compress = self
            .compress
            .get_or_insert_with(|| Compress::new(LEVEL, false));
        self.out.reserve(text.len() / 4 + 64);
        let (before, end) = (compress.total_in(), text.len() as u64);
        loop {
            let taken = compress.total_in() - before;
            let rest = usize::try_from(taken).map_or(&text[..0], |taken| &text[taken..]);
            let status = compress.compress_vec(rest, &mut self.out, FlushCompress::Full);
            // A flush is over when the compressor leaves room in the output. It also makes
            // the compressor forget the text, so that the next segment is on its own.
            let over = self.out.len() < self.out.capacity() && compress.total_in() - before == end;
            if over || !matches!(status, Ok(Status::Ok | Status::BufError)) {
                break;
            }
            self.out.reserve(self.out.capacity());
        }
    }
}

/// Some frames compressed.
#[derive(Debug)]
pub struct Zipped {
    pieces: Vec<Bytes>,
    crc: Hasher,
    len: usize,
}

impl Zipped {
    /// The same, with its bytes counted as held for a scraper until they are dropped.
    #[must_use]
    pub fn held_by(mut self, holding: &Arc<Holding>) -> Self {
        let pieces = self.pieces.into_iter();
        self.pieces = pieces.map(|piece| holding.made(piece)).collect();
        self
    }
}

/// Compresses frames; chunks that were compressed before are copied by reference. The
/// frames of one member may be compressed in parts, beside each other.
pub fn zip(frames: impl IntoIterator<Item = Frame>, compressor: &mut Compressor) -> Zipped {
    let (mut crc, mut len) = (Hasher::new(), 0_usize);
    let frames = frames.into_iter();
    let pieces = frames.map(|frame| {
        let made;
        let segment = match &frame {
            Frame::Text(text) => {
                made = compressor.segment(text);
                &made
            }
            Frame::Part(part) => {
                made = compressor.segment(&part.text());
                &made
            }
            Frame::Chunk(chunk) => chunk.0.segment(compressor),
        };
        crc.combine(&segment.crc);
        len = len.wrapping_add(segment.len);
        segment.deflate.clone()
    });
    let pieces = pieces.collect();
    Zipped { pieces, crc, len }
}

/// A gzip member while it is put together of its parts.
#[derive(Debug, Default)]
pub struct Member {
    crc: Hasher,
    len: usize,
}

impl Member {
    /// What stands before the first part.
    pub fn header() -> Bytes {
        Bytes::from_static(&HEADER)
    }

    /// The bytes of the next part.
    pub fn add(&mut self, part: Zipped) -> Vec<Bytes> {
        self.crc.combine(&part.crc);
        self.len = self.len.wrapping_add(part.len);
        part.pieces
    }

    /// What stands behind the last part.
    pub fn trailer(self) -> Bytes {
        let crc = self.crc.finalize().to_le_bytes();
        let len = u32::try_from(self.len & 0xffff_ffff)
            .unwrap_or_default()
            .to_le_bytes();
        [&LAST_BLOCK[..], &crc, &len].concat().into()
    }
}

/// Compresses `frames` into one gzip member, frame by frame as it is asked for.
pub fn gzip<I: IntoIterator<Item = Frame>>(frames: I) -> impl Iterator<Item = Bytes> {
    let mut member = Some(Member::default());
    let (mut frames, mut compressor) = (frames.into_iter(), Compressor::default());
    let body = std::iter::from_fn(move || {
        let frame = frames.next();
        if frame.is_none() {
            return Some(vec![member.take()?.trailer()]);
        }
        Some(member.as_mut()?.add(zip(frame, &mut compressor)))
    });
    std::iter::once(Member::header()).chain(body.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[expect(clippy::disallowed_types, reason = "what it reads was made here")]
    fn gunzip(member: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut reader = flate2::bufread::GzDecoder::new(member);
        reader.read_to_end(&mut text).expect("a sound gzip member");
        assert!(reader.into_inner().is_empty(), "nothing behind the member");
        text
    }

    #[test]
    fn segments_of_any_size_make_one_member() {
        // Digits of a linear congruence: compressible, but not by much.
        let mut state = 1_u32;
        let mut text = |len: usize| -> Bytes {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b'0' + u8::try_from(state >> 29).unwrap()
            };
            (0..len).map(|_| next()).collect()
        };
        for lens in [&[][..], &[0], &[1], &[511, 512, 513], &[100_000, 3, 70_000]] {
            let texts: Vec<Bytes> = lens.iter().map(|len| text(*len)).collect();
            let member: Vec<u8> = gzip(texts.iter().cloned().map(Frame::Text))
                .flatten()
                .collect();
            assert_eq!(gunzip(&member), texts.concat(), "{lens:?}");
        }
    }

    #[test]
    fn segments_of_one_compressor_refer_to_nothing_before_them() {
        let mut compressor = Compressor::default();
        let text = "job_duration_seconds{instance=\"\",job=\"a\"} 1\n".repeat(50);
        let all: Vec<Segment> = (0..3)
            .map(|_| compressor.segment(text.as_bytes()))
            .collect();
        for of in [&all[2..], &all[1..], &all[..1]] {
            let mut member = Member::default();
            let mut bytes = Member::header().to_vec();
            for Segment { deflate, crc, len } in of.iter().cloned() {
                let pieces = vec![deflate];
                let part = Zipped { pieces, crc, len };
                bytes.extend(member.add(part).concat());
            }
            bytes.extend_from_slice(&member.trailer());
            assert_eq!(gunzip(&bytes), text.repeat(of.len()).into_bytes());
        }
    }
}
