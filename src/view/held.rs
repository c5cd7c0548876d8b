//! Groups that wait for a scrape before they may expire.

use std::collections::BTreeSet;

use super::GroupId;
use crate::clock::UnixNanos;

/// Those whose last push no complete scrape has shown yet. A scrape that is complete
/// costs what has become free by it, once for each push, and nothing for the others.
#[derive(Debug, Default)]
pub(super) struct Held {
    by_deadline: BTreeSet<(UnixNanos, GroupId)>,
    by_push: BTreeSet<(u64, UnixNanos, GroupId)>,
    /// Pushes up to this number are free.
    scraped: u64,
}

impl Held {
    /// Whether a group whose last push has this number has to wait.
    pub(super) fn holds(&self, push: u64) -> bool {
        push > self.scraped
    }

    pub(super) fn insert(&mut self, push: u64, deadline: UnixNanos, group: GroupId) {
        self.by_deadline.insert((deadline, group));
        self.by_push.insert((push, deadline, group));
    }

    pub(super) fn remove(&mut self, push: u64, deadline: UnixNanos, group: GroupId) {
        self.by_deadline.remove(&(deadline, group));
        self.by_push.remove(&(push, deadline, group));
    }

    /// Takes out those whose pushes have been scraped, each with its deadline.
    pub(super) fn release(&mut self, scraped: u64) -> Vec<(UnixNanos, GroupId)> {
        if scraped <= self.scraped {
            return Vec::new();
        }
        self.scraped = scraped;
        let rest = self
            .by_push
            .split_off(&(scraped.saturating_add(1), UnixNanos(0), GroupId(0)));
        let free = std::mem::replace(&mut self.by_push, rest);
        let free: Vec<_> = free.into_iter().map(|(_, at, group)| (at, group)).collect();
        for one in &free {
            self.by_deadline.remove(one);
        }
        free
    }

    /// The first deadline.
    pub(super) fn first(&self) -> Option<UnixNanos> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// Those whose deadline is at or before `at`.
    pub(super) fn late(&self, at: UnixNanos) -> impl Iterator<Item = GroupId> {
        let until = (at, GroupId(u32::MAX));
        self.by_deadline.range(..=until).map(|(_, group)| *group)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_deadline.is_empty() && self.by_push.is_empty()
    }
}
