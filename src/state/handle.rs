//! The handle that everyone else holds: asks the writer, reads the view.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::{Clock, UnixNanos};
use crate::format::form::Form;
use crate::limits::{CLOCK_DRIFT, QUEUE_TIME, READERS};
use crate::lock::lock;
use crate::model::GroupKey;
use crate::store::Store;
use crate::telemetry::{ExpiryNumbers, Telemetry};
use crate::ttl::{Ttl, TtlPolicy};
use crate::view::{Snapshot, View};

use super::expiry::Expiry;
use super::forms::Forms;
use super::health::Health;
use super::policy::{InForce, Switch};
use super::prepare::{Prepared, PreparedPush};
use super::quota::Quota;
use super::request::{Answer, Job, Look, LookRequest, Pause, Pin, Refused, Request};
use super::scrapes::Scrapes;
use super::shared::SharedStore;
use super::start::StateSettings;

/// The running state. Reads never wait for writes.
#[derive(Debug)]
pub struct State {
    /// `None` once the state is closing.
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    clock: Clock,
    keep_history: Duration,
    /// Whether TTLs are shown as series.
    exposes: bool,
    /// Whether the log was told that the wall clock was moved.
    drift_noted: AtomicBool,
    pub(super) scrapes: Scrapes,
    quota: Quota,
    shared: Shared,
    /// The exposition in forms other than the view's.
    pub(super) forms: Forms,
    /// Places for those who read facts.
    readers: Arc<Semaphore>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the state shares with its threads.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) view: Arc<View>,
    pub(super) store: Arc<SharedStore>,
    pub(super) expiry: Arc<Expiry>,
    pub(super) health: Arc<Health>,
    pub(super) policy: Arc<InForce>,
    pub(super) telemetry: Arc<Telemetry>,
}

impl State {
    pub(super) fn new(
        queue: mpsc::Sender<Job>,
        settings: StateSettings,
        shared: Shared,
        threads: Vec<JoinHandle<()>>,
    ) -> Self {
        Self {
            queue: Mutex::new(Some(queue)),
            clock: settings.clock,
            keep_history: settings.keep_history,
            exposes: settings.expose,
            drift_noted: AtomicBool::new(false),
            scrapes: Scrapes::default(),
            quota: settings.quota,
            shared,
            forms: Forms::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            threads: Mutex::new(threads),
        }
    }

    /// Stores a push, or notes its failure. When this returns `Ok` the push is on
    /// disk and can be scraped.
    ///
    /// # Errors
    /// Nothing of a push that is refused is stored; it may leave a failure mark. One that could not
    /// be written is stored as a whole or not at all: reopening the store tells.
    pub async fn store(&self, prepared: Prepared) -> Answer {
        let request = match prepared {
            Prepared::Push(push) => Request::Push(push),
            Prepared::Failed(failed) => Request::Fail(failed),
        };
        self.ask_push(request).await
    }

    /// Stores all of these pushes, or none of them.
    ///
    /// # Errors
    /// Names the first push that is refused; nothing is marked as failed then.
    pub async fn store_all(&self, pushes: Vec<PreparedPush>) -> Answer {
        self.ask_push(Request::PushMany(pushes)).await
    }

    /// Deletes the group of exactly this key. `by`: the peer's address, for the history.
    ///
    /// # Errors
    /// If the store takes nothing.
    pub async fn delete(&self, key: GroupKey, by: String) -> Answer {
        self.ask(Request::Delete { key, by }).await
    }

