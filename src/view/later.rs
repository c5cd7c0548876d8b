//! Changes that time brings about by itself.

use std::collections::{BTreeMap, HashMap};

use super::{Change, GroupId};
use crate::clock::UnixNanos;

/// A change to come, unless another of its group comes first.
#[derive(Debug, Clone)]
pub struct Later {
    /// When, in TTL time.
    pub at: UnixNanos,
    /// What becomes of the group then.
    pub change: Box<Change>,
}

/// All changes to come, at most one of each group.
#[derive(Debug, Default)]
pub(super) struct Laters {
    by_time: BTreeMap<(UnixNanos, GroupId), Box<Change>>,
    of_group: HashMap<GroupId, UnixNanos>,
}

impl Laters {
    /// Takes in what is to come for a group from now on.
    pub(super) fn set(&mut self, group: GroupId, later: Option<&Later>) {
        if let Some(at) = self.of_group.remove(&group) {
            self.by_time.remove(&(at, group));
        }
        if let Some(Later { at, change }) = later {
            self.of_group.insert(group, *at);
            self.by_time.insert((*at, group), change.clone());
        }
    }

    /// Takes out the first change, if its time has come.
    pub(super) fn due(&mut self, now: UnixNanos) -> Option<Box<Change>> {
        let first = self.by_time.first_entry()?;
        let (at, group) = *first.key();
        if at > now {
            return None;
        }
        self.of_group.remove(&group);
        Some(first.remove())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_time.is_empty() && self.of_group.is_empty()
    }
}
