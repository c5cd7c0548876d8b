//! The accept loop: connections in, requests to their handlers, and the drain.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::{self, ApiRequest};
use super::connection::{Busy, TimedStream};
use super::context::Context;
use super::health::{self, LOADING};
use super::listen::Listener;
use super::push::{GroupRequest, delete, push};
use super::route::{Route, route};
use super::{lifecycle, reply, scrape};
use crate::limits::{CONNECTIONS, DRAIN_TIME, HEAD_BYTES, HEADERS, PATH_BYTES};

/// How long to wait when the system gives no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves every listener until it is stopped.
#[derive(Debug)]
pub struct Server {
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Cut every connection, whatever it does.
    cut: CancellationToken,
}

impl Server {
    /// Begins to serve. Must be called within a tokio runtime.
    pub fn start(listeners: Vec<Listener>, context: &Arc<Context>) -> Self {
        let server = Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
        };
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        for listener in listeners {
            let acceptor = Acceptor {
                context: Arc::clone(context),
                tasks: server.tasks.clone(),
                stop: server.stop.clone(),
                cut: server.cut.clone(),
                places: Arc::clone(&places),
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
    }
}

struct Acceptor {
    context: Arc<Context>,
    tasks: TaskTracker,
    stop: CancellationToken,
    cut: CancellationToken,
    places: Arc<Semaphore>,
}

impl Acceptor {
    async fn run(self, listener: Listener) {
        while let Some(accepted) = self
            .stop
            .run_until_cancelled(listener.socket.accept())
            .await
        {
            match accepted {
                Ok((stream, peer)) => self.connection(stream, peer.ip().to_canonical()),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn connection(&self, stream: TcpStream, peer: IpAddr) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            // Into an empty socket buffer: this neither waits nor is cut short.
            let _ = stream.try_write(reply::TOO_MANY_CONNECTIONS);
            return;
        };
        // Answers are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            context: Arc::clone(&self.context),
            peer,
            busy: Busy::default(),
            cut: self.cut.child_token(),
        };
        self.tasks
            .spawn(connection.serve(stream, self.stop.clone(), place));
    }
}

/// What the requests of one connection share.
#[derive(Clone)]
struct Connection {
    context: Arc<Context>,
    peer: IpAddr,
    busy: Busy,
    cut: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream, stop: CancellationToken, place: OwnedSemaphorePermit) {
        let stream = TokioIo::new(TimedStream::new(stream, self.busy.clone()));
        let cut = self.cut.clone();
        let service = service_fn(move |request| {
            let connection = self.clone();
            async move { Ok::<_, Infallible>(connection.answer(request).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            // Kept by the stream, which knows an idle connection from a slow head.
            .header_read_timeout(None)
            .max_headers(HEADERS)
            // Also how much of an answer is taken ahead of a slow peer. `pipeline_flush`
            // would lift that bound.
            .max_buf_size(HEAD_BYTES)
            // As Go writes them: scripts grep for `Content-Type`.
            .title_case_headers(true);
        let mut serving = std::pin::pin!(http.serve_connection(stream, service));
        // Errors here are of the peer's making: it went away, or sent no HTTP.
        tokio::select! {
            _ = &mut serving => {}
            () = cut.cancelled() => {}
            () = stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                tokio::select! {
                    _ = serving => {}
                    () = cut.cancelled() => {}
                }
            }
        }
        drop(place);
    }

    async fn answer(self, request: Request<Incoming>) -> Response {
        let busy = self.busy.clone();
        busy.begin();
        let response = self.dispatch(request.map(Body::new)).await;
        response.map(|body| Body::new(WhileBusy { body, busy }))
    }

    async fn dispatch(self, request: Request<Body>) -> Response {
        let context = &self.context;
        let uri = request.uri();
        let address = uri.path_and_query().map_or("", |address| address.as_str());
        if address.len() > PATH_BYTES {
            return reply::path_too_long();
        }
        match route(request.method(), uri.path(), uri.query()) {
            Route::Healthy => health::healthy(context),
            Route::Ready => health::ready(context),
            Route::Scrape => match context.state() {
                None => reply::unavailable(LOADING),
                Some(state) => scrape::scrape(context, state, request.headers(), &self.cut).await,
            },
            Route::Reload => match context.state() {
                None => reply::unavailable(LOADING),
                Some(state) => lifecycle::reload(context, state, uri.query()).await,
            },
            Route::Api(path) => {
                let (parts, body) = request.into_parts();
                let peer = self.peer;
                api::answer(
                    context,
                    ApiRequest {
                        parts,
                        body,
                        path,
                        peer,
                    },
                )
                .await
            }
            Route::Group { key, ttl } => self.group(request, key, ttl).await,
            Route::Options(allow) => reply::options(allow),
            Route::NotAllowed(allow) => reply::method_not_allowed(allow),
            Route::Redirect(location) => reply::redirect(&location),
            Route::Malformed => reply::malformed(),
            Route::NotFound => reply::not_found(),
        }
    }

    async fn group(&self, request: Request<Body>, key: Vec<u8>, ttl: Option<String>) -> Response {
        let Some(state) = self.context.state() else {
            return reply::unavailable(LOADING);
        };
        let (parts, body) = request.into_parts();
        let deletes = parts.method == axum::http::Method::DELETE;
        let request = GroupRequest {
            parts,
            body,
            key,
            ttl,
            peer: self.peer,
        };
        if deletes {
            delete(&self.context, state, request).await
        } else {
            push(&self.context, state, request).await
        }
    }
}

/// A response body that marks its connection as idle when it has been sent.
struct WhileBusy {
    body: Body,
    busy: Busy,
}

impl Drop for WhileBusy {
    fn drop(&mut self) {
        self.busy.end();
    }
}

impl axum::body::HttpBody for WhileBusy {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, axum::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
