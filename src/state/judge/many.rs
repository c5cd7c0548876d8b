//! Many pushes in one request: all are stored, or none.

use std::sync::Arc;

use super::Judge;
use crate::model::{GroupKey, Kind};
use crate::state::check::{Conflict, check};
use crate::state::index::{Group, HiddenFamilies};
use crate::state::prepare::PreparedPush;
use crate::state::quota::OverQuota;
use crate::state::request::{Answer, Done, Refused};
use crate::state::staged::StagedGroup;
use crate::store::ReadError;

/// Names and types of a group's families, in their order.
type Kinds = Vec<(Arc<str>, Kind)>;

/// What there was before one push of the request.
struct Before {
    key: GroupKey,
    /// The group, with names and types of its families: these may be given up and
    /// have other numbers when it is put back.
    group: Option<(Group, Kinds)>,
    staged: StagedGroup,
}

impl Judge<'_> {
    /// Checks and stores each push in turn; at the first that is refused, or has no room, those
    /// before it are undone, and nothing is marked as failed.
    pub(super) fn push_many(&mut self, pushes: Vec<PreparedPush>) -> Result<Answer, ReadError> {
        let changes = self.judged.changes.len();
        let mut before: Vec<Before> = Vec::with_capacity(pushes.len());
        let mut expires = Vec::with_capacity(pushes.len());
        for (at, push) in pushes.into_iter().enumerate() {
            self.forget_if_expired(&push.key);
            match check(&push, self.index, &self.staged, self.now.horizon)? {
                Ok(in_the_way) => in_the_way.into_iter().for_each(|id| self.expire(id)),
                Err(Conflict { refusal, .. }) => {
                    self.undo(before, changes);
                    let key = push.key;
                    return Ok(Err(Refused::InBatch { at, key, refusal }));
                }
            }
            if let Err(over) = self.room_for(&push) {
                self.undo(before, changes);
                let stored = self.index.total(over.counted);
                return Ok(Err(Refused::OverQuota(OverQuota { stored, ..over })));
            }
            before.push(self.before(&push));
            expires.push(self.store(push, HiddenFamilies::new(), Vec::new())?);
        }
        Ok(Ok(Done::PushedMany { expires }))
    }

    fn before(&self, push: &PreparedPush) -> Before {
        let group = self.index.group(&push.key).map(|group| {
            let known = group
                .families
                .iter()
                .filter_map(|held| self.index.families.get(held.family));
            let kinds = known
                .map(|family| (Arc::clone(&family.name), family.kind))
                .collect();
            (group.clone(), kinds)
        });
        Before {
            key: push.key.clone(),
            group,
            staged: self.staged.of(&push.key),
        }
    }

    /// Puts back what there was, last first. Groups that were removed because they
    /// had expired stay removed: they are gone whatever becomes of the request.
    fn undo(&mut self, before: Vec<Before>, changes: usize) {
        for Before { key, group, staged } in before.into_iter().rev() {
            match group {
                Some((mut group, kinds)) => {
                    for (held, (name, kind)) in group.families.iter_mut().zip(&kinds) {
                        held.family = self.index.family(name, *kind);
                    }
                    self.index.put(group);
                }
                None => {
                    if let Some(id) = self.index.find(&key) {
                        self.index.remove(id);
                    }
                }
            }
            self.staged.put_back(&key, staged);
        }
        // Expiries are changes of their own and stand; changes of pushes do not.
        let kept: Vec<_> = self
            .judged
            .changes
            .drain(changes..)
            .filter(|c| c.life.is_none())
            .collect();
        self.judged.changes.extend(kept);
    }
}
