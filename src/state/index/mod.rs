//! What the writer checks against: every group, and who holds which family.
//!
//! Owned by the writer alone. Derived from the store; after a failed commit it is
//! thrown away and built again, never patched back.

mod families;
mod hidden;
mod name_sets;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::{GroupKey, Kind};
use crate::push::printed::{has_plain_names, shown_key};
use crate::push::rewrite::PUSH_TIME;
use crate::state::quota::Counted;
use crate::store::Head;
use crate::ttl::{Horizon, Override, Schedule};
use crate::view::{GroupId, Life};

pub(super) use families::{Families, FamilyId, FamilyUse};
use hidden::Watch;
pub(super) use hidden::{HiddenFamilies, Hiding, Obstacle};
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
    /// Number of its last successful push, or of its first failed one if there was none.
    pub(super) pushed: u64,
    /// Families it shows, each with its number of sample lines; by number once it
    /// is in the index.
    pub(super) families: Vec<Held>,
    /// Families it holds beside these and does not show.
    pub(super) hidden: HiddenFamilies,
}

/// A family as one group holds it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) family: FamilyId,
    pub(super) series: u32,
}

impl Group {
    /// Whether the series that the gateway keeps for every group are hidden: those of its
    /// twin are shown.
    pub(super) fn hides_times(&self) -> bool {
        self.hidden.contains_key(PUSH_TIME)
    }

    /// Whether the view has these series: not before its first push is judged to the end.
    pub(super) fn shows_times(&self) -> bool {
        self.pushed > 0 && !self.hides_times()
    }

    /// Whether it has expired at a horizon of expiry.
    pub(super) fn is_expired(&self, horizon: Horizon) -> bool {
        self.schedule.is_expired(self.pushed, horizon)
    }

