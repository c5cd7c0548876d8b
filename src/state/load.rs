//! From stored facts to index and view.

use std::time::Duration;

use crate::clock::{Clock, UnixNanos};
use crate::format::text_write::Identity;
use crate::limits::HISTORY_RECORDS;
use crate::model::{Family, GroupKey, Kind};
use crate::push::rewrite::PUSH_TIME;
use crate::store::{
    Batch, Contents, End, Ended, FamilyFacts, GroupFacts, HiddenFamily, ReadError, RowWrite, Store,
    decode_metrics,
};
use crate::ttl::TtlPolicy;
use crate::view::{Change, Content, RenderedFamily};

use super::exposed::{self, Departed};
use super::index::{Group, Held, HiddenFamilies, Hiding, Index, Obstacle};
use super::later::later;
use super::prepare::render;
use super::times;

/// All that is derived from the store.
#[derive(Debug, Default)]
pub(super) struct Derived {
    pub(super) index: Index,
    pub(super) content: Content,
}

/// Builds index and view content from all that is stored.
///
/// `before` is the index that this one replaces; at a start it is empty.
///
/// # Errors
/// If the families of a row cannot be decoded.
pub(super) fn derive(
    contents: Contents,
    policy: &TtlPolicy,
    now: UnixNanos,
    before: &Index,
) -> Result<Derived, ReadError> {
    let Contents {
        groups,
        mut overrides,
        mut hidden,
        ..
    } = contents;
    let mut derived = Derived {
        index: Index::after(before),
        ..Derived::default()
    };
    // At a start nothing says whether anything was ever scraped.
    let loaded = before.is_empty().then(|| derived.index.next_push());
    let stored = before.stored_pushes();
    for GroupFacts {
        key,
        head,
        stored: row,
    } in groups
    {
        let pinned = overrides.remove(&key).map(Box::new);
        let (start, pushed) = (head.clock_start, head.pushed_ttl);
        let schedule = policy.schedule(&key, start, pushed, pinned.as_deref(), now);
        let pushed = loaded
            .or_else(|| stored.get(&key).copied())
            .unwrap_or_default();
        let facts = match row {
            Some(row) => row
                .families
                .unpack()
                .map_err(|reason| damaged(&key, reason))?,
            None => Vec::new(),
        };
        let hidden = hidden_families(hidden.remove(&key), &facts);
        derived.add(
            Group {
                key,
                head,
                pinned,
                schedule,
                pushed,
                families: Vec::new(),
                hidden,
            },
            &facts,
            (policy, now),
        )?;
    }
    Ok(derived)
}

/// Sets TTL clocks by the wall clock found at a start; what must be stored of that, so that
/// whoever reads facts finds the same and the next start goes on from there.
///
/// A TTL clock that started in what is now the future (the wall clock was set
/// back while the gateway was down) starts now: such a group is of age 0. If a later start
/// finds the wall clock put right, the group's age is what it would have been.
pub(super) fn reset_clocks(contents: &mut Contents, now: UnixNanos) -> Batch {
    let mut batch = Batch::default();
    for GroupFacts { key, head, .. } in &mut contents.groups {
        if let Some(ahead) = head.clock_ahead.filter(|ahead| *ahead <= now) {
            (head.clock_start, head.clock_ahead) = (ahead, None);
        } else if head.clock_start > now {
            head.clock_ahead.get_or_insert(head.clock_start);
            head.clock_start = now;
        } else {
            continue;
        }
        batch.rows.insert(key.clone(), RowWrite::Mark(head.clone()));
    }
    batch
}

