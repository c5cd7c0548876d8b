//! Log lines of groups that expired: one each, a few a second, and one more for those that were
//! left out.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::{Clock, UnixNanos};
use crate::limited_log::LimitedLog;
use crate::limits::EXPIRED_LINES;
use crate::model::GroupKey;
use crate::ttl::{Ttl, TtlSource};

/// A group that was removed because it had expired.
#[derive(Debug)]
pub(super) struct Expired {
    pub(super) key: GroupKey,
    /// Wall clock; zero: there never was a successful one.
    pub(super) last_push: UnixNanos,
    pub(super) ttl: Ttl,
    pub(super) source: TtlSource,
}

/// Writes the lines.
#[derive(Debug)]
pub(super) struct ExpiryLog {
    runtime: Handle,
    lines: Arc<LimitedLog>,
}

impl ExpiryLog {
    pub(super) fn new(clock: Clock, runtime: Handle) -> Self {
        let second = Duration::from_secs(1);
        let lines = LimitedLog::new(clock, EXPIRED_LINES, second, |groups| {
            tracing::info!(groups, "more groups expired");
        });
        Self { runtime, lines }
    }

    /// Notes groups whose removal is on disk.
    pub(super) fn note(&self, expired: &[Expired]) {
        for group in expired {
            self.lines.line(&self.runtime, || tell(group));
        }
    }

    /// Tells how many groups had no line of their own, if there are any.
    pub(super) fn tell_left_out(&self) {
        self.lines.tell_left_out();
    }
}

fn tell(expired: &Expired) {
    let Expired {
        key,
        last_push,
        ttl,
        source,
    } = expired;
    let last_push = if *last_push == UnixNanos::default() {
        "never".to_owned()
    } else {
        last_push.rfc3339().to_string()
    };
    tracing::info!(group = %key, last_push, %ttl, ttl_source = %source, "group expired");
}
