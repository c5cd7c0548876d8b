//! What the writer checks against: every group, and who holds which family.
//!
//! Owned by the writer alone. Derived from the store; after a failed commit it is
//! thrown away and built again, never patched back.

mod families;
mod name_sets;

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::UnixNanos;
use crate::model::{GroupKey, Kind};
use crate::store::Head;
use crate::ttl::{self, Override, Schedule};
use crate::view::{GroupId, Life};

pub(super) use families::{Families, FamilyId, FamilyUse};
use name_sets::NameSets;
pub(super) use name_sets::{JobNames, NameSet};

/// One group, all but its series.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) head: Head,
    /// An operator's word about its TTL.
    pub(super) pinned: Option<Box<Override>>,
    /// The TTL in force and when it expires.
    pub(super) schedule: Schedule,
    /// Families it holds, each with its number of sample lines; by number once it
    /// is in the index.
    pub(super) families: Vec<Held>,
}

/// A family as one group holds it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) family: FamilyId,
    pub(super) series: u32,
}

impl Group {
    /// Whether it has expired at a horizon of expiry.
    pub(super) fn is_expired(&self, horizon: UnixNanos) -> bool {
        ttl::is_expired(self.schedule.deadline, horizon)
    }

    /// What the view knows of it.
    pub(super) fn life(&self) -> Life {
        Life {
            deadline: self.schedule.deadline,
            source: self.schedule.source.clone(),
            series: self.head.series,
        }
    }

    pub(super) fn holds(&self, family: FamilyId) -> bool {
        self.families
            .binary_search_by_key(&family, |held| held.family)
            .is_ok()
    }
}

/// All groups by key and number.
#[derive(Debug, Default)]
pub(super) struct Index {
    groups: Vec<Option<Group>>,
    /// Numbers of `groups` that are free.
    free: Vec<GroupId>,
    by_key: HashMap<GroupKey, GroupId>,
    pub(super) families: Families,
    name_sets: NameSets,
}

impl Index {
    pub(super) fn find(&self, key: &GroupKey) -> Option<GroupId> {
        self.by_key.get(key).copied()
    }

    pub(super) fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(id.0 as usize)?.as_ref()
    }

    /// The group of this key.
    pub(super) fn group(&self, key: &GroupKey) -> Option<&Group> {
        self.get(self.find(key)?)
    }

    /// Puts a group in, in place of the one of the same key; its number, and the
    /// families that this group held before and does not hold any more.
    pub(super) fn put(&mut self, mut group: Group) -> (GroupId, Vec<Arc<str>>) {
        group.families.sort_unstable_by_key(|held| held.family);
        let id = self
            .find(&group.key)
            .unwrap_or_else(|| self.add(&group.key));
        for held in &group.families {
            self.families.hold(held.family, id);
        }
        let old = self.groups[id.0 as usize].replace(group);
        let old = old.map(|group| group.families).unwrap_or_default();
        let gone: Vec<Held> = {
            let new = self.get(id);
            old.into_iter()
                .filter(|held| !new.is_some_and(|new| new.holds(held.family)))
                .collect()
        };
        (id, self.release(id, &gone))
    }

    /// Takes a group out; the families it held.
    pub(super) fn remove(&mut self, id: GroupId) -> Option<(Group, Vec<Arc<str>>)> {
        let group = self.groups.get_mut(id.0 as usize)?.take()?;
        self.free.push(id);
        self.by_key.remove(&group.key);
        self.name_sets.remove(&group.key);
        let gone = self.release(id, &group.families);
        Some((group, gone))
    }

    /// The grouping-label names that the groups of a job use.
    pub(super) fn name_sets(&self, job: &str) -> Option<&JobNames> {
        self.name_sets.of_job(job)
    }

    /// Numbers of groups from one on, gone ones left out, at most so many numbers
    /// further, and the number to go on with; `None`: there are no more.
    pub(super) fn slice(&self, from: usize, len: usize) -> (Vec<GroupId>, Option<usize>) {
        let to = (from + len).min(self.groups.len());
        let ids = (from..to).filter(|at| self.groups[*at].is_some());
        let ids = ids
            .filter_map(|at| u32::try_from(at).ok().map(GroupId))
            .collect();
        (ids, (to < self.groups.len()).then_some(to))
    }

    pub(super) fn get_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(id.0 as usize)?.as_mut()
    }

    /// The number of a family, made known if it is new, and its type from now on.
    pub(super) fn family(&mut self, name: &Arc<str>, kind: Kind) -> FamilyId {
        self.families.intern(name, kind)
    }

    fn add(&mut self, key: &GroupKey) -> GroupId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.groups.push(None);
            // 4 billion groups at once do not fit in memory.
            GroupId(u32::try_from(self.groups.len() - 1).unwrap_or(u32::MAX))
        });
        self.by_key.insert(key.clone(), id);
        self.name_sets.add(key);
        id
    }

    fn release(&mut self, id: GroupId, gone: &[Held]) -> Vec<Arc<str>> {
        gone.iter()
            .filter_map(|held| self.families.release(held.family, id))
            .collect()
    }
}
