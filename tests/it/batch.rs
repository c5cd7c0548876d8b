//! Requests that fall into one transaction: each is judged with what the earlier ones did.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};
use std::thread;

use proptest::prelude::*;
use tidegate::clock::{Clock, ManualClock};
use tidegate::format::name::NameRule;
use tidegate::format::text_read;
use tidegate::model::Value;
use tidegate::push::path::grouping_key;
use tidegate::state::{Answer, Method, Prepared, Quota, State, StateSettings, prepare};
use tidegate::store::Pusher;
use tidegate::telemetry::{Telemetry, own_kind};
use tidegate::ttl::Ttl;
use tidegate::view::{Clashes, exposition};
use tokio::runtime::Runtime;

use crate::clash::CLASHES;
use crate::disk::{Disk, Held};
use crate::harness::{Gateway, HOUR, Options, START, runtime};
use crate::sound;

/// Method, address and body.
type Asked = (&'static str, &'static str, &'static str);

/// The state behind a gateway, on a disk whose syncs can be made to wait.
struct Writer {
    runtime: Runtime,
    disk: Disk,
    state: Arc<State>,
    telemetry: Arc<Telemetry>,
    hands: ManualClock,
}

impl Writer {
    fn on(disk: Disk) -> Self {
        Self::within(Quota::default(), disk)
    }

    fn within(quota: Quota, disk: Disk) -> Self {
        let runtime = runtime();
        let guard = runtime.enter();
        let telemetry = Arc::new(Telemetry::new());
        let (clock, hands) = Clock::manual(START);
        let settings = StateSettings {
            policy: Options::default().policy,
            quota,
            ..StateSettings::new(disk.place(), clock)
        };
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

    /// Stops, and starts again on the same disk.
    fn reopened(self) -> Self {
        self.state.close();
        Self::on(self.disk.clone())
    }

    fn ask(&self, (method, group, body): Asked) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let state = Arc::clone(&self.state);
        if method == "DELETE" {
            let key = grouping_key(group.as_bytes(), NameRule::Legacy).expect("a sound address");
            return Box::pin(async move { state.delete(key, "127.0.0.1".to_owned()).await });
        }
        let prepared = prepared(method, group, body);
        Box::pin(async move { state.store(prepared).await })
    }

    fn one_by_one(&self, all: &[Asked]) -> Vec<Answer> {
        all.iter()
            .map(|asked| self.runtime.block_on(self.ask(*asked)))
            .collect()
    }

    /// Carries all out in one transaction: they wait in the queue while another one is committed.
    fn in_one_batch(&self, all: &[Asked]) -> Vec<Answer> {
        let before = self.commits();
        let _guard = self.runtime.enter();
        let held = self.disk.hold(Held::Syncs);
        let mut slow = self.ask(("PUT", "job/slow", ""));
        queue(&mut slow);
        self.disk.await_waiting();
        let mut asked: Vec<_> = all.iter().map(|asked| self.ask(*asked)).collect();
        asked.iter_mut().for_each(queue);
        drop(held);
        self.runtime
            .block_on(slow)
            .expect("a push that clashes with nothing");
        let answers = asked
            .into_iter()
            .map(|asked| self.runtime.block_on(asked))
            .collect();
        self.runtime
            .block_on(self.ask(("DELETE", "job/slow", "")))
            .expect("a delete");
        // A batch that changes nothing is not committed.
        assert!(
            self.commits() - before <= 3,
            "the slow one, the batch, the delete"
        );
        answers
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

    /// What is shown, push times only as `0` or `set`. Checked to be sound.
    fn exposition(&self) -> String {
        let frames = exposition(&self.state.snapshot(), Vec::new(), &Clashes::default());
        let bytes: Vec<u8> = frames
            .into_iter()
            .flat_map(tidegate::view::Frame::into_bytes)
            .collect();
        let text = String::from_utf8(bytes).expect("an exposition in UTF-8");
        sound::check(&text);
        let shown = text.lines().map(|line| match line.rsplit_once(' ') {
            Some((series, "0")) if series.starts_with("push_") => format!("{series} 0\n"),
            Some((series, _)) if series.starts_with("push_") => format!("{series} set\n"),
            _ => format!("{line}\n"),
        });
        shown.collect()
    }
}

fn prepared(method: &str, group: &str, body: &str) -> Prepared {
    let key = grouping_key(group.as_bytes(), NameRule::Legacy).expect("a sound address");
    let families = text_read::parse(body.as_bytes(), NameRule::Legacy).expect("a body that parses");
    let method = if method == "POST" {
        Method::Merge
    } else {
        Method::Replace
    };
    prepare(key, method, families, None, Pusher::default(), own_kind).expect("a push to be judged")
}

/// Puts a request into the writer's queue: its first poll does, and the answer cannot be there yet.
fn queue(asked: &mut Pin<Box<dyn Future<Output = Answer> + Send>>) {
    let mut context = Context::from_waker(Waker::noop());
    assert!(
        asked.as_mut().poll(&mut context).is_pending(),
        "answered before it was committed"
    );
}

#[test]
fn of_two_pushes_that_clash_in_one_batch_the_first_is_stored() {
    let writer = Writer::on(Disk::default());
    for ([one, two], text) in CLASHES {
        for [first, second] in [[one, two], [two, one]] {
            for [before, after] in [
                ["PUT", "PUT"],
                ["PUT", "POST"],
                ["POST", "PUT"],
                ["POST", "POST"],
            ] {
                let (first, second) = ((before, first.0, first.1), (after, second.0, second.1));
                let alone = {
                    writer
                        .one_by_one(&[first])
                        .remove(0)
                        .expect("a push that clashes with nothing");
                    let shown = writer.exposition();
                    writer
                        .one_by_one(&[("DELETE", first.1, "")])
                        .remove(0)
                        .expect("a delete");
                    sound::without(&shown, |name| name.starts_with("push_"))
                };
                let answers = writer.in_one_batch(&[first, second]);
                assert!(answers[0].is_ok(), "{first:?} {second:?}: {answers:?}");
                let refused = format!("{:?}", answers[1].as_ref().expect_err("a clash"));
                assert!(
                    refused.contains(&text.replace('"', "\\\"")),
                    "{first:?} {second:?}: {refused}"
                );
                let shown = sound::without(&writer.exposition(), |name| name.starts_with("push_"));
                assert_eq!(shown, alone, "{first:?} {second:?}");
                writer.one_by_one(&[("DELETE", first.1, ""), ("DELETE", second.1, "")]);
            }
        }
    }
    assert_eq!(writer.reopened().exposition(), "");
}

#[test]
fn pushes_of_one_batch_do_not_pass_a_limit_together() {
    let groups = Quota {
        groups: Some(3),
        series: None,
    };
    let writer = Writer::within(groups, Disk::default());
    // One of the three is the push behind which the batch waits.
    let answers = writer.in_one_batch(&[
        ("PUT", "job/a", "a 1\n"),
        ("PUT", "job/b", "b 1\n"),
        ("PUT", "job/c", "c 1\n"),
        ("POST", "job/d", ""),
        ("DELETE", "job/a", ""),
        ("PUT", "job/e", "e 1\n"),
        ("PUT", "job/f", "f 1\n"),
    ]);
    let taken: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, true, false, false, true, true, false]);
    let series = Quota {
        groups: None,
        series: Some(4),
    };
    let writer = Writer::within(series, Disk::default());
    let answers = writer.in_one_batch(&[
        ("PUT", "job/a", "m{x=\"1\"} 1\nm{x=\"2\"} 1\nm{x=\"3\"} 1\n"),
        ("PUT", "job/b", "b 1\nc 1\n"),
        ("PUT", "job/c", "c 1\n"),
        ("POST", "job/a", "m{x=\"1\"} 1\n"),
        ("PUT", "job/b", "b 1\nc 1\n"),
        ("PUT", "job/d", "d 1\n"),
    ]);
    let taken: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, false, true, true, true, false]);
}

