//! Request bodies: read under every bound, and inflated.

use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::context::{BODY_UNIT, Context};
use super::pieces::Pieces;
use super::reply;
use crate::format::inflate::{InflateError, check_header, gunzip_within};
use crate::format::snappy::{SnappyError, unsnap_within};
use crate::limits::{
    BODY_BYTES_IN_FLIGHT, BODY_IDLE_TIME, BODY_RESERVED, BODY_TIME, LARGE_PUSHES, MAX_INFLATED,
    VERY_LARGE_PUSH,
};

/// A body as it came, and the share of the gateway's memory that it takes.
#[derive(Debug)]
pub(super) struct Received {
    pieces: Pieces,
    share: Share,
}

/// A body in one piece, and its share.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    pub(super) share: Share,
}

/// The part of [`Context::bodies`] that one push has.
#[derive(Debug)]
pub(super) struct Share(OwnedSemaphorePermit);

/// Why a body was not taken.
#[derive(Debug)]
pub(super) enum BodyError {
    /// Larger than `--push.max-body-size` as sent.
    TooLarge(usize),
    /// Larger than [`MAX_INFLATED`] once decompressed.
    Inflated(usize),
    /// All bodies in flight together take too much memory.
    NoMemory,
    /// Nothing came for [`BODY_IDLE_TIME`].
    Stalled,
    /// It was not there after [`BODY_TIME`].
    Slow,
    /// The body ended early or is not what its header says.
    Broken(String),
}

impl From<InflateError> for BodyError {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge { limit } => Self::Inflated(limit),
            InflateError::NoRoom => Self::NoMemory,
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<SnappyError> for BodyError {
    fn from(error: SnappyError) -> Self {
        match error {
            SnappyError::TooLarge { limit } => Self::Inflated(limit),
            SnappyError::NoRoom => Self::NoMemory,
            other => Self::Broken(other.to_string()),
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => {
                write!(
                    f,
                    "request body is larger than {limit} bytes (--push.max-body-size)"
                )
            }
            Self::Inflated(limit) => {
                write!(
                    f,
                    "request body is larger than {limit} bytes once decompressed"
                )
            }
            Self::NoMemory => f.write_str("too many bytes of pushes are in flight"),
            Self::Stalled => f.write_str("the request body stalled"),
            Self::Slow => write!(
                f,
                "the request body was not there after {} s",
                BODY_TIME.as_secs()
            ),
            Self::Broken(text) => f.write_str(text),
        }
    }
}

impl BodyError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) | Self::Inflated(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoMemory => StatusCode::SERVICE_UNAVAILABLE,
            Self::Stalled | Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn into_reply(self) -> Response {
        reply::error(self.status(), self)
    }
}

/// Reads the whole body.
pub(super) async fn receive(
    context: &Context,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, BodyError> {
    let whole = timeout(BODY_TIME, take(context, headers, body)).await;
    whole.unwrap_or(Err(BodyError::Slow))
}

async fn take(
    context: &Context,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<Received, BodyError> {
    let limit = context.limits.body;
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|declared: usize| declared > limit) {
        return Err(BodyError::TooLarge(limit));
    }
    let mut share = Share::first(context)?;
    // What is declared is believed only as far as something has come.
    let first = declared.unwrap_or_default().min(BODY_RESERVED);
    let mut pieces = Pieces::new(first, declared.unwrap_or(limit));
    while let Some(frame) = next_frame(&mut body).await? {
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = pieces.len() + data.len();
        if length > limit {
            return Err(BodyError::TooLarge(limit));
        }
        share.cover(length)?;
        pieces.push(&data).map_err(|_| BodyError::NoMemory)?;
    }
    Ok(Received { pieces, share })
}

/// How a body is compressed. Any other `Content-Encoding` is left alone, as the
/// Pushgateway leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    /// The framed form.
    Snappy,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_ENCODING)?.as_bytes();
        if value.eq_ignore_ascii_case(b"gzip") {
            return Some(Self::Gzip);
        }
        value
            .eq_ignore_ascii_case(b"snappy")
            .then_some(Self::Snappy)
    }
}

