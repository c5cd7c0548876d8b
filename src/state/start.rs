//! Starting a state: open, derive, threads.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::format::name::NameRule;
use crate::limits::QUEUE;
use crate::store::{Batch, CommitError, OpenError, Place, ReadError, Reading, Store};
use crate::telemetry::Telemetry;
use crate::ttl::{Horizon, Rule, Suspension, Suspensions, TtlPolicy, TtlSource};
use crate::view::{Content, View};

use super::State;
use super::apply;
use super::expiry::Expiry;
use super::expiry_log::ExpiryLog;
use super::exposed::Departed;
use super::handle::Shared;
use super::health::{Health, Status};
use super::history::History;
use super::import::{Import, ImportError};
use super::index::Index;
use super::load::{Derived, How, Restored, load};
use super::policy::InForce;
use super::quota::{Counted, Quota};
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
    /// How much may be stored. What is stored already is loaded however much it is.
    pub quota: Quota,
    /// Whether TTLs are shown as series: `--ttl.expose`.
    pub expose: bool,
    /// The Pushgateway's persistence file, whose groups a store that never held anything
    /// takes over.
    pub import: Option<PathBuf>,
    /// Names that the labels of those groups may have.
    pub names: NameRule,
    /// The time.
    pub clock: Clock,
}

impl StateSettings {
    /// A state whose settings are the defaults, and which keeps no records of gone groups.
    pub fn new(place: Place, clock: Clock) -> Self {
        Self {
            place,
            policy: TtlPolicy::default(),
            keep_history: Duration::ZERO,
            startup_grace: Duration::ZERO,
            quota: Quota::default(),
            expose: false,
            import: None,
            names: NameRule::default(),
            clock,
        }
    }
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
    /// The Pushgateway's persistence file cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The store takes no commit: of what was imported, or of how TTL clocks were set.
    #[error("cannot use the store {path}: {reason}")]
    Commit {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        reason: CommitError,
    },
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
        let (store, restored) = open(&settings)?;
        store_clocks(&store, &restored.reset)?;
        show(&settings, &store, &telemetry);
        let start = Start::of(restored, &settings, &store)?;
        telemetry.set_hidden(start.index.hidden());
        let quota = settings.quota;
        let state = start.run(settings, store, telemetry)?;
        let now = state.snapshot();
        let loaded = Loaded {
            groups: now.groups(),
            series: now.series(),
        };
        warn_of_limits(quota, loaded);
        Ok((Arc::new(state), loaded))
    }
}

/// What a state begins with, derived from its store.
struct Start {
    index: Index,
    content: Content,
    history: History,
    departed: Option<Departed>,
    suspensions: Suspensions,
}

impl Start {
    fn of(restored: Restored, settings: &StateSettings, store: &Store) -> Result<Self, StateError> {
        let Restored {
            mut derived,
            pause,
            ended,
            ..
        } = restored;
        let (clock, keep) = (&settings.clock, settings.keep_history);
        let departed = settings
            .expose
            .then(|| derived.expose(store, &settings.policy, clock, keep))
            .transpose()?;
        let Derived { index, content } = derived;
        Ok(Self {
            index,
            content,
            history: History::new(ended, keep),
            departed,
            suspensions: suspensions(clock, settings.startup_grace, pause),
        })
    }

    /// Starts the threads.
    fn run(
        self,
        settings: StateSettings,
        store: Store,
        telemetry: Arc<Telemetry>,
    ) -> io::Result<State> {
        let policy = Arc::new(settings.policy.clone());
        let expiry = Expiry::new(settings.clock.clone(), self.suspensions);
        let shared = Shared {
            view: Arc::new(View::default()),
            store: Arc::new(SharedStore::new(store)),
            expiry: Arc::new(expiry),
            health: Arc::new(Health::default()),
            policy: Arc::new(InForce::new(Arc::clone(&policy))),
            telemetry,
        };
        shared.view.replace(self.content);
        let (queue, jobs) = mpsc::channel(QUEUE);
        // One batch may wait while another is applied: more would only be latency.
        let (publish, publications) = std::sync::mpsc::sync_channel(1);
        let writer = Writer {
            store: Arc::clone(&shared.store),
            index: self.index,
            history: self.history,
            departed: self.departed,
            policy,
            queue: jobs,
            publish,
            parts: parts(&shared, &settings),
        };
        let (view, expiry) = (Arc::clone(&shared.view), Arc::clone(&shared.expiry));
        let in_force = Arc::clone(&shared.policy);
        let threads = vec![
            spawn("writer", &shared.health, move || writer.run())?,
            spawn("apply", &shared.health, move || {
                apply::run(&publications, &view, &expiry, &in_force);
            })?,
        ];
        Ok(State::new(queue, settings, shared, threads))
    }
}

/// What the writer shares with others; must be called within a runtime.
fn parts(shared: &Shared, settings: &StateSettings) -> Parts {
    let clock = settings.clock.clone();
    Parts {
        expiry: Arc::clone(&shared.expiry),
        expiry_log: Arc::new(ExpiryLog::new(clock.clone(), Handle::current())),
        clock,
        health: Arc::clone(&shared.health),
        telemetry: Arc::clone(&shared.telemetry),
        runtime: Handle::current(),
        view: Arc::clone(&shared.view),
        quota: settings.quota,
        keep_history: settings.keep_history,
    }
}

