//! Carries a sequence out, and compares after every step.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use tidegate::clock::{Clock, ManualClock, UnixNanos};
use tidegate::format::escape::Escaping;
use tidegate::format::form::{Encoding, Form};
use tidegate::format::name::NameRule;
use tidegate::format::text_read;
use tidegate::model::GroupKey;
use tidegate::state::{DeleteMany, Method, Refused, State, StateSettings, prepare};
use tidegate::store::Pusher;
use tidegate::telemetry::{Telemetry, own_kind};
use tidegate::ttl::{Ttl, TtlPolicy};
use tidegate::view::{Clashes, Frame, Snapshot, exposition, gzip};
use tokio::runtime::Runtime;

use crate::naive::{self, Group};
use crate::naive_proto;
use crate::steps::{self, Step};
use crate::support::disk::Disk;

const START: UnixNanos = UnixNanos(1_795_316_820_500_000_000);
const HOUR: Duration = Duration::from_hours(1);

/// How many scrapes are kept to see that they do not change.
const KEPT: usize = 6;

struct Driver<'a> {
    runtime: &'a Runtime,
    disk: Disk,
    state: Arc<State>,
    clock: Clock,
    hands: ManualClock,
    /// The groups of the last scrape in order, each with its beginning.
    order: Vec<(GroupKey, UnixNanos)>,
    /// Earlier scrapes with what they showed.
    kept: VecDeque<(Arc<Snapshot>, Vec<u8>)>,
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

pub(crate) fn run(runtime: &Runtime, steps: &[Step]) {
    let disk = Disk::default();
    let (clock, hands) = Clock::manual(START);
    let mut driver = Driver {
        runtime,
        state: start(runtime, &disk, &clock),
        disk,
        clock,
        hands,
        order: Vec::new(),
        kept: VecDeque::new(),
    };
    for (at, step) in steps.iter().enumerate() {
        driver.carry_out(step);
        driver.compare(&format!("after step {at}, {step:?}"));
    }
    driver.restart();
    driver.compare("after the last start");
    driver.state.close();
}

fn policy() -> TtlPolicy {
    TtlPolicy {
        default: Ttl::Never,
        ..TtlPolicy::default()
    }
}

fn start(runtime: &Runtime, disk: &Disk, clock: &Clock) -> Arc<State> {
    let _guard = runtime.enter();
    let settings = StateSettings {
        policy: policy(),
        names: NameRule::Utf8,
        ..StateSettings::new(disk.place(), clock.clone())
    };
    let telemetry = Arc::new(Telemetry::new());
    State::start(settings, telemetry).expect("a start").0
}

