//! The rows of a batch before it is committed.
//!
//! The overlay through which later requests of a batch see the earlier ones:
//! without it two pushes of one batch could each be right and both be wrong.

use crate::model::GroupKey;
use crate::store::{Batch, Ended, Head, HiddenFamily, ReadError, RowWrite, Store, Stored};
use crate::ttl::{Override, Suspension};

/// Rows to be written, over the rows that are stored.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    /// `None`: nothing is stored yet.
    store: Option<&'a Store>,
    batch: Batch,
}

impl<'a> Staged<'a> {
    pub(super) fn over(store: &'a Store) -> Self {
        Self {
            store: Some(store),
            batch: Batch::default(),
        }
    }

    /// Over a store that is still to be made.
    pub(super) fn over_nothing() -> Self {
        Self {
            store: None,
            batch: Batch::default(),
        }
    }

    /// The families of a group as of now: staged, else stored.
    pub(super) fn families(&self, key: &GroupKey) -> Result<Option<Stored>, ReadError> {
        match self.batch.rows.get(key) {
            Some(RowWrite::Group {
                pushed, families, ..
            }) => Ok(Some(Stored {
                pushed: *pushed,
                families: families.clone(),
            })),
            Some(RowWrite::Remove | RowWrite::New(_)) => Ok(None),
            Some(RowWrite::Mark(_)) | None => {
                self.store.map_or(Ok(None), |store| store.families(key))
            }
        }
    }

    /// What is staged for a group.
    pub(super) fn row(&self, key: &GroupKey) -> Option<&RowWrite> {
        self.batch.rows.get(key)
    }

    /// Stages what was staged before, if anything was.
    pub(super) fn put_back(
        &mut self,
        key: GroupKey,
        row: Option<RowWrite>,
        hidden: Option<Vec<HiddenFamily>>,
    ) {
        match hidden {
            Some(hidden) => drop(self.batch.hidden.insert(key.clone(), hidden)),
            None => drop(self.batch.hidden.remove(&key)),
        }
        match row {
            Some(row) => self.batch.rows.insert(key, row),
            None => self.batch.rows.remove(&key),
        };
    }

    /// A new row in place of all there is of a group.
    pub(super) fn write(&mut self, key: GroupKey, head: Head, stored: Stored) {
        let Stored { pushed, families } = stored;
        self.batch.rows.insert(
            key,
            RowWrite::Group {
                head,
                pushed,
                families,
            },
        );
    }

    /// A new head; families staged or stored stay.
    pub(super) fn write_head(&mut self, key: GroupKey, head: Head) {
        match self.batch.rows.get_mut(&key) {
            Some(RowWrite::Group { head: staged, .. }) => *staged = head,
            Some(write @ (RowWrite::Remove | RowWrite::New(_))) => *write = RowWrite::New(head),
            Some(RowWrite::Mark(_)) | None => {
                self.batch.rows.insert(key, RowWrite::Mark(head));
            }
        }
    }

    /// Families of a group are not shown from now on; none: all are.
    pub(super) fn hide(&mut self, key: GroupKey, families: Vec<HiddenFamily>) {
        self.batch.hidden.insert(key, families);
    }

    /// What is staged of a group's hidden families.
    pub(super) fn hidden(&self, key: &GroupKey) -> Option<&Vec<HiddenFamily>> {
        self.batch.hidden.get(key)
    }

    /// An override is set, or taken away.
    pub(super) fn pin(&mut self, key: GroupKey, of: Option<Override>) {
        self.batch.overrides.insert(key, of);
    }

    /// The pause is set, or taken away.
    pub(super) fn pause(&mut self, pause: Option<Suspension>) {
        self.batch.pause = Some(pause);
    }

    /// A record of a group that is gone.
    pub(super) fn end(&mut self, number: u64, ended: Ended) {
        self.batch.ended.push((number, ended));
    }

    /// Records below this number are forgotten.
    pub(super) fn forget_below(&mut self, number: u64) {
        self.batch.forget_below = Some(number);
    }

    /// The group goes.
    pub(super) fn remove(&mut self, key: GroupKey) {
        self.batch.rows.insert(key, RowWrite::Remove);
    }

    pub(super) fn into_batch(self) -> Batch {
        self.batch
    }
}
