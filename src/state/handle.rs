//! The handle that everyone else holds: asks the writer, reads the view.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::{Clock, UnixNanos};
use crate::limits::{CLOCK_DRIFT, QUEUE_TIME, REAP_SLICE};
use crate::model::GroupKey;
use crate::store::Store;
use crate::telemetry::{ExpiryNumbers, Telemetry};
use crate::ttl::{Schedule, Ttl, TtlPolicy, is_expired};
use crate::view::{GroupId, Snapshot, View};

use super::expiry::Expiry;
use super::health::Health;
use super::prepare::{Prepared, PreparedPush};
use super::request::{Answer, DeleteMany, Done, Job, Pause, Pin, Refused, Request};
use super::shared::SharedStore;

/// The running state. Reads never wait for writes.
#[derive(Debug)]
pub struct State {
    /// `None` once the state is closing.
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    /// TTLs in force. The writer has them from the moment they are set here.
    policy: Mutex<Arc<TtlPolicy>>,
    clock: Clock,
    keep_history: Duration,
    /// Whether the log was told that the wall clock was moved.
    drift_noted: AtomicBool,
    shared: Shared,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the state shares with its threads.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) view: Arc<View>,
    pub(super) store: Arc<SharedStore>,
    pub(super) expiry: Arc<Expiry>,
    pub(super) health: Arc<Health>,
    pub(super) telemetry: Arc<Telemetry>,
}

impl State {
    pub(super) fn new(
        queue: mpsc::Sender<Job>,
        policy: Arc<TtlPolicy>,
        clock: Clock,
        keep_history: Duration,
        shared: Shared,
        threads: Vec<JoinHandle<()>>,
    ) -> Self {
        Self {
            queue: Mutex::new(Some(queue)),
            policy: Mutex::new(policy),
            clock,
            keep_history,
            drift_noted: AtomicBool::new(false),
            shared,
            threads: Mutex::new(threads),
        }
    }

    /// Stores a push, or notes its failure. When this returns `Ok` the push is on
    /// disk and can be scraped.
    ///
    /// # Errors
    /// Nothing of the push is stored then; a refused one may leave a failure mark.
    pub async fn store(&self, prepared: Prepared) -> Answer {
        self.ask(match prepared {
            Prepared::Push(push) => Request::Push(push),
            Prepared::Failed(failed) => Request::Fail(failed),
        })
        .await
    }

    /// Stores all of these pushes, or none of them.
    ///
    /// # Errors
    /// Names the first push that is refused; nothing is marked as failed then.
    pub async fn store_all(&self, pushes: Vec<PreparedPush>) -> Answer {
        self.ask(Request::PushMany(pushes)).await
    }

    /// Deletes the group of exactly this key. `by`: the peer's address, for the history.
    ///
    /// # Errors
    /// If the store takes nothing.
    pub async fn delete(&self, key: GroupKey, by: String) -> Answer {
        self.ask(Request::Delete { key, by }).await
    }

    /// Deletes many groups in one transaction.
    ///
    /// # Errors
    /// If the store takes nothing.
    pub async fn delete_many(&self, which: DeleteMany) -> Answer {
        self.ask(Request::DeleteMany(which)).await
    }

    /// Sets or takes away an override.
    ///
    /// # Errors
    /// If there is no such group, or the store takes nothing.
    pub async fn pin(&self, pin: Pin) -> Answer {
        self.ask(Request::Pin(pin)).await
    }

    /// Starts a group's TTL clock anew.
    ///
    /// # Errors
    /// If there is no such group, or the store takes nothing.
    pub async fn touch(&self, key: GroupKey) -> Answer {
        self.ask(Request::Touch { key }).await
    }

    /// Suspends expiry, or lets it go on.
    ///
    /// # Errors
    /// If the store takes nothing.
    pub async fn pause(&self, pause: Pause) -> Answer {
        self.ask(Request::Pause(pause)).await
    }

    /// Puts other TTL rules in force. When this returns they hold for every group. What
    /// has expired by the old rules is removed first, so that longer TTLs bring nothing back.
    ///
    /// # Errors
    /// If the store takes nothing, or the writer has ended.
    pub async fn set_policy(&self, policy: TtlPolicy) -> Answer {
        self.reap_now().await?;
        let policy = Arc::new(policy);
        *lock(&self.policy) = Arc::clone(&policy);
        self.enqueue(|answer| Job::policy(policy, answer)).await
    }

    /// TTLs in force.
    pub fn policy(&self) -> Arc<TtlPolicy> {
        Arc::clone(&lock(&self.policy))
    }

