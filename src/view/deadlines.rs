//! Who expires next.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::GroupId;
use crate::clock::UnixNanos;

/// Groups by their deadlines.
///
/// A push moves its group's deadline further away, and most groups are pushed many times before
/// one of their deadlines comes. So a later deadline is only noted; the group stays where it is in
/// the order and is put right when it comes to the front.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Every group that has a deadline, once, at that or at an earlier one that it had.
    order: BTreeSet<(UnixNanos, GroupId)>,
    /// By number of the group.
    places: Vec<Option<Place>>,
    /// Up to here every group is where it belongs: what has passed is asked for again and again
    /// until it is removed.
    settled: UnixNanos,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// Where it is in the order.
    at: UnixNanos,
    /// Where it belongs.
    deadline: UnixNanos,
}

impl Deadlines {
    /// The deadline of a group from now on; `None`: it has none.
    pub(super) fn set(&mut self, group: GroupId, deadline: Option<UnixNanos>) {
        let number = group.0 as usize;
        if number >= self.places.len() {
            if deadline.is_none() {
                return;
            }
            self.places.resize(number + 1, None);
        }
        let place = &mut self.places[number];
        match (place.as_mut(), deadline) {
            (Some(place), Some(deadline)) if self.settled < place.at && place.at <= deadline => {
                place.deadline = deadline;
            }
            _ => {
                if let Some(old) = place.take() {
                    self.order.remove(&(old.at, group));
                }
                *place = deadline.map(|deadline| Place {
                    at: deadline,
                    deadline,
                });
                self.order
                    .extend(deadline.map(|deadline| (deadline, group)));
            }
        }
    }

    /// The first deadline of all.
    pub(super) fn first(&mut self) -> Option<UnixNanos> {
        loop {
            let (at, group) = *self.order.first()?;
            if !self.put_right(at, group) {
                return Some(at);
            }
        }
    }

    /// The groups whose deadline is at or before `now`, longest ago first.
    pub(super) fn passed(&mut self, now: UnixNanos) -> impl Iterator<Item = GroupId> {
        self.settle(now);
        let until = (now, GroupId(u32::MAX));
        self.order.range(..=until).map(|(_, group)| *group)
    }

    fn settle(&mut self, now: UnixNanos) {
        if now <= self.settled {
            return;
        }
        let from = Bound::Excluded((self.settled, GroupId(u32::MAX)));
        let until = Bound::Included((now, GroupId(u32::MAX)));
        let new: Vec<(UnixNanos, GroupId)> = self.order.range((from, until)).copied().collect();
        for (at, group) in new {
            self.put_right(at, group);
        }
        self.settled = now;
    }

    /// Moves a group to where it belongs; whether it was elsewhere.
    fn put_right(&mut self, at: UnixNanos, group: GroupId) -> bool {
        let place = self.places.get_mut(group.0 as usize);
        let Some(place) = place
            .and_then(Option::as_mut)
            .filter(|place| place.deadline > at)
        else {
            return false;
        };
        place.at = place.deadline;
        let place = (place.deadline, group);
        self.order.remove(&(at, group));
        self.order.insert(place);
        true
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty() && self.places.iter().all(Option::is_none)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_is_that_of_the_last_deadlines(
            steps in prop::collection::vec((0_u32..6, prop::option::of(0_u64..20), 0_u64..20), 0..80)
        ) {
            let mut deadlines = Deadlines::default();
            let mut plain: BTreeMap<u32, u64> = BTreeMap::new();
            for (group, deadline, now) in steps {
                deadlines.set(GroupId(group), deadline.map(UnixNanos));
                match deadline {
                    Some(deadline) => drop(plain.insert(group, deadline)),
                    None => drop(plain.remove(&group)),
                }
                let mut passed: Vec<(u64, u32)> =
                    plain.iter().map(|(group, at)| (*at, *group)).filter(|(at, _)| *at <= now).collect();
                passed.sort_unstable();
                let passed: Vec<u32> = passed.into_iter().map(|(_, group)| group).collect();
                let found: Vec<u32> = deadlines.passed(UnixNanos(now)).map(|group| group.0).collect();
                prop_assert_eq!(found, passed);
                prop_assert_eq!(deadlines.first(), plain.values().min().copied().map(UnixNanos));
                prop_assert_eq!(deadlines.is_empty(), plain.is_empty());
            }
        }
    }
}
