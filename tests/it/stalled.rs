//! Scrapers that take nothing of their answers, and those that wait behind them.
//!
//! Client and gateway share one thread, and the time of its timers stands still unless a test moves
//! it.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tidegate::gateway::Gateway as Running;
use tidegate::limits::{ANSWER_IDLE_TIME, SCRAPE_STALL_LOOK, SCRAPE_STALL_TIME, SCRAPES};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::spawn_blocking;
use tokio::time::{advance, pause};

use crate::disk::Disk;
use crate::harness::repeated;
use crate::loading::{ask, on_one_thread, start};
use crate::support::sample;

/// Bytes of the exposition: more than sockets buffer, three times over.
const SHOWN: usize = 24_000_000;

/// More than sockets buffer.
const MUCH: usize = SHOWN / 2;

const TICK: Duration = Duration::from_millis(1);

/// A gateway with much to show. Time stands still.
struct Gateway {
    port: u16,
    _running: Running,
    /// Timers go on by themselves while all wait, unless some thread is at work.
    _work: Sender<()>,
}

impl Gateway {
    async fn start() -> Self {
        let (port, starting) = start(&Disk::default());
        let (running, _) = starting.await.expect("no panic").expect("a start");
        let (work, end) = channel();
        drop(spawn_blocking(move || end.recv()));
        pause();
        // The address is repeated in every line.
        let path = format!("/metrics/job/{}", "x".repeat(24_000));
        let body = repeated(SHOWN / 24_000, |n| format!("m{{n=\"{n}\"}} 1\n"));
        let pushed = ask(port, "PUT", &path, "", &body).await.answer().await;
        assert_eq!(pushed.status, 200, "{}", pushed.text());
        Self {
            port,
            _running: running,
            _work: work,
        }
    }

    /// Begins a scrape and takes only the head of the answer.
    async fn begin(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        let small = socket.set_recv_buffer_size(64 * 1024);
        small.expect("a small buffer");
        let connection = socket.connect(([127, 0, 0, 1], self.port).into()).await;
        let mut connection = connection.expect("the gateway accepts connections");
        let request = b"GET /metrics HTTP/1.1\r\nHost: tidegate\r\nConnection: close\r\n\r\n";
        let sent = connection.write_all(request).await;
        sent.expect("the gateway takes bytes");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.expect("the head of an answer"));
        }
        connection
    }

    /// How many scrapers have been cut off for this reason.
    async fn cut(&self, reason: &str) -> String {
        let answer = ask(self.port, "GET", "/metrics", "", "")
            .await
            .answer()
            .await;
        let series = format!("tidegate_scrapes_cut_total{{reason=\"{reason}\"}}");
        sample(&answer.text(), &series)
            .unwrap_or_default()
            .to_owned()
    }
}

/// Whether the rest of an answer comes.
async fn is_whole(mut connection: TcpStream, taken: usize) -> bool {
    let mut rest = Vec::new();
    // A connection that is cut off may end in a reset.
    let _ = connection.read_to_end(&mut rest).await;
    taken + rest.len() >= SHOWN
}

#[test]
fn a_scrape_does_not_wait_for_those_that_take_nothing() {
    on_one_thread(async {
        let gateway = Gateway::start().await;
        let mut moving = gateway.begin().await;
        let mut standing = Vec::new();
        for _ in 1..SCRAPES {
            standing.push(gateway.begin().await);
        }
        let waiting = ask(gateway.port, "GET", "/metrics", "", "").await;
        advance(SCRAPE_STALL_TIME.saturating_sub(TICK)).await;
        let taken = moving.read_exact(&mut vec![0; MUCH]).await;
        assert_eq!(taken.expect("half of the answer"), MUCH);
        assert!(waiting.has_no_answer());
        advance(SCRAPE_STALL_LOOK + TICK).await;
        let answer = waiting.answer().await;
        assert!(answer.status == 200 && answer.body.len() > SHOWN);
        // One place was wanted, and the oldest that stood had to give it.
        assert_eq!(gateway.cut("stalled").await, "1");
        assert!(is_whole(moving, MUCH).await);
        let mut standing = standing.into_iter();
        assert!(!is_whole(standing.next().expect("the oldest"), 0).await);
        assert!(is_whole(standing.next().expect("another one"), 0).await);
    });
}

#[test]
fn scrapers_that_are_cut_off_because_they_take_nothing_are_counted() {
    on_one_thread(async {
        let gateway = Gateway::start().await;
        let standing = [gateway.begin().await, gateway.begin().await];
        let mut moving = gateway.begin().await;
        advance(ANSWER_IDLE_TIME.saturating_sub(TICK)).await;
        let taken = moving.read_exact(&mut vec![0; MUCH]).await;
        assert_eq!(taken.expect("half of the answer"), MUCH);
        assert_eq!(gateway.cut("stalled").await, "0");
        advance(2 * TICK).await;
        for connection in standing {
            assert!(!is_whole(connection, 0).await);
        }
        assert!(is_whole(moving, MUCH).await);
        assert_eq!(gateway.cut("stalled").await, "2");
        assert_eq!(gateway.cut("slow").await, "0");
    });
}
