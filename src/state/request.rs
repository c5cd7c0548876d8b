//! What is asked of the writer, and what it answers.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::clock::UnixNanos;
use crate::format::form::Form;
use crate::model::GroupKey;
use crate::push::refusal::Refusal;
use crate::store::Pusher;
use crate::ttl::{Suspension, Ttl};
use crate::view::{Changed, GroupId};

#[cfg(doc)]
use super::State;
use super::policy::Switch;
use super::prepare::PreparedPush;
use super::quota::OverQuota;
use super::shared::OpenMoment;

/// How a push treats what its group holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// PUT: all families of the group are replaced.
    Replace,
    /// POST: only families of the same name are replaced.
    Merge,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Request {
    /// Store a push.
    Push(Box<PreparedPush>),
    /// Store all of these pushes, or none.
    PushMany(Vec<PreparedPush>),
    /// A push was refused before it reached the writer: note the failure.
    Fail(Box<FailedPush>),
    /// Delete a group.
    Delete {
        /// Which.
        key: GroupKey,
        /// The peer's address.
        by: String,
    },
    /// Delete many groups.
    DeleteMany(DeleteMany),
    /// Remove those of these groups that have expired.
    Reap(Vec<GroupId>),
    /// Set or take away an override.
    Pin(Pin),
    /// Set or take away the overrides of many groups.
    PinMany(PinMany),
    /// Start a TTL clock anew.
    Touch {
        /// Of which group.
        key: GroupKey,
    },
    /// Suspend expiry, or go on.
    Pause(Pause),
}

/// Groups to delete.
#[derive(Debug)]
pub struct DeleteMany {
    /// Which.
    pub keys: Vec<GroupKey>,
    /// Only if they were not pushed after the push of this number: see [`State::pushes`].
    pub pushed_until: u64,
    /// Only if their last push was before this, wall clock.
    pub pushed_before: Option<UnixNanos>,
    /// The peer's address.
    pub by: String,
}

/// An override to set or take away.
#[derive(Debug)]
pub struct Pin {
    /// Of which group.
    pub key: GroupKey,
    /// What holds from now on; `None` takes it away.
    pub of: Option<NewOverride>,
}

/// An override to set for many groups, or overrides to take away.
#[derive(Debug)]
pub struct PinMany {
    /// Of which groups.
    pub keys: Vec<GroupKey>,
    /// What holds from now on for each; `None` takes theirs away.
    pub of: Option<NewOverride>,
}

/// An override as an operator gives it.
#[derive(Debug, Clone)]
pub struct NewOverride {
    /// The TTL that holds.
    pub ttl: Ttl,
    /// How long it holds; `None`: as long as its group is there.
    pub lasts: Option<Duration>,
    /// Why.
    pub reason: String,
    /// The peer's address.
    pub by: String,
}

/// What to do about the pause of expiry.
#[derive(Debug)]
pub enum Pause {
    /// Begin one, or change the one there is.
    Begin {
        /// How long; `None`: until somebody ends it.
        lasts: Option<Duration>,
        /// Why.
        reason: String,
        /// The peer's address.
        by: String,
    },
    /// End it.
    End,
}

/// A push that is refused by its own fault.
#[derive(Debug)]
pub struct FailedPush {
    pub(super) key: GroupKey,
    pub(super) pusher: Pusher,
    pub(super) pushed_ttl: Option<Ttl>,
    pub(super) refusal: Refusal,
    /// See [`PreparedPush`]'s.
    pub(super) hides: bool,
}

impl FailedPush {
    /// What is wrong with it.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }
}

/// Something for the writer, and where its answer goes.
#[derive(Debug)]
pub(super) enum Job {
    /// A request, to be judged with others in a batch.
    Judge(Request, Waiting),
    /// New TTL rules, for all groups there are.
    Policy(Switch, Waiting),
    /// A look at store and view of one moment.
    Look(LookRequest),
}

/// Asks for a look, in this form. It goes unanswered while the store cannot be read.
#[derive(Debug)]
pub(super) struct LookRequest {
    pub(super) form: Form,
    pub(super) answer: oneshot::Sender<Look>,
}

/// What has changed for some form, and the store in which it has: both as of the
/// same commit.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) reading: Box<OpenMoment>,
    pub(super) changed: Changed,
}

