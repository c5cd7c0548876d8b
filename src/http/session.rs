//! One connection from its first byte on: TLS or not, HTTP/1 or HTTP/2, and its
//! requests to their handlers.

use std::convert::Infallible;
use std::future::pending;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Version};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::{self, ApiRequest};
use super::body::check_unneeded;
use super::connection::{Busy, TimedStream, WhileBusy};
use super::context::Context;
use super::first_line::FirstLine;
use super::foreign::is_foreign;
use super::handshake::handshake;
use super::health::{self, LOADING};
use super::push::{GroupRequest, delete, push};
use super::route::{Page, Route, route};
use super::scrape::{self, Scraper};
use super::{lifecycle, page, reply};
use crate::limits::{
    CONNECTION_WINDOW, HEAD_BYTES, HEAD_BYTES_U32, HEADER_TIME, HEADERS, IDLE_TIME, LOAD_TIME,
    PATH_BYTES, STREAM_RESETS, STREAM_SEND_BYTES, STREAM_TIME, STREAM_WINDOW, STREAMS,
};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// What the requests of one connection share.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) context: Arc<Context>,
    pub(super) peer: IpAddr,
    pub(super) busy: Busy,
    /// Knows what has been handed over: the same as `busy` in HTTP/1.
    pub(super) stream: Busy,
    pub(super) tasks: TaskTracker,
    pub(super) cut: CancellationToken,
}

