//! One connection: its times, and the stream that keeps them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::handover::{Handover, Piece};
use crate::limits::{ANSWER_IDLE_TIME, HEADER_TIME, IDLE_TIME};
use crate::lock::lock;

/// Whether a request is being answered on a connection: then no read times out here.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy(Arc<Answers>);

#[derive(Default)]
struct Answers {
    /// So many are being given: in HTTP/1 one at most.
    now: AtomicUsize,
    /// How many were begun: one may come and go between two looks.
    begun: AtomicU64,
    /// The peer took nothing for too long.
    abandoned: AtomicBool,
    /// Whether the connection is for one request only.
    ends: AtomicBool,
    /// What to do when all that was written has been handed to the system.
    handed: Mutex<Vec<Then>>,
}

/// What is done when something has been handed over.
pub(super) type Then = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Answers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Answers")
            .field("now", &self.now)
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

impl Busy {
    /// A request is being answered until what is returned is dropped.
    pub(super) fn begin(&self) -> Begun {
        self.0.now.fetch_add(1, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Begun(self.clone())
    }

    /// For a stream whose reads never time out.
    pub(super) fn always() -> Self {
        let busy = Self::default();
        busy.0.now.store(1, Ordering::Relaxed);
        busy
    }

    /// Waits until no request has been answered for [`IDLE_TIME`], or at first for
    /// [`HEADER_TIME`]; at most twice as long. For HTTP/2, where bytes on the stream
    /// do not tell whether a request has begun.
    pub(super) async fn idle(&self) {
        let (mut seen, mut span) = (0, HEADER_TIME);
        loop {
            tokio::time::sleep(span).await;
            let begun = self.begun();
            if !self.is_set() && begun == seen {
                return;
            }
            (seen, span) = (begun, IDLE_TIME);
        }
    }

    /// The connection ends with its next answer.
    pub(super) fn end_after_answer(&self) {
        self.0.ends.store(true, Ordering::Relaxed);
    }

    pub(super) fn ends_after_answer(&self) -> bool {
        self.0.ends.load(Ordering::Relaxed)
    }

    /// Does this once all that has been written up to now has been handed to the system; never
    /// if the connection ends before.
    pub(super) fn once_handed_over(&self, then: Then) {
        self.handed().push(then);
    }

    /// Whether the connection ended because its peer took nothing for [`ANSWER_IDLE_TIME`].
    pub(super) fn is_abandoned(&self) -> bool {
        self.0.abandoned.load(Ordering::Relaxed)
    }

    fn handed(&self) -> MutexGuard<'_, Vec<Then>> {
        lock(&self.0.handed)
    }

    fn is_set(&self) -> bool {
        self.0.now.load(Ordering::Relaxed) > 0
    }

    fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }
}

/// A request that is being answered, or was given up: in HTTP/2 a peer may take it back
/// at any moment, and its connection goes on.
#[derive(Debug)]
pub(super) struct Begun(Busy);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A response body that marks its connection as idle when it has been sent.
pub(super) struct WhileBusy {
    body: Body,
    handover: Option<Handover>,
    _begun: Begun,
}

impl WhileBusy {
    /// The response with such a body.
    pub(super) fn dress(mut response: Response, begun: Begun) -> Response<Self> {
        let handover = response.extensions_mut().remove();
        response.map(|body| Self {
            body,
            handover,
            _begun: begun,
        })
    }
}

