//! What is asked about very many groups: reaping, wipes, deletes and overrides by matcher.
//!
//! It goes slice by slice through the writer's queue. Each slice is a transaction of its own,
//! and the next is asked for when that is on disk and its publication begins: so they never
//! pile up, and a push passes between two of them.

use super::State;
use super::request::{DeleteMany, Done, PinMany, Refused, Request};
use crate::clock::Stopwatch;
use crate::limits::SLICE;
use crate::model::GroupKey;

/// How many groups were changed, and why the others were not if something went wrong: what
/// the slices before that did stays done.
pub type SlicesDone = (usize, Option<Refused>);

impl State {
    /// Deletes many groups.
    pub async fn delete_many(&self, which: DeleteMany) -> SlicesDone {
        let DeleteMany {
            keys,
            pushed_until,
            pushed_before,
            by,
        } = which;
        let slice = |keys| {
            Request::DeleteMany(DeleteMany {
                keys,
                pushed_until,
                pushed_before,
                by: by.clone(),
            })
        };
        self.in_slices(&keys, slice).await
    }

    /// Sets or takes away the overrides of those of these groups that are there.
    pub async fn pin_many(&self, which: PinMany) -> SlicesDone {
        let PinMany { keys, of } = which;
        let slice = |keys| {
            Request::PinMany(PinMany {
                keys,
                of: of.clone(),
            })
        };
        self.in_slices(&keys, slice).await
    }

    /// Removes all that has expired, longest ago first; how many groups.
    ///
    /// # Errors
    /// If the store takes nothing.
    pub async fn reap_now(&self) -> Result<usize, Refused> {
        let mut removed = 0;
        loop {
            let expired = self.view().expired(self.expiry().horizon());
            if expired.is_empty() {
                return Ok(removed);
            }
            let slices = expired.chunks(SLICE);
            let last = slices.len() - 1;
            for (place, slice) in slices.enumerate() {
                let watch = Stopwatch::start();
                let slice = Request::Reap(slice.to_vec());
                if let Done::Reaped { groups } = self.ask_slice(slice, place == last).await? {
                    removed += groups;
                }
                self.telemetry().observe_reap(watch.seconds());
            }
        }
    }

    async fn in_slices(
        &self,
        keys: &[GroupKey],
        request: impl Fn(Vec<GroupKey>) -> Request,
    ) -> SlicesDone {
        let mut changed = 0;
        let slices = keys.chunks(SLICE);
        let last = slices.len().saturating_sub(1);
        for (place, slice) in slices.enumerate() {
            let slice = request(slice.to_vec());
            match self.ask_slice(slice, place == last).await {
                Ok(Done::Deleted { groups, .. } | Done::Pinned { groups }) => changed += groups,
                Ok(_) => {}
                Err(refused) => return (changed, Some(refused)),
            }
        }
        (changed, None)
    }
}
