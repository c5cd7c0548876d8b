//! Stores that older versions wrote: `tests/fixtures/README.md`.

mod support;

use std::fs;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use support::disk::Disk;
use support::in_process::InProcess;
use support::{LIMIT, eventually, repository_file};
use tidegate::clock::{Clock, ManualClock, UnixNanos};
use tidegate::format::inflate::gunzip;
use tidegate::gateway::GatewaySettings;

/// The schema version whose fixture this version writes.
const NEWEST: u32 = 2;

/// When the pushes in the fixtures were made.
const WRITTEN: UnixNanos = UnixNanos(1_795_316_820_500_000_000);

/// A gateway on this disk, its clock standing at a time after [`WRITTEN`].
fn start(disk: &Disk, later: Duration) -> (InProcess, ManualClock) {
    let (clock, hands) = Clock::manual(WRITTEN.plus(later));
    let gateway = InProcess::start(disk.place(), clock).expect("a store that opens");
    (gateway, hands)
}

/// What is pushed into a fixture: every kind of row and of metric.
fn fill(gateway: &InProcess, hands: &ManualClock) {
    let kinds = "# HELP fixture_requests_total Requests \\\\ \\n served.\n\
        # TYPE fixture_requests_total counter\nfixture_requests_total{code=\"200\"} 1027\n\
        fixture_requests_total{code=\"\"} 3\n\
        # TYPE fixture_level gauge\nfixture_level -0.5\nfixture_level{state=\"\\\"\\n\"} NaN\n\
        # TYPE fixture_seconds histogram\nfixture_seconds_bucket{le=\"0.1\"} 4\n\
        fixture_seconds_bucket{le=\"+Inf\"} 6\nfixture_seconds_sum 1.5\nfixture_seconds_count 6\n\
        # TYPE fixture_bytes summary\nfixture_bytes{quantile=\"0.5\"} 12\n\
        fixture_bytes_sum 64\nfixture_bytes_count 5\n\
        fixture_plain{instance=\"kept\"} 1e+300\n";
    let pushes = [
        (200, "PUT", "/metrics/job/kinds", kinds),
        (
            200,
            "PUT",
            "/metrics/job@base64/YS9i/path@base64/L3Zhcg==/empty@base64/=",
            "fixture_plain 1\n",
        ),
        (
            200,
            "PUT",
            "/metrics/job/merged",
            "fixture_old 1\nfixture_replaced 1\n",
        ),
        (
            200,
            "POST",
            "/metrics/job/merged",
            "fixture_replaced 2\nfixture_new 2\n",
        ),
        (200, "PUT", "/metrics/job/heartbeat", "fixture_plain 1\n"),
        (200, "POST", "/metrics/job/heartbeat", ""),
        (200, "POST", "/metrics/job/only-heartbeat", ""),
        (
            400,
            "PUT",
            "/metrics/job/rejected",
            "# TYPE fixture_level counter\nfixture_level 1\n",
        ),
        (
            200,
            "PUT",
            "/metrics/job/rejected-later",
            "fixture_plain 1\n",
        ),
        (
            400,
            "PUT",
            "/metrics/job/rejected-later",
            "# TYPE fixture_level counter\nfixture_level 1\n",
        ),
        (200, "PUT", "/metrics/job/deleted", "fixture_plain 1\n"),
        (202, "DELETE", "/metrics/job/deleted", ""),
        (
            200,
            "PUT",
            "/ttl/6h/metrics/job/six-hours",
            "fixture_plain 1\n",
        ),
        (
            200,
            "PUT",
            "/ttl/never/metrics/job/for-ever",
            "fixture_plain 1\n",
        ),
    ];
    for (status, method, path, body) in pushes {
        let answer = gateway.send(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        hands.advance(Duration::from_millis(1500));
    }
}

/// What a gateway exposes of what was pushed.
fn pushed(gateway: &InProcess) -> String {
    let exposition = gateway.metrics();
    let pushed = |line: &&str| line.contains("job=\"") || line.contains("fixture_");
    exposition
        .lines()
        .filter(pushed)
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// The store that this version writes.
fn written() -> Disk {
    let disk = Disk::default();
    let (gateway, hands) = start(&disk, Duration::ZERO);
    fill(&gateway, &hands);
    drop(gateway);
    let mut settings = GatewaySettings::new(disk.place(), Clock::manual(WRITTEN).0);
    settings.hide_inconsistent = true;
    let gateway = InProcess::with(settings).expect("a store that opens");
    let body = "# TYPE fixture_level counter\nfixture_level 1\nfixture_plain 1\n";
    let answer = gateway.send("PUT", "/ttl/never/metrics/job/hidden", body);
    assert_eq!(answer.status, 202, "{}", answer.text());
    disk
}

#[test]
fn this_version_writes_what_its_fixture_holds() {
    let disk = written();
    let metrics = pushed(&start(&disk, Duration::from_mins(1)).0);
    let name = repository_file(&format!("tests/fixtures/store-v{NEWEST}"));
    if std::env::var_os("TIDEGATE_WRITE_FIXTURE").is_some() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&disk.bytes()).expect("pack the store");
        let packed = packed.finish().expect("pack the store");
        fs::write(name.with_extension("redb.gz"), packed).expect("write the store");
        fs::write(name.with_extension("metrics"), &metrics).expect("write the exposition");
    }
    let expected = fs::read_to_string(name.with_extension("metrics")).expect("a fixture");
    assert_eq!(metrics, expected);
}

#[test]
fn the_store_of_every_version_shows_its_groups_takes_pushes_and_forgets_on_time() {
    for version in 1..=NEWEST {
        let name = repository_file(&format!("tests/fixtures/store-v{version}"));
        let packed = fs::read(name.with_extension("redb.gz")).expect("a fixture");
        let store = gunzip(&packed, 16 << 20).expect("a gzip file");
        let expected = fs::read_to_string(name.with_extension("metrics")).expect("a fixture");
        let disk = Disk::holding(&store);
        let (gateway, hands) = start(&disk, Duration::from_mins(1));
        assert_eq!(pushed(&gateway), expected, "version {version}");
        if version >= 2 {
            let group = gateway.send("GET", "/api/v1/groups/job/hidden", "").text();
            assert!(
                group.contains("\"hidden_families\":[{\"name\":\"fixture_level\""),
                "{group}"
            );
        }

        let answer = gateway.send("POST", "/metrics/job/merged", "fixture_new 3\n");
        assert_eq!(answer.status, 200, "{}", answer.text());
        hands.advance(Duration::from_hours(6));
        eventually(LIMIT, "the end of a group whose TTL has passed", || {
            let shown = pushed(&gateway);
            let gone = !shown.contains("six-hours");
            gone.then_some(()).ok_or(shown)
        });
        drop(gateway);
        let (gateway, _) = start(&disk, Duration::from_hours(24 * 36));
        let shown = pushed(&gateway);
        assert!(shown.contains("job=\"for-ever\""), "{shown}");
        assert!(!shown.contains("job=\"merged\""), "{shown}");
    }
}
