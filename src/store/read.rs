//! Reading facts while the gateway runs: for lists, details and the history.
//!
//! Each call reads one consistent state of the store. It may block on the disk.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use redb::{AccessGuard, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable};

use super::reading::{facts, merged};
use super::record::{
    PAUSE_KEY, decode_group, decode_group_head, decode_hidden, decode_history, decode_mark,
    decode_override,
};
use super::schema::{GROUPS, HIDDEN, HISTORY, MARKS, OVERRIDES};
use super::{Ended, FamilyFacts, GroupFacts, Head, HiddenFamily, ReadError, Store, Stored};
use crate::clock::UnixNanos;
use crate::model::GroupKey;
use crate::ttl::{Override, Schedule, TtlPolicy};

/// A group in a list: all but its families.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its grouping key.
    pub key: GroupKey,
    /// Its newest head.
    pub head: Head,
    /// An operator's word about its TTL.
    pub pinned: Option<Override>,
    /// Families that are not shown.
    pub hidden: Vec<HiddenFamily>,
}

impl Listed {
    /// The TTL in force at `now` (TTL time), and when the group expires. What every answer
    /// that reads facts goes by.
    pub fn schedule(&self, policy: &TtlPolicy, now: UnixNanos) -> Schedule {
        let (start, pushed) = (self.head.clock_start, self.head.pushed_ttl);
        policy.schedule(&self.key, start, pushed, self.pinned.as_ref(), now)
    }
}

/// One group with its families.
#[derive(Debug, Clone)]
pub struct GroupDetail {
    /// All but the families.
    pub listed: Listed,
    /// Its families, with when each was pushed.
    pub families: Vec<(FamilyFacts, UnixNanos)>,
}

/// One group as [`Store::walk`] shows it, decoded no further than it is asked for.
#[derive(Debug)]
pub struct GroupRow<'a> {
    key: GroupKey,
    /// Its row; `None` if every push so far was rejected.
    row: Option<&'a [u8]>,
    /// A newer head than that of the row.
    newer: Option<&'a [u8]>,
    pinned: Option<Override>,
    hidden: Vec<HiddenFamily>,
}

impl GroupRow<'_> {
    /// Its grouping key.
    pub fn key(&self) -> &GroupKey {
        &self.key
    }

    /// All but the families.
    ///
    /// # Errors
    /// If the row is damaged.
    pub fn listed(&self) -> Result<Listed, ReadError> {
        let key = self.key.as_bytes();
        let head = match (self.newer, self.row) {
            (Some(mark), _) => decode_mark(key, mark),
            (None, Some(row)) => decode_group_head(key, row),
            (None, None) => Err("it has no row"),
        };
        Ok(Listed {
            key: self.key.clone(),
            head: head.map_err(|reason| ReadError::damaged(&self.key, reason))?,
            pinned: self.pinned.clone(),
            hidden: self.hidden.clone(),
        })
    }

    /// Its families, with when each was pushed.
    ///
    /// # Errors
    /// If the row is damaged.
    pub fn families(&self) -> Result<Vec<(FamilyFacts, UnixNanos)>, ReadError> {
        let Some(row) = self.row else {
            return Ok(Vec::new());
        };
        let stored = decode_group(self.key.as_bytes(), row);
        stored
            .and_then(|(_, stored)| families(&stored))
            .map_err(|reason| ReadError::damaged(&self.key, reason))
    }
}

/// All groups as of one commit, read one by one while others are written.
#[derive(Debug)]
pub struct Moment {
    groups: ReadOnlyTable<&'static [u8], &'static [u8]>,
    marks: ReadOnlyTable<&'static [u8], &'static [u8]>,
    hidden: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl Moment {
    /// One group; `None` if there was none of this key.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn group(&self, key: &GroupKey) -> Result<Option<GroupFacts>, ReadError> {
        let bytes = key.as_bytes();
        let (row, mark) = (self.groups.get(bytes)?, self.marks.get(bytes)?);
        if row.is_none() && mark.is_none() {
            return Ok(None);
        }
        let (row, mark) = (row.as_ref(), mark.as_ref());
        let facts = facts(
            key.clone(),
            row.map(AccessGuard::value),
            mark.map(AccessGuard::value),
        );
        facts.map(Some)
    }

