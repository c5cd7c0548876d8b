//! Some groups, from their rows to what index and view take in: the work of one thread.

use std::collections::{BTreeMap, HashMap};

use crate::clock::UnixNanos;
use crate::format::form::write_metrics;
use crate::format::text_write::Identity;
use crate::model::{GroupKey, Kind};
use crate::push::rewrite::PUSH_TIME;
use crate::store::{Extras, FamilyRef, GroupFacts, Head, HiddenFamily, ReadError, RowWrite, Rows};
use crate::view::{GroupId, Slab};

use super::super::index::{Group, HiddenFamilies, Hiding, Obstacle};
use super::super::times;
use super::{How, model_of};

/// What all threads look at.
pub(super) struct Task<'a> {
    pub(super) how: How<'a>,
    pub(super) extras: &'a Extras,
    /// The number of the push that all groups count as; at a start nothing says whether
    /// anything was ever scraped. `None`: each has the number it had.
    pub(super) loaded: Option<u64>,
    /// The numbers of the last pushes that are stored.
    pub(super) pushes: HashMap<GroupKey, u64>,
}

/// Neighbouring groups, decoded and rendered.
#[derive(Default)]
pub(super) struct Part {
    pub(super) groups: Vec<Loaded>,
    pub(super) slab: Slab,
    /// Heads that must be stored: their TTL clocks were set.
    pub(super) reset: BTreeMap<GroupKey, RowWrite>,
}

/// A group whose families have no numbers yet.
pub(super) struct Loaded {
    pub(super) group: Group,
    /// The families it shows, by their place in the slab, with their numbers of sample lines.
    pub(super) families: Vec<(usize, u32)>,
}

impl Task<'_> {
    /// Decodes and renders rows. Groups are numbered in the order of their keys.
    ///
    /// # Errors
    /// Names the first group whose row is damaged.
    pub(super) fn work(&self, rows: &Rows) -> Result<Part, ReadError> {
        let mut part = Part::default();
        for (number, facts) in (rows.before()..).zip(rows.groups()) {
            // 4 billion groups at once do not fit in memory.
            let id = GroupId(u32::try_from(number).unwrap_or(u32::MAX));
            part.add(id, facts?, self)?;
        }
        part.slab.close();
        Ok(part)
    }
}

impl Part {
    fn add(&mut self, id: GroupId, facts: GroupFacts, task: &Task<'_>) -> Result<(), ReadError> {
        let GroupFacts {
            key,
            mut head,
            stored,
        } = facts;
        let How { policy, now, .. } = task.how;
        if task.how.before.is_none() && set_clock(&mut head, now) {
            let mark = RowWrite::Mark(head.clone());
            self.reset.insert(key.clone(), mark);
        }
        let packed = stored.map(|row| row.families).unwrap_or_default();
        let unpacked = packed
            .open()
            .map_err(|reason| ReadError::damaged(&key, reason))?;
        let facts = unpacked.families();
        let facts = facts.map_err(|reason| ReadError::damaged(&key, reason))?;
        let hidden = hidden_families(task.extras.hidden.get(&key), &facts);
        let families = self.render(id, (&key, &head), &facts, &hidden)?;
        let pinned = task.extras.overrides.get(&key);
        let pinned = pinned.cloned().map(Box::new);
        let (start, ttl) = (head.clock_start, head.pushed_ttl);
        let schedule = policy.schedule(&key, start, ttl, pinned.as_deref(), now);
        let pushed = task.pushes.get(&key).copied();
        let group = Group {
            pinned,
            schedule,
            pushed: task.loaded.or(pushed).unwrap_or_default(),
            families: Vec::new(),
            hidden,
            key,
            head,
        };
        self.groups.push(Loaded { group, families });
        Ok(())
    }

    /// Renders what a group shows; its families without those of its times.
    fn render(
        &mut self,
        id: GroupId,
        (key, head): (&GroupKey, &Head),
        facts: &[FamilyRef<'_>],
        hidden: &HiddenFamilies,
    ) -> Result<Vec<(usize, u32)>, ReadError> {
        let identity = Identity::new(key);
        let mut shown = Vec::with_capacity(facts.len());
        for facts in facts {
            // Also those that are hidden: what cannot be decoded is damage.
            let family = model_of(key, facts)?;
            if hidden.contains_key(facts.name) {
                continue;
            }
            let place = self.slab.place(facts.name);
            self.slab.add(place, id, facts.kind, facts.help, |out| {
                write_metrics(out, &family, &identity)
            });
            shown.push((place, facts.series));
        }
        if !hidden.contains_key(PUSH_TIME) {
            for sample in times::samples(head) {
                sample.add_to(&mut self.slab, id, &identity);
            }
        }
        Ok(shown)
    }
}

/// Sets a TTL clock by the wall clock found at a start; whether that must be stored, so that
/// whoever reads facts finds the same and the next start goes on from there.
///
/// A TTL clock that started in what is now the future (the wall clock was set
/// back while the gateway was down) starts now: such a group is of age 0. If a later start
/// finds the wall clock put right, the group's age is what it would have been.
fn set_clock(head: &mut Head, now: UnixNanos) -> bool {
    if let Some(ahead) = head.clock_ahead.filter(|ahead| *ahead <= now) {
        (head.clock_start, head.clock_ahead) = (ahead, None);
        true
    } else if head.clock_start > now {
        head.clock_ahead.get_or_insert(head.clock_start);
        head.clock_start = now;
        true
    } else {
        false
    }
}

/// The families of a group that are not shown. What stands in their way is not stored:
/// the writer finds out before its first request.
fn hidden_families(stored: Option<&Vec<HiddenFamily>>, facts: &[FamilyRef<'_>]) -> HiddenFamilies {
    let hiding = |family: &HiddenFamily| {
        let facts = facts.iter().find(|facts| facts.name == family.name);
        let hiding = Hiding {
            kind: facts.map_or(Kind::Gauge, |facts| facts.kind),
            series: facts.map_or(0, |facts| facts.series),
            fault: family.fault.clone(),
            obstacle: if family.by_itself {
                Obstacle::Itself
            } else {
                Obstacle::Unknown
            },
        };
        (family.name.as_str().into(), hiding)
    };
    stored.into_iter().flatten().map(hiding).collect()
}
