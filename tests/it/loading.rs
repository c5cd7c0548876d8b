//! While the store is being loaded: pushes, deletes and scrapes wait for it, all else says so.
//!
//! Client and gateway share one thread, and the time of its timers stands still unless a test moves
//! it: who is answered has not waited for longer than the test says.

use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::config::PolicySource;
use tidegate::gateway::{Gateway as Running, GatewaySettings};
use tidegate::http::{Doors, bind};
use tidegate::limits::LOAD_TIME;
use tidegate::state::{Loaded, StateError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{advance, pause, resume};

use crate::disk::{Disk, Held, Hold};
use crate::harness::{START, loopback};
use crate::sound::without_own;
use crate::support::LIMIT;
use crate::support::http::{Response, parse};

/// Timers are exact to this.
const TICK: Duration = Duration::from_millis(1);

pub(crate) type Starting = JoinHandle<Result<(Running, Loaded), StateError>>;

type MaybeStarting = JoinHandle<Result<Option<(Running, Loaded)>, StateError>>;

const HEALTHY: &str = "GET /-/healthy HTTP/1.1\r\nHost: tidegate\r\n\r\n";

/// Runs a test; fails if it waits for an answer that never comes.
pub(crate) fn on_one_thread(test: impl Future<Output = ()> + Send + 'static) {
    let (alive, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _alive = alive;
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(test);
    });
    let end: Result<(), _> = end.recv_timeout(LIMIT);
    assert_eq!(end, Err(RecvTimeoutError::Disconnected), "no answer");
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// Begins to start a gateway on this disk, and returns its port.
pub(crate) fn start(disk: &Disk) -> (u16, Starting) {
    let listeners = bind(&loopback()).expect("a free port");
    let port = listeners[0].address().port();
    let settings = GatewaySettings::new(disk.place(), Clock::manual(START).0);
    (port, tokio::spawn(Running::start(settings, listeners)))
}

/// A disk with a store that holds `old 1` of job old.
async fn filled() -> Disk {
    let disk = Disk::default();
    let (port, starting) = start(&disk);
    let (running, _) = starting.await.expect("no panic").expect("a start");
    let pushed = ask(port, "PUT", "/metrics/job/old", "", "old 1\n").await;
    assert_eq!(pushed.answer().await.status, 200);
    running.stop().await;
    disk
}

/// A gateway that has not loaded its store. Time stands still.
struct Loading {
    port: u16,
    starting: Starting,
    held: Hold,
}

impl Loading {
    /// It comes to where the disk does `what`, and no further.
    async fn until(disk: &Disk, what: Held) -> Self {
        let held = disk.hold(what);
        let (port, starting) = start(disk);
        pause();
        let loading = Self {
            port,
            starting,
            held,
        };
        assert_eq!(loading.ask("GET", "/-/ready", "").await.status, 503);
        disk.await_waiting();
        loading
    }

    /// Lets the disk go on; how the start ends. Time goes on then.
    async fn end(self) -> Result<Running, StateError> {
        drop(self.held);
        let started = self.starting.await.expect("no panic");
        resume();
        started.map(|(running, _)| running)
    }

    async fn begin(&self, method: &'static str, path: &str, header: &str) -> Asked {
        ask(self.port, method, path, header, "m 1\n").await
    }

    async fn ask(&self, method: &'static str, path: &str, header: &str) -> Response {
        self.begin(method, path, header).await.answer().await
    }
}

/// A request that the gateway has begun to answer.
pub(crate) struct Asked {
    connection: TcpStream,
    method: &'static str,
}

/// Asks for the health on a new connection and with the same bytes for what is to be tested, so that
/// the answer to the one says that the other has come.
pub(crate) async fn ask(
    port: u16,
    method: &'static str,
    path: &str,
    header: &str,
    body: &str,
) -> Asked {
    let connection = TcpStream::connect(("127.0.0.1", port)).await;
    let mut connection = connection.expect("the gateway accepts connections");
    let length = body.len();
    let request = format!(
        "{HEALTHY}{method} {path} HTTP/1.1\r\nHost: tidegate\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{header}\r\n{body}"
    );
    let sent = connection.write_all(request.as_bytes()).await;
    sent.expect("the gateway takes bytes");
    let mut healthy = Vec::new();
    while !healthy.ends_with(b"\r\n\r\nOK") {
        healthy.push(connection.read_u8().await.expect("an answer"));
    }
    Asked { connection, method }
}

impl Asked {
    pub(crate) async fn answer(mut self) -> Response {
        let mut answer = Vec::new();
        let read = self.connection.read_to_end(&mut answer).await;
        read.expect("an answer");
        parse(&answer, self.method == "HEAD")
    }

    pub(crate) fn has_no_answer(&self) -> bool {
        let came = self.connection.try_read(&mut [0]);
        came.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

fn told(answer: &Response) -> (u16, Option<&str>, String) {
    (answer.status, answer.header("Retry-After"), answer.text())
}

fn unavailable(text: &str) -> (u16, Option<&str>, String) {
    (503, Some("1"), format!("{text}\n"))
}

async fn exposition(port: u16) -> String {
    let answer = ask(port, "GET", "/metrics", "", "").await.answer().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    without_own(&answer.text())
}

#[test]
fn pushes_deletes_and_scrapes_wait_for_the_store_and_a_stop_lets_them_finish() {
    on_one_thread(async {
        let disk = filled().await;
        let loading = Loading::until(&disk, Held::Reads).await;
        let scrape = loading.begin("GET", "/metrics", "").await;
        let head = loading.begin("HEAD", "/metrics", "").await;
        let replace = loading.begin("PUT", "/metrics/job/put", "").await;
        let merge = loading.begin("POST", "/metrics/job/post", "").await;
        let delete = loading.begin("DELETE", "/metrics/job/old", "").await;
        advance(LOAD_TIME.saturating_sub(TICK)).await;
        let running = loading.end().await.expect("a start");
        // As after a SIGTERM that came while the store was being loaded.
        let stopping = tokio::spawn(running.stop());
        let scrape = scrape.answer().await;
        assert_eq!(scrape.status, 200, "{}", scrape.text());
        assert!(scrape.text().contains("\nold{"), "{}", scrape.text());
        assert_eq!(head.answer().await.status, 200);
        assert_eq!(replace.answer().await.status, 200);
        assert_eq!(merge.answer().await.status, 200);
        let delete = delete.answer().await;
        assert_eq!(delete.status, 202);
        assert_eq!(delete.header("Tidegate-Groups-Deleted"), Some("1"));
        // Answered is on disk.
        let (port, starting) = start(&disk.copy());
        let (running, _) = starting.await.expect("no panic").expect("a start");
        let shown = exposition(port).await;
        assert!(shown.contains("\nm{instance=\"\",job=\"put\"} 1\n"));
        assert!(shown.contains("\nm{instance=\"\",job=\"post\"} 1\n"));
        assert!(!shown.contains("old"), "{shown}");
        running.stop().await;
        stopping.await.expect("no panic");
    });
}

#[test]
fn all_else_is_answered_at_once_while_the_store_is_being_loaded() {
    on_one_thread(async {
        let loading = Loading::until(&filled().await, Held::Reads).await;
        let waiting = loading.begin("PUT", "/metrics/job/a", "").await;
        let still = unavailable("the store is still being loaded");
        assert_eq!(told(&loading.ask("GET", "/-/ready", "").await), still);
        assert_eq!(told(&loading.ask("POST", "/-/reload", "").await), still);
        let healthy = loading.ask("GET", "/-/healthy", "").await;
        assert_eq!(told(&healthy), (200, None, "OK".to_owned()));
        for (method, path, status) in [
            ("GET", "/nothing", 404),
            ("PUT", "/-/quit", 403),
            ("GET", "/api/v1/status", 200),
            ("GET", "/api/v1/metrics", 503),
            ("GET", "/api/v1/groups", 503),
            ("POST", "/api/v1/push", 503),
        ] {
            let answer = loading.ask(method, path, "").await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
            assert_eq!(answer.header("Retry-After").is_some(), status == 503);
        }
        for (path, status) in [("/", 503), ("/-/group?key=Yf8", 503), ("/status", 200)] {
            let page = loading.ask("GET", path, "").await;
            assert_eq!(page.status, status, "{path}");
            let text = page.text();
            assert!(text.contains("the store is still being loaded"), "{path}");
        }
        assert!(waiting.has_no_answer());
        let port = loading.port;
        let running = loading.end().await.expect("a start");
        assert_eq!(waiting.answer().await.status, 200);
        let ready = ask(port, "GET", "/-/ready", "", "").await.answer().await;
        assert_eq!(told(&ready), (200, None, "OK".to_owned()));
        running.stop().await;
    });
}

#[test]
fn no_body_is_asked_for_before_the_store_is_loaded() {
    on_one_thread(async {
        let loading = Loading::until(&filled().await, Held::Reads).await;
        let expects = "Expect: 100-continue\r\n";
        let waiting = loading.begin("PUT", "/metrics/job/a", expects).await;
        assert_eq!(loading.ask("GET", "/-/healthy", "").await.status, 200);
        assert!(waiting.has_no_answer());
        let running = loading.end().await.expect("a start");
        assert_eq!(waiting.answer().await.status, 100);
        running.stop().await;
    });
}

#[test]
fn who_has_waited_for_long_enough_gets_503_and_a_scraper_after_half_of_its_own_time() {
    on_one_thread(async {
        let loading = Loading::until(&filled().await, Held::Reads).await;
        let mut waiting = Vec::new();
        for (method, path, seconds, patience) in [
            ("PUT", "/metrics/job/a", "2", LOAD_TIME),
            ("POST", "/metrics/job/a", "2", LOAD_TIME),
            ("DELETE", "/metrics/job/a", "2", LOAD_TIME),
            ("GET", "/metrics", "2", Duration::from_secs(1)),
            ("HEAD", "/metrics", "2.5", Duration::from_millis(1250)),
            ("GET", "/metrics", "10", LOAD_TIME),
            ("GET", "/metrics", "60", LOAD_TIME),
            ("GET", "/metrics", "", LOAD_TIME),
        ] {
            let header = format!("X-Prometheus-Scrape-Timeout-Seconds: {seconds}\r\n");
            let asked = loading.begin(method, path, &header).await;
            waiting.push((patience, asked));
        }
        let mut now = Duration::ZERO;
        while let Some(next) = waiting.iter().map(|(patience, _)| *patience).min() {
            advance(next.saturating_sub(now + TICK)).await;
            // Whoever was to be answered by now has been when this is.
            assert_eq!(loading.ask("GET", "/-/healthy", "").await.status, 200);
            for (patience, asked) in &waiting {
                assert!(asked.has_no_answer(), "{} {patience:?}", asked.method);
            }
            now = next + TICK;
            advance(2 * TICK).await;
            for (_, asked) in waiting.extract_if(.., |(patience, _)| *patience == next) {
                let method = asked.method;
                let answer = asked.answer().await;
                let mut expected = unavailable("the store is still being loaded");
                if method == "HEAD" {
                    expected.2.clear();
                }
                assert_eq!(told(&answer), expected, "{method} {next:?}");
            }
        }
        let port = loading.port;
        let running = loading.end().await.expect("a start");
        assert!(exposition(port).await.contains("\nold{"));
        running.stop().await;
    });
}

#[test]
fn who_waits_for_a_store_that_cannot_be_loaded_is_told_at_once() {
    on_one_thread(async {
        let disk = filled().await;
        let loading = Loading::until(&disk, Held::Syncs).await;
        let push = loading.begin("PUT", "/metrics/job/a", "").await;
        let scrape = loading.begin("GET", "/metrics", "").await;
        disk.fail(true);
        let error = loading.end().await.expect_err("no start");
        assert!(
            error.to_string().contains("cannot use the store"),
            "{error}"
        );
        let failed = unavailable("the store could not be loaded");
        assert_eq!(told(&push.answer().await), failed);
        assert_eq!(told(&scrape.answer().await), failed);
    });
}

/// Begins to start a gateway on this disk, which stops when what is returned is dropped.
fn start_until_stopped(disk: &Disk) -> (u16, oneshot::Sender<()>, MaybeStarting) {
    let listeners = bind(&loopback()).expect("a free port");
    let port = listeners[0].address().port();
    let settings = GatewaySettings {
        doors: Doors {
            reload: Some(PolicySource::default()),
            ..Doors::default()
        },
        ..GatewaySettings::new(disk.place(), Clock::manual(START).0)
    };
    let (stop, stopped) = oneshot::channel();
    let stopped = async { drop(stopped.await) };
    let starting = Running::start_unless(settings, listeners, stopped);
    (port, stop, tokio::spawn(starting))
}

#[test]
fn a_stop_does_not_wait_for_the_store_tells_who_does_and_leaves_it_whole() {
    on_one_thread(async {
        for (what, by_http) in [
            (Held::Reads, false),
            (Held::Syncs, false),
            (Held::Reads, true),
        ] {
            let disk = filled().await;
            let held = disk.hold(what);
            let (port, stop, starting) = start_until_stopped(&disk);
            let push = ask(port, "PUT", "/metrics/job/a", "", "m 1\n").await;
            let scrape = ask(port, "GET", "/metrics", "", "").await;
            disk.await_waiting();
            if by_http {
                let quit = ask(port, "PUT", "/-/quit", "", "").await.answer().await;
                assert_eq!(quit.status, 200);
            } else {
                drop(stop);
            }
            let stopped = "the gateway was stopped before its store was loaded";
            assert_eq!(told(&push.answer().await), unavailable(stopped));
            assert_eq!(told(&scrape.answer().await), unavailable(stopped));
            let end = starting.await.expect("no panic");
            assert!(end.expect("no error").is_none(), "{what:?}");
            let (port, starting) = start(&disk.copy());
            let (running, _) = starting.await.expect("no panic").expect("a start");
            let shown = exposition(port).await;
            assert!(shown.contains("\nold{"), "{shown}");
            assert!(!shown.contains("\nm{"), "{shown}");
            running.stop().await;
            drop(held);
        }
    });
}

#[test]
fn a_client_that_goes_away_does_not_go_on_waiting() {
    on_one_thread(async {
        let loading = Loading::until(&filled().await, Held::Reads).await;
        for (method, path) in [("GET", "/metrics"), ("DELETE", "/metrics/job/old")] {
            let mut gone = ask(loading.port, method, path, "", "").await.connection;
            gone.shutdown().await.expect("an end of what is sent");
            let mut answer = Vec::new();
            gone.read_to_end(&mut answer).await.expect("an end");
            assert_eq!(answer, b"", "{method} {path}");
        }
        let port = loading.port;
        let running = loading.end().await.expect("a start");
        assert!(exposition(port).await.contains("\nold{"));
        running.stop().await;
    });
}
