//! One rendered family: its header and its chunks.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::chunk::{Chunk, HelpSlot};
use super::helps::Helps;
use super::{GroupId, RenderedFamily};
use crate::limits::CHUNK_BYTES;
use crate::model::Kind;

/// A family of the view. Cheap to clone: chunks are shared until they change.
#[derive(Debug, Clone)]
pub(super) struct Family {
    pub(super) kind: Kind,
    pub(super) chunks: Vec<Arc<Chunk>>,
    /// The first group of each chunk, beside each other: the search for a group's chunk would
    /// otherwise wait for the memory of every chunk that it looks at.
    firsts: Vec<GroupId>,
    helps: Helps,
    /// Groups that hold series with other than legacy label names: nearly always none.
    foreign: BTreeSet<GroupId>,
    /// Those of them that show a series of another group once names are escaped, when
    /// somebody has looked. See [`super::clash`].
    pub(super) clashing: OnceLock<Arc<[GroupId]>>,
}

impl Default for Family {
    fn default() -> Self {
        Self {
            kind: Kind::Untyped,
            chunks: Vec::new(),
            firsts: Vec::new(),
            helps: Helps::default(),
            foreign: BTreeSet::new(),
            clashing: OnceLock::new(),
        }
    }
}

impl Family {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Puts in what one group holds of this family, in place of what it held.
    pub(super) fn set(&mut self, group: GroupId, rendered: &RenderedFamily) {
        self.kind = rendered.kind;
        self.clashing = OnceLock::new();
        if rendered.legacy {
            self.foreign.remove(&group);
        } else {
            self.foreign.insert(group);
        }
        let help = self.helps.add(rendered.help.as_deref(), 1);
        let at = self.chunk_of(group);
        if self.chunks.is_empty() {
            self.chunks.push(Arc::default());
            self.firsts.push(group);
        }
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        if let Some(old) = chunk.set(group, &rendered.text, help) {
            self.helps.release(old);
        }
        self.firsts[at] = self.firsts[at].min(group);
        self.keep_size(at);
    }

    /// Takes these groups (sorted) out. Those in one chunk cost one pass over it.
    pub(super) fn remove(&mut self, groups: &[GroupId]) {
        self.clashing = OnceLock::new();
        for group in groups {
            self.foreign.remove(group);
        }
        let mut left = groups;
        while let Some(first) = left.first() {
            let at = self.chunk_of(*first);
            let next = self.firsts.get(at + 1).copied();
            let here = left.partition_point(|group| next.is_none_or(|next| *group < next));
            let (here, further) = left.split_at(here);
            left = further;
            let Some(chunk) = self.chunks.get_mut(at) else {
                return;
            };
            let chunk = Arc::make_mut(chunk);
            let helps = chunk.remove(here);
            if let Some(first) = chunk.first() {
                self.firsts[at] = first;
            }
            for help in helps {
                self.helps.release(help);
            }
            self.keep_size(at);
        }
    }

    /// Puts in what a group holds that comes behind all others, into the chunk that is being
    /// filled. `write` appends its text and returns whether all label names are legacy ones.
    pub(super) fn push(
        &mut self,
        open: &mut Chunk,
        group: GroupId,
        (kind, help): (Kind, Option<&str>),
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) {
        self.kind = kind;
        let help = self.helps.add(help, 1);
        if !open.push(group, help, write) {
            self.foreign.insert(group);
        }
        if open.text().len() >= CHUNK_BYTES {
            self.close(open);
        }
    }

    /// Ends the chunk that is being filled.
    pub(super) fn close(&mut self, open: &mut Chunk) {
        if !open.is_empty() {
            self.put_last(Arc::new(open.take()));
        }
    }

    fn put_last(&mut self, chunk: Arc<Chunk>) {
        self.firsts.extend(chunk.first());
        self.chunks.push(chunk);
    }

    /// Puts the groups of `next` behind all others.
    pub(super) fn append(&mut self, next: Self) {
        self.kind = next.kind;
        self.clashing = OnceLock::new();
        self.foreign.extend(next.foreign);
        let slots = self.helps.join(&next.helps);
        for mut chunk in next.chunks {
            Arc::make_mut(&mut chunk).move_helps(&slots);
            match self.chunks.last_mut() {
                Some(last) if last.text().len() + chunk.text().len() <= CHUNK_BYTES / 2 * 3 => {
                    Arc::make_mut(last).append(&chunk);
                }
                _ => self.put_last(chunk),
            }
        }
    }

    /// Groups that hold series with other than legacy label names.
    pub(super) fn foreign(&self) -> &BTreeSet<GroupId> {
        &self.foreign
    }

