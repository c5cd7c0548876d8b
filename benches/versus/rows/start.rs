//! Starts: from the exec to the end of the first whole scrape.

use std::time::Duration;

use super::{Bench, SERIES};
use crate::program::{End, Program, Running};
use crate::requests::Form;
use crate::results::{Figure, Target, Unit};
use crate::spelling::grouped;

pub(crate) fn measure(bench: &mut Bench, running: &mut Running, groups: usize) {
    let program = running.program;
    let figure = |how: &str, seconds: f64| {
        let what = format!(
            "start to first whole scrape {how}, {} series",
            grouped(groups * SERIES)
        );
        Figure::new(&format!("start {how}"), Unit::Seconds, what).target(Target::AtMost(seconds))
    };
    let bytes = running.scrape_bytes();
    running.end(End::Terminate);
    let clean = running.seconds_to_first_scrape(bytes);
    bench.record(program, figure("after SIGTERM", 1.0), clean);
    if program == Program::Tidegate {
        // It is killed while pushes are being stored: the store has to be repaired.
        running
            .load(Form::Text)
            .random(groups, Duration::from_millis(500));
        running.end(End::Kill);
        let killed = running.seconds_to_first_scrape(bytes);
        bench.record(program, figure("after kill -9", 2.0), killed);
    } else {
        // It starts from the same file, which is all that there is after a kill.
        bench.record(program, figure("after kill -9", 2.0), clean);
    }
}
