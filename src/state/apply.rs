//! The apply thread: publishes committed batches to the view, then answers.
//!
//! A thread of its own, so that the next batch is being committed meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use crate::view::{Change, Content, View};

use super::expiry::Expiry;
use super::request::{Answer, Waiting};

/// Changes applied under one lock: some 0.2 ms of work.
const AT_ONCE: usize = 16;

/// What the writer hands over, in order.
pub(super) enum Publication {
    /// A committed batch.
    Batch {
        /// What it changes.
        changes: Vec<Change>,
        /// Who is answered once that can be scraped.
        answers: Vec<(Waiting, Answer)>,
    },
    /// The store was reopened: all content anew.
    Rebuilt {
        /// What it holds.
        content: Box<Content>,
        /// Told when that can be scraped.
        shown: SyncSender<()>,
    },
}

/// Publishes until the writer is gone. `expiry` is told when the first deadline comes closer.
pub(super) fn run(publications: &Receiver<Publication>, view: &Arc<View>, expiry: &Expiry) {
    for publication in publications {
        let before = view.next_deadline();
        match publication {
            Publication::Batch { changes, answers } => {
                // Each change is whole; a scrape need not wait for a whole batch.
                for some in changes.chunks(AT_ONCE) {
                    view.apply(some);
                }
                for (waiting, answer) in answers {
                    waiting.answer(answer);
                }
            }
            Publication::Rebuilt { content, shown } => {
                view.replace(*content);
                // The writer waits for it; if it is gone, so is the need.
                let _ = shown.send(());
            }
        }
        let after = view.next_deadline();
        if after.is_some() && before.is_none_or(|before| after < Some(before)) {
            expiry.sooner();
        }
    }
}