    /// The help of the family: see [`Helps::best`].
    pub(super) fn help(&self) -> Option<&str> {
        self.helps.best()
    }

    /// The same among the helps in these slots only.
    pub(super) fn help_among(&self, slots: impl Iterator<Item = HelpSlot>) -> Option<&str> {
        self.helps.best_among(slots)
    }

    /// The chunk in which a group is, or belongs: the last that starts at or before it.
    fn chunk_of(&self, group: GroupId) -> usize {
        let after = self.firsts.partition_point(|first| *first <= group);
        after.saturating_sub(1)
    }

    /// Splits a chunk that has grown, drops an empty one, joins a small one to a neighbour.
    fn keep_size(&mut self, at: usize) {
        let Some(chunk) = self.chunks.get_mut(at) else {
            return;
        };
        if chunk.is_empty() {
            self.chunks.remove(at);
            self.firsts.remove(at);
            return;
        }
        let len = chunk.text().len();
        if len > 2 * CHUNK_BYTES {
            if let Some(second) = Arc::make_mut(chunk).split() {
                self.firsts
                    .insert(at + 1, second.first().unwrap_or_default());
                self.chunks.insert(at + 1, Arc::new(second));
            }
        } else if len < CHUNK_BYTES / 4 {
            self.join(at);
        }
    }

    /// Joins a small chunk to a neighbour that is not large.
    fn join(&mut self, at: usize) {
        let small = |chunk: Option<&Arc<Chunk>>| {
            chunk.is_some_and(|chunk| chunk.text().len() < CHUNK_BYTES / 2)
        };
        let first = if small(self.chunks.get(at + 1)) {
            at
        } else if let Some(before) = at.checked_sub(1)
            && small(self.chunks.get(before))
        {
            before
        } else {
            return;
        };
        let second = self.chunks.remove(first + 1);
        self.firsts.remove(first + 1);
        Arc::make_mut(&mut self.chunks[first]).append(&second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn set(family: &mut Family, group: u32, help: Option<&str>, text: &str) {
        let rendered = RenderedFamily {
            name: "a".into(),
            kind: Kind::Gauge,
            help: help.map(Into::into),
            text: Bytes::copy_from_slice(text.as_bytes()),
            legacy: true,
        };
        family.set(GroupId(group), &rendered);
    }

    fn text(family: &Family) -> String {
        family
            .chunks
            .iter()
            .map(|chunk| String::from_utf8_lossy(chunk.text()))
            .collect()
    }

    #[test]
    fn help_is_the_smallest_that_says_something() {
        let mut family = Family::default();
        set(&mut family, 1, None, "a 1\n");
        assert_eq!(family.help(), None);
        set(&mut family, 2, Some(""), "a 2\n");
        assert_eq!(family.help(), Some(""));
        set(&mut family, 3, Some("zebra"), "a 3\n");
        set(&mut family, 4, Some("apple"), "a 4\n");
        assert_eq!(family.help(), Some("apple"));
        family.remove(&[GroupId(4)]);
        assert_eq!(family.help(), Some("zebra"));
        set(&mut family, 3, None, "a 3\n");
        assert_eq!(family.help(), Some(""));
    }

    #[test]
    fn many_groups_pushed_in_any_order_stay_in_order_and_in_bounded_chunks() {
        let mut family = Family::default();
        let line = |group: u32| format!("a{{x=\"{group:0200}\"}} 1\n");
        // 7919 is prime to 2000, so this visits every group once, scattered.
        for step in 0..2000_u32 {
            let group = step * 7919 % 2000;
            set(&mut family, group, None, &line(group));
        }
        let expected: String = (0..2000).map(line).collect();
        assert_eq!(text(&family), expected);
        assert!(family.chunks.len() > 4);
        assert!(
            family
                .chunks
                .iter()
                .all(|chunk| chunk.text().len() <= 2 * CHUNK_BYTES)
        );
        // Some one by one, the others many at once.
        for group in (0..200).filter(|group| group % 50 != 0) {
            family.remove(&[GroupId(group)]);
        }
        let others = (200..2000).filter(|group| group % 50 != 0).map(GroupId);
        for some in others.collect::<Vec<_>>().chunks(333) {
            family.remove(some);
        }
        let expected: String = (0..2000).step_by(50).map(line).collect();
        assert_eq!(text(&family), expected);
        assert!(family.chunks.len() <= 3, "{} chunks", family.chunks.len());
        let rest = (0..2000).step_by(50).map(GroupId);
        family.remove(&rest.collect::<Vec<_>>());
        assert!(family.is_empty());
    }
}