/// Undoes the `Content-Encoding`. Blocks for as long as that takes.
pub(super) fn inflate(headers: &HeaderMap, received: Received) -> Result<Whole, BodyError> {
    let whole = received.join()?;
    let Some(encoding) = Encoding::of(headers) else {
        return Ok(whole);
    };
    let Whole { bytes, mut share } = whole;
    // What was sent and what it becomes are there at the same time.
    let mut allow = |content: usize| share.cover(bytes.len() + content).is_ok();
    let inflated = match encoding {
        Encoding::Gzip => gunzip_within(&bytes, MAX_INFLATED, &mut allow)?,
        Encoding::Snappy => unsnap_within(&bytes, MAX_INFLATED, &mut allow)?,
    };
    drop(bytes);
    share.cover(inflated.len())?;
    let bytes = inflated;
    Ok(Whole { bytes, share })
}

/// What the Pushgateway asks of the body of every request outside the API, also
/// where it does not need it: if it is said to be gzip, it begins as such.
pub(super) async fn check_unneeded(
    context: &Context,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), BodyError> {
    if Encoding::of(headers) != Some(Encoding::Gzip) {
        return Ok(());
    }
    let received = receive(context, headers, body).await?;
    received.check_begin(headers)
}

async fn next_frame(
    body: &mut Body,
) -> Result<Option<hyper::body::Frame<bytes::Bytes>>, BodyError> {
    let frame = timeout(BODY_IDLE_TIME, body.frame())
        .await
        .map_err(|_| BodyError::Stalled)?;
    frame
        .transpose()
        .map_err(|error| BodyError::Broken(broken(&error)))
}

/// Go's words for a body that breaks off; else the innermost of what the HTTP
/// library says.
fn broken(error: &axum::Error) -> String {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => "unexpected EOF".to_owned(),
        _ => cause.to_string(),
    }
}

impl Received {
    /// Bytes as sent.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    pub(super) fn join(self) -> Result<Whole, BodyError> {
        let Self { pieces, share } = self;
        let bytes = pieces.join().map_err(|_| BodyError::NoMemory)?;
        Ok(Whole { bytes, share })
    }

    /// How many of the places for large pushes it takes: see [`VERY_LARGE_PUSH`].
    pub(super) fn places(&self, headers: &HeaderMap) -> u32 {
        let inflated = match Encoding::of(headers) {
            // A guess: text compresses about tenfold.
            Some(_) => 10 * self.len(),
            None => self.len(),
        };
        if inflated > VERY_LARGE_PUSH {
            LARGE_PUSHES
        } else {
            1
        }
    }

    /// A body that is said to be gzip has to begin as such.
    pub(super) fn check_begin(&self, headers: &HeaderMap) -> Result<(), BodyError> {
        if Encoding::of(headers) == Some(Encoding::Gzip) {
            check_header(self.pieces.begin())?;
        }
        Ok(())
    }
}

impl Share {
    fn first(context: &Context) -> Result<Self, BodyError> {
        let share = context.bodies.clone().try_acquire_owned();
        share.map(Self).map_err(|_| BodyError::NoMemory)
    }

