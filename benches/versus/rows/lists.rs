//! The web page and the JSON lists of 10,000 groups.

use super::Bench;
use crate::ask;
use crate::program::Program;
use crate::results::{Figure, Target, Unit};
use crate::spelling::grouped;
use crate::stats::{median, real};

const GROUPS: usize = 10_000;

pub(crate) fn measure(bench: &mut Bench, program: Program) {
    let groups = bench.options.scaled(GROUPS);
    let running = program.start_filled(groups);
    let is_tidegate = program == Program::Tidegate;
    // The Pushgateway has one list, of all groups with all their metrics: it stands beside both.
    let (first_page, times) = if is_tidegate {
        ("/api/v1/groups", 5)
    } else {
        ("/api/v1/metrics", 1)
    };
    let lists = [
        ("page", "web page", "/", true),
        ("json", "JSON list, first page", first_page, true),
        (
            "json all",
            "JSON list, all with metrics",
            "/api/v1/metrics",
            false,
        ),
    ];
    for (name, what, path, has_target) in lists {
        let get = |_| ask::done(running.address(), "GET", path, b"");
        let answers: Vec<_> = (0..times).map(get).collect();
        let what = format!("{what}, {} groups", grouped(groups));
        let mut time = Figure::new(&format!("{name} time"), Unit::Millis, what.clone());
        let mut size = Figure::new(&format!("{name} size"), Unit::Kilobytes, what);
        if has_target {
            time = time.target(Target::AtMost(50.0));
            size = size.target(Target::AtMost(100.0));
        }
        let all: Vec<f64> = answers.iter().map(|answer| answer.ms).collect();
        bench.record(program, time, median(&all).unwrap_or_default());
        bench.record(program, size, real(answers[0].bytes) / 1e3);
    }
}
