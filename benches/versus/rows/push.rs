//! Pushes to random groups over 64 connections.

use super::Bench;
use crate::load::Pushes;
use crate::program::{JOB, Program, Running};
use crate::requests::Form;
use crate::results::{Figure, Target, Unit};
use crate::spelling::grouped;
use crate::stats::real;
use crate::{ask, body};

/// The number of groups that pushes in protobuf, and those beside [`FAMILIES`] and [`NAME_SETS`],
/// are measured with.
const GROUPS: usize = 10_000;

/// Metric families of one more group.
const FAMILIES: usize = 20_000;

/// Sets of grouping-label names in the job that is pushed to, one group each.
const NAME_SETS: usize = 1_000;

/// The figures of one row: their names begin with `name`, and they were measured so.
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    pub(crate) what: String,
    pub(crate) at: Option<usize>,
}

impl Named<'_> {
    /// Of pushes with so many groups stored.
    pub(crate) fn groups(groups: usize) -> Self {
        Self {
            name: "push",
            what: format!("{} groups", grouped(groups)),
            at: Some(groups),
        }
    }

    pub(crate) fn figure(&self, name: &str, unit: Unit, what: &str) -> Figure {
        let mut figure = Figure::new(
            &format!("{} {name}", self.name),
            unit,
            format!("{what}, {}", self.what),
        );
        figure.at = self.at;
        figure
    }
}

pub(crate) fn measure(bench: &mut Bench, program: Program) {
    for groups in bench.options.groups.clone() {
        let running = program.start_filled(groups);
        push(bench, &running, Form::Text, groups, &Named::groups(groups));
    }
}

pub(crate) fn measure_protobuf(bench: &mut Bench, program: Program) {
    let groups = bench.options.scaled(GROUPS);
    let running = program.start_filled(groups);
    let named = Named {
        name: "push protobuf",
        what: format!("protobuf, {} groups", grouped(groups)),
        at: None,
    };
    push(bench, &running, Form::Protobuf, groups, &named);
}

/// With very many metric families in another group.
pub(crate) fn measure_families(bench: &mut Bench, program: Program) {
    let groups = bench.options.scaled(GROUPS);
    let families = bench.options.scaled(FAMILIES);
    let running = program.start_filled(groups);
    let body = body::families(families);
    ask::done(
        running.address(),
        "PUT",
        "/metrics/job/wide",
        body.as_bytes(),
    );
    let named = Named {
        name: "push beside families",
        what: format!(
            "{} groups, {} more families",
            grouped(groups),
            grouped(families)
        ),
        at: None,
    };
    push(bench, &running, Form::Text, groups, &named);
}

/// With very many sets of grouping-label names in the same job, one of which the pushed series
/// have labels for.
pub(crate) fn measure_name_sets(bench: &mut Bench, program: Program) {
    let groups = bench.options.scaled(GROUPS);
    let sets = bench.options.scaled(NAME_SETS);
    let running = program.start_filled(groups);
    let others = (1..sets).map(|set| format!("zone_{set}/a"));
    for labels in others.chain(["outcome/failed".to_owned()]) {
        let path = format!("/metrics/job/{JOB}/instance/host-000000/{labels}");
        ask::done(running.address(), "PUT", &path, b"other_rows 1\n");
    }
    let named = Named {
        name: "push beside name sets",
        what: format!(
            "{} groups, {} sets of label names in the job",
            grouped(groups),
            grouped(sets)
        ),
        at: None,
    };
    push(bench, &running, Form::Text, groups, &named);
}

fn push(bench: &mut Bench, running: &Running, form: Form, groups: usize, named: &Named<'_>) {
    // What is made on first use is made, and connections have been accepted before.
    running.load(form).random(groups, bench.options.time() / 10);
    let before = running.cpu_seconds();
    let pushes = running.load(form).random(groups, bench.options.time());
    let cpu_us = each_us(running.cpu_seconds() - before, &pushes);
    let generator_us = each_us(pushes.own_cpu, &pushes);
    bench.results.generator_us.push(generator_us);

    let rate = named
        .figure("rate", Unit::PerSecond, "pushes")
        .target(Target::Times(1.5));
    let p50 = named.figure("p50", Unit::Millis, "push p50");
    let p99 = named
        .figure("p99", Unit::Millis, "push p99")
        .target(Target::Times(5.0));
    let cpu = named
        .figure("cpu", Unit::Micros, "CPU a push")
        .target(Target::AtMost(35.0));
    let program = running.program;
    bench.record(program, rate, pushes.per_second());
    bench.record(program, p50, pushes.percentile_ms(50));
    bench.record(program, p99, pushes.percentile_ms(99));
    bench.record(program, cpu, cpu_us);
}

/// Microseconds that each push took of a time.
pub(crate) fn each_us(seconds: f64, pushes: &Pushes) -> f64 {
    seconds * 1e6 / real(pushes.all.len())
}