    /// Which families of a group are not shown.
    ///
    /// # Errors
    /// If the row cannot be read.
    pub fn hidden(&self, key: &GroupKey) -> Result<Vec<HiddenFamily>, ReadError> {
        hidden_of(&self.hidden, key)
    }
}

/// Part of the history, newest first.
#[derive(Debug, Clone, Default)]
pub struct HistoryPage {
    /// Records and their numbers.
    pub ended: Vec<(u64, Ended)>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Store {
    /// Shows every group in key order to `visit`, until that breaks off.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn list(&self, mut visit: impl FnMut(Listed) -> ControlFlow<()>) -> Result<(), ReadError> {
        self.walk(|row| Ok(visit(row.listed()?)))
    }

    /// Shows every group in key order to `visit`, until that breaks off. One group at a
    /// time is in memory; all are of one moment.
    ///
    /// # Errors
    /// If a row cannot be read, or what `visit` says.
    pub fn walk(
        &self,
        visit: impl FnMut(GroupRow<'_>) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<(), ReadError> {
        self.walk_from(&[], visit)
    }

    /// The same from the first group on whose canonical key is not below `from`.
    ///
    /// # Errors
    /// If a row cannot be read, or what `visit` says.
    pub fn walk_from(
        &self,
        from: &[u8],
        mut visit: impl FnMut(GroupRow<'_>) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<(), ReadError> {
        let txn = self.db.begin_read()?;
        let (overrides, hidden) = (txn.open_table(OVERRIDES)?, txn.open_table(HIDDEN)?);
        merged(&txn, from, |key, row, newer| {
            let key = group_key(key)?;
            visit(GroupRow {
                row,
                newer,
                pinned: override_of(&overrides, &key)?,
                hidden: hidden_of(&hidden, &key)?,
                key,
            })
        })
    }

    /// Shows those of these groups that there are to `visit`, each with its place among them,
    /// until that breaks off.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn list_of(
        &self,
        keys: &[GroupKey],
        mut visit: impl FnMut(usize, Listed) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let txn = self.db.begin_read()?;
        let (groups, marks) = (txn.open_table(GROUPS)?, txn.open_table(MARKS)?);
        let (overrides, hidden) = (txn.open_table(OVERRIDES)?, txn.open_table(HIDDEN)?);
        for (at, key) in keys.iter().enumerate() {
            let bytes = key.as_bytes();
            let head = if let Some(row) = marks.get(bytes)? {
                decode_mark(bytes, row.value())
            } else if let Some(row) = groups.get(bytes)? {
                decode_group_head(bytes, row.value())
            } else {
                continue;
            };
            let head = head.map_err(|reason| ReadError::damaged(key, reason))?;
            let listed = Listed {
                key: key.clone(),
                head,
                pinned: override_of(&overrides, key)?,
                hidden: hidden_of(&hidden, key)?,
            };
            if visit(at, listed).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// All groups as of the last commit. While it is held the pages of that commit are
    /// kept, and the file cannot be opened anew.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn moment(&self) -> Result<Moment, ReadError> {
        let txn = self.db.begin_read()?;
        Ok(Moment {
            groups: txn.open_table(GROUPS)?,
            marks: txn.open_table(MARKS)?,
            hidden: txn.open_table(HIDDEN)?,
        })
    }

    /// One group; `None` if there is none of this key.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn detail(&self, key: &GroupKey) -> Result<Option<GroupDetail>, ReadError> {
        let txn = self.db.begin_read()?;
        let bytes = key.as_bytes();
        let damage = |reason| ReadError::damaged(key, reason);
        let mark = match txn.open_table(MARKS)?.get(bytes)? {
            Some(row) => Some(decode_mark(bytes, row.value()).map_err(damage)?),
            None => None,
        };
        let stored = match txn.open_table(GROUPS)?.get(bytes)? {
            Some(row) => Some(decode_group(bytes, row.value()).map_err(damage)?),
            None => None,
        };
        let pinned = override_of(&txn.open_table(OVERRIDES)?, key)?;
        let hidden = hidden_of(&txn.open_table(HIDDEN)?, key)?;
        let (head, families) = match (mark, stored) {
            (None, None) => return Ok(None),
            (Some(mark), None) => (mark, Vec::new()),
            (mark, Some((head, stored))) => {
                (mark.unwrap_or(head), families(&stored).map_err(damage)?)
            }
        };
        let listed = Listed {
            key: key.clone(),
            head,
            pinned,
            hidden,
        };
        Ok(Some(GroupDetail { listed, families }))
    }

    /// Records of gone groups below a number, newest first, as many as `take` lets in
    /// of those that `wanted` accepts.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub fn history(
        &self,
        below: u64,
        take: usize,
        wanted: impl Fn(&Ended) -> bool,
    ) -> Result<HistoryPage, ReadError> {
        let history = self.db.begin_read()?.open_table(HISTORY)?;
        let mut page = HistoryPage::default();
        for row in history.range(..below)?.rev() {
            let (number, row) = row?;
            let number = number.value();
            let ended = decode_history(number, row.value()).map_err(|reason| {
                ReadError::damaged(format_args!("history record {number}"), reason)
            })?;
            if !wanted(&ended) {
                continue;
            }
            if page.ended.len() == take {
                page.more = true;
                break;
            }
            page.ended.push((number, ended));
        }
        Ok(page)
    }
}

