//! Makes families of the numbers.

use super::catalogue as own;
use super::process::Reading;
use super::{Numbers, Pushes, Tally, Telemetry};
use crate::build_info;
use crate::clock::UnixNanos;
use crate::model::{Family, Label, Metric, Quantile, Summary, Value};

impl Telemetry {
    /// All families that have samples, sorted by name, their labels sorted by name.
    /// Reads `/proc`; a value that cannot be read is left out.
    pub fn families(&self) -> Vec<Family<'static>> {
        self.families_with(&Reading::take())
    }

    fn families_with(&self, process: &Reading) -> Vec<Family<'static>> {
        let numbers = self.numbers().clone();
        let mut families = vec![build_info_family()];
        families.extend(process_families(self.process_start, process));
        families.extend(http_families(&numbers, self.clock.ttl_now()));
        families.extend(gateway_families(numbers));
        families.retain(|family| !family.metrics.is_empty());
        families.sort_by(|a, b| a.name.cmp(&b.name));
        families
    }
}

fn build_info_family() -> Family<'static> {
    let labels = vec![
        Label::new("branch", build_info::BRANCH),
        Label::new("goarch", build_info::go_arch()),
        Label::new("goos", build_info::go_os()),
        Label::new("goversion", build_info::compiler()),
        Label::new("revision", build_info::REVISION),
        Label::new("tags", ""),
        Label::new("version", build_info::VERSION),
    ];
    own::BUILD_INFO.family(vec![number(labels, 1.0)])
}

fn process_families(start: Option<f64>, reading: &Reading) -> Vec<Family<'static>> {
    let values = [
        (&own::PROCESS_CPU, reading.cpu_seconds),
        (&own::PROCESS_MAX_FDS, reading.max_fds),
        (&own::PROCESS_RECEIVED, reading.received_bytes),
        (&own::PROCESS_SENT, reading.sent_bytes),
        (&own::PROCESS_OPEN_FDS, reading.open_fds),
        (&own::PROCESS_RESIDENT, reading.resident_bytes),
        (&own::PROCESS_START, start),
        (&own::PROCESS_VIRTUAL, reading.virtual_bytes),
        (&own::PROCESS_VIRTUAL_MAX, reading.virtual_max_bytes),
    ];
    let present = values
        .into_iter()
        .filter_map(|(own, value)| value.map(|value| (own, value)));
    present
        .map(|(own, value)| own.family(vec![number(vec![], value)]))
        .collect()
}

/// Without samples until the first request, as in the original.
fn http_families(numbers: &Numbers, now: UnixNanos) -> [Family<'static>; 3] {
    let requests = numbers
        .requests
        .iter()
        .map(|((code, handler, method), count)| {
            let labels = vec![
                Label::new("code", code.to_string()),
                Label::new("handler", *handler),
                Label::new("method", *method),
            ];
            number(labels, double(*count))
        });
    [
        own::REQUESTS.family(requests.collect()),
        own::PUSH_DURATION.family(by_method(numbers, |pushes| {
            (pushes.duration, pushes.durations.at(now))
        })),
        own::PUSH_SIZE.family(by_method(numbers, |pushes| {
            (pushes.size, pushes.sizes.at(now))
        })),
    ]
}

fn by_method(
    numbers: &Numbers,
    of: impl Fn(&Pushes) -> (Tally, Vec<Quantile>),
) -> Vec<Metric<'static>> {
    let metric = |(method, pushes): (&&'static str, &Pushes)| {
        let (tally, quantiles) = of(pushes);
        summary(vec![Label::new("method", *method)], tally, quantiles)
    };
    numbers.pushes.iter().map(metric).collect()
}

