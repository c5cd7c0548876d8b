//! The two families that the gateway itself keeps for every group.

use std::sync::{Arc, LazyLock};

use crate::clock::UnixNanos;
use crate::format::text_write::Identity;
use crate::push::rewrite::{PUSH_FAILURE_TIME, PUSH_TIME};
use crate::store::Head;
use crate::view::RenderedFamily;

use super::gauge::{GroupGauge, GroupSample};

/// Help of `push_time_seconds`.
pub const PUSH_TIME_HELP: &str =
    "Last Unix time when changing this group in the Pushgateway succeeded.";

/// Help of `push_failure_time_seconds`.
pub const PUSH_FAILURE_TIME_HELP: &str =
    "Last Unix time when changing this group in the Pushgateway failed.";

static PUSHED: LazyLock<GroupGauge> =
    LazyLock::new(|| GroupGauge::new(PUSH_TIME, Some(PUSH_TIME_HELP)));

static FAILED: LazyLock<GroupGauge> =
    LazyLock::new(|| GroupGauge::new(PUSH_FAILURE_TIME, Some(PUSH_FAILURE_TIME_HELP)));

/// `push_time_seconds` and `push_failure_time_seconds` of a group; 0 where there was none.
pub(super) fn samples(head: &Head) -> [GroupSample; 2] {
    [pushed(head), failed(head)]
}

/// The same, rendered.
pub(super) fn rendered(head: &Head, identity: &Identity) -> [RenderedFamily; 2] {
    samples(head).map(|sample| sample.rendered(identity))
}

/// The same without those that are as `before`: nearly every push leaves the time of the last
/// failure as it was, and a family of the view alone.
pub(super) fn changed(
    before: &Head,
    head: &Head,
    identity: &Identity,
) -> impl Iterator<Item = RenderedFamily> {
    let pushed = (head.last_push != before.last_push).then(|| pushed(head));
    let failed = (failed_at(head) != failed_at(before)).then(|| failed(head));
    let changed = pushed.into_iter().chain(failed);
    changed.map(|sample| sample.rendered(identity))
}

fn pushed(head: &Head) -> GroupSample {
    PUSHED.sample(head.last_push.as_seconds_f64())
}

fn failed(head: &Head) -> GroupSample {
    FAILED.sample(failed_at(head).as_seconds_f64())
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
