//! A gateway that a test starts, asks by raw HTTP, moves in time and starts again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidegate::clock::{Clock, ManualClock, UnixNanos};
use tidegate::format::inflate::gunzip;
use tidegate::format::name::NameRule;
use tidegate::gateway::{Gateway as Running, GatewaySettings};
use tidegate::http::{Doors, Gate, Site, bind};
use tidegate::limits::{KEEP_HISTORY, MAX_BODY, REPLACED_BYTES};
use tidegate::settings::ListenAddress;
use tidegate::state::Quota;
use tidegate::store::Place;
use tidegate::ttl::{Ttl, TtlPolicy};
use tokio::runtime::Runtime;

use crate::sound;
use crate::support::http::{Response, request};
use crate::support::sample;

/// 2026-11-22T03:07:00.5Z, which `push_time_seconds` shows as [`START_SECONDS`].
pub(crate) const START: UnixNanos = UnixNanos(1_795_316_820_500_000_000);
pub(crate) const START_SECONDS: &str = "1.7953168205e+09";

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const NANOSECOND: Duration = Duration::from_nanos(1);

/// How a test's gateway differs from the usual one.
pub(crate) struct Options {
    pub(crate) policy: TtlPolicy,
    pub(crate) max_body: usize,
    pub(crate) max_replaced: usize,
    pub(crate) reap: bool,
    pub(crate) hide_inconsistent: bool,
    pub(crate) doors: Doors,
    pub(crate) site: Site,
    pub(crate) keep_history: Duration,
    pub(crate) expose: bool,
    /// Where the store is instead of in a temporary folder.
    pub(crate) place: Option<Place>,
    pub(crate) startup_grace: Duration,
    pub(crate) quota: Quota,
    pub(crate) names: NameRule,
    /// `--web.config.file`.
    pub(crate) web_config: Option<PathBuf>,
}

impl Default for Options {
    /// Groups live for ever unless they are pushed otherwise, and the reaper is held back.
    fn default() -> Self {
        let policy = TtlPolicy {
            default: Ttl::Never,
            ..TtlPolicy::default()
        };
        Self {
            policy,
            max_body: MAX_BODY,
            max_replaced: REPLACED_BYTES,
            reap: false,
            hide_inconsistent: false,
            doors: Doors::default(),
            site: Site::default(),
            keep_history: KEEP_HISTORY,
            expose: false,
            place: None,
            startup_grace: Duration::ZERO,
            quota: Quota::default(),
            names: NameRule::Legacy,
            web_config: None,
        }
    }
}

/// A gateway on a free port of 127.0.0.1 with its store in a temporary folder.
pub(crate) struct Gateway {
    pub(crate) runtime: Option<Runtime>,
    running: Option<Running>,
    address: SocketAddr,
    hands: ManualClock,
    clock: Clock,
    options: Options,
    folder: TempDir,
}

impl Gateway {
    pub(crate) fn start() -> Self {
        Self::with(Options::default())
    }

    /// As usual, with the reaper at work.
    pub(crate) fn with_reaper() -> Self {
        Self::with(Options {
            reap: true,
            ..Options::default()
        })
    }

    pub(crate) fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (clock, hands) = Clock::manual(START);
        let runtime = runtime();
        let settings = settings(&folder, &options, clock.clone());
        let (running, address) = run(&runtime, settings);
        Self {
            runtime: Some(runtime),
            running: Some(running),
            address,
            hands,
            clock,
            options,
            folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Both the wall clock and TTL time go on.
    pub(crate) fn advance(&self, span: Duration) {
        self.hands.advance(span);
    }

    /// The same up to the last nanosecond.
    pub(crate) fn advance_almost(&self, span: Duration) {
        self.hands.advance(span.saturating_sub(NANOSECOND));
    }

    /// Somebody sets the wall clock.
    pub(crate) fn step_wall(&self, seconds: i64) {
        self.hands.step_wall(seconds);
    }

    /// As [`Self::restart`], with or without `--push.disable-consistency-check`.
    pub(crate) fn restart_hiding(&mut self, hides: bool) {
        self.options.hide_inconsistent = hides;
        self.restart();
    }

    /// As [`Self::restart`], with other limits of what is stored.
    pub(crate) fn restart_within(&mut self, quota: Quota) {
        self.options.quota = quota;
        self.restart();
    }

    /// Stops, and starts again on the same store with the same wall clock.
    pub(crate) fn restart(&mut self) {
        self.restart_at(self.clock.wall());
    }

    /// Stops, and starts again on the same store when the wall clock shows `now`.
    pub(crate) fn restart_at(&mut self, now: UnixNanos) {
        self.stop();
        let runtime = self.runtime.get_or_insert_with(runtime);
        (self.clock, self.hands) = Clock::manual(now);
        let settings = settings(&self.folder, &self.options, self.clock.clone());
        let (running, address) = run(runtime, settings);
        (self.running, self.address) = (Some(running), address);
    }

    /// Whether somebody has asked by HTTP that the gateway ends.
    pub(crate) fn is_to_quit(&self) -> bool {
        use std::future::Future as _;
        let running = self.running.as_ref().expect("a gateway that runs");
        let mut asked = std::pin::pin!(running.quit_requested());
        let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
        asked.as_mut().poll(&mut nobody).is_ready()
    }

    fn stop(&mut self) {
        if let (Some(runtime), Some(running)) = (&self.runtime, self.running.take()) {
            runtime.block_on(running.stop());
        }
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Response {
        request(self.address, method, path, headers, body.as_ref())
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send("GET", path, headers, "")
    }

    /// PUT, POST or DELETE of the group with this address, such as `job/a/zone/w`.
    pub(crate) fn write(&self, method: &str, group: &str, body: &str) -> Response {
        self.send(method, &format!("/metrics/{group}"), &[], body)
    }

    #[track_caller]
    pub(crate) fn put(&self, group: &str, body: &str) {
        let answer = self.write("PUT", group, body);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, ""),
            "PUT {group}"
        );
    }

