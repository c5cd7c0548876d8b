//! The writer thread: the only place where state changes.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;

use crate::clock::{Clock, Stopwatch};
use crate::limits::{BATCH, BATCH_BYTES, REOPEN_FIRST, REOPEN_LONGEST, RETIME_SLICE};
use crate::store::{Batch, CommitError, OpenError, Opened, ReadError, Store};
use crate::telemetry::Telemetry;
use crate::ttl::TtlPolicy;
use crate::view::Content;

use super::apply::Publication;
use super::expiry::Expiry;
use super::health::{Health, Status};
use super::history::History;
use super::index::Index;
use super::judge::{Bench, Judge, Judged};
use super::load::derive;
use super::request::{Answer, Done, Job, Refused, Request, Waiting};
use super::shared::SharedStore;

/// Everything the writer thread owns.
pub(super) struct Writer {
    pub(super) store: Arc<SharedStore>,
    pub(super) index: Index,
    pub(super) history: History,
    pub(super) policy: Arc<TtlPolicy>,
    pub(super) queue: Receiver<Job>,
    pub(super) publish: SyncSender<Publication>,
    pub(super) parts: Parts,
}

/// What the writer shares with others.
pub(super) struct Parts {
    pub(super) clock: Clock,
    pub(super) expiry: Arc<Expiry>,
    pub(super) health: Arc<Health>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) runtime: Handle,
    /// How long records of gone groups are kept.
    pub(super) keep_history: Duration,
}

/// Groups that new TTL rules have not been applied to yet.
struct Retime {
    /// The next group's number.
    next: usize,
    answer: Waiting,
}

/// Answers of a batch, with those who wait for them.
type Answers = Vec<(Waiting, Answer)>;

/// Why a batch was given up: its answer, and what the log says.
struct Failed {
    refused: Refused,
    reason: String,
}

