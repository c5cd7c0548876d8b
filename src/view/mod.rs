//! The view: the exposition as rendered text, ready to be copied to a scraper.
//!
//! Derived from the store, rebuilt at start, changed only by the apply thread.
//! A push costs the chunks it touches; a scrape takes reference counts under the
//! lock and works on them after. Time is an argument: what has expired is left
//! out of a snapshot whether or not the reaper has run.

mod chunk;
mod exposition;
mod family;
mod groups;
mod gzip;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

use crate::clock::UnixNanos;
use crate::model::Kind;
use family::Family;
use groups::Groups;

pub use exposition::{Frame, OwnFamily, exposition};
pub use groups::Life;
pub use gzip::{GzipFrames, gzip};
pub use snapshot::Snapshot;

/// A group's number while it lives. Free numbers are given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// One family of one group as lines of text.
#[derive(Debug, Clone)]
pub struct RenderedFamily {
    /// Name as pushed: families are kept in its byte order.
    pub name: Arc<str>,
    /// Type of the family from now on.
    pub kind: Kind,
    /// This group's help.
    pub help: Option<Arc<str>>,
    /// Whole lines, without header.
    pub text: Bytes,
}

/// What one committed request changes in the exposition.
#[derive(Debug, Clone)]
pub struct Change {
    /// The group.
    pub group: GroupId,
    /// Families it no longer holds.
    pub removed: Vec<Arc<str>>,
    /// Families it holds from now on, new or replaced.
    pub set: Vec<RenderedFamily>,
    /// The group's deadline and size from now on; `None`: the group is gone.
    pub life: Option<Life>,
}

/// All rendered families and the deadlines of their groups.
#[derive(Debug, Default)]
pub struct View(Mutex<Content>);

/// What a [`View`] holds; built apart at start and after a failed commit.
#[derive(Debug, Default)]
pub struct Content {
    families: BTreeMap<Arc<str>, Arc<Family>>,
    groups: Groups,
    /// The newest snapshot while a scrape holds it: scrapes begun without a
    /// change between them share one.
    newest: Weak<Snapshot>,
}

impl View {
    /// Makes changes visible, all or none of them to any one scrape.
    pub fn apply<'a>(&self, changes: impl IntoIterator<Item = &'a Change>) {
        let mut content = self.lock();
        for change in changes {
            content.apply(change);
        }
    }

    /// Puts other content in place of all there is.
    pub fn replace(&self, content: Content) {
        *self.lock() = content;
    }

    /// Everything that has not expired at a horizon of expiry, as of this instant.
    pub fn snapshot(&self, now: UnixNanos) -> Arc<Snapshot> {
        self.lock().snapshot(now)
    }

    /// The first deadline, whether past or to come.
    pub fn next_deadline(&self) -> Option<UnixNanos> {
        self.lock().groups.next_deadline()
    }

    /// Up to `limit` groups that have expired at `now`, longest ago first.
    pub fn expired(&self, now: UnixNanos, limit: usize) -> Vec<GroupId> {
        self.lock().groups.expired(now).take(limit).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // A panic under this lock would be a defect; the text itself stays whole lines.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// Takes in one change.
    pub fn apply(&mut self, change: &Change) {
        self.newest = Weak::new();
        self.groups.set(change.group, change.life.clone());
        for name in &change.removed {
            self.remove(name, change.group);
        }
        for rendered in &change.set {
            let family = self.families.entry(Arc::clone(&rendered.name)).or_default();
            Arc::make_mut(family).set(change.group, rendered);
        }
    }

    fn remove(&mut self, name: &str, group: GroupId) {
        let Some(family) = self.families.get_mut(name) else {
            return;
        };
        let family = Arc::make_mut(family);
        family.remove(group);
        if family.is_empty() {
            self.families.remove(name);
        }
    }

    fn snapshot(&mut self, now: UnixNanos) -> Arc<Snapshot> {
        let mut expired: Vec<GroupId> = self.groups.expired(now).collect();
        expired.sort_unstable();
        if let Some(shared) = self
            .newest
            .upgrade()
            .filter(|shared| *shared.expired == *expired)
        {
            return shared;
        }
        let families = self
            .families
            .iter()
            .map(|(name, family)| (name.clone(), family.clone()));
        let count = self.groups.count_without(&expired);
        let by_source = self.groups.by_source(&expired);
        let snapshot = Arc::new(Snapshot {
            families: families.collect(),
            expired: expired.into(),
            count,
            by_source,
        });
        self.newest = Arc::downgrade(&snapshot);
        snapshot
    }
}
