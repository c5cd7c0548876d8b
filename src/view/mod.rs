//! The view: the exposition as rendered text, ready to be copied to a scraper.
//!
//! Derived from the store, rebuilt at start; changed by the apply thread, and by whoever
//! looks where time alone changes something (`later`). A push costs the chunks it touches;
//! a scrape takes reference counts under the lock and works on them after. Time is an
//! argument: what has expired is left out of a snapshot whether or not the reaper has run.

mod changed;
mod chunk;
mod clash;
mod deadlines;
mod exposition;
mod family;
mod groups;
mod gzip;
mod held;
mod helps;
mod holding;
mod later;
mod slab;
mod snapshot;
mod ttls;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::UnixNanos;
use crate::format::form::Form;
use crate::format::name::is_metric_name;
use crate::lock::lock;
use crate::model::{GroupKey, Kind};
use crate::ttl::Horizon;
use family::Family;
use groups::Groups;
use later::Laters;

pub use changed::Changed;
pub use clash::Clashes;
pub use exposition::{Frame, OwnFamily, exposition};
pub use groups::Life;
pub use gzip::{Compressor, Member, Zipped, gzip, zip};
pub use holding::{Holding, surplus};
pub use later::Later;
pub use slab::Slab;
pub use snapshot::Snapshot;

/// Changes made under one lock: some 0.2 ms of work. Each is whole; a scrape need not wait for
/// all of them.
pub const AT_ONCE: usize = 16;

/// A group's number while it lives. Free numbers are given out again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Whole lines, without header; in the form of the content it is for.
    pub text: Bytes,
    /// Whether all label names are legacy ones.
    pub legacy: bool,
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
    /// What time changes by itself after that.
    pub later: Option<Later>,
    /// In place of a group one that has expired, and whose last push is still shown.
    pub gone: Option<Gone>,
}

impl Change {
    /// Whether the group goes, and nothing comes in its place.
    pub fn is_end(&self) -> bool {
        self.life.is_none() && self.set.is_empty() && self.gone.is_none()
    }
}

/// A group that has expired, and whose last push is still shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Its grouping key.
    pub key: GroupKey,
    /// Its last push, wall clock.
    pub last_push: UnixNanos,
}

/// What there is to show of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shows {
    /// The group itself.
    Group(Life),
    /// Its last push.
    Gone(Gone),
}

/// All rendered families and the deadlines of their groups.
#[derive(Debug, Default)]
pub struct View(Mutex<Content>);

/// What a [`View`] holds; built apart at start and after a failed commit.
#[derive(Debug, Default)]
pub struct Content {
    families: BTreeMap<Arc<str>, Arc<Family>>,
    groups: Groups,
    laters: Laters,
    /// Groups that have expired, and whose last push is still shown.
    gone: BTreeMap<GroupId, Gone>,
    /// The newest snapshot while a scrape holds it: scrapes begun without a
    /// change between them share one.
    newest: Weak<Snapshot>,
    /// What the text of the families is.
    form: Form,
    /// For each form in which content is kept beside this one: the groups that have
    /// changed since it was brought up to date.
    watched: BTreeMap<Form, BTreeSet<GroupId>>,
}

