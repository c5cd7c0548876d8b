//! How does tidegate compare with the Pushgateway, on this machine, in one run?
//!
//! Starts the release build of tidegate and Debian's `prometheus-pushgateway`, loads them in turn with
//! the same groups (20 series in 5 families each) and measures every row of [`rows`], several times.
//! Prints a table; a run of everything also writes docs/benchmarks, with plots. Absolute figures vary
//! with the machine's other work; the ratios decide.
//!
//!     cargo bench --bench versus                                              (everything)
//!     cargo bench --bench versus -- --rows push --groups 10000 --runs 1       (one row)

mod ask;
mod body;
mod load;
mod machine;
#[path = "../../tests/property_proto/messages.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod messages;
mod options;
mod plots;
mod process;
mod program;
mod report;
mod requests;
mod results;
mod rows;
mod spelling;
mod stats;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use machine::Setting;
use options::Options;
use program::Program;
use results::Results;
use rows::Bench;

const NUMBERS: &str = "results.json";

fn main() -> Result<()> {
    let options = Options::read();
    let folder = options.folder();
    let results = if options.render {
        let folder = folder.as_deref().context("no folder to read from")?;
        serde_json::from_slice(&fs::read(folder.join(NUMBERS))?)?
    } else {
        measure(options, folder.as_deref())?
    };
    println!("{}", report::table(&results.measured));
    if let Some(folder) = &folder {
        write(folder, &results)?;
        println!("For the README:\n\n{}", report::summary(&results));
    }
    Ok(())
}

/// Measures everything that is asked for, and writes after each run, so that a later one that fails
/// takes nothing away.
fn measure(options: Options, folder: Option<&Path>) -> Result<Results> {
    for program in [Program::Tidegate, Program::Pushgateway] {
        let path = program.path();
        ensure!(
            !options.measures(program) || program.version().is_some(),
            "{} cannot be run; the Pushgateway is Debian's package prometheus-pushgateway",
            path.display()
        );
    }
    let mut bench = Bench::new(options, Setting::find());
    for run in 0..bench.options.runs {
        bench.run(run);
        if let Some(folder) = folder {
            write(folder, &bench.results)?;
        }
    }
    Ok(bench.results)
}

fn write(folder: &Path, results: &Results) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("README.md"), report::page(results))?;
    fs::write(
        folder.join(NUMBERS),
        serde_json::to_string_pretty(results)? + "\n",
    )?;
    plots::write(folder, results)
}
