//! One rendered family: its header and its chunks.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::chunk::{Chunk, HelpSlot};
use super::{GroupId, RenderedFamily};
use crate::limits::CHUNK_BYTES;
use crate::model::Kind;

/// A family of the view. Cheap to clone: chunks are shared until they change.
#[derive(Debug, Clone)]
pub(super) struct Family {
    pub(super) kind: Kind,
    pub(super) chunks: Vec<Arc<Chunk>>,
    /// Distinct helps and how many groups use each; a slot without users is free.
    helps: Vec<HelpUse>,
    /// Groups that hold series with other than legacy label names: nearly always none.
    foreign: BTreeSet<GroupId>,
    /// Those of them that show a series of another group once names are escaped, when
    /// somebody has looked. See [`super::clash`].
    pub(super) clashing: OnceLock<Arc<[GroupId]>>,
}

#[derive(Debug, Clone)]
struct HelpUse {
    help: Option<Arc<str>>,
    groups: usize,
}

impl Default for Family {
    fn default() -> Self {
        Self {
            kind: Kind::Untyped,
            chunks: Vec::new(),
            helps: Vec::new(),
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
        let help = self.use_help(rendered.help.as_ref());
        let at = self.chunk_of(group);
        if self.chunks.is_empty() {
            self.chunks.push(Arc::default());
        }
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        if let Some(old) = chunk.set(group, &rendered.text, help) {
            self.release_help(old);
        }
        self.keep_size(at);
    }

    /// Takes a group out.
    pub(super) fn remove(&mut self, group: GroupId) {
        self.clashing = OnceLock::new();
        self.foreign.remove(&group);
        let at = self.chunk_of(group);
        let Some(chunk) = self.chunks.get_mut(at) else {
            return;
        };
        if let Some(help) = Arc::make_mut(chunk).remove(group) {
            self.release_help(help);
        }
        self.keep_size(at);
    }

    /// Groups that hold series with other than legacy label names.
    pub(super) fn foreign(&self) -> &BTreeSet<GroupId> {
        &self.foreign
    }

    /// The bytewise smallest help that is not empty, so that every scrape prints
    /// the same one; an empty one if some group set that; else none.
    pub(super) fn help(&self) -> Option<&str> {
        let used = self.helps.iter().filter(|used| used.groups > 0);
        best_help(used.map(|used| used.help.as_deref()))
    }

    /// The same among the helps in these slots only.
    pub(super) fn help_among(&self, slots: impl Iterator<Item = HelpSlot>) -> Option<&str> {
        let helps = slots.filter_map(|slot| self.helps.get(slot as usize));
        best_help(helps.map(|used| used.help.as_deref()))
    }

    /// The chunk in which a group is, or belongs: the last that starts at or before it.
    fn chunk_of(&self, group: GroupId) -> usize {
        let after = self
            .chunks
            .partition_point(|chunk| chunk.first().is_some_and(|g| g <= group));
        after.saturating_sub(1)
    }

    /// Splits a chunk that has grown, drops an empty one, joins a small one to a neighbour.
    fn keep_size(&mut self, at: usize) {
        let Some(chunk) = self.chunks.get_mut(at) else {
            return;
        };
        if chunk.is_empty() {
            self.chunks.remove(at);
            return;
        }
        let len = chunk.text().len();
        if len > 2 * CHUNK_BYTES {
            if let Some(second) = Arc::make_mut(chunk).split() {
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
        Arc::make_mut(&mut self.chunks[first]).append(&second);
    }

    fn use_help(&mut self, help: Option<&Arc<str>>) -> HelpSlot {
        let same = |used: &HelpUse| used.groups > 0 && used.help.as_ref() == help;
        let free = |used: &HelpUse| used.groups == 0;
        let known = self.helps.iter().position(same);
        let slot = known
            .or_else(|| self.helps.iter().position(free))
            .unwrap_or_else(|| {
                self.helps.push(HelpUse {
                    help: None,
                    groups: 0,
                });
                self.helps.len() - 1
            });
        let used = &mut self.helps[slot];
        if used.groups == 0 {
            used.help = help.cloned();
        }
        used.groups += 1;
        HelpSlot::try_from(slot).unwrap_or_default()
    }

    fn release_help(&mut self, slot: HelpSlot) {
        if let Some(used) = self.helps.get_mut(slot as usize) {
            used.groups = used.groups.saturating_sub(1);
        }
    }
}

fn best_help<'a>(helps: impl Iterator<Item = Option<&'a str>>) -> Option<&'a str> {
    // An empty text sorts behind every other one, no help at all behind that.
    helps
        .min_by_key(|help| (help.is_none(), help.is_some_and(str::is_empty), *help))
        .flatten()
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
        family.remove(GroupId(4));
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
        for group in (0..2000).filter(|group| group % 50 != 0) {
            family.remove(GroupId(group));
        }
        let expected: String = (0..2000).step_by(50).map(line).collect();
        assert_eq!(text(&family), expected);
        assert!(family.chunks.len() <= 3, "{} chunks", family.chunks.len());
        for group in (0..2000).step_by(50) {
            family.remove(GroupId(group));
        }
        assert!(family.is_empty());
    }
}
