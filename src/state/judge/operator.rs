//! What operators ask for: deletes, overrides, touches, the pause.

use super::{Judge, PauseChange, no_such_group};
use crate::format::text_write::Identity;
use crate::model::GroupKey;
use crate::state::index::Group;
use crate::state::request::{Answer, DeleteMany, Done, NewOverride, Pause, Pin, PinMany};
use crate::store::End;
use crate::ttl::{Horizon, Override, Suspension};
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
        let is_meant = |group: &Group| {
            let limit = which.pushed_before;
            group.pushed <= which.pushed_until
                && limit.is_none_or(|limit| group.head.last_push < limit)
        };
        let mut groups = 0;
        for key in &which.keys {
            self.forget_if_expired(key);
            if let Some(id) = self.index.find(key)
                && self.index.get(id).is_some_and(is_meant)
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
    pub(super) fn pin(&mut self, pin: &Pin) -> Answer {
        self.forget_if_expired(&pin.key);
        let Some(id) = self.index.find(&pin.key) else {
            return no_such_group(&pin.key);
        };
        Ok(self.pin_group(id, &pin.key, pin.of.as_ref()))
    }

    /// Sets or takes away the overrides of those of these groups that are there.
    pub(super) fn pin_many(&mut self, pins: &PinMany) -> Done {
        let mut groups = 0;
        for key in &pins.keys {
            self.forget_if_expired(key);
            if let Some(id) = self.index.find(key) {
                self.pin_group(id, key, pins.of.as_ref());
                groups += 1;
            }
        }
        Done::Pinned { groups }
    }

    fn pin_group(&mut self, id: GroupId, key: &GroupKey, of: Option<&NewOverride>) -> Done {
        let of = of.map(|new| {
            Box::new(Override {
                ttl: new.ttl,
                until: new.lasts.map(|lasts| self.now.at.ttl.plus(lasts)),
                reason: new.reason.clone(),
                by: new.by.clone(),
                set: self.now.wall,
            })
        });
        self.staged.pin(key.clone(), of.as_deref().cloned());
        if let Some(group) = self.index.get_mut(id) {
            group.pinned = of;
        }
        self.reschedule(id)
    }

    /// Starts a group's TTL clock anew.
    pub(super) fn touch(&mut self, key: &GroupKey) -> Answer {
        self.forget_if_expired(key);
        let Some(id) = self.index.find(key) else {
            return no_such_group(key);
        };
        let now = self.now.at.ttl;
        if let Some(group) = self.index.get_mut(id) {
            (group.head.clock_start, group.head.clock_ahead) = (now, None);
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
        let (mut removed, mut set) = (Vec::new(), Vec::new());
        if self.departed.is_some() && !group.hides_times() {
            let identity = Identity::new(&group.key);
            self.expose(&schedule, &identity, &mut removed, &mut set);
        }
        if let Some(group) = self.index.get_mut(id) {
            group.schedule = schedule;
            let life = Some(group.life());
            self.judged.changes.push(Change {
                group: id,
                removed,
                set,
                life,
                later: self.later(id),
                gone: None,
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
                let until = lasts.map(|lasts| self.now.at.ttl.plus(lasts));
                let at = Horizon::SUSPENDED;
                Some(self.begin_pause(Suspension {
                    at,
                    until,
                    reason,
                    by,
                }))
            }
            Pause::End => {
                // Readers are told when it is on disk: a failed commit must not let groups
                // expire that are still there.
                self.judged.pause = Some(PauseChange::Ended);
                self.now.horizon = self.expiry.horizon_without_pause();
                None
            }
        };
        self.staged.pause(suspended.clone());
        Done::Suspended { pause: suspended }
    }

    /// Suspends expiry, and removes what has expired until this instant. Whoever asks for a
    /// pause has let the reaper run before, so that these are few.
    fn begin_pause(&mut self, pause: Suspension) -> Suspension {
        if self.judged.pause == Some(PauseChange::Ended) {
            self.expiry.resume();
        }
        let at = self.expiry.pause(pause.clone());
        self.now.horizon = at;
        let (groups, _) = self.index.slice(0, usize::MAX);
        self.reap(&groups);
        self.now.horizon = Horizon::SUSPENDED;
        self.judged.pause = Some(PauseChange::Begun(at));
        pause
    }
}
