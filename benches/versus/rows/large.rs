//! One push of 100,000 series in one group, to an empty gateway.

use super::Bench;
use crate::program::Program;
use crate::results::{Figure, Target, Unit};
use crate::spelling::grouped;
use crate::{ask, body};

const SERIES: usize = 100_000;

pub(crate) fn measure(bench: &mut Bench, program: Program) {
    let series = bench.options.scaled(SERIES);
    let body = body::large(series);
    let running = program.start();
    // What is made on first use is made.
    ask::done(
        running.address(),
        "PUT",
        "/metrics/job/small",
        body::text(1).as_bytes(),
    );
    running.reset_peak();
    let before = running.rss_mb();
    let answer = ask::done(
        running.address(),
        "PUT",
        "/metrics/job/large",
        body.as_bytes(),
    );
    let what = format!("one push of {} series", grouped(series));
    let time = Figure::new("large time", Unit::Seconds, what.clone());
    bench.record(program, time.target(Target::AtMost(0.2)), answer.ms / 1e3);
    let peak = Figure::new(
        "large peak",
        Unit::Megabytes,
        format!("{what}, peak RSS over before"),
    );
    let target = Target::AtMost(100.0);
    bench.record(program, peak.target(target), running.peak_mb() - before);
}
