//! Every group's deadline and size; who expires next. In memory only: it all
//! follows from the store.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::GroupId;
use super::held::Held;
use super::ttls::Ttls;
use crate::clock::UnixNanos;
use crate::model::GroupKey;
use crate::ttl::{Horizon, Ttl, TtlSource};

/// What the view knows of a group beside its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Its grouping key.
    pub key: GroupKey,
    /// When it expires, in TTL time; `None`: never.
    pub deadline: Option<UnixNanos>,
    /// Its TTL.
    pub ttl: Ttl,
    /// Where its TTL comes from.
    pub source: TtlSource,
    /// Number of pushed series (sample lines) it holds.
    pub series: u64,
    /// Number of its last push: see [`Horizon::scraped`].
    pub pushed: u64,
    /// Whether it does not expire before that push was scraped.
    pub held: bool,
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
    /// Groups that expire at their deadline.
    by_deadline: BTreeSet<(UnixNanos, GroupId)>,
    /// Groups that must have been scraped too, and have not been.
    held: Held,
    lives: HashMap<GroupId, Life>,
    series: u64,
    by_source: BTreeMap<TtlSource, usize>,
    pub(super) ttls: Ttls,
    /// The highest number of a push.
    pushes: u64,
}

impl Groups {
    /// Takes in what a group is from now on; `None`: it is gone.
    pub(super) fn set(&mut self, group: GroupId, life: Option<Life>) {
        self.set_deadline(group, life.as_ref());
        if let Some(life) = &life {
            self.pushes = self.pushes.max(life.pushed);
            self.series += life.series;
            self.ttls.add(life);
            *self.by_source.entry(life.source.clone()).or_default() += 1;
        }
        let old = match life {
            Some(life) => self.lives.insert(group, life),
            None => self.lives.remove(&group),
        };
        if let Some(old) = &old {
            self.series -= old.series;
            self.ttls.remove(old);
            self.leave_source(&old.source);
        }
    }

