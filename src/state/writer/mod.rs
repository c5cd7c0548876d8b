//! The writer thread: the only place where state changes.

mod recovery;
mod retime;

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;

use crate::clock::{Clock, Stopwatch};
use crate::limits::{BATCH, BATCH_BYTES};
use crate::store::{Batch, CommitError, ReadError, Store};
use crate::telemetry::Telemetry;
use crate::ttl::TtlPolicy;
use crate::view::View;

use super::apply::Publication;
use super::expiry::Expiry;
use super::expiry_log::ExpiryLog;
use super::exposed::Departed;
use super::health::{Health, Status};
use super::history::History;
use super::index::Index;
use super::judge::{Bench, Judge, Judged, PauseChange};
use super::quota::Quota;
use super::request::{Answer, Job, LookRequest, Refused, Request, Waiting, give};
use super::shared::SharedStore;
use retime::Retime;

/// Everything the writer thread owns.
pub(super) struct Writer {
    pub(super) store: Arc<SharedStore>,
    pub(super) index: Index,
    pub(super) history: History,
    /// With `--ttl.expose`.
    pub(super) departed: Option<Departed>,
    pub(super) policy: Arc<TtlPolicy>,
    pub(super) queue: Receiver<Job>,
    pub(super) publish: SyncSender<Publication>,
    pub(super) parts: Parts,
}

/// What the writer shares with others.
pub(super) struct Parts {
    pub(super) clock: Clock,
    pub(super) expiry: Arc<Expiry>,
    pub(super) expiry_log: Arc<ExpiryLog>,
    pub(super) health: Arc<Health>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) runtime: Handle,
    /// Only read here: the apply thread changes it.
    pub(super) view: Arc<View>,
    /// How much may be stored.
    pub(super) quota: Quota,
    /// How long records of gone groups are kept.
    pub(super) keep_history: Duration,
}

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
            if self.index.has_freed() {
                // At the start, and after a failure: what stands in the way of hidden families?
                self.batch(Vec::new());
                if self.parts.health.is_broken() {
                    return;
                }
            }
            // Requests go on between two slices of a retiming.
            if !self.wait_for(&mut jobs, retime.is_none()) && retime.is_none() {
                break;
            }
            let (requests, looks) = self.sort(&mut jobs, &mut retime);
            if !requests.is_empty() {
                self.batch(requests);
            }
            self.look(looks);
            if self.parts.health.is_broken() {
                return; // Whoever waits in the queue is answered by its end.
            }
            retime = retime.and_then(|retime| self.retime(retime));
        }
        self.parts.expiry_log.tell_left_out();
        if let Some(Err(error)) = self.store.take().map(Store::close) {
            tracing::warn!(%error, "the store did not close cleanly; the next start repairs it");
        }
    }

    /// Sorts new TTL rules and looks out from what is to be judged. Later rules replace
    /// earlier ones.
    fn sort(
        &mut self,
        jobs: &mut Vec<Job>,
        retime: &mut Option<Retime>,
    ) -> (Vec<(Request, Waiting)>, Vec<LookRequest>) {
        let mut requests = Vec::with_capacity(jobs.len());
        let mut looks = Vec::new();
        for job in jobs.drain(..) {
            match job {
                Job::Judge(request, answer) => requests.push((request, answer)),
                Job::Look(request) => looks.push(request),
                Job::Policy(switch, answer) => {
                    self.policy = Arc::clone(&switch.policy);
                    if let Some(before) = retime.replace(Retime::new(switch, answer)) {
                        before.give_way();
                    }
                }
            }
        }
        (requests, looks)
    }

    /// Opens the store as it is now for those who look, and lets them have it when the
    /// view shows the same. If it cannot be read they get no answer.
    fn look(&self, looks: Vec<LookRequest>) {
        for request in looks {
            match self.store.moment() {
                Some(Ok(reading)) => {
                    let reading = Box::new(reading);
                    self.publish(Publication::Look { reading, request });
                }
                Some(Err(error)) => tracing::warn!(%error, "the store cannot be read"),
                None => {}
            }
        }
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
                self.parts.telemetry.set_hidden(self.index.hidden());
                if judged.pause == Some(PauseChange::Ended) {
                    self.parts.expiry.resume();
                }
                let answers = waiting.into_iter().zip(answers).collect();
                self.publish(Publication::Batch {
                    changes: judged.changes,
                    pause: judged.pause,
                    answers,
                });
            }
            Err(failed) => {
                // First, so that whoever is answered finds the gateway saying the same.
                let full = matches!(failed.refused, Refused::DiskFull(_));
                let reason = failed.reason.clone();
                self.parts.health.set(Status::Refusing { reason, full });
                let refused = |waiting| (waiting, Err(failed.refused.clone()));
                give(waiting.into_iter().map(refused).collect());
                self.recover(&failed);
            }
        }
    }

    fn judge_and_commit(
        &mut self,
        requests: Vec<Request>,
    ) -> Result<(Judged, Vec<Answer>), Failed> {
        let judged = Arc::clone(&self.store).with(|store| {
            let mut judge = self.judge(store);
            let answers: Result<Vec<Answer>, ReadError> = requests
                .into_iter()
                .map(|request| judge.judge(request))
                .collect();
            let looked = judge.look_again();
            let answers = answers.and_then(|answers| looked.map(|()| answers));
            let answers = answers.map_err(|error| Failed::read(&error))?;
            let (batch, judged) = judge.finish();
            let committed = self.parts.commit(store, &batch);
            committed.map_err(|error| Failed::commit(&error))?;
            self.index.note_stored();
            Ok((judged, answers))
        });
        judged.unwrap_or_else(|| Err(Failed::read(&"the store is not open")))
    }

    /// Judges by what there is now.
    fn judge<'a>(&'a mut self, store: &'a Store) -> Judge<'a> {
        Judge::new(Bench {
            index: &mut self.index,
            history: &mut self.history,
            store,
            policy: &self.policy,
            expiry: &self.parts.expiry,
            departed: self.departed.as_mut(),
            quota: self.parts.quota,
            view: &self.parts.view,
            wall: self.parts.clock.wall(),
        })
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
        let alike = judged
            .expired
            .chunk_by(|one, next| one.source == next.source);
        for alike in alike {
            if let Some(expired) = alike.first() {
                let source = expired.source.to_string();
                let groups = alike.len() as u64;
                self.telemetry.count_expired_groups(&source, groups);
            }
        }
        self.expiry_log.note(&judged.expired);
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
