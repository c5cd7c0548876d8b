//! What does a scrape cost at 10,000 and 100,000 series, HTTP aside: a snapshot
//! and its frames, the first gzip of everything, a gzip of unchanged chunks, and
//! one after 1 % of the groups were pushed? The same in protobuf, where the first
//! scrape reads the store and encodes everything. And at a million series too: for how
//! long does a snapshot, or the publication of pushes beside a slow scraper, hold the
//! view's lock?
//!
//!     cargo bench --bench scrape

mod stored;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use stored::{Running, push};
use tidegate::clock::UnixNanos;
use tidegate::format::escape::Escaping;
use tidegate::format::form::{Encoding, Form};
use tidegate::model::Kind;
use tidegate::state::Method;
use tidegate::view::{Change, Clashes, Frame, GroupId, RenderedFamily, View, exposition, gzip};

fn main() {
    divan::main();
}

/// 20 series a group.
const GROUPS: [usize; 2] = [500, 5_000];

/// Those and a million series.
const MANY: [usize; 3] = [500, 5_000, 50_000];

/// Changes that are published under one lock.
const AT_ONCE: usize = 16;

/// What a scrape does under the view's lock, when something has changed since the last one.
#[divan::bench(args = MANY, sample_size = 1, sample_count = 200)]
fn snapshot(bencher: Bencher<'_, '_>, groups: usize) {
    let view = view(groups);
    let horizon = UnixNanos(0);
    bencher
        .with_inputs(|| view.apply(&[change(0, groups)]))
        .bench_local_values(|()| view.snapshot(horizon));
}

/// What publishing pushes does under that lock while a scraper holds all there is: families
/// and chunks are copied.
#[divan::bench(args = MANY, sample_size = 1, sample_count = 200)]
fn publication_beside_a_scrape(bencher: Bencher<'_, '_>, groups: usize) {
    let view = view(groups);
    let mut round = 0;
    bencher
        .with_inputs(|| {
            round += AT_ONCE;
            // Scattered: 7,919 is prime to the numbers of groups.
            let some = (round..round + AT_ONCE).map(|at| change(at * 7_919 % groups, at));
            let snapshot = view.snapshot(UnixNanos(0));
            let frames = exposition(&snapshot, Vec::new(), &Clashes::default());
            (some.collect::<Vec<_>>(), snapshot, frames)
        })
        .bench_local_refs(|(changes, ..)| view.apply(changes.iter()));
}

/// A view of groups with 20 series in 5 families each, and their push times.
fn view(groups: usize) -> View {
    let view = View::default();
    for some in (0..groups).collect::<Vec<_>>().chunks(AT_ONCE) {
        let changes: Vec<_> = some.iter().map(|group| change(*group, *group)).collect();
        view.apply(&changes);
    }
    view
}

/// A push to this group.
fn change(group: usize, value: usize) -> Change {
    let families = [
        ("job_duration_seconds", 1),
        ("job_last_success", 1),
        ("push_failure_time_seconds", 1),
        ("push_time_seconds", 1),
        ("queue_depth", 4),
        ("rows_processed_total", 4),
        ("step_seconds", 10),
    ];
    let set = families.into_iter().map(|(name, series)| {
        let line = |at: usize| {
            let labels = format!("instance=\"host-{group:06}\",job=\"batch\",shard=\"{at}\"");
            format!("{name}{{{labels},region=\"eu-central-1\"}} {value}\n")
        };
        RenderedFamily {
            name: name.into(),
            kind: Kind::Gauge,
            help: None,
            text: (0..series).map(line).collect::<String>().into(),
            legacy: true,
        }
    });
    Change {
        group: GroupId(u32::try_from(group).expect("a group's number")),
        removed: Vec::new(),
        set: set.collect(),
        life: None,
        later: None,
        gone: None,
    }
}

#[divan::bench(args = GROUPS)]
fn identity(bencher: Bencher<'_, '_>, groups: usize) {
    let running = Running::filled(groups);
    let bytes: usize = frames(&running).iter().map(Frame::len).sum();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        frames(&running)
            .into_iter()
            .map(|frame| black_box(frame.into_bytes()).len())
            .sum::<usize>()
    });
}

