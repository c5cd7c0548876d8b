//! Families that are stored and not shown: `--push.disable-consistency-check`.
//!
//! The rule: who is shown stays shown. Families of a push that clash with what is shown
//! are hidden, in order of name; when what stood in the way of a hidden family has
//! changed or gone, it is looked at again, in order of group and name, and shown if
//! it clashes with nothing any more.

use std::sync::Arc;

use super::Judge;
use crate::format::text_write::Identity;
use crate::limits::FAILURE_TEXT;
use crate::model::{GroupKey, Kind};
use crate::push::rewrite::PUSH_TIME;
use crate::state::check::{Conflict, check_families};
use crate::state::index::{Group, HiddenFamilies, Hiding, Obstacle};
use crate::state::one_by_one::judge_each;
use crate::state::prepare::PreparedPush;
use crate::state::request::{Answer, Done};
use crate::state::times;
use crate::state::twin::expired_twins;
use crate::store::{FamilyFacts, Head, HiddenFamily, ReadError};
use crate::ttl::{Schedule, Ttl, TtlSource};
use crate::view::{Change, GroupId, RenderedFamily};

impl Judge<'_> {
    /// Stores a push, hiding those of its families that may not be shown.
    pub(super) fn push_hiding(&mut self, mut push: PreparedPush) -> Result<Answer, ReadError> {
        if let Err(over) = self.room_for(&push) {
            return Ok(self.refuse(push.key, over));
        }
        let mut hidden = self.hidden_times(&push.key);
        let (id, removed) = self.strip(&push);
        let horizon = self.now.horizon;
        let judged = judge_each(&mut push, id, self.index, &self.staged, horizon)?;
        for expired in judged.in_the_way {
            self.expire(expired);
        }
        for (family, verdict) in push.families.iter().zip(judged.verdicts) {
            let (name, kind) = (&family.rendered.name, family.rendered.kind);
            if let Err(conflict) = verdict {
                hidden.insert(
                    Arc::clone(name),
                    hiding(name, kind, family.series, conflict),
                );
            }
        }
        let expires = self.store(push, hidden, removed)?;
        Ok(Ok(Done::Pushed { expires }))
    }

    /// The two time families of a group, if another group shows the same series.
    pub(super) fn hidden_times(&mut self, key: &GroupKey) -> HiddenFamilies {
        let mut hidden = HiddenFamilies::new();
        match expired_twins(key, self.index, self.now.horizon) {
            Ok(twins) => twins.into_iter().for_each(|id| self.expire(id)),
            Err(conflict) => {
                let hiding = hiding(PUSH_TIME, Kind::Gauge, 0, *conflict);
                hidden.insert(times::name(), hiding);
            }
        }
        hidden
    }

    /// Takes out of the index what a push replaces, so that its families can be judged
    /// one by one; the group, which is made if it is new, and what it does not show any more.
    fn strip(&mut self, push: &PreparedPush) -> (GroupId, Vec<Arc<str>>) {
        let families = self.kept(push);
        let group = match self.index.group(&push.key) {
            Some(group) => Group {
                families,
                ..group.clone()
            },
            None => Group {
                key: push.key.clone(),
                head: Head {
                    created: self.now.wall,
                    ..Head::default()
                },
                pinned: None,
                // Until the push is stored.
                schedule: Schedule {
                    ttl: Ttl::Never,
                    source: TtlSource::Default,
                    deadline: None,
                    hold: None,
                },
                pushed: 0,
                families,
                hidden: HiddenFamilies::new(),
            },
        };
        self.index.put(group)
    }

    /// Shows hidden families that nothing stands in the way of any more.
    ///
    /// # Errors
    /// If a row that is needed cannot be read; the batch must then be given up.
    pub(in crate::state) fn look_again(&mut self) -> Result<(), ReadError> {
        while self.index.has_freed() {
            let freed = self.index.take_freed().into_iter();
            let with_key = |(id, names)| Some((self.index.get(id)?.key.clone(), id, names));
            let mut freed: Vec<(GroupKey, GroupId, Vec<Arc<str>>)> =
                freed.filter_map(with_key).collect();
            freed.sort();
            for (_, id, names) in freed {
                self.look_at(id, &names)?;
            }
        }
        Ok(())
    }

    fn look_at(&mut self, id: GroupId, names: &[Arc<str>]) -> Result<(), ReadError> {
        let Some(group) = self.index.get(id).filter(|_| !self.is_expired(id)) else {
            return Ok(()); // It is removed soon.
        };
        let wanted = |name: &&Arc<str>| {
            let hiding = group.hidden.get(*name);
            hiding.is_some_and(|hiding| !self.is_still_of_another_type(name, hiding))
        };
        let names: Vec<&Arc<str>> = names.iter().filter(wanted).collect();
        if names.is_empty() {
            return Ok(());
        }
        let mut group = group.clone();
        let identity = Identity::new(&group.key);
        let (mut removed, mut set) = (Vec::new(), Vec::new());
        if names.iter().any(|name| name.as_ref() == PUSH_TIME) {
            group.hidden.remove(PUSH_TIME);
            let hidden = self.hidden_times(&group.key);
            if hidden.is_empty() {
                set.extend(times::rendered(&group.head, &identity));
                self.expose(&group.schedule, &identity, &mut removed, &mut set);
            }
            group.hidden.extend(hidden);
        }
        for facts in self.facts(&group.key)? {
            if names.iter().any(|name| name.as_ref() == facts.name) {
                set.extend(self.look_at_family(id, &mut group, &identity, facts)?);
            }
        }
        self.stage_hidden(&group.key, &group.hidden);
        let life = Some(group.life());
        self.index.put(group);
        self.judged.changes.push(Change {
            group: id,
            removed,
            set,
            life,
            later: self.later(id),
            gone: None,
        });
        Ok(())
    }

    /// Judges one hidden family; its text if it is shown from now on.
    fn look_at_family(
        &mut self,
        id: GroupId,
        group: &mut Group,
        identity: &Identity,
        facts: FamilyFacts,
    ) -> Result<Option<RenderedFamily>, ReadError> {
        let damaged = |reason| ReadError::damaged(&group.key, reason);
        let mut single = PreparedPush::single(&group.key, identity, facts).map_err(damaged)?;
        let checked = check_families(&single, self.index, &self.staged, self.now.horizon)?;
        let Some(family) = single.families.pop() else {
            return Ok(None);
        };
        let (name, kind) = (&family.rendered.name, family.rendered.kind);
        match checked {
            Ok(in_the_way) => {
                for expired in in_the_way {
                    self.expire(expired);
                }
                let held = self.index.add_holder(name, kind, family.series, id);
                group.families.push(held);
                group.hidden.remove(name);
                Ok(Some(family.rendered))
            }
            Err(conflict) => {
                let hiding = hiding(name, kind, family.series, conflict);
                group.hidden.insert(Arc::clone(name), hiding);
                Ok(None)
            }
        }
    }

    /// The usual case, found without a look at the row: of many groups that waited for a
    /// type to change the first now shows another one.
    fn is_still_of_another_type(&self, name: &Arc<str>, hiding: &Hiding) -> bool {
        let watches = hiding.obstacle == Obstacle::Family(Arc::clone(name));
        let shown = self.index.families.find(name);
        watches
            && shown.is_some_and(|(_, shown)| {
                let live = |id: &GroupId| !self.is_expired(*id);
                shown.kind != hiding.kind && shown.holders.iter().any(live)
            })
    }

    fn facts(&self, key: &GroupKey) -> Result<Vec<FamilyFacts>, ReadError> {
        let damaged = |reason| ReadError::damaged(key, reason);
        match self.staged.families(key)? {
            Some(stored) => stored.families.unpack().map_err(damaged),
            None => Ok(Vec::new()),
        }
    }

    /// Stages the hidden families of a group, if they are others than before.
    pub(super) fn stage_hidden(&mut self, key: &GroupKey, hidden: &HiddenFamilies) {
        if hidden.is_empty() && self.index.hidden() == 0 {
            return; // As nearly always.
        }
        let before = self.index.group(key).map(|group| &group.hidden);
        if before.is_some_and(|before| before == hidden) || (before.is_none() && hidden.is_empty())
        {
            return;
        }
        let family = |(name, hiding): (&Arc<str>, &Hiding)| HiddenFamily {
            name: name.as_ref().to_owned(),
            by_itself: hiding.obstacle == Obstacle::Itself,
            fault: hiding.fault.clone(),
        };
        self.staged
            .hide(key.clone(), hidden.iter().map(family).collect());
    }
}

fn hiding(name: &str, kind: Kind, series: u32, conflict: Conflict) -> Hiding {
    let Conflict { refusal, obstacle } = conflict;
    let mut fault = match &obstacle {
        // The type of the others may change while this one stays hidden.
        Obstacle::Family(other) if other.as_ref() == name => format!(
            "its type {} is not that of the groups that show this metric",
            kind.as_upper()
        ),
        _ => refusal.reason().to_owned(),
    };
    fault.truncate(fault.floor_char_boundary(FAILURE_TEXT));
    Hiding {
        kind,
        series,
        fault,
        obstacle,
    }
}
