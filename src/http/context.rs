//! What every request handler needs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, SetOnce};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::api::Lists;
use super::gate::Gate;
use super::health::{LOADING, NOT_LOADED, STOPPED};
use super::page::FormKey;
use super::running::Running;
use super::zipping::Compressors;
use crate::clock::UnixNanos;
use crate::config::PolicySource;
use crate::format::name::NameRule;
use crate::limits::{BODY_BYTES_IN_FLIGHT, DUMPS, LARGE_PUSHES, LOAD_TIME, SCRAPES};
use crate::settings::Paths;
use crate::state::State;
use crate::telemetry::Telemetry;

/// What an operator allows of pushes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest request body as sent, bytes.
    pub body: usize,
    /// Whether inconsistent ones are taken: `--push.disable-consistency-check`.
    pub hide_inconsistent: bool,
    /// Bytes that scrapes may hold of what has been replaced:
    /// [`REPLACED_BYTES`](crate::limits::REPLACED_BYTES).
    pub replaced: usize,
    /// Names that metrics and labels may have: `--push.enable-utf8-names`.
    pub names: NameRule,
}

/// What the gateway is, as an operator made it; it shows it at `/api/v1/status`.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// Where its pages are.
    pub paths: Paths,
    /// Every flag by its long name with its value.
    pub flags: Vec<(String, String)>,
}

/// What is open to whoever can reach the gateway.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// The admin API: `--web.enable-admin-api`.
    pub admin: bool,
    /// Stopping the gateway and reloading TTL rules by HTTP, from where:
    /// `--web.enable-lifecycle`.
    pub reload: Option<PolicySource>,
    /// Who is let in at all, and whether by TLS: `--web.config.file`.
    pub gate: Option<Arc<Gate>>,
}

/// Shared by all connections.
#[derive(Debug)]
pub struct Context {
    /// Set when the store is loaded, or to why it never will be.
    state: SetOnce<Result<Arc<State>, &'static str>>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) limits: Limits,
    pub(super) site: Site,
    /// Wall clock of the start.
    pub(super) started: UnixNanos,
    /// Cancelled when somebody asks by HTTP that the program ends.
    pub(super) quit: CancellationToken,
    /// `--web.enable-admin-api`.
    pub(super) admin: bool,
    /// Where TTL rules are read from anew; `None`: `--web.enable-lifecycle` is off.
    pub(super) reload: Option<PolicySource>,
    /// Held by the reload whose turn it is.
    pub(crate) reloading: Arc<Mutex<()>>,
    /// What shows that a form was made by this process.
    pub(super) forms: FormKey,
    /// Lists of the API of which more pages may be asked for.
    pub(super) lists: Lists,
    /// What requests pass first; `None`: without `--web.config.file`.
    pub(super) gate: Option<Arc<Gate>>,
    /// Bytes of pushes in memory, in [`BODY_UNIT`]s.
    pub(super) bodies: Arc<Semaphore>,
    /// Large pushes being prepared; further ones wait.
    pub(super) large_pushes: Arc<Semaphore>,
    /// Scrapes at once; further ones wait.
    pub(super) scrapes: Arc<Semaphore>,
    /// The scrapes that are being answered.
    pub(super) running: Running,
    /// What they compress with.
    pub(super) compressors: Compressors,
    /// Answers at once that read the whole store; further ones wait.
    pub(super) dumps: Arc<Semaphore>,
}

/// Bytes for which one permit of [`Context::bodies`] stands.
pub(super) const BODY_UNIT: usize = 1024;

impl Context {
    /// A context without a state. Until [`Self::loaded`] or [`Self::load_failed`] requests wait for
    /// it or are answered 503.
    pub fn new(
        telemetry: Arc<Telemetry>,
        limits: Limits,
        doors: Doors,
        site: Site,
        started: UnixNanos,
    ) -> Self {
        Self {
            state: SetOnce::new(),
            telemetry,
            limits,
            site,
            started,
            quit: CancellationToken::new(),
            admin: doors.admin,
            reload: doors.reload,
            reloading: Arc::default(),
            forms: FormKey::new(),
            lists: Lists::default(),
            gate: doors.gate,
            bodies: Arc::new(Semaphore::new(BODY_BYTES_IN_FLIGHT / BODY_UNIT)),
            large_pushes: Arc::new(Semaphore::new(LARGE_PUSHES as usize)),
            scrapes: Arc::new(Semaphore::new(SCRAPES)),
            running: Running::default(),
            compressors: Compressors::default(),
            dumps: Arc::new(Semaphore::new(DUMPS)),
        }
    }

    /// From now on requests are served from this state.
    pub fn loaded(&self, state: Arc<State>) {
        // A second call would be a defect; the first state stays.
        let _ = self.state.set(Ok(state));
    }

    /// There will be no state: whoever waits for it is told at once.
    pub fn load_failed(&self) {
        let _ = self.state.set(Err(NOT_LOADED));
    }

    /// The same because the gateway is stopped before.
    pub fn load_abandoned(&self) {
        let _ = self.state.set(Err(STOPPED));
    }

    /// Waits until somebody asks by HTTP that the program ends.
    pub async fn quit_requested(&self) {
        self.quit.cancelled().await;
    }

    /// The state, once it is loaded.
    pub(super) fn state(&self) -> Option<&Arc<State>> {
        self.state.get()?.as_ref().ok()
    }

    /// The state, which is waited for while it is being loaded: for as long as `patience`, and at
    /// most for [`LOAD_TIME`].
    ///
    /// # Errors
    /// Why there is none, for a 503.
    pub(super) async fn loaded_state(
        &self,
        patience: Duration,
    ) -> Result<&Arc<State>, &'static str> {
        let loaded = match self.state.get() {
            Some(loaded) => loaded,
            None => timeout(patience.min(LOAD_TIME), self.state.wait())
                .await
                .map_err(|_| LOADING)?,
        };
        loaded.as_ref().map_err(|reason| *reason)
    }
}
