//! Log lines of connections that cannot be accepted: the first at once, then how many more there
//! were. A process without file descriptors fails ten times a second, for as long as that lasts.

use std::future::pending;
use std::io;
use std::pin::Pin;

use tokio::time::{Sleep, sleep};

use crate::limits::ACCEPT_LOG_TIME;

/// The failures of one listener.
#[derive(Debug, Default)]
pub(super) struct AcceptFailures {
    /// Those that no line has told of.
    untold: u64,
    /// The last of them.
    last: Option<io::Error>,
    /// Runs from one line to the earliest next one.
    pause: Option<Pin<Box<Sleep>>>,
}

impl AcceptFailures {
    pub(super) fn note(&mut self, error: io::Error) {
        self.untold += 1;
        self.last = Some(error);
        if self.pause.is_none() {
            self.tell();
        }
    }

    /// Waits for the time of the next line and writes it if there is anything to tell. To be
    /// called again when it ends; it may be dropped at any time.
    pub(super) async fn tell_in_time(&mut self) {
        match &mut self.pause {
            None => pending().await,
            Some(pause) => pause.await,
        }
        self.pause = None;
        if self.untold > 0 {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let count = std::mem::take(&mut self.untold);
        if let Some(error) = self.last.take() {
            tracing::warn!(%error, count, "cannot accept connections");
        }
        self.pause = Some(Box::pin(sleep(ACCEPT_LOG_TIME)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PAUSE: Duration = Duration::from_millis(100);

    /// Lets time pass; how many failures were told of in each line meanwhile.
    async fn pass(failures: &mut AcceptFailures, time: Duration) -> Vec<u64> {
        let mut told = Vec::new();
        let end = sleep(time);
        tokio::pin!(end);
        loop {
            let untold = failures.untold;
            tokio::select! {
                biased;
                () = failures.tell_in_time() => told.push(untold),
                () = &mut end => return told,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_failure_is_told_at_once_and_then_their_number_now_and_then() {
        let mut failures = AcceptFailures::default();
        let mut told = Vec::new();
        let each = 600;
        for number in 0..3 * each {
            failures.note(io::ErrorKind::Other.into());
            if number == 0 {
                assert_eq!(failures.untold, 0);
            }
            told.extend(pass(&mut failures, PAUSE).await);
        }
        assert_eq!(ACCEPT_LOG_TIME, each * PAUSE);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told.iter().all(|count| count.abs_diff(600) <= 1),
            "{told:?}"
        );
        // Those that are left are told of, and then nothing is, until it begins anew.
        failures.note(io::ErrorKind::Other.into());
        assert_eq!(pass(&mut failures, 10 * ACCEPT_LOG_TIME).await.len(), 2);
        failures.note(io::ErrorKind::Other.into());
        assert_eq!(failures.untold, 0);
    }
}