    /// The number of the last push that can be scraped. Groups that were there when this was
    /// asked, and not pushed since, have it or one before.
    pub fn pushes(&self) -> u64 {
        self.view().pushes()
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

    /// Suspends expiry, or lets it go on. What has expired before is removed first, so that
    /// nothing that is there while expiry is suspended has expired.
    ///
    /// # Errors
    /// If the store takes nothing.
    pub async fn pause(&self, pause: Pause) -> Answer {
        if matches!(pause, Pause::Begin { .. }) {
            self.reap_now().await?;
        }
        self.ask(Request::Pause(pause)).await
    }

    /// Puts other TTL rules in force. When this returns they hold for every group. What
    /// has expired by the old rules is removed first, so that longer TTLs bring nothing back;
    /// and until the new ones hold nothing else expires, so that no group is gone by the old
    /// rules and there again by the new. Who reads the time before [`Self::policy`] has seen
    /// nothing expire that these rules keep.
    ///
    /// # Errors
    /// If the store takes nothing, or the writer has ended: the old rules stay in force. Whoever
    /// asks must not give up, or the new ones may hold and nobody knows.
    pub async fn set_policy(&self, policy: TtlPolicy) -> Answer {
        let still = Expiry::stand_still(&self.shared.expiry);
        // Behind this the view has all that was stored before.
        self.ask(Request::Reap(Vec::new())).await?;
        self.reap_now().await?;
        let policy = Arc::new(policy);
        let switch = Switch { policy, still };
        let done = self.enqueue(|answer| Job::policy(switch, answer)).await;
        self.scrapes.warn_again();
        done
    }

    /// TTLs in force.
    pub fn policy(&self) -> Arc<TtlPolicy> {
        self.shared.policy.get()
    }

    /// Notes whether the config file was taken.
    pub fn note_reload(&self, taken: bool) {
        let at = self.clock.wall().as_seconds_f64();
        self.telemetry().observe_reload(taken, at);
    }

    /// Waits for one of [`READERS`] places for [`Self::read`], which is given back when what is
    /// returned is dropped; `None` never comes.
    pub async fn place_to_read(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.readers).acquire_owned().await.ok()
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

    /// How much may be stored.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// The first deadline to come or passed, in TTL time.
    pub fn next_expiry(&self) -> Option<UnixNanos> {
        self.view().first_deadline()
    }

    /// Number of groups that have not expired.
    pub fn groups(&self) -> usize {
        self.view().count(self.expiry().horizon())
    }

    /// Number of groups that have expired and are not yet removed.
    pub fn expired_groups(&self) -> usize {
        self.view().count_expired(self.expiry().horizon())
    }

    /// How expiry stands at a snapshot.
    pub fn expiry_numbers(&self, snapshot: &Snapshot) -> ExpiryNumbers {
        let now = self.clock.now();
        let next = self.next_expiry();
        let next = next.map(|deadline| now.wall_of(deadline.max(now.ttl)).as_seconds_f64());
        let sources = snapshot.by_source().iter();
        let default_seconds = match self.policy().default {
            Ttl::Never => f64::INFINITY,
            Ttl::After(ttl) => ttl.as_secs_f64(),
        };
        let passed = self.view().count_passed(now.ttl);
        ExpiryNumbers {
            default_seconds,
            groups: sources
                .map(|(source, groups)| (source.to_string(), *groups as u64))
                .collect(),
            next: next.unwrap_or(f64::INFINITY),
            short: snapshot.short_ttl_groups() as u64,
            scrape_interval: self.scrape_interval().unwrap_or_default().as_secs_f64(),
            overdue: passed.saturating_sub(self.expired_groups()) as u64,
        }
    }

    /// The clock of expiry.
    pub fn expiry(&self) -> &Expiry {
        &self.shared.expiry
    }

    /// Whether TTLs are shown as series.
    pub(super) fn exposes(&self) -> bool {
        self.exposes
    }

    /// Makes visible what time has changed, as [`Self::snapshot`] does; where it is much, not on
    /// the runtime's own threads.
    pub async fn catch_up(self: &Arc<Self>) {
        let now = self.expiry().now();
        if self.view().pass_some(now) {
            let state = Arc::clone(self);
            // What is left of it after a panic is up to whoever takes a snapshot.
            let _ = tokio::task::spawn_blocking(move || state.view().pass(now)).await;
        }
    }

    /// All that has not expired, as of now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.view().pass(self.expiry().now());
        self.view().snapshot(self.expiry().horizon())
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

    pub(super) fn view(&self) -> &Arc<View> {
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

    /// Store and view as of the same commit; `None` while the store cannot be read.
    pub(super) async fn look(&self, form: Form) -> Option<Look> {
        if self.health().refusal().is_some() {
            return None;
        }
        let queue = lock(&self.queue).clone()?;
        let (answer, answered) = oneshot::channel();
        let job = Job::Look(LookRequest { form, answer });
        let place = timeout(QUEUE_TIME, queue.reserve()).await.ok()?;
        place.ok()?.send(job);
        drop(queue);
        answered.await.ok()
    }

    async fn ask(&self, request: Request) -> Answer {
        self.accepting()?;
        self.enqueue(|answer| Job::judge(request, answer)).await
    }

    /// Asks for what may find no room.
    async fn ask_push(&self, request: Request) -> Answer {
        let answer = self.ask(request).await;
        if let Err(Refused::OverQuota(over)) = &answer {
            let limit = over.counted.name();
            self.telemetry().count_over_limit(limit, 1);
        }
        answer
    }

    /// Asks for one slice of many. Only the answer to the last one says that the view shows
    /// it, and all before it.
    pub(super) async fn ask_slice(&self, request: Request, is_last: bool) -> Answer {
        if is_last {
            return self.ask(request).await;
        }
        self.accepting()?;
        self.enqueue(|answer| Job::slice(request, answer)).await
    }

    fn accepting(&self) -> Result<(), Refused> {
        self.health().refused().map_or(Ok(()), Err)
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
