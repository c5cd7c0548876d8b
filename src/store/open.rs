//! Opening a store: tried first, changed only when it is known to be ours and whole.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError};

use super::place::Mode;
use super::record::decode_group;
use super::schema::{GROUPS, META, META_REVISION, VERSION};
use super::{GroupFacts, OpenError, Place, ReadError, Reading, Stored, migrate};
use crate::limits;
use crate::model::GroupKey;

/// An open store. The only holder of the database.
#[derive(Debug)]
pub struct Store {
    place: Place,
    pub(super) db: Database,
    /// Number of commits so far; the newest one's number.
    pub(super) revision: AtomicU64,
}

/// A store and what it held when it was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store, ready for commits.
    pub store: Store,
    /// All that was in it.
    pub contents: Contents,
}

/// Every group that a store held when it was opened.
#[derive(Debug)]
pub struct Contents {
    /// In key order.
    pub groups: Vec<GroupFacts>,
}

impl Store {
    /// Opens the store at `place`, creating it where there is none, and collects all groups.
    ///
    /// # Errors
    /// As [`Self::open_with`].
    pub fn open(place: &Place) -> Result<Opened, OpenError> {
        let (store, groups) = Self::open_with(place, Reading::groups)?;
        let contents = Contents { groups };
        Ok(Opened { store, contents })
    }

    /// Opens the store at `place`, creating it where there is none, and has all that it holds
    /// read: what `read` makes of it comes with the store.
    ///
    /// Everything is checked and read through a disk that keeps its writes in memory;
    /// only if nothing is wrong with it is the database opened for writing.
    ///
    /// # Errors
    /// Says what is wrong and what to do; the bytes on disk are then unchanged.
    pub fn open_with<T>(
        place: &Place,
        read: impl FnOnce(&Reading) -> Result<T, ReadError>,
    ) -> Result<(Self, T), OpenError> {
        let io = |reason| OpenError::Io {
            path: place.path(),
            reason,
        };
        place.prepare().map_err(io)?;
        if place.is_new().map_err(io)? {
            let store = Self::connect(place, 0)?;
            let read = store.read(read).map_err(|error| unreadable(place, error))?;
            return Ok((store, read));
        }
        let found = try_out(place, read)?;
        let store = Self::connect(place, found.version)?;
        if store.revision() != found.revision {
            return Err(OpenError::InUse(place.path()));
        }
        Ok((store, found.read))
    }

    /// Opens a database for writing that is of this schema version.
    fn connect(place: &Place, version: u64) -> Result<Self, OpenError> {
        let failed = |error| failed(place, error);
        let db = connect(place, Mode::Real)?;
        migrate::run(&db, version).map_err(failed)?;
        place.sync_folder().map_err(|reason| OpenError::Io {
            path: place.path(),
            reason,
        })?;
        let revision = AtomicU64::new(read_revision(&db).map_err(failed)?);
        let place = place.clone();
        Ok(Self {
            place,
            db,
            revision,
        })
    }

    /// The same after a commit has failed, when what reads show may not be on disk; it is
    /// read by [`Self::read`]. `revision` is that of the last commit that did not fail.
    ///
    /// A store that is gone, as when its file system is, is not created anew: all
    /// that was acknowledged would be gone without a word.
    ///
    /// # Errors
    /// As [`Self::open_with`]; also if the store is older than `revision`.
    pub fn reopen(place: &Place, revision: u64) -> Result<Self, OpenError> {
        let io = |error| failed(place, redb::Error::Io(error));
        if place.is_new().map_err(io)? {
            return Err(io(ErrorKind::NotFound.into()));
        }
        place.renew().map_err(io)?;
        let (store, ()) = Self::open_with(place, Reading::check)?;
        let found = store.revision();
        if found < revision {
            let reason = format!("it is of revision {found}, and {revision} was on disk before");
            return Err(OpenError::Damaged {
                path: place.path(),
                reason,
            });
        }
        Ok(store)
    }

