//! Brings a store to the schema version of this program.

use redb::{Database, ReadableDatabase, TableError, WriteTransaction};

use super::schema::{META, META_SCHEMA, VERSION};

#[path = "../../migrations/m0001_initial.rs"]
mod m0001_initial;
#[path = "../../migrations/m0002_hidden.rs"]
mod m0002_hidden;

/// One step: from the version before its number to its number.
type Step = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// Every step, oldest first; the first one is number 1.
const STEPS: [Step; 2] = [m0001_initial::run, m0002_hidden::run];
const _: () = assert!(STEPS.len() as u64 == VERSION, "one step a version");

/// The schema version of a database: `None` if it has no `meta` table, so is not ours.
pub(super) fn version(db: &Database) -> Result<Option<u64>, redb::Error> {
    let txn = db.begin_read()?;
    match txn.open_table(META) {
        Ok(meta) => Ok(meta.get(META_SCHEMA)?.map(|version| version.value())),
        Err(TableError::TableDoesNotExist(_) | TableError::TableTypeMismatch { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a database holds no table at all: a first start that was cut short.
pub(super) fn is_empty(db: &Database) -> Result<bool, redb::Error> {
    Ok(db.begin_read()?.list_tables()?.next().is_none())
}

/// Runs the steps above `from`, each in a transaction of its own.
pub(super) fn run(db: &Database, from: u64) -> Result<(), redb::Error> {
    for (number, step) in (1..).zip(STEPS).skip_while(|(number, _)| *number <= from) {
        let txn = db.begin_write()?;
        step(&txn)?;
        txn.open_table(META)?.insert(META_SCHEMA, number)?;
        txn.commit()?;
    }
    Ok(())
}
