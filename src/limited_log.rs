//! Log lines of which there may be very many at once: so many in a while, and one more for those
//! that were left out. A hundred thousand of them must not bury the rest of the log.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::{Clock, UnixNanos};
use crate::lock::lock;

/// Lines of one kind.
#[derive(Debug)]
pub(crate) struct LimitedLog {
    clock: Clock,
    lines: usize,
    while_of: Duration,
    tell: fn(u64),
    window: Mutex<Window>,
}

/// The while that runs.
#[derive(Debug, Default)]
struct Window {
    /// TTL time.
    until: UnixNanos,
    lines: usize,
    left_out: u64,
}

/// What becomes of one line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Written,
    /// The first that is left out: at this time somebody has to tell how many they were.
    LeftOutUntil(UnixNanos),
    LeftOut,
}

impl LimitedLog {
    /// At most so many lines in each while, which begins with its first line; `tell` writes the
    /// one that says how many were left out.
    pub(crate) fn new(clock: Clock, lines: usize, while_of: Duration, tell: fn(u64)) -> Arc<Self> {
        Arc::new(Self {
            clock,
            lines,
            while_of,
            tell,
            window: Mutex::default(),
        })
    }

    /// Writes a line, or counts it as left out.
    pub(crate) fn line(self: &Arc<Self>, runtime: &Handle, write: impl FnOnce()) {
        let line = self.next(self.clock.ttl_now());
        match line {
            Line::Written => write(),
            Line::LeftOut => {}
            Line::LeftOutUntil(end) => {
                let log = Arc::clone(self);
                runtime.spawn(async move {
                    log.clock.sleep_until(end).await;
                    log.tell_left_out();
                });
            }
        }
    }

    /// Tells how many lines were left out, if there are any. Whoever ends the program calls it,
    /// so that none is lost.
    pub(crate) fn tell_left_out(&self) {
        let left_out = std::mem::take(&mut self.window().left_out);
        if left_out > 0 {
            (self.tell)(left_out);
        }
    }

    fn next(&self, now: UnixNanos) -> Line {
        let mut window = self.window();
        if now >= window.until {
            window.until = now.plus(self.while_of);
            window.lines = 0;
        }
        if window.lines < self.lines {
            window.lines += 1;
            return Line::Written;
        }
        window.left_out += 1;
        if window.left_out == 1 {
            Line::LeftOutUntil(window.until)
        } else {
            Line::LeftOut
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        lock(&self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHILE: Duration = Duration::from_secs(1);

    #[test]
    fn so_many_lines_in_a_while_and_the_rest_is_counted() {
        let log = LimitedLog::new(Clock::system(), 3, WHILE, |_| {});
        let start = UnixNanos(1_000_000_000_000);
        for _ in 0..3 {
            assert_eq!(log.next(start), Line::Written);
        }
        let end = start.plus(WHILE);
        let almost = UnixNanos(end.0 - 1);
        assert_eq!(log.next(almost), Line::LeftOutUntil(end));
        assert_eq!(log.next(almost), Line::LeftOut);
        // The next while has lines again; those left out wait to be told.
        for _ in 0..3 {
            assert_eq!(log.next(end), Line::Written);
        }
        assert_eq!(log.next(end), Line::LeftOut);
        assert_eq!(log.window().left_out, 3);
    }
}
