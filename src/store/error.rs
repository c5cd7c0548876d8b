//! Failures of the store, per operation.

use std::path::PathBuf;

use thiserror::Error;

/// Why a store was not opened. Nothing on disk was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder or file cannot be created, read or written.
    #[error("cannot use the store {path}: {reason}")]
    Io {
        /// Folder or file.
        path: PathBuf,
        /// What the system said. Part of the message, so no source of it.
        reason: std::io::Error,
    },
    /// Another process holds the store.
    #[error(
        "the store {0} is in use by another process; each gateway needs its own --storage.path"
    )]
    InUse(PathBuf),
    /// The file is something else than a tidegate store.
    #[error(
        "{path} is not a tidegate store ({reason}); it was left as it is: move it away or choose another --storage.path"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A newer tidegate wrote the store.
    #[error(
        "the store {path} has schema version {found}, this tidegate knows up to {known}; it was left as it is: start the newer tidegate, or choose another --storage.path"
    )]
    Future {
        /// The file.
        path: PathBuf,
        /// Version found.
        found: u64,
        /// Newest version known.
        known: u64,
    },
    /// Bytes on disk changed since they were written.
    #[error(
        "the store {path} is damaged ({reason}); it was left as it is: restore a copy, or move it away to start empty"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}

/// Why a batch was not committed. The store takes nothing more until it is reopened.
#[derive(Debug, Error)]
#[error("commit failed: {0}")]
pub struct CommitError(#[from] pub redb::Error);

impl CommitError {
    /// Whether the disk or a file-size limit was full.
    pub fn is_full(&self) -> bool {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(&self.0, redb::Error::Io(error)
            if matches!(error.kind(), StorageFull | FileTooLarge | QuotaExceeded))
    }
}

/// Why a row could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// redb could not read.
    #[error("cannot read the store: {0}")]
    Redb(#[from] redb::Error),
    /// A row is not what was written.
    #[error("the row of group {group} is damaged: {reason}")]
    Damaged {
        /// The group, as far as its key can be read.
        group: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl ReadError {
    /// What is stored of a group, or of what else `group` names, is not what was written.
    pub fn damaged(group: impl std::fmt::Display, reason: &'static str) -> Self {
        let group = group.to_string();
        Self::Damaged { group, reason }
    }

    /// Whether the disk failed, or the system gave no thread, so that the same may be read later.
    /// A file that ends too early looks alike here; opening the store anew tells it apart.
    pub fn is_transient(&self) -> bool {
        use redb::Error::{Io, PreviousIo};
        matches!(self, Self::Redb(Io(_) | PreviousIo))
    }
}

macro_rules! through_redb_error {
    ($target:ident: $($from:ident),*) => {$(
        impl From<redb::$from> for $target {
            fn from(error: redb::$from) -> Self {
                Self::from(redb::Error::from(error))
            }
        }
    )*};
}

through_redb_error!(ReadError: TransactionError, TableError, StorageError);
through_redb_error!(CommitError: TransactionError, TableError, StorageError, SetDurabilityError);

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self::Redb(redb::Error::Io(error))
    }
}

impl From<redb::CommitError> for CommitError {
    fn from(error: redb::CommitError) -> Self {
        Self(error.into())
    }
}
