//! What follows from scrapes: what was held for them may expire, and TTLs may prove too short.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::UnixNanos;
use crate::lock::lock;
#[cfg(doc)]
use crate::ttl::Horizon;

use super::State;
use super::scrapers::Scrapers;

/// What a scrape showed to a scraper.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// All pushes up to this number: see [`Horizon::scraped`].
    pub pushes: u64,
    /// When it began, in TTL time.
    pub began: UnixNanos,
    /// The scraper's address.
    pub scraper: IpAddr,
}

/// What is known of the scrapes so far.
#[derive(Debug, Default)]
pub(super) struct Scrapes {
    scrapers: Mutex<Scrapers>,
    /// The scrape interval for which the log was told of TTLs that are too short.
    warned: Mutex<Option<Duration>>,
}

impl Scrapes {
    /// Other TTL rules are in force: whether they are too short is to be told anew.
    pub(super) fn warn_again(&self) {
        *lock(&self.warned) = None;
    }

    fn interval(&self) -> Option<Duration> {
        lock(&self.scrapers).interval()
    }
}

impl State {
    /// Notes that a scrape was handed over whole: what it showed, and when it began, in
    /// TTL time.
    pub fn note_scrape(&self, shown: &Shown) {
        self.expiry().note_scrape(shown.pushes, shown.began);
        let interval = {
            let mut scrapers = lock(&self.scrapes.scrapers);
            if scrapers.note(shown.scraper, shown.began) {
                self.view().set_short_ttl(short_ttl(&scrapers));
            }
            scrapers.interval()
        };
        self.warn_of_short_ttls(interval);
    }

    /// Tells the log that groups may expire between two scrapes: once for an interval,
    /// and once more when TTL rules have changed.
    fn warn_of_short_ttls(&self, interval: Option<Duration>) {
        let mut warned = lock(&self.scrapes.warned);
        let Some(interval) = interval.filter(|interval| *warned != Some(*interval)) else {
            return;
        };
        let groups = self.view().short_ttl_groups();
        if groups > 0 {
            *warned = Some(interval);
            let seconds = interval.as_secs_f64();
            tracing::warn!(
                groups,
                seconds,
                "TTLs below twice the scrape interval: such groups may never be scraped"
            );
        }
    }

    /// How often the gateway is scraped; `None` until that is known.
    pub fn scrape_interval(&self) -> Option<Duration> {
        self.scrapes.interval()
    }

    /// A group whose TTL is below this, and that no rule holds, may never be scraped; zero
    /// until the scrape interval is known.
    pub fn short_ttl(&self) -> Duration {
        short_ttl(&lock(&self.scrapes.scrapers))
    }
}

/// Twice the scrape interval.
fn short_ttl(scrapers: &Scrapers) -> Duration {
    scrapers.interval().unwrap_or_default().saturating_mul(2)
}
