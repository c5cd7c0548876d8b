//! What goes on slice by slice beside the pushes: reaping, deletes and overrides of very many
//! groups, and new TTL rules. On a disk that stands still whenever the test looks.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tidegate::clock::{Clock, ManualClock};
use tidegate::http::Doors;
use tidegate::limits::SLICE;
use tidegate::model::{GroupKey, Value};
use tidegate::state::{
    Answer, DeleteMany, Method, NewOverride, PinMany, Prepared, PreparedPush, State, StateSettings,
    prepare, reap_expired,
};
use tidegate::store::Pusher;
use tidegate::telemetry::{Telemetry, own_kind};
use tidegate::ttl::{Ttl, TtlPolicy};
use tokio::runtime::Runtime;

use crate::disk::{Disk, Held, Hold};
use crate::harness::{Gateway, Options, SECOND, START, runtime};
use crate::support::{LIMIT, eventually};

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

fn key(job: &str) -> GroupKey {
    GroupKey::new(job, &BTreeMap::new())
}

fn old(n: usize) -> String {
    format!("old-{n}")
}

/// All of these groups, to be deleted.
fn which(state: &State, groups: usize) -> DeleteMany {
    let mut keys: Vec<_> = (0..groups).map(|n| key(&old(n))).collect();
    keys.sort_unstable();
    DeleteMany {
        keys,
        pushed_until: state.pushes(),
        pushed_before: None,
        by: "127.0.0.1".to_owned(),
    }
}

fn push(job: &str, ttl: Option<Ttl>) -> Box<PreparedPush> {
    let pusher = Pusher::default();
    let prepared = prepare(key(job), Method::Replace, Vec::new(), ttl, pusher, own_kind);
    match prepared.expect("a push to be judged") {
        Prepared::Push(push) => push,
        Prepared::Failed(failed) => panic!("{}", failed.refusal()),
    }
}

impl Bench {
    fn start(policy: TtlPolicy) -> Self {
        Self::on(Disk::default(), policy)
    }