impl View {
    /// Makes changes visible, all or none of them to any one scrape.
    pub fn apply<'a>(&self, changes: impl IntoIterator<Item = &'a Change>) {
        let mut content = self.lock();
        for change in changes {
            content.apply(change);
        }
    }

    /// The same for groups that all go: see [`Change::is_end`].
    pub fn remove(&self, changes: &[Change]) {
        self.lock().remove_all(changes);
    }

    /// Puts other content in place of all there is.
    pub fn replace(&self, mut content: Content) {
        let mut old = self.lock();
        content.groups.ttls.set_limit(old.groups.ttls.limit());
        *old = content;
    }

    /// Makes the changes visible that time has brought about by `now`, TTL time: all of them,
    /// though not under one lock, as an override by matcher may end for a hundred thousand groups.
    pub fn pass(&self, now: UnixNanos) {
        while self.pass_some(now) {}
    }

    /// The same for the first [`AT_ONCE`] of them; whether there may be more.
    pub fn pass_some(&self, now: UnixNanos) -> bool {
        let mut content = self.lock();
        for _ in 0..AT_ONCE {
            let Some(change) = content.laters.due(now) else {
                return false;
            };
            content.apply(&change);
        }
        true
    }

    /// Everything that has not expired at a horizon of expiry, as of this instant.
    pub fn snapshot(&self, horizon: impl Into<Horizon>) -> Arc<Snapshot> {
        self.lock().snapshot(horizon.into())
    }

    /// Changes are no longer noted for this form.
    pub fn forget(&self, form: Form) {
        self.lock().watched.remove(&form);
    }

    /// The number of groups noted for this form; `None`: none are.
    #[cfg(test)]
    pub(crate) fn noted(&self, form: Form) -> Option<usize> {
        self.lock().watched.get(&form).map(BTreeSet::len)
    }

    /// The highest number of a push so far.
    pub fn pushes(&self) -> u64 {
        self.lock().groups.pushes()
    }

    /// The first deadline that nothing but time stands before, whether past or to come.
    pub fn next_deadline(&self) -> Option<UnixNanos> {
        self.lock().groups.next_deadline()
    }

    /// The first deadline of all, of groups that wait for a scrape too.
    pub fn first_deadline(&self) -> Option<UnixNanos> {
        self.lock().groups.first_deadline()
    }

    /// Groups that have expired, longest ago first.
    pub fn expired(&self, horizon: Horizon) -> Vec<GroupId> {
        self.lock().groups.expired(horizon).collect()
    }

    /// Number of groups that have not expired.
    pub fn count(&self, horizon: Horizon) -> usize {
        self.lock().groups.count(horizon)
    }

    /// Number of groups that have expired.
    pub fn count_expired(&self, horizon: Horizon) -> usize {
        self.lock().groups.expired(horizon).count()
    }

    /// Number of groups whose deadline has passed at `now`, whatever keeps them.
    pub fn count_passed(&self, now: UnixNanos) -> usize {
        self.lock().groups.count_passed(now)
    }

    /// From now on groups with a TTL below this are counted as short-lived.
    pub fn set_short_ttl(&self, below: Duration) {
        let mut content = self.lock();
        content.newest = Weak::new();
        content.groups.ttls.set_limit(below);
    }

    /// Number of groups whose TTL is below that limit and that do not wait for a scrape.
    pub fn short_ttl_groups(&self) -> usize {
        self.lock().groups.ttls.below()
    }

    /// The number of the last push of a group under a rule that holds; `None`: it is no such group.
    pub fn held_push(&self, key: &GroupKey) -> Option<u64> {
        self.lock().groups.held_push(key)
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // A panic under this lock would be a defect; the text itself stays whole lines.
        lock(&self.0)
    }
}

