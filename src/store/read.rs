//! Reading facts while the gateway runs: for lists, details and the history.
//!
//! Each call reads one consistent state of the store. It may block on the disk.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use redb::{ReadTransaction, ReadableDatabase, ReadableTable};

use super::record::{
    PAUSE_KEY, decode_group, decode_group_head, decode_history, decode_mark, decode_override,
};
use super::schema::{GROUPS, HISTORY, MARKS, OVERRIDES};
use super::{Ended, FamilyFacts, Head, ReadError, Store, Stored};
use crate::clock::UnixNanos;
use crate::model::GroupKey;
use crate::ttl::Override;

/// A group in a list: all but its families.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its grouping key.
    pub key: GroupKey,
    /// Its newest head.
    pub head: Head,
    /// An operator's word about its TTL.
    pub pinned: Option<Override>,
}

/// One group with its families.
#[derive(Debug, Clone)]
pub struct GroupDetail {
    /// All but the families.
    pub listed: Listed,
    /// Its families, with when each was pushed.
    pub families: Vec<(FamilyFacts, UnixNanos)>,
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
        let txn = self.db.begin_read()?;
        let mut marks = all_marks(&txn)?;
        let mut pinned = all_overrides(&txn)?;
        let mut listed = |key: GroupKey, head: Head| {
            let pinned = pinned.remove(&key);
            visit(Listed { key, head, pinned })
        };
        for row in txn.open_table(GROUPS)?.iter()? {
            let (key, row) = row?;
            let key = group_key(key.value())?;
            // Groups that have a mark and no row come before the row they sort before.
            while let Some((only, _)) = marks.first_key_value().filter(|(only, _)| **only < key) {
                let only = only.clone();
                let Some(head) = marks.remove(&only) else {
                    break;
                };
                if listed(only, head).is_break() {
                    return Ok(());
                }
            }
            let head = match marks.remove(&key) {
                Some(head) => head,
                None => decode_group_head(key.as_bytes(), row.value())
                    .map_err(|reason| damaged(&key, reason))?,
            };
            if listed(key, head).is_break() {
                return Ok(());
            }
        }
        for (key, head) in marks {
            if listed(key, head).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// One group; `None` if there is none of this key.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn detail(&self, key: &GroupKey) -> Result<Option<GroupDetail>, ReadError> {
        let txn = self.db.begin_read()?;
        let bytes = key.as_bytes();
        let damage = |reason| damaged(key, reason);
        let mark = match txn.open_table(MARKS)?.get(bytes)? {
            Some(row) => Some(decode_mark(bytes, row.value()).map_err(damage)?),
            None => None,
        };
        let stored = match txn.open_table(GROUPS)?.get(bytes)? {
            Some(row) => Some(decode_group(bytes, row.value()).map_err(damage)?),
            None => None,
        };
        let pinned = match txn.open_table(OVERRIDES)?.get(bytes)? {
            Some(row) => Some(decode_override(bytes, row.value()).map_err(damage)?),
            None => None,
        };
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
            let ended =
                decode_history(number, row.value()).map_err(|reason| ReadError::Damaged {
                    group: format!("history record {number}"),
                    reason,
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

/// Heads that are newer than those of their rows.
pub(super) fn all_marks(txn: &ReadTransaction) -> Result<BTreeMap<GroupKey, Head>, ReadError> {
    let mut heads = BTreeMap::new();
    for row in txn.open_table(MARKS)?.iter()? {
        let (key, row) = row?;
        let key = group_key(key.value())?;
        let head =
            decode_mark(key.as_bytes(), row.value()).map_err(|reason| damaged(&key, reason))?;
        heads.insert(key, head);
    }
    Ok(heads)
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
        let of =
            decode_override(key.as_bytes(), row.value()).map_err(|reason| damaged(&key, reason))?;
        overrides.insert(key, of);
    }
    Ok(overrides)
}

pub(super) fn group_key(bytes: &[u8]) -> Result<GroupKey, ReadError> {
    GroupKey::from_bytes(bytes).ok_or_else(|| ReadError::Damaged {
        group: String::from_utf8_lossy(bytes).into_owned(),
        reason: "its key is not canonical",
    })
}

pub(super) fn damaged(key: &GroupKey, reason: &'static str) -> ReadError {
    ReadError::Damaged {
        group: key.to_string(),
        reason,
    }
}