impl axum::body::HttpBody for WhileBusy {
    type Data = Piece;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Piece>, axum::Error>>> {
        let this = &mut *self;
        let handover = this.handover.as_ref();
        // So that nobody takes what was given before for all there is.
        handover.inspect(|handover| handover.depart());
        let given = Pin::new(&mut this.body).poll_frame(cx);
        let given = given.map_ok(|frame| frame.map_data(|bytes| Piece::new(bytes, handover)));
        handover.inspect(|handover| {
            handover.asked(given.is_ready());
            handover.arrived();
        });
        given
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

/// A stream that ends by itself when no request begins for [`IDLE_TIME`] (the first: for
/// [`HEADER_TIME`]), when one
/// has begun and its head is not complete after [`HEADER_TIME`], or when the peer
/// takes nothing of an answer for [`ANSWER_IDLE_TIME`].
pub(super) struct TimedStream<S> {
    stream: S,
    busy: Busy,
    /// Answers begun when this was last looked at.
    seen: u64,
    phase: Phase,
    limit: Pin<Box<Sleep>>,
    /// Runs while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Nothing has come since the last answer.
    Idle,
    /// Part of a head has come.
    Head,
    /// A request is being answered.
    Busy,
}

impl<S> TimedStream<S> {
    pub(super) fn new(stream: S, busy: Busy) -> Self {
        // The first request is expected at once: silent connections take others' places.
        let limit = Box::pin(tokio::time::sleep(HEADER_TIME));
        Self {
            stream,
            busy,
            seen: 0,
            phase: Phase::Idle,
            limit,
            stalled: None,
        }
    }

    /// Notices the beginning and the end of requests.
    fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        let allowed = match phase {
            Phase::Idle => IDLE_TIME,
            Phase::Head => HEADER_TIME,
            Phase::Busy => return,
        };
        self.limit.as_mut().reset(deadline(allowed));
    }

    /// A write's outcome, or an error if none was possible for too long.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(ANSWER_IDLE_TIME)));
        stalled.as_mut().poll(cx).map(|()| {
            self.busy.0.abandoned.store(true, Ordering::Relaxed);
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a timer of tokio's own, not a time that is kept"
)]
fn deadline(allowed: std::time::Duration) -> Instant {
    Instant::now() + allowed
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let begun = this.busy.begun();
        if this.busy.is_set() {
            this.turn(Phase::Busy);
        } else if this.phase == Phase::Busy || this.seen != begun {
            this.turn(Phase::Idle);
        }
        this.seen = begun;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if this.phase == Phase::Busy {
            return read;
        }
        if read.is_ready() {
            if buf.filled().len() > before && this.phase == Phase::Idle {
                this.turn(Phase::Head);
            }
            return read;
        }
        match this.limit.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // hyper flushes when its own buffer is empty.
        if let Poll::Ready(Ok(())) = flushed {
            let handed = std::mem::take(&mut *self.busy.handed());
            for then in handed {
                then();
            }
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How long a read of `stream` takes until it gives up. Time is paused, so
    /// this costs none.
    async fn patience(stream: &mut TimedStream<tokio::io::DuplexStream>) -> Duration {
        let start = deadline(Duration::ZERO);
        let read = stream.read(&mut [0; 64]).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        deadline(Duration::ZERO) - start
    }

    fn about(time: Duration, expected: Duration) {
        assert!(time >= expected && time < expected + SECOND, "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_less_time_than_an_idle_connection() {
        let (mut client, server) = duplex(64);
        let mut stream = TimedStream::new(server, Busy::default());
        client.write_all(b"GET").await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        about(patience(&mut stream).await, HEADER_TIME);
        let (_client, server) = duplex(64);
        let mut stream = TimedStream::new(server, Busy::default());
        // So has who connects and says nothing.
        about(patience(&mut stream).await, HEADER_TIME);
        let (mut client, server) = duplex(64);
        let busy = Busy::default();
        let mut stream = TimedStream::new(server, busy.clone());
        client.write_all(b"GET").await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        drop(busy.begin());
        about(patience(&mut stream).await, IDLE_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_after_an_answer_that_no_read_has_seen() {
        let (mut client, server) = duplex(64);
        let busy = Busy::default();
        let mut stream = TimedStream::new(server, busy.clone());
        client.write_all(b"GET").await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        drop(busy.begin());
        about(patience(&mut stream).await, IDLE_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_at_the_same_time_are_told_from_none() {
        let busy = Busy::default();
        let (first, second) = (busy.begin(), busy.begin());
        drop(first);
        assert!(busy.is_set());
        drop(second);
        assert!(!busy.is_set());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_an_answer_under_way_is_not_idle() {
        let start = deadline(Duration::ZERO);
        let busy = Busy::default();
        busy.idle().await;
        about(deadline(Duration::ZERO) - start, HEADER_TIME);
        let start = deadline(Duration::ZERO);
        let begun = busy.begin();
        let end = async move {
            tokio::time::sleep(3 * IDLE_TIME).await;
            drop(begun);
        };
        tokio::join!(busy.idle(), end);
        let idle = deadline(Duration::ZERO) - start;
        assert!(idle > 3 * IDLE_TIME && idle <= 5 * IDLE_TIME, "{idle:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_its_peer_takes_back_is_over() {
        let busy = Busy::default();
        let answer = async {
            let _begun = busy.begin();
            std::future::pending::<()>().await;
        };
        let taken_back = tokio::time::timeout(SECOND, answer).await;
        assert!(taken_back.is_err() && !busy.is_set());
    }

    #[tokio::test(start_paused = true)]
    async fn no_read_times_out_while_a_request_is_answered() {
        let (mut client, server) = duplex(64);
        let busy = Busy::default();
        let mut stream = TimedStream::new(server, busy.clone());
        let _begun = busy.begin();
        let (client, read) = tokio::join!(
            async {
                tokio::time::sleep(3 * IDLE_TIME).await;
                client.write_all(b"x").await.map(|()| client)
            },
            stream.read_u8()
        );
        assert_eq!((client.is_ok(), read.unwrap()), (true, b'x'));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_left() {
        let (mut client, server) = duplex(64);
        let mut stream = TimedStream::new(server, Busy::default());
        let start = deadline(Duration::ZERO);
        let slow = async {
            // Something now and then is enough.
            for _ in 0..3 {
                tokio::time::sleep(ANSWER_IDLE_TIME.saturating_sub(SECOND)).await;
                client.read_exact(&mut [0; 64]).await.unwrap();
            }
            client
        };
        let (written, _client) = tokio::join!(stream.write_all(&[0; 64 * 5]), slow);
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(stream.busy.is_abandoned());
        let expected = (4 * ANSWER_IDLE_TIME).saturating_sub(3 * SECOND);
        about(deadline(Duration::ZERO) - start, expected);
    }
}
