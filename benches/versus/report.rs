//! The page of results, and the table of the README.

use super::plots::{PLOTS, Plot};
use super::program::Program;
use super::results::{Measured, Results, Target, Unit};
use super::spelling::number;
use super::stats::{median, range};

const INTRO: &str = "\
# How fast is it?

Written by `cargo bench --bench versus`, which runs tidegate and the Pushgateway in turn on one machine.
Medians, in brackets the smallest and the largest; the ratio says how many times better tidegate is. The
values of every run are in [results.json](results.json). Absolute figures vary with the machine and its
other work: the ratios decide.
";

const NOTES: &str = "\
- A push is 20 series in 5 families, to a random group, over one of 64 connections.
- The Pushgateway runs with `--push.disable-consistency-check`, and what it acknowledges is on disk up to
  five minutes later. With its check, as it comes, it looks at all that is stored at every push; the
  last rows are about that. tidegate always checks, and syncs before it answers.
- The Pushgateway keeps nothing between scrapes: one in protobuf stands beside three of tidegate. After
  kill -9 it starts from the same file as after SIGTERM. It has one list, which stands beside both.
- The Pushgateway's answers to DELETE and wipe do not wait for the disk; those of tidegate do.
- What takes the Pushgateway minutes is measured in three runs at most; with its check on, and idling,
  in one.
";

/// The page, in Markdown.
pub(crate) fn page(results: &Results) -> String {
    let image = |plot: &Plot| format!("![{}]({})\n\n", plot.title, plot.file);
    let plots = PLOTS.iter().map(image).collect::<Vec<_>>().concat();
    format!(
        "{INTRO}\n{plots}## Figures\n\n{}\n{NOTES}\n## Machine\n\n{}",
        table(&results.measured),
        setting(results)
    )
}

/// All figures as a table.
pub(crate) fn table(measured: &[Measured]) -> String {
    let mut table = String::from(
        "| what | Pushgateway | tidegate | ratio | target | met |\n|---|---|---|---|---|---|\n",
    );
    for one in measured {
        if !one.tidegate.is_empty() || !one.pushgateway.is_empty() {
            table += &line(one, Program::Pushgateway);
        }
    }
    for one in measured {
        if !one.pushgateway_checked.is_empty() {
            table += &line(one, Program::PushgatewayChecked);
        }
    }
    table
}

fn line(one: &Measured, other: Program) -> String {
    let is_checked = other == Program::PushgatewayChecked;
    let unit = one.figure.unit;
    let ratio = one
        .times_better_than(other)
        .map(|ratio| format!("{} x", number(ratio)));
    let target = one.figure.target.filter(|_| !is_checked);
    let met = one.is_met().filter(|_| !is_checked);
    format!(
        "| {}{} | {} | {} | {} | {} | {} |\n",
        one.figure.what,
        if is_checked {
            ", Pushgateway's check on"
        } else {
            ""
        },
        cell(one.values(other), unit),
        cell(&one.tidegate, unit),
        ratio.unwrap_or_default(),
        target
            .map(|target| spelled(target, unit))
            .unwrap_or_default(),
        met.map_or("", |met| if met { "yes" } else { "**no**" }),
    )
}

/// The median with its unit, and the range if there is more than one value.
fn cell(values: &[f64], unit: Unit) -> String {
    let Some(((smallest, largest), median)) = range(values).zip(median(values)) else {
        return "-".to_owned();
    };
    let median = format!("{}{}", number(median), suffix(unit));
    if values.len() == 1 {
        return median;
    }
    format!("{median} ({}-{})", number(smallest), number(largest))
}

fn spelled(target: Target, unit: Unit) -> String {
    match target {
        Target::Times(times) => format!(">= {} x", number(times)),
        Target::AtMost(most) => format!("<= {}{}", number(most), suffix(unit)),
        Target::AtLeast(least) => format!(">= {}{}", number(least), suffix(unit)),
    }
}

fn suffix(unit: Unit) -> &'static str {
    match unit {
        Unit::PerSecond => "/s",
        Unit::Micros => " µs",
        Unit::Millis => " ms",
        Unit::Seconds => " s",
        Unit::Kilobytes => " kB",
        Unit::Megabytes => " MB",
        Unit::Percent => " %",
    }
}

fn setting(results: &Results) -> String {
    let setting = &results.setting;
    format!(
        "- {}, `{}`\n- {}, {} cores, {:.0} GB, Linux {}\n- stores on {}; writing 4 KiB and syncing them \
         takes {} ms\n- load average before: {}; the load generator, on the same cores, took {} \
         a push\n- tidegate {}, Pushgateway {}, rustc {}\n",
        setting.date,
        setting.command,
        setting.processor,
        setting.cores,
        setting.memory_gb,
        setting.kernel,
        setting.file_system,
        number(setting.sync_ms),
        setting.load,
        cell(&results.generator_us, Unit::Micros),
        setting.tidegate,
        setting.pushgateway,
        setting.rustc,
    )
}

/// A short table for the README: what most people ask first.
pub(crate) fn summary(results: &Results) -> String {
    let largest = |name: &str| {
        let of_name = results
            .measured
            .iter()
            .filter(|one| one.figure.name == name);
        of_name.max_by_key(|one| one.figure.at)
    };
    let names = [
        "push rate",
        "push p99",
        "scrape text",
        "scrape text gzip, unchanged",
        "rss",
        "start after SIGTERM",
        "kill lost",
    ];
    let line = |one: &Measured| {
        let unit = one.figure.unit;
        let middle = |values: &[f64]| {
            median(values).map_or_else(|| "-".into(), |value| number(value) + suffix(unit))
        };
        let ratio = one.times_better_than(Program::Pushgateway);
        let ratio = ratio.map(|ratio| format!("{} x", number(ratio)));
        let (original, ours) = (middle(&one.pushgateway), middle(&one.tidegate));
        let what = &one.figure.what;
        format!(
            "| {what} | {original} | {ours} | {} |\n",
            ratio.unwrap_or_default()
        )
    };
    let head = "| | Pushgateway | tidegate | |\n|---|---|---|---|\n".to_owned();
    let lines = names.iter().filter_map(|name| largest(name)).map(line);
    std::iter::once(head).chain(lines).collect()
}