fn gateway_families(numbers: Numbers) -> Vec<Family<'static>> {
    let values = [
        (&own::CLOCK_DRIFT, signed(numbers.clock_drift)),
        (&own::NAME_CLASHES, double(numbers.name_clashes)),
        (&own::RELOAD_TIME, numbers.reload_time),
        (
            &own::RELOAD_TAKEN,
            f64::from(u8::from(!numbers.reload_refused)),
        ),
        (&own::TTL_DEFAULT, numbers.expiry.default_seconds),
        (&own::NEXT_EXPIRY, numbers.expiry.next),
        (&own::OVERDUE, double(numbers.expiry.overdue)),
        (&own::SHORT_TTL, double(numbers.expiry.short)),
        (&own::SCRAPE_INTERVAL, numbers.expiry.scrape_interval),
        (&own::GROUPS, double(numbers.groups)),
        (&own::GROUPS_LIMIT, most(numbers.groups_limit)),
        (&own::HIDDEN, double(numbers.hidden as u64)),
        (&own::SERIES, double(numbers.series)),
        (&own::SERIES_LIMIT, most(numbers.series_limit)),
        (&own::STORE_SIZE, double(numbers.store_bytes)),
        (&own::ACCEPTING, f64::from(u8::from(!numbers.refusing))),
        (&own::COMMITS, double(numbers.commits)),
        (&own::COMMIT_ERRORS, double(numbers.commit_errors)),
        (&own::COMMIT_ERROR_TIME, numbers.last_commit_error),
        (&own::PASSWORD_CHECKS, double(numbers.password_checks)),
        (
            &own::WEB_CONFIG_TAKEN,
            f64::from(u8::from(!numbers.web_config_refused)),
        ),
    ];
    let tallies = [
        (&own::SCRAPE, numbers.scrape),
        (&own::COMMIT, numbers.commit),
        (&own::REAP, numbers.reap),
    ];
    let by_source = numbers.expiry.groups.into_iter();
    let by_source = by_source
        .map(|(source, count)| number(vec![Label::new("ttl_source", source)], double(count)));
    let by_source = own::TTL_GROUPS.family(by_source.collect());
    let expired = numbers.groups_expired.into_iter();
    let expired = expired
        .map(|(source, count)| number(vec![Label::new("ttl_source", source)], double(count)));
    let expired = own::GROUPS_EXPIRED.family(expired.collect());
    let values = values
        .into_iter()
        .map(|(own, value)| own.family(vec![number(vec![], value)]));
    let tallies = tallies
        .into_iter()
        .map(|(own, tally)| own.family(vec![summary(vec![], tally, vec![])]));
    let cut = [
        ("slow", numbers.cut_slow),
        ("stalled", numbers.cut_stalled),
        ("memory", numbers.cut_for_memory),
    ];
    let cut = cut.map(|(reason, count)| number(vec![Label::new("reason", reason)], double(count)));
    let cut = own::SCRAPES_CUT.family(cut.into());
    let over = numbers.over_limit.into_iter();
    let over = over.map(|(limit, count)| number(vec![Label::new("limit", limit)], double(count)));
    let over = own::OVER_LIMIT.family(over.collect());
    let labelled = [expired, by_source, cut, over];
    values.chain(tallies).chain(labelled).collect()
}

#[expect(clippy::cast_precision_loss, reason = "the exposition prints doubles")]
fn signed(seconds: i64) -> f64 {
    seconds as f64
}

