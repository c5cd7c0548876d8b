//! Carries a schedule out on a state and on the model, and compares.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tidegate::clock::{Clock, ManualClock, UnixNanos};
use tidegate::format::name::NameRule;
use tidegate::format::text_read;
use tidegate::model::{GroupKey, Selector};
use tidegate::state::{
    Answer, Method, NewOverride, Pause, Pin, Refused, Shown, State, StateSettings, prepare,
};
use tidegate::store::Pusher;
use tidegate::telemetry::{Telemetry, own_kind};
use tidegate::ttl::{Hold, Rule, Rules as TtlRules, Ttl, TtlPolicy};
use tidegate::view::{Clashes, Frame, exposition};
use tokio::runtime::Runtime;

use crate::model::Model;
use crate::steps::{Body, GROUPS, Kind, Rules, SECOND, Schedule, Span, Step};
use crate::support::disk::Disk;

/// 2026-11-22T03:07:00.5Z, and the years between which the clocks stay.
const START: u64 = 1_795_316_820_500_000_000;
const YEARS: std::ops::Range<u64> = START / 3..START * 4;

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A state, its disk and clock, and the model of it.
struct Driver<'a> {
    runtime: &'a Runtime,
    disk: Disk,
    history: bool,
    state: Arc<State>,
    clock: Clock,
    hands: ManualClock,
    model: Model,
    /// What the scrape showed that was begun last.
    begun: Option<Shown>,
    /// Whether a start found an earlier time than there was before.
    set_back: bool,
}

/// Panics if a step does not do what the model says.
pub(crate) fn run(runtime: &Runtime, schedule: &Schedule) {
    let disk = Disk::default();
    let (clock, hands) = Clock::manual(UnixNanos(START));
    let state = start(runtime, &disk, schedule.history, &schedule.rules, &clock);
    let model = Model {
        groups: BTreeMap::new(),
        rules: schedule.rules.clone(),
        pause: None,
        now: START,
        pushes: 0,
        scraped: 0,
        begun: None,
    };
    let mut driver = Driver {
        runtime,
        disk,
        history: schedule.history,
        state,
        clock,
        hands,
        model,
        begun: None,
        set_back: false,
    };
    for (at, step) in schedule.steps.iter().enumerate() {
        driver.carry_out(step);
        driver.compare(&format!("after step {at}, {step:?}"));
    }
    driver.restart(0, 0);
    driver.compare("after the last restart");
    driver.state.close();
}

fn start(
    runtime: &Runtime,
    disk: &Disk,
    history: bool,
    rules: &Rules,
    clock: &Clock,
) -> Arc<State> {
    let _guard = runtime.enter();
    let settings = StateSettings {
        policy: policy(rules),
        keep_history: Duration::from_hours(if history { 24 } else { 0 }),
        expose: history,
        ..StateSettings::new(disk.place(), clock.clone())
    };
    State::start(settings, Arc::new(Telemetry::new()))
        .expect("a start")
        .0
}

fn ttl(span: Span) -> Ttl {
    span.map_or(Ttl::Never, |nanos| Ttl::After(Duration::from_nanos(nanos)))
}

fn policy(rules: &Rules) -> TtlPolicy {
    let spans = rules.of_job.iter().zip(rules.holds);
    let named = ["a", "b"].into_iter().zip(spans);
    let rule = |(job, (span, holds)): (&str, (&Option<Span>, bool))| {
        Some(Rule {
            name: job.into(),
            selector: Selector::parse(&format!("{{job={job:?}}}")).expect("a selector"),
            ttl: ttl((*span)?),
            hold: holds.then_some(Hold::UntilScraped),
        })
    };
    TtlPolicy {
        default: ttl(rules.default),
        max: rules.max.map(Duration::from_nanos),
        rules: Arc::new(TtlRules::new(named.filter_map(rule).collect())),
        ..TtlPolicy::default()
    }
}

fn key(group: usize) -> GroupKey {
    let labels = BTreeMap::from([("instance".to_owned(), group.to_string())]);
    GroupKey::new(["a", "b"][group % 2], &labels)
}

