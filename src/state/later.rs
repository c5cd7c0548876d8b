//! What changes by time alone: an override ends, and its group has another TTL from then on.

use crate::clock::{Now, UnixNanos};
use crate::format::text_write::Identity;
use crate::ttl::TtlPolicy;
use crate::view::{Change, GroupId, Later, Life};

use super::exposed;
use super::index::Group;

/// What becomes of this group when its override ends, if that is to come and makes a
/// difference; the deadline has it in it already. `now` is TTL time; `exposed` the same by both
/// times, if TTLs are shown as series.
pub(super) fn later(
    (id, group): (GroupId, &Group),
    policy: &TtlPolicy,
    now: UnixNanos,
    exposed: Option<Now>,
) -> Option<Later> {
    let pinned = group.pinned.as_deref()?;
    let at = pinned.until.filter(|until| *until > now)?;
    let (start, pushed) = (group.head.clock_start, group.head.pushed_ttl);
    let schedule = policy.schedule(&group.key, start, pushed, Some(pinned), at);
    if schedule == group.schedule {
        return None;
    }
    let identity = || Identity::new(&group.key);
    let life = (schedule.ttl, schedule.deadline);
    let set = exposed.map(|now| exposed::rendered(life, now, &identity()));
    let life = Life {
        ttl: schedule.ttl,
        source: schedule.source,
        ..group.life()
    };
    let change = Change {
        group: id,
        removed: Vec::new(),
        set: set.unwrap_or_default(),
        life: Some(life),
        later: None,
        gone: None,
    };
    Some(Later {
        at,
        change: Box::new(change),
    })
}
