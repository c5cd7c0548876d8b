//! A disk that fails under a running gateway: pushes are refused, scrapes go on, and when the
//! disk works again the gateway does too, with all that was acknowledged.

mod support;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use support::client::Client;
use support::disk::{Disk, Left, Operation, Trouble};
use support::http::request;
use support::in_process::InProcess;
use support::pushers::{Pusher, compare, compare_acknowledged, pin_kind};
use support::{LIMIT, eventually, sample};
use tidegate::clock::{Clock, ManualClock, UnixNanos};
use tidegate::model::{GroupKey, Selector};
use tidegate::state::{Method, Prepared, Shown, State, StateSettings, prepare};
use tidegate::store::{Place, Pusher as By};
use tidegate::telemetry::{Telemetry, own_kind};
use tidegate::ttl::{Hold, Rule, Rules, Ttl, TtlPolicy};

const START: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

/// Longer than the longest wait before the store is opened again.
const WAIT: Duration = Duration::from_secs(31);

/// A gateway on a disk of its own, whose back-off ends when the test says so.
struct Bench {
    disk: Disk,
    hands: ManualClock,
    gateway: InProcess,
}

impl Bench {
    fn new() -> Self {
        Self::on(Disk::default())
    }

    fn on(disk: Disk) -> Self {
        let (clock, hands) = Clock::manual(START);
        let gateway = InProcess::start(disk.place(), clock).expect("a store that opens");
        pin_kind(gateway.address());
        Self {
            disk,
            hands,
            gateway,
        }
    }

    /// Pushes until the disk's trouble shows; the refusal of each pusher.
    fn push_until_refused(&self, crew: &mut [Pusher]) -> Vec<String> {
        let address = self.gateway.address();
        let (acknowledged, _counting) = channel();
        thread::scope(|scope| {
            let pushing: Vec<_> = crew
                .iter_mut()
                .map(|pusher| {
                    let acknowledged = acknowledged.clone();
                    scope.spawn(move || pusher.push_until_refused(address, &acknowledged))
                })
                .collect();
            let refusals = pushing.into_iter().map(thread::ScopedJoinHandle::join);
            refusals
                .map(|refusal| refusal.expect("a refusal"))
                .collect()
        })
    }

    /// While the disk fails, time passes and the store is tried again.
    fn try_again_in_vain(&self) {
        let before = self.disk.operations();
        eventually(LIMIT, "another attempt to open the store", || {
            self.hands.advance(WAIT);
            (self.disk.operations() > before)
                .then_some(())
                .ok_or_else(|| "no operation".to_owned())
        });
    }

    fn recover(&self) {
        self.disk.heal();
        self.await_ready();
    }

    fn await_ready(&self) {
        eventually(LIMIT, "a gateway that is ready again", || {
            self.hands.advance(WAIT);
            let answer = self.gateway.send("GET", "/-/ready", "");
            (answer.status == 200)
                .then_some(())
                .ok_or_else(|| answer.text())
        });
    }

    /// The exposed value of one series.
    fn value(&self, series: &str) -> Option<String> {
        sample(&self.gateway.metrics(), series).map(str::to_owned)
    }

    /// What everybody gets while pushes are refused, for this reason.
    fn assert_refusing(&self, kind: ErrorKind) {
        let (pushes, _, reason) = refusal(kind);
        for (method, path, body, status) in [
            ("GET", "/-/healthy", "", 503),
            ("GET", "/-/ready", "", 503),
            ("PUT", "/metrics/job/late", "late 1\n", pushes),
            ("POST", "/metrics/job/late", "", pushes),
            ("DELETE", "/metrics/job/late", "", pushes),
            ("POST", "/api/v1/push", LATE, pushes),
        ] {
            let answer = self.gateway.send(method, path, body);
            let text = answer.text();
            assert_eq!(answer.status, status, "{method} {path}: {text}");
            assert!(text.contains(reason), "{method} {path}: {text}");
            let again = (status == 503).then_some("1");
            assert_eq!(answer.header("Retry-After"), again, "{method} {path}");
            let full = text.contains("not stored, the disk is full: ");
            assert_eq!(full, status == 507, "{method} {path}: {text}");
        }
        assert_eq!(self.value("tidegate_store_accepting").as_deref(), Some("0"));
    }

