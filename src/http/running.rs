//! The scrapes whose answers are being sent.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio_util::sync::CancellationToken;

use crate::view::Holding;

/// In the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<Vec<Scrape>>);

#[derive(Debug)]
struct Scrape {
    /// Gone when its answer has been sent or given up.
    holding: Weak<Holding>,
    /// Cuts its connection.
    cut: CancellationToken,
}

impl Running {
    /// Takes in a scrape that begins, and cuts those off that began longest ago, as many as
    /// it takes for the others to hold no more than so many bytes of what has been replaced;
    /// how many.
    pub(super) fn begin(
        &self,
        holding: &Arc<Holding>,
        cut: &CancellationToken,
        bound: usize,
    ) -> usize {
        let mut scrapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        scrapes.retain(|scrape| scrape.holding.strong_count() > 0 && !scrape.cut.is_cancelled());
        // What is kept in another form does not change with this one.
        let same_form = scrapes.iter().rev().filter_map(|scrape| {
            let held = scrape.holding.upgrade()?;
            (held.form() == holding.form()).then(|| (held, scrape.cut.clone()))
        });
        let (others, cuts): (Vec<_>, Vec<_>) = same_form.unzip();
        let stay = holding.let_go_on(&others, bound);
        let surplus = cuts.into_iter().skip(stay);
        let surplus = surplus.inspect(CancellationToken::cancel).count();
        scrapes.push(Scrape {
            holding: Arc::downgrade(holding),
            cut: cut.clone(),
        });
        surplus
    }
}
