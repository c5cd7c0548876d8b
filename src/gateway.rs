//! The whole gateway as one value: what `main` and tests start and stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::PolicySource;
use crate::format::name::NameRule;
use crate::http::{Context, Doors, Limits, Listener, Server, Site, reload_policy};
use crate::limits::{KEEP_HISTORY, MAX_BODY, REPLACED_BYTES};
use crate::state::{Loaded, Quota, State, StateError, StateSettings, reap_expired};
use crate::store::Place;
use crate::telemetry::Telemetry;
use crate::ttl::TtlPolicy;

/// What a gateway is started with.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Where the store is.
    pub place: Place,
    /// TTLs in force.
    pub policy: TtlPolicy,
    /// How long records of gone groups are kept; zero: there are none.
    pub keep_history: Duration,
    /// For how long after the start nothing expires.
    pub startup_grace: Duration,
    /// How many groups and series may be stored.
    pub quota: Quota,
    /// Whether TTLs are shown as series.
    pub expose: bool,
    /// Largest request body as sent, bytes.
    pub max_body: usize,
    /// Bytes that scrapes may hold of what has been replaced since they began, or as many as
    /// there are to scrape; see [`REPLACED_BYTES`].
    pub max_replaced: usize,
    /// Whether inconsistent pushes are taken, and what cannot be shown of them hidden.
    pub hide_inconsistent: bool,
    /// Names that pushed metrics and labels may have.
    pub names: NameRule,
    /// What is open to whoever can reach the gateway.
    pub doors: Doors,
    /// Where the pages are, and what the gateway tells of its flags.
    pub site: Site,
    /// The Pushgateway's persistence file, whose groups a store that never held anything
    /// takes over.
    pub import: Option<PathBuf>,
    /// The time.
    pub clock: Clock,
    /// Whether expired groups are removed. Tests hold the reaper back to show
    /// that nobody sees an expired group all the same.
    pub reap: bool,
}

impl GatewaySettings {
    /// What the program has without any flag.
    pub fn new(place: Place, clock: Clock) -> Self {
        Self {
            place,
            policy: TtlPolicy::default(),
            keep_history: KEEP_HISTORY,
            startup_grace: Duration::ZERO,
            quota: Quota::default(),
            expose: false,
            max_body: MAX_BODY,
            max_replaced: REPLACED_BYTES,
            hide_inconsistent: false,
            names: NameRule::Legacy,
            doors: Doors::default(),
            site: Site::default(),
            import: None,
            clock,
            reap: true,
        }
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    addresses: Vec<SocketAddr>,
    context: Arc<Context>,
    server: Server,
    state: Arc<State>,
    reaper: Option<JoinHandle<()>>,
}

/// A gateway that serves while its store is being loaded.
struct Starting {
    addresses: Vec<SocketAddr>,
    context: Arc<Context>,
    server: Server,
    loading: JoinHandle<Result<(Arc<State>, Loaded), StateError>>,
    reap: bool,
}

impl Starting {
    fn begin(settings: GatewaySettings, listeners: Vec<Listener>) -> Self {
        let GatewaySettings {
            place,
            policy,
            keep_history,
            startup_grace,
            quota,
            expose,
            max_body,
            max_replaced,
            hide_inconsistent,
            names,
            doors,
            site,
            import,
            clock,
            reap,
        } = settings;
        let addresses = listeners.iter().map(Listener::address).collect();
        let telemetry = Arc::new(Telemetry::with_clock(clock.clone()));
        let started = clock.wall();
        let limits = Limits {
            body: max_body,
            replaced: max_replaced,
            hide_inconsistent,
            names,
        };
        let context = Context::new(Arc::clone(&telemetry), limits, doors, site, started);
        let context = Arc::new(context);
        let server = Server::start(listeners, &context, clock.clone());
        let settings = StateSettings {
            place,
            policy,
            keep_history,
            startup_grace,
            quota,
            expose,
            import,
            names,
            clock,
        };
        Self {
            addresses,
            context,
            server,
            loading: tokio::task::spawn_blocking(move || State::start(settings, telemetry)),
            reap,
        }
    }

