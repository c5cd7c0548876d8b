//! 100,000 groups expire in the same instant while others are pushed.
//!
//! They are pushed with a TTL of a second while expiry is paused; the end of the pause is the instant.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tidegate::clock::Stopwatch;

use super::{Bench, SERIES};
use crate::ask;
use crate::load::Load;
use crate::program::Program;
use crate::requests::{Form, Requests};
use crate::results::{Figure, Target, Unit};
use crate::spelling::grouped;
use crate::stats::percentile_ms;

const GROUPS: usize = 100_000;

/// Groups that are pushed meanwhile, and by how many connections.
const OTHERS: usize = 10_000;
const CONNECTIONS: usize = 8;

/// How often is asked whether all have been removed.
const POLL: Duration = Duration::from_millis(20);

pub(crate) fn measure(bench: &mut Bench, program: Program) {
    let groups = bench.options.scaled(GROUPS);
    let running = program.start();
    let address = running.address();
    ask::done(address, "POST", "/api/v1/admin/ttl/pause", b"");
    let requests = Requests::put("gone", Form::Text, "Tidegate-TTL: 1s\r\n");
    Load::new(address, requests).each(groups);
    let is_over = Arc::new(AtomicBool::new(false));
    let (begin, end, pushes) = thread::scope(|scope| {
        let watch = Stopwatch::start();
        let pusher = scope.spawn(|| {
            let load = Load {
                connections: CONNECTIONS,
                ..running.load(Form::Text)
            };
            load.until(&is_over, OTHERS)
        });
        // The last of them is older than its TTL then.
        thread::sleep(Duration::from_millis(1200));
        let begin = watch.elapsed();
        ask::done(address, "POST", "/api/v1/admin/ttl/resume", b"");
        while expired(address) > 0 {
            thread::sleep(POLL);
        }
        let end = watch.elapsed();
        is_over.store(true, Ordering::Relaxed);
        (begin, end, pusher.join().expect("the pusher"))
    });
    let meanwhile = pushes.all.iter().filter(|push| push.answered >= begin);
    let mut times: Vec<Duration> = meanwhile.map(|push| push.took).collect();
    let what = format!(
        "{} groups ({} series) expire",
        grouped(groups),
        grouped(groups * SERIES)
    );
    let slow = format!("{what}, push");
    let time = Figure::new(
        "expire time",
        Unit::Seconds,
        format!("{what}, until all are removed"),
    );
    let p99 = Figure::new("expire p99", Unit::Millis, format!("{slow} p99 meanwhile"));
    let longest = Figure::new(
        "expire longest",
        Unit::Millis,
        format!("{slow} longest meanwhile"),
    );
    let seconds = end.saturating_sub(begin).as_secs_f64();
    bench.record(program, time.target(Target::AtMost(3.0)), seconds);
    bench.record(
        program,
        p99.target(Target::AtMost(20.0)),
        percentile_ms(&mut times, 99),
    );
    bench.record(program, longest, percentile_ms(&mut times, 100));
}

/// Groups that have expired and are not yet removed.
fn expired(address: SocketAddr) -> u64 {
    let answer = ask::text(address, "POST", "/api/v1/admin/ttl/reap?dry_run=true");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    answer["data"]["groups"]
        .as_u64()
        .expect("a number of groups")
}
