//! What operators ask for: deletes, overrides, touches, the pause.

use super::{Judge, no_such_group};
use crate::model::GroupKey;
use crate::state::request::{Answer, DeleteMany, Done, Pause, Pin};
use crate::store::End;
use crate::ttl::Override;
use crate::view::{Change, GroupId};

impl Judge<'_> {
    pub(super) fn delete(&mut self, key: &GroupKey, by: &str) -> Done {
        self.forget_if_expired(key);
        if let Some(id) = self.index.find(key) {
            self.delete_group(id, by);
            return Done::Deleted {
                groups: 1,
                with_more_labels: 0,
            };
        }
        let names: Vec<&str> = key.labels().into_iter().map(|(name, _)| name).collect();
        let of_job = self.index.name_sets(key.job());
        let with_more_labels = of_job.map_or(0, |sets| sets.groups_with_more(&names));
        Done::Deleted {
            groups: 0,
            with_more_labels,
        }
    }

    /// Deletes those of these groups that are there and were not pushed lately.
    pub(super) fn delete_many(&mut self, which: &DeleteMany) -> Done {
        let mut groups = 0;
        for key in &which.keys {
            self.forget_if_expired(key);
            let Some(id) = self.index.find(key) else {
                continue;
            };
            let pushed = self.index.get(id).map(|group| group.head.last_push);
            if which
                .pushed_before
                .is_none_or(|limit| pushed.is_some_and(|at| at < limit))
            {
                self.delete_group(id, &which.by);
                groups += 1;
            }
        }
        Done::Deleted {
            groups,
            with_more_labels: 0,
        }
    }

    fn delete_group(&mut self, id: GroupId, by: &str) {
        if let Some(group) = self.remove(id) {
            self.record(&group, self.now.wall, End::Deleted { by: by.to_owned() });
        }
    }

    /// Sets or takes away an override.
    pub(super) fn pin(&mut self, pin: Pin) -> Answer {
        let Pin { key, of, by } = pin;
        self.forget_if_expired(&key);
        let Some(id) = self.index.find(&key) else {
            return no_such_group(&key);
        };
        let of = of.map(|(ttl, lasts, reason)| {
            let until = lasts.map(|lasts| self.now.ttl.plus(lasts));
            Box::new(Override {
                ttl,
                until,
                reason,
                by,
                set: self.now.wall,
            })
        });
        self.staged.pin(key.clone(), of.as_deref().cloned());
        if let Some(group) = self.index.get_mut(id) {
            group.pinned = of;
        }
        Ok(self.reschedule(id))
    }

    /// Starts a group's TTL clock anew.
    pub(super) fn touch(&mut self, key: &GroupKey) -> Answer {
        self.forget_if_expired(key);
        let Some(id) = self.index.find(key) else {
            return no_such_group(key);
        };
        let now = self.now.ttl;
        if let Some(group) = self.index.get_mut(id) {
            group.head.clock_start = now;
            let head = group.head.clone();
            self.staged.write_head(key.clone(), head);
        }
        Ok(self.reschedule(id))
    }

    /// Works a group's schedule out anew.
    pub(super) fn reschedule(&mut self, id: GroupId) -> Done {
        let Some(group) = self.index.get(id) else {
            return Done::Scheduled { expires: None };
        };
        let schedule = self.schedule(&group.key, &group.head, group.pinned.as_deref());
        let expires = self.expires(&schedule);
        if let Some(group) = self.index.get_mut(id) {
            group.schedule = schedule;
            let life = Some(group.life());
            let (removed, set) = (Vec::new(), Vec::new());
            self.judged.changes.push(Change {
                group: id,
                removed,
                set,
                life,
            });
        }
        Done::Scheduled { expires }
    }

    /// Applies TTL rules that have changed. Nothing is written: the rules are not stored.
    /// Expired groups are left to the reaper: no rule brings one back.
    pub(in crate::state) fn retime(&mut self, groups: &[GroupId]) {
        for id in groups.iter().copied() {
            if !self.is_expired(id) {
                self.reschedule(id);
            }
        }
    }

    pub(super) fn pause(&mut self, pause: Pause) -> Done {
        let suspended = match pause {
            Pause::Begin { lasts, reason, by } => {
                let until = lasts.map(|lasts| self.now.ttl.plus(lasts));
                Some(self.expiry.pause(until, reason, by))
            }
            Pause::End => {
                self.expiry.resume();
                None
            }
        };
        self.staged.pause(suspended.clone());
        self.now.horizon = self.expiry.horizon();
        Done::Suspended { pause: suspended }
    }
}
