//! What one scrape works on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::GroupId;
use super::family::Family;
use super::groups::Count;
use crate::ttl::TtlSource;

/// All families as of one instant. It shares its chunks with the view, which
/// copies those it must change while a snapshot holds them.
#[derive(Debug)]
pub struct Snapshot {
    /// In byte order of names.
    pub(super) families: Vec<(Arc<str>, Arc<Family>)>,
    /// Groups that had expired at that instant and were not yet reaped, sorted.
    pub(super) expired: Arc<[GroupId]>,
    pub(super) count: Count,
    pub(super) by_source: BTreeMap<TtlSource, usize>,
}

impl Snapshot {
    /// Number of these groups by where their TTL comes from.
    pub fn by_source(&self) -> &BTreeMap<TtlSource, usize> {
        &self.by_source
    }

    /// Number of groups that have not expired.
    pub fn groups(&self) -> usize {
        self.count.groups
    }

    /// Number of pushed series (sample lines) of those groups.
    pub fn series(&self) -> u64 {
        self.count.series
    }
}
