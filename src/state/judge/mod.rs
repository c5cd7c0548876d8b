//! One batch of requests: each judged in turn, its rows staged, its changes to
//! the view collected. No request of a batch is answered before all is on disk.

mod gone;
mod hidden;
mod many;
mod operator;
mod push;
mod room;

use std::sync::Arc;

use crate::clock::{self, UnixNanos};
use crate::format::text_write::Identity;
use crate::model::GroupKey;
use crate::push::rewrite::PUSH_TIME;
use crate::store::{Batch, Head, ReadError, Store};
use crate::ttl::{Horizon, Schedule, TtlPolicy};
use crate::view::{Change, GroupId, Later, RenderedFamily, View};

use super::expiry::Expiry;
use super::expiry_log::Expired;
use super::exposed::{self, Departed};
use super::history::History;
use super::index::{Group, Held, HiddenFamilies, Index};
use super::later::later;
use super::quota::Quota;
use super::request::{Answer, Refused, Request};
use super::staged::Staged;
use super::times;

/// What the writer judges by, lent for one batch.
pub(super) struct Bench<'a> {
    pub(super) index: &'a mut Index,
    pub(super) history: &'a mut History,
    pub(super) store: &'a Store,
    pub(super) policy: &'a TtlPolicy,
    pub(super) expiry: &'a Expiry,
    /// With `--ttl.expose`.
    pub(super) departed: Option<&'a mut Departed>,
    /// How much may be stored.
    pub(super) quota: Quota,
    /// Knows which groups have expired.
    pub(super) view: &'a View,
    /// Wall clock.
    pub(super) wall: UnixNanos,
}

/// Judges the requests of one batch.
pub(super) struct Judge<'a> {
    index: &'a mut Index,
    history: &'a mut History,
    staged: Staged<'a>,
    policy: &'a TtlPolicy,
    expiry: &'a Expiry,
    departed: Option<&'a mut Departed>,
    quota: Quota,
    view: &'a View,
    /// Groups that had expired when room was needed first in this batch.
    expired: Option<std::vec::IntoIter<GroupId>>,
    now: Now,
    judged: Judged,
}

/// What time it is for a batch.
#[derive(Debug, Clone, Copy)]
struct Now {
    /// Starts TTL clocks, and tells deadlines by the wall clock.
    at: clock::Now,
    /// Decides expiry.
    horizon: Horizon,
    /// Stamps pushes.
    wall: UnixNanos,
}

/// What a group holds from now on.
#[derive(Debug, Default)]
struct Holds {
    /// Families that it shows.
    families: Vec<Held>,
    /// Families that it does not.
    hidden: HiddenFamilies,
    /// New text of families.
    set: Vec<RenderedFamily>,
    /// Families that were taken out of the index before.
    removed: Vec<Arc<str>>,
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Changes to the view, in order.
    pub(super) changes: Vec<Change>,
    /// Groups that were removed as expired.
    pub(super) expired: Vec<Expired>,
    /// What becomes of the pause.
    pub(super) pause: Option<PauseChange>,
}

/// A change of the pause, before readers go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PauseChange {
    /// It began at this horizon, where expiry stands until what had expired is removed.
    Begun(Horizon),
    /// It ends with the commit.
    Ended,
}

impl<'a> Judge<'a> {
    pub(super) fn new(bench: Bench<'a>) -> Self {
        let Bench {
            index,
            history,
            store,
            policy,
            expiry,
            departed,
            quota,
            view,
            wall,
        } = bench;
        let now = Now {
            at: expiry.both(),
            horizon: expiry.horizon(),
            wall,
        };
        let staged = Staged::over(store);
        Self {
            index,
            history,
            staged,
            policy,
            expiry,
            departed,
            quota,
            view,
            expired: None,
            now,
            judged: Judged::default(),
        }
    }

    /// Carries out one request on index and staged rows.
    ///
    /// # Errors
    /// If a row that is needed cannot be read; the batch must then be given up.
    pub(super) fn judge(&mut self, request: Request) -> Result<Answer, ReadError> {
        // Later requests have later times, so that a failure after a success shows as one.
        self.now.wall.0 += 1;
        let answer = match request {
            Request::Push(push) => self.push(*push),
            Request::PushMany(pushes) => self.push_many(pushes),
            Request::Fail(failed) => Ok(self.fail(*failed)),
            Request::Delete { key, by } => Ok(Ok(self.delete(&key, &by))),
            Request::DeleteMany(which) => Ok(Ok(self.delete_many(&which))),
            Request::Reap(groups) => Ok(Ok(self.reap(&groups))),
            Request::Pin(pin) => Ok(self.pin(&pin)),
            Request::PinMany(pins) => Ok(Ok(self.pin_many(&pins))),
            Request::Touch { key } => Ok(self.touch(&key)),
            Request::Pause(pause) => Ok(Ok(self.pause(pause))),
        };
        self.look_again()?;
        answer
    }

