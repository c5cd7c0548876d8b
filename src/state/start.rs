//! Starting a state: open, derive, threads.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::clock::{Clock, UnixNanos};
use crate::limits::QUEUE;
use crate::store::{OpenError, Opened, Place, ReadError, Store};
use crate::telemetry::Telemetry;
use crate::ttl::{Rule, Suspension, Suspensions, TtlPolicy, TtlSource};
use crate::view::View;

use super::State;
use super::apply;
use super::expiry::Expiry;
use super::handle::Shared;
use super::health::{Health, Status};
use super::history::History;
use super::load::{Derived, derive};
use super::shared::SharedStore;
use super::writer::{Parts, Writer};

/// What a state is started with.
#[derive(Debug, Clone)]
pub struct StateSettings {
    /// Where the store is.
    pub place: Place,
    /// TTLs in force.
    pub policy: TtlPolicy,
    /// How long records of gone groups are kept; zero: there are none.
    pub keep_history: Duration,
    /// For how long after the start nothing expires.
    pub startup_grace: Duration,
    /// The time.
    pub clock: Clock,
}

/// Why a state did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store was opened and holds something that cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Loading ended by a panic.
    #[error("loading the store failed: {0}")]
    Panicked(String),
    /// The system gives no more threads.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// What was found at start.
#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    /// Groups that have not expired.
    pub groups: usize,
    /// Their series (sample lines).
    pub series: u64,
}

impl State {
    /// Opens the store, derives index and view from it, and starts the writer.
    /// Blocks as long as that takes; must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the store cannot be used; it is then left as it was.
    pub fn start(
        settings: StateSettings,
        telemetry: Arc<Telemetry>,
    ) -> Result<(Arc<Self>, Loaded), StateError> {
        let StateSettings {
            place,
            policy,
            keep_history,
            startup_grace,
            clock,
        } = settings;
        let policy = Arc::new(policy);
        let Opened { store, contents } = Store::open(&place)?;
        telemetry.set_store_bytes(store.size_bytes());
        let of_rule = |rule: &Rule| TtlSource::Rule(Arc::clone(&rule.name));
        let of_rules = policy.rules.iter().map(of_rule);
        for source in of_rules.chain([TtlSource::Push, TtlSource::Default]) {
            // Shown from the start, so that the first expiry is an increase.
            telemetry.count_expired_groups(&source.to_string(), 0);
        }
        let suspensions = Suspensions {
            grace: grace(&clock, startup_grace),
            pause: contents
                .pause
                .clone()
                .map(|pause| pause.found_at(clock.ttl_now())),
        };
        let history = History::new(contents.ended.clone(), keep_history);
        let Derived { index, content } = derive(contents, &policy, clock.ttl_now())?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let shared = Shared {
            view: Arc::new(View::default()),
            store: Arc::new(SharedStore::new(store)),
            expiry: Arc::new(Expiry::new(clock.clone(), suspensions)),
            health: Arc::new(Health::default()),
            telemetry,
        };
        shared.view.replace(content);
        let parts = Parts {
            clock: clock.clone(),
            expiry: Arc::clone(&shared.expiry),
            health: Arc::clone(&shared.health),
            telemetry: Arc::clone(&shared.telemetry),
            runtime: Handle::current(),
            keep_history,
        };
        // One batch may wait while another is applied: more would only be latency.
        let (publish, publications) = std::sync::mpsc::sync_channel(1);
        let writer = Writer {
            store: Arc::clone(&shared.store),
            index,
            history,
            policy: Arc::clone(&policy),
            queue: jobs,
            publish,
            parts,
        };
        let applied = (Arc::clone(&shared.view), Arc::clone(&shared.expiry));
        let threads = vec![
            spawn("writer", &shared.health, move || writer.run())?,
            spawn("apply", &shared.health, move || {
                apply::run(&publications, &applied.0, &applied.1);
            })?,
        ];
        let state = Self::new(queue, policy, clock, keep_history, shared, threads);
        let now = state.snapshot();
        let loaded = Loaded {
            groups: now.groups(),
            series: now.series(),
        };
        Ok((Arc::new(state), loaded))
    }
}

/// Expiry stands still at the beginning of time for a while after the start, so that
/// what became overdue while the gateway was down can be pushed again.
fn grace(clock: &Clock, lasts: Duration) -> Option<Suspension> {
    let until = Some(clock.ttl_now().plus(lasts));
    let by = "--ttl.startup-grace".to_owned();
    let reason = "the gateway was started".to_owned();
    (!lasts.is_zero()).then_some(Suspension {
        at: UnixNanos(0),
        until,
        reason,
        by,
    })
}

/// Starts a thread without which nothing is stored: its panic is the end of the state.
fn spawn(
    name: &str,
    health: &Arc<Health>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let health = Arc::clone(health);
    let reason = format!("the {name} thread ended by a panic");
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!(reason, "nothing can be stored any more; giving up");
                health.set(Status::Broken { reason });
            }
        })
}