#[test]
fn a_group_that_expired_and_was_pushed_again_in_the_same_batch_makes_no_room() {
    let quota = Quota {
        groups: Some(3),
        series: None,
    };
    let writer = Writer::within(quota, Disk::default());
    let short = grouping_key(b"job/short", NameRule::Legacy).expect("a sound address");
    let ttl = Some(Ttl::After(HOUR));
    let short = prepare(
        short,
        Method::Replace,
        vec![],
        ttl,
        Pusher::default(),
        own_kind,
    );
    let short = writer.state.store(short.expect("a push to be judged"));
    writer.runtime.block_on(short).expect("room for the first");
    writer.hands.advance(HOUR);
    let answers = writer.in_one_batch(&[
        ("PUT", "job/a", ""),
        ("PUT", "job/short", "s 2\n"),
        ("PUT", "job/b", ""),
    ]);
    let taken: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, true, false]);
    assert!(
        writer
            .exposition()
            .contains("s{instance=\"\",job=\"short\"} 2\n")
    );
}

#[test]
fn a_later_push_of_a_batch_sees_what_an_earlier_one_freed() {
    let writer = Writer::on(Disk::default());
    let (gauge, counter) = ("# TYPE m gauge\nm 1\n", "# TYPE m counter\nm 2\n");
    let answers = writer.in_one_batch(&[
        ("PUT", "job/a", gauge),
        ("PUT", "job/b", counter),
        ("DELETE", "job/a", ""),
        ("PUT", "job/b", counter),
        ("POST", "job/b", "k 1\n"),
        ("PUT", "job/a", gauge),
        ("PUT", "job/a/instance/", ""),
    ]);
    let stored: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(stored, [true, false, true, true, true, false, false]);
    let shown = writer.exposition();
    let families = "# TYPE k untyped\nk{instance=\"\",job=\"b\"} 1\n\
                    # TYPE m counter\nm{instance=\"\",job=\"b\"} 2\n";
    assert!(shown.starts_with(families), "{shown}");
    assert_eq!(lines(&writer.reopened().exposition()), lines(&shown));
}