fn text(body: Body) -> &'static str {
    match body {
        Body::Nothing => "",
        Body::Harmless => "harmless 1\n",
        Body::Shared(Kind::Gauge) => "# TYPE shared gauge\nshared 1\n",
        Body::Shared(Kind::Counter) => "# TYPE shared counter\nshared 1\n",
        Body::Stamped => "harmless 1 1795316820500\n",
    }
}

fn somebody() -> String {
    "127.0.0.1".to_owned()
}

impl Driver<'_> {
    fn carry_out(&mut self, step: &Step) {
        match step {
            Step::Push {
                group,
                replace,
                body,
                ttl,
            } => self.push(*group, *replace, *body, *ttl),
            Step::Delete(group) => {
                let deleted = self.state.delete(key(*group), somebody());
                self.runtime.block_on(deleted).expect("a delete");
                self.model.groups.remove(group);
            }
            Step::Touch(group) => {
                let answer = self.runtime.block_on(self.state.touch(key(*group)));
                expect_found(&answer, self.model.touch(*group));
            }
            Step::Override { group, ttl, lasts } => self.pin(*group, Some((*ttl, *lasts))),
            Step::EndOverride(group) => self.pin(*group, None),
            Step::Pause(lasts) => self.begin_pause(*lasts),
            Step::Resume => {
                self.model.pause = None;
                self.pause(Pause::End);
            }
            Step::Reload(rules) => {
                let taken = self.state.set_policy(policy(rules));
                self.runtime.block_on(taken).expect("new rules");
                self.model.rules = rules.clone();
            }
            Step::Reap => self.reap(),
            Step::Scrape => {
                self.begin_scrape();
                self.end_scrape();
            }
            Step::BeginScrape => self.begin_scrape(),
            Step::EndScrape => self.end_scrape(),
            Step::Restart { stepped, down } => self.restart(*stepped, *down),
            Step::SetWall(seconds) => self.set_wall(*seconds),
            Step::Pass(nanos) => self.pass(*nanos),
            Step::PassToward(which, late) => {
                let moments = self.model.moments();
                if !moments.is_empty() {
                    let at = which.get(&moments).saturating_add_signed(*late);
                    self.pass(at - self.model.now);
                }
            }
        }
        self.model.expire();
    }

    fn push(&mut self, group: usize, replace: bool, body: Body, own: Option<Span>) {
        let method = if replace {
            Method::Replace
        } else {
            Method::Merge
        };
        let families =
            text_read::parse(text(body).as_bytes(), NameRule::Legacy).expect("a body that parses");
        let (key, own_ttl) = (key(group), own.map(ttl));
        let prepared = prepare(key, method, families, own_ttl, Pusher::default(), own_kind);
        let answer = self.state.store(prepared.expect("a push to be judged"));
        let answer = self.runtime.block_on(answer);
        // The writer sets the requests of one batch apart by a nanosecond each, from 1.
        let wall = self.clock.wall().0 + 1;
        let taken = self.model.push(group, replace, body, own, wall);
        let as_expected = match &answer {
            Ok(_) => taken,
            Err(Refused::Inconsistent(_)) => !taken,
            Err(_) => false,
        };
        assert!(as_expected, "{answer:?} where taken is {taken}");
    }

    fn pin(&mut self, group: usize, pinned: Option<(Span, Span)>) {
        let of = pinned.map(|(span, lasts)| {
            let lasts = lasts.map(Duration::from_nanos);
            NewOverride {
                ttl: ttl(span),
                lasts,
                reason: String::new(),
                by: somebody(),
            }
        });
        let key = key(group);
        let answer = self.runtime.block_on(self.state.pin(Pin { key, of }));
        expect_found(&answer, self.model.pin(group, pinned));
    }

    fn begin_pause(&mut self, lasts: Span) {
        let (reason, by) = (String::new(), somebody());
        self.model.pause(lasts);
        let lasts = lasts.map(Duration::from_nanos);
        self.pause(Pause::Begin { lasts, reason, by });
    }

    fn pause(&self, pause: Pause) {
        self.runtime
            .block_on(self.state.pause(pause))
            .expect("a pause or its end");
    }

    fn reap(&self) {
        self.runtime
            .block_on(self.state.reap_now())
            .expect("a reaper run");
    }

    fn begin_scrape(&mut self) {
        self.begun = Some(Shown {
            pushes: self.state.snapshot().pushes(),
            began: self.clock.ttl_now(),
            scraper: Ipv4Addr::LOCALHOST.into(),
        });
        self.model.begin_scrape();
    }

    fn end_scrape(&mut self) {
        if let Some(shown) = self.begun.take() {
            self.state.note_scrape(&shown);
            self.model.end_scrape();
        }
    }

    fn pass(&mut self, nanos: u64) {
        if YEARS.contains(&(self.clock.wall().0 + nanos)) {
            self.hands.advance(Duration::from_nanos(nanos));
            self.model.now += nanos;
        }
    }

    fn set_wall(&self, seconds: i64) {
        if YEARS.contains(&stepped(self.clock.wall().0, seconds)) {
            self.hands.step_wall(seconds);
        }
    }

    fn restart(&mut self, seconds: i64, down: u64) {
        let now = stepped(self.clock.wall().0, seconds) + down;
        if !YEARS.contains(&now) {
            return;
        }
        self.set_back |= now < self.model.now;
        if self.set_back || self.model.holds() {
            // By a clock set back what is still on disk has not expired, nor has what waits for
            // a scrape again; a reaper at work leaves nothing there.
            self.reap();
        }
        self.state.close();
        self.begun = None;
        (self.clock, self.hands) = Clock::manual(UnixNanos(now));
        let (runtime, disk, rules) = (self.runtime, &self.disk, &self.model.rules);
        self.state = start(runtime, disk, self.history, rules, &self.clock);
        self.model.restart(now);
        self.model.expire();
    }

    /// The groups that are there by what the store holds, as the API judges it.
    fn listed(&self) -> Vec<usize> {
        let standing = self.state.standing();
        let mut keys = Vec::new();
        let read = self.state.read(|store| {
            store.list(|listed| {
                if standing.judge(&listed).is_some() {
                    keys.push(listed.key);
                }
                ControlFlow::Continue(())
            })
        });
        read.expect("an open store").expect("sound rows");
        (0..GROUPS)
            .filter(|group| keys.contains(&key(*group)))
            .collect()
    }

    /// A scrape shows the push times of exactly the model's groups, and lists name no others.
    #[track_caller]
    fn compare(&self, when: &str) {
        let snapshot = self.state.snapshot();
        let frames = exposition(&snapshot, Vec::new(), &Clashes::default());
        let bytes: Vec<u8> = frames.into_iter().flat_map(Frame::into_bytes).collect();
        let text = String::from_utf8(bytes).expect("an exposition in UTF-8");
        let pushed = text
            .lines()
            .filter_map(|line| line.strip_prefix("push_time_seconds"));
        let shown: BTreeMap<&str, f64> = pushed
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(labels, value)| (labels, value.parse().expect("a number")))
            .collect();
        let name = |group: usize| format!("{{instance=\"{group}\",job=\"{}\"}}", key(group).job());
        let names: Vec<String> = (0..GROUPS).map(name).collect();
        let there = self.model.groups.iter();
        let expected: BTreeMap<&str, f64> = there
            .map(|(group, is)| (&*names[*group], UnixNanos(is.last_push).as_seconds_f64()))
            .collect();
        assert_eq!(
            shown, expected,
            "shown and expected {when}: {:#?}",
            self.model
        );
        assert_eq!(snapshot.groups(), expected.len(), "{when}");
        let expected: Vec<usize> = self.model.groups.keys().copied().collect();
        assert_eq!(self.listed(), expected, "listed {when}: {:#?}", self.model);
    }
}

fn stepped(wall: u64, seconds: i64) -> u64 {
    let step = seconds.unsigned_abs() * SECOND;
    if seconds < 0 {
        wall.saturating_sub(step)
    } else {
        wall + step
    }
}

#[track_caller]
fn expect_found(answer: &Answer, found: bool) {
    let as_expected = match answer {
        Ok(_) => found,
        Err(Refused::NoSuchGroup(_)) => !found,
        Err(_) => false,
    };
    assert!(as_expected, "{answer:?} where found is {found}");
}
