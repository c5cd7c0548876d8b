//! All that a store holds, read once: when it is opened.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use super::read::{all_hidden, all_overrides, group_key};
use super::record::{PAUSE_KEY, decode_group, decode_history, decode_mark, decode_pause};
use super::schema::{GROUPS, HISTORY, MARKS, OVERRIDES};
use super::{GroupFacts, HiddenFamily, ReadError};
use crate::clock::UnixNanos;
use crate::limits::ROWS_BYTES;
use crate::model::GroupKey;
use crate::ttl::{Override, Suspension};

/// One commit of a store, all of which is to be read.
pub struct Reading(ReadTransaction);

/// All that a store holds beside its groups. The default is what a new one holds.
#[derive(Debug, Default)]
pub struct Extras {
    /// Families that are not shown.
    pub hidden: BTreeMap<GroupKey, Vec<HiddenFamily>>,
    /// What operators decided about groups.
    pub overrides: BTreeMap<GroupKey, Override>,
    /// The pause of expiry, if an operator asked for one.
    pub pause: Option<Suspension>,
    /// Number and time of every record of a gone group, oldest first.
    pub ended: Vec<(u64, UnixNanos)>,
}

/// Rows of neighbouring groups as they are stored, neither checked nor decoded yet: that is
/// most of the work, and can be done by others than who reads.
#[derive(Debug, Default)]
pub struct Rows {
    before: usize,
    bytes: Vec<u8>,
    groups: Vec<Spans>,
}

/// Where in the bytes what is stored of a group is.
#[derive(Debug)]
struct Spans {
    key: Range<usize>,
    row: Option<Range<usize>>,
    /// The mark: a newer head.
    newer: Option<Range<usize>>,
}

impl Reading {
    pub(super) fn begin(db: &Database) -> Result<Self, ReadError> {
        Ok(Self(db.begin_read()?))
    }

    /// All but the groups.
    ///
    /// # Errors
    /// If a row cannot be read or is damaged.
    pub fn extras(&self) -> Result<Extras, ReadError> {
        Ok(Extras {
            hidden: all_hidden(&self.0)?,
            overrides: all_overrides(&self.0)?,
            pause: read_pause(&self.0)?,
            ended: read_ends(&self.0)?,
        })
    }

