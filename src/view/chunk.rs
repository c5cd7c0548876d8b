//! A chunk: rendered lines of neighbouring groups in one family.

use std::ops::Range;
use std::sync::OnceLock;

use super::GroupId;
use super::gzip::{Compressor, Segment};

/// Lines of several groups, in order of group id. Copied on write while a scrape holds it.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// The text compressed, once a scrape has asked for it.
    segment: OnceLock<Segment>,
}

/// One group's part of a chunk.
#[derive(Debug, Clone, Copy)]
struct Entry {
    group: GroupId,
    /// Where the group's text ends; it starts where the one before ends.
    end: u32,
    /// Slot of the group's help in the family.
    help: HelpSlot,
}

/// A chunk is only copied to be changed.
impl Clone for Chunk {
    fn clone(&self) -> Self {
        let len = self.text.len();
        let mut text = Vec::with_capacity(len + room(len));
        text.extend_from_slice(&self.text);
        Self {
            text,
            entries: self.entries.clone(),
            segment: OnceLock::new(),
        }
    }
}

/// Index into the family's distinct helps.
pub(super) type HelpSlot = u32;

impl Chunk {
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The text compressed; by `compressor`, if that is still to be done.
    pub(super) fn segment(&self, compressor: &mut Compressor) -> &Segment {
        self.segment.get_or_init(|| compressor.segment(&self.text))
    }

    /// Whether the text was compressed before.
    pub(super) fn is_compressed(&self) -> bool {
        self.segment.get().is_some()
    }

