//! What becomes of pushes while very many groups go at once: a wipe, a delete by matcher, and
//! groups that expire together? Over HTTP, with 8 connections that push to other groups all the
//! time. Beside that a wipe in peace, and deletes one by one over 64 connections.
//!
//!     cargo bench --bench bulk -- [GROUPS] [ROW]     (50000, twice as many expire; all rows)

mod stored;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;
use tidegate::clock::{Clock, ManualClock, Stopwatch, UnixNanos};
use tidegate::gateway::{Gateway, GatewaySettings};
use tidegate::http::{Doors, bind};
use tidegate::settings::ListenAddress;
use tidegate::store::{Batch, Place, Store};
use tidegate::ttl::{Ttl, TtlPolicy};
use tokio::runtime::Runtime;

const PUSHERS: usize = 8;
const DELETERS: usize = 64;
/// What a group lives.
const TTL: Duration = Duration::from_hours(1);
/// When all stored groups were pushed: see [`stored::rows`].
const PUSHED: UnixNanos = UnixNanos(1_795_308_991_679_737_914);

/// Makes all groups of a gateway go.
type Work = fn(&Running);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let groups = arguments.iter().find_map(|argument| argument.parse().ok());
    let groups: usize = groups.unwrap_or(50_000);
    let rows: [(&str, usize, usize, Work); 5] = [
        ("wipe-alone", groups, 0, wipe),
        ("wipe", groups, PUSHERS, wipe),
        ("matcher", groups, PUSHERS, delete_matching),
        ("expiry", 2 * groups, PUSHERS, expire),
        ("delete", groups, 0, delete),
    ];
    let is_named = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !rows.iter().any(|(name, ..)| is_named(name));
    println!(
        "| what | groups | seconds | groups/s | CPU us/group | pushes | p50 ms | p99 ms | max ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, groups, pushers, work) in rows {
        if all || is_named(name) {
            row(name, groups, pushers, work);
        }
    }
}

/// One line of the table: what it takes to make all groups go.
#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn row(name: &str, groups: usize, pushers: usize, work: Work) {
    let running = Running::start(groups);
    let done = AtomicBool::new(false);
    let (seconds, cpu, mut times) = thread::scope(|threads| {
        let pushers: Vec<_> = (0..pushers)
            .map(|pusher| {
                let (address, done) = (running.address, &done);
                threads.spawn(move || push_until(address, pusher, done))
            })
            .collect();
        if !pushers.is_empty() {
            thread::sleep(Duration::from_millis(300));
        }
        let (watch, cpu) = (Stopwatch::start(), cpu_seconds());
        work(&running);
        let (seconds, cpu) = (watch.seconds(), cpu_seconds() - cpu);
        done.store(true, Ordering::Relaxed);
        let times = pushers.into_iter();
        let times = times.flat_map(|pusher| pusher.join().expect("a pusher"));
        let meanwhile = times.filter(|(at, _)| at.elapsed() < watch.elapsed());
        let times: Vec<Duration> = meanwhile.map(|(_, time)| time).collect();
        (seconds, cpu, times)
    });
    times.sort_unstable();
    let at = |percent: usize| {
        let last = times.len().checked_sub(1)?;
        Some(times[last * percent / 100].as_secs_f64() * 1e3)
    };
    let ms = |percent| at(percent).map_or_else(String::new, |ms| format!("{ms:.1}"));
    println!(
        "| {name} | {groups} | {seconds:.2} | {:.0} | {:.1} | {} | {} | {} | {} |",
        groups as f64 / seconds,
        cpu * 1e6 / groups as f64,
        times.len(),
        ms(50),
        ms(99),
        ms(100),
    );
}

fn wipe(running: &Running) {
    running.ask("PUT", "/api/v1/admin/wipe", 202);
}

