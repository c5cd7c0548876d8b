//! Opening a store: tried first, changed only when it is known to be ours and whole.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable,
    StorageError,
};

use super::place::Mode;
use super::read::{all_hidden, all_marks, all_overrides, damaged as damaged_row, group_key};
use super::record::{PAUSE_KEY, decode_group, decode_history, decode_pause};
use super::schema::{GROUPS, HISTORY, META, META_REVISION, OVERRIDES, VERSION};
use super::{GroupFacts, HiddenFamily, OpenError, Place, ReadError, Stored, migrate};
use crate::clock::UnixNanos;
use crate::limits;
use crate::model::GroupKey;
use crate::ttl::{Override, Suspension};

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

/// All that a store holds. The default is what a new one holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// Every group, in key order.
    pub groups: Vec<GroupFacts>,
    /// Families that are not shown.
    pub hidden: BTreeMap<GroupKey, Vec<HiddenFamily>>,
    /// What operators decided about groups.
    pub overrides: BTreeMap<GroupKey, Override>,
    /// The pause of expiry, if an operator asked for one.
    pub pause: Option<Suspension>,
    /// Number and time of every record of a gone group, oldest first.
    pub ended: Vec<(u64, UnixNanos)>,
}

impl Store {
    /// Opens the store at `place`, creating it where there is none, and reads all groups.
    ///
    /// Everything is read and checked through a disk that keeps its writes in
    /// memory; only then is the database opened for writing.
    ///
    /// # Errors
    /// Says what is wrong and what to do; the bytes on disk are then unchanged.
    pub fn open(place: &Place) -> Result<Opened, OpenError> {
        let io = |reason| OpenError::Io {
            path: place.path(),
            reason,
        };
        place.prepare().map_err(io)?;
        let found = if place.is_new().map_err(io)? {
            Found::default()
        } else {
            try_out(place)?
        };
        let db = connect(place, Mode::Real)?;
        migrate::run(&db, found.version).map_err(|error| failed(place, error))?;
        place.sync_folder().map_err(io)?;
        let revision = read_revision(&db).map_err(|error| failed(place, error))?;
        if revision != found.revision {
            return Err(OpenError::InUse(place.path()));
        }
        let store = Self {
            place: place.clone(),
            db,
            revision: AtomicU64::new(revision),
        };
        Ok(Opened {
            store,
            contents: found.contents,
        })
    }

    /// The same after a commit has failed, when what reads show may not be on disk.
    /// `revision` is that of the last commit that did not fail.
    ///
    /// A store that is gone, as when its file system is, is not created anew: all
    /// that was acknowledged would be gone without a word.
    ///
    /// # Errors
    /// As [`Self::open`]; also if the store is older than `revision`.
    pub fn reopen(place: &Place, revision: u64) -> Result<Opened, OpenError> {
        let io = |error| failed(place, redb::Error::Io(error));
        if place.is_new().map_err(io)? {
            return Err(io(ErrorKind::NotFound.into()));
        }
        place.renew().map_err(io)?;
        let opened = Self::open(place)?;
        let found = opened.store.revision();
        if found < revision {
            let reason = format!("it is of revision {found}, and {revision} was on disk before");
            return Err(OpenError::Damaged {
                path: place.path(),
                reason,
            });
        }
        Ok(opened)
    }

    /// All that is stored now.
    ///
    /// # Errors
    /// If a row cannot be read or is damaged.
    pub fn contents(&self) -> Result<Contents, ReadError> {
        read_all(&self.db)
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
        let damage = |reason| ReadError::Damaged {
            group: key.to_string(),
            reason,
        };
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

/// What a trial finds in a database. The default is what a new one holds.
#[derive(Default)]
struct Found {
    version: u64,
    revision: u64,
    contents: Contents,
}

/// Opens, migrates and reads the database without changing it.
fn try_out(place: &Place) -> Result<Found, OpenError> {
    let failed = |error| failed(place, error);
    let db = connect(place, Mode::Trial)?;
    let version = known_version(place, &db)?;
    migrate::run(&db, version).map_err(failed)?;
    let contents = read_all(&db).map_err(|error| unreadable(place, error))?;
    let revision = read_revision(&db).map_err(failed)?;
    Ok(Found {
        version,
        revision,
        contents,
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

/// All that is stored.
fn read_all(db: &Database) -> Result<Contents, ReadError> {
    let txn = db.begin_read()?;
    let mut marks = all_marks(&txn)?;
    let mut groups = Vec::new();
    for row in txn.open_table(GROUPS)?.iter()? {
        let (key, row) = row?;
        let key = group_key(key.value())?;
        let (head, stored) = decode_group(key.as_bytes(), row.value())
            .map_err(|reason| damaged_row(&key, reason))?;
        let head = marks.remove(&key).unwrap_or(head);
        let stored = Some(stored);
        groups.push(GroupFacts { key, head, stored });
    }
    let only_marked = marks.into_iter();
    groups.extend(only_marked.map(|(key, head)| GroupFacts {
        key,
        head,
        stored: None,
    }));
    groups.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Contents {
        groups,
        hidden: all_hidden(&txn)?,
        overrides: all_overrides(&txn)?,
        pause: read_pause(&txn)?,
        ended: read_ends(&txn)?,
    })
}

fn read_pause(txn: &ReadTransaction) -> Result<Option<Suspension>, ReadError> {
    let overrides = txn.open_table(OVERRIDES)?;
    let Some(row) = overrides.get(PAUSE_KEY)? else {
        return Ok(None);
    };
    let damage = |reason| ReadError::Damaged {
        group: "of the pause".to_owned(),
        reason,
    };
    decode_pause(row.value()).map(Some).map_err(damage)
}

/// Number and time of every record of a gone group, oldest first.
fn read_ends(txn: &ReadTransaction) -> Result<Vec<(u64, UnixNanos)>, ReadError> {
    let mut ends = Vec::new();
    for row in txn.open_table(HISTORY)?.iter()? {
        let (number, row) = row?;
        let number = number.value();
        let ended = decode_history(number, row.value()).map_err(|reason| ReadError::Damaged {
            group: format!("history record {number}"),
            reason,
        })?;
        ends.push((number, ended.at));
    }
    Ok(ends)
}