impl Content {
    /// Nothing yet, in this form.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            ..Self::default()
        }
    }

    /// The name as it is kept here, so that it is not kept twice.
    pub fn shared_name(&self, name: &str) -> Arc<str> {
        let known = self.families.get_key_value(name);
        known.map_or_else(|| name.into(), |(name, _)| Arc::clone(name))
    }

    /// Takes in what a group is, beside its text, and what time changes of it.
    pub fn set_life(&mut self, group: GroupId, life: Life, later: Option<&Later>) {
        self.newest = Weak::new();
        self.groups.set(group, Some(life));
        self.laters.set(group, later);
    }

    /// Takes in one change.
    pub fn apply(&mut self, change: &Change) {
        self.note(change);
        for name in &change.removed {
            self.remove(name, &[change.group]);
        }
        for rendered in &change.set {
            let family = self.families.entry(Arc::clone(&rendered.name)).or_default();
            Arc::make_mut(family).set(change.group, rendered);
        }
    }

    /// Takes in that all these groups go. Neighbours stand side by side in every family,
    /// so this costs far less than one after the other.
    fn remove_all(&mut self, changes: &[Change]) {
        let mut groups: HashMap<&str, Vec<GroupId>> = HashMap::new();
        for change in changes {
            self.note(change);
            for name in &change.removed {
                groups.entry(name).or_default().push(change.group);
            }
        }
        for (name, mut groups) in groups {
            groups.sort_unstable();
            groups.dedup();
            self.remove(name, &groups);
        }
    }

    /// Takes in all of a change but its text.
    fn note(&mut self, change: &Change) {
        self.newest = Weak::new();
        for changed in self.watched.values_mut() {
            changed.insert(change.group);
        }
        self.groups.set(change.group, change.life.clone());
        self.laters.set(change.group, change.later.as_ref());
        match &change.gone {
            Some(gone) => self.gone.insert(change.group, gone.clone()),
            None => self.gone.remove(&change.group),
        };
    }

    /// Takes these groups (sorted) out of a family.
    fn remove(&mut self, name: &str, groups: &[GroupId]) {
        let Some(family) = self.families.get_mut(name) else {
            return;
        };
        let family = Arc::make_mut(family);
        family.remove(groups);
        if family.is_empty() {
            self.families.remove(name);
        }
    }

    /// Everything that has not expired at a horizon of expiry.
    pub fn snapshot(&mut self, horizon: Horizon) -> Arc<Snapshot> {
        let mut expired: Vec<GroupId> = self.groups.expired(horizon).collect();
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
        let counts = self.groups.without(&expired);
        let families: Vec<_> = families.collect();
        let foreign = families
            .iter()
            .any(|(name, family)| !is_metric_name(name.as_bytes()) || !family.foreign().is_empty());
        let snapshot = Arc::new(Snapshot {
            form: self.form,
            foreign,
            families,
            expired: expired.into(),
            counts,
            pushes: self.groups.pushes(),
        });
        self.newest = Arc::downgrade(&snapshot);
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ttl::{Ttl, TtlSource};

    /// A group of which nothing but where its TTL comes from is said.
    fn change(group: u32, source: &TtlSource, later: Option<Later>) -> Change {
        Change {
            group: GroupId(group),
            removed: Vec::new(),
            set: Vec::new(),
            life: Some(Life {
                key: GroupKey::new("j", &BTreeMap::new()),
                deadline: None,
                ttl: Ttl::Never,
                source: source.clone(),
                series: 1,
                pushed: 1,
                held: false,
            }),
            later,
            gone: None,
        }
    }

    #[test]
    fn what_time_changes_of_many_groups_at_once_is_changed_some_at_a_time() {
        let view = View::default();
        let groups = u32::try_from(AT_ONCE).expect("a number") + 3;
        let at = UnixNanos(10);
        let pin = |groups: u32| {
            let pinned = (0..groups).map(|group| {
                let change = Box::new(self::change(group, &TtlSource::Push, None));
                self::change(group, &TtlSource::Override, Some(Later { at, change }))
            });
            view.apply(&pinned.collect::<Vec<_>>());
        };
        pin(groups);
        // Another change comes before the one that was to come.
        view.apply(&[change(0, &TtlSource::Default, None)]);
        let pinned = || {
            let snapshot = view.snapshot(UnixNanos(10));
            let pinned = snapshot.by_source().get(&TtlSource::Override);
            pinned.copied().unwrap_or_default()
        };
        assert!(!view.pass_some(UnixNanos(9)));
        assert_eq!(pinned(), AT_ONCE + 2);
        assert!(view.pass_some(at));
        assert_eq!(pinned(), 2);
        view.pass(at);
        assert_eq!(pinned(), 0);
        assert!(view.lock().laters.is_empty());
        // All that is due, however much it is.
        pin(5 * groups);
        view.pass(at);
        assert_eq!(pinned(), 0);
    }
}
