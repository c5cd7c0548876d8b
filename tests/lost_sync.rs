//! A power cut at any operation of the disk: what was acknowledged is there afterwards.
//!
//! And the proof that the check can fail: with a disk whose syncs do nothing it finds losses.

mod support;

use std::sync::mpsc::channel;
use std::thread;

use support::disk::{Disk, Left, Trouble};
use support::in_process::InProcess;
use support::pushers::{Pusher, compare, groups, pin_kind};
use support::random::Seeded;
use tidegate::clock::Clock;

const PUSHERS: u64 = 8;

/// Power cuts that one store has to live through.
const CUTS: u64 = 12;

fn start(disk: &Disk) -> Result<InProcess, String> {
    InProcess::start(disk.place(), Clock::system())
}

/// Pushes until the power is cut after so many operations of the disk.
fn push_until_power_cut(disk: &Disk, crew: &mut [Pusher], operations: u64) {
    let gateway = start(disk).expect("a store that opens");
    pin_kind(gateway.address());
    disk.trouble_after(operations, Trouble::PowerCut);
    push_until_refused(&gateway, crew);
}

/// Pushes until every pusher was refused.
fn push_until_refused(gateway: &InProcess, crew: &mut [Pusher]) {
    let address = gateway.address();
    let (acknowledged, _counting) = channel();
    thread::scope(|scope| {
        for pusher in crew {
            let acknowledged = acknowledged.clone();
            scope.spawn(move || pusher.push_until_refused(address, &acknowledged));
        }
    });
}

/// What is wrong with a store after a power cut.
fn faults(disk: &Disk, crew: &mut [Pusher]) -> Vec<String> {
    match start(disk) {
        Ok(gateway) => compare(crew, &gateway.metrics()),
        Err(refusal) => vec![refusal],
    }
}

/// Cuts the power again and again; `left` says what of the unsynced writes survives.
fn survive_power_cuts(seed: u64, left: impl Fn(&mut Seeded) -> Left) {
    let mut random = Seeded::new(seed);
    let mut crew = Pusher::crew(PUSHERS);
    let mut disk = Disk::default();
    for cut in 0..CUTS {
        let operations = random.below(600);
        push_until_power_cut(&disk, &mut crew, operations);
        disk = Disk::holding(&disk.after_power_cut(left(&mut random)));
        let faults = faults(&disk, &mut crew);
        assert!(
            faults.is_empty(),
            "cut {cut}, after {operations} operations:\n{}",
            faults.join("\n")
        );
    }
    let groups: usize = crew.iter().map(Pusher::groups).sum();
    assert!(groups > 30, "only {groups} groups at the end");
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_that_loses_all_that_was_not_synced() {
    survive_power_cuts(1, |_| Left::Synced);
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_that_keeps_any_part_of_what_was_not_synced() {
    for seed in [2, 3] {
        survive_power_cuts(seed, |random| Left::SomeMore(Seeded::new(random.next())));
    }
}

/// The counter-proof.
#[test]
fn the_check_finds_what_is_lost_when_syncs_do_nothing() {
    for some_more in [false, true] {
        let mut crew = Pusher::crew(PUSHERS);
        let disk = Disk::default();
        let gateway = start(&disk).expect("an empty store");
        pin_kind(gateway.address());
        disk.lie();
        disk.trouble_after(400, Trouble::PowerCut);
        push_until_refused(&gateway, &mut crew);
        drop(gateway);
        let acknowledged: usize = crew.iter().map(Pusher::groups).sum();
        assert!(acknowledged > 0, "nothing was acknowledged");
        let left = if some_more {
            Left::SomeMore(Seeded::new(4))
        } else {
            Left::Synced
        };
        let disk = Disk::holding(&disk.after_power_cut(left));
        let faults = faults(&disk, &mut crew);
        assert!(
            !faults.is_empty(),
            "nothing was synced, and nothing was missed"
        );
    }
}

#[test]
fn a_first_start_that_is_cut_short_anywhere_does_not_stand_in_the_way_of_the_next() {
    let whole = Disk::default();
    drop(start(&whole).expect("an empty store"));
    for operations in 0..whole.operations() {
        for seed in 0..3 {
            let disk = Disk::default();
            disk.trouble_after(operations, Trouble::PowerCut);
            drop(start(&disk));
            let left = match seed {
                0 => Left::Synced,
                _ => Left::SomeMore(Seeded::new(seed + operations)),
            };
            let disk = Disk::holding(&disk.after_power_cut(left));
            let gateway = start(&disk)
                .unwrap_or_else(|refusal| panic!("cut after {operations} operations: {refusal}"));
            assert!(groups(&gateway.metrics()).is_empty());
        }
    }
}