    /// How many groups would expire at once under other TTL rules. Blocks on the disk.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn would_expire(&self, policy: &TtlPolicy) -> Result<usize, String> {
        let (now, horizon) = (self.expiry().now(), self.expiry().horizon());
        let mut groups = 0;
        let listed = self.read(|store| {
            store.list(|listed| {
                let head = &listed.head;
                let deadline = |policy: &TtlPolicy| {
                    let own = policy.effective(&listed.key, head.pushed_ttl);
                    let start = head.clock_start.min(now);
                    Schedule::of(start, own, listed.pinned.as_ref(), now).deadline
                };
                let there = !is_expired(deadline(&self.policy()), horizon);
                groups += usize::from(there && is_expired(deadline(policy), horizon));
                ControlFlow::Continue(())
            })
        });
        match listed {
            Ok(Ok(())) => Ok(groups),
            Ok(Err(error)) => Err(error.to_string()),
            Err(refused) => Err(format!("{refused:?}")),
        }
    }

    /// Notes whether the config file was taken.
    pub fn note_reload(&self, taken: bool) {
        let at = self.clock.wall().as_seconds_f64();
        self.telemetry().observe_reload(taken, at);
    }

    /// Reads facts from the store. Blocks on the disk: not for the runtime's own threads.
    ///
    /// # Errors
    /// If the store is being reopened.
    pub fn read<T>(&self, work: impl FnOnce(&Store) -> T) -> Result<T, Refused> {
        let read = self.shared.store.with(work);
        let reason = || self.health().refusal().unwrap_or_default();
        read.ok_or_else(|| Refused::Unavailable(reason()))
    }

    /// How long records of gone groups are kept.
    pub fn keep_history(&self) -> Duration {
        self.keep_history
    }

    /// The first deadline to come or passed, in TTL time.
    pub fn next_expiry(&self) -> Option<UnixNanos> {
        self.view().next_deadline()
    }

    /// Number of groups that have expired and are not yet removed.
    pub fn expired_groups(&self) -> usize {
        self.view()
            .expired(self.expiry().horizon(), usize::MAX)
            .len()
    }

    /// How expiry stands at a snapshot.
    pub fn expiry_numbers(&self, snapshot: &Snapshot) -> ExpiryNumbers {
        let now = self.expiry().now();
        let next = self.next_expiry().map(|deadline| {
            let left = deadline.since(now);
            self.clock.wall().plus(left).as_seconds_f64()
        });
        let sources = snapshot.by_source().iter();
        let default_seconds = match self.policy().default {
            Ttl::Never => 0.0,
            Ttl::After(ttl) => ttl.as_secs_f64(),
        };
        let passed = self.view().expired(now, usize::MAX).len();
        ExpiryNumbers {
            default_seconds,
            groups: sources
                .map(|(source, groups)| (source.to_string(), *groups as u64))
                .collect(),
            next: next.unwrap_or_default(),
            overdue: passed.saturating_sub(self.expired_groups()) as u64,
        }
    }

    /// The clock of expiry.
    pub fn expiry(&self) -> &Expiry {
        &self.shared.expiry
    }

    /// Removes all that has expired, without waiting for the reaper; how many groups.
    ///
    /// # Errors
    /// If the store takes nothing.
    pub async fn reap_now(&self) -> Result<usize, Refused> {
        let mut removed = 0;
        loop {
            let slice = self.view().expired(self.expiry().horizon(), REAP_SLICE);
            if slice.is_empty() {
                return Ok(removed);
            }
            removed += self.reap(slice).await?;
        }
    }

    /// Removes those of these groups that have expired; how many.
    pub(super) async fn reap(&self, groups: Vec<GroupId>) -> Result<usize, Refused> {
        match self.ask(Request::Reap(groups)).await? {
            Done::Reaped { groups } => Ok(groups),
            _ => Ok(0),
        }
    }

    /// All that has not expired, as of now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.view.snapshot(self.shared.expiry.horizon())
    }

    /// By how many seconds the wall clock was moved since the start. More than
    /// [`CLOCK_DRIFT`] is logged, once until it is less again.
    pub fn clock_drift(&self) -> i64 {
        let seconds = self.clock.drift();
        let far = seconds.unsigned_abs() > CLOCK_DRIFT.as_secs();
        if far && !self.drift_noted.swap(far, Ordering::Relaxed) {
            tracing::warn!(seconds, "the wall clock was moved; TTLs do not follow it");
        } else if !far {
            self.drift_noted.store(false, Ordering::Relaxed);
        }
        seconds
    }

    /// Whether pushes are stored.
    pub fn health(&self) -> &Arc<Health> {
        &self.shared.health
    }

    pub(super) fn view(&self) -> &View {
        &self.shared.view
    }

    pub(super) fn telemetry(&self) -> &Telemetry {
        &self.shared.telemetry
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Carries out what is queued, then closes the store. Blocks meanwhile.
    pub fn close(&self) {
        drop(lock(&self.queue).take());
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            // Its panic, if there was one, is known: see `spawn`.
            let _ = thread.join();
        }
    }

    async fn ask(&self, request: Request) -> Answer {
        if let Some(reason) = self.health().refusal() {
            return Err(Refused::Unavailable(reason));
        }
        self.enqueue(|answer| Job::judge(request, answer)).await
    }

    async fn enqueue(&self, job: impl FnOnce(oneshot::Sender<Answer>) -> Job) -> Answer {
        let closing = || Refused::Unavailable("the gateway is shutting down".to_owned());
        let queue = lock(&self.queue).clone().ok_or_else(closing)?;
        let place = timeout(QUEUE_TIME, queue.reserve())
            .await
            .map_err(|_| Refused::Busy)?;
        let (answer, answered) = oneshot::channel();
        place.map_err(|_| closing())?.send(job(answer));
        drop(queue);
        // Dropped unanswered: the writer ended, or a publication was lost with its thread.
        answered.await.unwrap_or_else(|_| Err(closing()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole at any moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
