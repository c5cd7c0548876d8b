//! What does a push cost from its body to its durable answer, HTTP aside: parsed,
//! rendered, packed, judged, committed and published? 256 at once, to random
//! groups, with 1,000 and 10,000 groups stored: it must not grow with them. PUT
//! replaces a group, POST replaces one family of it, which is read and merged.
//! `cargo bench --bench versus` measures the same through HTTP.
//!
//!     cargo bench --bench push

mod stored;

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use stored::{Running, push};
use tidegate::state::{Method, Prepared};

const AT_ONCE: usize = 256;

fn main() {
    divan::main();
}

#[divan::bench(args = [1_000, 10_000], sample_size = 1, sample_count = 20)]
fn put(bencher: Bencher<'_, '_>, groups: usize) {
    many(bencher, groups, |group| push(group, Method::Replace));
}

#[divan::bench(args = [1_000, 10_000], sample_size = 1, sample_count = 20)]
fn post(bencher: Bencher<'_, '_>, groups: usize) {
    many(bencher, groups, stored::post_of_one_family);
}

fn many(
    bencher: Bencher<'_, '_>,
    groups: usize,
    make: impl Fn(usize) -> Prepared + Send + Sync + Copy + 'static,
) {
    let running = Running::filled(groups);
    let mut next = 0;
    bencher.counter(ItemsCount::new(AT_ONCE)).bench_local(|| {
        running.runtime.block_on(async {
            let pushes: Vec<_> = (0..AT_ONCE)
                .map(|_| {
                    next = (next + 7919) % groups;
                    let (state, group) = (Arc::clone(&running.state), next);
                    tokio::spawn(async move { state.store(make(group)).await.expect("stored") })
                })
                .collect();
            for push in pushes {
                push.await.expect("a push");
            }
        });
    });
}
