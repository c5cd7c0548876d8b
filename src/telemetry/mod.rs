//! The gateway's own metrics: counted here, yielded as families to be merged
//! into the exposition.
//!
//! There is no global state: whoever counts is given the [`Telemetry`].

mod catalogue;
mod families;
mod process;
mod quantiles;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use crate::clock::Clock;
use crate::lock::lock;
use quantiles::Quantiles;

pub use catalogue::{own_help, own_kind};

/// Counters and gauges of the running gateway, shared by all its parts.
#[derive(Debug)]
pub struct Telemetry {
    /// One plain mutex over all numbers: it is held for some additions, or for
    /// one copy at a scrape, and never across an await or any I/O.
    numbers: Mutex<Numbers>,
    /// For how long ago something was observed.
    clock: Clock,
    /// Seconds since 1970; `None` where the system does not tell.
    process_start: Option<f64>,
}

/// A summary without quantiles.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    count: u64,
    sum: f64,
}

impl Tally {
    fn observe(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
    }
}

#[derive(Debug, Clone, Default)]
struct Numbers {
    /// By code, handler and method, in the order of the exposition.
    requests: BTreeMap<(u16, &'static str, &'static str), u64>,
    pushes: BTreeMap<&'static str, Pushes>,
    clock_drift: i64,
    name_clashes: u64,
    expiry: ExpiryNumbers,
    reload_refused: bool,
    reload_time: f64,
    groups: u64,
    series: u64,
    groups_limit: Option<u64>,
    series_limit: Option<u64>,
    over_limit: BTreeMap<&'static str, u64>,
    hidden: usize,
    refusing: bool,
    store_bytes: u64,
    scrape: Tally,
    cut_slow: u64,
    cut_stalled: u64,
    cut_for_memory: u64,
    commit: Tally,
    commits: u64,
    commit_errors: u64,
    last_commit_error: f64,
    reap: Tally,
    groups_expired: BTreeMap<String, u64>,
    password_checks: u64,
    web_config_refused: bool,
}

/// Why a scraper was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutScrape {
    /// It had not taken its answer in time.
    Slow,
    /// It took nothing of it.
    Stalled,
    /// It held memory that was needed.
    Memory,
}

/// How expiry stands at a scrape.
#[derive(Debug, Clone, Default)]
pub struct ExpiryNumbers {
    /// TTL of groups that nothing else gives one, in seconds; infinite: never.
    pub default_seconds: f64,
    /// Groups by where their TTL comes from.
    pub groups: Vec<(String, u64)>,
    /// When the next group expires, in seconds since 1970; infinite: never.
    pub next: f64,
    /// Groups kept beyond their TTL.
    pub overdue: u64,
    /// Groups whose TTL is below twice the scrape interval.
    pub short: u64,
    /// How often the gateway is scraped, in seconds; 0: not known yet.
    pub scrape_interval: f64,
}

