//! Schema version 2: which families of a group are stored and not shown.

use redb::{TableDefinition, WriteTransaction};

/// Creates the table, empty: before this version nothing was hidden.
pub(super) fn run(txn: &WriteTransaction) -> Result<(), redb::Error> {
    txn.open_table(TableDefinition::<&[u8], &[u8]>::new("hidden"))?;
    Ok(())
}
