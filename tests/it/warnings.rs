//! What the log warns operators of, and how often.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate::clock::Clock;
use tidegate::model::GroupKey;
use tidegate::state::{Method, Quota, Shown, State, StateSettings, prepare};
use tidegate::store::Pusher;
use tidegate::telemetry::{Telemetry, own_kind};
use tidegate::ttl::{Ttl, TtlPolicy};
use tokio::runtime::Runtime;

use crate::disk::Disk;
use crate::harness::{SECOND, START, runtime};

/// Text that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Logs all that happens in this thread, until what is returned is dropped.
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    /// How many warnings have this in them, and the last such line.
    fn warnings(&self, words: &str) -> (usize, String) {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut lines = text
            .lines()
            .filter(|line| line.contains("WARN") && line.contains(words));
        (
            lines.clone().count(),
            lines.next_back().unwrap_or_default().to_owned(),
        )
    }
}

/// A state on this disk, started in this thread; a runtime must be entered.
fn start(disk: &Disk, policy: TtlPolicy, quota: Quota, clock: Clock) -> Arc<State> {
    let settings = StateSettings {
        policy,
        quota,
        ..StateSettings::new(disk.place(), clock)
    };
    let (state, _) = State::start(settings, Arc::new(Telemetry::new())).expect("a start");
    state
}

fn push(runtime: &Runtime, state: &State, job: &str) {
    let (key, pusher) = (GroupKey::new(job, &BTreeMap::new()), Pusher::default());
    let prepared = prepare(key, Method::Merge, Vec::new(), None, pusher, own_kind);
    let stored = state.store(prepared.expect("a push to be judged"));
    runtime.block_on(stored).expect("a push");
}

#[test]
fn short_ttls_are_logged_once_for_an_interval_and_once_after_a_reload() {
    let (runtime, disk, log) = (runtime(), Disk::default(), Log::default());
    let _logged = log.begin();
    let _guard = runtime.enter();
    let (clock, hands) = Clock::manual(START);
    let policy = TtlPolicy {
        default: Ttl::After(25 * SECOND),
        ..TtlPolicy::default()
    };
    let state = start(&disk, policy.clone(), Quota::default(), clock.clone());
    let push = |job| push(&runtime, &state, job);
    let warnings = || log.warnings("twice the scrape");
    let scrape = || {
        let (pushes, began) = (state.snapshot().pushes(), clock.ttl_now());
        let scraper = Ipv4Addr::LOCALHOST.into();
        let shown = Shown {
            pushes,
            began,
            scraper,
        };
        state.note_scrape(&shown);
        hands.advance(15 * SECOND);
    };
    for _ in 0..5 {
        scrape();
    }
    assert_eq!(warnings().0, 0, "no group has a short TTL");
    push("a");
    push("b");
    scrape();
    let (times, line) = warnings();
    assert_eq!(times, 1);
    assert!(line.contains("groups=2"), "{line}");
    assert!(line.contains("seconds=15"), "{line}");
    push("a");
    scrape();
    assert_eq!(warnings().0, 1, "it is known");
    push("a");
    let taken = runtime.block_on(state.set_policy(policy));
    taken.expect("rules that are taken");
    scrape();
    assert_eq!(warnings().0, 2);
    state.close();
}

#[test]
fn a_wall_clock_that_was_moved_by_more_than_a_minute_is_logged_once_until_it_is_put_right() {
    let (runtime, disk, log) = (runtime(), Disk::default(), Log::default());
    let _logged = log.begin();
    let _guard = runtime.enter();
    let (clock, hands) = Clock::manual(START);
    let state = start(&disk, TtlPolicy::default(), Quota::default(), clock);
    // As every scrape does.
    let drift = || {
        (
            state.clock_drift(),
            log.warnings("the wall clock was moved"),
        )
    };
    hands.advance(1000 * SECOND);
    assert_eq!(drift(), (0, (0, String::new())));
    for (times, far) in [(1, 1), (2, -1)] {
        hands.step_wall(far * 60);
        assert_eq!((drift().0, drift().1.0), (far * 60, times - 1));
        hands.step_wall(far);
        let (seconds, (warnings, line)) = drift();
        assert_eq!((seconds, warnings), (far * 61, times));
        assert!(line.ends_with(&format!("seconds={seconds}")), "{line}");
        hands.step_wall(far * 1000);
        assert_eq!(drift().1.0, times, "it is known");
        hands.step_wall(-far * 1061);
        assert_eq!((drift().0, drift().1.0), (0, times));
    }
    state.close();
}

#[test]
fn a_start_warns_of_every_limit_that_what_is_stored_has_passed() {
    let (runtime, disk, log) = (runtime(), Disk::default(), Log::default());
    let _logged = log.begin();
    let _guard = runtime.enter();
    let (clock, _hands) = Clock::manual(START);
    let start = |groups| {
        let quota = Quota {
            groups: Some(groups),
            series: Some(1),
        };
        start(&disk, TtlPolicy::default(), quota, clock.clone())
    };
    let warnings = || log.warnings("more groups are stored than --storage.max-groups allows");
    let state = start(2);
    push(&runtime, &state, "a");
    push(&runtime, &state, "b");
    state.close();
    start(2).close();
    assert_eq!(warnings().0, 0);
    start(1).close();
    let (times, line) = warnings();
    assert_eq!(times, 1);
    assert!(line.contains("stored=2 limit=1"), "{line}");
    assert_eq!(log.warnings("--storage.max-series").0, 0);
}
