//! The store, shared by the writer and those who read facts.

use std::sync::{PoisonError, RwLock};

use crate::store::Store;

/// The open store; empty while it is being reopened after a failed commit, which
/// waits until no reader is left.
#[derive(Debug)]
pub(super) struct SharedStore(RwLock<Option<Store>>);

impl SharedStore {
    pub(super) fn new(store: Store) -> Self {
        Self(RwLock::new(Some(store)))
    }

    /// Works on the store, beside others; `None` if it is not open.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Store) -> T) -> Option<T> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(work)
    }

    pub(super) fn take(&self) -> Option<Store> {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(super) fn put(&self, store: Store) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(store);
    }
}
