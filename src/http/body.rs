//! Request bodies: read under every bound, and inflated.

use std::error::Error;
use std::{fmt, io};

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::context::{BODY_UNIT, Context};
use super::reply;
use crate::format::inflate::{InflateError, check_header, gunzip};
use crate::format::snappy::{SnappyError, unsnap};
use crate::limits::{BODY_IDLE_TIME, BODY_RESERVED, BODY_TIME, MAX_INFLATED};

/// A body in memory, and the share of the gateway's memory that it takes.
#[derive(Debug)]
pub(super) struct Received {
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
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<SnappyError> for BodyError {
    fn from(error: SnappyError) -> Self {
        match error {
            SnappyError::TooLarge { limit } => Self::Inflated(limit),
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
    let mut received = Received::none(context)?;
    received
        .bytes
        .reserve_exact(declared.unwrap_or_default().min(BODY_RESERVED));
    while let Some(frame) = next_frame(&mut body).await? {
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if received.bytes.len() + data.len() > limit {
            return Err(BodyError::TooLarge(limit));
        }
        received
            .share
            .cover(context, received.bytes.len() + data.len())?;
        received.bytes.extend_from_slice(&data);
    }
    Ok(received)
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
pub(super) fn inflate(
    context: &Context,
    headers: &HeaderMap,
    mut received: Received,
) -> Result<Received, BodyError> {
    let inflated = match Encoding::of(headers) {
        None => return Ok(received),
        Some(Encoding::Gzip) => gunzip(&received.bytes, MAX_INFLATED)?,
        Some(Encoding::Snappy) => unsnap(&received.bytes, MAX_INFLATED)?,
    };
    received.share.cover(context, inflated.len())?;
    received.bytes = inflated;
    Ok(received)
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
    /// A body that is said to be gzip has to begin as such.
    pub(super) fn check_begin(&self, headers: &HeaderMap) -> Result<(), BodyError> {
        if Encoding::of(headers) == Some(Encoding::Gzip) {
            check_header(&self.bytes)?;
        }
        Ok(())
    }

    fn none(context: &Context) -> Result<Self, BodyError> {
        let share = context.bodies.clone().try_acquire_owned();
        Ok(Self {
            bytes: Vec::new(),
            share: Share(share.map_err(|_| BodyError::NoMemory)?),
        })
    }
}

impl Share {
    /// Grows until it covers so many bytes in all.
    pub(super) fn cover(&mut self, context: &Context, bytes: usize) -> Result<(), BodyError> {
        let wanted = bytes.div_ceil(BODY_UNIT);
        let missing = wanted.saturating_sub(self.0.num_permits());
        if missing > 0 {
            let missing = u32::try_from(missing).map_err(|_| BodyError::NoMemory)?;
            let more = context.bodies.clone().try_acquire_many_owned(missing);
            self.0.merge(more.map_err(|_| BodyError::NoMemory)?);
        }
        Ok(())
    }

    /// To be kept by whoever keeps the push.
    pub(super) fn into_permit(self) -> OwnedSemaphorePermit {
        self.0
    }
}
