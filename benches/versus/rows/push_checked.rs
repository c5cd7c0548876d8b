//! Pushes to the Pushgateway as it comes, with its consistency check: that looks at all that is stored,
//! at every push, one push at a time. So a few connections show the same rate as many.

use std::time::Duration;

use super::Bench;
use super::push::{Named, each_us};
use crate::load::{Load, Random};
use crate::program::Program;
use crate::requests::Form;
use crate::results::Unit;

const CONNECTIONS: usize = 2;

/// Pushes that each connection makes, however long they take.
const LEAST: usize = 1;

pub(crate) fn measure(bench: &mut Bench, program: Program) {
    let limit = bench.options.time();
    for groups in bench.options.groups.clone() {
        let running = program.start_filled(groups);
        let before = running.cpu_seconds();
        let load = Load {
            connections: CONNECTIONS,
            ..running.load(Form::Text)
        };
        let pushes = load.run(|connection| {
            let (mut random, mut done) = (Random::new(connection), 0);
            Box::new(move |elapsed: Duration| {
                done += 1;
                (done <= LEAST || elapsed < limit).then(|| random.below(groups))
            })
        });
        let cpu_us = each_us(running.cpu_seconds() - before, &pushes);
        let named = Named::groups(groups);
        let rate = named.figure("rate", Unit::PerSecond, "pushes");
        bench.record(program, rate, pushes.per_second());
        bench.record(
            program,
            named.figure("cpu", Unit::Micros, "CPU a push"),
            cpu_us,
        );
    }
}
