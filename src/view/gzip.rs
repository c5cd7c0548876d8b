//! One gzip member made of segments that were compressed apart.
//!
//! Each chunk is compressed once, as raw deflate ended by a full flush, so that
//! segments can stand behind each other in any order; its CRC and length are
//! kept, and combined into the member's own. Header, segments, an empty last
//! block, CRC32 and size modulo 2^32: RFC 1951 and 1952.

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::Frame;

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

impl Segment {
    pub(super) fn compress(text: &[u8]) -> Self {
        let mut crc = Hasher::new();
        crc.update(text);
        let deflate = if text.len() < STORED_BYTES {
            stored(text)
        } else {
            deflated(text)
        };
        Self {
            deflate: deflate.into(),
            crc,
            len: text.len(),
        }
    }
}

/// One stored block; `text` is below [`STORED_BYTES`].
fn stored(text: &[u8]) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap_or_default();
    let mut block = vec![0];
    block.extend_from_slice(&len.to_le_bytes());
    block.extend_from_slice(&(!len).to_le_bytes());
    block.extend_from_slice(text);
    block
}

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(LEVEL, false);
    let mut out = Vec::with_capacity(text.len() / 4 + 64);
    loop {
        let taken = usize::try_from(compress.total_in()).unwrap_or(text.len());
        let status = compress.compress_vec(&text[taken..], &mut out, FlushCompress::Full);
        // A flush is over when the compressor leaves room in the output.
        let over = out.len() < out.capacity() && compress.total_in() == text.len() as u64;
        if over || !matches!(status, Ok(Status::Ok | Status::BufError)) {
            break;
        }
        out.reserve(out.capacity());
    }
    out.shrink_to_fit();
    out
}

/// The frames of one gzip member, compressed as they are asked for.
#[derive(Debug)]
pub struct GzipFrames<I> {
    frames: I,
    crc: Hasher,
    len: usize,
    place: Place,
}

#[derive(Debug, PartialEq)]
enum Place {
    Header,
    Frames,
    End,
}

/// Compresses `frames` into one gzip member; chunks that were compressed before are copied.
pub fn gzip<I: IntoIterator<Item = Frame>>(frames: I) -> GzipFrames<I::IntoIter> {
    GzipFrames {
        frames: frames.into_iter(),
        crc: Hasher::new(),
        len: 0,
        place: Place::Header,
    }
}

impl<I: Iterator<Item = Frame>> Iterator for GzipFrames<I> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match self.place {
            Place::Header => {
                self.place = Place::Frames;
                Some(Bytes::from_static(&HEADER))
            }
            Place::Frames => Some(match self.frames.next() {
                Some(Frame::Text(text)) => self.take(&Segment::compress(&text)),
                Some(Frame::Part(part)) => self.take(&Segment::compress(&part.text())),
                Some(Frame::Chunk(chunk)) => self.take(chunk.0.segment()),
                None => self.trailer(),
            }),
            Place::End => None,
        }
    }
}

impl<I> GzipFrames<I> {
    fn take(&mut self, segment: &Segment) -> Bytes {
        self.crc.combine(&segment.crc);
        self.len = self.len.wrapping_add(segment.len);
        segment.deflate.clone()
    }

    fn trailer(&mut self) -> Bytes {
        self.place = Place::End;
        let crc = self.crc.clone().finalize().to_le_bytes();
        let len = u32::try_from(self.len & 0xffff_ffff)
            .unwrap_or_default()
            .to_le_bytes();
        [&LAST_BLOCK[..], &crc, &len].concat().into()
    }
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
}
