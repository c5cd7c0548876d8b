//! Log lines of groups that expired: one each, a few a second, and one more for those
//! that were left out. A hundred thousand expiries must not bury the rest of the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::{Clock, UnixNanos};
use crate::limits::EXPIRED_LINES;
use crate::model::GroupKey;
use crate::ttl::{Ttl, TtlSource};

const WINDOW: Duration = Duration::from_secs(1);

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
    clock: Clock,
    runtime: Handle,
    window: Mutex<Window>,
}

/// The second that runs.
#[derive(Debug, Default)]
struct Window {
    /// TTL time.
    until: UnixNanos,
    lines: usize,
    left_out: u64,
}

/// What becomes of one group's line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Written,
    /// The first that is left out: at this time somebody has to tell how many they were.
    LeftOutUntil(UnixNanos),
    LeftOut,
}

impl Window {
    fn line(&mut self, now: UnixNanos) -> Line {
        if now >= self.until {
            self.until = now.plus(WINDOW);
            self.lines = 0;
        }
        if self.lines < EXPIRED_LINES {
            self.lines += 1;
            return Line::Written;
        }
        self.left_out += 1;
        if self.left_out == 1 {
            Line::LeftOutUntil(self.until)
        } else {
            Line::LeftOut
        }
    }
}

impl ExpiryLog {
    pub(super) fn new(clock: Clock, runtime: Handle) -> Self {
        Self {
            clock,
            runtime,
            window: Mutex::default(),
        }
    }

    /// Notes groups whose removal is on disk.
    pub(super) fn note(self: &Arc<Self>, expired: &[Expired]) {
        for group in expired {
            let line = self.lock().line(self.clock.ttl_now());
            match line {
                Line::Written => tell(group),
                Line::LeftOut => {}
                Line::LeftOutUntil(end) => {
                    let log = Arc::clone(self);
                    self.runtime.spawn(async move {
                        log.clock.sleep_until(end).await;
                        log.tell_left_out();
                    });
                }
            }
        }
    }

    /// Tells how many groups had no line of their own, if there are any.
    pub(super) fn tell_left_out(&self) {
        let groups = std::mem::take(&mut self.lock().left_out);
        if groups > 0 {
            tracing::info!(groups, "more groups expired");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_and_the_rest_is_counted() {
        let mut window = Window::default();
        let start = UnixNanos(1_000_000_000_000);
        for _ in 0..EXPIRED_LINES {
            assert_eq!(window.line(start), Line::Written);
        }
        let end = start.plus(WINDOW);
        let almost = UnixNanos(end.0 - 1);
        assert_eq!(window.line(almost), Line::LeftOutUntil(end));
        assert_eq!(window.line(almost), Line::LeftOut);
        // The next second has lines again; those left out wait to be told.
        for _ in 0..EXPIRED_LINES {
            assert_eq!(window.line(end), Line::Written);
        }
        assert_eq!(window.line(end), Line::LeftOut);
        assert_eq!(window.left_out, 3);
    }
}
