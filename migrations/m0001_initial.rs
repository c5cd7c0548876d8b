//! Schema version 1: the tables of the first release, all empty.

use redb::{TableDefinition, WriteTransaction};

/// Creates every table, so that later code may open them without asking whether they exist.
pub(super) fn run(txn: &WriteTransaction) -> Result<(), redb::Error> {
    for name in ["groups", "marks", "overrides"] {
        txn.open_table(TableDefinition::<&[u8], &[u8]>::new(name))?;
    }
    txn.open_table(TableDefinition::<u64, &[u8]>::new("history"))?;
    txn.open_table(TableDefinition::<&str, u64>::new("meta"))?;
    Ok(())
}
