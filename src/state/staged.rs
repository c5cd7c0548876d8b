//! The rows of a batch before it is committed.
//!
//! The overlay through which later requests of a batch see the earlier ones:
//! without it two pushes of one batch could each be right and both be wrong.

use std::collections::BTreeMap;

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

/// What is staged of one group; `None` where nothing is.
#[derive(Debug)]
pub(super) struct StagedGroup {
    row: Option<RowWrite>,
    hidden: Option<Vec<HiddenFamily>>,
    /// Its override, or that it has none any more.
    #[expect(clippy::option_option, reason = "that none is set is staged too")]
    pinned: Option<Option<Override>>,
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

    /// All that is staged of a group.
    pub(super) fn of(&self, key: &GroupKey) -> StagedGroup {
        StagedGroup {
            row: self.batch.rows.get(key).cloned(),
            hidden: self.batch.hidden.get(key).cloned(),
            pinned: self.batch.overrides.get(key).cloned(),
        }
    }

    /// Stages of a group what was staged before, and nothing else.
    pub(super) fn put_back(&mut self, key: &GroupKey, before: StagedGroup) {
        let StagedGroup {
            row,
            hidden,
            pinned,
        } = before;
        put_back(&mut self.batch.rows, key, row);
        put_back(&mut self.batch.hidden, key, hidden);
        put_back(&mut self.batch.overrides, key, pinned);
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

fn put_back<T>(all: &mut BTreeMap<GroupKey, T>, key: &GroupKey, before: Option<T>) {
    match before {
        Some(before) => drop(all.insert(key.clone(), before)),
        None => drop(all.remove(key)),
    }
}
