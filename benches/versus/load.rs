//! 64 connections that push as fast as they are answered.

use std::net::SocketAddr;
use std::time::Duration;

use tidegate::clock::Stopwatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;

/// What pushing came to.
pub(crate) struct Pushes {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// A push of 20 series in 5 families to one group.
pub(crate) fn body(value: usize) -> String {
    let lines = |values: &[&str], line: &dyn Fn(&str, usize) -> String| -> String {
        values
            .iter()
            .zip(1..)
            .map(|(text, number)| line(text, number))
            .collect()
    };
    let rows =
        |outcome: &str, _| format!("job_rows_total{{outcome=\"{outcome}\"}} {}\n", value * 17);
    let depth = |queue: &str, _| format!("job_queue_depth{{queue=\"{queue}\"}} {}\n", value % 97);
    let step = |le: &str, n| format!("job_step_seconds_bucket{{le=\"{le}\"}} {}\n", n * 3);
    [
        "# HELP job_duration_seconds How long the last run of the job took.\n".to_owned(),
        format!("# TYPE job_duration_seconds gauge\njob_duration_seconds {value}.25\n"),
        "# TYPE job_last_success gauge\njob_last_success 1.7953e+09\n".to_owned(),
        "# HELP job_rows_total Rows handled, by outcome.\n# TYPE job_rows_total counter\n"
            .to_owned(),
        lines(&["inserted", "updated", "skipped", "failed"], &rows),
        "# HELP job_queue_depth Depth of each queue.\n# TYPE job_queue_depth gauge\n".to_owned(),
        lines(&["in", "out", "retry", "dead"], &depth),
        "# HELP job_step_seconds Time of each step.\n# TYPE job_step_seconds histogram\n"
            .to_owned(),
        lines(
            &["0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf"],
            &step,
        ),
        "job_step_seconds_sum 12.5\njob_step_seconds_count 24\n".to_owned(),
    ]
    .concat()
}

fn request(address: SocketAddr, group: usize, value: usize) -> Vec<u8> {
    let body = body(value);
    format!(
        "PUT /metrics/job/batch/instance/host-{group:06} HTTP/1.1\r\nHost: {address}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Pushes every group once.
pub(crate) fn fill(address: SocketAddr, groups: usize) {
    run(address, move |connection| {
        let mut groups = (connection..groups).step_by(CONNECTIONS);
        Box::new(move |_| groups.next())
    });
}

/// Pushes to random groups for some seconds.
pub(crate) fn push(address: SocketAddr, groups: usize, seconds: u64) -> Pushes {
    let limit = Duration::from_secs(seconds);
    let watch = Stopwatch::start();
    let mut times = run(address, move |connection| {
        let mut state = connection as u64 + 1;
        Box::new(move |elapsed| {
            // A linear congruence: random enough to spread over all groups.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (elapsed < limit).then_some(usize::try_from(state >> 33).unwrap_or_default() % groups)
        })
    });
    let seconds = watch.seconds();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    Pushes {
        per_second: per_second(times.len(), seconds),
        p50_ms: at(50),
        p99_ms: at(99),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// Gives the next group to push to, told how long it has been; `None` ends the connection.
type Groups = Box<dyn FnMut(Duration) -> Option<usize> + Send>;

/// Runs all connections on one thread; the time of every push.
fn run(address: SocketAddr, groups: impl Fn(usize) -> Groups) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|connection| tokio::spawn(pusher(address, groups(connection))))
            .collect();
        let mut times = Vec::new();
        for connection in connections {
            times.extend(connection.await.expect("a connection that was served"));
        }
        times
    })
}

async fn pusher(address: SocketAddr, mut groups: Groups) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.expect("connect");
    stream.set_nodelay(true).expect("no delay");
    let begin = Stopwatch::start();
    let mut times = Vec::new();
    let mut answer = vec![0; 4096];
    while let Some(group) = groups(begin.elapsed()) {
        let watch = Stopwatch::start();
        stream
            .write_all(&request(address, group, times.len()))
            .await
            .expect("send");
        let mut got = 0;
        // Answers to pushes have no body: the head's end is the end.
        while !answer[..got].ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut answer[got..]).await.expect("an answer");
            assert!(read > 0, "the connection was closed");
            got += read;
        }
        let line = String::from_utf8_lossy(&answer[..got.min(15)]).into_owned();
        assert!(line.starts_with("HTTP/1.1 20"), "{line}");
        times.push(watch.elapsed());
    }
    times
}