impl Driver<'_> {
    fn carry_out(&mut self, step: &Step) {
        // No two groups begin at the same time.
        self.hands.advance(Duration::from_nanos(1_000_001));
        match step {
            Step::Push {
                group,
                put,
                families,
                hour,
            } => self.push(*group, *put, &steps::body(families), *hour),
            Step::Fail(group) => self.push(*group, true, "late 1 1795316820500\n", false),
            Step::Delete(group) => {
                let deleted = self.state.delete(steps::key(*group), "somebody".to_owned());
                self.runtime.block_on(deleted).expect("a delete");
            }
            Step::Wipe => {
                let deleted = self.state.delete_many(DeleteMany {
                    keys: (0..steps::ALL).map(steps::key).collect(),
                    pushed_until: self.state.pushes(),
                    pushed_before: None,
                    by: "somebody".to_owned(),
                });
                assert!(self.runtime.block_on(deleted).1.is_none(), "a wipe");
            }
            Step::Hour => self.hands.advance(HOUR),
            Step::Reap => drop(self.runtime.block_on(self.state.reap_now())),
            Step::Restart => self.restart(),
        }
    }

    fn push(&self, group: usize, put: bool, body: &str, hour: bool) {
        let method = if put { Method::Replace } else { Method::Merge };
        let families = text_read::parse(body.as_bytes(), NameRule::Utf8).expect("a sound body");
        let ttl = if hour { Ttl::After(HOUR) } else { Ttl::Never };
        let key = steps::key(group);
        let pusher = Pusher::default();
        let push = prepare(key, method, families, Some(ttl), pusher, own_kind);
        let Ok(push) = push else {
            return; // Nothing of it may be stored.
        };
        match self.runtime.block_on(self.state.store(push)) {
            // What it was refused for is its fault, such as a type that others do not have.
            Ok(_) | Err(Refused::Inconsistent(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Stops and starts: what was shown is shown again, in order of keys.
    fn restart(&mut self) {
        let before = self.text(Escaping::default());
        self.state.close();
        self.state = start(self.runtime, &self.disk, &self.clock);
        let after = self.text(Escaping::default());
        let sorted = |bytes: &[u8]| naive::by_family(std::str::from_utf8(bytes).expect("text"));
        assert!(
            sorted(&before) == sorted(&after),
            "a start shows something else:\n{}\n{}",
            String::from_utf8_lossy(&before),
            String::from_utf8_lossy(&after)
        );
        self.order = ages(naive::facts(&self.state, &policy(), self.clock.ttl_now()).iter());
    }

    fn snapshot(&self, form: Form) -> Arc<Snapshot> {
        if form == Form::default() {
            return self.state.snapshot();
        }
        let snapshot = self.runtime.block_on(self.state.snapshot_in(form));
        snapshot.expect("a store that can be read")
    }

    fn text(&self, escaping: Escaping) -> Vec<u8> {
        let encoding = Encoding::Text;
        shown(&self.snapshot(Form { encoding, escaping }))
    }

    /// Every form of a scrape is what the store says.
    fn compare(&mut self, when: &str) {
        let groups = naive::facts(&self.state, &policy(), self.clock.ttl_now());
        let groups = self.in_order(&groups, when);
        for (escaping, escaped) in [(Escaping::Underscores, true), (Escaping::AllowUtf8, false)] {
            let encoding = Encoding::Text;
            let found = self.scrape(Form { encoding, escaping });
            let found = String::from_utf8(found).expect("text");
            let expected = naive::text(&groups, escaped);
            assert!(
                found == expected,
                "{when}, {escaping:?}: {}",
                difference(found.lines(), expected.lines())
            );
        }
        let found = self.scrape(Form {
            encoding: Encoding::Protobuf,
            escaping: Escaping::AllowUtf8,
        });
        let found = naive_proto::decode(&found);
        let expected = naive_proto::messages(&groups);
        // Compared as bytes: values that are no numbers are equal to nothing.
        let bytes = |families: &[_]| families.iter().map(naive_proto::bytes).collect::<Vec<_>>();
        if bytes(&found) != bytes(&expected) {
            let words = |families: &[_]| families.iter().map(naive_proto::words).collect();
            let (found, expected): (Vec<String>, Vec<String>) = (words(&found), words(&expected));
            let (found, expected) = (found.iter().map(String::as_str), expected.iter());
            let difference = difference(found, expected.map(String::as_str));
            panic!("{when}, protobuf: {difference}");
        }
        for (snapshot, before) in &self.kept {
            let form = snapshot.form();
            assert!(
                shown(snapshot) == *before,
                "{when}: an old scrape changed: {form:?}"
            );
        }
    }

    /// A scrape, the same in gzip. It is kept for a while.
    fn scrape(&mut self, form: Form) -> Vec<u8> {
        let snapshot = self.snapshot(form);
        let bytes = shown(&snapshot);
        assert!(inflated(&snapshot) == bytes, "gzip is another: {form:?}");
        self.kept.push_back((snapshot, bytes.clone()));
        if self.kept.len() > KEPT
            && let Some((old, before)) = self.kept.pop_front()
        {
            assert!(inflated(&old) == before, "an old gzip changed: {form:?}");
        }
        bytes
    }

    /// The groups in the order in which a scrape shows them: that of the scrape before as
    /// long as they live, and of their keys after a start.
    fn in_order<'g>(&mut self, groups: &'g [Group], when: &str) -> Vec<&'g Group> {
        let text = self.text(Escaping::default());
        let text = String::from_utf8(text).expect("text");
        let places: HashMap<&str, usize> = text
            .lines()
            .enumerate()
            .filter_map(|(at, line)| Some((&line[..=line.rfind("} ")? + 1], at)))
            .collect();
        let mut ordered: Vec<&Group> = groups.iter().collect();
        ordered.sort_by_key(|group| places.get(naive::mark(&group.key).as_str()));
        let now = ages(ordered.iter().copied());
        let both: BTreeSet<_> = now
            .iter()
            .filter(|one| self.order.contains(one))
            .cloned()
            .collect();
        let of = |order: &[(GroupKey, UnixNanos)]| -> Vec<_> {
            order
                .iter()
                .filter(|one| both.contains(one))
                .cloned()
                .collect()
        };
        assert_eq!(
            of(&now),
            of(&self.order),
            "{when}: groups have changed places"
        );
        self.order = now;
        ordered
    }
}

fn ages<'g>(groups: impl Iterator<Item = &'g Group>) -> Vec<(GroupKey, UnixNanos)> {
    groups
        .map(|group| (group.key.clone(), group.head.created))
        .collect()
}

fn clashes(snapshot: &Snapshot) -> Clashes {
    if snapshot.has_foreign_names() {
        Clashes::of(snapshot, own_kind)
    } else {
        Clashes::default()
    }
}

/// What a scrape shows, the gateway's own metrics aside.
fn shown(snapshot: &Snapshot) -> Vec<u8> {
    let frames = exposition(snapshot, Vec::new(), &clashes(snapshot));
    frames.into_iter().flat_map(Frame::into_bytes).collect()
}

/// The same through gzip: one member and nothing behind it.
#[expect(
    clippy::disallowed_types,
    reason = "a reader that is not ours, and shows what it leaves behind the member"
)]
fn inflated(snapshot: &Snapshot) -> Vec<u8> {
    let frames = exposition(snapshot, Vec::new(), &clashes(snapshot));
    let zipped: Vec<u8> = gzip(frames).flatten().collect();
    let mut reader = flate2::bufread::GzDecoder::new(zipped.as_slice());
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("a sound member");
    assert!(reader.into_inner().is_empty(), "bytes behind the member");
    bytes
}

/// The first lines that differ.
fn difference<'a>(
    found: impl Iterator<Item = &'a str>,
    expected: impl Iterator<Item = &'a str>,
) -> String {
    let mut both = found
        .map(Some)
        .chain(std::iter::repeat(None))
        .zip(expected.map(Some).chain(std::iter::repeat(None)))
        .enumerate();
    let first = both.find(|(_, (found, expected))| found != expected);
    let (at, (found, expected)) = first.expect("a difference");
    let cut = |line: Option<&str>| line.map(|line| line.chars().take(600).collect::<String>());
    format!(
        "line {at} is\n{:?}\nand should be\n{:?}",
        cut(found),
        cut(expected)
    )
}
