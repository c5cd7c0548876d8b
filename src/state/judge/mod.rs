//! One batch of requests: each judged in turn, its rows staged, its changes to
//! the view collected. No request of a batch is answered before all is on disk.

mod many;
mod operator;
mod push;

use std::sync::Arc;

use crate::clock::UnixNanos;
use crate::format::text_write::Identity;
use crate::model::GroupKey;
use crate::store::{Batch, End, Ended, Head, ReadError, Store};
use crate::ttl::{Schedule, TtlPolicy, TtlSource};
use crate::view::{Change, GroupId, RenderedFamily};

use super::expiry::Expiry;
use super::history::History;
use super::index::{Group, Held, Index};
use super::request::{Answer, Done, Refused, Request};
use super::staged::Staged;
use super::times;

/// What the writer judges by, lent for one batch.
pub(super) struct Bench<'a> {
    pub(super) index: &'a mut Index,
    pub(super) history: &'a mut History,
    pub(super) store: &'a Store,
    pub(super) policy: &'a TtlPolicy,
    pub(super) expiry: &'a Expiry,
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
    now: Now,
    judged: Judged,
}

/// What time it is for a batch.
#[derive(Debug, Clone, Copy)]
struct Now {
    /// Starts TTL clocks.
    ttl: UnixNanos,
    /// Decides expiry: TTL time, unless expiry is suspended.
    horizon: UnixNanos,
    /// Stamps pushes.
    wall: UnixNanos,
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Changes to the view, in order.
    pub(super) changes: Vec<Change>,
    /// Where the TTLs of the groups came from that were removed as expired.
    pub(super) expired: Vec<TtlSource>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(bench: Bench<'a>) -> Self {
        let Bench {
            index,
            history,
            store,
            policy,
            expiry,
            wall,
        } = bench;
        let now = Now {
            ttl: expiry.now(),
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
        match request {
            Request::Push(push) => self.push(*push),
            Request::PushMany(pushes) => self.push_many(pushes),
            Request::Fail(failed) => Ok(self.fail(*failed)),
            Request::Delete { key, by } => Ok(Ok(self.delete(&key, &by))),
            Request::DeleteMany(which) => Ok(Ok(self.delete_many(&which))),
            Request::Reap(groups) => Ok(Ok(self.reap(&groups))),
            Request::Pin(pin) => Ok(self.pin(pin)),
            Request::Touch { key } => Ok(self.touch(&key)),
            Request::Pause(pause) => Ok(Ok(self.pause(pause))),
        }
    }

    /// The rows to commit and what follows from them.
    pub(super) fn finish(mut self) -> (Batch, Judged) {
        if let Some(number) = self.history.prune(self.now.wall) {
            self.staged.forget_below(number);
        }
        (self.staged.into_batch(), self.judged)
    }

    /// What follows where nothing was staged.
    pub(super) fn into_judged(self) -> Judged {
        self.judged
    }

    /// Judged again here: a push may have come since the reaper looked.
    fn reap(&mut self, groups: &[GroupId]) -> Done {
        let expired = groups.iter().copied().filter(|id| self.is_expired(*id));
        let expired: Vec<GroupId> = expired.collect();
        for id in &expired {
            self.expire(*id);
        }
        Done::Reaped {
            groups: expired.len(),
        }
    }

    pub(super) fn is_expired(&self, id: GroupId) -> bool {
        self.index
            .get(id)
            .is_some_and(|group| group.is_expired(self.now.horizon))
    }

    /// A push to an expired group is a push to a new one.
    fn forget_if_expired(&mut self, key: &GroupKey) {
        if let Some(id) = self.index.find(key).filter(|id| self.is_expired(*id)) {
            self.expire(id);
        }
    }

    fn expire(&mut self, id: GroupId) {
        let Some(group) = self.remove(id) else { return };
        let Schedule {
            source, deadline, ..
        } = &group.schedule;
        tracing::debug!(group = %group.key, ttl_source = %source, "group expired");
        let late = self.now.ttl.since(deadline.unwrap_or(self.now.ttl));
        let at = UnixNanos(self.now.wall.0.saturating_sub(nanos(late)));
        self.judged.expired.push(source.clone());
        self.record(&group, at, End::Expired);
    }

    fn remove(&mut self, id: GroupId) -> Option<Group> {
        let (group, mut removed) = self.index.remove(id)?;
        self.staged.remove(group.key.clone());
        if group.pinned.is_some() {
            self.staged.pin(group.key.clone(), None);
        }
        removed.extend(times::names());
        self.judged.changes.push(Change {
            group: id,
            removed,
            set: Vec::new(),
            life: None,
        });
        Some(group)
    }

    /// Keeps a record of a group that is gone.
    fn record(&mut self, group: &Group, at: UnixNanos, end: End) {
        let Some(number) = self.history.add(at) else {
            return;
        };
        let ended = Ended {
            key: group.key.clone(),
            last_push: group.head.last_push,
            ttl: group.schedule.ttl,
            ttl_source: group.schedule.source.to_string(),
            at,
            series: group.head.series,
            pushes: group.head.pushes,
            end,
        };
        self.staged.end(number, ended);
    }

    /// Puts a group with new text into index and view; its new schedule.
    fn show(
        &mut self,
        key: GroupKey,
        head: Head,
        families: Vec<Held>,
        mut set: Vec<RenderedFamily>,
        identity: &Identity,
    ) -> Schedule {
        set.extend(times::rendered(&head, identity));
        let pinned = self.pinned(&key);
        let schedule = self.schedule(&key, &head, pinned.as_deref());
        let group = Group {
            key,
            head,
            pinned,
            schedule: schedule.clone(),
            families,
        };
        let life = Some(group.life());
        let (group, removed): (GroupId, Vec<Arc<str>>) = self.index.put(group);
        self.judged.changes.push(Change {
            group,
            removed,
            set,
            life,
        });
        schedule
    }

    /// The override of a group, unless it has ended: then its row goes.
    fn pinned(&mut self, key: &GroupKey) -> Option<Box<crate::ttl::Override>> {
        let pinned = self.index.group(key)?.pinned.clone()?;
        if pinned.is_active(self.now.ttl) {
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
        let own = self.policy.effective(key, head.pushed_ttl);
        Schedule::of(head.clock_start, own, pinned, self.now.ttl)
    }

    /// When a group on this schedule expires, by the wall clock.
    fn expires(&self, schedule: &Schedule) -> Option<UnixNanos> {
        let left = schedule.deadline?.since(self.now.ttl);
        self.now.wall.checked_plus(left)
    }
}

fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The answer where a group is asked for that is not there.
fn no_such_group(key: &GroupKey) -> Answer {
    Err(Refused::NoSuchGroup(key.clone()))
}