    /// What the view knows of it.
    pub(super) fn life(&self) -> Life {
        Life {
            key: self.key.clone(),
            deadline: self.schedule.deadline,
            ttl: self.schedule.ttl,
            source: self.schedule.source.clone(),
            series: self.head.series,
            pushed: self.pushed,
            held: self.schedule.hold.is_some(),
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
    /// Of all groups together.
    series: u64,
    /// Groups whose label names are printed otherwise than they are, by the key that
    /// is shown.
    by_shown: HashMap<GroupKey, Vec<GroupId>>,
    pub(super) families: Families,
    name_sets: NameSets,
    /// The number of the last push.
    pushes: u64,
    /// Groups that are not stored as they are here, each with the number of the last push
    /// that is; earlier entries are nearer to the store.
    unstored: Vec<(GroupKey, u64)>,
    watch: Watch,
}

impl Index {
    /// An empty one that goes on with the numbers of pushes.
    pub(super) fn after(before: &Self) -> Self {
        Self {
            pushes: before.pushes,
            ..Self::default()
        }
    }

    /// All that was changed is stored.
    pub(super) fn note_stored(&mut self) {
        self.unstored.clear();
    }

    /// The numbers of the last pushes that are stored, by group.
    pub(super) fn stored_pushes(&self) -> HashMap<GroupKey, u64> {
        let here = self.groups.iter().flatten();
        let here = here.map(|group| (group.key.clone(), group.pushed));
        here.chain(self.unstored.iter().rev().cloned()).collect()
    }

    /// Whether it has never held a group.
    pub(super) fn is_empty(&self) -> bool {
        self.pushes == 0
    }

    /// How much there is, expired groups included.
    pub(super) fn total(&self, counted: Counted) -> u64 {
        match counted {
            Counted::Groups => self.by_key.len() as u64,
            Counted::Series => self.series,
        }
    }

    /// The number of the next push: see [`Horizon::scraped`].
    pub(super) fn next_push(&mut self) -> u64 {
        self.pushes += 1;
        self.pushes
    }

    pub(super) fn find(&self, key: &GroupKey) -> Option<GroupId> {
        self.by_key.get(key).copied()
    }

    /// The groups that have other label names than these and are shown with them. More
    /// than one only where all but one hide their push times.
    pub(super) fn shown_as(&self, shown: &GroupKey) -> &[GroupId] {
        self.by_shown.get(shown).map_or(&[], Vec::as_slice)
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
        let old = self.groups[id.0 as usize].as_ref();
        for held in &group.families {
            // Looking a group up among thousands of holders costs more than all else here.
            if !old.is_some_and(|old| old.holds(held.family)) {
                self.families.hold(held.family, id);
            }
        }
        if let Some(old) = &self.groups[id.0 as usize] {
            self.watch.remove(id, &old.hidden);
        }
        self.watch.add(id, &group.hidden);
        self.series += group.head.series;
        let old = self.groups[id.0 as usize].replace(group);
        self.series -= old.as_ref().map_or(0, |old| old.head.series);
        if let Some(old) = &old {
            self.unstored.push((old.key.clone(), old.pushed));
        }
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
        self.series -= group.head.series;
        self.by_key.remove(&group.key);
        if !has_plain_names(&group.key) {
            self.forget_shown(id, shown_key(&group.key));
        }
        self.name_sets.remove(&group.key);
        self.unstored.push((group.key.clone(), group.pushed));
        self.watch.remove(id, &group.hidden);
        self.watch.gone(&Obstacle::Twin(id));
        let gone = self.release(id, &group.families);
        Some((group, gone))
    }

    fn forget_shown(&mut self, id: GroupId, shown: GroupKey) {
        if let Entry::Occupied(mut alike) = self.by_shown.entry(shown) {
            alike.get_mut().retain(|other| *other != id);
            if alike.get().is_empty() {
                alike.remove();
            }
        }
    }

    /// The grouping-label names that the groups of a job use.
    pub(super) fn name_sets(&self, job: &str) -> Option<&JobNames> {
        self.name_sets.of_job(job)
    }

    /// Numbers of groups from one on, gone ones left out, at most so many numbers
    /// further, and the number to go on with; `None`: there are no more.
    pub(super) fn slice(&self, from: usize, len: usize) -> (Vec<GroupId>, Option<usize>) {
        let to = from.saturating_add(len).min(self.groups.len());
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
        if !self.watch.is_idle()
            && let Some((_, found)) = self.families.find(name)
        {
            self.watch.loosen(name, found.kind);
        }
        self.families.intern(name, kind)
    }

    /// A group shows other series of a family than before.
    pub(super) fn replaced(&mut self, group: GroupId, name: &Arc<str>) {
        if !self.watch.is_idle() {
            self.watch.gone(&Obstacle::Series(group, Arc::clone(name)));
        }
    }

    /// Number of families that are stored and not shown.
    pub(super) fn hidden(&self) -> usize {
        self.watch.count()
    }

    /// Whether something may have gone that stood in the way of a hidden family.
    pub(super) fn has_freed(&self) -> bool {
        self.watch.has_freed()
    }

    /// Hidden families to be looked at again, by group, in order of name.
    pub(super) fn take_freed(&mut self) -> BTreeMap<GroupId, Vec<Arc<str>>> {
        let families = &self.families;
        self.watch
            .take_freed(|name| families.find(name).map(|(_, found)| found.kind))
    }

    /// A group holds a family from now on; the group is [`Self::put`] with it later.
    pub(super) fn add_holder(
        &mut self,
        name: &Arc<str>,
        kind: Kind,
        series: u32,
        group: GroupId,
    ) -> Held {
        let family = self.family(name, kind);
        self.families.hold(family, group);
        Held { family, series }
    }

    fn add(&mut self, key: &GroupKey) -> GroupId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.groups.push(None);
            // 4 billion groups at once do not fit in memory.
            GroupId(u32::try_from(self.groups.len() - 1).unwrap_or(u32::MAX))
        });
        self.by_key.insert(key.clone(), id);
        if !has_plain_names(key) {
            self.by_shown.entry(shown_key(key)).or_default().push(id);
        }
        self.name_sets.add(key);
        id
    }

    fn release(&mut self, id: GroupId, gone: &[Held]) -> Vec<Arc<str>> {
        // With room for the names of the families that the gateway adds to every group.
        let mut names = Vec::with_capacity(gone.len() + 4);
        for held in gone {
            if !self.watch.is_idle()
                && let Some(found) = self.families.get(held.family)
            {
                self.watch.loosen(&found.name, found.kind);
                let series = Obstacle::Series(id, Arc::clone(&found.name));
                self.watch.gone(&series);
            }
            names.extend(self.families.release(held.family, id));
        }
        names
    }
}
