//! Every metric the gateway has of its own: name, type and help.
//!
//! Help texts of `pushgateway_*` and `process_*` are those of the Pushgateway and
//! of Go's client, since pushed families of these names get ours.

use crate::model::{Family, Kind, Metric};
use crate::push::rewrite;

/// A metric family of our own, without its series.
pub(super) struct Own {
    name: &'static str,
    kind: Kind,
    help: &'static str,
}

impl Own {
    const fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Self { name, kind, help }
    }

    /// The family with these series.
    pub(super) fn family(&self, metrics: Vec<Metric<'static>>) -> Family<'static> {
        let (name, help) = (self.name.into(), Some(self.help.into()));
        Family {
            name,
            kind: self.kind,
            help,
            metrics,
        }
    }
}

/// The type of a metric of our own, whether or not it has samples now; `None` for
/// a name that is not ours. A summary's `_sum` and `_count` are not in the list.
pub fn own_kind(name: &str) -> Option<Kind> {
    find(name).map(|own| own.kind)
}

/// The help of a metric of our own, whether or not it has samples now. Families
/// pushed under its name are shown with it.
pub fn own_help(name: &str) -> Option<&'static str> {
    find(name).map(|own| own.help)
}

fn find(name: &str) -> Option<&'static Own> {
    let place = ALL.binary_search_by(|own| own.name.cmp(name)).ok()?;
    Some(ALL[place])
}

macro_rules! catalogue {
    ($($id:ident = $kind:ident $name:expr => $help:literal;)*) => {
        $(pub(super) static $id: Own = Own::new(Kind::$kind, $name, $help);)*

        /// All of them, sorted by name.
        pub(super) static ALL: &[&Own] = &[$(&$id),*];
    };
}