    /// Sorts a group in by its new deadline, and out by its old one.
    fn set_deadline(&mut self, group: GroupId, new: Option<&Life>) {
        let waits = |life: &Life| life.held && self.held.holds(life.pushed);
        let place = |life: &Life| Some((life.deadline?, waits(life).then_some(life.pushed)));
        let new = new.and_then(place);
        let old = self.lives.get(&group).and_then(place);
        if old == new {
            return;
        }
        match old {
            Some((deadline, None)) => drop(self.by_deadline.remove(&(deadline, group))),
            Some((deadline, Some(push))) => self.held.remove(push, deadline, group),
            None => {}
        }
        match new {
            Some((deadline, None)) => drop(self.by_deadline.insert((deadline, group))),
            Some((deadline, Some(push))) => self.held.insert(push, deadline, group),
            None => {}
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

    pub(super) fn get(&self, group: GroupId) -> Option<&Life> {
        self.lives.get(&group)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (GroupId, Life)> {
        self.lives
            .iter()
            .map(|(group, life)| (*group, life.clone()))
    }

    pub(super) fn next_deadline(&self) -> Option<UnixNanos> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// Number of groups with a short TTL beside these.
    pub(super) fn short_ttl_without(&self, left_out: &[GroupId]) -> usize {
        let lives = left_out.iter().filter_map(|group| self.lives.get(group));
        self.ttls.below() - lives.filter(|life| self.ttls.is_below(life)).count()
    }

    /// The first deadline of all.
    pub(super) fn first_deadline(&self) -> Option<UnixNanos> {
        let both = [self.next_deadline(), self.held.first()];
        both.into_iter().flatten().min()
    }

    /// The highest number of a push so far.
    pub(super) fn pushes(&self) -> u64 {
        self.pushes
    }

    /// Number of groups whose deadline is at or before `now`, those that wait for a scrape too.
    pub(super) fn count_passed(&self, now: UnixNanos) -> usize {
        self.passed(now).count() + self.held.late(now).count()
    }

    /// The keys of those whose deadline has passed and that wait for a scrape.
    pub(super) fn held(&mut self, horizon: Horizon) -> HashSet<GroupKey> {
        self.release(horizon);
        let late = self.held.late(horizon.at);
        late.filter_map(|group| Some(self.lives.get(&group)?.key.clone()))
            .collect()
    }

    /// Groups that have expired, longest ago first.
    pub(super) fn expired(&mut self, horizon: Horizon) -> impl Iterator<Item = GroupId> {
        self.release(horizon);
        self.passed(horizon.at)
    }

    /// From now on groups that have been scraped wait for their deadline only.
    fn release(&mut self, horizon: Horizon) {
        self.by_deadline.extend(self.held.release(horizon.scraped));
    }

    fn passed(&self, now: UnixNanos) -> impl Iterator<Item = GroupId> {
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
    use std::time::Duration;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "what `set` takes")]
    fn life(deadline: u64, series: u64) -> Option<Life> {
        Some(Life {
            key: GroupKey::new("a", &BTreeMap::new()),
            deadline: Some(UnixNanos(deadline)),
            ttl: Ttl::Never,
            source: TtlSource::Default,
            series,
            pushed: 1,
            held: false,
        })
    }

    fn expired_at(groups: &mut Groups, now: u64) -> Vec<u32> {
        groups
            .expired(UnixNanos(now).into())
            .map(|group| group.0)
            .collect()
    }

    #[test]
    fn a_group_has_expired_at_its_deadline_and_not_before() {
        let mut groups = Groups::default();
        groups.set(GroupId(7), life(10, 1));
        groups.set(GroupId(u32::MAX), life(5, 1));
        assert_eq!(groups.next_deadline(), Some(UnixNanos(5)));
        assert_eq!(expired_at(&mut groups, 4), [0; 0]);
        assert_eq!(expired_at(&mut groups, 5), [u32::MAX]);
        assert_eq!(expired_at(&mut groups, 9), [u32::MAX]);
        assert_eq!(expired_at(&mut groups, 10), [u32::MAX, 7]);
    }

    #[test]
    fn a_moved_or_removed_deadline_leaves_nothing_behind() {
        let mut groups = Groups::default();
        groups.set(GroupId(1), life(10, 3));
        groups.set(GroupId(1), life(20, 4));
        assert_eq!(expired_at(&mut groups, 15), [0; 0]);
        groups.set(
            GroupId(1),
            Some(Life {
                key: GroupKey::new("a", &BTreeMap::new()),
                deadline: None,
                ttl: Ttl::Never,
                source: TtlSource::Push,
                series: 4,
                pushed: 2,
                held: false,
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
    fn a_held_group_expires_once_its_push_has_been_scraped() {
        let mut groups = Groups::default();
        let held = |deadline, pushed| {
            life(deadline, 1).map(|life| Life {
                pushed,
                held: true,
                ..life
            })
        };
        groups.set(GroupId(1), held(10, 1));
        groups.set(GroupId(2), held(10, 2));
        groups.set(GroupId(3), held(20, 3));
        let at = |now, scraped| Horizon {
            at: UnixNanos(now),
            scraped,
        };
        let mut expired = |horizon: Horizon| -> Vec<u32> {
            groups.expired(horizon).map(|group| group.0).collect()
        };
        assert_eq!(expired(at(10, 0)), [0; 0]);
        assert_eq!(expired(at(9, 1)), [0; 0]);
        assert_eq!(expired(at(10, 1)), [1]);
        assert_eq!(expired(at(20, 2)), [1, 2]);
        assert_eq!(groups.next_deadline(), Some(UnixNanos(10)));
        assert_eq!(groups.count_passed(UnixNanos(20)), 3);
        assert_eq!(groups.held(at(20, 2)).len(), 1);
        // Pushed again, it waits again; without a rule it does not.
        groups.set(GroupId(1), held(10, 4));
        groups.set(GroupId(3), life(20, 1));
        assert_eq!(expired_at(&mut groups, 30), [2, 3]);
        groups.set(GroupId(1), None);
        assert!(groups.held.is_empty());
    }

    #[test]
    fn short_ttls_are_counted_while_groups_and_the_limit_change() {
        let mut groups = Groups::default();
        let seconds = Duration::from_secs;
        let of = |ttl: u64, held: bool| {
            life(10, 1).map(|life| Life {
                ttl: Ttl::from_duration(seconds(ttl)),
                held,
                ..life
            })
        };
        for (group, ttl) in [(1, 10), (2, 20), (3, 30), (4, 30), (5, 0)] {
            groups.set(GroupId(group), of(ttl, false));
        }
        groups.set(GroupId(6), of(10, true));
        for (limit, below) in [
            (0, 0),
            (10, 0),
            (11, 1),
            (31, 4),
            (30, 2),
            (21, 2),
            (0, 0),
            (25, 2),
        ] {
            groups.ttls.set_limit(seconds(limit));
            assert_eq!(groups.ttls.below(), below, "below {limit}");
        }
        groups.set(GroupId(3), of(20, false));
        assert_eq!(groups.short_ttl_without(&[]), 3);
        assert_eq!(groups.short_ttl_without(&[GroupId(1), GroupId(4)]), 2);
        groups.set(GroupId(1), None);
        groups.set(GroupId(2), of(40, false));
        assert_eq!(groups.ttls.below(), 1);
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