    /// The rows to commit and what follows from them.
    pub(super) fn finish(mut self) -> (Batch, Judged) {
        self.note_returns();
        if let Some(number) = self.history.prune(self.now.wall) {
            self.staged.forget_below(number);
            if let Some(departed) = &mut self.departed {
                let forgotten = departed.forget_below(number);
                self.judged.changes.extend(forgotten);
            }
        }
        (self.staged.into_batch(), self.judged)
    }

    /// Groups that were pushed with success are not departed any more. At the end of a
    /// batch, since pushes may be undone until then.
    fn note_returns(&mut self) {
        let Some(departed) = &mut self.departed else {
            return;
        };
        let mut back = Vec::new();
        for change in self.judged.changes.iter().filter(|c| c.life.is_some()) {
            let group = self.index.get(change.group);
            if let Some(group) = group.filter(|group| group.head.was_pushed()) {
                back.extend(departed.remove(&group.key));
            }
        }
        self.judged.changes.extend(back);
    }

    /// What follows where nothing was staged.
    pub(super) fn into_judged(self) -> Judged {
        self.judged
    }

    /// Puts a group with new text into index and view; its new schedule. `pushed`: whether
    /// by a successful push.
    fn show(
        &mut self,
        key: GroupKey,
        head: Head,
        holds: Holds,
        identity: &Identity,
        pushed: bool,
    ) -> Schedule {
        let Holds {
            families,
            hidden,
            mut set,
            mut removed,
        } = holds;
        let has_times = !hidden.contains_key(PUSH_TIME);
        if has_times {
            match self.index.group(&key).filter(|group| group.shows_times()) {
                Some(old) => set.extend(times::changed(&old.head, &head, identity)),
                None => set.extend(times::rendered(&head, identity)),
            }
        }
        self.stage_hidden(&key, &hidden);
        let pinned = self.pinned(&key, head.clock_start);
        let schedule = self.schedule(&key, &head, pinned.as_deref());
        let pushed = match self.index.group(&key) {
            Some(old) if !pushed => old.pushed,
            _ => self.index.next_push(),
        };
        let group = Group {
            key,
            head,
            pinned,
            schedule: schedule.clone(),
            pushed,
            families,
            hidden,
        };
        let life = Some(group.life());
        let (group, gone): (GroupId, Vec<Arc<str>>) = self.index.put(group);
        removed.extend(gone);
        if has_times {
            self.expose(&schedule, identity, &mut removed, &mut set);
        }
        for rendered in &set {
            self.index.replaced(group, &rendered.name);
        }
        self.judged.changes.push(Change {
            group,
            removed,
            set,
            life,
            later: self.later(group),
            gone: None,
        });
        schedule
    }

    /// What time alone changes of a group.
    fn later(&self, id: GroupId) -> Option<Later> {
        let group = (id, self.index.get(id)?);
        let exposes = self.departed.is_some() && !group.1.hides_times();
        let now = self.now.at;
        later(group, self.policy, now.ttl, exposes.then_some(now))
    }

    /// The TTL of a group as series, if such are wanted.
    fn expose(
        &self,
        schedule: &Schedule,
        identity: &Identity,
        removed: &mut Vec<Arc<str>>,
        set: &mut Vec<RenderedFamily>,
    ) {
        if self.departed.is_some() {
            let life = (schedule.ttl, schedule.deadline);
            let rendered = exposed::rendered(life, self.now.at, identity);
            let is_set = |name: &Arc<str>| rendered.iter().any(|family| family.name == *name);
            removed.extend(exposed::names().into_iter().filter(|name| !is_set(name)));
            set.extend(rendered);
        }
    }

    /// The override of a group, unless it says nothing any more about a TTL clock that
    /// started then: then its row goes.
    fn pinned(
        &mut self,
        key: &GroupKey,
        clock_start: UnixNanos,
    ) -> Option<Box<crate::ttl::Override>> {
        let pinned = self.index.group(key)?.pinned.clone()?;
        if !pinned.is_spent(clock_start) {
            return Some(pinned);
        }
        self.staged.pin(key.clone(), None);
        None
    }

    fn schedule(
        &self,
        key: &GroupKey,
        head: &Head,
        pinned: Option<&crate::ttl::Override>,
    ) -> Schedule {
        let (start, pushed) = (head.clock_start, head.pushed_ttl);
        let now = self.now.at.ttl;
        self.policy.schedule(key, start, pushed, pinned, now)
    }

    /// When a group on this schedule expires, by the wall clock.
    fn expires(&self, schedule: &Schedule) -> Option<UnixNanos> {
        let left = schedule.deadline?.since(self.now.at.ttl);
        self.now.at.wall.checked_plus(left)
    }
}

/// The answer where a group is asked for that is not there.
fn no_such_group(key: &GroupKey) -> Answer {
    Err(Refused::NoSuchGroup(key.clone()))
}
