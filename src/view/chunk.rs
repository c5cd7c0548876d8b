//! A chunk: rendered lines of neighbouring groups in one family.

use std::ops::Range;
use std::sync::OnceLock;

use super::GroupId;
use super::gzip::Segment;

/// Lines of several groups, in order of group id. Copied on write while a scrape holds it.
#[derive(Debug, Clone, Default)]
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

/// Index into the family's distinct helps.
pub(super) type HelpSlot = u32;

impl Chunk {
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn segment(&self) -> &Segment {
        self.segment.get_or_init(|| Segment::compress(&self.text))
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

    /// Takes a group out; its help slot if it was here.
    pub(super) fn remove(&mut self, group: GroupId) -> Option<HelpSlot> {
        let at = self.find(group).ok()?;
        self.segment = OnceLock::new();
        self.splice(at, b"");
        Some(self.entries.remove(at).help)
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

    /// Puts `text` in place of an entry's bytes and moves all that follows.
    fn splice(&mut self, at: usize, text: &[u8]) {
        let old = self.range(at);
        let (start, end) = (old.start as usize, old.end as usize);
        if text.len() == end - start {
            // The common case: the same series with other values of the same width.
            self.text[start..end].copy_from_slice(text);
            return;
        }
        self.text.splice(start..end, text.iter().copied());
        // Both are below 4 GiB: limits::RENDERED_BYTES bounds what one group may hold.
        let grown = u32::try_from(text.len()).unwrap_or(u32::MAX);
        for entry in &mut self.entries[at..] {
            entry.end = entry.end - (old.end - old.start) + grown;
        }
    }
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
        assert_eq!(chunk.remove(GroupId(1)), Some(1));
        assert_eq!(chunk.remove(GroupId(1)), None);
        assert_eq!(text(&chunk), "3\nfive\n");
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
