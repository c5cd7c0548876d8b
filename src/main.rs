//! The `tidegate` program: a subcommand, or flags, log, sockets, store; then it waits and drains.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit, setrlimit};
use tidegate::clock::Clock;
use tidegate::config::PolicySource;
use tidegate::gateway::{Gateway, GatewaySettings};
use tidegate::limits::REPLACED_BYTES;
use tidegate::settings::Settings;
use tidegate::store::Place;
use tidegate::{build_info, cli, flags, http, log, systemd};
use tokio::signal::unix::{SignalKind, signal};

/// What a push allocates on one thread is freed on another, which costs the system's allocator a
/// fifth of all processor time in locks and in merging free pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(exit) = cli::run(&args, &mut cli::ask_at_terminal) {
        return exit.print();
    }
    let settings = match settings(args) {
        Ok(settings) => settings,
        Err(exit) => return exit.print(),
    };
    log::init(settings.log_level, settings.log_format);
    allow_open_files();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start")),
    };
    let end = runtime.block_on(run(settings));
    // What a thread still reads, a store or a config file, is of no use to anybody now.
    runtime.shutdown_background();
    end.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

/// Raises the soft limit of open files to the hard one, as Go programs do: the
/// usual soft limit of 1024 is far below [`tidegate::limits::CONNECTIONS`].
fn allow_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

fn settings(args: Vec<OsString>) -> Result<Settings, flags::Exit> {
    let flags = flags::parse(args, |name| std::env::var_os(name))?;
    Ok(Settings::from_flags(flags)?)
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let listeners = if settings.systemd_socket {
        http::inherited()?
    } else {
        http::bind(&settings.listen)?
    };
    announce(&settings);
    for listener in &listeners {
        tracing::info!(address = %listener.address(), "listening");
    }
    let clock = Clock::system();
    let gate = open_gate(&settings, &clock)?;
    let policy_source = settings.policy_source.clone();
    let mut reload = false;
    let stop = async {
        loop {
            match signals.next().await {
                Event::Reload => reload = true,
                Event::Stop(signal) => {
                    tracing::info!(signal, "stopping before the store is loaded");
                    break systemd::stopping();
                }
            }
        }
    };
    let settings = gateway_settings(settings, gate, clock);
    let started = Gateway::start_unless(settings, listeners, stop).await?;
    let Some((gateway, loaded)) = started else {
        tracing::info!("stopped");
        return Ok(());
    };
    tracing::info!(
        groups = loaded.groups,
        series = loaded.series,
        "store loaded"
    );
    systemd::ready();
    if reload {
        tokio::spawn(gateway.reload(policy_source.clone()));
    }
    let broken = until_the_end(&gateway, &mut signals, &policy_source).await;
    systemd::stopping();
    gateway.stop().await;
    tracing::info!("stopped");
    broken.map_or(Ok(()), |reason| Err(anyhow::anyhow!(reason)))
}

/// Returns when the gateway is to be stopped, or, with the reason, when it cannot go on.
async fn until_the_end(
    gateway: &Gateway,
    signals: &mut Signals,
    policy_source: &PolicySource,
) -> Option<String> {
    loop {
        tokio::select! {
            event = signals.next() => match event {
                // Faults are logged and exported where they are found.
                Event::Reload => drop(tokio::spawn(gateway.reload(policy_source.clone()))),
                Event::Stop(signal) => {
                    tracing::info!(signal, "stopping: requests in flight are finished first");
                    return None;
                }
            },
            () = gateway.quit_requested() => return None,
            reason = gateway.broken() => return Some(reason),
        }
    }
}

fn open_gate(settings: &Settings, clock: &Clock) -> anyhow::Result<Option<Arc<http::Gate>>> {
    let Some(path) = &settings.web_config else {
        return Ok(None);
    };
    let gate = http::Gate::open(path, clock.clone())?;
    tracing::info!(path = %path.display(), tls = gate.has_tls(), "web config file");
    Ok(Some(Arc::new(gate)))
}

fn gateway_settings(
    settings: Settings,
    gate: Option<Arc<http::Gate>>,
    clock: Clock,
) -> GatewaySettings {
    GatewaySettings {
        place: Place::folder(&settings.store),
        policy: settings.ttl,
        keep_history: settings.ttl_history,
        startup_grace: settings.ttl_startup_grace,
        quota: settings.quota,
        expose: settings.ttl_expose,
        max_body: settings.max_body,
        max_replaced: REPLACED_BYTES,
        hide_inconsistent: settings.hide_inconsistent,
        names: settings.names,
        doors: http::Doors {
            admin: settings.enable_admin_api,
            reload: settings.enable_lifecycle.then_some(settings.policy_source),
            gate,
        },
        site: http::Site {
            paths: settings.paths,
            flags: settings.shown_flags,
        },
        import: settings.import,
        clock,
        reap: true,
    }
}

/// One line each for what an operator wants to know first.
fn announce(settings: &Settings) {
    tracing::info!(
        version = build_info::VERSION,
        revision = build_info::REVISION,
        "starting tidegate"
    );
    for notice in &settings.notices {
        tracing::warn!("{notice}");
    }
    tracing::info!(path = %settings.store.display(), "store");
    tracing::info!(ttl = %settings.ttl.default, "groups without a TTL of their own expire after");
    if let Some(file) = &settings.policy_source.file {
        let rules = settings.ttl.rules.iter().len();
        tracing::info!(path = %file.display(), rules, "config file");
    }
}

/// What a signal asks for.
enum Event {
    /// SIGHUP: read the TTL rules anew.
    Reload,
    /// End the program.
    Stop(&'static str),
}

struct Signals {
    hangup: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Also catches SIGXFSZ, so that a file-size limit is an error of the commit
    /// and not the end of the process.
    fn listen() -> anyhow::Result<Self> {
        let of = |kind| signal(kind).context("cannot listen for signals");
        let mut too_large = of(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
        tokio::spawn(async move { while too_large.recv().await.is_some() {} });
        Ok(Self {
            hangup: of(SignalKind::hangup())?,
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.hangup.recv() => Event::Reload,
            _ = self.terminate.recv() => Event::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Event::Stop("SIGINT"),
        }
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    systemd::failed(&format!("{error:#}"));
    let text = format!("tidegate: error: {error:#}\n");
    flags::Exit { code: 1, text }.print()
}
