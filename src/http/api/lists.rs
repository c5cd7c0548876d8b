//! Lists whose order changes with every push, kept for their next pages.
//!
//! Sorted by a deadline or a push time a group moves when it is pushed. A cursor that names a
//! place in that order would meet it again, or pass it by. So the order of the first page is
//! kept, as grouping keys only, and later pages follow it.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};

use super::cursor::Cursor;
use crate::clock::UnixNanos;
use crate::limits::{LIST_TIME, LISTS, LISTS_BYTES};
use crate::lock::lock;
use crate::model::GroupKey;

/// The lists of which somebody has seen the first page and not the last.
#[derive(Debug, Default)]
pub(in crate::http) struct Lists(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The one that was asked for last is the last.
    kept: VecDeque<Kept>,
    bytes: usize,
    /// Numbers that no other run of the program hands out.
    numbers: RandomState,
    next: u64,
}

#[derive(Debug)]
struct Kept {
    id: u64,
    /// What was asked for.
    asked: String,
    keys: Arc<[GroupKey]>,
    bytes: usize,
    /// When it was asked for last, TTL time.
    at: UnixNanos,
}

/// Memory that a key takes in a kept list, bytes.
pub(super) fn bytes_of(key: &GroupKey) -> usize {
    size_of::<GroupKey>() + key.as_bytes().len()
}

impl Lists {
    /// Keeps a list; its number. Others go if they are too many, too large or too old.
    pub(super) fn keep(&self, asked: String, keys: Arc<[GroupKey]>, now: UnixNanos) -> u64 {
        let bytes = keys.iter().map(bytes_of).sum();
        let mut inner = lock(&self.0);
        let id = inner.numbers.hash_one(inner.next);
        inner.next += 1;
        inner.bytes += bytes;
        inner.kept.push_back(Kept {
            id,
            asked,
            keys,
            bytes,
            at: now,
        });
        inner.make_room(now);
        id
    }

    /// What is left of a list behind a cursor, and the number of the first of it; `None` if
    /// it is not kept any more, or something else was asked for.
    pub(super) fn find(
        &self,
        cursor: &Cursor,
        asked: &str,
        now: UnixNanos,
    ) -> Option<(Arc<[GroupKey]>, usize)> {
        let mut inner = lock(&self.0);
        inner.make_room(now);
        let is_it = |kept: &Kept| kept.id == cursor.value && kept.asked == asked;
        let mut kept = inner
            .kept
            .iter()
            .position(is_it)
            .and_then(|at| inner.kept.remove(at))?;
        kept.at = now;
        let keys = Arc::clone(&kept.keys);
        inner.kept.push_back(kept);
        let at = u64::from_be_bytes(cursor.key.as_slice().try_into().ok()?);
        let at = usize::try_from(at).ok().filter(|at| *at <= keys.len())?;
        Some((keys, at))
    }
}

impl Inner {
    fn make_room(&mut self, now: UnixNanos) {
        while let Some(oldest) = self.kept.front()
            && (self.kept.len() > LISTS
                || self.bytes > LISTS_BYTES
                || now.since(oldest.at) > LIST_TIME)
        {
            self.bytes -= oldest.bytes;
            self.kept.pop_front();
        }
    }
}

/// The cursor of the group with this number in a kept list.
pub(super) fn cursor(id: u64, at: usize) -> Cursor {
    Cursor {
        value: id,
        key: (at as u64).to_be_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn keys(groups: usize) -> Vec<GroupKey> {
        (0..groups)
            .map(|n| GroupKey::new(&format!("{n:01000}"), &BTreeMap::new()))
            .collect()
    }

    fn is_kept(lists: &Lists, id: u64, now: u64) -> bool {
        lists
            .find(&cursor(id, 1), "asked", UnixNanos(now))
            .is_some()
    }

    #[test]
    fn lists_are_kept_for_a_while_and_in_bounds() {
        let lists = Lists::default();
        let keep =
            |groups, now| lists.keep("asked".to_owned(), keys(groups).into(), UnixNanos(now));
        let first = keep(2, 0);
        let second = keep(2, 0);
        assert!(
            lists
                .find(&cursor(first, 1), "other", UnixNanos(0))
                .is_none()
        );
        assert!(
            lists
                .find(&cursor(first, 3), "asked", UnixNanos(0))
                .is_none()
        );
        // Whoever goes on with a list keeps it.
        let span = |span: Duration| u64::try_from(span.as_nanos()).unwrap();
        let late = span(LIST_TIME);
        assert!(is_kept(&lists, first, late));
        assert!(!is_kept(&lists, second, late + 1));
        assert!(is_kept(&lists, first, late + 1));
        for _ in 0..LISTS {
            keep(2, late);
        }
        assert!(!is_kept(&lists, first, late));
        let small = keep(2, late);
        let large = keep(LISTS_BYTES / 1000 - LISTS_BYTES / 10_000, late);
        assert!(is_kept(&lists, large, late));
        assert!(lists.0.lock().unwrap().bytes <= LISTS_BYTES);
        assert!(is_kept(&lists, small, late));
        keep(LISTS_BYTES / 10_000 * 2, late);
        assert!(
            !is_kept(&lists, large, late),
            "what is used longest ago goes first"
        );
    }
}