impl Writer {
    /// Works until every sender of the queue is gone, then closes the store.
    pub(super) fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH);
        let mut retime: Option<Retime> = None;
        loop {
            // Requests go on between two slices of a retiming.
            if !self.wait_for(&mut jobs, retime.is_none()) && retime.is_none() {
                break;
            }
            let requests = self.take_policy(&mut jobs, &mut retime);
            if !requests.is_empty() {
                self.batch(requests);
            }
            if self.parts.health.is_broken() {
                return; // Whoever waits in the queue is answered by its end.
            }
            retime = retime.and_then(|retime| self.retime(retime));
        }
        if let Some(Err(error)) = self.store.take().map(Store::close) {
            tracing::warn!(%error, "the store did not close cleanly; the next start repairs it");
        }
    }

    /// Sorts new TTL rules out from what is to be judged. Later ones replace earlier ones.
    fn take_policy(
        &mut self,
        jobs: &mut Vec<Job>,
        retime: &mut Option<Retime>,
    ) -> Vec<(Request, Waiting)> {
        let mut requests = Vec::with_capacity(jobs.len());
        for job in jobs.drain(..) {
            match job {
                Job::Judge(request, answer) => requests.push((request, answer)),
                Job::Policy(policy, answer) => {
                    self.policy = policy;
                    if let Some(before) = retime.replace(Retime { next: 0, answer }) {
                        // Its rules never held alone; those that hold now are newer.
                        before.answer.answer(Ok(Done::Retimed));
                    }
                }
            }
        }
        requests
    }

    /// Applies the TTL rules to one slice of groups; what is left to do.
    fn retime(&mut self, retime: Retime) -> Option<Retime> {
        let Retime { next, answer } = retime;
        let (groups, next) = self.index.slice(next, RETIME_SLICE);
        let done = self.store.with(|store| {
            let mut judge = Judge::new(Bench {
                index: &mut self.index,
                history: &mut self.history,
                store,
                policy: &self.policy,
                expiry: &self.parts.expiry,
                wall: self.parts.clock.wall(),
            });
            judge.retime(&groups);
            judge.into_judged()
        });
        let changes = done.map(|judged| judged.changes).unwrap_or_default();
        let Some(next) = next else {
            let answers = vec![(answer, Ok(Done::Retimed))];
            self.publish(Publication::Batch { changes, answers });
            return None;
        };
        self.publish(Publication::Batch {
            changes,
            answers: Vec::new(),
        });
        Some(Retime { next, answer })
    }

    /// Takes what is there, up to the limits of a batch; false if it is nothing. With
    /// `wait` that means that nothing can come any more.
    fn wait_for(&mut self, jobs: &mut Vec<Job>, wait: bool) -> bool {
        let mut next = if wait {
            self.queue.blocking_recv()
        } else {
            self.queue.try_recv().ok()
        };
        let mut bytes = 0;
        while let Some(job) = next {
            bytes += job.bytes();
            jobs.push(job);
            let full = jobs.len() >= BATCH || bytes >= BATCH_BYTES;
            next = (!full).then(|| self.queue.try_recv().ok()).flatten();
        }
        !jobs.is_empty()
    }

    fn batch(&mut self, requests: Vec<(Request, Waiting)>) {
        let (requests, waiting): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        match self.judge_and_commit(requests) {
            Ok((judged, answers)) => {
                self.parts.count(&judged);
                let answers = waiting.into_iter().zip(answers).collect();
                self.publish(Publication::Batch {
                    changes: judged.changes,
                    answers,
                });
            }
            Err(failed) => {
                // First, so that whoever is answered finds the gateway saying the same.
                let reason = failed.reason.clone();
                self.parts.health.set(Status::Refusing { reason });
                let refused = |waiting| (waiting, Err(failed.refused.clone()));
                answer(waiting.into_iter().map(refused).collect());
                self.recover(&failed.reason);
            }
        }
    }

    fn judge_and_commit(
        &mut self,
        requests: Vec<Request>,
    ) -> Result<(Judged, Vec<Answer>), Failed> {
        let parts = &self.parts;
        let judged = self.store.with(|store| {
            let mut judge = Judge::new(Bench {
                index: &mut self.index,
                history: &mut self.history,
                store,
                policy: &self.policy,
                expiry: &parts.expiry,
                wall: parts.clock.wall(),
            });
            let answers: Result<Vec<Answer>, ReadError> = requests
                .into_iter()
                .map(|request| judge.judge(request))
                .collect();
            let answers = answers.map_err(|error| Failed::read(&error))?;
            let (batch, judged) = judge.finish();
            parts
                .commit(store, &batch)
                .map_err(|error| Failed::commit(&error))?;
            Ok((judged, answers))
        });
        judged.unwrap_or_else(|| Err(Failed::read(&"the store is not open")))
    }

    /// Refuses everything until the store has been opened anew, rebuilt from, and
    /// has taken a commit. Nothing derived from it before is kept.
    fn recover(&mut self, reason: &str) {
        tracing::error!(
            reason,
            "a batch was not stored; pushes are refused until the store works"
        );
        let Some(store) = self.store.take() else {
            return;
        };
        let (place, revision) = (store.place().clone(), store.revision());
        drop(store);
        let mut pause = REOPEN_FIRST;
        loop {
            if !self.refuse_for(pause, reason) {
                return;
            }
            pause = (pause * 2).min(REOPEN_LONGEST);
            match Store::reopen(&place, revision) {
                Ok(opened) => match self.rebuild(opened) {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) => return self.broken(error.to_string()),
                },
                Err(error @ OpenError::Io { .. }) => {
                    tracing::warn!(%error, "the store cannot be reopened yet");
                }
                Err(error) => return self.broken(error.to_string()),
            }
        }
        tracing::info!("the store works again; pushes are accepted");
        self.parts.health.set(Status::Accepting);
    }

    /// Derives everything anew; false if the store still takes no commit.
    fn rebuild(&mut self, opened: Opened) -> Result<bool, ReadError> {
        let Opened { store, contents } = opened;
        // The probe: a commit of nothing but the revision.
        if let Err(error) = store.commit(&Batch::default()) {
            tracing::warn!(%error, "the store still takes no commit");
            return Ok(false);
        }
        self.history = History::new(contents.ended.clone(), self.parts.keep_history);
        self.parts.expiry.replace_pause(contents.pause.clone());
        let derived = derive(contents, &self.policy, self.parts.clock.ttl_now())?;
        self.index = derived.index;
        self.show(Box::new(derived.content));
        self.store.put(store);
        Ok(true)
    }

    /// Answers all that comes for a while; false when nothing can come any more.
    fn refuse_for(&mut self, pause: Duration, reason: &str) -> bool {
        let clock = &self.parts.clock;
        let end = clock.ttl_now().plus(pause);
        loop {
            let queue = &mut self.queue;
            let next = async {
                tokio::select! {
                    job = queue.recv() => Some(job),
                    () = clock.sleep_until(end) => None,
                }
            };
            match self.parts.runtime.block_on(next) {
                Some(Some(job)) => {
                    let refused = Refused::Unavailable(reason.to_owned());
                    let (Job::Judge(_, waiting) | Job::Policy(_, waiting)) = job;
                    answer(vec![(waiting, Err(refused))]);
                }
                Some(None) => return false,
                None => return true,
            }
        }
    }

    fn broken(&mut self, reason: String) {
        tracing::error!(reason, "the store cannot be used any more; giving up");
        self.parts.health.set(Status::Broken { reason });
    }

    /// Puts content into the view's place, and returns when it can be scraped: no status
    /// may say that all is well before.
    fn show(&self, content: Box<Content>) {
        let (shown, waiting) = sync_channel(1);
        self.publish(Publication::Rebuilt { content, shown });
        // Fails only when the apply thread has panicked.
        let _ = waiting.recv();
    }

    fn publish(&self, publication: Publication) {
        // Fails only when the apply thread has panicked; the answers then drop,
        // and whoever waits gets 503.
        let _ = self.publish.send(publication);
    }
}

impl Parts {
    fn commit(&self, store: &Store, batch: &Batch) -> Result<(), CommitError> {
        if batch.is_empty() {
            return Ok(());
        }
        let watch = Stopwatch::start();
        let committed = store.commit(batch);
        if committed.is_ok() {
            self.telemetry.observe_commit(watch.seconds());
        } else {
            let at = self.clock.wall().as_seconds_f64();
            self.telemetry.observe_commit_error(watch.seconds(), at);
        }
        self.telemetry.set_store_bytes(store.size_bytes());
        committed.map(drop)
    }

    fn count(&self, judged: &Judged) {
        for source in &judged.expired {
            self.telemetry.count_expired_groups(&source.to_string(), 1);
        }
    }
}

impl Failed {
    fn commit(error: &CommitError) -> Self {
        let reason = error.to_string();
        let refused = if error.is_full() {
            Refused::DiskFull(reason.clone())
        } else {
            Refused::Unavailable(reason.clone())
        };
        Self { refused, reason }
    }

    fn read(error: &dyn std::fmt::Display) -> Self {
        let reason = error.to_string();
        Self {
            refused: Refused::Unavailable(reason.clone()),
            reason,
        }
    }
}

fn answer(answers: Answers) {
    for (waiting, answer) in answers {
        waiting.answer(answer);
    }
}
