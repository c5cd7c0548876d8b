//! After a failed commit: the store opened anew, and everything derived from it once more.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::{Failed, Writer};
use crate::limits::{REOPEN_FIRST, REOPEN_LONGEST};
use crate::state::apply::Publication;
use crate::state::health::Status;
use crate::state::history::History;
use crate::state::load::{How, Restored, load};
use crate::state::request::{Job, Refused};
use crate::store::{Batch, OpenError, ReadError, Store};
use crate::view::Content;

impl Writer {
    /// Refuses everything until the store has been opened anew, rebuilt from, and
    /// has taken a commit. Nothing derived from it before is kept.
    pub(super) fn recover(&mut self, failed: &Failed) {
        tracing::error!(
            reason = failed.reason,
            "a batch was not stored; pushes are refused until the store works"
        );
        let Some(store) = self.store.take() else {
            return;
        };
        let (place, revision) = (store.place().clone(), store.revision());
        drop(store);
        let mut pause = REOPEN_FIRST;
        loop {
            if !self.refuse_for(pause, &failed.refused) {
                return;
            }
            pause = (pause * 2).min(REOPEN_LONGEST);
            match Store::reopen(&place, revision) {
                Ok(store) => match self.rebuild(store) {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) if error.is_transient() => {
                        tracing::warn!(%error, "the store cannot be read yet");
                    }
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
    fn rebuild(&mut self, store: Store) -> Result<bool, ReadError> {
        // The probe: a commit of nothing but the revision.
        if let Err(error) = store.commit(&Batch::default()) {
            tracing::warn!(%error, "the store still takes no commit");
            return Ok(false);
        }
        let how = How {
            policy: &self.policy,
            now: self.parts.clock.ttl_now(),
            before: Some(&self.index),
        };
        let Restored {
            mut derived,
            pause,
            ended,
            ..
        } = store.read(|reading| load(reading, how))?;
        self.history = History::new(ended, self.parts.keep_history);
        if self.departed.is_some() {
            let (clock, keep) = (&self.parts.clock, self.parts.keep_history);
            self.departed = Some(derived.expose(&store, &self.policy, clock, keep)?);
        }
        self.index = derived.index;
        self.parts.telemetry.set_hidden(self.index.hidden());
        self.show(Box::new(derived.content));
        // Only now: what it lets expire, or not, is what the store holds.
        self.parts.expiry.replace_pause(pause);
        self.store.put(store);
        Ok(true)
    }

    /// Answers all that comes for a while; false when nothing can come any more.
    fn refuse_for(&mut self, pause: Duration, refused: &Refused) -> bool {
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
                    if let Job::Judge(_, waiting) | Job::Policy(_, waiting) = job {
                        waiting.answer(Err(refused.clone()));
                    }
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
}
