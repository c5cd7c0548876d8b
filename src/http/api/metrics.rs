//! `GET /api/v1/metrics`: everything stored, in the Pushgateway's form. That is what is hidden
//! too, as in the original: no two groups can clash here, and those who delete old groups
//! look for the push times of every one.
//!
//! Group by group from the store's rows to the socket: one group and a few pieces of the
//! answer are in memory, however much is stored. All groups are of one moment, in the
//! order of their keys. Expired ones are left out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::UnixNanos;
use crate::format::json_write::{Heading, write_family, write_labels, write_string};
use crate::http::context::Context;
use crate::http::{reply, scrape};
use crate::limits::{API_PIECE, API_PIECES};
use crate::model::{GroupKey, Kind, Labels, Metric, Value};
use crate::push::rewrite::{PUSH_FAILURE_TIME, PUSH_TIME};
use crate::state::{PUSH_FAILURE_TIME_HELP, PUSH_TIME_HELP, Standing, State};
use crate::store::{FamilyFacts, GroupRow, Listed, ReadError, Store, decode_metrics};

/// Answers with everything. `connection` is cut if the answer is not taken in time.
pub(super) async fn metrics(
    context: &Arc<Context>,
    state: &Arc<State>,
    parts: &Parts,
    connection: &CancellationToken,
) -> Response {
    // Never closed, so this only waits for a place.
    let permit = context.dumps.clone().acquire_owned().await.ok();
    let (open, is_open) = oneshot::channel();
    let (send, pieces) = mpsc::channel(API_PIECES);
    let reader = Arc::clone(state);
    tokio::task::spawn_blocking(move || {
        let standing = reader.standing();
        let written = reader.read(|store| {
            let _ = open.send(());
            Pieces::new(&send).all(store, &standing)
        });
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "an answer with everything stored was broken off");
            // The answer ends in the middle, which its reader notices.
            let _ = send.blocking_send(Err(error));
        }
    });
    if is_open.await.is_err() {
        let reason = state.health().refusal().unwrap_or_default();
        return reply::api_error(axum::http::StatusCode::SERVICE_UNAVAILABLE, &reason);
    }
    reply::api_stream(Body::new(Dump {
        pieces,
        context: Arc::clone(context),
        method: parts.method.as_str().to_owned(),
        _cut: scrape::cut_after(scrape::time_limit(&parts.headers), connection, || {}),
        _permit: permit,
    }))
}

/// The answer's body. Counts the request when it is sent or given up.
struct Dump {
    pieces: mpsc::Receiver<Result<Bytes, ReadError>>,
    context: Arc<Context>,
    method: String,
    _cut: DropGuard,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Dump {
    fn drop(&mut self) {
        let telemetry = &self.context.telemetry;
        telemetry.count_request("api/v1/metrics", &self.method, 200);
    }
}

impl HttpBody for Dump {
    type Data = Bytes;
    type Error = ReadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        let next = ready!(self.pieces.poll_recv(cx));
        Poll::Ready(next.map(|piece| piece.map(Frame::data)))
    }
}

/// The answer in the making.
struct Pieces<'a> {
    piece: Vec<u8>,
    send: &'a mpsc::Sender<Result<Bytes, ReadError>>,
    /// Groups written.
    groups: usize,
}

/// What stands under a key of a group's object.
enum Member {
    Labels,
    Successful(bool),
    PushTime(Heading<'static>, UnixNanos),
    Family(FamilyFacts, UnixNanos),
}

impl<'a> Pieces<'a> {
    fn new(send: &'a mpsc::Sender<Result<Bytes, ReadError>>) -> Self {
        Self {
            piece: Vec::with_capacity(API_PIECE),
            send,
            groups: 0,
        }
    }

    fn all(&mut self, store: &Store, standing: &Standing) -> Result<(), ReadError> {
        self.put(r#"{"status":"success","data":["#);
        let mut broken_off = false;
        store.walk(|row| {
            let listed = row.listed()?;
            if standing.judge(&listed).is_none() {
                return Ok(ControlFlow::Continue(()));
            }
            let flow = self.group(&row, &listed)?;
            broken_off = flow.is_break();
            Ok(flow)
        })?;
        if !broken_off {
            self.put("]}");
            let _ = self.flush();
        }
        Ok(())
    }

    fn group(&mut self, row: &GroupRow<'_>, listed: &Listed) -> Result<ControlFlow<()>, ReadError> {
        self.put(if self.groups > 0 { ",{" } else { "{" });
        self.groups += 1;
        for (place, (name, member)) in members(row, listed)?.into_iter().enumerate() {
            self.put(if place > 0 { "," } else { "" });
            write_string(&mut self.piece, &name);
            self.put(":");
            self.member(&listed.key, member)?;
            if self.piece.len() >= API_PIECE && self.flush().is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.put("}");
        Ok(ControlFlow::Continue(()))
    }

    fn member(&mut self, key: &GroupKey, member: Member) -> Result<(), ReadError> {
        match member {
            Member::Labels => write_labels(&mut self.piece, key.labels()),
            Member::Successful(successful) => {
                self.put(if successful { "true" } else { "false" });
            }
            Member::PushTime(heading, at) => {
                let metric = Metric {
                    labels: Labels::new(),
                    value: Value::Number(at.as_seconds_f64(), None),
                    timestamp_ms: None,
                };
                write_family(&mut self.piece, heading, key, &[metric]);
            }
            Member::Family(facts, pushed) => {
                let metrics = decode_metrics(&facts.metrics)
                    .map_err(|reason| ReadError::damaged(key, reason))?;
                let heading = Heading {
                    kind: facts.kind,
                    help: facts.help.as_deref(),
                    pushed,
                };
                write_family(&mut self.piece, heading, key, &metrics);
            }
        }
        Ok(())
    }

    fn put(&mut self, text: &str) {
        self.piece.extend_from_slice(text.as_bytes());
    }

    /// Hands a piece on; breaks off if nobody waits for it any more.
    fn flush(&mut self) -> ControlFlow<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(API_PIECE));
        match self.send.blocking_send(Ok(piece.into())) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// All members of a group's object by their keys. Metrics called `labels` or
/// `last_push_successful` give way to the group's own members of these names.
fn members(row: &GroupRow<'_>, listed: &Listed) -> Result<BTreeMap<String, Member>, ReadError> {
    let head = &listed.head;
    let families = row.families()?.into_iter();
    let mut members: BTreeMap<String, Member> = families
        .map(|(facts, pushed)| (facts.name.clone(), Member::Family(facts, pushed)))
        .collect();
    let failed = head.failure.as_ref().map(|failure| failure.at);
    let failed = failed.unwrap_or_default();
    for (name, help, at) in [
        (PUSH_TIME, PUSH_TIME_HELP, head.last_push),
        (PUSH_FAILURE_TIME, PUSH_FAILURE_TIME_HELP, failed),
    ] {
        // What never happened has been so since the group came into being.
        let never = at == UnixNanos::default();
        let heading = Heading {
            kind: Kind::Gauge,
            help: Some(help),
            pushed: if never { head.created } else { at },
        };
        members.insert(name.to_owned(), Member::PushTime(heading, at));
    }
    members.insert("labels".to_owned(), Member::Labels);
    let successful = Member::Successful(failed <= head.last_push);
    members.insert("last_push_successful".to_owned(), successful);
    Ok(members)
}
