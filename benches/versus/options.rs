//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::program::Program;

/// Where the page goes when everything was measured.
const PAGE_FOLDER: &str = "docs/benchmarks";

/// Compares tidegate with the Pushgateway, on this machine, in one run.
///
/// A run of all rows writes docs/benchmarks; one of some rows, or a quick one, only prints.
/// `TIDEGATE_BINARY` and `PUSHGATEWAY_BINARY` name programs to take in place of the usual ones.
#[derive(Parser, Clone)]
#[command(name = "cargo bench --bench versus --", disable_version_flag = true)]
pub(crate) struct Options {
    /// How often every row is measured; what takes long is measured less often
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// Only these rows
    #[arg(long, value_delimiter = ',')]
    rows: Vec<RowName>,
    /// Only these programs
    #[arg(long, value_delimiter = ',')]
    programs: Vec<Program>,
    /// Groups stored while pushes are measured
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,50000")]
    pub(crate) groups: Vec<usize>,
    /// Groups of 20 series stored while scrapes, memory and starts are measured
    #[arg(long, value_delimiter = ',', default_value = "5000,20000,50000")]
    pub(crate) series_groups: Vec<usize>,
    /// How long each row of pushes takes
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Folder of the page, the plots and the raw numbers
    #[arg(long)]
    out: Option<PathBuf>,
    /// One short run of everything with a tenth of the groups: does it work at all?
    #[arg(long)]
    pub(crate) quick: bool,
    /// Measure nothing: make page and plots anew from results.json in the folder of the page
    #[arg(long)]
    pub(crate) render: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum RowName {
    Push,
    PushProtobuf,
    PushFamilies,
    PushNameSets,
    PushCheckOn,
    Kill,
    Scrape,
    ScrapeProtobuf,
    Memory,
    Start,
    Large,
    Expire,
    Delete,
    Lists,
    Idle,
}

impl Options {
    pub(crate) fn read() -> Self {
        let mut options = Self::parse();
        if options.quick {
            options.runs = 1;
            options.seconds = options.seconds.min(1.0);
            for groups in options.groups.iter_mut().chain(&mut options.series_groups) {
                *groups = (*groups / 10).max(1);
            }
        }
        options
    }

    pub(crate) fn wants(&self, row: RowName) -> bool {
        self.rows.is_empty() || self.rows.contains(&row)
    }

    pub(crate) fn measures(&self, program: Program) -> bool {
        self.programs.is_empty() || self.programs.contains(&program)
    }

    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// A number of groups or series that no option names.
    pub(crate) fn scaled(&self, count: usize) -> usize {
        if self.quick { count / 10 } else { count }
    }

    /// Whether there are no more groups stored in any row of scrapes.
    pub(crate) fn is_largest(&self, groups: usize) -> bool {
        self.series_groups.iter().all(|other| *other <= groups)
    }

    /// Where to write; `None`: only print.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        let is_all = self.rows.is_empty() && self.programs.is_empty() && !self.quick;
        let usual = (is_all || self.render).then(|| PAGE_FOLDER.into());
        self.out.clone().or(usual)
    }
}
