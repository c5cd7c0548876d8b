//! The accept loop: connections in, and the drain.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Busy;
use super::context::Context;
use super::gate::Gate;
use super::listen::Listener;
use super::reply;
use super::session::Connection;
use crate::clock::Clock;
use crate::limited_log::LimitedLog;
use crate::limits::{ACCEPT_LOG_TIME, ACCEPT_PAUSE, CONNECTIONS, DRAIN_TIME};

/// Serves every listener until it is stopped.
#[derive(Debug)]
pub struct Server {
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Cut every connection, whatever it does.
    cut: CancellationToken,
    gate: Option<Arc<Gate>>,
    failures: Arc<LimitedLog>,
}

impl Server {
    /// Begins to serve. Must be called within a tokio runtime.
    pub fn start(listeners: Vec<Listener>, context: &Arc<Context>, clock: Clock) -> Self {
        let failures = LimitedLog::new(clock, 1, ACCEPT_LOG_TIME, |connections| {
            tracing::warn!(connections, "more connections could not be accepted");
        });
        let server = Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            gate: context.gate.clone(),
            failures,
        };
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        for listener in listeners {
            let acceptor = Acceptor {
                context: Arc::clone(context),
                tasks: server.tasks.clone(),
                stop: server.stop.clone(),
                cut: server.cut.clone(),
                places: Arc::clone(&places),
                failures: Arc::clone(&server.failures),
            };
            server.tasks.spawn(acceptor.run(listener));
        }
        server
    }

    /// Takes no more connections and lets requests in flight finish, for up to [`DRAIN_TIME`].
    pub async fn drain(self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(DRAIN_TIME, self.tasks.wait()).await.is_err() {
            tracing::warn!("some requests were not finished in time and are cut off");
            self.cut.cancel();
            self.tasks.wait().await;
        }
        if let Some(gate) = &self.gate {
            gate.handshakes.tell_left_out();
        }
        self.failures.tell_left_out();
    }
}

struct Acceptor {
    context: Arc<Context>,
    tasks: TaskTracker,
    stop: CancellationToken,
    cut: CancellationToken,
    places: Arc<Semaphore>,
    failures: Arc<LimitedLog>,
}

impl Acceptor {
    async fn run(self, listener: Listener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                accepted = listener.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.connection(stream, peer.ip().to_canonical()),
                Err(error) => {
                    self.failures.line(&Handle::current(), || {
                        tracing::warn!(%error, "cannot accept connections");
                    });
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn connection(&self, stream: TcpStream, peer: IpAddr) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            if self
                .context
                .gate
                .as_ref()
                .is_some_and(|gate| gate.has_tls())
            {
                return;
            }
            // Into an empty socket buffer: this neither waits nor is cut short.
            let _ = stream.try_write(reply::TOO_MANY_CONNECTIONS);
            return;
        };
        // Answers are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let busy = Busy::default();
        let connection = Connection {
            context: Arc::clone(&self.context),
            peer,
            stream: busy.clone(),
            busy,
            tasks: self.tasks.clone(),
            cut: self.cut.child_token(),
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            connection.serve(stream, stop).await;
            drop(place);
        });
    }
}
