//! An exposition that is compressed while it is sent.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};
use std::vec::IntoIter;

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::Frame as BodyFrame;
use tokio::task::JoinHandle;

use super::scrape::{Done, Frames};
use crate::limits::CHUNK_BYTES;
use crate::lock::lock;
use crate::parallel::cores;
use crate::view::{Compressor, Member, Zipped, zip};

/// Text compressed by one thread at a time, bytes.
const ZIPPED_AT_ONCE: usize = 8 * CHUNK_BYTES;

/// Compressors that have nothing to do, shared by all scrapes: each takes far more memory than
/// what it makes at once, and a scraper that is stuck needs none. They go with the last scrape.
#[derive(Debug, Default)]
pub(super) struct Compressors(Mutex<Weak<Idle>>);

#[derive(Debug, Default)]
struct Idle(Mutex<Vec<Compressor>>);

impl Compressors {
    fn get(&self) -> Arc<Idle> {
        let mut shared = lock(&self.0);
        shared.upgrade().unwrap_or_else(|| {
            let idle = Arc::default();
            *shared = Arc::downgrade(&idle);
            idle
        })
    }
}

impl Idle {
    fn work<T>(&self, work: impl FnOnce(&mut Compressor) -> T) -> T {
        let idle = || lock(&self.0);
        let mut compressor = idle().pop().unwrap_or_default();
        let done = work(&mut compressor);
        let mut idle = idle();
        if idle.len() < cores() {
            idle.push(compressor);
        }
        done
    }
}

/// An exposition compressed on the blocking pool, on all cores, a little ahead of the
/// scraper. What was compressed before is taken as it is.
pub(super) struct Zipping {
    frames: Frames,
    /// Parts behind what the scraper has taken, in order.
    parts: VecDeque<Part>,
    idle: Arc<Idle>,
    ready: IntoIter<Bytes>,
    /// Taken out when all is handed over.
    member: Option<Member>,
    done: Done,
}

enum Part {
    Here(Zipped),
    Coming(JoinHandle<Zipped>),
}

impl Zipping {
    pub(super) fn new(frames: Frames, compressors: &Compressors, done: Done) -> Self {
        Self {
            frames,
            parts: VecDeque::new(),
            idle: compressors.get(),
            ready: vec![Member::header()].into_iter(),
            member: Some(Member::default()),
            done,
        }
    }

    /// Has parts compressed until enough are on their way.
    fn fill(&mut self) {
        while self.parts.len() < 2 * cores() && self.frames.len() > 0 {
            let (mut some, mut bytes, mut new) = (Vec::new(), 0, false);
            while bytes < ZIPPED_AT_ONCE
                && let Some(frame) = self.frames.next()
            {
                bytes += frame.len();
                new |= !frame.is_compressed();
                some.push(frame);
            }
            let (idle, holding) = (Arc::clone(&self.idle), self.frames.holding());
            let work = move || {
                idle.work(|compressor| zip(some, compressor))
                    .held_by(&holding)
            };
            self.parts.push_back(if new {
                Part::Coming(tokio::task::spawn_blocking(work))
            } else {
                Part::Here(work())
            });
        }
    }

    /// The next part, or what stands behind the last one.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<Bytes>>>> {
        self.fill();
        let Some(part) = self.parts.front_mut() else {
            return Poll::Ready(Ok(self.member.take().map(|member| vec![member.trailer()])));
        };
        if let Part::Coming(coming) = part {
            *part = Part::Here(ready!(Pin::new(coming).poll(cx)).map_err(io::Error::other)?);
        }
        let Some(Part::Here(part)) = self.parts.pop_front() else {
            return Poll::Ready(Ok(None)); // Never: it is there by now.
        };
        let member = self.member.as_mut();
        Poll::Ready(Ok(member.map(|member| member.add(part))))
    }
}

impl HttpBody for Zipping {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Self::Error>>> {
        loop {
            if let Some(bytes) = self.ready.next() {
                return Poll::Ready(Some(Ok(BodyFrame::data(bytes))));
            }
            match ready!(self.poll_part(cx)) {
                Ok(Some(pieces)) => self.ready = pieces.into_iter(),
                Ok(None) => {
                    self.done.last();
                    return Poll::Ready(None);
                }
                // It has panicked: this is no whole answer.
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}