/// Who waits for an answer.
#[derive(Debug)]
pub(super) struct Waiting {
    answer: oneshot::Sender<Answer>,
    /// Answered before the view shows it: whoever asks for the next slice of many.
    pub(super) ahead: bool,
    /// See [`PreparedPush`]'s.
    _shares: Vec<OwnedSemaphorePermit>,
}

/// Answers, with those who wait for them.
pub(super) type Answers = Vec<(Waiting, Answer)>;

/// Gives each its answer.
pub(super) fn give(answers: Answers) {
    for (waiting, answer) in answers {
        waiting.answer(answer);
    }
}

impl Request {
    /// The pushes in it.
    fn pushes(&mut self) -> &mut [PreparedPush] {
        match self {
            Self::Push(push) => std::slice::from_mut(push),
            Self::PushMany(pushes) => pushes,
            _ => &mut [],
        }
    }
}

impl Job {
    /// A request and where its answer goes.
    pub(super) fn judge(mut request: Request, answer: oneshot::Sender<Answer>) -> Self {
        let shares = request
            .pushes()
            .iter_mut()
            .filter_map(|push| push.share.take());
        let waiting = Waiting {
            answer,
            ahead: false,
            _shares: shares.collect(),
        };
        Self::Judge(request, waiting)
    }

    /// One slice of what concerns very many groups, behind which the next one comes: it is
    /// answered when it is on disk and the view begins to take it in, so that the writer is
    /// busy meanwhile, and never more than one slice ahead.
    pub(super) fn slice(request: Request, answer: oneshot::Sender<Answer>) -> Self {
        let waiting = Waiting {
            answer,
            ahead: true,
            _shares: Vec::new(),
        };
        Self::Judge(request, waiting)
    }

    /// New TTL rules.
    pub(super) fn policy(switch: Switch, answer: oneshot::Sender<Answer>) -> Self {
        Self::Policy(
            switch,
            Waiting {
                answer,
                ahead: false,
                _shares: Vec::new(),
            },
        )
    }

    /// The memory that it takes until it is stored, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Judge(Request::Push(push), _) => push.bytes,
            Self::Judge(Request::PushMany(pushes), _) => pushes.iter().map(|push| push.bytes).sum(),
            _ => 0,
        }
    }
}

impl Waiting {
    /// A client that has gone away misses its answer; what it pushed is stored.
    pub(super) fn answer(self, answer: Answer) {
        let _ = self.answer.send(answer);
    }
}

/// What came of a request.
pub type Answer = Result<Done, Refused>;

/// What was done; it is on disk, and the next scrape shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The push is stored.
    Pushed {
        /// When the group expires unless it is pushed again, wall clock; `None`: never.
        expires: Option<UnixNanos>,
    },
    /// The delete is done.
    Deleted {
        /// Groups deleted: one or none.
        groups: usize,
        /// If none: groups of the job whose keys have all the names of this one and more.
        with_more_labels: usize,
    },
    /// All of many pushes are stored; when each group expires, in order.
    PushedMany {
        /// Wall clock; `None`: never.
        expires: Vec<Option<UnixNanos>>,
    },
    /// The TTL of a group was changed.
    Scheduled {
        /// When it expires now, wall clock; `None`: never.
        expires: Option<UnixNanos>,
    },
    /// Overrides were set, or taken away.
    Pinned {
        /// Of how many groups.
        groups: usize,
    },
    /// Expiry was suspended, or goes on.
    Suspended {
        /// The pause in force.
        pause: Option<Suspension>,
    },
    /// The new TTL rules hold for every group.
    Retimed,
    /// Expired groups were removed.
    Reaped {
        /// How many.
        groups: usize,
    },
}

/// Why a request was not carried out, in the words of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The push is inconsistent: 400.
    #[error("{0}")]
    Inconsistent(Refusal),
    /// One of many pushes is inconsistent, by its place among them: 400.
    #[error("group {at} {key}: {refusal}")]
    InBatch {
        /// The first is 0.
        at: usize,
        /// Its group.
        key: GroupKey,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// There is no such group: 404.
    #[error("no group {0}")]
    NoSuchGroup(GroupKey),
    /// The store takes nothing now: 503.
    #[error("{0}")]
    Unavailable(String),
    /// The disk is full: 507.
    #[error("not stored, the disk is full: {0}")]
    DiskFull(String),
    /// There is no room for the push: 507. The store is sound and takes what adds nothing.
    #[error("not stored: {0}")]
    OverQuota(OverQuota),
    /// The queue is full: 503.
    #[error("not stored: too many pushes are waiting")]
    Busy,
}