catalogue! {
    PROCESS_CPU = Counter "process_cpu_seconds_total" =>
        "Total user and system CPU time spent in seconds.";
    PROCESS_MAX_FDS = Gauge "process_max_fds" =>
        "Maximum number of open file descriptors.";
    PROCESS_RECEIVED = Counter "process_network_receive_bytes_total" =>
        "Number of bytes received by the process over the network.";
    PROCESS_SENT = Counter "process_network_transmit_bytes_total" =>
        "Number of bytes sent by the process over the network.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" =>
        "Number of open file descriptors.";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes" =>
        "Resident memory size in bytes.";
    PROCESS_START = Gauge "process_start_time_seconds" =>
        "Start time of the process since unix epoch in seconds.";
    PROCESS_VIRTUAL = Gauge "process_virtual_memory_bytes" =>
        "Virtual memory size in bytes.";
    PROCESS_VIRTUAL_MAX = Gauge "process_virtual_memory_max_bytes" =>
        "Maximum amount of virtual memory available in bytes.";
    BUILD_INFO = Gauge "pushgateway_build_info" =>
        "A metric with a constant '1' value labeled by version, revision, branch, goversion \
         from which pushgateway was built, and the goos and goarch for the build.";
    PUSH_DURATION = Summary "pushgateway_http_push_duration_seconds" =>
        "HTTP request duration for pushes to the Pushgateway.";
    PUSH_SIZE = Summary "pushgateway_http_push_size_bytes" =>
        "HTTP request size for pushes to the Pushgateway.";
    REQUESTS = Counter "pushgateway_http_requests_total" =>
        "Total HTTP requests processed by the Pushgateway, excluding scrapes.";
    CLOCK_DRIFT = Gauge "tidegate_clock_drift_seconds" =>
        "How far the wall clock was moved since the start; TTLs do not follow it.";
    RELOAD_TIME = Gauge "tidegate_config_last_reload_success_timestamp_seconds" =>
        "Unix time at which the config file was taken last, 0 if never since the start.";
    RELOAD_TAKEN = Gauge "tidegate_config_last_reload_successful" =>
        "Whether the last reload of the config file was taken.";
    EXPIRED_LAST_PUSH = Gauge rewrite::EXPIRED_LAST_PUSH =>
        "Unix time of the last push of a group that has expired and not come back.";
    GROUP_EXPIRY = Gauge rewrite::GROUP_EXPIRY =>
        "Unix time at which the group expires.";
    GROUP_TTL = Gauge rewrite::GROUP_TTL =>
        "TTL of the group, +Inf if it never expires.";
    GROUPS = Gauge "tidegate_groups" =>
        "Groups stored.";
    GROUPS_EXPIRED = Counter "tidegate_groups_expired_total" =>
        "Groups removed because their TTL had run out, by where the TTL came from.";
    GROUPS_LIMIT = Gauge "tidegate_groups_limit" =>
        "Most groups that are stored together, +Inf without a limit.";
    HIDDEN = Gauge "tidegate_hidden_families" =>
        "Families stored and not shown because they clash with others, or with themselves.";
    NAME_CLASHES = Gauge "tidegate_name_clashes" =>
        "Families, and groups' parts of families, left out of the last scrape because their \
         escaped names are the same as others.";
    PASSWORD_CHECKS = Counter "tidegate_password_checks_total" =>
        "Passwords whose hash had to be computed because they were not remembered.";
    OVER_LIMIT = Counter "tidegate_pushes_over_limit_total" =>
        "Pushes that were not stored because there would have been too many groups or series, \
         by which of them.";
    SCRAPE = Summary "tidegate_scrape_duration_seconds" =>
        "Time to answer a scrape, until its last byte was handed over.";
    SCRAPE_INTERVAL = Gauge "tidegate_scrape_interval_seconds" =>
        "Time between scrapes of the most frequent regular scraper, 0 if not known yet.";
    SCRAPES_CUT = Counter "tidegate_scrapes_cut_total" =>
        "Scrapers cut off before they had their whole answer: too slow, taking nothing, or \
         holding memory that newer scrapes need.";
    SERIES = Gauge "tidegate_series" =>
        "Pushed series stored.";
    SERIES_LIMIT = Gauge "tidegate_series_limit" =>
        "Most pushed series that are stored together, +Inf without a limit.";
    ACCEPTING = Gauge "tidegate_store_accepting" =>
        "Whether pushes are stored; 0 from a commit that failed until the store works again.";
    COMMIT = Summary "tidegate_store_commit_duration_seconds" =>
        "Time to commit one batch of changes to disk, failed commits included.";
    COMMIT_ERRORS = Counter "tidegate_store_commit_errors_total" =>
        "Batches of changes that could not be committed to disk.";
    COMMITS = Counter "tidegate_store_commits_total" =>
        "Batches of changes committed to disk.";
    COMMIT_ERROR_TIME = Gauge "tidegate_store_last_commit_error_timestamp_seconds" =>
        "Unix time of the last commit that failed, 0 if none has since the start.";
    STORE_SIZE = Gauge "tidegate_store_size_bytes" =>
        "Size of the store on disk.";
    SHORT_TTL = Gauge "tidegate_ttl_below_scrape_interval_groups" =>
        "Groups whose TTL is below twice the scrape interval, so that they may never be scraped.";
    TTL_DEFAULT = Gauge "tidegate_ttl_default_seconds" =>
        "TTL of groups that neither their push nor a rule gives one, +Inf if they never expire.";
    TTL_GROUPS = Gauge "tidegate_ttl_groups" =>
        "Groups stored, by where their TTL comes from.";
    NEXT_EXPIRY = Gauge "tidegate_ttl_next_expiry_timestamp_seconds" =>
        "Unix time at which the next group expires, +Inf if none ever does.";
    OVERDUE = Gauge "tidegate_ttl_overdue_groups" =>
        "Groups whose TTL has passed and that are kept because expiry is suspended or waits for a scrape.";
    REAP = Summary "tidegate_ttl_reap_duration_seconds" =>
        "Time to remove one slice of expired groups.";
    WEB_CONFIG_TAKEN = Gauge "tidegate_web_config_last_read_successful" =>
        "Whether the web config file and its certificates could be used when they were read last.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_so_that_they_can_be_found() {
        assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
        for own in ALL {
            assert_eq!(own_kind(own.name), Some(own.kind), "{}", own.name);
            assert_eq!(own_help(own.name), Some(own.help), "{}", own.name);
        }
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in ["", "go_goroutines", "tidegate_", "push_time_seconds", "zzz"] {
            assert_eq!(own_kind(name), None, "{name}");
        }
        assert_eq!(own_kind("pushgateway_http_push_size_bytes_sum"), None);
    }

    #[test]
    fn names_tell_units_and_counters() {
        for own in ALL {
            assert_eq!(
                own.kind == Kind::Counter,
                own.name.ends_with("_total"),
                "{}",
                own.name
            );
            assert!(own.help.ends_with('.'), "{}", own.name);
        }
    }
}
