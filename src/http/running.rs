//! The scrapes whose answers are being sent, and how much they may hold together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, UnixNanos};
use crate::limits::SCRAPES_LOOK;
use crate::telemetry::{CutScrape, Telemetry};
use crate::view::{Holding, surplus};

/// All of them, in whatever form.
#[derive(Debug)]
pub(super) struct Running(Arc<Scrapes>);

#[derive(Debug)]
struct Scrapes {
    /// Bytes that they may hold of what has been replaced.
    bound: usize,
    telemetry: Arc<Telemetry>,
    under_way: Mutex<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    /// In the order in which they began.
    scrapes: Vec<Scrape>,
    /// Whether somebody looks at them from time to time.
    watched: bool,
}

#[derive(Debug)]
struct Scrape {
    /// Gone when its answer has been sent or given up.
    holding: Weak<Holding>,
    /// Cuts its connection.
    cut: CancellationToken,
}

impl Running {
    /// None yet. They may hold `bound` bytes: see [`surplus`].
    pub(super) fn new(bound: usize, telemetry: Arc<Telemetry>) -> Self {
        Self(Arc::new(Scrapes {
            bound,
            telemetry,
            under_way: Mutex::default(),
        }))
    }

    /// Takes in a scrape that begins, and makes room for it. What is replaced later is looked
    /// at while any scrape is under way, and by nobody when none is. Must be called within a
    /// tokio runtime.
    pub(super) fn begin(&self, holding: &Arc<Holding>, cut: &CancellationToken, clock: &Clock) {
        let scrape = Scrape {
            holding: Arc::downgrade(holding),
            cut: cut.clone(),
        };
        let watched = {
            let mut under_way = self.0.lock();
            under_way.scrapes.push(scrape);
            std::mem::replace(&mut under_way.watched, true)
        };
        self.0.make_room();
        if !watched {
            let (scrapes, clock) = (Arc::downgrade(&self.0), clock.clone());
            let first = clock.ttl_now().plus(SCRAPES_LOOK);
            tokio::spawn(watch(scrapes, clock, first));
        }
    }
}

/// Makes room from `at` on, until nothing is under way.
async fn watch(scrapes: Weak<Scrapes>, clock: Clock, mut at: UnixNanos) {
    loop {
        clock.sleep_until(at).await;
        let Some(scrapes) = scrapes.upgrade() else {
            return;
        };
        scrapes.make_room();
        if scrapes.is_over() {
            return;
        }
        at = clock.ttl_now().plus(SCRAPES_LOOK);
    }
}

impl Scrapes {
    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is under way; then nobody watches any more.
    fn is_over(&self) -> bool {
        let mut under_way = self.lock();
        under_way.watched = !under_way.scrapes.is_empty();
        !under_way.watched
    }

    /// Cuts off as many as it takes for the others to hold no more than they may.
    fn make_room(&self) {
        let count = self.lock().cut_surplus(self.bound);
        if count > 0 {
            tracing::warn!(
                count,
                "scrapers that held much of what has been replaced were cut off"
            );
            self.telemetry
                .count_cut_scrapes(CutScrape::Memory, count as u64);
        }
    }
}

impl UnderWay {
    /// How many were cut off.
    fn cut_surplus(&mut self, bound: usize) -> usize {
        self.scrapes
            .retain(|scrape| scrape.holding.strong_count() > 0 && !scrape.cut.is_cancelled());
        let newest_first = self.scrapes.iter().rev();
        let (held, cuts): (Vec<_>, Vec<_>) = newest_first
            .filter_map(|scrape| Some((scrape.holding.upgrade()?, &scrape.cut)))
            .unzip();
        let surplus = surplus(&held, bound);
        let cut = surplus.iter().filter_map(|place| cuts.get(*place));
        cut.inspect(|cut| cut.cancel()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn scrapes_are_looked_at_while_there_are_any_and_then_by_nobody() {
        let (clock, hands) = Clock::manual(UnixNanos(0));
        let running = Running::new(0, Arc::new(Telemetry::with_clock(clock.clone())));
        let begin = || {
            let holding = Arc::new(Holding::new(&[]));
            running.begin(&holding, &CancellationToken::new(), &clock);
            holding
        };
        let watched = || running.0.lock().watched;
        for _ in 0..2 {
            let first = begin();
            for _ in 0..3 {
                hands.advance(SCRAPES_LOOK);
                tokio::task::yield_now().await;
                assert!(watched());
            }
            let second = begin();
            drop((first, second));
            // The end of a scrape costs nothing; the next look finds it.
            let mut looks = 0..100;
            while watched() {
                assert!(looks.next().is_some(), "somebody still looks");
                hands.advance(SCRAPES_LOOK);
                tokio::task::yield_now().await;
            }
            assert_eq!(Arc::weak_count(&running.0), 0, "nobody waits for the clock");
        }
    }
}
