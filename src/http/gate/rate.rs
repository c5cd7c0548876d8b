//! A bound on all requests together.

use std::sync::Mutex;

use crate::clock::UnixNanos;
use crate::config::web::RateLimit;
use crate::lock::lock;

/// A bucket of requests that fills up by one every interval.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: RateLimit,
    /// When it is full again. Before that one request is missing for every
    /// interval left.
    full_at: Mutex<UnixNanos>,
}

impl Bucket {
    pub(super) fn full(limit: RateLimit) -> Self {
        let full_at = Mutex::default();
        Self { limit, full_at }
    }

    /// Takes a request out; whether there was one.
    pub(super) fn take(&self, now: UnixNanos) -> bool {
        let RateLimit { interval, burst } = self.limit;
        let mut full_at = lock(&self.full_at);
        let after = (*full_at).max(now).plus(interval);
        let taken = after.since(now) <= interval.saturating_mul(burst);
        if taken {
            *full_at = after;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_one_each_interval() {
        let interval = Duration::from_millis(100);
        let bucket = Bucket::full(RateLimit { interval, burst: 3 });
        let taken = |millis: u64, tries: usize| {
            let now = UnixNanos(1_000_000_000).plus(Duration::from_millis(millis));
            (0..tries).filter(|_| bucket.take(now)).count()
        };
        assert_eq!(taken(0, 5), 3);
        assert_eq!(taken(99, 2), 0);
        assert_eq!(taken(100, 2), 1);
        assert_eq!(taken(250, 2), 1);
        assert_eq!(taken(300, 2), 1);
        // However long nobody came, no more than a burst is saved up.
        assert_eq!(taken(60_000, 9), 3);
    }
}
