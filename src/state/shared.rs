//! The store, shared by the writer and those who read facts.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use crate::lock::lock;
use crate::store::{Moment, ReadError, Store};

/// The open store; empty while it is being reopened after a failed commit, which
/// waits until no reader is left.
#[derive(Debug)]
pub(super) struct SharedStore {
    store: RwLock<Option<Store>>,
    readers: Arc<Readers>,
}

/// Those who read a moment of the store beside its writer.
#[derive(Debug, Default)]
struct Readers {
    count: Mutex<usize>,
    none: Condvar,
}

/// A moment of the store, which is not closed while somebody holds one.
#[derive(Debug)]
pub(super) struct OpenMoment {
    moment: Moment,
    // After the moment: fields are dropped in this order.
    _reader: Reader,
}

#[derive(Debug)]
struct Reader(Arc<Readers>);

impl SharedStore {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store: RwLock::new(Some(store)),
            readers: Arc::default(),
        }
    }

    /// Works on the store, beside others; `None` if it is not open.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Store) -> T) -> Option<T> {
        self.store
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(work)
    }

    /// The store as of its last commit; `None` if it is not open.
    pub(super) fn moment(&self) -> Option<Result<OpenMoment, ReadError>> {
        self.with(|store| {
            let moment = store.moment()?;
            Ok(OpenMoment {
                moment,
                _reader: Reader::new(&self.readers),
            })
        })
    }

    /// Takes the store out, when nobody reads it any more.
    pub(super) fn take(&self) -> Option<Store> {
        let store = self
            .store
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut count = self.readers.lock();
        while *count > 0 {
            let waited = self.readers.none.wait(count);
            count = waited.unwrap_or_else(PoisonError::into_inner);
        }
        store
    }

    pub(super) fn put(&self, store: Store) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = Some(store);
    }
}

impl Readers {
    fn lock(&self) -> MutexGuard<'_, usize> {
        lock(&self.count)
    }
}

impl Reader {
    fn new(readers: &Arc<Readers>) -> Self {
        *readers.lock() += 1;
        Self(Arc::clone(readers))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut count = self.0.lock();
        *count -= 1;
        if *count == 0 {
            self.0.none.notify_all();
        }
    }
}

impl Deref for OpenMoment {
    type Target = Moment;

    fn deref(&self) -> &Moment {
        &self.moment
    }
}
