//! What the log says about TTLs that are short beside the time between scrapes.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::format::name::NameRule;
use tidegate::model::GroupKey;
use tidegate::state::{Method, Quota, Shown, State, StateSettings, prepare};
use tidegate::store::Pusher;
use tidegate::telemetry::{Telemetry, own_kind};
use tidegate::ttl::{Ttl, TtlPolicy};

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
    /// How often it warned of short TTLs, and the last such line.
    fn warnings(&self) -> (usize, String) {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut lines = text
            .lines()
            .filter(|line| line.contains("twice the scrape"));
        (
            lines.clone().count(),
            lines.next_back().unwrap_or_default().to_owned(),
        )
    }
}

#[test]
fn short_ttls_are_logged_once_for_an_interval_and_once_after_a_reload() {
    let (runtime, disk, log) = (runtime(), Disk::default(), Log::default());
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
    let _logged = tracing::subscriber::set_default(subscriber.finish());
    let _guard = runtime.enter();
    let (clock, hands) = Clock::manual(START);
    let policy = TtlPolicy {
        default: Ttl::After(25 * SECOND),
        ..TtlPolicy::default()
    };
    let settings = StateSettings {
        place: disk.place(),
        policy: policy.clone(),
        keep_history: Duration::ZERO,
        startup_grace: Duration::ZERO,
        quota: Quota::default(),
        expose: false,
        import: None,
        names: NameRule::Legacy,
        clock: clock.clone(),
    };
    let (state, _) = State::start(settings, Arc::new(Telemetry::new())).expect("a start");
    let push = |job: &str| {
        let (key, pusher) = (GroupKey::new(job, &BTreeMap::new()), Pusher::default());
        let prepared = prepare(key, Method::Merge, Vec::new(), None, pusher, own_kind);
        let stored = state.store(prepared.expect("a push to be judged"));
        runtime.block_on(stored).expect("a push");
    };
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
    assert_eq!(log.warnings().0, 0, "no group has a short TTL");
    push("a");
    push("b");
    scrape();
    let (warnings, line) = log.warnings();
    assert_eq!(warnings, 1);
    assert!(line.contains("WARN") && line.contains("groups=2"), "{line}");
    assert!(line.contains("seconds=15"), "{line}");
    push("a");
    scrape();
    assert_eq!(log.warnings().0, 1, "it is known");
    push("a");
    let taken = runtime.block_on(state.set_policy(policy));
    taken.expect("rules that are taken");
    scrape();
    assert_eq!(log.warnings().0, 2);
    state.close();
}