fn lines(exposition: &str) -> BTreeSet<&str> {
    exposition.lines().collect()
}

fn any_request() -> impl Strategy<Value = Asked> {
    let methods = prop::sample::select(&["PUT", "POST", "POST", "DELETE"][..]);
    let groups = prop::sample::select(&["job/a", "job/a/x/1", "job/a/instance/", "job/b"][..]);
    let bodies = prop::sample::select(
        &[
            "",
            "m 1\n",
            "m{x=\"1\"} 2\nk 3\n",
            "# HELP m why\n# TYPE m gauge\nm 4\n",
            "# TYPE s summary\ns_sum 5\n",
            "s_count 6\n",
            "m 7 7\n",
        ][..],
    );
    (methods, groups, bodies)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_comes_to_the_same_as_its_requests_one_by_one(
        all in prop::collection::vec(any_request(), 1..12),
        // Not of groups: the batch waits behind one of its own.
        limit in prop_oneof![Just(None), (1_u64..5).prop_map(Some)]
    ) {
        let quota = Quota { groups: None, series: limit };
        let [single, batched] = [(); 2].map(|()| Writer::within(quota, Disk::default()));
        prop_assert_eq!(batched.in_one_batch(&all), single.one_by_one(&all));
        let shown = single.exposition();
        prop_assert_eq!(&batched.exposition(), &shown);
        // Groups are numbered anew at a start, and with that their order changes.
        for writer in [single, batched] {
            let reopened = writer.reopened().exposition();
            prop_assert_eq!(lines(&reopened), lines(&shown));
        }
    }
}

/// Two clients at once, by HTTP and onto a real disk. Other pushes keep the writer busy, so that
/// many of the pairs fall into one batch.
#[test]
fn of_two_clients_that_clash_at_the_same_instant_exactly_one_is_served() {
    let gateway = Gateway::start();
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        for busy in ["job/busy1", "job/busy2"] {
            let (gateway, done) = (&gateway, &done);
            threads.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    gateway.put(busy, "");
                }
            });
        }
        let rounds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for ([one, two], _) in CLASHES.iter().chain(CLASHES) {
                let served = race(&gateway, *one, *two);
                assert_eq!(served, BTreeSet::from([200, 400]), "{one:?} {two:?}");
                gateway.scrape();
                gateway.delete(one.0);
                gateway.delete(two.0);
            }
        }));
        done.store(true, Ordering::Relaxed);
        rounds.unwrap_or_else(|failed| std::panic::resume_unwind(failed));
    });
}

/// The statuses of two pushes sent at once.
fn race(gateway: &Gateway, one: (&str, &str), two: (&str, &str)) -> BTreeSet<u16> {
    let start = Barrier::new(2);
    thread::scope(|threads| {
        let push = |(group, body)| {
            let start = &start;
            threads.spawn(move || {
                start.wait();
                gateway.write("PUT", group, body).status
            })
        };
        let pushes = [push(one), push(two)];
        pushes.map(|push| push.join().expect("an answer")).into()
    })
}