    async fn loaded(&mut self) -> Result<(Arc<State>, Loaded), StateError> {
        let loaded = (&mut self.loading).await;
        loaded.unwrap_or_else(|panic| Err(StateError::Panicked(panic.to_string())))
    }

    async fn finish(
        self,
        loaded: Result<(Arc<State>, Loaded), StateError>,
    ) -> Result<(Gateway, Loaded), StateError> {
        let (state, loaded) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                self.context.load_failed();
                self.server.drain().await;
                return Err(error);
            }
        };
        self.context.loaded(Arc::clone(&state));
        let reaper = self
            .reap
            .then(|| tokio::spawn(reap_expired(Arc::clone(&state))));
        let gateway = Gateway {
            addresses: self.addresses,
            context: self.context,
            server: self.server,
            state,
            reaper,
        };
        Ok((gateway, loaded))
    }

    /// Tells whoever waits. The load is left to itself, and to the end of the process: it reads, and
    /// what it writes it writes in transactions.
    async fn abandon(self) {
        self.context.load_abandoned();
        self.server.drain().await;
    }
}

impl Gateway {
    /// Serves on `listeners` and loads the store, for which pushes and scrapes wait. Returns when it
    /// is loaded.
    ///
    /// # Errors
    /// If the store cannot be used; nothing is served any more then.
    pub async fn start(
        settings: GatewaySettings,
        listeners: Vec<Listener>,
    ) -> Result<(Self, Loaded), StateError> {
        let mut starting = Starting::begin(settings, listeners);
        let loaded = starting.loaded().await;
        starting.finish(loaded).await
    }

    /// The same unless `stop` comes before the store is loaded, or somebody asks by HTTP that the
    /// program ends. Then this returns `None`, without waiting for the store, when whoever waited
    /// for it has been told; the store is as after a crash: whole.
    ///
    /// # Errors
    /// If the store cannot be used; nothing is served any more then.
    pub async fn start_unless(
        settings: GatewaySettings,
        listeners: Vec<Listener>,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<(Self, Loaded)>, StateError> {
        let mut starting = Starting::begin(settings, listeners);
        let context = Arc::clone(&starting.context);
        let loaded = tokio::select! {
            loaded = starting.loaded() => Some(loaded),
            () = stop => None,
            () = context.quit_requested() => None,
        };
        if let Some(loaded) = loaded {
            return starting.finish(loaded).await.map(Some);
        }
        starting.abandon().await;
        Ok(None)
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Reads TTL rules anew, all or nothing. What is returned needs the gateway no longer.
    ///
    /// # Errors
    /// Names all faults; the rules that were in force stay.
    pub fn reload(
        &self,
        source: PolicySource,
    ) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let (turns, state) = (Arc::clone(&self.context.reloading), Arc::clone(&self.state));
        async move {
            let reloaded = reload_policy(&turns, &state, source).await;
            reloaded.map_err(|error| error.to_string())
        }
    }

    /// Waits until the store is lost for good; says why.
    pub async fn broken(&self) -> String {
        self.state.health().broken().await
    }

    /// Waits until somebody asks by HTTP that the program ends.
    pub async fn quit_requested(&self) {
        self.context.quit_requested().await;
    }

    /// Lets requests in flight finish, then closes the store.
    pub async fn stop(self) {
        self.server.drain().await;
        if let Some(reaper) = self.reaper {
            reaper.abort();
        }
        let state = self.state;
        // It joins threads, which a worker of the runtime must not wait for.
        if tokio::task::spawn_blocking(move || state.close())
            .await
            .is_err()
        {
            tracing::error!("closing the store ended by a panic");
        }
    }
}
