//! Numbers of the records of gone groups, and which are to be forgotten.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::UnixNanos;
use crate::limits::HISTORY_RECORDS;

/// The records there are, oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    records: VecDeque<(u64, UnixNanos)>,
    next: u64,
    /// How long a record is kept; zero: there are none.
    keep: Duration,
}

impl History {
    pub(super) fn new(records: Vec<(u64, UnixNanos)>, keep: Duration) -> Self {
        let next = records.last().map_or(0, |(number, _)| number + 1);
        Self {
            records: records.into(),
            next,
            keep,
        }
    }

    /// The number of a new record; `None` if none are kept.
    pub(super) fn add(&mut self, at: UnixNanos) -> Option<u64> {
        if self.keep.is_zero() {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.records.push_back((number, at));
        Some(number)
    }

    /// Drops what is too old or too much at `now` (wall clock); the lowest number that
    /// is kept, if anything was dropped.
    pub(super) fn prune(&mut self, now: UnixNanos) -> Option<u64> {
        let too_old = |at: UnixNanos| now.since(at) > self.keep;
        let mut dropped = false;
        while let Some((_, at)) = self.records.front()
            && (self.records.len() > HISTORY_RECORDS || too_old(*at))
        {
            self.records.pop_front();
            dropped = true;
        }
        dropped.then(|| {
            self.records
                .front()
                .map_or(self.next, |(number, _)| *number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_numbered_on_and_old_ones_dropped() {
        let day = Duration::from_hours(24);
        let hours = |hours: u64| UnixNanos(hours * 3_600_000_000_000);
        let mut history = History::new(vec![(7, hours(1)), (8, hours(2))], day);
        assert_eq!(history.add(hours(20)), Some(9));
        assert_eq!(history.prune(hours(20)), None);
        assert_eq!(history.prune(hours(26)), Some(8));
        assert_eq!(history.prune(hours(100)), Some(10));
        assert_eq!(history.prune(hours(100)), None);
        assert_eq!(History::new(vec![], Duration::ZERO).add(hours(1)), None);
    }

    #[test]
    fn too_many_records_push_the_oldest_out() {
        let mut history = History::new(vec![], Duration::from_secs(1));
        for _ in 0..HISTORY_RECORDS + 3 {
            history.add(UnixNanos(0));
        }
        assert_eq!(history.prune(UnixNanos(0)), Some(3));
    }
}
