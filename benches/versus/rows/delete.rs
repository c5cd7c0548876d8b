//! Deleting groups one by one, and all at once while others are pushed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tidegate::clock::Stopwatch;

use super::Bench;
use crate::ask;
use crate::load::Load;
use crate::program::{JOB, Program};
use crate::requests::{Form, Requests};
use crate::results::{Figure, Target, Unit};
use crate::spelling::grouped;
use crate::stats::percentile_ms;

const GROUPS: usize = 50_000;

/// Groups that are pushed during the wipe, and by how many connections.
const OTHERS: usize = 1000;
const CONNECTIONS: usize = 8;

pub(crate) fn measure(bench: &mut Bench, program: Program) {
    let groups = bench.options.scaled(GROUPS);
    let running = program.start_filled(groups);
    let deleted = Load::new(running.address(), Requests::delete(JOB)).each(groups / 2);
    let rate = Figure::new(
        "delete rate",
        Unit::PerSecond,
        "DELETE one by one, 64 connections",
    );
    bench.record(
        program,
        rate.target(Target::AtLeast(15_000.0)),
        deleted.per_second(),
    );

    running.push_all(groups / 2);
    let is_over = Arc::new(AtomicBool::new(false));
    let (begin, wiped, pushes) = thread::scope(|scope| {
        let watch = Stopwatch::start();
        let pusher = scope.spawn(|| {
            let load = Load {
                connections: CONNECTIONS,
                ..Load::new(running.address(), Requests::put("other", Form::Text, ""))
            };
            load.until(&is_over, OTHERS)
        });
        thread::sleep(Duration::from_millis(300));
        let begin = watch.elapsed();
        let wiped = ask::done(running.address(), "PUT", "/api/v1/admin/wipe", b"");
        is_over.store(true, Ordering::Relaxed);
        (begin, wiped, pusher.join().expect("the pusher"))
    });
    let meanwhile = pushes.all.iter().filter(|push| push.answered >= begin);
    let mut times: Vec<Duration> = meanwhile.map(|push| push.took).collect();
    let what = format!("wipe of {} groups", grouped(groups));
    let time = Figure::new("wipe time", Unit::Seconds, what.clone());
    bench.record(program, time.target(Target::AtMost(0.4)), wiped.ms / 1e3);
    let longest = Figure::new(
        "wipe longest",
        Unit::Millis,
        format!("{what}, longest push meanwhile"),
    );
    bench.record(program, longest, percentile_ms(&mut times, 100));
}
