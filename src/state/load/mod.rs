//! From stored facts to index and view: at a start, and after a failed commit.
//!
//! Rows are read by one thread, in order; several decode and render them; what they made is
//! put together in the order of the rows, whatever the order in which they finish.

mod part;
mod together;

pub(super) use together::load;

use std::time::Duration;

use crate::clock::{Clock, UnixNanos};
use crate::format::text_write::Identity;
use crate::limits::HISTORY_RECORDS;
use crate::model::{Family, GroupKey};
use crate::store::{Batch, End, Ended, FamilyRef, ReadError, Store, decode_metrics};
use crate::ttl::{Suspension, TtlPolicy};
use crate::view::{Change, Content};

use super::exposed::{self, Departed};
use super::index::Index;
use super::later::later;

/// All that is derived from the store.
#[derive(Debug, Default)]
pub(super) struct Derived {
    pub(super) index: Index,
    pub(super) content: Content,
}

/// What is made of a store when it is read.
#[derive(Debug)]
pub(super) struct Restored {
    pub(super) derived: Derived,
    /// What must be stored of TTL clocks that were set.
    pub(super) reset: Batch,
    /// The pause of expiry, if an operator asked for one.
    pub(super) pause: Option<Suspension>,
    /// Number and time of every record of a gone group, oldest first.
    pub(super) ended: Vec<(u64, UnixNanos)>,
}

/// How a store is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'a> {
    /// TTLs in force.
    pub(super) policy: &'a TtlPolicy,
    /// TTL time.
    pub(super) now: UnixNanos,
    /// Reading anew after a failure: the index as it was. `None`: a start.
    pub(super) before: Option<&'a Index>,
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
        let now = clock.now();
        let mut departed = Departed::default();
        let kept = |ended: &Ended| now.wall.since(ended.at) <= keep;
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
                later: later((id, group), policy, now.ttl, Some(now)),
                gone: None,
            });
        }
        Ok(departed)
    }
}

/// A stored family as it was pushed.
pub(super) fn model_of<'a>(
    key: &GroupKey,
    family: &FamilyRef<'a>,
) -> Result<Family<'a>, ReadError> {
    let metrics =
        decode_metrics(family.metrics).map_err(|reason| ReadError::damaged(key, reason))?;
    Ok(Family {
        name: family.name.into(),
        kind: family.kind,
        help: family.help.map(Into::into),
        metrics,
    })
}
