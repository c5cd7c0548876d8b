//! How often the gateway is scraped, as far as can be told from the scrapes.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::clock::UnixNanos;
use crate::limits::SCRAPERS;

/// Gaps between scrapes that are remembered of each scraper.
const GAPS: usize = 5;

/// Gaps before somebody counts as a scraper: a person looks once or twice.
const ENOUGH: usize = 3;

/// A scraper that has not come for so many of its intervals has gone.
const GONE: u32 = 10;

/// The scrapers there are, by address, and the interval found.
#[derive(Debug, Default)]
pub(super) struct Scrapers {
    seen: HashMap<IpAddr, Seen>,
    interval: Option<Duration>,
}

#[derive(Debug)]
struct Seen {
    last: UnixNanos,
    gaps: VecDeque<Duration>,
}

impl Seen {
    /// The median of the last gaps, if they are regular: most are near to it.
    fn interval(&self, now: UnixNanos) -> Option<Duration> {
        let mut gaps: Vec<Duration> = self.gaps.iter().copied().collect();
        gaps.sort_unstable();
        let median = *gaps.get(gaps.len() / 2)?;
        let near = gaps
            .iter()
            .filter(|gap| **gap >= median / 2 && **gap <= median * 3 / 2);
        let there = now.since(self.last) <= median.saturating_mul(GONE);
        (near.count() >= ENOUGH && there).then_some(median)
    }
}

impl Scrapers {
    /// Notes a complete scrape that began at `began` (TTL time). Whether the interval has
    /// changed: by more than a tenth, since scrapes are never quite on time, or from or to unknown.
    pub(super) fn note(&mut self, scraper: IpAddr, began: UnixNanos) -> bool {
        if let Some(seen) = self.seen.get_mut(&scraper) {
            let gap = began.since(seen.last);
            if !gap.is_zero() {
                seen.last = began;
                seen.gaps.push_back(gap);
                if seen.gaps.len() > GAPS {
                    seen.gaps.pop_front();
                }
            }
        } else {
            self.make_room();
            let gaps = VecDeque::with_capacity(GAPS + 1);
            self.seen.insert(scraper, Seen { last: began, gaps });
        }
        // The most frequent scraper counts: it sees what others miss.
        let intervals = self.seen.values().filter_map(|seen| seen.interval(began));
        let found = intervals.min();
        let is_same = match (self.interval, found) {
            (Some(old), Some(found)) => old.abs_diff(found) <= old / 10,
            (old, found) => old == found,
        };
        if !is_same {
            self.interval = found;
        }
        !is_same
    }

    /// The interval; `None` while there is no regular scraper.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.interval
    }

    fn make_room(&mut self) {
        if self.seen.len() < SCRAPERS {
            return;
        }
        let longest_ago = self.seen.iter().min_by_key(|(_, seen)| seen.last);
        if let Some(scraper) = longest_ago.map(|(scraper, _)| *scraper) {
            self.seen.remove(&scraper);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// The interval found after scrapes by (last byte of the address, second).
    fn interval(seen: &[(u8, u64)]) -> Option<u64> {
        let mut scrapers = Scrapers::default();
        for (address, second) in seen {
            let address = Ipv4Addr::new(127, 0, 0, *address).into();
            scrapers.note(address, UnixNanos(second * 1_000_000_000));
        }
        scrapers.interval().map(|interval| interval.as_secs())
    }

    #[test]
    fn the_interval_is_that_of_the_most_frequent_regular_scraper() {
        for (scrapes, expected) in [
            (&[(1, 0), (1, 15), (1, 30)][..], None),
            (&[(1, 0), (1, 15), (1, 30), (1, 45)], Some(15)),
            // One scrape was missed, one was late.
            (
                &[(1, 0), (1, 15), (1, 30), (1, 60), (1, 76), (1, 90)],
                Some(16),
            ),
            // Somebody looks now and then.
            (&[(1, 0), (1, 100), (1, 101), (1, 500), (1, 502)], None),
            // Two scrapers, and a person at a third address.
            (
                &[
                    (1, 0),
                    (2, 1),
                    (3, 2),
                    (1, 60),
                    (2, 61),
                    (3, 62),
                    (2, 121),
                    (1, 120),
                    (2, 181),
                    (1, 180),
                    (2, 241),
                ],
                Some(60),
            ),
            (
                &[
                    (1, 0),
                    (2, 0),
                    (1, 60),
                    (2, 10),
                    (2, 20),
                    (2, 30),
                    (1, 120),
                    (1, 180),
                ],
                Some(60),
            ),
            // Several scrapes within one instant say nothing.
            (&[(1, 7), (1, 7), (1, 7), (1, 7)], None),
        ] {
            assert_eq!(interval(scrapes), expected, "{scrapes:?}");
        }
    }

    #[test]
    fn the_interval_of_a_scraper_that_has_gone_is_forgotten() {
        let mut scrapers = Scrapers::default();
        let (one, two) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let mut note =
            |who: IpAddr, second: u64| scrapers.note(who, UnixNanos(second * 1_000_000_000));
        for second in [0, 15, 30] {
            assert!(!note(one, second));
        }
        assert!(note(one, 45), "it is found");
        assert!(!note(two, 45 + 150), "ten intervals are not too long");
        assert!(note(two, 45 + 151), "it is forgotten");
        assert!(!note(two, 1000), "which is told once");
        assert_eq!(scrapers.interval(), None);
    }

    #[test]
    fn addresses_are_bounded_and_small_changes_are_none() {
        let mut scrapers = Scrapers::default();
        for n in 0..1000_u32 {
            scrapers.note(Ipv4Addr::from(n).into(), UnixNanos(u64::from(n)));
        }
        assert_eq!(scrapers.seen.len(), SCRAPERS);
        let one = Ipv4Addr::LOCALHOST.into();
        let mut note = |millis: u64| scrapers.note(one, UnixNanos(millis * 1_000_000));
        assert!(![0, 1000, 2000].into_iter().any(&mut note));
        assert!(note(3000));
        assert!(![4050, 5100, 6150, 7200].into_iter().any(&mut note));
        assert_eq!(scrapers.interval(), Some(Duration::from_secs(1)));
    }
}
