//! A disk in memory that can lose its power, fail, and lie.
//!
//! It keeps apart what the system shows (the page cache) and what would be there after a
//! power cut. redb asks three things of a disk (its docs/design.md, "Assumptions about
//! underlying media"): single bytes are written whole, a write changes no byte outside its
//! range, and what was written before a sync that succeeded is durable. It asks for
//! no order: of what was written since that sync any part may be there after a power cut, and
//! redb finds by its checksums that a commit is not whole. So any 512-byte sectors of the
//! unsynced writes may be in the image here.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use tidegate::store::Place;

use super::random::Seeded;

/// What a disk writes whole at most.
const SECTOR: usize = 512;

/// What the page cache forgets at once.
const PAGE: usize = 4096;

/// A disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// What reads show.
    seen: Vec<u8>,
    /// What a power cut leaves for certain.
    synced: Vec<u8>,
    /// What has changed since the last sync.
    unsynced: Vec<Change>,
    /// Operations so far: reads, writes, changes of length, syncs.
    operations: u64,
    trouble: Option<(Trouble, u64)>,
    /// What failed first since trouble was asked for.
    failed: Option<Operation>,
    /// Decides what the system forgets.
    random: Option<Seeded>,
    /// Syncs do nothing and say that all is well.
    lying: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

/// What is asked of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Read,
    Write,
    Length,
    Sync,
}

/// What becomes of every operation from some moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing is done any more.
    PowerCut,
    /// It fails; of a full disk only what writes. After a failed sync the system gives up on
    /// what was to be synced, as Linux does: the disk will never have it, and reads show it as
    /// long as the system does not forget that page.
    Fails(ErrorKind),
    /// Only the first operation fails like that; later ones work.
    FailsOnce(ErrorKind),
    /// Only syncs fail.
    FailsToSync(ErrorKind),
}

/// What is left after a power cut.
#[derive(Debug)]
pub enum Left {
    /// Only what was synced.
    Synced,
    /// That, and any sectors of what was not.
    SomeMore(Seeded),
}

impl Disk {
    /// A disk that holds these bytes.
    pub fn holding(bytes: &[u8]) -> Self {
        let inner = Inner {
            seen: bytes.to_vec(),
            synced: bytes.to_vec(),
            ..Inner::default()
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// The place of a store on this disk.
    pub fn place(&self) -> Place {
        let disk = self.clone();
        Place::disk(move || Ok(disk.clone()))
    }

    /// After `operations` more of them, trouble begins.
    pub fn trouble_after(&self, operations: u64, trouble: Trouble) {
        let mut inner = self.inner();
        inner.trouble = Some((trouble, inner.operations + operations));
        inner.failed = None;
    }

    /// What failed first since trouble was asked for.
    pub fn failed(&self) -> Option<Operation> {
        self.inner().failed
    }

    /// The disk works again.
    pub fn heal(&self) {
        self.inner().trouble = None;
    }

    /// From now on a sync does nothing and says that all is well.
    pub fn lie(&self) {
        self.inner().lying = true;
    }

    /// Changes every page but the first behind the back of whoever uses the disk.
    pub fn scramble(&self) {
        for byte in self.inner().seen.iter_mut().skip(PAGE).step_by(SECTOR) {
            *byte ^= 1;
        }
    }

    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// All bytes, as reads show them.
    pub fn bytes(&self) -> Vec<u8> {
        self.inner().seen.clone()
    }

    /// What a power cut at this moment leaves.
    pub fn after_power_cut(&self, left: Left) -> Vec<u8> {
        let inner = self.inner();
        let mut image = inner.synced.clone();
        if let Left::SomeMore(mut random) = left {
            for change in &inner.unsynced {
                match change {
                    Change::Length(_) if random.once_in(2) => {}
                    Change::Length(_) => change.apply(&mut image),
                    Change::Write(offset, bytes) => {
                        for sector in sectors(*offset, bytes) {
                            if random.once_in(2) {
                                sector.apply(&mut image);
                            }
                        }
                    }
                }
            }
        }
        image
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic that was asked for must not spoil the disk.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of a write that lie in one sector each.
fn sectors(offset: usize, bytes: &[u8]) -> Vec<Change> {
    let mut sectors = Vec::new();
    let mut done = 0;
    while done < bytes.len() {
        let at = offset + done;
        let end = (done + SECTOR - at % SECTOR).min(bytes.len());
        sectors.push(Change::Write(at, bytes[done..end].to_vec()));
        done = end;
    }
    sectors
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(offset, data) => {
                let end = offset + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(data);
            }
        }
    }
}

impl Inner {
    /// Counts an operation; fails if it falls into trouble.
    fn begin(&mut self, operation: Operation) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        let Some((trouble, from)) = self.trouble.filter(|(_, from)| number >= *from) else {
            return Ok(());
        };
        let error = match trouble {
            Trouble::PowerCut => io::Error::other("the power is off"),
            Trouble::Fails(ErrorKind::StorageFull) if operation == Operation::Read => return Ok(()),
            Trouble::FailsOnce(_) if number > from => return Ok(()),
            Trouble::FailsToSync(_) if operation != Operation::Sync => return Ok(()),
            Trouble::Fails(kind) | Trouble::FailsOnce(kind) | Trouble::FailsToSync(kind) => {
                kind.into()
            }
        };
        self.failed.get_or_insert(operation);
        Err(error)
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        self.begin(match change {
            Change::Length(_) => Operation::Length,
            Change::Write(..) => Operation::Write,
        })?;
        change.apply(&mut self.seen);
        self.unsynced.push(change);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Err(error) = self.begin(Operation::Sync) {
            if !matches!(self.trouble, Some((Trouble::PowerCut, _))) {
                self.give_up();
            }
            return Err(error);
        }
        if !self.lying {
            for change in self.unsynced.drain(..) {
                change.apply(&mut self.synced);
            }
        }
        Ok(())
    }

    /// What was to be synced is never written. Now and then half of its pages are forgotten.
    fn give_up(&mut self) {
        let random = self.random.get_or_insert_with(|| Seeded::new(0));
        let forgets = random.once_in(2);
        let mut kept = Vec::new();
        for change in self.unsynced.drain(..) {
            match change {
                // The length is not in the page cache.
                Change::Length(_) => kept.push(change),
                Change::Write(offset, _) if forgets && random.once_in(2) => {
                    let page = offset - offset % PAGE;
                    let stored = self.synced.iter().skip(page);
                    let shown = self.seen.iter_mut().skip(page);
                    for (shown, stored) in shown.zip(stored).take(PAGE) {
                        *shown = *stored;
                    }
                }
                Change::Write(..) => {}
            }
        }
        self.unsynced = kept;
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin(Operation::Read)?;
        let start = usize::try_from(offset).expect("an offset in memory");
        let bytes = inner.seen.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).expect("a length in memory");
        self.inner().change(Change::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner().sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).expect("an offset in memory");
        self.inner().change(Change::Write(offset, data.to_vec()))
    }
}
