//! What does a durable commit cost, and what does a push in it, for batches of
//! 1 to 256 groups over 10,000 stored ones? The fsync is shared by the batch,
//! the rows are not.
//!
//!     cargo bench --bench commit

mod stored;

use divan::Bencher;
use divan::counter::ItemsCount;
use tidegate::model::GroupKey;
use tidegate::store::{Batch, RowWrite};

fn main() {
    divan::main();
}

#[divan::bench(args = [1, 16, 64, 256], sample_size = 1, sample_count = 50)]
fn commit(bencher: Bencher<'_, '_>, groups: usize) {
    let disk = stored::Disk::new();
    let rows = stored::rows(10_000);
    disk.store
        .commit(&batch(rows.iter().cloned()))
        .expect("a commit");
    let mut next = 0;
    bencher.counter(ItemsCount::new(groups)).bench_local(|| {
        // 7919 is prime to the number of groups, so batches are scattered.
        let some = (0..groups).map(|_| {
            next = (next + 7919) % rows.len();
            rows[next].clone()
        });
        disk.store.commit(&batch(some)).expect("a commit")
    });
}

fn batch(rows: impl Iterator<Item = (GroupKey, RowWrite)>) -> Batch {
    Batch {
        rows: rows.collect(),
        ..Batch::default()
    }
}

#[divan::bench(sample_size = 1, sample_count = 50)]
fn heartbeat(bencher: Bencher<'_, '_>) {
    let disk = stored::Disk::new();
    let rows = stored::rows(10_000);
    disk.store
        .commit(&batch(rows.iter().cloned()))
        .expect("a commit");
    bencher.bench_local(|| {
        let (key, write) = rows[17].clone();
        let RowWrite::Group { head, .. } = write else {
            unreachable!("rows are groups")
        };
        disk.store
            .commit(&batch([(key, RowWrite::Mark(head))].into_iter()))
            .expect("a commit")
    });
}