fn number(labels: Vec<Label<'static>>, value: f64) -> Metric<'static> {
    Metric {
        labels: labels.into(),
        value: Value::Number(value, None),
        timestamp_ms: None,
    }
}

fn summary(labels: Vec<Label<'static>>, tally: Tally, quantiles: Vec<Quantile>) -> Metric<'static> {
    let summary = Summary {
        quantiles,
        count: tally.count,
        sum: tally.sum,
        ..Summary::default()
    };
    Metric {
        labels: labels.into(),
        value: Value::Summary(Box::new(summary)),
        timestamp_ms: None,
    }
}

/// A limit; without one a share of it is always 0.
fn most(limit: Option<u64>) -> f64 {
    limit.map_or(f64::INFINITY, double)
}

#[expect(clippy::cast_precision_loss, reason = "the exposition has doubles")]
fn double(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::super::{CutScrape, ExpiryNumbers};
    use super::*;
    use crate::model::Kind;

    /// A gateway on which everything has happened once.
    fn busy() -> Telemetry {
        let telemetry = Telemetry {
            process_start: Some(1.7e9),
            ..Telemetry::new()
        };
        telemetry.count_request("push", "PUT", 200);
        telemetry.observe_push("put", 0.5, 300.0);
        telemetry.observe_scrape(0.25);
        telemetry.count_cut_scrapes(CutScrape::Slow, 1);
        telemetry.count_cut_scrapes(CutScrape::Memory, 2);
        telemetry.count_cut_scrapes(CutScrape::Stalled, 3);
        telemetry.set_stored(2, 40);
        telemetry.set_limits(Some(5), None);
        telemetry.count_over_limit("series", 0);
        telemetry.count_over_limit("groups", 2);
        telemetry.set_expiry(ExpiryNumbers {
            default_seconds: 3600.0,
            groups: vec![("default".to_owned(), 2)],
            next: 1.8e9,
            overdue: 1,
            short: 1,
            scrape_interval: 15.0,
        });
        telemetry.set_store_bytes(4096);
        telemetry.observe_commit(0.125);
        telemetry.observe_commit_error(0.375, 1.7e9);
        telemetry.count_expired_groups("default", 3);
        telemetry.observe_reap(0.0625);
        telemetry
    }

    fn family(telemetry: &Telemetry, name: &str) -> Option<Family<'static>> {
        telemetry
            .families()
            .into_iter()
            .find(|family| family.name == name)
    }

    /// The label values and the value of every series, as `put 200: 3`.
    fn samples(telemetry: &Telemetry, name: &str) -> Vec<String> {
        let sample = |metric: Metric<'_>| {
            let labels: Vec<&str> = metric.labels.iter().map(|label| &*label.value).collect();
            let value = match metric.value {
                Value::Number(value, None) => value.to_string(),
                Value::Summary(summary) => format!("{}/{}", summary.count, summary.sum),
                other => format!("{other:?}"),
            };
            [labels.join(" "), value].join(": ")
        };
        let metrics = family(telemetry, name)
            .map(|family| family.metrics)
            .unwrap_or_default();
        metrics.into_iter().map(sample).collect()
    }

    #[test]
    fn a_busy_gateway_shows_the_whole_catalogue_and_nothing_else() {
        let shown: Vec<(String, Kind)> = busy()
            .families_with(&EVERYTHING)
            .into_iter()
            .map(|family| (family.name.into_owned(), family.kind))
            .collect();
        let all = own::ALL.iter().map(|own| own.family(vec![]));
        // Series of groups are in the view.
        let of_groups = [&own::EXPIRED_LAST_PUSH, &own::GROUP_EXPIRY, &own::GROUP_TTL]
            .map(|own| own.family(vec![]).name);
        let all = all.filter(|family| !of_groups.contains(&family.name));
        let all: Vec<(String, Kind)> = all
            .map(|family| (family.name.into_owned(), family.kind))
            .collect();
        assert_eq!(shown, all);
    }

    #[test]
    fn process_values_stand_under_their_own_names() {
        let values: Vec<String> = process_families(Some(9.0), &EVERYTHING)
            .into_iter()
            .map(|family| match family.metrics[0].value {
                Value::Number(value, None) => format!("{} {value}", family.name),
                _ => panic!("{family:?}"),
            })
            .collect();
        let wanted = [
            "process_cpu_seconds_total 1",
            "process_max_fds 3",
            "process_network_receive_bytes_total 7",
            "process_network_transmit_bytes_total 8",
            "process_open_fds 2",
            "process_resident_memory_bytes 4",
            "process_start_time_seconds 9",
            "process_virtual_memory_bytes 5",
            "process_virtual_memory_max_bytes 6",
        ];
        assert_eq!(values, wanted);
    }

    #[test]
    fn values_have_the_form_of_their_type_and_labels_are_sorted() {
        for family in busy().families() {
            assert_eq!(own::own_kind(&family.name), Some(family.kind));
            assert!(family.help.is_some_and(|help| !help.is_empty()));
            for metric in &family.metrics {
                let is_summary = matches!(metric.value, Value::Summary(_));
                assert_eq!(is_summary, family.kind == Kind::Summary, "{}", family.name);
                assert!(
                    metric.labels.is_sorted_by(|a, b| a.name < b.name),
                    "{}",
                    family.name
                );
            }
        }
    }

    #[test]
    fn http_families_appear_with_the_first_request() {
        let telemetry = Telemetry::new();
        for name in [
            "pushgateway_http_requests_total",
            "pushgateway_http_push_duration_seconds",
            "pushgateway_http_push_size_bytes",
        ] {
            assert_eq!(family(&telemetry, name), None);
            assert!(family(&busy(), name).is_some());
        }
        assert_eq!(samples(&telemetry, "tidegate_groups"), [": 0"]);
    }

    #[test]
    fn requests_are_counted_by_code_handler_and_method() {
        let telemetry = Telemetry::new();
        for (handler, method, code) in [
            ("push", "PUT", 200),
            ("push", "put", 200),
            ("push", "POST", 400),
            ("delete", "DELETE", 202),
            ("static", "BREW", 200),
            ("static", "x".repeat(1000).as_str(), 200),
        ] {
            telemetry.count_request(handler, method, code);
        }
        assert_eq!(
            samples(&telemetry, "pushgateway_http_requests_total"),
            [
                "200 push put: 2",
                "200 static unknown: 2",
                "202 delete delete: 1",
                "400 push post: 1"
            ]
        );
    }

    #[test]
    fn pushes_are_summed_by_method() {
        let telemetry = Telemetry::new();
        telemetry.observe_push("PUT", 0.5, 100.0);
        telemetry.observe_push("put", 0.25, 300.0);
        telemetry.observe_push("post", 2.0, 50.0);
        let duration = samples(&telemetry, "pushgateway_http_push_duration_seconds");
        assert_eq!(duration, ["post: 1/2", "put: 2/0.75"]);
        let size = samples(&telemetry, "pushgateway_http_push_size_bytes");
        assert_eq!(size, ["post: 1/50", "put: 2/400"]);
    }

    #[test]
    fn the_gateways_own_numbers_are_shown() {
        let telemetry = busy();
        telemetry.count_expired_groups("rule:ci", 1);
        telemetry.count_expired_groups("default", 4);
        for (name, wanted) in [
            ("tidegate_groups", &[": 2"][..]),
            ("tidegate_series", &[": 40"]),
            ("tidegate_groups_limit", &[": 5"]),
            ("tidegate_series_limit", &[": inf"]),
            (
                "tidegate_pushes_over_limit_total",
                &["groups: 2", "series: 0"],
            ),
            ("tidegate_store_size_bytes", &[": 4096"]),
            ("tidegate_store_accepting", &[": 1"]),
            ("tidegate_ttl_default_seconds", &[": 3600"]),
            ("tidegate_ttl_groups", &["default: 2"]),
            (
                "tidegate_ttl_next_expiry_timestamp_seconds",
                &[": 1800000000"],
            ),
            ("tidegate_ttl_overdue_groups", &[": 1"]),
            ("tidegate_ttl_below_scrape_interval_groups", &[": 1"]),
            ("tidegate_scrape_interval_seconds", &[": 15"]),
            ("tidegate_store_commits_total", &[": 1"]),
            ("tidegate_store_commit_errors_total", &[": 1"]),
            (
                "tidegate_store_last_commit_error_timestamp_seconds",
                &[": 1700000000"],
            ),
            ("tidegate_store_commit_duration_seconds", &[": 2/0.5"]),
            ("tidegate_scrape_duration_seconds", &[": 1/0.25"]),
            (
                "tidegate_scrapes_cut_total",
                &["slow: 1", "stalled: 3", "memory: 2"],
            ),
            ("tidegate_ttl_reap_duration_seconds", &[": 1/0.0625"]),
            (
                "tidegate_groups_expired_total",
                &["default: 7", "rule:ci: 1"],
            ),
        ] {
            assert_eq!(samples(&telemetry, name), wanted, "{name}");
        }
    }

    #[test]
    fn build_info_has_the_labels_of_the_original() {
        let family = family(&Telemetry::new(), "pushgateway_build_info").unwrap();
        let names: Vec<&str> = family.metrics[0]
            .labels
            .iter()
            .map(|label| &*label.name)
            .collect();
        let wanted = [
            "branch",
            "goarch",
            "goos",
            "goversion",
            "revision",
            "tags",
            "version",
        ];
        assert_eq!(names, wanted);
        assert_eq!(
            samples(&Telemetry::new(), "pushgateway_build_info").len(),
            1
        );
    }

    #[test]
    fn a_process_that_cannot_be_read_has_no_process_metrics() {
        let reading = Reading {
            open_fds: Some(7.0),
            ..NOTHING
        };
        let names: Vec<_> = process_families(None, &reading)
            .into_iter()
            .map(|family| family.name)
            .collect();
        assert_eq!(names, ["process_open_fds"]);
    }

    const EVERYTHING: Reading = Reading {
        cpu_seconds: Some(1.0),
        open_fds: Some(2.0),
        max_fds: Some(3.0),
        resident_bytes: Some(4.0),
        virtual_bytes: Some(5.0),
        virtual_max_bytes: Some(6.0),
        received_bytes: Some(7.0),
        sent_bytes: Some(8.0),
    };

    const NOTHING: Reading = Reading {
        cpu_seconds: None,
        open_fds: None,
        max_fds: None,
        resident_bytes: None,
        virtual_bytes: None,
        virtual_max_bytes: None,
        received_bytes: None,
        sent_bytes: None,
    };

    #[test]
    fn many_threads_count_together() {
        let telemetry = Telemetry::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| telemetry.count_request("push", "put", 200)));
            }
        });
        assert_eq!(
            samples(&telemetry, "pushgateway_http_requests_total"),
            ["200 push put: 4000"]
        );
    }
}
