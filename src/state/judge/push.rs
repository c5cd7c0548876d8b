//! Pushes, and pushes that failed.

use std::fmt::Display;
use std::sync::Arc;

use super::{Holds, Judge, Now};
use crate::clock::UnixNanos;
use crate::format::text_write::Identity;
use crate::limits::FAILURE_TEXT;
use crate::model::GroupKey;
use crate::push::refusal::Refusal;
use crate::push::rewrite::PUSH_TIME;
use crate::state::check::{Conflict, check};
use crate::state::index::{Held, HiddenFamilies};
use crate::state::prepare::{PreparedFamily, PreparedPush};
use crate::state::request::{Answer, Done, FailedPush, Method, Refused};
use crate::state::twin::expired_twins;
use crate::store::{Failure, FamilyFacts, Head, Packed, Pusher, ReadError, Stored};

impl Judge<'_> {
    pub(super) fn push(&mut self, push: PreparedPush) -> Result<Answer, ReadError> {
        self.forget_if_expired(&push.key);
        if push.is_faulty {
            return self.push_hiding(push);
        }
        match check(&push, self.index, &self.staged, self.now.horizon)? {
            Ok(in_the_way) => in_the_way.into_iter().for_each(|id| self.expire(id)),
            Err(_) if push.hides => return self.push_hiding(push),
            Err(Conflict { refusal, .. }) if refusal.leaves_mark => {
                let PreparedPush {
                    key,
                    pusher,
                    pushed_ttl,
                    ..
                } = push;
                let failed = FailedPush {
                    key,
                    pusher,
                    pushed_ttl,
                    refusal,
                    hides: false,
                };
                return Ok(self.fail(failed));
            }
            Err(conflict) => return Ok(Err(Refused::Inconsistent(conflict.refusal))),
        }
        if let Err(over) = self.room_for(&push) {
            return Ok(self.refuse(push.key, over));
        }
        let expires = self.store(push, HiddenFamilies::new(), Vec::new())?;
        Ok(Ok(Done::Pushed { expires }))
    }

    /// Stores a push that has been checked. `hidden` are those of its families that may not
    /// be shown, `removed` families that the group showed and that were taken out before. When
    /// the group expires, by the wall clock; `None`: never.
    pub(super) fn store(
        &mut self,
        mut push: PreparedPush,
        mut hidden: HiddenFamilies,
        removed: Vec<Arc<str>>,
    ) -> Result<Option<UnixNanos>, ReadError> {
        let kept = self.kept(&push);
        let kept_hidden = self.kept_hidden(&push);
        let keeps = !kept.is_empty() || !kept_hidden.is_empty();
        let heartbeat = push.method == Method::Merge
            && push.families.is_empty()
            && self.index.find(&push.key).is_some();
        let mut holds: Vec<Held> = Vec::with_capacity(push.families.len() + kept.len());
        for family in &push.families {
            if !hidden.contains_key(&family.rendered.name) {
                holds.push(self.held(family));
            }
        }
        holds.extend(&kept);
        hidden.extend(kept_hidden);
        let pusher = std::mem::take(&mut push.pusher);
        let head = self.pushed_head(&push, pusher, &holds, &hidden);
        if heartbeat {
            self.staged.write_head(push.key.clone(), head.clone());
        } else {
            let families = if keeps {
                self.merge(&push)?
            } else {
                push.packed
            };
            let stored = Stored {
                pushed: self.now.wall,
                families,
            };
            self.staged.write(push.key.clone(), head.clone(), stored);
        }
        let set = push
            .families
            .into_iter()
            .map(|family| family.rendered)
            .filter(|rendered| !hidden.contains_key(&rendered.name))
            .collect();
        let holds = Holds {
            families: holds,
            hidden,
            set,
            removed,
        };
        let schedule = self.show(push.key, head, holds, &push.identity, true);
        Ok(self.expires(&schedule))
    }

    /// What the group holds that this push leaves alone.
    pub(super) fn kept(&self, push: &PreparedPush) -> Vec<Held> {
        let group = self
            .index
            .group(&push.key)
            .filter(|_| push.method == Method::Merge);
        let held = group.into_iter().flat_map(|group| &group.families);
        let name = |held: &Held| self.index.families.name(held.family);
        held.filter(|held| name(held).is_some_and(|name| !push.has(name)))
            .copied()
            .collect()
    }

    /// The same of families that it does not show.
    pub(super) fn kept_hidden(&self, push: &PreparedPush) -> HiddenFamilies {
        let group = self
            .index
            .group(&push.key)
            .filter(|_| push.method == Method::Merge);
        let hidden = group.into_iter().flat_map(|group| &group.hidden);
        hidden
            .filter(|(name, _)| name.as_ref() != PUSH_TIME && !push.has(name))
            .map(|(name, hiding)| (Arc::clone(name), hiding.clone()))
            .collect()
    }

    fn held(&mut self, family: &PreparedFamily) -> Held {
        let rendered = &family.rendered;
        let id = self.index.family(&rendered.name, rendered.kind);
        Held {
            family: id,
            series: family.series,
        }
    }

    fn pushed_head(
        &self,
        push: &PreparedPush,
        pusher: Pusher,
        holds: &[Held],
        hidden: &HiddenFamilies,
    ) -> Head {
        let hidden = hidden
            .iter()
            .filter(|(name, _)| name.as_ref() != PUSH_TIME)
            .map(|(_, hiding)| hiding.series);
        let all = || holds.iter().map(|held| held.series).chain(hidden.clone());
        let old = self.index.group(&push.key).map(|group| &group.head);
        let Now { at, wall, .. } = self.now;
        Head {
            created: old.map_or(wall, |old| old.created),
            last_push: wall,
            clock_start: at.ttl,
            clock_ahead: None,
            pushed_ttl: push.pushed_ttl,
            pushes: old.map_or(0, |old| old.pushes) + 1,
            families: u32::try_from(all().count()).unwrap_or(u32::MAX),
            series: all().map(u64::from).sum(),
            pusher,
            failure: old.and_then(|old| old.failure.clone()),
        }
    }

    /// The group's families with the pushed ones in place of those of the same name.
    fn merge(&self, push: &PreparedPush) -> Result<Packed, ReadError> {
        let damaged = |reason| ReadError::damaged(&push.key, reason);
        let Some(stored) = self.staged.families(&push.key)? else {
            return Ok(push.packed.clone());
        };
        let mut families: Vec<FamilyFacts> = stored.families.unpack().map_err(damaged)?;
        families.retain(|family| !push.has(&family.name));
        for family in &mut families {
            family.pushed.get_or_insert(stored.pushed);
        }
        families.extend(push.packed.unpack().map_err(damaged)?);
        families.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Packed::pack(&families))
    }

    /// Notes a rejected push. Data and TTL clock stay; a new group begins to age.
    pub(super) fn fail(&mut self, failed: FailedPush) -> Answer {
        let FailedPush {
            key,
            pusher,
            pushed_ttl,
            refusal,
            hides,
        } = failed;
        let text = shortened(&refusal);
        let refused = Err(Refused::Inconsistent(refusal));
        self.forget_if_expired(&key);
        if self.index.find(&key).is_some() {
            self.mark(key, text);
            return refused;
        }
        let mut holds = Holds::default();
        if hides {
            holds.hidden = self.hidden_times(&key);
        } else if let Some(twin) = self.live_twin(&key) {
            // The marker would show the same series as the twin's.
            return Err(Refused::Inconsistent(twin));
        }
        if let Err(over) = self.room_for_group(&key) {
            return Err(Refused::OverQuota(over));
        }
        let head = Head {
            created: self.now.wall,
            clock_start: self.now.at.ttl,
            pushed_ttl,
            pusher,
            ..Head::default()
        };
        self.show_failed(key, head, holds, text);
        refused
    }

    /// Notes at a group that is there that it was not changed, and why.
    pub(super) fn mark(&mut self, key: GroupKey, text: String) {
        let Some(old) = self.index.group(&key) else {
            return;
        };
        let holds = Holds {
            families: old.families.clone(),
            hidden: old.hidden.clone(),
            ..Holds::default()
        };
        let head = old.head.clone();
        self.show_failed(key, head, holds, text);
    }

    fn show_failed(&mut self, key: GroupKey, mut head: Head, holds: Holds, text: String) {
        let at = self.now.wall;
        head.failure = Some(Failure { at, text });
        self.staged.write_head(key.clone(), head.clone());
        let identity = Identity::new(&key);
        self.show(key, head, holds, &identity, false);
    }

    fn live_twin(&mut self, key: &GroupKey) -> Option<Refusal> {
        match expired_twins(key, self.index, self.now.horizon) {
            Ok(twins) => {
                for id in twins {
                    self.expire(id);
                }
                None
            }
            Err(conflict) => Some(conflict.refusal),
        }
    }
}

/// A refusal's text, cut at a character's border.
pub(super) fn shortened(refusal: &impl Display) -> String {
    let mut text = refusal.to_string();
    text.truncate(text.floor_char_boundary(FAILURE_TEXT));
    text
}
