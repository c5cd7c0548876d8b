//! The clock of expiry: TTL time, unless it is suspended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::{Clock, UnixNanos};
use crate::ttl::{Suspension, Suspensions};

/// What time it is for expiry; shared by the writer, who moves it, and all readers.
#[derive(Debug)]
pub struct Expiry {
    clock: Clock,
    /// Time is read under this lock, so that nobody judges by a later time than
    /// the one at which a pause begins.
    suspensions: Mutex<Suspensions>,
    /// Told when a deadline may have come closer.
    sooner: Notify,
}

impl Expiry {
    pub(super) fn new(clock: Clock, suspensions: Suspensions) -> Self {
        Self {
            clock,
            suspensions: Mutex::new(suspensions),
            sooner: Notify::new(),
        }
    }

    /// A group has expired if its deadline is not later than this.
    pub fn horizon(&self) -> UnixNanos {
        let suspensions = self.lock();
        suspensions.horizon(self.clock.ttl_now())
    }

    /// TTL time, suspended or not.
    pub fn now(&self) -> UnixNanos {
        self.clock.ttl_now()
    }

    /// What suspends expiry now.
    pub fn suspensions(&self) -> Suspensions {
        self.lock().clone()
    }

    /// Begins a pause now, or changes when the one there is ends.
    pub(super) fn pause(&self, until: Option<UnixNanos>, reason: String, by: String) -> Suspension {
        let mut suspensions = self.lock();
        // What had expired stays expired: a longer pause begins where the first did.
        let at = suspensions.horizon(self.clock.ttl_now());
        let pause = Suspension {
            at,
            until,
            reason,
            by,
        };
        suspensions.pause = Some(pause.clone());
        pause
    }

    /// Ends the pause; whether there was one.
    pub(super) fn resume(&self) -> bool {
        let ended = self.lock().pause.take().is_some();
        self.sooner.notify_one();
        ended
    }

    /// Puts the pause of a reopened store in place of the one there is.
    pub(super) fn replace_pause(&self, pause: Option<Suspension>) {
        let now = self.clock.ttl_now();
        self.lock().pause = pause.map(|pause| pause.found_at(now));
        self.sooner.notify_one();
    }

    /// Waits until a group with this deadline can be removed, or a deadline comes closer.
    pub(super) async fn due(&self, deadline: Option<UnixNanos>) {
        let resumes = || {
            let suspensions = self.lock();
            let now = self.clock.ttl_now();
            (suspensions.is_active(now), suspensions.resumes(now))
        };
        let due = async {
            match (deadline, resumes()) {
                (None, _) | (_, (true, None)) => std::future::pending().await,
                (Some(deadline), (_, resumes)) => {
                    self.clock
                        .sleep_until(deadline.max(resumes.unwrap_or_default()))
                        .await;
                }
            }
        };
        tokio::select! {
            () = due => {}
            () = self.sooner.notified() => {}
        }
    }

    /// A deadline may have come closer.
    pub(super) fn sooner(&self) {
        self.sooner.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Suspensions> {
        self.suspensions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