    /// Refusals left nothing, unless a sync failed: then nobody can know.
    fn assert_recovered(&self, crew: &mut [Pusher], story: &str) {
        if self.disk.failed() != Some(Operation::Sync) {
            crew.iter_mut().for_each(Pusher::trust_refusal);
        }
        let faults = compare(crew, &self.gateway.metrics());
        assert!(faults.is_empty(), "{story}:\n{}", faults.join("\n"));
        let accepting = self.value("tidegate_store_accepting");
        assert_eq!(accepting.as_deref(), Some("1"), "{story}");
        let late = self.gateway.send("GET", "/metrics", "").text();
        assert!(
            !late.contains("job=\"late\""),
            "{story}: a refused push shows"
        );
        let mut client = Client::connect(self.gateway.address()).expect("a connection");
        for pusher in crew.iter_mut() {
            pusher.step(&mut client).expect("a push that is taken");
        }
        self.assert_durable(crew, story);
    }

    /// What is acknowledged now would survive a power cut now.
    fn assert_durable(&self, crew: &mut [Pusher], story: &str) {
        let left = Disk::holding(&self.disk.after_power_cut(Left::Synced));
        let next = InProcess::start(left.place(), Clock::manual(START).0)
            .unwrap_or_else(|refusal| panic!("{story}, then a power cut: {refusal}"));
        let faults = compare(crew, &next.metrics());
        assert!(
            faults.is_empty(),
            "{story}, then a power cut:\n{}",
            faults.join("\n")
        );
    }
}

/// A push of a batch.
const LATE: &str = r#"{"groups": [{"labels": {"job": "late"}}]}"#;

/// The status of pushes that a disk refuses like that, how the text begins, and what is in it.
fn refusal(kind: ErrorKind) -> (u16, &'static str, &'static str) {
    match kind {
        ErrorKind::StorageFull => (507, "not stored, the disk is full: ", "no storage space"),
        _ => (503, "not stored: ", "host unreachable"),
    }
}

/// One failure, from the last acknowledgement before it to the first one after it.
fn fail_and_recover(bench: &Bench, crew: &mut [Pusher], operations: u64, kind: ErrorKind) {
    let story = format!("{kind:?} after {operations} operations");
    bench.disk.trouble_after(operations, Trouble::Fails(kind));
    let refusals = bench.push_until_refused(crew);
    let (status, text, reason) = refusal(kind);
    let all = format!("{status} {text}");
    for refusal in &refusals {
        assert!(refusal.starts_with(&all), "{story}: {refusal}");
        assert!(refusal.contains(reason), "{story}: {refusal}");
    }
    bench.assert_refusing(kind);
    let faults = compare_acknowledged(crew, &bench.gateway.metrics());
    assert!(
        faults.is_empty(),
        "{story}, still failing:\n{}",
        faults.join("\n")
    );
    bench.try_again_in_vain();
    bench.assert_refusing(kind);
    bench.recover();
    bench.assert_recovered(crew, &story);
}

#[test]
fn a_disk_that_fails_at_any_operation_costs_nothing_that_was_acknowledged() {
    for kind in [ErrorKind::StorageFull, ErrorKind::HostUnreachable] {
        let bench = Bench::new();
        let mut crew = Pusher::crew(1);
        for operations in 0..40 {
            fail_and_recover(&bench, &mut crew, operations, kind);
        }
    }
}

#[test]
fn a_batch_that_the_disk_refuses_is_refused_as_a_whole() {
    let bench = Bench::new();
    let mut crew = Pusher::crew(8);
    for operations in (0..200).step_by(23) {
        fail_and_recover(&bench, &mut crew, operations, ErrorKind::StorageFull);
        fail_and_recover(&bench, &mut crew, operations, ErrorKind::HostUnreachable);
    }
}

#[test]
fn one_failure_that_never_comes_again_is_recovered_from_too() {
    let bench = Bench::new();
    let mut crew = Pusher::crew(1);
    for operations in 0..40 {
        let trouble = Trouble::FailsOnce(ErrorKind::HostUnreachable);
        bench.disk.trouble_after(operations, trouble);
        bench.push_until_refused(&mut crew);
        bench.recover();
        let story = format!("one failure after {operations} operations");
        bench.assert_recovered(&mut crew, &story);
    }
}

