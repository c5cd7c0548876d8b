//! The apply thread: publishes committed batches to the view, then answers.
//!
//! A thread of its own, so that the next batch is being committed meanwhile.

use std::sync::mpsc::{Receiver, SyncSender};

use crate::view::{AT_ONCE, Change, Content, View};

use super::expiry::Expiry;
use super::judge::PauseChange;
use super::policy::{InForce, Switch};
use super::request::{Answers, Done, Look, LookRequest, Waiting, give};
use super::shared::OpenMoment;

/// Groups taken out under one lock: some 0.1 ms where they are neighbours, and 1 ms at most
/// where they are not, of a million series and with a scrape that holds all.
const REMOVED_AT_ONCE: usize = 32;

/// What the writer hands over, in order.
pub(super) enum Publication {
    /// A committed batch.
    Batch {
        /// What it changes.
        changes: Vec<Change>,
        /// What becomes of the pause.
        pause: Option<PauseChange>,
        /// Who is answered once that can be scraped.
        answers: Answers,
    },
    /// The last groups that new TTL rules were applied to.
    Retimed {
        /// What becomes of them.
        changes: Vec<Change>,
        /// The rules, which readers go by from now on.
        switch: Switch,
        /// Who is answered then.
        answer: Waiting,
    },
    /// Somebody looks at the store as it is after the batches before this.
    Look {
        /// The store.
        reading: Box<OpenMoment>,
        /// Who looks.
        request: LookRequest,
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
pub(super) fn run(
    publications: &Receiver<Publication>,
    view: &View,
    expiry: &Expiry,
    in_force: &InForce,
) {
    for publication in publications {
        let before = view.next_deadline();
        match publication {
            Publication::Batch {
                changes,
                pause,
                answers,
            } => {
                let (ahead, answers): (Answers, Answers) =
                    answers.into_iter().partition(|(waiting, _)| waiting.ahead);
                give(ahead);
                apply(view, &changes);
                if let Some(PauseChange::Begun(at)) = pause {
                    expiry.settle(at);
                }
                give(answers);
            }
            Publication::Retimed {
                changes,
                switch,
                answer,
            } => {
                apply(view, &changes);
                in_force.switch(switch);
                answer.answer(Ok(Done::Retimed));
            }
            Publication::Look { reading, request } => {
                if request.answer.is_closed() {
                    continue; // Changes are only taken by somebody who applies them.
                }
                let changed = view.changed(request.form);
                let look = Look { reading, changed };
                if request.answer.send(look).is_err() {
                    view.forget(request.form);
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

fn apply(view: &View, changes: &[Change]) {
    for alike in changes.chunk_by(|one, next| one.is_end() == next.is_end()) {
        if alike.first().is_some_and(Change::is_end) {
            let slices = alike.chunks(REMOVED_AT_ONCE);
            slices.for_each(|some| view.remove(some));
        } else {
            alike.chunks(AT_ONCE).for_each(|some| view.apply(some));
        }
    }
}