/// When a file was written last.
fn written(file: &Path) -> Option<std::time::SystemTime> {
    file.metadata().ok()?.modified().ok()
}

/// Opens the store; one that never held anything takes over the Pushgateway's groups.
///
/// They are read before the store is made, so that a file that cannot be read leaves no
/// store behind, and are stored in one transaction: a start that is cut short before it
/// leaves a store that never held anything, and so imports again.
fn open(settings: &StateSettings) -> Result<(Store, Restored), StateError> {
    let (place, clock) = (&settings.place, &settings.clock);
    let restore = |reading: &Reading| {
        let how = How {
            policy: &settings.policy,
            now: clock.ttl_now(),
            before: None,
        };
        load(reading, how)
    };
    let Some(file) = settings.import.as_deref() else {
        return Ok(Store::open_with(place, restore)?);
    };
    let read = |file| Import::read(file, settings.names, clock);
    let is_new = place.is_new().unwrap_or(false);
    let mut import = if is_new { Some(read(file)?) } else { None };
    let is_newer = written(file) > written(&place.path());
    let (store, restored) = Store::open_with(place, restore)?;
    if store.revision() > 0 {
        if is_newer {
            tracing::warn!(
                file = %file.display(),
                store = %place.path().display(),
                "the persistence file was written after the store, perhaps by a Pushgateway that \
                 ran meanwhile; what it holds is not taken over, since only a new store does that"
            );
        }
        return Ok((store, restored));
    }
    let import = import.take().map_or_else(|| read(file), Ok)?;
    let Some(import) = import else {
        return Ok((store, restored)); // Nothing to import.
    };
    commit(&store, &import.batch)?;
    import.log(file);
    drop(import);
    let restored = store.read(restore)?;
    Ok((store, restored))
}

/// Stores how TTL clocks were set by the wall clock found.
fn store_clocks(store: &Store, reset: &Batch) -> Result<(), StateError> {
    if reset.is_empty() {
        return Ok(());
    }
    let groups = reset.rows.len();
    tracing::warn!(groups, "the wall clock was set while the gateway was down");
    commit(store, reset)
}

/// After a commit that fails the store takes no other: nobody may be told that pushes are accepted.
fn commit(store: &Store, batch: &Batch) -> Result<(), StateError> {
    let failed = |reason| StateError::Commit {
        path: store.place().path(),
        reason,
    };
    store.commit(batch).map(drop).map_err(failed)
}

/// Shows what is known before anything happens.
fn show(settings: &StateSettings, store: &Store, telemetry: &Telemetry) {
    telemetry.set_store_bytes(store.size_bytes());
    telemetry.observe_reload(true, settings.clock.wall().as_seconds_f64());
    show_sources(telemetry, &settings.policy);
    show_limits(telemetry, settings.quota);
}

/// Shows from where TTLs can come from the start, so that the first expiry is an increase.
fn show_sources(telemetry: &Telemetry, policy: &TtlPolicy) {
    let of_rule = |rule: &Rule| TtlSource::Rule(Arc::clone(&rule.name));
    let of_rules = policy.rules.iter().map(of_rule);
    for source in of_rules.chain([TtlSource::Push, TtlSource::Default]) {
        telemetry.count_expired_groups(&source.to_string(), 0);
    }
}

/// Shows how much may be stored, and that no push was refused for it yet.
fn show_limits(telemetry: &Telemetry, quota: Quota) {
    telemetry.set_limits(quota.groups, quota.series);
    for counted in [Counted::Groups, Counted::Series] {
        telemetry.count_over_limit(counted.name(), 0);
    }
}

/// What is stored is loaded however much it is: only pushes are refused.
fn warn_of_limits(quota: Quota, loaded: Loaded) {
    let stored = [
        (Counted::Groups, loaded.groups as u64),
        (Counted::Series, loaded.series),
    ];
    for (counted, stored) in stored {
        if let Some(limit) = quota.of(counted).filter(|limit| stored > *limit) {
            tracing::warn!(
                stored,
                limit,
                "more {counted} are stored than --{} allows; pushes that add any are refused",
                counted.flag()
            );
        }
    }
}

fn suspensions(clock: &Clock, grace_lasts: Duration, pause: Option<Suspension>) -> Suspensions {
    Suspensions {
        grace: grace(clock, grace_lasts),
        pause,
        reload: None,
    }
}

/// Expiry stands still at the beginning of time for a while after the start, so that
/// what became overdue while the gateway was down can be pushed again.
fn grace(clock: &Clock, lasts: Duration) -> Option<Suspension> {
    let until = Some(clock.ttl_now().plus(lasts));
    let by = "--ttl.startup-grace".to_owned();
    let reason = "the gateway was started".to_owned();
    (!lasts.is_zero()).then_some(Suspension {
        at: Horizon::SUSPENDED,
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
