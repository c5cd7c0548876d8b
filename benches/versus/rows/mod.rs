//! What is measured, one file a row.

mod delete;
mod expire;
mod idle;
mod kill;
mod large;
mod lists;
mod memory;
mod push;
mod push_checked;
mod scrape;
mod scrape_protobuf;
mod start;

use tidegate::clock::Stopwatch;

use super::machine::Setting;
use super::options::{Options, RowName};
use super::program::{Program, Running};
use super::results::{Figure, Results};

/// Series of one push.
pub(crate) const SERIES: usize = 20;

/// Runs in which that is measured which takes the Pushgateway minutes.
const FEW: usize = 3;

/// A measurement under way.
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) results: Results,
    watch: Stopwatch,
}

/// A row that starts its programs itself.
struct Row {
    name: RowName,
    programs: &'static [Program],
    /// In how many runs it is measured at most.
    runs: usize,
    measure: fn(&mut Bench, Program),
}

const TWO: &[Program] = &[Program::Tidegate, Program::Pushgateway];

const ROWS: &[Row] = &[
    row(RowName::Push, TWO, push::measure),
    row(RowName::PushProtobuf, TWO, push::measure_protobuf),
    row(RowName::PushFamilies, TWO, push::measure_families),
    row(RowName::PushNameSets, TWO, push::measure_name_sets),
    Row {
        runs: 1,
        ..row(
            RowName::PushCheckOn,
            &[Program::PushgatewayChecked],
            push_checked::measure,
        )
    },
    row(RowName::Kill, TWO, kill::measure),
    row(RowName::Large, TWO, large::measure),
    row(RowName::Expire, &[Program::Tidegate], expire::measure),
    row(RowName::Delete, TWO, delete::measure),
    Row {
        runs: FEW,
        ..row(RowName::Lists, TWO, lists::measure)
    },
    Row {
        runs: 1,
        ..row(RowName::Idle, TWO, idle::measure)
    },
];

/// Rows that are measured one after the other on the same running program.
struct StoredRow {
    name: RowName,
    /// Whether it is measured with the largest number of groups only.
    largest_only: bool,
    measure: fn(&mut Bench, &mut Running, usize),
}

const STORED_ROWS: &[StoredRow] = &[
    StoredRow {
        name: RowName::Scrape,
        largest_only: false,
        measure: scrape::measure,
    },
    StoredRow {
        name: RowName::Memory,
        largest_only: false,
        measure: memory::measure,
    },
    StoredRow {
        name: RowName::ScrapeProtobuf,
        largest_only: true,
        measure: scrape_protobuf::measure,
    },
    StoredRow {
        name: RowName::Start,
        largest_only: true,
        measure: start::measure,
    },
];

const fn row(name: RowName, programs: &'static [Program], measure: fn(&mut Bench, Program)) -> Row {
    Row {
        name,
        programs,
        runs: usize::MAX,
        measure,
    }
}

impl Bench {
    pub(crate) fn new(options: Options, setting: Setting) -> Self {
        Self {
            options,
            results: Results::new(setting),
            watch: Stopwatch::start(),
        }
    }

    /// Measures all that is asked for once, the programs in turn.
    pub(crate) fn run(&mut self, run: usize) {
        for row in ROWS {
            if !self.options.wants(row.name) || run >= row.runs {
                continue;
            }
            for program in row.programs {
                if self.options.measures(*program) {
                    self.announce(run, row.name, *program);
                    (row.measure)(self, *program);
                }
            }
        }
        for groups in self.options.series_groups.clone() {
            for program in TWO {
                if self.options.measures(*program) {
                    self.run_stored(run, *program, groups);
                }
            }
        }
    }

    fn run_stored(&mut self, run: usize, program: Program, groups: usize) {
        let is_largest = self.options.is_largest(groups);
        let wanted =
            |row: &&StoredRow| self.options.wants(row.name) && (is_largest || !row.largest_only);
        let rows: Vec<_> = STORED_ROWS.iter().filter(wanted).collect();
        let is_too_long = run >= FEW && is_largest && program == Program::Pushgateway;
        if rows.is_empty() || is_too_long {
            return;
        }
        let mut running = program.start_filled(groups);
        for row in rows {
            self.announce(run, row.name, program);
            (row.measure)(self, &mut running, groups);
        }
    }

    fn announce(&self, run: usize, row: RowName, program: Program) {
        let seconds = self.watch.elapsed().as_secs();
        eprintln!("{seconds} s: run {}, {row:?}, {}", run + 1, program.name());
    }

    pub(crate) fn record(&mut self, program: Program, mut figure: Figure, value: f64) {
        if self.options.quick {
            // The targets are about ten times as much.
            figure.target = None;
        }
        self.results.record(program, figure, value);
    }
}