    #[track_caller]
    pub(crate) fn post(&self, group: &str, body: &str) {
        let answer = self.write("POST", group, body);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, ""),
            "POST {group}"
        );
    }

    /// PUT with a TTL of its own.
    #[track_caller]
    pub(crate) fn put_for(&self, ttl: &str, group: &str, body: &str) {
        let headers = [("Tidegate-TTL", ttl)];
        let answer = self.send("PUT", &format!("/metrics/{group}"), &headers, body);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, ""),
            "PUT {group}"
        );
    }

    /// Deletes; whether there was such a group.
    #[track_caller]
    pub(crate) fn delete(&self, group: &str) -> bool {
        let answer = self.write("DELETE", group, "");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (202, ""),
            "DELETE {group}"
        );
        answer.header("Tidegate-Groups-Deleted") == Some("1")
    }

    /// A push that must be answered 400; its text.
    #[track_caller]
    pub(crate) fn refused(&self, method: &str, group: &str, body: &str) -> String {
        let answer = self.write(method, group, body);
        assert_eq!(answer.status, 400, "{method} {group}: {}", answer.text());
        answer.text()
    }

    /// The whole exposition, the gateway's own metrics included. Checked to be sound.
    #[track_caller]
    pub(crate) fn scrape(&self) -> String {
        let answer = self.get("/metrics", &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = String::from_utf8(answer.body).expect("an exposition in UTF-8");
        sound::check(&text);
        text
    }

    /// What was pushed, and the push times. Checked to be sound and the same in gzip.
    #[track_caller]
    pub(crate) fn exposition(&self) -> String {
        let plain = sound::without_own(&self.scrape());
        let zipped = self.get("/metrics", &[("Accept-Encoding", "gzip")]);
        assert_eq!(zipped.header("Content-Encoding"), Some("gzip"));
        let zipped = gunzip(&zipped.body, MAX_BODY).expect("one sound gzip member");
        let zipped = String::from_utf8(zipped).expect("an exposition in UTF-8");
        assert_eq!(
            sound::without_own(&zipped),
            plain,
            "gzip and identity differ"
        );
        plain
    }

    /// [`Self::exposition`] without the push times.
    #[track_caller]
    pub(crate) fn pushed(&self) -> String {
        sound::without(&self.exposition(), |name| name.starts_with("push_"))
    }

    /// The value of one series of a scrape.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> Option<String> {
        sample(&self.scrape(), series).map(str::to_owned)
    }

    /// The values of `tidegate_groups` and `tidegate_series`.
    #[track_caller]
    pub(crate) fn counts(&self) -> (String, String) {
        let text = self.scrape();
        let value = |name| sample(&text, name).expect("an own metric").to_owned();
        (value("tidegate_groups"), value("tidegate_series"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Without waiting: what the test found is what matters.
            if let Some(runtime) = self.runtime.take() {
                runtime.shutdown_background();
            }
        } else {
            self.stop();
        }
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// So many pieces of text, one behind the other.
pub(crate) fn repeated(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// One address of 127.0.0.1 with a free port.
pub(crate) fn loopback() -> [ListenAddress; 1] {
    ["127.0.0.1:0".parse().expect("a listen address")]
}

fn settings(folder: &TempDir, options: &Options, clock: Clock) -> GatewaySettings {
    let place = options.place.clone();
    let place = place.unwrap_or_else(|| Place::folder(folder.path()));
    let gate = options.web_config.as_deref();
    let gate = gate.map(|file| Gate::open(file, clock.clone()).expect("a sound web config"));
    GatewaySettings {
        policy: options.policy.clone(),
        max_body: options.max_body,
        max_replaced: options.max_replaced,
        reap: options.reap,
        hide_inconsistent: options.hide_inconsistent,
        doors: Doors {
            gate: gate.map(Arc::new),
            ..options.doors.clone()
        },
        site: options.site.clone(),
        keep_history: options.keep_history,
        expose: options.expose,
        startup_grace: options.startup_grace,
        quota: options.quota,
        names: options.names,
        ..GatewaySettings::new(place, clock)
    }
}

fn run(runtime: &Runtime, settings: GatewaySettings) -> (Running, SocketAddr) {
    runtime.block_on(async {
        let listeners = bind(&loopback()).expect("a free port");
        let (running, _) = Running::start(settings, listeners).await.expect("a start");
        let address = running.addresses()[0];
        (running, address)
    })
}