#[test]
fn a_disk_that_fails_again_at_any_operation_of_the_recovery_is_tried_again() {
    let bench = Bench::new();
    let mut crew = Pusher::crew(1);
    for operations in 0.. {
        let trouble = Trouble::FailsOnce(ErrorKind::HostUnreachable);
        bench.disk.trouble_after(0, trouble);
        bench.push_until_refused(&mut crew);
        bench.disk.trouble_after(operations, trouble);
        bench.await_ready();
        let story = format!("a recovery that failed after {operations} operations");
        let Some(failed) = bench.disk.failed() else {
            let enough = "operations: opening twice, a commit, and all that is read";
            assert!(operations > 50, "only {operations} {enough}");
            break;
        };
        bench.disk.heal();
        bench.assert_recovered(&mut crew, &format!("{story}, {failed:?}"));
    }
}

#[test]
fn what_a_failed_sync_left_in_memory_is_not_taken_for_what_is_on_disk() {
    let bench = Bench::new();
    let mut crew = Pusher::crew(2);
    for round in 0..20 {
        let trouble = Trouble::FailsToSync(ErrorKind::HostUnreachable);
        bench.disk.trouble_after(round, trouble);
        bench.push_until_refused(&mut crew);
        bench.try_again_in_vain();
        bench.recover();
        bench.assert_recovered(&mut crew, &format!("failed sync {round}"));
    }
}