    /// Covers so many bytes in all from now on: takes what is missing or gives back what is too
    /// much. Who is alone may have more than there is, or could never be let in.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), BodyError> {
        let wanted = bytes.clamp(1, BODY_BYTES_IN_FLIGHT).div_ceil(BODY_UNIT);
        let held = self.0.num_permits();
        if wanted < held {
            drop(self.0.split(held - wanted));
        } else if wanted > held {
            let missing = u32::try_from(wanted - held).map_err(|_| BodyError::NoMemory)?;
            let bodies = Arc::clone(self.0.semaphore());
            let more = bodies.try_acquire_many_owned(missing);
            self.0.merge(more.map_err(|_| BodyError::NoMemory)?);
        }
        Ok(())
    }

    /// To be kept by whoever keeps the push.
    pub(super) fn into_permit(self) -> OwnedSemaphorePermit {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::UnixNanos;
    use crate::format::name::NameRule;
    use crate::http::context::{Doors, Limits, Site};
    use crate::limits::{MAX_BODY, REPLACED_BYTES};
    use crate::telemetry::Telemetry;

    const MIB: usize = 1024 * 1024;

    fn context() -> Context {
        let limits = Limits {
            body: MAX_BODY,
            hide_inconsistent: false,
            replaced: REPLACED_BYTES,
            names: NameRule::Legacy,
        };
        let (doors, site) = (Doors::default(), Site::default());
        Context::new(
            Arc::new(Telemetry::new()),
            limits,
            doors,
            site,
            UnixNanos::default(),
        )
    }

    /// What the pushes have of the memory for bodies.
    fn covered(context: &Context) -> usize {
        BODY_BYTES_IN_FLIGHT - BODY_UNIT * context.bodies.available_permits()
    }

    /// A body that comes in the pieces that are sent.
    struct Pieces(mpsc::UnboundedReceiver<Bytes>);

    impl axum::body::HttpBody for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            let piece = self.0.poll_recv(cx);
            piece.map(|piece| piece.map(|bytes| Ok(hyper::body::Frame::data(bytes))))
        }
    }

    fn pieces() -> (mpsc::UnboundedSender<Bytes>, Body) {
        let (send, receive) = mpsc::unbounded_channel();
        (send, Body::new(Pieces(receive)))
    }

    fn declared(bytes: usize) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_LENGTH, bytes.into())])
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_come_is_covered_and_not_what_is_declared() {
        let context = context();
        let (send, body) = pieces();
        let headers = declared(MAX_BODY);
        let mut reading = Box::pin(receive(&context, &headers, body));
        let mut come = 0;
        for pieces in [0, 1, 100, 500] {
            for _ in 0..pieces {
                send.send(Bytes::from_static(&[b'x'; 16 * 1024])).unwrap();
            }
            come += pieces * 16 * 1024;
            let second = Duration::from_secs(1);
            assert!(timeout(second, &mut reading).await.is_err());
            assert_eq!(covered(&context), come.max(BODY_UNIT));
        }
        drop(reading);
        assert_eq!(covered(&context), 0);
    }

    #[tokio::test]
    async fn a_body_takes_the_room_that_it_declares_and_no_more() {
        let context = context();
        for length in [1, 100, 40_000, 64 * 1024, 100_000, 3 * MIB, 9_000_001] {
            let (send, body) = pieces();
            for piece in vec![b'x'; length].chunks(16 * 1024) {
                send.send(Bytes::copy_from_slice(piece)).unwrap();
            }
            drop(send);
            let received = receive(&context, &declared(length), body).await.unwrap();
            assert_eq!(received.pieces.capacity(), length);
            let received = received.join().unwrap();
            assert_eq!(
                (received.bytes.len(), received.bytes.capacity()),
                (length, length)
            );
        }
    }

    #[tokio::test]
    async fn a_very_large_push_is_prepared_alone() {
        let context = context();
        let plain = HeaderMap::new();
        let zipped = HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().unwrap())]);
        for (headers, length, places) in [
            (&plain, VERY_LARGE_PUSH, 1),
            (&plain, VERY_LARGE_PUSH + 1, LARGE_PUSHES),
            (&zipped, VERY_LARGE_PUSH / 10, 1),
            (&zipped, VERY_LARGE_PUSH / 10 + 1, LARGE_PUSHES),
        ] {
            let body = Body::from(vec![b'x'; length]);
            let received = receive(&context, headers, body).await.unwrap();
            assert_eq!(received.places(headers), places, "{length}");
        }
    }

    #[tokio::test]
    async fn what_is_sent_is_given_back_once_it_is_inflated() {
        let context = context();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(&vec![b'x'; 10 * MIB]).unwrap();
        let sent = encoder.finish().unwrap();
        let units = sent.len().div_ceil(BODY_UNIT);
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().unwrap())]);
        let received = receive(&context, &headers, Body::from(sent.clone())).await;
        let inflated = inflate(&headers, received.unwrap()).unwrap();
        assert_eq!(covered(&context), 10 * MIB);
        drop(inflated);
        // Both are there at the same time, so both need room.
        let received = receive(&context, &headers, Body::from(sent)).await.unwrap();
        let left = context.bodies.available_permits();
        let others = Arc::clone(&context.bodies);
        let _others = others.try_acquire_many_owned(u32::try_from(left - 8 * 1024).unwrap());
        let refused = inflate(&headers, received).unwrap_err();
        assert!(matches!(refused, BodyError::NoMemory), "{refused:?}");
        assert_eq!(context.bodies.available_permits(), 8 * 1024 + units);
    }
}
