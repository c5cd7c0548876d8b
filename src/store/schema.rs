//! Table names and the version of what is in them.

use redb::TableDefinition;

/// The schema version this program reads and writes: the number of the newest
/// step in `migrations/`.
pub(super) const VERSION: u64 = 2;

/// Group key (canonical bytes) to the group's sealed [`super::record`] row.
pub(super) const GROUPS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("groups");

/// Group key to a sealed head that is newer than the one in the group's row: what a
/// heartbeat or a rejected push leaves, so that neither rewrites a large row.
pub(super) const MARKS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("marks");

/// Group key to a sealed override; the pause under the empty key.
pub(super) const OVERRIDES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("overrides");

/// Group key to a sealed list of its families that are not shown, and why.
pub(super) const HIDDEN: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("hidden");

/// A growing number to a sealed record of a group that is gone.
pub(super) const HISTORY: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("history");

/// Names of numbers: see the constants below.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// Key in [`META`]: the schema version.
pub(super) const META_SCHEMA: &str = "schema_version";

/// Key in [`META`]: number of commits so far.
pub(super) const META_REVISION: &str = "revision";
