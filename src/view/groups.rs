//! Every group's deadline and size; who expires next. In memory only: it all
//! follows from the store.

use std::collections::{BTreeMap, HashMap};

use super::GroupId;
use super::deadlines::Deadlines;
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

impl Life {
    /// Whether a group is counted alike with either.
    fn counts_as(&self, other: &Self) -> bool {
        self.ttl == other.ttl && self.held == other.held && self.source == other.source
    }
}

/// How much there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) groups: usize,
    pub(super) series: u64,
    /// Groups by where their TTL comes from.
    pub(super) by_source: BTreeMap<TtlSource, usize>,
    /// Groups that may never be scraped, their TTL being so short.
    pub(super) short_ttl: usize,
}

/// All groups of the view.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Groups that expire at their deadline.
    deadlines: Deadlines,
    /// Groups that must have been scraped too, and have not been.
    held: Held,
    /// Numbers of the last pushes of groups under a rule that holds, for those who know a group by
    /// its key and judge it by what is stored, where no numbers are.
    held_pushes: HashMap<GroupKey, u64>,
    /// By number of the group: numbers are given out again, so that few places are empty.
    lives: Vec<Option<Life>>,
    /// How many there are.
    len: usize,
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
        self.set_held_push(group, life.as_ref());
        let (pushed, series) = life
            .as_ref()
            .map_or((0, 0), |life| (life.pushed, life.series));
        self.pushes = self.pushes.max(pushed);
        self.series += series;
        let old = self.put(group, life);
        self.series -= old.as_ref().map_or(0, |old| old.series);
        self.recount(group, old.as_ref());
    }

    /// Counts a group by what it is in place of what it was.
    fn recount(&mut self, group: GroupId, old: Option<&Life>) {
        let new = self.lives.get(group.0 as usize).and_then(Option::as_ref);
        if let (Some(old), Some(new)) = (old, new)
            && old.counts_as(new)
        {
            return; // Nearly always: a push does not change a group's TTL.
        }
        if let Some(new) = new {
            self.ttls.add(new);
            *self.by_source.entry(new.source.clone()).or_default() += 1;
        }
        if let Some(old) = old {
            self.ttls.remove(old);
            self.leave_source(&old.source);
        }
    }

    /// Puts a group in its place, or takes it out; what was there.
    fn put(&mut self, group: GroupId, life: Option<Life>) -> Option<Life> {
        let at = group.0 as usize;
        if at >= self.lives.len() && life.is_some() {
            self.lives.resize_with(at + 1, || None);
        }
        let is_there = life.is_some();
        let old = self
            .lives
            .get_mut(at)
            .and_then(|place| std::mem::replace(place, life));
        self.len = self.len + usize::from(is_there) - usize::from(old.is_some());
        old
    }

    /// Sorts a group in by its new deadline, and out by its old one.
    fn set_deadline(&mut self, group: GroupId, new: Option<&Life>) {
        let waits = |life: &Life| life.held && self.held.holds(life.pushed);
        let place = |life: &Life| Some((life.deadline?, waits(life).then_some(life.pushed)));
        let new = new.and_then(place);
        let old = self.get(group).and_then(place);
        if old == new {
            return;
        }
        if let Some((deadline, Some(push))) = old {
            self.held.remove(push, deadline, group);
        }
        match new {
            Some((deadline, Some(push))) => {
                self.deadlines.set(group, None);
                self.held.insert(push, deadline, group);
            }
            Some((deadline, None)) => self.deadlines.set(group, Some(deadline)),
            None => self.deadlines.set(group, None),
        }
    }

    fn set_held_push(&mut self, group: GroupId, new: Option<&Life>) {
        let new = new.filter(|life| life.held);
        let old = self.lives.get(group.0 as usize).and_then(Option::as_ref);
        if let Some(old) = old.filter(|old| old.held && new.is_none_or(|new| new.key != old.key)) {
            self.held_pushes.remove(&old.key);
        }
        if let Some(new) = new {
            self.held_pushes.insert(new.key.clone(), new.pushed);
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

    /// How much there is beside these groups, each of them given once: one look at each,
    /// since a hundred thousand may have expired together.
    pub(super) fn without(&self, left_out: &[GroupId]) -> Counts {
        let mut counts = Counts {
            groups: self.len,
            series: self.series,
            by_source: self.by_source.clone(),
            short_ttl: self.ttls.below(),
        };
        for life in left_out.iter().filter_map(|group| self.get(*group)) {
            counts.groups -= 1;
            counts.series -= life.series;
            counts.short_ttl -= usize::from(self.ttls.is_below(life));
            if let Some(groups) = counts.by_source.get_mut(&life.source) {
                *groups -= 1;
            }
        }
        counts
    }

    pub(super) fn len(&self) -> usize {
        self.lives.len()
    }

    pub(super) fn get(&self, group: GroupId) -> Option<&Life> {
        self.lives.get(group.0 as usize)?.as_ref()
    }

    pub(super) fn next_deadline(&mut self) -> Option<UnixNanos> {
        self.deadlines.first()
    }

    /// The first deadline of all.
    pub(super) fn first_deadline(&mut self) -> Option<UnixNanos> {
        let both = [self.next_deadline(), self.held.first()];
        both.into_iter().flatten().min()
    }

    /// The highest number of a push so far.
    pub(super) fn pushes(&self) -> u64 {
        self.pushes
    }

    /// Number of groups whose deadline is at or before `now`, those that wait for a scrape too.
    pub(super) fn count_passed(&mut self, now: UnixNanos) -> usize {
        self.deadlines.passed(now).count() + self.held.late(now).count()
    }

    /// The number of the last push of a group under a rule that holds; `None`: it is no such group.
    pub(super) fn held_push(&self, key: &GroupKey) -> Option<u64> {
        self.held_pushes.get(key).copied()
    }

    /// Groups that have expired, longest ago first.
    pub(super) fn expired(&mut self, horizon: Horizon) -> impl Iterator<Item = GroupId> {
        self.release(horizon);
        self.deadlines.passed(horizon.at)
    }

    /// Number of groups that have not expired.
    pub(super) fn count(&mut self, horizon: Horizon) -> usize {
        let expired = self.expired(horizon).count();
        self.len - expired
    }

    /// From now on groups that have been scraped wait for their deadline only.
    fn release(&mut self, horizon: Horizon) {
        for (deadline, group) in self.held.release(horizon.scraped) {
            self.deadlines.set(group, Some(deadline));
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
        groups.set(GroupId(9), life(5, 1));
        assert_eq!(groups.next_deadline(), Some(UnixNanos(5)));
        assert_eq!(expired_at(&mut groups, 4), [0; 0]);
        assert_eq!(expired_at(&mut groups, 5), [9]);
        assert_eq!(expired_at(&mut groups, 9), [9]);
        assert_eq!(expired_at(&mut groups, 10), [9, 7]);
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
            groups.deadlines.is_empty()
                && groups.lives.iter().all(Option::is_none)
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
        // Pushed again, it waits again; without a rule it does not.
        groups.set(GroupId(1), held(10, 4));
        groups.set(GroupId(3), life(20, 1));
        assert_eq!(expired_at(&mut groups, 30), [2, 3]);
        groups.set(GroupId(1), None);
        assert!(groups.held.is_empty());
    }

    #[test]
    fn the_number_of_the_last_push_is_known_of_groups_that_a_rule_holds() {
        let mut groups = Groups::default();
        let key = |name| GroupKey::new(name, &BTreeMap::new());
        let held = |name, pushed| {
            life(10, 1).map(|life| Life {
                key: key(name),
                pushed,
                held: true,
                ..life
            })
        };
        let known = |groups: &Groups| ["a", "b"].map(|name| groups.held_push(&key(name)));
        groups.set(GroupId(1), held("a", 1));
        groups.set(GroupId(2), held("b", 2));
        groups.set(GroupId(1), held("a", 3));
        assert_eq!(known(&groups), [Some(3), Some(2)]);
        // Scraped or not, and whatever its deadline: that is for who asks.
        assert_eq!(
            groups.count(Horizon {
                at: UnixNanos(10),
                scraped: 3
            }),
            0
        );
        assert_eq!(known(&groups), [Some(3), Some(2)]);
        // No rule holds it any more; its number is another group's; both are gone.
        groups.set(GroupId(1), life(10, 1));
        assert_eq!(known(&groups), [None, Some(2)]);
        groups.set(GroupId(2), held("a", 4));
        assert_eq!(known(&groups), [Some(4), None]);
        groups.set(GroupId(2), None);
        assert!(groups.held_pushes.is_empty());
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
        assert_eq!(groups.without(&[]).short_ttl, 3);
        let without = groups.without(&[GroupId(1), GroupId(4)]);
        assert_eq!(without.short_ttl, 2);
        groups.set(GroupId(1), None);
        groups.set(GroupId(2), of(40, false));
        assert_eq!(groups.ttls.below(), 1);
    }

    #[test]
    fn counts_leave_expired_groups_out() {
        let mut groups = Groups::default();
        groups.set(GroupId(1), life(10, 3));
        groups.set(GroupId(2), life(20, 4));
        let counts = |left_out: &[GroupId]| {
            let counts = groups.without(left_out);
            let by_default = counts.by_source[&TtlSource::Default];
            (counts.groups, counts.series, by_default)
        };
        assert_eq!(counts(&[GroupId(1)]), (1, 4, 1));
        assert_eq!(counts(&[]), (2, 7, 2));
    }
}
