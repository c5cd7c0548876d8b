//! GET of the exposition.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;
use std::vec::IntoIter;

use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame as BodyFrame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::context::Context;
use super::reply;
use crate::clock::Stopwatch;
use crate::format::negotiate::accepts_gzip;
use crate::format::text_write::{Identity, write_metrics};
use crate::limits::SCRAPE_TIME;
use crate::model::Family;
use crate::state::State;
use crate::view::{Frame, OwnFamily, exposition, gzip};

/// Compressed frames made ahead of what the scraper has taken.
const AHEAD: usize = 8;

/// Answers a scrape. `connection` is cut if the answer is not taken in time.
pub(super) async fn scrape(
    context: &Arc<Context>,
    state: &State,
    headers: &HeaderMap,
    connection: &CancellationToken,
) -> Response {
    let watch = Stopwatch::start();
    // Never closed, so this only waits for a place.
    let permit = context.scrapes.clone().acquire_owned().await.ok();
    let snapshot = state.snapshot();
    context
        .telemetry
        .set_stored(snapshot.groups() as u64, snapshot.series());
    context.telemetry.set_clock_drift(state.clock_drift());
    context
        .telemetry
        .set_expiry(state.expiry_numbers(&snapshot));
    let own = context
        .telemetry
        .families()
        .iter()
        .map(own_family)
        .collect();
    let frames = exposition(&snapshot, own);
    drop(snapshot);
    let lease = Lease {
        _permit: permit,
        _cut: cut_after(time_limit(headers), connection),
    };
    let done = Done {
        context: Arc::clone(context),
        watch,
        _lease: lease,
    };
    let encodings = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    if accepts_gzip(encodings) {
        reply::exposition(Body::new(compressed(frames, done)), true)
    } else {
        reply::exposition(Body::new(Plain::new(frames, done)), false)
    }
}

fn own_family(family: &Family<'_>) -> OwnFamily {
    let mut text = Vec::new();
    write_metrics(&mut text, family, &Identity::none());
    let help = family.help.as_deref().map(str::to_owned);
    OwnFamily {
        name: family.name.clone().into_owned(),
        kind: family.kind,
        help,
        text,
    }
}

/// How long the scraper says it waits; it has no use for what comes later.
fn time_limit(headers: &HeaderMap) -> Duration {
    let header = headers.get("x-prometheus-scrape-timeout-seconds");
    let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit
        .filter(|limit| !limit.is_zero())
        .map_or(SCRAPE_TIME, |limit| limit.min(SCRAPE_TIME))
}

/// Cuts a connection after some time, unless what is returned is dropped before.
/// A scraper that takes nothing would otherwise hold its snapshot for ever.
fn cut_after(limit: Duration, connection: &CancellationToken) -> DropGuard {
    let finished = CancellationToken::new();
    let guard = finished.clone().drop_guard();
    let connection = connection.clone();
    tokio::spawn(async move {
        if finished
            .run_until_cancelled(tokio::time::sleep(limit))
            .await
            .is_some()
        {
            tracing::warn!(
                seconds = limit.as_secs_f64(),
                "a scraper took too long and was cut off"
            );
            connection.cancel();
        }
    });
    guard
}

/// What a scrape holds while its answer is being sent.
struct Lease {
    _permit: Option<OwnedSemaphorePermit>,
    _cut: DropGuard,
}

/// Counts the scrape when its answer is sent or given up.
struct Done {
    context: Arc<Context>,
    watch: Stopwatch,
    _lease: Lease,
}

impl Drop for Done {
    fn drop(&mut self) {
        self.context.telemetry.observe_scrape(self.watch.seconds());
    }
}

/// An exposition as it is: every frame is the view's own bytes.
struct Plain {
    frames: IntoIter<Frame>,
    left: u64,
    _done: Done,
}

impl Plain {
    fn new(frames: Vec<Frame>, done: Done) -> Self {
        let left = frames.iter().map(|frame| frame.len() as u64).sum();
        Self {
            frames: frames.into_iter(),
            left,
            _done: done,
        }
    }
}

impl HttpBody for Plain {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Self::Error>>> {
        let next = self.frames.next().map(Frame::into_bytes);
        self.left -= next.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Poll::Ready(next.map(|bytes| Ok(BodyFrame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// An exposition that a blocking thread compresses a few frames ahead of the scraper.
struct Compressed {
    frames: mpsc::Receiver<Bytes>,
    _done: Done,
}

fn compressed(frames: Vec<Frame>, done: Done) -> Compressed {
    let (send, receive) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        for bytes in gzip(frames) {
            if send.blocking_send(bytes).is_err() {
                break; // The scraper has gone.
            }
        }
    });
    Compressed {
        frames: receive,
        _done: done,
    }
}

impl HttpBody for Compressed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Self::Error>>> {
        let next = ready!(self.frames.poll_recv(cx));
        Poll::Ready(next.map(|bytes| Ok(BodyFrame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_lasts_as_long_as_the_scraper_says_and_no_longer_than_the_limit() {
        for (header, expected) in [
            (None, SCRAPE_TIME),
            (Some("10"), Duration::from_secs(10)),
            (Some("0.5"), Duration::from_millis(500)),
            (Some("100000"), SCRAPE_TIME),
            (Some("0"), SCRAPE_TIME),
            (Some("-1"), SCRAPE_TIME),
            (Some("NaN"), SCRAPE_TIME),
            (Some("soon"), SCRAPE_TIME),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(
                    "x-prometheus-scrape-timeout-seconds",
                    header.parse().unwrap(),
                );
            }
            assert_eq!(time_limit(&headers), expected, "{header:?}");
        }
    }
}
