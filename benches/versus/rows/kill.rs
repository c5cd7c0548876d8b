//! What kill -9 loses of what was acknowledged.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::Bench;
use crate::ask;
use crate::load::CONNECTIONS;
use crate::program::{End, Program};
use crate::requests::Form;
use crate::results::{Figure, Target, Unit};
use crate::stats::real;

const LOAD_TIME: Duration = Duration::from_secs(2);

pub(crate) fn measure(bench: &mut Bench, program: Program) {
    let mut running = program.start();
    let load = running.load(Form::Text);
    let acknowledged: BTreeSet<usize> = thread::scope(|scope| {
        let pusher = scope.spawn(|| {
            load.run_until_end(|connection| {
                let mut groups = (connection..).step_by(CONNECTIONS);
                Box::new(move |_| groups.next())
            })
        });
        thread::sleep(LOAD_TIME);
        running.signal(Signal::KILL);
        let (answered, _) = pusher.join().expect("the pusher");
        answered.all.iter().map(|push| push.group).collect()
    });
    running.end(End::Kill);
    running.start_again();
    running.wait_until_ready();
    let text = ask::text(running.address(), "GET", "/metrics");
    let there: BTreeSet<usize> = text.lines().filter_map(group_of).collect();
    let lost = acknowledged.difference(&there).count();
    let figure = Figure::new(
        "kill lost",
        Unit::Percent,
        "acknowledged groups lost by kill -9 after 2 s of load",
    );
    let percent = real(lost) * 100.0 / real(acknowledged.len());
    bench.record(program, figure.target(Target::AtMost(0.0)), percent);
}

/// The number of the group whose push time a line is.
fn group_of(line: &str) -> Option<usize> {
    let labels = line.strip_prefix("push_time_seconds{")?;
    let (_, host) = labels.split_once("instance=\"host-")?;
    host.split('"').next()?.parse().ok()
}
