//! What is done once an answer has left the gateway whole.
//!
//! That a body has given its last bytes says little: in HTTP/2 they wait in memory until the peer
//! opens its window, and are thrown away if it takes its request back. So the bytes themselves are
//! watched: whoever writes them to the connection moves on in them, and whoever throws them away does
//! not.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use crate::lock::lock;

use super::connection::{Busy, Then};

/// One answer on its way. It travels with the response, as an extension, to where that is written.
#[derive(Clone)]
pub(super) struct Handover(Arc<Mutex<Progress>>);

struct Progress {
    connection: Busy,
    then: Option<Then>,
    /// The body has given all it has.
    is_complete: bool,
    /// Pieces that were given and not yet written whole. One that is thrown away stays counted.
    under_way: usize,
    /// Since when the peer has taken nothing of what there is; `None`: it waits for the gateway.
    standing: Option<Instant>,
}

impl fmt::Debug for Handover {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Handover").finish_non_exhaustive()
    }
}

impl Handover {
    /// Does `then` when all of an answer on this connection has been handed to the system; never if
    /// part of it is not.
    pub(super) fn new(connection: Busy, then: impl FnOnce() + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Progress {
            connection,
            then: Some(Box::new(then)),
            is_complete: false,
            under_way: 0,
            standing: None,
        })))
    }

    /// A note of the answer that keeps nothing of it.
    pub(super) fn downgrade(&self) -> Underway {
        Underway(Arc::downgrade(&self.0))
    }

    /// Whether its connection ended because the peer took nothing for too long.
    pub(super) fn is_abandoned(&self) -> bool {
        let mut abandoned = false;
        self.change(|progress| abandoned = progress.connection.is_abandoned());
        abandoned
    }

    /// The body was asked: from now on it is the peer that has to go on, if there was something,
    /// else the gateway.
    pub(super) fn asked(&self, has_given: bool) {
        self.change(|progress| progress.standing = has_given.then(now));
    }

    /// The peer has taken something, or a buffer before it, which is small.
    fn moved(&self) {
        self.change(|progress| progress.standing = progress.standing.map(|_| now()));
    }

    /// The body gives its last piece now, or has given it, and has not failed.
    pub(super) fn complete(&self) {
        self.change(|progress| progress.is_complete = true);
    }

    /// Something is under way until [`Self::arrived`].
    pub(super) fn depart(&self) {
        self.change(|progress| progress.under_way += 1);
    }

    /// It has been written, if only to a buffer: the next flush takes it along.
    pub(super) fn arrived(&self) {
        self.change(|progress| {
            progress.under_way -= 1;
            if progress.is_complete
                && progress.under_way == 0
                && let Some(then) = progress.then.take()
            {
                progress.connection.once_handed_over(then);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        // What is behind this lock is whole at any moment.
        change(&mut lock(&self.0));
    }
}

/// An answer that may still be on its way.
#[derive(Debug)]
pub(super) struct Underway(Weak<Mutex<Progress>>);

impl Default for Underway {
    /// One that is not.
    fn default() -> Self {
        Self(Weak::new())
    }
}

impl Underway {
    /// How long its peer has taken nothing although there is something; `None`: it is not its
    /// turn, or all is over.
    pub(super) fn standing(&self) -> Option<Duration> {
        let answer = Handover(self.0.upgrade()?);
        let mut since = None;
        answer.change(|progress| since = progress.standing);
        since.map(|since| now().duration_since(since))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "compared with timers of tokio's own, not a time that is kept"
)]
fn now() -> Instant {
    Instant::now()
}

/// Bytes of an answer.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    /// Who is told when all of them are written.
    handover: Option<Handover>,
}

impl Piece {
    pub(super) fn new(bytes: Bytes, handover: Option<&Handover>) -> Self {
        let handover = handover.filter(|_| !bytes.is_empty()).cloned();
        if let Some(handover) = &handover {
            handover.depart();
        }
        Self { bytes, handover }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some(handover) = &self.handover {
            handover.moved();
        }
        if self.bytes.is_empty()
            && let Some(handover) = self.handover.take()
        {
            handover.arrived();
        }
    }
}
