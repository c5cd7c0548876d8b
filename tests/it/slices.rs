//! What goes on slice by slice beside the pushes: reaping, and new TTL rules. On a disk that
//! stands still whenever the test looks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tidegate::clock::{Clock, ManualClock};
use tidegate::format::name::NameRule;
use tidegate::limits::REAP_SLICE;
use tidegate::model::{GroupKey, Value};
use tidegate::state::{
    Answer, Method, Prepared, PreparedPush, State, StateSettings, prepare, reap_expired,
};
use tidegate::store::Pusher;
use tidegate::telemetry::{Telemetry, own_kind};
use tidegate::ttl::{Ttl, TtlPolicy};
use tokio::runtime::Runtime;

use crate::disk::{Disk, Held};
use crate::harness::{SECOND, START, runtime};
use crate::support::LIMIT;

struct Bench {
    runtime: Runtime,
    disk: Disk,
    state: Arc<State>,
    telemetry: Arc<Telemetry>,
    hands: ManualClock,
}

type Asked = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

fn policy(default: Ttl) -> TtlPolicy {
    TtlPolicy {
        default,
        ..TtlPolicy::default()
    }
}

fn seconds(seconds: u64) -> Ttl {
    Ttl::After(Duration::from_secs(seconds))
}

fn push(job: &str, ttl: Option<Ttl>) -> Box<PreparedPush> {
    let key = GroupKey::new(job, &BTreeMap::new());
    let pusher = Pusher::default();
    let prepared = prepare(key, Method::Replace, Vec::new(), ttl, pusher, own_kind);
    match prepared.expect("a push to be judged") {
        Prepared::Push(push) => push,
        Prepared::Failed(failed) => panic!("{}", failed.refusal()),
    }
}

impl Bench {
    fn start(policy: TtlPolicy) -> Self {
        let (runtime, disk) = (runtime(), Disk::default());
        let (clock, hands) = Clock::manual(START);
        let settings = StateSettings {
            place: disk.place(),
            policy,
            keep_history: Duration::ZERO,
            startup_grace: Duration::ZERO,
            expose: false,
            import: None,
            names: NameRule::Legacy,
            clock,
        };
        let guard = runtime.enter();
        let telemetry = Arc::new(Telemetry::new());
        let (state, _) = State::start(settings, Arc::clone(&telemetry)).expect("a start");
        drop(guard);
        Self {
            runtime,
            disk,
            state,
            telemetry,
            hands,
        }
    }

    fn put(&self, job: &str, ttl: Option<Ttl>) {
        let stored = self.state.store(Prepared::Push(push(job, ttl)));
        self.runtime.block_on(stored).expect("a push");
    }

    /// Puts a request into the writer's queue: its first poll does.
    fn queue(&self, asked: impl Future<Output = Answer> + Send + 'static) -> Asked {
        let mut asked: Asked = Box::pin(asked);
        let _guard = self.runtime.enter();
        let mut context = Context::from_waker(Waker::noop());
        assert!(asked.as_mut().poll(&mut context).is_pending());
        asked
    }

    fn commits(&self) -> u64 {
        let families = self.telemetry.families();
        let commits = families
            .iter()
            .find(|family| family.name == "tidegate_store_commits_total");
        match commits.expect("an own metric").metrics[0].value {
            Value::Number(value, _) => value.to_string().parse().expect("a count"),
            _ => panic!("a counter"),
        }
    }

    fn answer(&self, asked: Asked) -> Answer {
        let answer = async { tokio::time::timeout(LIMIT, asked).await };
        self.runtime.block_on(answer).expect("an answer in time")
    }
}

#[test]
fn a_push_waits_for_no_more_than_one_slice_of_ten_thousand_expired_groups() {
    let bench = Bench::start(policy(Ttl::Never));
    let groups = 10_000;
    let pushes = (0..groups).map(|n| *push(&format!("old-{n}"), Some(seconds(10))));
    let stored = bench.state.store_all(pushes.collect());
    bench.runtime.block_on(stored).expect("pushes");
    let held = bench.disk.hold(Held::Syncs);
    bench.hands.advance(10 * SECOND);
    let reaper = bench.runtime.spawn(reap_expired(Arc::clone(&bench.state)));
    // The first slice is being committed. What comes now waits for it, and for no other.
    bench.disk.await_waiting();
    let new = (0..20).map(|n| {
        let (state, push) = (Arc::clone(&bench.state), push(&format!("new-{n}"), None));
        bench.queue(async move { state.store(Prepared::Push(push)).await })
    });
    let new: Vec<Asked> = new.collect();
    // The next commit has the pushes; behind them in the queue there may be the next slice.
    let before = bench.commits();
    while bench.commits() < before + 2 {
        held.step();
    }
    for asked in new {
        bench.answer(asked).expect("a push");
    }
    let removed = groups - bench.state.expired_groups();
    assert!(
        (REAP_SLICE..=2 * REAP_SLICE).contains(&removed),
        "{removed} groups were removed before the pushes were answered"
    );
    drop(held);
    reaper.abort();
    bench.state.close();
}

#[test]
fn what_would_expire_while_rules_change_goes_by_the_new_rules_alone() {
    let bench = Bench::start(policy(seconds(20)));
    bench.put("expired", Some(seconds(10)));
    bench.put("kept", None);
    bench.hands.advance(10 * SECOND);
    let there = || bench.state.snapshot().groups();
    assert_eq!(there(), 1);
    let held = bench.disk.hold(Held::Syncs);
    let state = Arc::clone(&bench.state);
    let reload = bench
        .runtime
        .spawn(async move { state.set_policy(policy(seconds(60))).await });
    // What has expired is being removed; then another's time by the old rules is over.
    bench.disk.await_waiting();
    bench.hands.advance(10 * SECOND);
    assert_eq!(there(), 1, "gone now, it would come back by the new rules");
    drop(held);
    bench
        .answer(Box::pin(async move { reload.await.expect("no panic") }))
        .expect("new rules");
    assert_eq!(there(), 1);
    bench.hands.advance(40 * SECOND);
    assert_eq!(there(), 0);
    bench.state.close();
}

#[test]
fn a_reload_that_nobody_waits_for_any_more_is_carried_out_or_not_at_all() {
    let bench = Bench::start(policy(seconds(20)));
    bench.put("expired", Some(seconds(10)));
    bench.put("kept", None);
    bench.hands.advance(10 * SECOND);
    let held = bench.disk.hold(Held::Syncs);
    let state = Arc::clone(&bench.state);
    let reload = bench
        .runtime
        .spawn(async move { state.set_policy(policy(seconds(60))).await });
    bench.disk.await_waiting();
    reload.abort();
    assert!(bench.runtime.block_on(reload).is_err());
    drop(held);
    // The old rules hold, and expiry goes on.
    assert_eq!(bench.state.policy().default, seconds(20));
    bench.hands.advance(10 * SECOND);
    assert_eq!(bench.state.snapshot().groups(), 0);
    bench.state.close();
}
