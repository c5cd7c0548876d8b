//! What every request handler needs.

use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;

use crate::config::PolicySource;
use crate::limits::{BODY_BYTES_IN_FLIGHT, LARGE_PUSHES, SCRAPES};
use crate::state::State;
use crate::telemetry::Telemetry;

/// Bounds that an operator sets.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest request body as sent, bytes.
    pub body: usize,
}

/// What is open to whoever can reach the gateway.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// The admin API: `--web.enable-admin-api`.
    pub admin: bool,
    /// Reloading TTL rules by HTTP, from where: `--web.enable-lifecycle`.
    pub reload: Option<PolicySource>,
}

/// Shared by all connections.
#[derive(Debug)]
pub struct Context {
    /// Empty until the store is loaded: until then pushes and scrapes get 503.
    state: OnceLock<Arc<State>>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) limits: Limits,
    /// `--web.enable-admin-api`.
    pub(super) admin: bool,
    /// Where TTL rules are read from anew; `None`: `--web.enable-lifecycle` is off.
    pub(super) reload: Option<PolicySource>,
    /// Bytes of pushes in memory, in [`BODY_UNIT`]s.
    pub(super) bodies: Arc<Semaphore>,
    /// Large pushes being prepared; further ones wait.
    pub(super) large_pushes: Arc<Semaphore>,
    /// Scrapes at once; further ones wait.
    pub(super) scrapes: Arc<Semaphore>,
}

/// Bytes for which one permit of [`Context::bodies`] stands.
pub(super) const BODY_UNIT: usize = 1024;

impl Context {
    /// A context that answers 503 until [`Self::loaded`].
    pub fn new(telemetry: Arc<Telemetry>, limits: Limits, doors: Doors) -> Self {
        Self {
            state: OnceLock::new(),
            telemetry,
            limits,
            admin: doors.admin,
            reload: doors.reload,
            bodies: Arc::new(Semaphore::new(BODY_BYTES_IN_FLIGHT / BODY_UNIT)),
            large_pushes: Arc::new(Semaphore::new(LARGE_PUSHES)),
            scrapes: Arc::new(Semaphore::new(SCRAPES)),
        }
    }

    /// From now on requests are served from this state.
    pub fn loaded(&self, state: Arc<State>) {
        // A second call would be a defect; the first state stays.
        let _ = self.state.set(state);
    }

    /// The state, once it is loaded.
    pub(super) fn state(&self) -> Option<&Arc<State>> {
        self.state.get()
    }
}
