//! What one scrape works on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::GroupId;
use super::family::Family;
use super::groups::Counts;
use crate::format::form::Form;
#[cfg(doc)]
use crate::ttl::Horizon;
use crate::ttl::TtlSource;

/// All families as of one instant. It shares its chunks with the view, which
/// copies those it must change while a snapshot holds them.
#[derive(Debug)]
pub struct Snapshot {
    /// What the text is.
    pub(super) form: Form,
    /// Whether any name is not a legacy one.
    pub(super) foreign: bool,
    /// In byte order of names.
    pub(super) families: Vec<(Arc<str>, Arc<Family>)>,
    /// Groups that had expired at that instant and were not yet reaped, sorted.
    pub(super) expired: Arc<[GroupId]>,
    pub(super) counts: Counts,
    pub(super) pushes: u64,
}

impl Snapshot {
    /// What its families' bytes are.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Whether there is a metric or label name that depends on the escaping. If not,
    /// it is the same exposition under every escaping.
    pub fn has_foreign_names(&self) -> bool {
        self.foreign
    }

    /// Number of these groups by where their TTL comes from.
    pub fn by_source(&self) -> &BTreeMap<TtlSource, usize> {
        &self.counts.by_source
    }

    /// The number of the last push that it shows: see [`Horizon::scraped`].
    pub fn pushes(&self) -> u64 {
        self.pushes
    }

    /// Number of groups that may never be scraped, their TTL being so short.
    pub fn short_ttl_groups(&self) -> usize {
        self.counts.short_ttl
    }

    /// Number of groups that have not expired.
    pub fn groups(&self) -> usize {
        self.counts.groups
    }

    /// Number of pushed series (sample lines) of those groups.
    pub fn series(&self) -> u64 {
        self.counts.series
    }
}
