//! Whether there is room for a push: limits of all groups together.
//!
//! Groups that have expired stand in nobody's way. When a limit is met those that the reaper
//! has not come to are removed, longest ago first, as far as the push needs their room; the view
//! names them, since it has them in order of deadline. It may be behind the writer, but never
//! behind what was answered.

use super::Judge;
use super::push::shortened;
use crate::model::GroupKey;
use crate::state::index::Hiding;
use crate::state::prepare::PreparedPush;
use crate::state::quota::{Counted, OverQuota};
use crate::state::request::{Answer, Refused};
use crate::view::GroupId;

impl Judge<'_> {
    /// Makes sure that a push can be stored within the limits. One that adds no group and no
    /// series always can: a limit may have been lowered.
    ///
    /// # Errors
    /// If there is no room; nothing but expired groups is removed.
    pub(super) fn room_for(&mut self, push: &PreparedPush) -> Result<(), OverQuota> {
        self.room_for_group(&push.key)?;
        let pushed = push.series();
        if self.over(Counted::Series, pushed).is_none() {
            return Ok(()); // Nearly always, whatever it replaces.
        }
        let before = self.index.group(&push.key).map(|group| group.head.series);
        let kept = self.kept(push);
        let kept = kept.iter().map(|held| u64::from(held.series));
        let hidden = self.kept_hidden(push);
        let hidden = hidden
            .values()
            .map(|Hiding { series, .. }| u64::from(*series));
        let after = pushed + kept.sum::<u64>() + hidden.sum::<u64>();
        self.make_room(
            Counted::Series,
            after.saturating_sub(before.unwrap_or_default()),
        )
    }

    /// The same for a group of which only a failure is noted.
    pub(super) fn room_for_group(&mut self, key: &GroupKey) -> Result<(), OverQuota> {
        if self.over(Counted::Groups, 1).is_none() || self.index.find(key).is_some() {
            return Ok(()); // Nearly always the first: it costs no look at the groups.
        }
        self.make_room(Counted::Groups, 1)
    }

    /// Refuses a push for which there is no room. As after any refusal a group that is there
    /// shows that it was not changed.
    pub(super) fn refuse(&mut self, key: GroupKey, over: OverQuota) -> Answer {
        if self.index.find(&key).is_some() {
            self.mark(key, shortened(&over));
        }
        Err(Refused::OverQuota(over))
    }

    fn make_room(&mut self, counted: Counted, more: u64) -> Result<(), OverQuota> {
        while let Some(over) = self.over(counted, more) {
            let Some(expired) = self.next_expired() else {
                return Err(over);
            };
            self.expire(expired);
        }
        Ok(())
    }

    /// The limit that so many more would pass.
    fn over(&self, counted: Counted, more: u64) -> Option<OverQuota> {
        let limit = self.quota.of(counted).filter(|_| more > 0)?;
        let stored = self.index.total(counted);
        let wanted = stored.saturating_add(more);
        (wanted > limit).then_some(OverQuota {
            counted,
            stored,
            wanted,
            limit,
        })
    }

    /// A group that has expired and is still there. The list is asked for once in a batch:
    /// however many have expired, each is looked at once.
    fn next_expired(&mut self) -> Option<GroupId> {
        let (view, horizon) = (self.view, self.now.horizon);
        let expired = self
            .expired
            .get_or_insert_with(|| view.expired(horizon).into_iter());
        // Others have been removed since, or were pushed again.
        let index = &*self.index;
        expired.find(|id| {
            index
                .get(*id)
                .is_some_and(|group| group.is_expired(horizon))
        })
    }
}
