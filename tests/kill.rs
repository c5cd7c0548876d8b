//! kill -9 of the real program, under pushes: what was acknowledged is there afterwards.

mod support;

use std::sync::mpsc::channel;
use std::thread;

use support::process::Gateway;
use support::pushers::{Pusher, compare, pin_kind};

/// Pushes that come at the same time: enough for the writer to put them into batches.
const PUSHERS: u64 = 16;

/// After how many acknowledgements each life of the gateway ends.
const LIVES: [usize; 7] = [1, 30, 2000, 150, 777, 1200, 400];

#[test]
fn what_was_acknowledged_survives_kill_9_and_no_push_is_halved() {
    let mut gateway = Gateway::start();
    let mut crew = Pusher::crew(PUSHERS);
    for (life, acknowledgements) in LIVES.into_iter().enumerate() {
        pin_kind(gateway.address());
        let address = gateway.address();
        let (acknowledged, counting) = channel();
        thread::scope(|scope| {
            for pusher in &mut crew {
                let acknowledged = acknowledged.clone();
                scope.spawn(move || pusher.push_until_refused(address, &acknowledged));
            }
            drop(acknowledged);
            for _ in 0..acknowledgements {
                counting.recv().expect("pushes that are acknowledged");
            }
            gateway.kill_9();
        });
        gateway.restart();
        let faults = compare(&mut crew, &gateway.metrics());
        assert!(
            faults.is_empty(),
            "life {life}, killed after {acknowledgements} acknowledgements:\n{}",
            faults.join("\n")
        );
    }
    let groups: usize = crew.iter().map(Pusher::groups).sum();
    assert!(groups > 100, "only {groups} groups at the end");
}