fn delete_matching(running: &Running) {
    let selector = utf8_percent_encode(r#"{job="batch"}"#, NON_ALPHANUMERIC);
    let path = format!("/api/v1/admin/delete_groups?match[]={selector}");
    running.ask("POST", &path, 200);
}

/// Lets the time of all groups come to its end, and waits until the reaper is done.
fn expire(running: &Running) {
    running.hands.advance(2 * TTL);
    while running.expired() > 0 {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Deletes each group by a request of its own.
fn delete(running: &Running) {
    thread::scope(|threads| {
        for first in 0..DELETERS {
            threads.spawn(move || {
                let mut connection = Connection::open(running.address);
                for group in (first..running.groups).step_by(DELETERS) {
                    connection.ask(
                        "DELETE",
                        &format!("/metrics/job/batch/instance/host-{group:06}"),
                        "",
                    );
                }
            });
        }
    });
}

/// Pushes to groups of its own; when each began and what it took.
fn push_until(address: SocketAddr, pusher: usize, done: &AtomicBool) -> Vec<(Stopwatch, Duration)> {
    let mut connection = Connection::open(address);
    let body = stored::body();
    let mut times = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let path = format!("/metrics/job/live/instance/{pusher}-{}", times.len() % 100);
        let watch = Stopwatch::start();
        connection.ask("PUT", &path, &body);
        times.push((watch, watch.elapsed()));
    }
    times
}

/// A connection that stays open.
struct Connection(TcpStream);

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self(stream)
    }

    /// Asks what is answered without a body.
    fn ask(&mut self, method: &str, path: &str, body: &str) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes()).expect("sent");
        let (mut answer, mut got) = ([0; 4096], 0);
        while !answer[..got].ends_with(b"\r\n\r\n") {
            let read = self.0.read(&mut answer[got..]).expect("an answer");
            assert!(read > 0, "the connection was closed");
            got += read;
        }
        let head = String::from_utf8_lossy(&answer[..got]);
        assert!(head.starts_with("HTTP/1.1 20"), "{head}");
    }
}

/// A gateway with its groups.
struct Running {
    groups: usize,
    address: SocketAddr,
    hands: ManualClock,
    _gateway: Gateway,
    _runtime: Runtime,
    _folder: TempDir,
}

impl Running {
    fn start(groups: usize) -> Self {
        let folder = TempDir::new().expect("a folder");
        let place = Place::folder(folder.path());
        let store = Store::open(&place).expect("a store").store;
        let batch = Batch {
            rows: stored::rows(groups).into_iter().collect(),
            ..Batch::default()
        };
        store.commit(&batch).expect("a commit");
        store.close().expect("a clean end");
        let (clock, hands) = Clock::manual(PUSHED);
        let settings = GatewaySettings {
            policy: TtlPolicy {
                default: Ttl::from_duration(TTL),
                ..TtlPolicy::default()
            },
            doors: Doors {
                admin: true,
                ..Doors::default()
            },
            ..GatewaySettings::new(place, clock)
        };
        let runtime = Runtime::new().expect("a runtime");
        let gateway = runtime.block_on(async {
            let address: ListenAddress = "127.0.0.1:0".parse().expect("an address");
            let listeners = bind(&[address]).expect("a free port");
            let started = Gateway::start(settings, listeners).await;
            started.expect("a start").0
        });
        Self {
            groups,
            address: gateway.addresses()[0],
            hands,
            _gateway: gateway,
            _runtime: runtime,
            _folder: folder,
        }
    }

    /// Asks on a connection of its own; the answer.
    fn ask(&self, method: &str, path: &str, status: u16) -> String {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        answer
    }

    /// How many groups have expired and are still to be removed.
    fn expired(&self) -> usize {
        let answer = self.ask("POST", "/api/v1/admin/ttl/reap?dry_run=true", 200);
        let (_, count) = answer.rsplit_once("\"groups\":").expect("a count");
        let digits: String = count.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a count")
    }
}

/// Processor time of this process, pushers included.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = after
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|t| t.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
