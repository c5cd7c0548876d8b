//! How many groups have a short TTL.

use std::collections::BTreeMap;
use std::time::Duration;

use super::groups::Life;
use crate::ttl::Ttl;

/// Groups counted by their TTLs, and of those the ones below a limit. A change of a group
/// costs itself; one of the limit costs the distinct TTLs between the old and the new one.
#[derive(Debug, Default)]
pub(super) struct Ttls {
    groups: BTreeMap<Duration, usize>,
    limit: Duration,
    below: usize,
}

/// The TTL by which a group is counted: one that waits for a scrape is not short-lived.
fn ttl(life: &Life) -> Option<Duration> {
    match life.ttl {
        Ttl::After(ttl) if !life.held => Some(ttl),
        _ => None,
    }
}

impl Ttls {
    pub(super) fn add(&mut self, life: &Life) {
        if let Some(ttl) = ttl(life) {
            *self.groups.entry(ttl).or_default() += 1;
            self.below += usize::from(ttl < self.limit);
        }
    }

    pub(super) fn remove(&mut self, life: &Life) {
        let Some(ttl) = ttl(life) else { return };
        if let Some(groups) = self.groups.get_mut(&ttl) {
            *groups -= 1;
            self.below -= usize::from(ttl < self.limit);
            if *groups == 0 {
                self.groups.remove(&ttl);
            }
        }
    }

    pub(super) fn set_limit(&mut self, limit: Duration) {
        let count = |from: Duration, to: Duration| -> usize {
            self.groups.range(from..to).map(|(_, groups)| groups).sum()
        };
        if limit > self.limit {
            self.below += count(self.limit, limit);
        } else {
            self.below -= count(limit, self.limit);
        }
        self.limit = limit;
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    pub(super) fn is_below(&self, life: &Life) -> bool {
        ttl(life).is_some_and(|ttl| ttl < self.limit)
    }

    pub(super) fn below(&self) -> usize {
        self.below
    }
}
