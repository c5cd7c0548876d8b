//! What does a scrape cost at 10,000 and 100,000 series, HTTP aside: a snapshot
//! and its frames, the first gzip of everything, a gzip of unchanged chunks, and
//! one after 1 % of the groups were pushed?
//!
//!     cargo bench --bench scrape

mod stored;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use stored::{Running, push};
use tidegate::state::Method;
use tidegate::view::{Frame, exposition, gzip};

fn main() {
    divan::main();
}

/// 20 series a group.
const GROUPS: [usize; 2] = [500, 5_000];

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

fn frames(running: &Running) -> Vec<Frame> {
    exposition(&running.state.snapshot(), Vec::new())
}

fn compressed(running: &Running) -> usize {
    gzip(frames(running))
        .map(|bytes| black_box(bytes).len())
        .sum()
}