#[test]
fn scrapes_in_protobuf_are_answered_in_text_while_the_store_cannot_be_read() {
    let bench = Bench::new();
    let mut crew = Pusher::crew(1);
    let scrape = || {
        let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                      encoding=delimited";
        let address = bench.gateway.address();
        let answer = request(address, "GET", "/metrics", &[("Accept", accept)], b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let protobuf = |kind: &str| kind.starts_with("application/vnd.google.protobuf");
        (answer.header("Content-Type").is_some_and(protobuf), answer)
    };
    for operations in 0..10 {
        assert!(scrape().0, "protobuf before failure {operations}");
        let trouble = Trouble::Fails(ErrorKind::HostUnreachable);
        bench.disk.trouble_after(operations, trouble);
        bench.push_until_refused(&mut crew);
        let (protobuf, answer) = scrape();
        assert!(!protobuf, "protobuf from a store that is not open");
        let faults = compare_acknowledged(&mut crew, &answer.text());
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        bench.try_again_in_vain();
        bench.recover();
        bench.assert_recovered(&mut crew, &format!("failure {operations}"));
        let (protobuf, answer) = scrape();
        assert!(protobuf, "text after recovery {operations}");
        let families = tidegate::format::proto::parse(&answer.body).expect("sound messages");
        let times = families
            .iter()
            .find(|family| family.name == "push_time_seconds");
        let shown = bench.gateway.metrics();
        let lines = shown
            .lines()
            .filter(|line| line.starts_with("push_time_seconds{"));
        assert_eq!(
            times.map_or(0, |family| family.metrics.len()),
            lines.count()
        );
    }
}

#[test]
fn a_disk_that_fails_while_a_killed_store_is_opened_is_no_damage() {
    let bench = Bench::new();
    let mut crew = Pusher::crew(1);
    bench.disk.trouble_after(300, Trouble::PowerCut);
    bench.push_until_refused(&mut crew);
    let killed = bench.disk.bytes();
    drop(bench);
    for kind in [ErrorKind::StorageFull, ErrorKind::HostUnreachable] {
        for operations in 0.. {
            let disk = Disk::holding(&killed);
            disk.trouble_after(operations, Trouble::Fails(kind));
            let Err(refusal) = InProcess::start(disk.place(), Clock::system()) else {
                assert!(
                    operations > 20,
                    "only {operations} operations to open a store"
                );
                break;
            };
            assert!(refusal.starts_with("cannot use the store"), "{refusal}");
            disk.heal();
            let gateway = InProcess::start(disk.place(), Clock::system());
            let gateway = gateway.unwrap_or_else(|refusal| panic!("{operations}: {refusal}"));
            let faults = compare(&mut crew, &gateway.metrics());
            assert!(faults.is_empty(), "{operations}:\n{}", faults.join("\n"));
        }
    }
}

#[test]
fn a_start_that_cannot_store_how_clocks_were_set_is_refused_and_not_half_made() {
    let bench = Bench::new();
    let put = bench.gateway.send("PUT", "/metrics/job/a", "a 1\n");
    assert_eq!(put.status, 200, "{}", put.text());
    let disk = bench.disk.clone();
    drop(bench);
    let stored = disk.bytes();
    // The wall clock was set back: the group's TTL clock starts now, and that is stored.
    let hour_ago = UnixNanos(START.0 - 3_600_000_000_000);
    for operations in 0.. {
        let disk = Disk::holding(&stored);
        let trouble = Trouble::FailsOnce(ErrorKind::HostUnreachable);
        disk.trouble_after(operations, trouble);
        match InProcess::start(disk.place(), Clock::manual(hour_ago).0) {
            Ok(gateway) => {
                let failed = disk.failed();
                disk.heal();
                let put = gateway.send("PUT", "/metrics/job/b", "b 1\n");
                let story = format!("{failed:?} after {operations} operations");
                assert_eq!(put.status, 200, "{story}: {}", put.text());
                if failed.is_none() {
                    assert!(operations > 20, "only {operations} operations");
                    break;
                }
            }
            Err(refusal) => assert!(refusal.contains("host unreachable"), "{refusal}"),
        }
    }
}

#[test]
fn a_panic_of_the_writer_is_the_end_of_the_gateway_and_not_of_pushes_alone() {
    let disk = Disk::default();
    let opened = disk.clone();
    let place = Place::disk(move || {
        assert_eq!(opened.failed(), None, "the test asked for this panic");
        Ok(opened.clone())
    });
    let (clock, hands) = Clock::manual(START);
    let gateway = InProcess::start(place, clock).expect("a store that opens");
    disk.trouble_after(0, Trouble::FailsOnce(ErrorKind::HostUnreachable));
    let answer = gateway.send("PUT", "/metrics/job/a", "a 1\n");
    assert_eq!(answer.status, 503, "{}", answer.text());
    let healthy = || gateway.send("GET", "/-/healthy", "").text();
    eventually(LIMIT, "a gateway that gives up", || {
        hands.advance(WAIT);
        let answer = healthy();
        answer.contains("panic").then_some(()).ok_or(answer)
    });
    assert_eq!(gateway.broken(), "the writer thread ended by a panic");
}

#[test]
fn a_store_that_is_damaged_when_it_is_opened_again_is_the_end() {
    let bench = Bench::new();
    let mut crew = Pusher::crew(1);
    let trouble = Trouble::FailsOnce(ErrorKind::HostUnreachable);
    bench.disk.trouble_after(50, trouble);
    bench.push_until_refused(&mut crew);
    bench.disk.scramble();
    eventually(LIMIT, "a gateway that gives up", || {
        bench.hands.advance(WAIT);
        let answer = bench.gateway.send("GET", "/-/healthy", "").text();
        answer.contains("is damaged").then_some(()).ok_or(answer)
    });
    let reason = bench.gateway.broken();
    assert!(reason.contains("is damaged"), "{reason}");
    let faults = compare_acknowledged(&mut crew, &bench.gateway.metrics());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A push of nothing to the one group of this test.
fn held_push() -> Prepared {
    let key = GroupKey::new("h", &BTreeMap::new());
    let prepared = prepare(
        key,
        Method::Merge,
        Vec::new(),
        None,
        By::default(),
        own_kind,
    );
    prepared.expect("a push to be judged")
}

#[test]
fn a_push_that_was_not_stored_does_not_make_a_held_group_wait_for_another_scrape() {
    for scraped in [true, false] {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let _guard = runtime.enter();
        let (disk, (clock, hands)) = (Disk::default(), Clock::manual(START));
        let rule = Rule {
            name: "held".into(),
            selector: Selector::parse("{}").expect("a selector"),
            ttl: Ttl::After(Duration::from_hours(1000)),
            hold: Some(Hold::UntilScraped),
        };
        let settings = StateSettings {
            policy: TtlPolicy {
                rules: Arc::new(Rules::new(vec![rule])),
                ..TtlPolicy::default()
            },
            ..StateSettings::new(disk.place(), clock)
        };
        let (state, _) = State::start(settings, Arc::new(Telemetry::new())).expect("a start");
        let push = || runtime.block_on(state.store(held_push()));
        push().expect("a push");
        if scraped {
            state.note_scrape(&Shown {
                pushes: state.snapshot().pushes(),
                began: START,
                scraper: Ipv4Addr::LOCALHOST.into(),
            });
        }
        disk.trouble_after(0, Trouble::Fails(ErrorKind::HostUnreachable));
        push().expect_err("a push that the disk refuses");
        disk.heal();
        eventually(LIMIT, "a state that takes pushes again", || {
            hands.advance(WAIT);
            state.health().refusal().map_or(Ok(()), Err)
        });
        hands.advance(Duration::from_hours(1000));
        assert_eq!(state.snapshot().groups(), usize::from(!scraped));
        state.close();
    }
}
