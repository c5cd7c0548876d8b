//! How far expiry has come: TTL time and scrapes, unless it is suspended.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::clock::{self, Clock, UnixNanos};
use crate::lock::lock;
use crate::ttl::{Horizon, Suspension, Suspensions};

/// What time it is for expiry; shared by the writer, who moves it, and all readers.
#[derive(Debug)]
pub struct Expiry {
    clock: Clock,
    /// Time is read under this lock, so that nobody judges by a later horizon than
    /// the one at which a pause begins.
    now: Mutex<Now>,
    /// How many changes of the TTL rules are under way.
    reloads: Mutex<usize>,
    /// Told when a deadline may have come closer.
    sooner: Notify,
}

/// What moves beside the clock.
#[derive(Debug, Default)]
struct Now {
    suspensions: Suspensions,
    /// Pushes up to this number have been in a complete scrape.
    scraped: u64,
    /// When the newest of those scrapes looked at what there is, in TTL time.
    last_scrape: Option<UnixNanos>,
}

impl Now {
    fn horizon(&self, suspensions: &Suspensions, at: UnixNanos) -> Horizon {
        let scraped = self.scraped;
        suspensions.horizon(Horizon { at, scraped })
    }
}

impl Expiry {
    pub(super) fn new(clock: Clock, suspensions: Suspensions) -> Self {
        Self {
            clock,
            now: Mutex::new(Now {
                suspensions,
                ..Now::default()
            }),
            reloads: Mutex::default(),
            sooner: Notify::new(),
        }
    }

    /// What has come by now: whoever asks whether a group has expired asks with this.
    pub fn horizon(&self) -> Horizon {
        let now = self.lock();
        now.horizon(&now.suspensions, self.clock.ttl_now())
    }

    /// Notes a complete scrape that showed the pushes up to this number, as they were
    /// at `at` (TTL time). What was held for it and is late expires in this moment.
    pub(super) fn note_scrape(&self, pushes: u64, at: UnixNanos) {
        let mut now = self.lock();
        now.scraped = now.scraped.max(pushes);
        now.last_scrape = now.last_scrape.max(Some(at));
        drop(now);
        self.sooner.notify_one();
    }

    /// When the newest complete scrape looked at what there is, in TTL time.
    pub(super) fn last_scrape(&self) -> Option<UnixNanos> {
        self.lock().last_scrape
    }

    /// TTL time, suspended or not.
    pub fn now(&self) -> UnixNanos {
        self.clock.ttl_now()
    }

    /// This instant by both times.
    pub(super) fn both(&self) -> clock::Now {
        self.clock.now()
    }

    /// What suspends expiry now.
    pub fn suspensions(&self) -> Suspensions {
        self.lock().suspensions.clone()
    }

    /// Begins a pause now, or changes when the one there is ends. Returns the horizon at
    /// which expiry stands still from now on. What has expired there must be removed, and
    /// after that nothing is expired: see [`Self::settle`].
    pub(super) fn pause(&self, pause: Suspension) -> Horizon {
        let mut now = self.lock();
        let at = now.horizon(&now.suspensions, self.clock.ttl_now());
        now.suspensions.pause = Some(Suspension { at, ..pause });
        at
    }

    /// What had expired when the pause began at this horizon can be seen no more.
    pub(super) fn settle(&self, at: Horizon) {
        let mut now = self.lock();
        let pause = now.suspensions.pause.as_mut();
        if let Some(pause) = pause.filter(|pause| pause.at == at) {
            pause.at = Horizon::SUSPENDED;
        }
        drop(now);
        // For what was scraped meanwhile: the end of the pause is its deadline from now on.
        self.sooner.notify_one();
    }

    /// Ends the pause.
    pub(super) fn resume(&self) {
        self.lock().suspensions.pause = None;
        self.sooner.notify_one();
    }

    /// Lets expiry stand still where it is until what is returned is dropped.
    pub(super) fn stand_still(expiry: &Arc<Self>) -> Still {
        let mut reloads = lock(&expiry.reloads);
        *reloads += 1;
        if *reloads == 1 {
            let mut now = expiry.lock();
            now.suspensions.reload = Some(Suspension {
                at: now.horizon(&now.suspensions, expiry.clock.ttl_now()),
                until: None,
                reason: "other TTL rules are put in force".to_owned(),
                by: "the gateway".to_owned(),
            });
        }
        Still(Arc::clone(expiry))
    }

    /// The horizon if there were no pause.
    pub(super) fn horizon_without_pause(&self) -> Horizon {
        let now = self.lock();
        let suspensions = Suspensions {
            pause: None,
            ..now.suspensions.clone()
        };
        now.horizon(&suspensions, self.clock.ttl_now())
    }

    /// Puts the pause of a reopened store in place of the one there is.
    pub(super) fn replace_pause(&self, pause: Option<Suspension>) {
        self.lock().suspensions.pause = pause;
        self.sooner.notify_one();
    }

    /// Waits until a group with this deadline can be removed, or a deadline comes closer.
    pub(super) async fn due(&self, deadline: Option<UnixNanos>) {
        let resumes = || {
            let suspensions = self.suspensions();
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

    fn lock(&self) -> MutexGuard<'_, Now> {
        lock(&self.now)
    }
}

/// Expiry stands still until this is dropped.
#[derive(Debug)]
pub(super) struct Still(Arc<Expiry>);

impl Drop for Still {
    fn drop(&mut self) {
        let mut reloads = lock(&self.0.reloads);
        *reloads -= 1;
        if *reloads == 0 {
            self.0.lock().suspensions.reload = None;
            self.0.sooner.notify_one();
        }
    }
}