    fn on(disk: Disk, policy: TtlPolicy) -> Self {
        let runtime = runtime();
        let (clock, hands) = Clock::manual(START);
        let settings = StateSettings {
            policy,
            ..StateSettings::new(disk.place(), clock)
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

    /// A gateway with so many groups, `old-0` and so on.
    fn with_groups(groups: usize) -> Self {
        let bench = Self::start(policy(Ttl::Never));
        let pushes = (0..groups).map(|n| *push(&old(n), None));
        let stored = bench.state.store_all(pushes.collect());
        bench.runtime.block_on(stored).expect("pushes");
        bench
    }

    /// Lets the disk go on until that many more transactions are there.
    fn step(&self, held: &Hold, commits: u64) {
        let before = self.commits();
        while self.commits() < before + commits {
            held.step();
        }
    }

    fn groups(&self) -> usize {
        self.state.snapshot().groups()
    }

    fn is_there(&self, job: &str) -> bool {
        let detail = self.state.read(|store| store.detail(&key(job)));
        detail
            .expect("an open store")
            .expect("sound rows")
            .is_some()
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
    let pushes = (0..groups).map(|n| *push(&old(n), Some(seconds(10))));
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
    bench.step(&held, 2);
    for asked in new {
        bench.answer(asked).expect("a push");
    }
    let removed = groups - bench.state.expired_groups();
    assert!(
        (SLICE..=2 * SLICE).contains(&removed),
        "{removed} groups were removed before the pushes were answered"
    );
    drop(held);
    reaper.abort();
    bench.state.close();
}

#[test]
fn pushes_pass_between_two_slices_of_a_delete_and_stay() {
    let groups = 8 * SLICE;
    let bench = Bench::with_groups(groups);
    let last = key_order_last(groups);
    let held = bench.disk.hold(Held::Syncs);
    let (state, all) = (Arc::clone(&bench.state), which(&bench.state, groups));
    let delete = bench
        .runtime
        .spawn(async move { state.delete_many(all).await });
    // The first slice is being committed: one group comes, and another is pushed again.
    bench.disk.await_waiting();
    let pushes = ["new", &last].map(|job| {
        let (state, push) = (Arc::clone(&bench.state), push(job, None));
        bench.queue(async move { state.store(Prepared::Push(push)).await })
    });
    bench.step(&held, 2);
    for asked in pushes {
        bench.answer(asked).expect("a push");
    }
    let removed = groups + 1 - bench.groups();
    assert!(
        (SLICE..=2 * SLICE).contains(&removed),
        "{removed} groups were removed before the pushes were answered"
    );
    drop(held);
    let (deleted, refused) = bench.runtime.block_on(delete).expect("no panic");
    assert_eq!((deleted, refused), (groups - 1, None));
    assert_eq!(bench.groups(), 2);
    assert!(bench.is_there("new") && bench.is_there(&last));
    bench.state.close();
}

/// The group that a delete of so many comes to last.
fn key_order_last(groups: usize) -> String {
    let last = (0..groups).map(|n| key(&old(n))).max();
    last.expect("a group").job().to_owned()
}

#[test]
fn pushes_pass_between_two_slices_of_overrides() {
    let groups = 8 * SLICE;
    let bench = Bench::with_groups(groups);
    let held = bench.disk.hold(Held::Syncs);
    let state = Arc::clone(&bench.state);
    let pins = PinMany {
        keys: which(&state, groups).keys,
        of: Some(NewOverride {
            ttl: seconds(10),
            lasts: None,
            reason: String::new(),
            by: String::new(),
        }),
    };
    let pin = bench
        .runtime
        .spawn(async move { state.pin_many(pins).await });
    bench.disk.await_waiting();
    let (state, new) = (Arc::clone(&bench.state), push("new", None));
    let new = bench.queue(async move { state.store(Prepared::Push(new)).await });
    bench.step(&held, 2);
    bench.answer(new).expect("a push");
    bench.hands.advance(10 * SECOND);
    let pinned = bench.state.expired_groups();
    assert!(
        (SLICE..=2 * SLICE).contains(&pinned),
        "{pinned} groups were overridden before the push was answered"
    );
    drop(held);
    assert_eq!(
        bench.runtime.block_on(pin).expect("no panic"),
        (groups, None)
    );
    bench.state.close();
}

#[test]
fn a_power_cut_in_the_middle_of_a_delete_leaves_whole_slices() {
    let groups = 8 * SLICE;
    let bench = Bench::with_groups(groups);
    let held = bench.disk.hold(Held::Syncs);
    let (state, all) = (Arc::clone(&bench.state), which(&bench.state, groups));
    let delete = bench
        .runtime
        .spawn(async move { state.delete_many(all).await });
    bench.disk.await_waiting();
    let mut seen = Vec::new();
    for slices in 1..5 {
        bench.step(&held, 1);
        let after = Bench::on(bench.disk.copy(), policy(Ttl::Never));
        let removed = groups - after.groups();
        assert_eq!(removed % SLICE, 0, "{removed} groups are gone");
        // What has been acknowledged, and perhaps what was being written.
        let whole = removed / SLICE;
        assert!((slices..=slices + 1).contains(&whole), "{whole} slices");
        seen.push(whole);
        after.state.close();
    }
    assert!(seen.is_sorted() && seen[3] < 8, "{seen:?}");
    drop(held);
    let (deleted, refused) = bench.runtime.block_on(delete).expect("no panic");
    assert_eq!((deleted, refused), (groups, None));
    assert_eq!(bench.groups(), 0);
    bench.state.close();
}

#[test]
fn a_wipe_is_carried_out_also_when_its_client_goes_away() {
    let disk = Disk::default();
    let gateway = Gateway::with(Options {
        place: Some(disk.place()),
        doors: Doors {
            admin: true,
            ..Doors::default()
        },
        ..Options::default()
    });
    let group = |n| format!(r#"{{"labels":{{"job":"{}"}}}}"#, old(n));
    let groups: Vec<String> = (0..8 * SLICE).map(group).collect();
    let body = format!(r#"{{"groups":[{}]}}"#, groups.join(","));
    assert_eq!(gateway.send("POST", "/api/v1/push", &[], body).status, 200);
    let held = disk.hold(Held::Syncs);
    let mut client = TcpStream::connect(gateway.address()).expect("a connection");
    client
        .write_all(b"PUT /api/v1/admin/wipe HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        .expect("a request");
    disk.await_waiting();
    drop(client);
    // By now the gateway has seen that it is gone.
    assert_eq!(gateway.get("/-/healthy", &[]).status, 200);
    drop(held);
    eventually(LIMIT, "no groups", || match gateway.counts().0.as_str() {
        "0" => Ok(()),
        left => Err(left.to_owned()),
    });
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
fn new_rules_hold_for_every_group_though_a_commit_fails_in_their_midst() {
    let groups = 4 * SLICE;
    let bench = Bench::start(policy(seconds(20)));
    let pushes = (0..groups).map(|n| *push(&old(n), None));
    let stored = bench.state.store_all(pushes.collect());
    bench.runtime.block_on(stored).expect("pushes");
    let store = |job: &str| {
        let (state, push) = (Arc::clone(&bench.state), push(job, None));
        bench.queue(async move { state.store(Prepared::Push(push)).await })
    };
    let held = bench.disk.hold(Held::Syncs);
    let first = store("first");
    bench.disk.await_waiting();
    // The reload asks for what is before it, then for the rules; the writer is at a push each
    // time, so that another waits behind.
    let state = Arc::clone(&bench.state);
    let mut reload = bench.queue(async move { state.set_policy(policy(seconds(1000))).await });
    let second = store("second");
    bench.step(&held, 1);
    bench.answer(first).expect("a push");
    let third = store("third");
    bench.step(&held, 1);
    bench.answer(second).expect("a push");
    // What came before is answered: its next poll puts the rules into the queue.
    let guard = bench.runtime.enter();
    let mut context = Context::from_waker(Waker::noop());
    assert!(reload.as_mut().poll(&mut context).is_pending());
    drop(guard);
    let fourth = store("fourth");
    bench.step(&held, 1);
    bench.answer(third).expect("a push");
    let fifth = store("fifth");
    bench.step(&held, 1);
    bench.answer(fourth).expect("a push");
    // One slice has the new rules, and the disk fails.
    bench.disk.fail(true);
    drop(held);
    bench.answer(fifth).expect_err("a push that is not on disk");
    assert_eq!(bench.state.policy().default, seconds(20));
    bench.disk.fail(false);
    eventually(LIMIT, "a state that takes pushes again", || {
        bench.hands.advance(31 * SECOND);
        bench.state.health().refusal().map_or(Ok(()), Err)
    });
    bench.answer(reload).expect("new rules");
    assert_eq!(bench.state.policy().default, seconds(1000));
    // By the old rules all would have expired. Nobody knows of a push whose sync failed.
    let there = groups + 4 + usize::from(bench.is_there("fifth"));
    assert_eq!((bench.groups(), bench.state.expired_groups()), (there, 0));
    bench.put("sixth", None);
    let passed = bench.state.clock().ttl_now().since(START);
    bench.hands.advance((1000 * SECOND).saturating_sub(passed));
    assert_eq!((bench.groups(), bench.state.expired_groups()), (1, there));
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