    /// Shows all groups in key order to `visit`, some at a time, until that breaks off. Which
    /// of them come together depends on nothing but what is stored.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn rows(&self, mut visit: impl FnMut(Rows) -> ControlFlow<()>) -> Result<(), ReadError> {
        let mut rows = Rows::default();
        merged(&self.0, &[], |key, row, newer| {
            rows.add(key, row, newer);
            if rows.bytes.len() < ROWS_BYTES {
                return Ok(ControlFlow::Continue(()));
            }
            let next = Rows {
                before: rows.before + rows.groups.len(),
                ..Rows::default()
            };
            Ok(visit(std::mem::replace(&mut rows, next)))
        })?;
        if !rows.groups.is_empty() {
            // The last ones: there is nothing left to break off.
            let _ = visit(rows);
        }
        Ok(())
    }

    /// Every group in key order.
    ///
    /// # Errors
    /// If a row cannot be read or is damaged; in either case the first one.
    pub fn groups(&self) -> Result<Vec<GroupFacts>, ReadError> {
        let mut groups = Vec::new();
        let mut damage = None;
        self.rows(|rows| {
            for facts in rows.groups() {
                match facts {
                    Ok(facts) => groups.push(facts),
                    Err(error) => {
                        damage = Some(error);
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        damage.map_or(Ok(groups), Err)
    }

    /// Reads everything and keeps nothing.
    ///
    /// # Errors
    /// As [`Self::groups`].
    pub(super) fn check(&self) -> Result<(), ReadError> {
        let mut damage = None;
        self.rows(|rows| {
            damage = rows.groups().find_map(Result::err);
            if damage.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if let Some(damage) = damage {
            return Err(damage);
        }
        self.extras().map(drop)
    }
}

impl Rows {
    fn add(&mut self, key: &[u8], row: Option<&[u8]>, newer: Option<&[u8]>) {
        let mut put = |part: &[u8]| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(part);
            start..self.bytes.len()
        };
        let spans = Spans {
            key: put(key),
            row: row.map(&mut put),
            newer: newer.map(&mut put),
        };
        self.groups.push(spans);
    }

    /// How many groups come before these.
    pub fn before(&self) -> usize {
        self.before
    }

    /// The groups, checked and decoded one after the other, their families still packed.
    /// An error says that a row is damaged, and whose.
    pub fn groups(&self) -> impl Iterator<Item = Result<GroupFacts, ReadError>> {
        let part = |span: &Range<usize>| &self.bytes[span.clone()];
        self.groups.iter().map(move |spans| {
            let (row, newer) = (spans.row.as_ref(), spans.newer.as_ref());
            facts(group_key(part(&spans.key))?, row.map(part), newer.map(part))
        })
    }
}

fn read_pause(txn: &ReadTransaction) -> Result<Option<Suspension>, ReadError> {
    let overrides = txn.open_table(OVERRIDES)?;
    let Some(row) = overrides.get(PAUSE_KEY)? else {
        return Ok(None);
    };
    let damage = |reason| ReadError::damaged("of the pause", reason);
    decode_pause(row.value()).map(Some).map_err(damage)
}

/// Number and time of every record of a gone group, oldest first.
fn read_ends(txn: &ReadTransaction) -> Result<Vec<(u64, UnixNanos)>, ReadError> {
    let mut ends = Vec::new();
    for row in txn.open_table(HISTORY)?.iter()? {
        let (number, row) = row?;
        let number = number.value();
        let ended = decode_history(number, row.value()).map_err(|reason| {
            ReadError::damaged(format_args!("history record {number}"), reason)
        })?;
        ends.push((number, ended.at));
    }
    Ok(ends)
}

/// Shows key, row and mark of every group from a key on, in key order, to `visit`, until that
/// breaks off. A group has a row, a newer head, or both.
pub(super) fn merged(
    txn: &ReadTransaction,
    from: &[u8],
    mut visit: impl FnMut(&[u8], Option<&[u8]>, Option<&[u8]>) -> Result<ControlFlow<()>, ReadError>,
) -> Result<(), ReadError> {
    let (groups, marks) = (txn.open_table(GROUPS)?, txn.open_table(MARKS)?);
    let (mut groups, mut marks) = (groups.range(from..)?, marks.range(from..)?);
    let (mut group, mut mark) = (groups.next().transpose()?, marks.next().transpose()?);
    loop {
        let order = match (&group, &mark) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((group, _)), Some((mark, _))) => group.value().cmp(mark.value()),
        };
        let row = order.is_le().then(|| group.take()).flatten();
        let newer = order.is_ge().then(|| mark.take()).flatten();
        let key = row.as_ref().or(newer.as_ref()).map(|(key, _)| key.value());
        let shown = visit(
            key.unwrap_or_default(),
            row.as_ref().map(|(_, row)| row.value()),
            newer.as_ref().map(|(_, mark)| mark.value()),
        );
        if shown?.is_break() {
            return Ok(());
        }
        if row.is_some() {
            group = groups.next().transpose()?;
        }
        if newer.is_some() {
            mark = marks.next().transpose()?;
        }
    }
}

/// A group from its row and its mark, of which it has at least one.
pub(super) fn facts(
    key: GroupKey,
    row: Option<&[u8]>,
    newer: Option<&[u8]>,
) -> Result<GroupFacts, ReadError> {
    let bytes = key.as_bytes();
    let row = row.map(|row| decode_group(bytes, row)).transpose();
    let newer = newer.map(|mark| decode_mark(bytes, mark)).transpose();
    let read = row.and_then(|row| Ok((row, newer?)));
    let (head, stored) = match read.map_err(|reason| ReadError::damaged(&key, reason))? {
        (None, newer) => (newer.unwrap_or_default(), None),
        (Some((head, stored)), newer) => (newer.unwrap_or(head), Some(stored)),
    };
    Ok(GroupFacts { key, head, stored })
}
