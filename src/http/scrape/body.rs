//! The bodies of scrapes, and what they hold until they are sent.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, ready};
use std::vec::IntoIter;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame as BodyFrame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::DropGuard;

use crate::clock::Stopwatch;
use crate::format::accept::Layout;
use crate::format::prototext::Prototext;
use crate::http::context::Context;
use crate::http::handover::Handover;
use crate::http::zipping::Zipping;
use crate::limits::PRINTED_AHEAD;
use crate::telemetry::CutScrape;
use crate::view::{Frame, Holding, gzip};

/// The body of an answer in this form.
pub(super) fn body(frames: Frames, layout: Layout, zipped: bool, done: Done) -> Body {
    match (layout, zipped) {
        (Layout::Text | Layout::Delimited, false) => Body::new(Plain::new(frames, done)),
        (Layout::Text | Layout::Delimited, true) => {
            let compressors = Arc::clone(&done.context);
            Body::new(Zipping::new(frames, &compressors.compressors, done))
        }
        (layout, false) => {
            let holding = frames.holding();
            let printed = printed(frames, layout).map(Frame::into_bytes);
            Body::new(ahead(printed, holding, done))
        }
        (layout, true) => {
            let holding = frames.holding();
            Body::new(ahead(gzip(printed(frames, layout)), holding, done))
        }
    }
}

/// Frames as the text form of protobuf.
fn printed(frames: Frames, layout: Layout) -> impl Iterator<Item = Frame> {
    let mut printer = Prototext::new(layout == Layout::CompactText);
    frames.map(move |frame| Frame::Text(printer.print(&frame.into_bytes()).into()))
}

/// The frames of a scrape, and the note of what it holds.
pub(in crate::http) struct Frames {
    frames: IntoIter<Frame>,
    holding: Arc<Holding>,
}

impl Frames {
    pub(super) fn new(frames: Vec<Frame>, holding: Arc<Holding>) -> Self {
        let frames = frames.into_iter();
        Self { frames, holding }
    }

    pub(in crate::http) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(in crate::http) fn holding(&self) -> Arc<Holding> {
        Arc::clone(&self.holding)
    }

    /// The bytes of the next frame, which are held until they are dropped.
    fn lend(&mut self) -> Option<Bytes> {
        Some(self.holding.lend(self.frames.next()?))
    }
}

/// For those who do not keep the frames that they take.
impl Iterator for Frames {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let frame = self.frames.next()?;
        self.holding.release();
        Some(frame)
    }
}

/// What a scrape holds while its answer is being sent.
pub(super) struct Lease {
    pub(super) _permit: Option<OwnedSemaphorePermit>,
    pub(super) _cut: DropGuard,
}

/// Counts the scrape when its answer is sent or given up.
pub(in crate::http) struct Done {
    pub(super) context: Arc<Context>,
    pub(super) watch: Stopwatch,
    pub(super) handover: Option<Handover>,
    pub(super) _lease: Lease,
}

impl Done {
    /// The last of the answer is being given.
    pub(in crate::http) fn last(&self) {
        if let Some(handover) = &self.handover {
            handover.complete();
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        let telemetry = &self.context.telemetry;
        telemetry.observe_scrape(self.watch.seconds());
        if self.handover.as_ref().is_some_and(Handover::is_abandoned) {
            tracing::warn!("a scraper took nothing of its answer and was cut off");
            telemetry.count_cut_scrapes(CutScrape::Stalled, 1);
        }
    }
}

/// An exposition as it is: every frame is the view's own bytes.
struct Plain {
    frames: Frames,
    left: u64,
    done: Done,
}

impl Plain {
    fn new(frames: Frames, done: Done) -> Self {
        let left = frames.frames.as_slice().iter();
        let left = left.map(|frame| frame.len() as u64).sum();
        Self { frames, left, done }
    }
}

impl HttpBody for Plain {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Self::Error>>> {
        let next = self.frames.lend();
        self.left -= next.as_ref().map_or(0, |bytes| bytes.len() as u64);
        if self.frames.len() == 0 {
            self.done.last();
        }
        Poll::Ready(next.map(|bytes| Ok(BodyFrame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// An exposition that a blocking thread makes, a few frames ahead of the scraper.
struct Ahead {
    frames: mpsc::Receiver<Bytes>,
    /// Set by the thread when it has made all there is.
    complete: Arc<AtomicBool>,
    done: Done,
}

fn ahead(
    frames: impl Iterator<Item = Bytes> + Send + 'static,
    holding: Arc<Holding>,
    done: Done,
) -> Ahead {
    let (send, receive) = mpsc::channel(PRINTED_AHEAD);
    let complete = Arc::new(AtomicBool::new(false));
    let made = Arc::clone(&complete);
    tokio::task::spawn_blocking(move || {
        for bytes in frames {
            if send.blocking_send(holding.made(bytes)).is_err() {
                return; // The scraper has gone.
            }
        }
        made.store(true, Ordering::Release);
    });
    Ahead {
        frames: receive,
        complete,
        done,
    }
}

impl HttpBody for Ahead {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Self::Error>>> {
        let next = ready!(self.frames.poll_recv(cx));
        // The thread may have ended by a panic: then this is no whole answer.
        if next.is_none() && self.complete.load(Ordering::Acquire) {
            self.done.last();
        }
        Poll::Ready(next.map(|bytes| Ok(BodyFrame::data(bytes))))
    }
}
