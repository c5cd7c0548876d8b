//! Families that are stored and not shown, and what has to change before they can be.
//!
//! Each hidden family watches one thing that stands in its way. As long as that
//! stands, nobody needs to look at the family again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::take;
use std::sync::Arc;

use crate::model::Kind;
use crate::view::GroupId;

/// A hidden family of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::state) struct Hiding {
    pub(in crate::state) kind: Kind,
    /// Number of sample lines.
    pub(in crate::state) series: u32,
    /// Why, for people.
    pub(in crate::state) fault: String,
    pub(in crate::state) obstacle: Obstacle,
}

/// What stands in a hidden family's way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::state) enum Obstacle {
    /// The family itself: only another push can help.
    Itself,
    /// The type that a shown family has, or that it is shown at all.
    Family(Arc<str>),
    /// A series of that family of that group.
    Series(GroupId, Arc<str>),
    /// The group whose push times are the same series.
    Twin(GroupId),
    /// Found in the store: to be looked at.
    Unknown,
}

/// Hidden families of a group by name. `push_time_seconds` stands for both families
/// that the gateway keeps.
pub(in crate::state) type HiddenFamilies = BTreeMap<Arc<str>, Hiding>;

/// A hidden family: its group and its name.
type Watcher = (GroupId, Arc<str>);

/// Who watches what.
#[derive(Debug, Default)]
pub(super) struct Watch {
    watched: HashMap<Obstacle, BTreeSet<Watcher>>,
    /// Families without holders now, or perhaps of another type than this.
    loosened: BTreeMap<Arc<str>, Kind>,
    /// Hidden families to be looked at.
    freed: BTreeSet<Watcher>,
    /// Number of all hidden families.
    count: usize,
}

impl Watch {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether there is nothing to be told.
    pub(super) fn is_idle(&self) -> bool {
        self.watched.is_empty()
    }

    pub(super) fn add(&mut self, group: GroupId, families: &HiddenFamilies) {
        self.count += families.len();
        for (name, hiding) in families {
            let watcher = (group, Arc::clone(name));
            match &hiding.obstacle {
                Obstacle::Itself => {}
                Obstacle::Unknown => drop(self.freed.insert(watcher)),
                obstacle => {
                    let watchers = self.watched.entry(obstacle.clone()).or_default();
                    watchers.insert(watcher);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, group: GroupId, families: &HiddenFamilies) {
        self.count -= families.len();
        for (name, hiding) in families {
            let Some(watchers) = self.watched.get_mut(&hiding.obstacle) else {
                continue;
            };
            watchers.remove(&(group, Arc::clone(name)));
            if watchers.is_empty() {
                self.watched.remove(&hiding.obstacle);
            }
        }
    }

    /// This obstacle is gone, or another one now.
    pub(super) fn gone(&mut self, obstacle: &Obstacle) {
        if let Some(watchers) = self.watched.get(obstacle) {
            self.freed.extend(watchers.iter().cloned());
        }
    }

    /// A family that had this type may be without holders or of another type now.
    pub(super) fn loosen(&mut self, name: &Arc<str>, kind: Kind) {
        if self
            .watched
            .contains_key(&Obstacle::Family(Arc::clone(name)))
        {
            self.loosened.entry(Arc::clone(name)).or_insert(kind);
        }
    }

    /// Whether anything was freed.
    pub(super) fn has_freed(&self) -> bool {
        !self.freed.is_empty() || !self.loosened.is_empty()
    }

    /// What is to be looked at again, by group, in order of name. `kind` is the type of a
    /// family that has holders.
    pub(super) fn take_freed(
        &mut self,
        kind: impl Fn(&str) -> Option<Kind>,
    ) -> BTreeMap<GroupId, Vec<Arc<str>>> {
        for (name, before) in take(&mut self.loosened) {
            if kind(&name) != Some(before) {
                self.gone(&Obstacle::Family(name));
            }
        }
        let mut by_group: BTreeMap<GroupId, Vec<Arc<str>>> = BTreeMap::new();
        for (group, name) in take(&mut self.freed) {
            by_group.entry(group).or_default().push(name);
        }
        by_group
    }
}