    /// Has all that is stored now read.
    ///
    /// # Errors
    /// If a row cannot be read or is damaged.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Reading) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        read(&Reading::begin(&self.db)?)
    }

    /// Where the store lives.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Number of commits the store has seen.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Size of the database file in bytes; 0 where there is no file.
    pub fn size_bytes(&self) -> u64 {
        std::fs::metadata(self.place.path()).map_or(0, |file| file.len())
    }

    /// The families in a group's row; `None` if it has no row.
    ///
    /// # Errors
    /// If the row cannot be read or is damaged.
    pub fn families(&self, key: &GroupKey) -> Result<Option<Stored>, ReadError> {
        let groups = self.db.begin_read()?.open_table(GROUPS)?;
        let Some(row) = groups.get(key.as_bytes())? else {
            return Ok(None);
        };
        let damage = |reason| ReadError::damaged(key, reason);
        let (_, stored) = decode_group(key.as_bytes(), row.value()).map_err(damage)?;
        Ok(Some(stored))
    }

    /// Closes the database, so that the next start finds nothing to repair.
    ///
    /// # Errors
    /// If the last bytes could not be written. Nothing acknowledged is lost by that.
    pub fn close(self) -> Result<(), DatabaseError> {
        self.db.close()
    }
}

/// What a trial finds in a database.
struct Found<T> {
    version: u64,
    revision: u64,
    read: T,
}

/// Opens, migrates and reads the database without changing it.
fn try_out<T>(
    place: &Place,
    read: impl FnOnce(&Reading) -> Result<T, ReadError>,
) -> Result<Found<T>, OpenError> {
    let failed = |error| failed(place, error);
    let db = connect(place, Mode::Trial)?;
    let version = known_version(place, &db)?;
    migrate::run(&db, version).map_err(failed)?;
    let reading = Reading::begin(&db).map_err(|error| unreadable(place, error))?;
    let read = read(&reading).map_err(|error| unreadable(place, error))?;
    let revision = read_revision(&db).map_err(failed)?;
    Ok(Found {
        version,
        revision,
        read,
    })
}

fn connect(place: &Place, mode: Mode) -> Result<Database, OpenError> {
    let mut builder = Builder::new();
    builder.set_cache_size(limits::STORE_CACHE);
    // Else redb trusts pages that it closed cleanly, and a changed one could hide rows
    // or end in a panic. Rows have their own seal, but a missing row has none.
    builder.set_check_integrity_on_open(mode == Mode::Trial);
    place
        .connect(&builder, mode)
        .map_err(|error| refused(place, error))
}

fn refused(place: &Place, error: DatabaseError) -> OpenError {
    let path = place.path();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path),
        DatabaseError::UpgradeRequired(version) => OpenError::Foreign {
            path,
            reason: format!("a redb file of format {version}"),
        },
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == ErrorKind::InvalidData =>
        {
            OpenError::Foreign {
                path,
                reason: "not a redb database".into(),
            }
        }
        other => failed(place, other.into()),
    }
}

/// A disk that fails is another matter than one that holds something wrong.
fn failed(place: &Place, error: redb::Error) -> OpenError {
    let path = place.path();
    match error {
        // A file that ends too early.
        redb::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => OpenError::Damaged {
            path,
            reason: error.to_string(),
        },
        redb::Error::Io(reason) => OpenError::Io { path, reason },
        redb::Error::PreviousIo => OpenError::Io {
            path,
            reason: io::Error::other("it failed before"),
        },
        other => OpenError::Damaged {
            path,
            reason: other.to_string(),
        },
    }
}

fn unreadable(place: &Place, error: ReadError) -> OpenError {
    match error {
        ReadError::Redb(error) => failed(place, error),
        damage @ ReadError::Damaged { .. } => OpenError::Damaged {
            path: place.path(),
            reason: damage.to_string(),
        },
    }
}

/// The schema version found; 0 where nothing was written yet.
fn known_version(place: &Place, db: &Database) -> Result<u64, OpenError> {
    let foreign = || OpenError::Foreign {
        path: place.path(),
        reason: "a redb database without a tidegate schema version".into(),
    };
    match migrate::version(db).map_err(|error| failed(place, error))? {
        Some(found) if found > VERSION => Err(OpenError::Future {
            path: place.path(),
            found,
            known: VERSION,
        }),
        Some(found) => Ok(found),
        None if migrate::is_empty(db).map_err(|error| failed(place, error))? => Ok(0),
        None => Err(foreign()),
    }
}

fn read_revision(db: &Database) -> Result<u64, redb::Error> {
    let meta = db.begin_read()?.open_table(META)?;
    Ok(meta
        .get(META_REVISION)?
        .map_or(0, |revision| revision.value()))
}
