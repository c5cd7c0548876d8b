//! A disk that can be tried without being changed.
//!
//! Opening a database writes to it: a repair after a crash, flags, migrations.
//! A store must be known to be ours and whole before that, so it is first
//! opened through this overlay, which reads the real disk and keeps all writes
//! in memory. What it holds is small: a repair rewrites only bookkeeping pages.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use redb::{BackendError, StorageBackend};

use crate::lock::lock;

use super::disk::is_unborn;

/// Overlay granularity, bytes.
const PAGE: u64 = 4096;

/// Reads go to `disk` unless they were written here before; nothing reaches `disk`.
#[derive(Debug)]
pub(super) struct TrialDisk<B> {
    disk: B,
    written: Mutex<Overlay>,
}

#[derive(Debug)]
struct Overlay {
    len: u64,
    /// How much of the real disk still shows: what was cut off once reads as zeros.
    shown: u64,
    pages: BTreeMap<u64, Box<[u8]>>,
}

impl<B: StorageBackend> TrialDisk<B> {
    pub(super) fn over(disk: B) -> io::Result<Self> {
        let len = if is_unborn(&disk)? { 0 } else { disk.len()? };
        let overlay = Overlay {
            len,
            shown: len,
            pages: BTreeMap::new(),
        };
        Ok(Self {
            disk,
            written: Mutex::new(overlay),
        })
    }

    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        lock(&self.written)
    }

    /// The bytes of one page as of now; zeros beyond what shows of the real disk.
    fn page(&self, overlay: &Overlay, number: u64) -> io::Result<Box<[u8]>> {
        if let Some(page) = overlay.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = vec![0; usize::try_from(PAGE).unwrap_or_default()].into_boxed_slice();
        let start = number * PAGE;
        let there = overlay.shown.saturating_sub(start).min(PAGE);
        if there > 0 {
            let there = usize::try_from(there).unwrap_or_default();
            self.disk.read(start, &mut page[..there])?;
        }
        Ok(page)
    }
}

/// The parts of `len` bytes at `offset` that fall into one page each: page number,
/// place in the page, place in the buffer.
fn spans(
    offset: u64,
    len: usize,
) -> impl Iterator<Item = (u64, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = usize::try_from(at % PAGE).ok()?;
        let step = (usize::try_from(PAGE).ok()? - within).min(len - done);
        let span = (at / PAGE, within..within + step, done..done + step);
        done += step;
        (step > 0).then_some(span)
    })
}

impl<B: StorageBackend> StorageBackend for TrialDisk<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.overlay().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let overlay = self.overlay();
        if offset + out.len() as u64 > overlay.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let last = (offset + out.len() as u64).div_ceil(PAGE);
        if overlay.pages.range(offset / PAGE..last).next().is_none()
            && offset + out.len() as u64 <= overlay.shown
        {
            return self.disk.read(offset, out);
        }
        for (number, within, buffer) in spans(offset, out.len()) {
            out[buffer].copy_from_slice(&self.page(&overlay, number)?[within]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut overlay = self.overlay();
        overlay.len = len;
        overlay.shown = overlay.shown.min(len);
        overlay.pages.retain(|number, _| number * PAGE < len);
        if let Some(last) = overlay.pages.get_mut(&(len / PAGE)) {
            let within = usize::try_from(len % PAGE).unwrap_or_default();
            last[within..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut overlay = self.overlay();
        for (number, within, buffer) in spans(offset, data.len()) {
            let mut page = self.page(&overlay, number)?;
            page[within].copy_from_slice(&data[buffer]);
            overlay.pages.insert(number, page);
        }
        overlay.len = overlay.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.disk.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.disk.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.query_lock_range(start, end)
    }
}
