//! From stored facts to index and view.

use crate::clock::UnixNanos;
use crate::format::text_write::Identity;
use crate::model::{Family, GroupKey};
use crate::store::{Contents, FamilyFacts, GroupFacts, ReadError, decode_metrics};
use crate::ttl::{Schedule, TtlPolicy};
use crate::view::{Change, Content, RenderedFamily};

use super::index::{Group, Held, Index};
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
/// A TTL clock that started in what is now the future (the wall clock was set
/// back while the gateway was down) starts now: such a group is of age 0.
///
/// # Errors
/// If the families of a row cannot be decoded.
pub(super) fn derive(
    contents: Contents,
    policy: &TtlPolicy,
    now: UnixNanos,
) -> Result<Derived, ReadError> {
    let Contents {
        groups,
        mut overrides,
        ..
    } = contents;
    let mut derived = Derived::default();
    for GroupFacts {
        key,
        mut head,
        stored,
    } in groups
    {
        head.clock_start = head.clock_start.min(now);
        let pinned = overrides.remove(&key).map(Box::new);
        let own = policy.effective(&key, head.pushed_ttl);
        let schedule = Schedule::of(head.clock_start, own, pinned.as_deref(), now);
        let facts = match stored {
            Some(stored) => stored
                .families
                .unpack()
                .map_err(|reason| damaged(&key, reason))?,
            None => Vec::new(),
        };
        derived.add(
            Group {
                key,
                head,
                pinned,
                schedule,
                families: Vec::new(),
            },
            &facts,
        )?;
    }
    Ok(derived)
}

impl Derived {
    fn add(&mut self, mut group: Group, facts: &[FamilyFacts]) -> Result<(), ReadError> {
        let identity = Identity::new(&group.key);
        let mut set = Vec::with_capacity(facts.len() + 2);
        for family in facts {
            let rendered = self.render(&group.key, family, &identity)?;
            let id = self.index.family(&rendered.name, family.kind);
            group.families.push(Held {
                family: id,
                series: family.series,
            });
            set.push(rendered);
        }
        set.extend(times::rendered(&group.head, &identity));
        let life = Some(group.life());
        let (group, removed) = self.index.put(group);
        self.content.apply(&Change {
            group,
            removed,
            set,
            life,
        });
        Ok(())
    }

    fn render(
        &self,
        key: &GroupKey,
        facts: &FamilyFacts,
        identity: &Identity,
    ) -> Result<RenderedFamily, ReadError> {
        let metrics = decode_metrics(&facts.metrics).map_err(|reason| damaged(key, reason))?;
        let family = Family {
            name: facts.name.as_str().into(),
            kind: facts.kind,
            help: facts.help.as_deref().map(Into::into),
            metrics,
        };
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

fn damaged(key: &GroupKey, reason: &'static str) -> ReadError {
    ReadError::Damaged {
        group: key.to_string(),
        reason,
    }
}
