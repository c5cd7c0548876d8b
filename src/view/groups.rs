//! Every group's deadline and size; who expires next. In memory only: it all
//! follows from the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::GroupId;
use crate::clock::UnixNanos;
use crate::ttl::TtlSource;

/// What the view knows of a group beside its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// When it expires, in TTL time; `None`: never.
    pub deadline: Option<UnixNanos>,
    /// Where its TTL comes from.
    pub source: TtlSource,
    /// Number of pushed series (sample lines) it holds.
    pub series: u64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) groups: usize,
    pub(super) series: u64,
}

/// All groups of the view.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_deadline: BTreeSet<(UnixNanos, GroupId)>,
    lives: HashMap<GroupId, Life>,
    series: u64,
    by_source: BTreeMap<TtlSource, usize>,
}

impl Groups {
    /// Takes in what a group is from now on; `None`: it is gone.
    pub(super) fn set(&mut self, group: GroupId, life: Option<Life>) {
        let new = life.as_ref().and_then(|new| new.deadline);
        if let Some(life) = &life {
            self.series += life.series;
            *self.by_source.entry(life.source.clone()).or_default() += 1;
        }
        let old = match life {
            Some(life) => self.lives.insert(group, life),
            None => self.lives.remove(&group),
        };
        if let Some(old) = &old {
            self.series -= old.series;
            self.leave_source(&old.source);
        }
        let old = old.and_then(|old| old.deadline);
        if old == new {
            return;
        }
        if let Some(old) = old {
            self.by_deadline.remove(&(old, group));
        }
        if let Some(new) = new {
            self.by_deadline.insert((new, group));
        }
    }

    fn leave_source(&mut self, source: &TtlSource) {
        if let Some(groups) = self.by_source.get_mut(source) {
            *groups -= 1;
            if *groups == 0 {
                self.by_source.remove(source);
            }
        }
    }

    /// Number of groups by where their TTL comes from, beside these groups.
    pub(super) fn by_source(&self, left_out: &[GroupId]) -> BTreeMap<TtlSource, usize> {
        let mut sources = self.by_source.clone();
        for life in left_out.iter().filter_map(|group| self.lives.get(group)) {
            if let Some(groups) = sources.get_mut(&life.source) {
                *groups -= 1;
            }
        }
        sources
    }

    pub(super) fn next_deadline(&self) -> Option<UnixNanos> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// Groups whose deadline is at or before `now`, longest ago first.
    pub(super) fn expired(&self, now: UnixNanos) -> impl Iterator<Item = GroupId> {
        let until = (now, GroupId(u32::MAX));
        self.by_deadline.range(..=until).map(|(_, group)| *group)
    }

    /// How much there is beside these groups, each of them given once.
    pub(super) fn count_without(&self, left_out: &[GroupId]) -> Count {
        let lives = left_out.iter().filter_map(|group| self.lives.get(group));
        let without = lives.fold((0, 0), |sum, life| (sum.0 + 1, sum.1 + life.series));
        Count {
            groups: self.lives.len() - without.0,
            series: self.series - without.1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "what `set` takes")]
    fn life(deadline: u64, series: u64) -> Option<Life> {
        Some(Life {
            deadline: Some(UnixNanos(deadline)),
            source: TtlSource::Default,
            series,
        })
    }

    fn expired_at(groups: &Groups, now: u64) -> Vec<u32> {
        groups
            .expired(UnixNanos(now))
            .map(|group| group.0)
            .collect()
    }

    #[test]
    fn a_group_has_expired_at_its_deadline_and_not_before() {
        let mut groups = Groups::default();
        groups.set(GroupId(7), life(10, 1));
        groups.set(GroupId(u32::MAX), life(5, 1));
        assert_eq!(groups.next_deadline(), Some(UnixNanos(5)));
        assert_eq!(expired_at(&groups, 4), [0; 0]);
        assert_eq!(expired_at(&groups, 5), [u32::MAX]);
        assert_eq!(expired_at(&groups, 9), [u32::MAX]);
        assert_eq!(expired_at(&groups, 10), [u32::MAX, 7]);
    }

    #[test]
    fn a_moved_or_removed_deadline_leaves_nothing_behind() {
        let mut groups = Groups::default();
        groups.set(GroupId(1), life(10, 3));
        groups.set(GroupId(1), life(20, 4));
        assert_eq!(expired_at(&groups, 15), [0; 0]);
        groups.set(
            GroupId(1),
            Some(Life {
                deadline: None,
                source: TtlSource::Push,
                series: 4,
            }),
        );
        assert_eq!(groups.next_deadline(), None);
        groups.set(GroupId(1), None);
        assert!(
            groups.by_deadline.is_empty()
                && groups.lives.is_empty()
                && groups.by_source.is_empty()
                && groups.series == 0
        );
    }

    #[test]
    fn counts_leave_expired_groups_out() {
        let mut groups = Groups::default();
        groups.set(GroupId(1), life(10, 3));
        groups.set(GroupId(2), life(20, 4));
        assert_eq!(
            groups.count_without(&[GroupId(1)]),
            Count {
                groups: 1,
                series: 4
            }
        );
        assert_eq!(
            groups.count_without(&[]),
            Count {
                groups: 2,
                series: 7
            }
        );
    }
}
