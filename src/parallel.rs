//! Work on all cores whose results are wanted in order.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{LazyLock, Mutex};
use std::thread;

use crate::lock::lock;

/// Results of each thread that may wait for those before them.
const AHEAD: usize = 2;

/// Does `work` on every item, on as many threads as there are cores, and shows the results
/// to `take` in the order of the items until it breaks off. A bounded number of them waits,
/// so that memory is bounded whatever there is to do. Blocks until all is done.
///
/// # Panics
/// If `work` does.
pub(crate) fn in_order<T, R>(
    mut items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> ControlFlow<()>,
) where
    T: Send,
    R: Send,
{
    let threads = cores().min(items.size_hint().1.unwrap_or(usize::MAX));
    if threads <= 1 {
        let _ = items.try_for_each(|item| take(work(item)));
        return;
    }
    let (queue, places) = sync_channel(threads * AHEAD);
    // Whoever takes an item also takes the next place in the queue of results.
    let items = Mutex::new(Some((items, queue)));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((item, place)) = next(&items) {
                    // A result that nobody waits for any more is not wanted.
                    let _ = place.send(work(item));
                }
            });
        }
        for place in places {
            // Empty if that thread has panicked.
            if place
                .recv()
                .map_or(ControlFlow::Break(()), &mut take)
                .is_break()
            {
                break;
            }
        }
    });
}

/// How many threads have work on this machine.
pub(crate) fn cores() -> usize {
    // The system is asked once, since that reads files.
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    *CORES
}

/// An item and the queue of the places in which the results are looked for.
type Items<I, R> = Mutex<Option<(I, SyncSender<Receiver<R>>)>>;

fn next<I: Iterator, R>(items: &Items<I, R>) -> Option<(I::Item, SyncSender<R>)> {
    let mut items = lock(items);
    let (left, queue) = items.as_mut()?;
    let (place, result) = sync_channel(1);
    let taken = left.next().filter(|_| queue.send(result).is_ok());
    if taken.is_none() {
        *items = None; // With the queue, so that its reader comes to an end.
    }
    Some((taken?, place))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_the_order_of_their_items_and_few_wait() {
        let (begun, mut taken) = (AtomicUsize::new(0), 0);
        let work = |item: usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            // Some take longer than others.
            (0..item * 7919 % 10_000).map(std::hint::black_box).count();
            item
        };
        in_order(0..1000, work, |item| {
            assert_eq!(item, taken);
            let waiting = begun.load(Ordering::SeqCst) - taken;
            assert!(waiting <= cores() * (AHEAD + 1) + 1, "{waiting}");
            taken += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(taken, 1000);
    }

    #[test]
    fn who_breaks_off_is_not_waited_for() {
        let begun = AtomicUsize::new(0);
        let work = |_| begun.fetch_add(1, Ordering::SeqCst);
        let mut taken = 0;
        in_order(0..1_000_000, work, |_| {
            taken += 1;
            if taken < 3 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        assert_eq!(taken, 3);
        assert!(begun.load(Ordering::SeqCst) < 1000);
    }
}
