//! How the mutexes of this program are locked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks it, also after a panic of one who held it: what is behind these locks is whole at any
/// moment, and one request that panics must not end all others.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
