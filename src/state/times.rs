//! The two families that the gateway itself keeps for every group.

use std::sync::{Arc, LazyLock};

use crate::clock::UnixNanos;
use crate::format::form::write_sample;
use crate::format::text_write::Identity;
use crate::model::Kind;
use crate::push::rewrite::{PUSH_FAILURE_TIME, PUSH_TIME};
use crate::store::Head;
use crate::view::RenderedFamily;

/// Help of `push_time_seconds`.
pub const PUSH_TIME_HELP: &str =
    "Last Unix time when changing this group in the Pushgateway succeeded.";

/// Help of `push_failure_time_seconds`.
pub const PUSH_FAILURE_TIME_HELP: &str =
    "Last Unix time when changing this group in the Pushgateway failed.";

/// A name and its help, shared by all groups.
struct TimeFamily {
    name: Arc<str>,
    help: Arc<str>,
}

static PUSHED: LazyLock<TimeFamily> = LazyLock::new(|| TimeFamily {
    name: PUSH_TIME.into(),
    help: PUSH_TIME_HELP.into(),
});

static FAILED: LazyLock<TimeFamily> = LazyLock::new(|| TimeFamily {
    name: PUSH_FAILURE_TIME.into(),
    help: PUSH_FAILURE_TIME_HELP.into(),
});

/// `push_time_seconds` and `push_failure_time_seconds` of a group; 0 where there was none.
pub(super) fn rendered(head: &Head, identity: &Identity) -> [RenderedFamily; 2] {
    [pushed(head, identity), failed(head, identity)]
}

/// The same without those that are as `before`: nearly every push leaves the time of the last
/// failure as it was, and a family of the view alone.
pub(super) fn changed(
    before: &Head,
    head: &Head,
    identity: &Identity,
) -> impl Iterator<Item = RenderedFamily> {
    let pushed = (head.last_push != before.last_push).then(|| pushed(head, identity));
    let failed = (failed_at(head) != failed_at(before)).then(|| failed(head, identity));
    pushed.into_iter().chain(failed)
}

fn pushed(head: &Head, identity: &Identity) -> RenderedFamily {
    sample(&PUSHED, identity, head.last_push.as_seconds_f64())
}

fn failed(head: &Head, identity: &Identity) -> RenderedFamily {
    sample(&FAILED, identity, failed_at(head).as_seconds_f64())
}

fn failed_at(head: &Head) -> UnixNanos {
    let failure = head.failure.as_ref().map(|failure| failure.at);
    failure.unwrap_or_default()
}

/// The name that stands for both families where they are hidden.
pub(super) fn name() -> Arc<str> {
    Arc::clone(&PUSHED.name)
}

/// The names of both families.
pub(super) fn names() -> [Arc<str>; 2] {
    [Arc::clone(&PUSHED.name), Arc::clone(&FAILED.name)]
}

fn sample(family: &TimeFamily, identity: &Identity, seconds: f64) -> RenderedFamily {
    let mut text = Vec::with_capacity(128);
    let legacy = write_sample(&mut text, &family.name, identity, seconds);
    RenderedFamily {
        name: Arc::clone(&family.name),
        kind: Kind::Gauge,
        help: Some(Arc::clone(&family.help)),
        text: text.into(),
        legacy,
    }
}
