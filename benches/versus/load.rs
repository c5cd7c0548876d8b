//! Connections that push as fast as they are answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidegate::clock::Stopwatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process;
use super::requests::Requests;
use super::stats::{percentile_ms, real};

/// Connections of most loads.
pub(crate) const CONNECTIONS: usize = 64;

/// Gives the next group to push to, told how long it has been; `None` ends the connection.
pub(crate) type Groups = Box<dyn FnMut(Duration) -> Option<usize> + Send>;

/// Who pushes what.
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) requests: Requests,
}

/// One request that was answered.
pub(crate) struct Push {
    pub(crate) group: usize,
    /// Since the load began.
    pub(crate) answered: Duration,
    pub(crate) took: Duration,
}

/// What pushing came to.
pub(crate) struct Pushes {
    pub(crate) all: Vec<Push>,
    pub(crate) seconds: f64,
    /// Processor time of the pusher itself.
    pub(crate) own_cpu: f64,
}

impl Pushes {
    pub(crate) fn per_second(&self) -> f64 {
        real(self.all.len()) / self.seconds
    }

    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        let mut times: Vec<Duration> = self.all.iter().map(|push| push.took).collect();
        percentile_ms(&mut times, percent)
    }
}

impl Load {
    /// One of the usual 64 connections.
    pub(crate) fn new(address: SocketAddr, requests: Requests) -> Self {
        Self {
            address,
            connections: CONNECTIONS,
            requests,
        }
    }

    /// Pushes each group once.
    pub(crate) fn each(self, groups: usize) -> Pushes {
        let step = self.connections;
        self.run(|connection| {
            let mut groups = (connection..groups).step_by(step);
            Box::new(move |_| groups.next())
        })
    }

    /// Pushes to random groups for some time.
    pub(crate) fn random(self, groups: usize, limit: Duration) -> Pushes {
        self.run(|connection| {
            let mut random = Random::new(connection);
            Box::new(move |elapsed| (elapsed < limit).then(|| random.below(groups)))
        })
    }

    /// Pushes to random groups until told to end.
    pub(crate) fn until(self, is_over: &Arc<AtomicBool>, groups: usize) -> Pushes {
        self.run(|connection| {
            let (is_over, mut random) = (Arc::clone(is_over), Random::new(connection));
            Box::new(move |_| (!is_over.load(Ordering::Relaxed)).then(|| random.below(groups)))
        })
    }

    /// Pushes to so many random groups.
    pub(crate) fn some(self, groups: usize, count: usize) -> Pushes {
        let step = self.connections;
        self.run(|connection| {
            let mut random = Random::new(connection);
            let mut turns = (connection..count).step_by(step);
            Box::new(move |_| turns.next().map(|_| random.below(groups)))
        })
    }

    /// Runs all connections on this thread, each with groups of its own.
    pub(crate) fn run(self, groups: impl Fn(usize) -> Groups) -> Pushes {
        let (pushes, ended) = self.run_until_end(groups);
        ended.expect("answers to all requests");
        pushes
    }

    /// The same where the gateway may go away: says how the connections ended.
    pub(crate) fn run_until_end(
        self,
        groups: impl Fn(usize) -> Groups,
    ) -> (Pushes, io::Result<()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let cpu = process::own_cpu_seconds();
        let watch = Stopwatch::start();
        let (all, ended) = runtime.block_on(async {
            let (mut all, mut ended) = (Vec::new(), Ok(()));
            let begin = |connection| {
                let pusher = Pusher {
                    address: self.address,
                    requests: self.requests.clone(),
                    groups: groups(connection),
                    watch,
                    done: Vec::new(),
                };
                tokio::spawn(pusher.run())
            };
            let connections: Vec<_> = (0..self.connections).map(begin).collect();
            for connection in connections {
                let (pushes, end) = connection.await.expect("a connection that did not panic");
                all.extend(pushes);
                ended = ended.and(end);
            }
            (all, ended)
        });
        let pushes = Pushes {
            all,
            seconds: watch.seconds(),
            own_cpu: process::own_cpu_seconds() - cpu,
        };
        (pushes, ended)
    }
}

/// Random enough to spread over all groups, and the same in every run (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: usize) -> Self {
        Self(seed as u64)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(mixed >> 32).unwrap_or_default() % end.max(1)
    }
}

/// One connection.
struct Pusher {
    address: SocketAddr,
    requests: Requests,
    groups: Groups,
    watch: Stopwatch,
    done: Vec<Push>,
}

impl Pusher {
    async fn run(mut self) -> (Vec<Push>, io::Result<()>) {
        let end = self.push().await;
        (self.done, end)
    }

    async fn push(&mut self) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut answer = vec![0; 4096];
        while let Some(group) = (self.groups)(self.watch.elapsed()) {
            let sent = self.watch.elapsed();
            let request = self.requests.of(group, self.done.len());
            stream.write_all(request).await?;
            let mut got = 0;
            // Answers to pushes have no body: the head's end is the end.
            while !answer[..got].ends_with(b"\r\n\r\n") {
                let read = stream.read(&mut answer[got..]).await?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                got += read;
            }
            if !answer.starts_with(b"HTTP/1.1 20") {
                let text = String::from_utf8_lossy(&answer[..got]);
                return Err(io::Error::other(text.into_owned()));
            }
            let answered = self.watch.elapsed();
            self.done.push(Push {
                group,
                answered,
                took: answered.saturating_sub(sent),
            });
        }
        Ok(())
    }
}