/// The pushes of one method.
#[derive(Debug, Clone, Default)]
struct Pushes {
    duration: Tally,
    durations: Quantiles,
    size: Tally,
    sizes: Quantiles,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Telemetry {
    /// All counts at 0, by the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    /// All counts at 0, by this clock.
    pub fn with_clock(clock: Clock) -> Self {
        Self {
            numbers: Mutex::default(),
            clock,
            process_start: process::start_time(),
        }
    }

    /// Counts a request that is done. `handler` is one of the Pushgateway's words
    /// (`push`, `delete`, `status`, ...); `method` in any case, and one that HTTP
    /// does not know counts as `unknown`, so that clients cannot invent series.
    pub fn count_request(&self, handler: &'static str, method: &str, code: u16) {
        *self
            .numbers()
            .requests
            .entry((code, handler, method_label(method)))
            .or_default() += 1;
    }

    /// Counts a push, failed ones included: how long it took, and how large the
    /// request was as sent (request line, headers and declared body).
    pub fn observe_push(&self, method: &str, seconds: f64, size_bytes: f64) {
        let now = self.clock.ttl_now();
        let mut numbers = self.numbers();
        let pushes = numbers.pushes.entry(method_label(method)).or_default();
        pushes.duration.observe(seconds);
        pushes.durations.observe(seconds, now);
        pushes.size.observe(size_bytes);
        pushes.sizes.observe(size_bytes, now);
    }

    /// Counts a scrape that was answered.
    pub fn observe_scrape(&self, seconds: f64) {
        self.numbers().scrape.observe(seconds);
    }

    /// Counts scrapers that were cut off before they had their whole answer.
    pub fn count_cut_scrapes(&self, why: CutScrape, scrapes: u64) {
        let mut numbers = self.numbers();
        *match why {
            CutScrape::Slow => &mut numbers.cut_slow,
            CutScrape::Stalled => &mut numbers.cut_stalled,
            CutScrape::Memory => &mut numbers.cut_for_memory,
        } += scrapes;
    }

    /// How many groups and how many pushed series are stored now.
    pub fn set_stored(&self, groups: u64, series: u64) {
        let mut numbers = self.numbers();
        numbers.groups = groups;
        numbers.series = series;
    }

    /// How many groups and how many series may be stored; `None`: there is no limit.
    pub fn set_limits(&self, groups: Option<u64>, series: Option<u64>) {
        let mut numbers = self.numbers();
        numbers.groups_limit = groups;
        numbers.series_limit = series;
    }

    /// Counts pushes that were refused because there would have been too many of something,
    /// such as `groups`; may be told of 0, so that the first is an increase.
    pub fn count_over_limit(&self, limit: &'static str, pushes: u64) {
        *self.numbers().over_limit.entry(limit).or_default() += pushes;
    }

    /// How many families are stored and not shown.
    pub fn set_hidden(&self, families: usize) {
        self.numbers().hidden = families;
    }

    /// How many families, and groups' parts of families, the last scrape left out because
    /// their escaped names are the same as others; what it was before.
    pub fn set_name_clashes(&self, left_out: u64) -> u64 {
        std::mem::replace(&mut self.numbers().name_clashes, left_out)
    }

    /// By how many seconds the wall clock was moved since the start.
    pub fn set_clock_drift(&self, seconds: i64) {
        self.numbers().clock_drift = seconds;
    }

    /// How expiry stands now.
    pub fn set_expiry(&self, expiry: ExpiryNumbers) {
        self.numbers().expiry = expiry;
    }

    /// Notes whether the config file was taken, and when, in seconds since 1970.
    pub fn observe_reload(&self, taken: bool, unix_seconds: f64) {
        let mut numbers = self.numbers();
        numbers.reload_refused = !taken;
        if taken {
            numbers.reload_time = unix_seconds;
        }
    }

    /// Whether pushes are stored now.
    pub fn set_accepting(&self, accepting: bool) {
        self.numbers().refusing = !accepting;
    }

    /// How large the store is on disk now.
    pub fn set_store_bytes(&self, bytes: u64) {
        self.numbers().store_bytes = bytes;
    }

    /// Counts a committed batch and how long its commit took.
    pub fn observe_commit(&self, seconds: f64) {
        let mut numbers = self.numbers();
        numbers.commit.observe(seconds);
        numbers.commits += 1;
    }

    /// Counts a batch whose commit failed, how long that took, and when it was, in
    /// seconds since 1970.
    pub fn observe_commit_error(&self, seconds: f64, unix_seconds: f64) {
        let mut numbers = self.numbers();
        numbers.commit.observe(seconds);
        numbers.commit_errors += 1;
        numbers.last_commit_error = unix_seconds;
    }

    /// Counts groups removed because their TTL had run out. `source` tells where the
    /// TTL came from, such as `default` or `rule:NAME`; the caller keeps them few,
    /// and may name the usual ones with 0 groups at the start, so that the first
    /// expiry is an increase from 0.
    pub fn count_expired_groups(&self, source: &str, groups: u64) {
        let expired = &mut self.numbers().groups_expired;
        match expired.get_mut(source) {
            Some(count) => *count += groups,
            None => drop(expired.insert(source.to_owned(), groups)),
        }
    }

    /// Counts the removal of one slice of expired groups.
    pub fn observe_reap(&self, seconds: f64) {
        self.numbers().reap.observe(seconds);
    }

    /// Counts a password whose hash had to be computed.
    pub fn count_password_check(&self) {
        self.numbers().password_checks += 1;
    }

    /// Whether the web config file and its certificates could be used when they were
    /// read last.
    pub fn set_web_config_taken(&self, taken: bool) {
        self.numbers().web_config_refused = !taken;
    }

    /// Numbers only ever grow or are set, so that a panic elsewhere while the lock
    /// was held leaves nothing half done that a reader could stumble over.
    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        lock(&self.numbers)
    }
}

/// The `method` label: lower case, `unknown` beyond the methods that Go's client names.
fn method_label(method: &str) -> &'static str {
    const KNOWN: [&str; 10] = [
        "connect", "delete", "get", "head", "notify", "options", "patch", "post", "put", "trace",
    ];
    KNOWN
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(method))
        .unwrap_or("unknown")
}
