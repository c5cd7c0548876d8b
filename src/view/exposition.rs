//! A snapshot and the gateway's own metrics as the frames of one exposition.

use std::cmp::Ordering;
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::chunk::Chunk;
use super::family::Family;
use super::{Clashes, GroupId, Snapshot};
use crate::format::form::Form;
use crate::limits::CHUNK_BYTES;
use crate::model::Kind;

/// A family of the gateway itself, rendered for this scrape.
#[derive(Debug, Clone)]
pub struct OwnFamily {
    /// Metric name.
    pub name: String,
    /// Type; a pushed family of the same name has the same, or the check refused it.
    pub kind: Kind,
    /// Help; it stands in place of any pushed one.
    pub help: Option<String>,
    /// Its series, without header, in the snapshot's form.
    pub text: Vec<u8>,
}

/// Part of an exposition: whole lines, or whole fields of families.
#[derive(Debug, Clone)]
pub enum Frame {
    /// Bytes made for this scrape: headers, own metrics, small chunks.
    Text(Bytes),
    /// A chunk of the view as it is.
    Chunk(ChunkText),
    /// A chunk without expired groups.
    Part(ChunkPart),
}

/// A chunk and the groups that are not shown. Copied only when it is sent: while many
/// groups expire, that would be a copy of all there is for each scrape.
#[derive(Debug, Clone)]
pub struct ChunkPart {
    chunk: Arc<Chunk>,
    left_out: Arc<[GroupId]>,
    /// Length of what is shown.
    len: usize,
}

impl ChunkPart {
    pub(super) fn text(&self) -> Vec<u8> {
        self.chunk.text_without(&self.left_out)
    }
}

/// A chunk's text, shared with the view.
#[derive(Debug, Clone)]
pub struct ChunkText(pub(super) Arc<Chunk>);

impl AsRef<[u8]> for ChunkText {
    fn as_ref(&self) -> &[u8] {
        self.0.text()
    }
}

impl Frame {
    /// The frame's text, without copying it unless groups are left out.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(bytes) => bytes,
            Self::Chunk(chunk) => Bytes::from_owner(chunk),
            Self::Part(part) => part.text().into(),
        }
    }

    /// Length of the text in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(bytes) => bytes.len(),
            Self::Chunk(chunk) => chunk.as_ref().len(),
            Self::Part(part) => part.len,
        }
    }

    /// The chunk that it keeps.
    pub(super) fn chunk(&self) -> Option<Weak<Chunk>> {
        match self {
            Self::Text(_) => None,
            Self::Chunk(chunk) => Some(Arc::downgrade(&chunk.0)),
            Self::Part(part) => Some(Arc::downgrade(&part.chunk)),
        }
    }

    /// Whether it is a chunk that was compressed before.
    pub fn is_compressed(&self) -> bool {
        matches!(self, Self::Chunk(chunk) if chunk.0.is_compressed())
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The whole exposition: pushed and own families merged in byte order of names.
/// `own` is sorted by name, `clashes` are those of the snapshot.
pub fn exposition(snapshot: &Snapshot, own: Vec<OwnFamily>, clashes: &Clashes) -> Vec<Frame> {
    let mut frames = Frames {
        form: snapshot.form,
        done: Vec::new(),
        text: Vec::new(),
    };
    let mut own = own.into_iter().peekable();
    for (name, family) in &snapshot.families {
        while let Some(first) = own.next_if(|own| own.name.as_str() < name.as_ref()) {
            frames.own(&first);
        }
        let same = own.next_if(|own| own.name.as_str().cmp(name) == Ordering::Equal);
        if clashes.hides(name) {
            continue; // Never one of our own names: those are legacy ones.
        }
        let left_out = clashes.groups(name).unwrap_or(&snapshot.expired);
        frames.pushed(name, family, left_out, same);
    }
    own.for_each(|family| frames.own(&family));
    frames.finish()
}

/// Chunks below this are copied into the frame before them: most families of most
/// gateways are smaller than what a compressor, or a write, is worth.
const SMALL_CHUNK: usize = CHUNK_BYTES / 4;

/// Frames so far; small texts in a row become one frame.
struct Frames {
    form: Form,
    done: Vec<Frame>,
    text: Vec<u8>,
}

impl Frames {
    fn own(&mut self, family: &OwnFamily) {
        self.own_before(family, 0);
    }

    /// The same with `len` bytes of pushed series behind it.
    fn own_before(&mut self, family: &OwnFamily, len: usize) {
        let (help, len) = (family.help.as_deref(), len + family.text.len());
        self.form
            .write_header(&mut self.text, &family.name, family.kind, help, len);
        self.text.extend_from_slice(&family.text);
    }

    fn pushed(
        &mut self,
        name: &str,
        family: &Family,
        expired: &Arc<[GroupId]>,
        own: Option<OwnFamily>,
    ) {
        let visible = Visible::of(family, expired);
        let len = visible.chunks.iter().map(Frame::len).sum();
        if let Some(own) = own {
            self.own_before(&own, len);
        } else if len == 0 {
            return; // All its groups have expired, or none has a series of it.
        } else {
            self.form
                .write_header(&mut self.text, name, family.kind, visible.help, len);
        }
        visible
            .chunks
            .into_iter()
            .for_each(|frame| self.chunk(frame));
    }

    fn chunk(&mut self, frame: Frame) {
        match frame {
            small if small.len() < SMALL_CHUNK => {
                self.text.extend_from_slice(&small.into_bytes());
                if self.text.len() >= CHUNK_BYTES {
                    self.flush();
                }
            }
            chunk => {
                self.flush();
                self.done.push(chunk);
            }
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.done
                .push(Frame::Text(std::mem::take(&mut self.text).into()));
        }
    }

    fn finish(mut self) -> Vec<Frame> {
        self.flush();
        self.done
    }
}

/// What is left of a family without the expired groups.
struct Visible<'a> {
    chunks: Vec<Frame>,
    help: Option<&'a str>,
}

impl<'a> Visible<'a> {
    fn of(family: &'a Family, expired: &Arc<[GroupId]>) -> Self {
        let whole = |chunk: &Arc<Chunk>| Frame::Chunk(ChunkText(Arc::clone(chunk)));
        let filtered: Vec<_> = if expired.is_empty() {
            Vec::new()
        } else {
            family
                .chunks
                .iter()
                .map(|chunk| chunk.len_without(expired))
                .collect()
        };
        if filtered.iter().all(Option::is_none) {
            return Self {
                chunks: family.chunks.iter().map(whole).collect(),
                help: family.help(),
            };
        }
        let mut slots = Vec::new();
        let mut chunks = Vec::new();
        for (chunk, filtered) in family.chunks.iter().zip(filtered) {
            match filtered {
                None => {
                    slots.extend(chunk.helps());
                    chunks.push(whole(chunk));
                }
                Some((0, _)) => {}
                Some((len, helps)) => {
                    slots.extend(helps);
                    let (chunk, left_out) = (Arc::clone(chunk), Arc::clone(expired));
                    chunks.push(Frame::Part(ChunkPart {
                        chunk,
                        left_out,
                        len,
                    }));
                }
            }
        }
        slots.sort_unstable();
        slots.dedup();
        Self {
            chunks,
            help: family.help_among(slots.into_iter()),
        }
    }
}