    /// Help slots are numbered otherwise from now on: slot n is now `slots[n]`.
    pub(super) fn move_helps(&mut self, slots: &[HelpSlot]) {
        for entry in &mut self.entries {
            if let Some(slot) = slots.get(entry.help as usize) {
                entry.help = *slot;
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn first(&self) -> Option<GroupId> {
        self.entries.first().map(|entry| entry.group)
    }

    pub(super) fn last(&self) -> Option<GroupId> {
        self.entries.last().map(|entry| entry.group)
    }

    /// Puts a group's text in, in place of an older one; the older one's help slot.
    pub(super) fn set(&mut self, group: GroupId, text: &[u8], help: HelpSlot) -> Option<HelpSlot> {
        self.segment = OnceLock::new();
        match self.find(group) {
            Ok(at) => {
                let old = std::mem::replace(&mut self.entries[at].help, help);
                self.splice(at, text);
                Some(old)
            }
            Err(at) => {
                let end = self.range(at).start;
                self.entries.insert(at, Entry { group, end, help });
                self.splice(at, text);
                None
            }
        }
    }

    /// Puts in a group that comes behind all others: `write` appends its text.
    pub(super) fn push<T>(
        &mut self,
        group: GroupId,
        help: HelpSlot,
        write: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> T {
        let written = write(&mut self.text);
        // Below 4 GiB: as in `splice`.
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { group, end, help });
        written
    }

    /// Takes all out, as a chunk that has no more memory than it needs.
    pub(super) fn take(&mut self) -> Self {
        let taken = Self {
            text: self.text.as_slice().into(),
            entries: self.entries.as_slice().into(),
            segment: OnceLock::new(),
        };
        self.text.clear();
        self.entries.clear();
        taken
    }

    /// Takes those of these groups (sorted) out that are here, in one pass; their help slots.
    pub(super) fn remove(&mut self, groups: &[GroupId]) -> Vec<HelpSlot> {
        let found = groups.iter().filter_map(|group| self.find(*group).ok());
        let found: Vec<usize> = found.collect();
        let Some(first) = found.first() else {
            return Vec::new();
        };
        self.segment = OnceLock::new();
        let mut end = self.range(*first).start as usize;
        for (place, at) in found.iter().enumerate() {
            let kept = self.range(*at).end as usize;
            let next = found.get(place + 1);
            let next = next.map_or(self.text.len(), |next| self.range(*next).start as usize);
            self.text.copy_within(kept..next, end);
            end += next - kept;
        }
        self.text.truncate(end);
        self.remove_entries(&found)
    }

    /// Takes the entries at these places (sorted) out, and moves the ends of the others to
    /// where their texts are without them.
    fn remove_entries(&mut self, places: &[usize]) -> Vec<HelpSlot> {
        let mut helps = Vec::with_capacity(places.len());
        let (mut at, mut start, mut gone) = (0, 0, 0);
        self.entries.retain_mut(|entry| {
            let is_gone = places.get(helps.len()) == Some(&at);
            let bytes = entry.end - start;
            (at, start) = (at + 1, entry.end);
            if is_gone {
                gone += bytes;
                helps.push(entry.help);
            }
            entry.end -= gone;
            !is_gone
        });
        helps
    }

    /// Cuts the second half off, at a group's border; `None` if there is only one group.
    pub(super) fn split(&mut self) -> Option<Self> {
        let half = self.text.len() / 2;
        let at = self
            .entries
            .partition_point(|entry| entry.end as usize <= half);
        let at = at.clamp(
            1,
            self.entries.len().checked_sub(1).filter(|last| *last > 0)?,
        );
        let border = self.range(at).start;
        let text = self.text.split_off(border as usize);
        let mut entries = self.entries.split_off(at);
        // Or each half of what grew to its full size would keep the room of all of it.
        self.text.shrink_to(self.text.len() + room(self.text.len()));
        self.entries.shrink_to_fit();
        for entry in &mut entries {
            entry.end -= border;
        }
        self.segment = OnceLock::new();
        Some(Self {
            text,
            entries,
            segment: OnceLock::new(),
        })
    }

    /// Puts the content of the next chunk behind this one's.
    pub(super) fn append(&mut self, next: &Self) {
        let border = self.range(self.entries.len()).start;
        self.segment = OnceLock::new();
        self.make_room(next.text.len());
        self.entries.reserve_exact(next.entries.len());
        self.text.extend_from_slice(&next.text);
        self.entries.extend(next.entries.iter().map(|entry| Entry {
            end: entry.end + border,
            ..*entry
        }));
    }

    /// The length of the text without the groups in `left_out` (sorted), and the help
    /// slots of those that remain; `None` if it holds none of them.
    pub(super) fn len_without(&self, left_out: &[GroupId]) -> Option<(usize, Vec<HelpSlot>)> {
        let here = self.those_here(left_out);
        if !here.iter().any(|group| self.find(*group).is_ok()) {
            return None;
        }
        let mut len = 0;
        let mut helps = Vec::new();
        for (text, entry) in self.remaining(here) {
            len += text.len();
            helps.push(entry.help);
        }
        Some((len, helps))
    }

    /// The text without the groups in `left_out` (sorted).
    pub(super) fn text_without(&self, left_out: &[GroupId]) -> Vec<u8> {
        let mut left = Vec::with_capacity(self.text.len());
        for (text, _) in self.remaining(self.those_here(left_out)) {
            left.extend_from_slice(text);
        }
        left
    }

    /// Every group here and its text.
    pub(super) fn texts(&self) -> impl Iterator<Item = (GroupId, &[u8])> {
        self.remaining(&[]).map(|(text, entry)| (entry.group, text))
    }

    fn remaining(&self, left_out: &[GroupId]) -> impl Iterator<Item = (&[u8], &Entry)> {
        let all = self.entries.iter().enumerate();
        all.filter(|(_, entry)| left_out.binary_search(&entry.group).is_err())
            .map(|(at, entry)| {
                let range = self.range(at);
                let text = &self.text[range.start as usize..range.end as usize];
                (text, entry)
            })
    }

    /// The part of `groups` (sorted) between the first group here and the last.
    fn those_here<'a>(&self, groups: &'a [GroupId]) -> &'a [GroupId] {
        let (Some(first), Some(last)) = (self.first(), self.last()) else {
            return &[];
        };
        let from = groups.partition_point(|group| *group < first);
        let to = groups.partition_point(|group| *group <= last);
        groups.get(from..to).unwrap_or_default()
    }

    /// Help slots of all groups here.
    pub(super) fn helps(&self) -> impl Iterator<Item = HelpSlot> {
        self.entries.iter().map(|entry| entry.help)
    }

    fn find(&self, group: GroupId) -> Result<usize, usize> {
        self.entries
            .binary_search_by_key(&group, |entry| entry.group)
    }

    /// The bytes of the entry at `at`; empty, at the end, for the place behind the last.
    fn range(&self, at: usize) -> Range<u32> {
        let start = at
            .checked_sub(1)
            .map_or(0, |before| self.entries[before].end);
        start..self.entries.get(at).map_or(start, |entry| entry.end)
    }

    /// Makes room for so many bytes more, and a little for those after them: a vector by itself
    /// would double, and keep half of its memory for nothing.
    fn make_room(&mut self, more: usize) {
        if self.text.capacity() - self.text.len() < more {
            self.text.reserve_exact(more + room(self.text.len() + more));
        }
    }

    /// Puts `text` in place of an entry's bytes and moves all that follows.
    fn splice(&mut self, at: usize, text: &[u8]) {
        let old = self.range(at);
        let (start, end) = (old.start as usize, old.end as usize);
        if text.len() == end - start {
            // The common case: the same series with other values of the same width.
            self.text[start..end].copy_from_slice(text);
            return;
        }
        self.make_room(text.len().saturating_sub(end - start));
        self.text.splice(start..end, text.iter().copied());
        // Both are below 4 GiB: limits::RENDERED_BYTES bounds what one group may hold.
        let grown = u32::try_from(text.len()).unwrap_or(u32::MAX);
        for entry in &mut self.entries[at..] {
            entry.end = entry.end - (old.end - old.start) + grown;
        }
    }
}

/// Bytes that a text of this length may grow by before it is copied to a larger place.
fn room(len: usize) -> usize {
    len / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(groups: &[(u32, &str)]) -> Chunk {
        let mut chunk = Chunk::default();
        for (group, text) in groups {
            chunk.set(GroupId(*group), text.as_bytes(), *group);
        }
        chunk
    }

    fn text(chunk: &Chunk) -> &str {
        std::str::from_utf8(chunk.text()).expect("text")
    }

    #[test]
    fn texts_stand_in_order_of_group_whatever_the_order_of_pushes() {
        let mut chunk = chunk(&[(5, "five\n"), (1, "one\n"), (3, "three\n")]);
        assert_eq!(text(&chunk), "one\nthree\nfive\n");
        assert_eq!(chunk.set(GroupId(3), b"drei\n", 9), Some(3));
        assert_eq!(text(&chunk), "one\ndrei\nfive\n");
        chunk.set(GroupId(3), b"3\n", 9);
        assert_eq!(text(&chunk), "one\n3\nfive\n");
        assert_eq!(chunk.remove(&[GroupId(1)]), [1]);
        assert_eq!(chunk.remove(&[GroupId(1)]), [0; 0]);
        assert_eq!(text(&chunk), "3\nfive\n");
    }

    #[test]
    fn many_groups_go_at_once_and_the_others_keep_their_texts() {
        let texts = ["a\n", "bb\n", "ccc\n", "dd\n", "e\n", "ffff\n"];
        // Every choice of six groups, of which ids are even; those between are not here.
        for choice in 0..1_u32 << texts.len() {
            let all: Vec<(u32, &str)> = (0..).step_by(2).zip(texts).collect();
            let goes = |group: u32| choice >> (group / 2) & 1 == 1;
            let mut groups: Vec<GroupId> = all
                .iter()
                .filter(|(group, _)| goes(*group))
                .flat_map(|(group, _)| [GroupId(*group), GroupId(group + 1)])
                .collect();
            groups.insert(0, GroupId(0));
            groups.dedup();
            let left = all.iter().filter(|(group, _)| *group > 0 && !goes(*group));
            let left: Vec<(u32, &str)> = left.copied().collect();
            let mut chunk = chunk(&all);
            let helps = chunk.remove(&groups);
            assert_eq!(helps.len() + left.len(), all.len());
            let expected: String = left.iter().map(|(_, text)| *text).collect();
            assert_eq!(text(&chunk), expected);
            let kept: Vec<_> = chunk
                .texts()
                .map(|(group, text)| (group.0, text.to_vec()))
                .collect();
            let left = left
                .iter()
                .map(|(group, text)| (*group, text.as_bytes().to_vec()));
            assert_eq!(kept, left.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_chunk_splits_at_a_border_of_groups_and_joins_again() {
        let mut first = chunk(&[(1, "a\n"), (2, "b\n"), (3, "c\n"), (4, "d\n")]);
        let second = first.split().expect("four groups");
        assert_eq!((text(&first), text(&second)), ("a\nb\n", "c\nd\n"));
        first.append(&second);
        assert_eq!(text(&first), "a\nb\nc\nd\n");
        first.set(GroupId(4), b"dd\n", 0);
        first.set(GroupId(3), b"cc\n", 0);
        assert_eq!(text(&first), "a\nb\ncc\ndd\n");
        assert!(chunk(&[(1, "alone\n")]).split().is_none());
    }

    #[test]
    fn leaving_groups_out_keeps_whole_texts_of_the_others() {
        let chunk = chunk(&[(1, "a\n"), (2, "b\n"), (9, "c\n")]);
        let without = |groups: &[u32]| {
            let groups: Vec<GroupId> = groups.iter().copied().map(GroupId).collect();
            let (len, helps) = chunk.len_without(&groups)?;
            let text = String::from_utf8(chunk.text_without(&groups)).unwrap();
            assert_eq!(text.len(), len);
            Some((text, helps))
        };
        assert_eq!(without(&[]), None);
        assert_eq!(without(&[0, 3, 5, 10]), None);
        assert_eq!(without(&[2]), Some(("a\nc\n".into(), vec![1, 9])));
        assert_eq!(without(&[0, 1, 2, 9, 12]), Some((String::new(), vec![])));
    }
}
