//! TTLs as series of their own (`--ttl.expose`): of each group its TTL and its expiry, and
//! of groups that have expired and not come back their last push.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use crate::clock::{Now, UnixNanos};
use crate::format::text_write::Identity;
use crate::model::GroupKey;
use crate::push::rewrite::{EXPIRED_LAST_PUSH, GROUP_EXPIRY, GROUP_TTL};
use crate::telemetry::own_help;
use crate::ttl::Ttl;
use crate::view::{Change, Gone, GroupId, RenderedFamily};

use super::gauge::{GroupGauge, GroupSample};

static TTL: LazyLock<GroupGauge> = LazyLock::new(|| gauge(GROUP_TTL));
static EXPIRY: LazyLock<GroupGauge> = LazyLock::new(|| gauge(GROUP_EXPIRY));
static LAST_PUSH: LazyLock<GroupGauge> = LazyLock::new(|| gauge(EXPIRED_LAST_PUSH));

fn gauge(name: &str) -> GroupGauge {
    GroupGauge::new(name, own_help(name))
}

/// The names of both families of a group.
pub(super) fn names() -> [Arc<str>; 2] {
    [Arc::clone(&TTL.name), Arc::clone(&EXPIRY.name)]
}

/// TTL and expiry of a group with this TTL and deadline. One that never expires has a TTL of
/// `+Inf` and no expiry.
pub(super) fn samples(
    (of, deadline): (Ttl, Option<UnixNanos>),
    now: Now,
) -> impl Iterator<Item = GroupSample> {
    let seconds = match of {
        Ttl::Never => f64::INFINITY,
        Ttl::After(span) => span.as_secs_f64(),
    };
    let expiry = deadline.map(|deadline| now.wall_of(deadline).as_seconds_f64());
    let expiry = expiry.map(|at| EXPIRY.sample(at));
    std::iter::once(TTL.sample(seconds)).chain(expiry)
}

/// The same, rendered.
pub(super) fn rendered(
    life: (Ttl, Option<UnixNanos>),
    now: Now,
    identity: &Identity,
) -> Vec<RenderedFamily> {
    let samples = samples(life, now);
    samples.map(|sample| sample.rendered(identity)).collect()
}

/// The last push of a group that has expired.
pub(super) fn last_push_of(gone: &Gone) -> GroupSample {
    LAST_PUSH.sample(gone.last_push.as_seconds_f64())
}

/// Groups that have expired and not come back, each with its record in the history.
#[derive(Debug, Default)]
pub(super) struct Departed {
    /// The record's number, and the place of the line in the view.
    groups: HashMap<GroupKey, (u64, GroupId)>,
    by_record: BTreeMap<u64, GroupKey>,
    /// Places that are free again.
    free: Vec<GroupId>,
}

impl Departed {
    /// Takes a group in that has expired.
    pub(super) fn add(&mut self, record: u64, key: &GroupKey, last_push: UnixNanos) -> Change {
        let key = as_shown(key);
        let place = match self.groups.get(&key) {
            Some((old, place)) => {
                self.by_record.remove(old);
                *place
            }
            None => self.place(),
        };
        let gone = Gone {
            key: key.clone(),
            last_push,
        };
        let set = last_push_of(&gone).rendered(&Identity::new(&key));
        self.by_record.insert(record, key.clone());
        self.groups.insert(key, (record, place));
        Change {
            group: place,
            removed: Vec::new(),
            set: vec![set],
            life: None,
            later: None,
            gone: Some(gone),
        }
    }

    /// Takes a group out that has come back, or was deleted after it had.
    pub(super) fn remove(&mut self, key: &GroupKey) -> Option<Change> {
        if self.groups.is_empty() {
            return None;
        }
        let (record, place) = self.groups.remove(&as_shown(key))?;
        self.by_record.remove(&record);
        self.free.push(place);
        Some(Change {
            group: place,
            removed: vec![Arc::clone(&LAST_PUSH.name)],
            set: Vec::new(),
            life: None,
            later: None,
            gone: None,
        })
    }

    /// Takes those out whose records are below this number.
    pub(super) fn forget_below(&mut self, record: u64) -> Vec<Change> {
        let kept = self.by_record.split_off(&record);
        let gone = std::mem::replace(&mut self.by_record, kept);
        let gone = gone.into_values();
        gone.filter_map(|key| self.remove(&key)).collect()
    }

    /// Places are numbered from the end, where no group that is there ever is.
    fn place(&mut self) -> GroupId {
        self.free.pop().unwrap_or_else(|| {
            let taken = u32::try_from(self.groups.len()).unwrap_or_default();
            GroupId(u32::MAX - taken)
        })
    }
}

/// `{L}` and `{L, instance=""}` are one series: every scrape adds an empty instance.
fn as_shown(key: &GroupKey) -> GroupKey {
    if key.get("instance") != Some("") {
        return key.clone();
    }
    let labels = key.labels().into_iter();
    let labels = labels
        .filter(|(name, _)| *name != "instance" && *name != "job")
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    GroupKey::new(key.job(), &labels.collect())
}