impl Derived {
    /// Puts TTLs into the content as series; the groups that have expired and not come back.
    ///
    /// # Errors
    /// If the history cannot be read.
    pub(super) fn expose(
        &mut self,
        store: &Store,
        policy: &TtlPolicy,
        clock: &Clock,
        keep: Duration,
    ) -> Result<Departed, ReadError> {
        let now = (clock.ttl_now(), clock.wall());
        let mut departed = Departed::default();
        let kept = |ended: &Ended| now.1.since(ended.at) <= keep;
        let page = store.history(u64::MAX, HISTORY_RECORDS, kept)?;
        for (number, ended) in page.ended.into_iter().rev() {
            let change = match ended.end {
                End::Expired if ended.last_push != UnixNanos::default() => {
                    Some(departed.add(number, &ended.key, ended.last_push))
                }
                End::Expired => None,
                End::Deleted { .. } => departed.remove(&ended.key),
            };
            if let Some(change) = change {
                self.content.apply(&change);
            }
        }
        let (groups, _) = self.index.slice(0, usize::MAX);
        for id in groups {
            let Some(group) = self.index.get(id) else {
                continue;
            };
            if group.head.was_pushed()
                && let Some(back) = departed.remove(&group.key)
            {
                self.content.apply(&back);
            }
            if group.hides_times() {
                continue; // So would its TTL be the same series as its twin's.
            }
            self.content.apply(&Change {
                group: id,
                removed: Vec::new(),
                set: exposed::rendered(
                    (group.schedule.ttl, group.schedule.deadline),
                    now,
                    &Identity::new(&group.key),
                ),
                life: Some(group.life()),
                later: later((id, group), policy, now.0, Some(now.1)),
                gone: None,
            });
        }
        Ok(departed)
    }

    fn add(
        &mut self,
        mut group: Group,
        facts: &[FamilyFacts],
        (policy, now): (&TtlPolicy, UnixNanos),
    ) -> Result<(), ReadError> {
        let identity = Identity::new(&group.key);
        let mut set = Vec::with_capacity(facts.len() + 2);
        for family in facts {
            if group.hidden.contains_key(family.name.as_str()) {
                continue;
            }
            let rendered = self.render(&group.key, family, &identity)?;
            let id = self.index.family(&rendered.name, family.kind);
            group.families.push(Held {
                family: id,
                series: family.series,
            });
            set.push(rendered);
        }
        if !group.hidden.contains_key(PUSH_TIME) {
            set.extend(times::rendered(&group.head, &identity));
        }
        let life = Some(group.life());
        let (id, removed) = self.index.put(group);
        let group = self.index.get(id).map(|group| (id, group));
        let later = group.and_then(|group| later(group, policy, now, None));
        self.content.apply(&Change {
            group: id,
            removed,
            set,
            life,
            later,
            gone: None,
        });
        Ok(())
    }

    fn render(
        &self,
        key: &GroupKey,
        facts: &FamilyFacts,
        identity: &Identity,
    ) -> Result<RenderedFamily, ReadError> {
        let family = model_of(key, facts)?;
        // One name for all groups: a hundred thousand copies of it would be real memory.
        let known = self
            .index
            .families
            .find(&facts.name)
            .map(|(_, found)| found.name.clone());
        let name = known.unwrap_or_else(|| facts.name.as_str().into());
        Ok(RenderedFamily {
            name,
            ..render(&facts.name, &family, identity)
        })
    }
}

/// The families of a group that are not shown. What stands in their way is not stored:
/// the writer finds out before its first request.
fn hidden_families(stored: Option<Vec<HiddenFamily>>, facts: &[FamilyFacts]) -> HiddenFamilies {
    let hiding = |family: HiddenFamily| {
        let facts = facts.iter().find(|facts| facts.name == family.name);
        let hiding = Hiding {
            kind: facts.map_or(Kind::Gauge, |facts| facts.kind),
            series: facts.map_or(0, |facts| facts.series),
            fault: family.fault,
            obstacle: if family.by_itself {
                Obstacle::Itself
            } else {
                Obstacle::Unknown
            },
        };
        (family.name.into(), hiding)
    };
    stored.into_iter().flatten().map(hiding).collect()
}

/// A stored family as it was pushed.
pub(super) fn model_of<'a>(
    key: &GroupKey,
    facts: &'a FamilyFacts,
) -> Result<Family<'a>, ReadError> {
    let metrics = decode_metrics(&facts.metrics).map_err(|reason| damaged(key, reason))?;
    Ok(Family {
        name: facts.name.as_str().into(),
        kind: facts.kind,
        help: facts.help.as_deref().map(Into::into),
        metrics,
    })
}

pub(super) fn damaged(key: &GroupKey, reason: &'static str) -> ReadError {
    ReadError::Damaged {
        group: key.to_string(),
        reason,
    }
}
