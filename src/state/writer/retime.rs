//! New TTL rules applied to the groups there are, slice by slice between batches.

use std::sync::Arc;

use super::Writer;
use crate::limits::SLICE;
use crate::state::apply::Publication;
use crate::state::policy::Switch;
use crate::state::request::{Done, Waiting};

/// Groups that new TTL rules have not been applied to yet.
pub(super) struct Retime {
    /// The next group's number.
    next: usize,
    switch: Switch,
    answer: Waiting,
}

impl Retime {
    pub(super) fn new(switch: Switch, answer: Waiting) -> Self {
        Self {
            next: 0,
            switch,
            answer,
        }
    }

    /// Ends where other rules come. These never held alone; those that hold now are newer.
    pub(super) fn give_way(self) {
        self.answer.answer(Ok(Done::Retimed));
    }
}

impl Writer {
    /// Applies the TTL rules to one slice of groups; what is left to do.
    pub(super) fn retime(&mut self, retime: Retime) -> Option<Retime> {
        let Retime {
            next,
            switch,
            answer,
        } = retime;
        let (groups, next) = self.index.slice(next, SLICE);
        let done = Arc::clone(&self.store).with(|store| {
            let mut judge = self.judge(store);
            judge.retime(&groups);
            judge.into_judged()
        });
        let changes = done.map(|judged| judged.changes).unwrap_or_default();
        let Some(next) = next else {
            self.publish(Publication::Retimed {
                changes,
                switch,
                answer,
            });
            return None;
        };
        self.publish(Publication::Batch {
            changes,
            pause: None,
            answers: Vec::new(),
        });
        Some(Retime {
            next,
            switch,
            answer,
        })
    }
}
