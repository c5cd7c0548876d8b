//! The scrapes whose answers are being sent, and how much they may hold together.

use std::sync::{Arc, Mutex, Weak};

use tokio_util::sync::CancellationToken;

use super::handover::Underway;
use crate::limits::SCRAPE_STALL_TIME;
use crate::lock::lock;
use crate::view::{Holding, surplus};

/// All of them, in whatever form, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<Vec<Scrape>>);

#[derive(Debug)]
struct Scrape {
    /// Gone when its answer has been sent or given up.
    holding: Weak<Holding>,
    answer: Underway,
    /// Cuts its connection.
    cut: CancellationToken,
}

impl Running {
    /// Takes in a scrape that begins, and cuts those off that began longest ago, as many as it
    /// takes for the others to hold no more than `bound` bytes (see [`surplus`]); how many.
    ///
    /// What is replaced while nobody begins need not be looked at: the newest scrape holds
    /// the last of it, and may.
    pub(super) fn begin(
        &self,
        holding: &Arc<Holding>,
        answer: Underway,
        cut: &CancellationToken,
        bound: usize,
    ) -> usize {
        let mut scrapes = lock(&self.0);
        scrapes.retain(|scrape| scrape.holding.strong_count() > 0 && !scrape.cut.is_cancelled());
        scrapes.push(Scrape {
            holding: Arc::downgrade(holding),
            answer,
            cut: cut.clone(),
        });
        let newest_first = scrapes.iter().rev();
        let (held, cuts): (Vec<_>, Vec<_>) = newest_first
            .filter_map(|scrape| Some((scrape.holding.upgrade()?, &scrape.cut)))
            .unzip();
        let surplus = surplus(&held, bound);
        let cut = surplus.iter().filter_map(|place| cuts.get(*place));
        cut.inspect(|cut| cut.cancel()).count()
    }

    /// Cuts off the scrape whose scraper has taken nothing for longest, if that is at least
    /// [`SCRAPE_STALL_TIME`]; whether there was one. One whose answer is being made is none.
    pub(super) fn cut_stalled(&self) -> bool {
        let scrapes = lock(&self.0);
        let running = scrapes.iter().filter(|scrape| !scrape.cut.is_cancelled());
        let standing = running.filter_map(|scrape| Some((scrape.answer.standing()?, &scrape.cut)));
        let longest = standing.rev().max_by_key(|(time, _)| *time);
        let stalled = longest.filter(|(time, _)| *time >= SCRAPE_STALL_TIME);
        stalled.inspect(|(_, cut)| cut.cancel()).is_some()
    }
}