impl Connection {
    /// Serves the connection to its end.
    pub(super) async fn serve(self, stream: TcpStream, stop: CancellationToken) {
        let gate = self.context.gate.clone();
        let Some(gate) = gate.filter(|gate| gate.has_tls()) else {
            return self.http1(stream, &stop).await;
        };
        let cut = self.cut.clone();
        let shaken = tokio::select! {
            shaken = handshake(stream, &gate) => shaken,
            () = stop.cancelled() => return,
            () = cut.cancelled() => return,
        };
        match shaken {
            Ok(Some(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.http2(stream, &stop).await;
            }
            Ok(Some(stream)) => self.http1(stream, &stop).await,
            Ok(None) => {}
            Err(error) => gate.handshakes.note(self.peer, &error),
        }
    }

    async fn http1(self, stream: impl Stream, stop: &CancellationToken) {
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
        let stream = FirstLine::new(stream, self.busy.clone());
        let stream = TokioIo::new(TimedStream::new(stream, self.busy.clone()));
        let cut = self.cut.clone();
        let serving = http.serve_connection(stream, service_fn(|request| self.reply(request)));
        // The stream ends idle connections by itself.
        finish(serving, &cut, stop, pending()).await;
    }

    async fn http2(mut self, stream: impl Stream, stop: &CancellationToken) {
        let mut http = http2::Builder::new(Streams {
            tasks: self.tasks.clone(),
            cut: self.cut.clone(),
        });
        http.timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEAD_BYTES_U32)
            .max_send_buf_size(STREAM_SEND_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .max_pending_accept_reset_streams(STREAM_RESETS)
            .max_local_error_reset_streams(STREAM_RESETS)
            // Ends connections whose peer is gone without a word.
            .keep_alive_interval(IDLE_TIME)
            .keep_alive_timeout(HEADER_TIME);
        self.stream = Busy::always();
        let stream = TokioIo::new(TimedStream::new(stream, self.stream.clone()));
        let (cut, busy) = (self.cut.clone(), self.busy.clone());
        let serving = http.serve_connection(stream, service_fn(move |request| self.reply(request)));
        finish(serving, &cut, stop, busy.idle()).await;
    }

    fn reply(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<WhileBusy>, Infallible>> + Send + use<> {
        let connection = self.clone();
        async move { Ok(connection.answer(request).await) }
    }

    async fn answer(self, request: Request<Incoming>) -> Response<WhileBusy> {
        let begun = self.busy.begin();
        // In HTTP/1 hyper sends no body to HEAD, in HTTP/2 it would.
        let headless = request.version() == Version::HTTP_2 && request.method() == Method::HEAD;
        let is_last = self.busy.ends_after_answer();
        let mut response = self.admit(request.map(Body::new)).await;
        if headless {
            response = reply::without_body(response);
        }
        if is_last {
            response = reply::last(response);
        }
        WhileBusy::dress(response, begun)
    }

    /// Answers a request if the gate lets it in.
    async fn admit(self, request: Request<Body>) -> Response {
        if request.headers().len() > HEADERS {
            return reply::too_many_headers();
        }
        if let Some(refusal) = check_head(&request) {
            return refusal;
        }
        let context = Arc::clone(&self.context);
        let Some(gate) = &context.gate else {
            return self.dispatch(request).await;
        };
        match gate.admit(request.headers(), &context.telemetry).await {
            Ok(admitted) => admitted.dress(self.dispatch(request).await),
            Err(refusal) => refusal,
        }
    }

    async fn dispatch(self, mut request: Request<Body>) -> Response {
        let context = &self.context;
        let uri = request.uri();
        let address = uri.path_and_query().map_or("", |address| address.as_str());
        if address.len() > PATH_BYTES {
            return reply::path_too_long();
        }
        let paths = &context.site.paths;
        let route = route(request.method(), uri.path(), uri.query(), paths);
        if !route.reads_body(request.method()) {
            let body = std::mem::take(request.body_mut());
            if let Err(error) = check_unneeded(context, request.headers(), body).await {
                return error.into_reply();
            }
        }
        match route {
            Route::Page(Page::Screen(screen)) => {
                page::answer(context, request, screen, self.peer).await
            }
            Route::Asset(name) => page::asset(context, request.method(), &name),
            Route::Page(page) => self.page(page, &request.into_parts().0).await,
            Route::Api(path) => {
                let (parts, body) = request.into_parts();
                let request = ApiRequest {
                    parts,
                    body,
                    path,
                    peer: self.peer,
                };
                api::answer(context, request, &self.cut).await
            }
            Route::Group { key, ttl } => self.group(request, key, ttl).await,
            Route::HowToQuit => reply::how_to_quit(),
            Route::Options(allow) => reply::options(allow),
            Route::NotAllowed(allow) => reply::method_not_allowed(allow),
            Route::Redirect(status, location) => {
                reply::redirect(request.method(), status, &location)
            }
            Route::Malformed => reply::malformed(),
            Route::NotFound => reply::not_found(),
        }
    }

    async fn page(&self, page: Page, request: &Parts) -> Response {
        let context = &self.context;
        match page {
            Page::Quit | Page::Reload if is_foreign(request) => reply::foreign(),
            Page::Healthy => health::healthy(context, &request.method),
            Page::Ready => health::ready(context, &request.method),
            Page::Quit => lifecycle::quit(context),
            Page::Reload => match context.state() {
                None => reply::unavailable(LOADING),
                Some(state) => lifecycle::reload(context, state, request.uri.query()).await,
            },
            // Screens are answered before.
            Page::Scrape | Page::Screen(_) => self.scrape(request).await,
        }
    }

    async fn scrape(&self, request: &Parts) -> Response {
        let context = &self.context;
        let patience = scrape::patience(&request.headers);
        let state = match context.loaded_state(patience).await {
            Ok(state) => state,
            Err(reason) => return reply::unavailable(reason),
        };
        let scraper = Scraper {
            address: self.peer,
            is_get: request.method == Method::GET,
            connection: &self.stream,
            cut: &self.cut,
        };
        scrape::scrape(context, state, &request.headers, scraper).await
    }

    async fn group(&self, request: Request<Body>, key: Vec<u8>, ttl: Option<String>) -> Response {
        // Nothing of the body is read meanwhile.
        let state = match self.context.loaded_state(LOAD_TIME).await {
            Ok(state) => state,
            Err(reason) => return reply::unavailable(reason),
        };
        let (parts, body) = request.into_parts();
        let deletes = parts.method == Method::DELETE;
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

/// What Go's HTTP layer asks of the head of a request in HTTP/1, before anything looks at it.
/// In HTTP/1.0 hyper itself refuses transfer codings.
fn check_head(request: &Request<Body>) -> Option<Response> {
    let (headers, version) = (request.headers(), request.version());
    if version > Version::HTTP_11 {
        return None;
    }
    match headers.get_all(HOST).iter().count() {
        0 if version == Version::HTTP_11 && request.method() != Method::CONNECT => {
            return Some(reply::bad_head("missing required Host header"));
        }
        0 | 1 => {}
        _ => return Some(reply::bad_head("too many Host headers")),
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    let known = codings.next().is_none_or(chunked) && codings.next().is_none();
    (!known).then(reply::unknown_transfer_coding)
}

/// Waits for a connection's end: by itself, cut off, or after its last answer when
/// the server stops or nobody has asked for long.
async fn finish<C: GracefulConnection>(
    serving: C,
    cut: &CancellationToken,
    stop: &CancellationToken,
    idle: impl Future<Output = ()>,
) {
    let mut serving = pin!(serving);
    let patience = tokio::select! {
        // Errors here are of the peer's making: it went away, or sent no HTTP.
        _ = &mut serving => return,
        () = cut.cancelled() => return,
        // Until the drain cuts it.
        () = stop.cancelled() => Duration::MAX,
        () = idle => HEADER_TIME,
    };
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = serving => {}
        () = cut.cancelled() => {}
        () = sleep(patience) => {}
    }
}

/// Runs the requests of an HTTP/2 connection, each with an end.
#[derive(Clone)]
struct Streams {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                _ = stream => {}
                () = cut.cancelled() => {}
                () = sleep(STREAM_TIME) => {}
            }
        });
    }
}
