//! Groups that go: what has expired, and what becomes of all there was of a group.

use super::Judge;
use crate::clock::UnixNanos;
use crate::model::GroupKey;
use crate::state::expiry_log::Expired;
use crate::state::exposed;
use crate::state::index::Group;
use crate::state::request::Done;
use crate::state::times;
use crate::store::{End, Ended};
use crate::ttl::Schedule;
use crate::view::{Change, GroupId};

impl Judge<'_> {
    /// Judged again here: a push may have come since the reaper looked.
    pub(super) fn reap(&mut self, groups: &[GroupId]) -> Done {
        let expired = groups.iter().copied().filter(|id| self.is_expired(*id));
        let expired: Vec<GroupId> = expired.collect();
        for id in &expired {
            self.expire(*id);
        }
        Done::Reaped {
            groups: expired.len(),
        }
    }

    pub(super) fn is_expired(&self, id: GroupId) -> bool {
        self.index
            .get(id)
            .is_some_and(|group| group.is_expired(self.now.horizon))
    }

    /// A push to an expired group is a push to a new one.
    pub(super) fn forget_if_expired(&mut self, key: &GroupKey) {
        if let Some(id) = self.index.find(key).filter(|id| self.is_expired(*id)) {
            self.expire(id);
        }
    }

    pub(super) fn expire(&mut self, id: GroupId) {
        let Some(group) = self.remove(id) else { return };
        let Schedule {
            ttl,
            source,
            deadline,
            ..
        } = &group.schedule;
        let at = self.now.at;
        let at = at.wall_of(deadline.unwrap_or(at.ttl));
        self.judged.expired.push(Expired {
            key: group.key.clone(),
            last_push: group.head.last_push,
            ttl: *ttl,
            source: source.clone(),
        });
        self.record(&group, at, End::Expired);
    }

    pub(super) fn remove(&mut self, id: GroupId) -> Option<Group> {
        let (mut group, mut removed) = self.index.remove(id)?;
        self.staged.remove(group.key.clone());
        if !group.hidden.is_empty() {
            self.staged.hide(group.key.clone(), Vec::new());
        }
        if group.pinned.is_some() {
            self.staged.pin(group.key.clone(), None);
            // It may have ended since.
            let now = self.schedule(&group.key, &group.head, group.pinned.as_deref());
            (group.schedule.ttl, group.schedule.source) = (now.ttl, now.source);
        }
        removed.extend(times::names());
        if self.departed.is_some() {
            removed.extend(exposed::names());
        }
        self.judged.changes.push(Change {
            group: id,
            removed,
            set: Vec::new(),
            life: None,
            later: None,
            gone: None,
        });
        Some(group)
    }

    /// Keeps a record of a group that is gone.
    pub(super) fn record(&mut self, group: &Group, at: UnixNanos, end: End) {
        let Some(number) = self.history.add(at) else {
            return;
        };
        // Where its own times were hidden a twin shows the same labels, and has not expired.
        let was_shown = group.head.was_pushed() && !group.hides_times();
        if let Some(departed) = &mut self.departed
            && matches!(end, End::Expired)
            && was_shown
        {
            let line = departed.add(number, &group.key, group.head.last_push);
            self.judged.changes.push(line);
        }
        let ended = Ended {
            key: group.key.clone(),
            last_push: group.head.last_push,
            ttl: group.schedule.ttl,
            ttl_source: group.schedule.source.to_string(),
            at,
            series: group.head.series,
            pushes: group.head.pushes,
            end,
        };
        self.staged.end(number, ended);
    }
}
