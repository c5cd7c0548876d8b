//! One connection: its times, and the stream that keeps them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::limits::{ANSWER_IDLE_TIME, HEADER_TIME, IDLE_TIME};

/// Whether a request is being answered on a connection: then no read times out here.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy(Arc<Answers>);

#[derive(Debug, Default)]
struct Answers {
    /// One is being given.
    now: AtomicBool,
    /// How many were begun: one may come and go between two looks.
    begun: AtomicU64,
}

impl Busy {
    pub(super) fn begin(&self) {
        self.0.now.store(true, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.now.store(false, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.now.load(Ordering::Relaxed)
    }

    fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }
}

/// A stream that ends by itself when no request begins for [`IDLE_TIME`], when one
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
        let limit = Box::pin(tokio::time::sleep(IDLE_TIME));
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
        stalled
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
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
        Pin::new(&mut self.stream).poll_flush(cx)
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
        about(patience(&mut stream).await, IDLE_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_after_an_answer_that_no_read_has_seen() {
        let (mut client, server) = duplex(64);
        let busy = Busy::default();
        let mut stream = TimedStream::new(server, busy.clone());
        client.write_all(b"GET").await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        busy.begin();
        busy.end();
        about(patience(&mut stream).await, IDLE_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn no_read_times_out_while_a_request_is_answered() {
        let (mut client, server) = duplex(64);
        let busy = Busy::default();
        let mut stream = TimedStream::new(server, busy.clone());
        busy.begin();
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
        let expected = (4 * ANSWER_IDLE_TIME).saturating_sub(3 * SECOND);
        about(deadline(Duration::ZERO) - start, expected);
    }
}
