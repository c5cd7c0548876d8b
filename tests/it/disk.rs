//! A disk in memory that stands still when a test says so.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use tidegate::store::Place;

use crate::support::LIMIT;

/// What stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Reads,
    Syncs,
}

/// Clones are the same disk, so that a store can be opened on it again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: Mutex<Vec<u8>>,
    gate: Mutex<Gate>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Gate {
    held: Option<Held>,
    waiting: usize,
    /// How many of those who wait may go on.
    passes: usize,
    /// Whether syncs fail.
    fails: bool,
}

/// Lets the disk go on when dropped, also by a test that fails.
#[must_use]
pub(crate) struct Hold(Disk);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.gate().held = None;
        self.0.0.moved.notify_all();
    }
}

impl Hold {
    /// Lets one who waits go on, and returns when somebody waits again.
    pub(crate) fn step(&self) {
        let disk = &self.0;
        let mut gate = disk.gate();
        gate.passes = 1;
        disk.0.moved.notify_all();
        let going = |gate: &mut Gate| gate.passes > 0 || gate.waiting == 0;
        let waited = disk.0.moved.wait_timeout_while(gate, LIMIT, going);
        let timed_out = waited.unwrap_or_else(PoisonError::into_inner).1.timed_out();
        assert!(!timed_out, "nobody came to the disk again within {LIMIT:?}");
    }
}

impl Disk {
    pub(crate) fn place(&self) -> Place {
        let disk = self.clone();
        Place::disk(move || Ok(disk.clone()))
    }

    /// Another disk with the same bytes, as after a power cut that came after all writes.
    pub(crate) fn copy(&self) -> Self {
        let inner = Inner {
            bytes: Mutex::new(self.bytes().clone()),
            ..Inner::default()
        };
        Self(Arc::new(inner))
    }

    /// From now on whoever reads, or syncs, waits until what is returned is dropped.
    pub(crate) fn hold(&self, what: Held) -> Hold {
        self.gate().held = Some(what);
        Hold(self.clone())
    }

    /// Whether syncs fail from now on, those that wait included.
    pub(crate) fn fail(&self, fails: bool) {
        self.gate().fails = fails;
    }

    /// Returns when somebody waits.
    pub(crate) fn await_waiting(&self) {
        let nobody = |gate: &mut Gate| gate.waiting == 0;
        let waited = self.0.moved.wait_timeout_while(self.gate(), LIMIT, nobody);
        let timed_out = waited.unwrap_or_else(PoisonError::into_inner).1.timed_out();
        assert!(!timed_out, "nobody came to the disk within {LIMIT:?}");
    }

    fn pass(&self, what: Held) {
        let mut gate = self.gate();
        if gate.held != Some(what) {
            return;
        }
        gate.waiting += 1;
        self.0.moved.notify_all();
        let held = |gate: &mut Gate| gate.held == Some(what) && gate.passes == 0;
        gate = self
            .0
            .moved
            .wait_while(gate, held)
            .unwrap_or_else(PoisonError::into_inner);
        gate.passes = 0;
        gate.waiting -= 1;
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.0.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.pass(Held::Reads);
        let (bytes, start) = (self.bytes(), index(offset)?);
        let part = bytes
            .get(start..start + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes().resize(index(len)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.pass(Held::Syncs);
        if self.gate().fails {
            return Err(io::ErrorKind::HostUnreachable.into());
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut bytes, start) = (self.bytes(), index(offset)?);
        let part = bytes
            .get_mut(start..start + data.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        part.copy_from_slice(data);
        Ok(())
    }
}
