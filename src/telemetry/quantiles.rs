//! Quantiles of what was observed lately.

use std::fmt;
use std::time::Duration;

use sketches_ddsketch::{Config, DDSketch};

use crate::clock::UnixNanos;
use crate::model::Quantile;

/// The ranks that the Pushgateway shows.
const RANKS: [f64; 3] = [0.1, 0.5, 0.9];

/// What is shown covers the last four of these whole, and the one that runs: eight to
/// ten minutes, as in the Pushgateway.
const WINDOWS: u64 = 5;
const WINDOW: Duration = Duration::from_mins(2);

/// Observations of the last minutes, by window of time. A sketch is bounded, however
/// much is observed; its quantiles are within one per cent of an observed value.
#[derive(Debug, Clone, Default)]
pub(super) struct Quantiles(Vec<Window>);

#[derive(Clone)]
struct Window {
    number: u64,
    sketch: DDSketch,
}

impl fmt::Debug for Window {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Window");
        shown.field("number", &self.number);
        shown
            .field("count", &self.sketch.count())
            .finish_non_exhaustive()
    }
}

impl Quantiles {
    /// Takes note of a value, observed now.
    pub(super) fn observe(&mut self, value: f64, now: UnixNanos) {
        let number = number(now);
        self.0.retain(|window| is_recent(window, number));
        if let Some(window) = self.0.iter_mut().find(|window| window.number == number) {
            window.sketch.add(value);
            return;
        }
        let mut sketch = DDSketch::new(Config::defaults());
        sketch.add(value);
        self.0.push(Window { number, sketch });
    }

    /// The quantiles as of now; NaN if nothing was observed lately.
    pub(super) fn at(&self, now: UnixNanos) -> Vec<Quantile> {
        let number = number(now);
        let mut recent = DDSketch::new(Config::defaults());
        for window in self.0.iter().filter(|window| is_recent(window, number)) {
            // Only sketches of different configurations cannot be merged.
            let _ = recent.merge(&window.sketch);
        }
        let value = |rank| recent.quantile(rank).ok().flatten().unwrap_or(f64::NAN);
        RANKS
            .map(|quantile| Quantile {
                quantile,
                value: value(quantile),
            })
            .to_vec()
    }
}

fn number(now: UnixNanos) -> u64 {
    now.since(UnixNanos::default()).as_secs() / WINDOW.as_secs()
}

/// Windows that lie ahead, since the clock was set back, are old.
fn is_recent(window: &Window, now: u64) -> bool {
    (window.number..window.number + WINDOWS).contains(&now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(quantiles: &Quantiles, at: Duration) -> [f64; 3] {
        let values = quantiles.at(UnixNanos::default().plus(at));
        [0, 1, 2].map(|place| values[place].value)
    }

    #[test]
    fn quantiles_are_close_to_the_observed_values() {
        let mut quantiles = Quantiles::default();
        for value in 1..=1000 {
            quantiles.observe(f64::from(value), UnixNanos::default());
        }
        let expected = [100.0, 500.0, 900.0];
        for (found, expected) in shown(&quantiles, Duration::ZERO).into_iter().zip(expected) {
            assert!(
                (found / expected - 1.0_f64).abs() < 0.02,
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn what_is_older_than_ten_minutes_counts_no_more() {
        let mut quantiles = Quantiles::default();
        assert!(shown(&quantiles, Duration::ZERO)[0].is_nan());
        quantiles.observe(1.0, UnixNanos::default());
        let second = Duration::from_secs(1);
        let ten_minutes = Duration::from_mins(10);
        assert!(shown(&quantiles, ten_minutes.saturating_sub(second))[1] > 0.9);
        assert!(shown(&quantiles, ten_minutes)[1].is_nan());
        quantiles.observe(50.0, UnixNanos::default().plus(ten_minutes));
        assert!(shown(&quantiles, ten_minutes)[0] > 49.0);
        assert_eq!(quantiles.0.len(), 1, "old windows are let go");
    }
}
