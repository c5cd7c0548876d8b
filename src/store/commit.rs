//! One batch, one transaction, one fsync.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use redb::{Durability, Table, WriteTransaction};

use super::record::{
    PAUSE_KEY, encode_group, encode_hidden, encode_history, encode_mark, encode_override,
    encode_pause,
};
use super::schema::{GROUPS, HIDDEN, HISTORY, MARKS, META, META_REVISION, OVERRIDES};
use super::{CommitError, Ended, Head, HiddenFamily, Packed, Store};
use crate::clock::UnixNanos;
use crate::model::GroupKey;
use crate::ttl::{Override, Suspension};

/// What becomes of one group's rows.
#[derive(Debug, Clone)]
pub enum RowWrite {
    /// A new row; a mark beside an older row goes.
    Group {
        /// Newest head.
        head: Head,
        /// When the families that name no time of their own were pushed.
        pushed: UnixNanos,
        /// All families of the group.
        families: Packed,
    },
    /// Only the head changes: a heartbeat or a rejected push.
    Mark(Head),
    /// The same for a group whose older row, if there is one, goes first.
    New(Head),
    /// The group goes.
    Remove,
}

/// What one commit writes.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Rows of groups. In key order, since redb then touches each page once.
    pub rows: BTreeMap<GroupKey, RowWrite>,
    /// Which families of a group are not shown; none: all are.
    pub hidden: BTreeMap<GroupKey, Vec<HiddenFamily>>,
    /// Overrides set, or taken away.
    pub overrides: BTreeMap<GroupKey, Option<Override>>,
    /// The pause set, or taken away.
    pub pause: Option<Option<Suspension>>,
    /// Groups that are gone, by number of their record.
    pub ended: Vec<(u64, Ended)>,
    /// Records of gone groups that are forgotten: those below this number.
    pub forget_below: Option<u64>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.hidden.is_empty()
            && self.overrides.is_empty()
            && self.pause.is_none()
            && self.ended.is_empty()
            && self.forget_below.is_none()
    }
}

impl Store {
    /// Writes `batch` in one transaction and returns when it is on disk: the new revision.
    ///
    /// # Errors
    /// The store must then be dropped and opened anew before it takes another batch; that tells
    /// whether the batch is stored as a whole or not at all. Where a sync failed it may be either.
    pub fn commit(&self, batch: &Batch) -> Result<u64, CommitError> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(Durability::Immediate)?;
        // Only one transaction writes at a time, so nobody else counts meanwhile.
        let revision = self.revision() + 1;
        write_rows(&txn, &batch.rows)?;
        write_hidden(&txn, &batch.hidden)?;
        write_overrides(&txn, batch)?;
        write_history(&txn, batch)?;
        txn.open_table(META)?.insert(META_REVISION, revision)?;
        txn.commit()?;
        // A file without a name takes commits like any other, and ends with the process.
        self.place()
            .check_there()
            .map_err(|error| CommitError(redb::Error::Io(error)))?;
        self.revision.store(revision, Ordering::Relaxed);
        Ok(revision)
    }
}

fn write_hidden(
    txn: &WriteTransaction,
    hidden: &BTreeMap<GroupKey, Vec<HiddenFamily>>,
) -> Result<(), CommitError> {
    if hidden.is_empty() {
        return Ok(());
    }
    let mut rows = txn.open_table(HIDDEN)?;
    for (key, families) in hidden {
        let key = key.as_bytes();
        if families.is_empty() {
            rows.remove(key)?;
        } else {
            rows.insert(key, encode_hidden(key, families).as_slice())?;
        }
    }
    Ok(())
}

fn write_overrides(txn: &WriteTransaction, batch: &Batch) -> Result<(), CommitError> {
    if batch.overrides.is_empty() && batch.pause.is_none() {
        return Ok(());
    }
    let mut overrides = txn.open_table(OVERRIDES)?;
    for (key, of) in &batch.overrides {
        let key = key.as_bytes();
        match of {
            Some(of) => overrides.insert(key, encode_override(key, of).as_slice())?,
            None => overrides.remove(key)?,
        };
    }
    match &batch.pause {
        Some(Some(pause)) => drop(overrides.insert(PAUSE_KEY, encode_pause(pause).as_slice())?),
        Some(None) => drop(overrides.remove(PAUSE_KEY)?),
        None => {}
    }
    Ok(())
}

fn write_history(txn: &WriteTransaction, batch: &Batch) -> Result<(), CommitError> {
    if batch.ended.is_empty() && batch.forget_below.is_none() {
        return Ok(());
    }
    let mut history = txn.open_table(HISTORY)?;
    for (number, ended) in &batch.ended {
        history.insert(*number, encode_history(*number, ended).as_slice())?;
    }
    if let Some(below) = batch.forget_below {
        history.retain_in(..below, |_, _| false)?;
    }
    Ok(())
}

type Rows<'txn> = Table<'txn, &'static [u8], &'static [u8]>;

fn write_rows(
    txn: &WriteTransaction,
    rows: &BTreeMap<GroupKey, RowWrite>,
) -> Result<(), CommitError> {
    let mut groups = txn.open_table(GROUPS)?;
    let mut marks = txn.open_table(MARKS)?;
    for (key, write) in rows {
        write_row(&mut groups, &mut marks, key.as_bytes(), write)?;
    }
    Ok(())
}

fn write_row(
    groups: &mut Rows<'_>,
    marks: &mut Rows<'_>,
    key: &[u8],
    write: &RowWrite,
) -> Result<(), CommitError> {
    match write {
        RowWrite::Group {
            head,
            pushed,
            families,
        } => {
            groups.insert(key, encode_group(key, head, *pushed, families).as_slice())?;
            marks.remove(key)?;
        }
        RowWrite::Mark(head) => {
            marks.insert(key, encode_mark(key, head).as_slice())?;
        }
        RowWrite::New(head) => {
            groups.remove(key)?;
            marks.insert(key, encode_mark(key, head).as_slice())?;
        }
        RowWrite::Remove => {
            groups.remove(key)?;
            marks.remove(key)?;
        }
    }
    Ok(())
}
