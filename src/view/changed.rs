//! The groups that have changed since another form was brought up to date.

use std::collections::BTreeSet;

use super::{Content, GroupId, Shows, View};
use crate::format::form::Form;

/// Changed groups that are always worth encoding by themselves.
const FEW_CHANGED: usize = 1000;

/// Groups looked at under one lock: some 0.1 ms.
const LOOKED_AT_ONCE: usize = 512;

/// Groups to be encoded anew in some form; `None`: there is nothing to show any more.
#[derive(Debug)]
pub enum Changed {
    /// Nothing is known of that form: all groups there are.
    All(Vec<(GroupId, Option<Shows>)>),
    /// Those that have changed since they were asked for last.
    Some(Vec<(GroupId, Option<Shows>)>),
}

impl View {
    /// The groups that have changed for this form; from now on changes are noted for it.
    /// Asked for by whoever alone applies changes: the view is locked for some groups at a
    /// time, so that scrapes do not wait for all of them.
    pub fn changed(&self, form: Form) -> Changed {
        let (noted, groups) = self.lock().take_noted(form);
        // If most have changed, all are encoded behind each other in less time than those
        // are put into their places.
        let few = (groups / 2).max(FEW_CHANGED);
        let noted = noted.filter(|ids| ids.len() <= few);
        let is_all = noted.is_none();
        let all = || (0..self.lock().ids()).map(GroupId).collect();
        let ids: Vec<GroupId> = noted.map_or_else(all, |ids| ids.into_iter().collect());
        let mut shown = Vec::with_capacity(ids.len());
        for some in ids.chunks(LOOKED_AT_ONCE) {
            let content = self.lock();
            shown.extend(some.iter().map(|id| (*id, content.shows(*id))));
        }
        if is_all {
            shown.retain(|(_, shows)| shows.is_some());
            return Changed::All(shown);
        }
        Changed::Some(shown)
    }
}

impl Content {
    /// The groups noted for a form, if they were, and how many there are in all. From now on
    /// new ones are noted.
    fn take_noted(&mut self, form: Form) -> (Option<BTreeSet<GroupId>>, usize) {
        (
            self.watched.insert(form, BTreeSet::new()),
            self.groups.len(),
        )
    }

    /// All ids are below this.
    fn ids(&self) -> u32 {
        let gone = self.gone.last_key_value().map_or(0, |(id, _)| id.0 + 1);
        let groups = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        groups.max(gone)
    }

    /// What there is to show of a group.
    fn shows(&self, id: GroupId) -> Option<Shows> {
        let life = self.groups.get(id).cloned().map(Shows::Group);
        life.or_else(|| self.gone.get(&id).cloned().map(Shows::Gone))
    }
}
