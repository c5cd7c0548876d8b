//! What it costs to store 100,000 groups while nobody asks.

use std::thread;
use std::time::Duration;

use super::Bench;
use crate::program::Program;
use crate::results::{Figure, Target, Unit};
use crate::spelling::grouped;

const GROUPS: usize = 100_000;
const TIME: Duration = Duration::from_secs(10);

pub(crate) fn measure(bench: &mut Bench, program: Program) {
    let groups = bench.options.scaled(GROUPS);
    let running = program.start_filled(groups);
    // What the load left to do is done.
    thread::sleep(Duration::from_secs(2));
    let before = running.cpu_seconds();
    thread::sleep(TIME);
    let figure = Figure::new(
        "idle cpu",
        Unit::Seconds,
        format!("CPU in 10 s of idling, {} groups", grouped(groups)),
    );
    bench.record(
        program,
        figure.target(Target::AtMost(0.0)),
        running.cpu_seconds() - before,
    );
}
