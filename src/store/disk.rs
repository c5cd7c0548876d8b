//! Two things that redb leaves to us: a first start that was cut short, and a
//! disk whose last sync failed.

use std::io;
use std::ops::Bound::Unbounded;

use redb::{BackendError, StorageBackend};

/// What is read and written at once, bytes: a page of redb, and of the page cache.
const PAGE: u64 = 4096;

/// Whether a disk has bytes and yet nothing in them.
///
/// redb writes the magic number that a file begins with last, once all else of a new
/// database is synced. A start that is cut short before that leaves a file that
/// redb takes for a stranger's. It holds zeros, but for the rest of the header.
pub(super) fn is_unborn(disk: &impl StorageBackend) -> io::Result<bool> {
    let mut page = Page::new();
    let len = disk.len()?;
    let header = page.read(disk, 0, len)?;
    if len == 0 || header.iter().take(MAGIC_BYTES).any(|byte| *byte != 0) {
        return Ok(false);
    }
    for offset in starts(len).skip(1) {
        if page.read(disk, offset, len)?.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Length of redb's magic number.
const MAGIC_BYTES: usize = 9;

/// Empties an unborn disk, so that redb begins anew. One that somebody else is
/// filling right now is left alone: redb will say so.
pub(super) fn clear_unborn(disk: &impl StorageBackend) -> io::Result<()> {
    if is_unborn(disk)? && lock(disk)? {
        if is_unborn(disk)? {
            disk.set_len(0)?;
        }
        unlock(disk)?;
    }
    Ok(())
}

/// Writes again all that is on a disk, and syncs it.
///
/// After a sync has failed, the system may hold pages that are not on disk and that it
/// has given up writing: reads show them and no later sync is about them. What is
/// committed on top of such pages would be lost with the power, acknowledged or
/// not. Written again they are dirty again, and the next sync tells the truth.
/// Pages of zeros stay out: they are holes, which would take up room, and no page
/// of redb is all zeros.
pub(super) fn renew(disk: &impl StorageBackend) -> io::Result<()> {
    if !lock(disk)? {
        return Ok(()); // Another process has the store now. Opening it will say so.
    }
    let renewed = rewrite(disk);
    unlock(disk)?;
    renewed
}

fn rewrite(disk: &impl StorageBackend) -> io::Result<()> {
    let mut page = Page::new();
    let len = disk.len()?;
    for offset in starts(len) {
        let bytes = page.read(disk, offset, len)?;
        if bytes.iter().any(|byte| *byte != 0) {
            disk.write(offset, bytes)?;
        }
    }
    disk.sync_data()
}

/// Where the pages of a disk begin.
fn starts(len: u64) -> impl Iterator<Item = u64> {
    (0..len.div_ceil(PAGE)).map(|number| number * PAGE)
}

/// A buffer for one page.
struct Page(Vec<u8>);

impl Page {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// The page that begins at `offset` of a disk of `len` bytes; the last one may be short.
    fn read(&mut self, disk: &impl StorageBackend, offset: u64, len: u64) -> io::Result<&[u8]> {
        let there = len.saturating_sub(offset).min(PAGE);
        self.0.resize(usize::try_from(there).unwrap_or_default(), 0);
        disk.read(offset, &mut self.0)?;
        Ok(&self.0)
    }
}

/// Keeps other processes away; false if one is there. A disk without locks is ours.
fn lock(disk: &impl StorageBackend) -> io::Result<bool> {
    match disk.try_lock_range(Unbounded, Unbounded) {
        Err(BackendError::Unsupported) => Ok(true),
        locked => locked.map_err(io::Error::other),
    }
}

fn unlock(disk: &impl StorageBackend) -> io::Result<()> {
    match disk.unlock_range(Unbounded, Unbounded) {
        Err(BackendError::Unsupported) => Ok(()),
        unlocked => unlocked.map_err(io::Error::other),
    }
}