fn families(stored: &Stored) -> Result<Vec<(FamilyFacts, UnixNanos)>, &'static str> {
    let with_time = |facts: FamilyFacts| {
        let pushed = facts.pushed.unwrap_or(stored.pushed);
        (facts, pushed)
    };
    Ok(stored
        .families
        .unpack()?
        .into_iter()
        .map(with_time)
        .collect())
}

fn hidden_of(
    hidden: &ReadOnlyTable<&'static [u8], &'static [u8]>,
    key: &GroupKey,
) -> Result<Vec<HiddenFamily>, ReadError> {
    let bytes = key.as_bytes();
    match hidden.get(bytes)? {
        Some(row) => {
            decode_hidden(bytes, row.value()).map_err(|reason| ReadError::damaged(key, reason))
        }
        None => Ok(Vec::new()),
    }
}

fn override_of(
    overrides: &ReadOnlyTable<&'static [u8], &'static [u8]>,
    key: &GroupKey,
) -> Result<Option<Override>, ReadError> {
    let bytes = key.as_bytes();
    let row = overrides.get(bytes)?;
    let of = row.map(|row| decode_override(bytes, row.value()));
    of.transpose()
        .map_err(|reason| ReadError::damaged(key, reason))
}

/// Families that are not shown, group by group.
pub(super) fn all_hidden(
    txn: &ReadTransaction,
) -> Result<BTreeMap<GroupKey, Vec<HiddenFamily>>, ReadError> {
    let mut hidden = BTreeMap::new();
    for row in txn.open_table(HIDDEN)?.iter()? {
        let (key, row) = row?;
        let key = group_key(key.value())?;
        let families = decode_hidden(key.as_bytes(), row.value())
            .map_err(|reason| ReadError::damaged(&key, reason))?;
        hidden.insert(key, families);
    }
    Ok(hidden)
}

/// What operators decided, group by group.
pub(super) fn all_overrides(
    txn: &ReadTransaction,
) -> Result<BTreeMap<GroupKey, Override>, ReadError> {
    let mut overrides = BTreeMap::new();
    for row in txn.open_table(OVERRIDES)?.iter()? {
        let (key, row) = row?;
        if key.value() == PAUSE_KEY {
            continue;
        }
        let key = group_key(key.value())?;
        let of = decode_override(key.as_bytes(), row.value())
            .map_err(|reason| ReadError::damaged(&key, reason))?;
        overrides.insert(key, of);
    }
    Ok(overrides)
}

pub(super) fn group_key(bytes: &[u8]) -> Result<GroupKey, ReadError> {
    GroupKey::from_bytes(bytes).ok_or_else(|| {
        let group = String::from_utf8_lossy(bytes);
        ReadError::damaged(group, "its key is not canonical")
    })
}
