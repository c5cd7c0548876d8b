//! Where a store lives.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::lock::lock;

use super::disk::{clear_unborn, renew};
use super::trial::TrialDisk;

/// Name of the database inside the store's folder.
const FILE_NAME: &str = "tidegate.redb";

/// How a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Writes stay in memory: see [`TrialDisk`].
    Trial,
    /// Writes reach the disk.
    Real,
}

type Connect = dyn Fn(&Builder, Mode) -> Result<Database, DatabaseError> + Send + Sync;
/// Device and inode of the file that was opened last.
type Opened = Arc<Mutex<Option<(u64, u64)>>>;
type Renew = dyn Fn() -> io::Result<()> + Send + Sync;

/// Where a store lives: a folder, or a disk that a test made itself to cut its power.
#[derive(Clone)]
pub struct Place {
    /// The folder; `None` for a disk of the caller's own.
    folder: Option<PathBuf>,
    opened: Opened,
    /// Opens the database there, again and again: redb must be reopened after a failure.
    connect: Arc<Connect>,
    /// Writes all there is again: see [`renew`].
    renew: Arc<Renew>,
}

impl Place {
    /// The store in `folder`, created if it does not exist.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let path = folder.join(FILE_NAME);
        let opened = Opened::default();
        let here = Arc::clone(&opened);
        Self {
            folder: Some(folder),
            opened,
            ..Self::disk(move || open_file(&path, &here))
        }
    }

    /// A store on a disk of the caller's own; `make` must give the same disk at every call.
    pub fn disk<B, F>(make: F) -> Self
    where
        B: StorageBackend,
        F: Fn() -> io::Result<B> + Send + Sync + 'static,
    {
        let make = Arc::new(make);
        let again = Arc::clone(&make);
        let connect = move |builder: &Builder, mode| {
            let disk = make()?;
            if mode == Mode::Trial {
                return builder.create_with_backend(TrialDisk::over(disk)?);
            }
            clear_unborn(&disk)?;
            builder.create_with_backend(disk)
        };
        Self {
            folder: None,
            opened: Opened::default(),
            connect: Arc::new(connect),
            renew: Arc::new(move || renew(&again()?)),
        }
    }

    /// The database file, or a stand-in for messages.
    pub fn path(&self) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.join(FILE_NAME),
            None => PathBuf::from("<disk>"),
        }
    }

    /// Whether there is no store yet: no file, or one that a first start left empty.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn is_new(&self) -> io::Result<bool> {
        match fs::metadata(self.path()) {
            Ok(file) => Ok(file.len() == 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(self.folder.is_some()),
            Err(error) => Err(error),
        }
    }

    /// Makes sure that the file still has its name: nobody has deleted or moved it, or put another
    /// one in its place. What is written to one without a name is gone with the process.
    pub(super) fn check_there(&self) -> io::Result<()> {
        if self.folder.is_none() {
            return Ok(());
        }
        let path = self.path();
        let what = match fs::metadata(&path).map(|file| identity(&file)) {
            Ok(found) if Some(found) == *lock(&self.opened) => return Ok(()),
            Ok(_) => "is another file than the one that was opened",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "is not there any more",
            Err(error) => return Err(error),
        };
        let reason = format!("{} {what}", path.display());
        Err(io::Error::new(io::ErrorKind::NotFound, reason))
    }

    /// Creates the folder where there is none.
    pub(super) fn prepare(&self) -> io::Result<()> {
        self.folder.as_deref().map_or(Ok(()), make_folder)
    }

    /// Opens the database.
    pub(super) fn connect(&self, builder: &Builder, mode: Mode) -> Result<Database, DatabaseError> {
        (self.connect)(builder, mode)
    }

    /// After a failed commit: makes the bytes on disk those that reads show.
    pub(super) fn renew(&self) -> io::Result<()> {
        (self.renew)()
    }

    /// Makes the file's name in its folder as durable as its bytes.
    pub(super) fn sync_folder(&self) -> io::Result<()> {
        self.folder.as_deref().map_or(Ok(()), sync_names)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path().display())
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn open_file(path: &Path, opened: &Opened) -> io::Result<FileBackend> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        // As the Pushgateway's file: labels may tell what is nobody else's business.
        .mode(0o600)
        .open(path)?;
    *lock(opened) = Some(identity(&file.metadata()?));
    FileBackend::new(file).map_err(|error| io::Error::other(error.to_string()))
}

/// Creates a folder and those above it, each name durable before the next is made.
fn make_folder(folder: &Path) -> io::Result<()> {
    let folder = named(folder);
    let parent = named(folder.parent().unwrap_or(folder));
    if folder.is_dir() {
        return Ok(());
    }
    if folder.exists() {
        let reason = format!("{} is not a folder", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotADirectory, reason));
    }
    make_folder(parent)?;
    fs::create_dir_all(folder)?;
    sync_names(parent)
}

/// Makes the names in a folder durable.
fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(named(folder))?.sync_all()
}

/// The parent of a relative path of one name is the path of none.
fn named(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}