#[divan::bench(args = GROUPS, sample_size = 1, sample_count = 10)]
fn gzip_first(bencher: Bencher<'_, '_>, groups: usize) {
    // A chunk that changes is compressed anew, so every sample changes them all.
    let running = Running::filled(groups);
    bencher
        .with_inputs(|| running.push((0..groups).map(|group| push(group, Method::Replace))))
        .bench_local_values(|()| compressed(&running));
}

#[divan::bench(args = GROUPS)]
fn gzip_unchanged(bencher: Bencher<'_, '_>, groups: usize) {
    let running = Running::filled(groups);
    compressed(&running);
    bencher.bench_local(|| compressed(&running));
}

#[divan::bench(args = GROUPS, sample_size = 1, sample_count = 20)]
fn gzip_after_one_percent(bencher: Bencher<'_, '_>, groups: usize) {
    let running = Running::filled(groups);
    compressed(&running);
    bencher
        .with_inputs(|| {
            let some = (0..groups).step_by(100);
            running.push(some.map(|group| push(group, Method::Replace)));
        })
        .bench_local_values(|()| compressed(&running));
}

#[divan::bench(args = GROUPS, sample_size = 1, sample_count = 5)]
fn protobuf_first(bencher: Bencher<'_, '_>, groups: usize) {
    // What is kept for one escaping is new to another; two are kept, so four take turns.
    let running = Running::filled(groups);
    let mut turns = escapings();
    bencher
        .with_inputs(|| turns.next().unwrap_or_default())
        .bench_local_refs(|escaping| protobuf(&running, *escaping));
}

#[divan::bench(args = GROUPS)]
fn protobuf_unchanged(bencher: Bencher<'_, '_>, groups: usize) {
    let running = Running::filled(groups);
    let bytes = protobuf(&running, Escaping::default());
    bencher
        .counter(BytesCount::new(bytes))
        .bench_local(|| protobuf(&running, Escaping::default()));
}

#[divan::bench(args = GROUPS, sample_size = 1, sample_count = 20)]
fn protobuf_after_one_percent(bencher: Bencher<'_, '_>, groups: usize) {
    let running = Running::filled(groups);
    protobuf(&running, Escaping::default());
    bencher
        .with_inputs(|| {
            let some = (0..groups).step_by(100);
            running.push(some.map(|group| push(group, Method::Replace)));
        })
        .bench_local_values(|()| protobuf(&running, Escaping::default()));
}

#[divan::bench(args = GROUPS, sample_size = 1, sample_count = 20)]
fn protobuf_gzip_after_one_percent(bencher: Bencher<'_, '_>, groups: usize) {
    let running = Running::filled(groups);
    let zipped = || -> usize {
        let frames = protobuf_frames(&running, Escaping::default());
        gzip(frames).map(|bytes| black_box(bytes).len()).sum()
    };
    zipped();
    bencher
        .with_inputs(|| {
            let some = (0..groups).step_by(100);
            running.push(some.map(|group| push(group, Method::Replace)));
        })
        .bench_local_values(|()| zipped());
}

fn escapings() -> impl Iterator<Item = Escaping> {
    use Escaping::{AllowUtf8, Dots, Underscores, Values};
    [AllowUtf8, Dots, Underscores, Values].into_iter().cycle()
}

fn protobuf(running: &Running, escaping: Escaping) -> usize {
    let frames = protobuf_frames(running, escaping).into_iter();
    frames
        .map(|frame| black_box(frame.into_bytes()).len())
        .sum()
}

fn protobuf_frames(running: &Running, escaping: Escaping) -> Vec<Frame> {
    let form = Form {
        encoding: Encoding::Protobuf,
        escaping,
    };
    let snapshot = running.runtime.block_on(running.state.snapshot_in(form));
    let snapshot = snapshot.expect("a store that can be read");
    exposition(&snapshot, Vec::new(), &Clashes::default())
}

fn frames(running: &Running) -> Vec<Frame> {
    let snapshot = running.state.snapshot();
    exposition(&snapshot, Vec::new(), &Clashes::default())
}

fn compressed(running: &Running) -> usize {
    gzip(frames(running))
        .map(|bytes| black_box(bytes).len())
        .sum()
}
