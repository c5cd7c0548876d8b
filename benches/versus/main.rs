//! How does tidegate compare with the Pushgateway, on this machine, in one run?
//!
//! Starts Debian's `prometheus-pushgateway` (with its consistency check and
//! without) and the release build of tidegate, loads each with the same groups
//! (20 series in 5 families each), pushes over 64 connections to random groups,
//! and scrapes. Prints one table. Absolute figures vary with the machine's other
//! work; the ratios decide.
//!
//!     cargo bench --bench versus -- [GROUPS] [SECONDS]     (10000 groups, 5 s)

mod load;
mod program;
mod scrape;

use program::Program;

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse::<usize>().ok());
    let groups = numbers.next().unwrap_or(10_000);
    let seconds = numbers.next().unwrap_or(5) as u64;
    println!("{groups} groups of 20 series, 64 connections, {seconds} s of pushes a row\n");
    println!(
        "| program | pushes/s | p50 ms | p99 ms | scrape ms | gzip first ms | gzip again ms | RSS MB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for program in [
        Program::Tidegate,
        Program::Pushgateway { check: false },
        Program::Pushgateway { check: true },
        Program::Tidegate,
    ] {
        row(program, groups, seconds);
    }
}

fn row(program: Program, groups: usize, seconds: u64) {
    // The original gathers all that is stored at every checked push: it is
    // filled with the check off and restarted from its file with the check on.
    let running = program.start_filled(groups);
    let address = running.address();
    // One scrape before, so that what is made on first use is made.
    let _ = scrape::once(address, false);
    let pushes = load::push(address, groups, seconds);
    let plain = scrape::median(address, false, 5);
    let gzip_first = scrape::once(address, true);
    let gzip_again = scrape::median(address, true, 5);
    println!(
        "| {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {:.1} | {:.0} |",
        program.name(),
        pushes.per_second,
        pushes.p50_ms,
        pushes.p99_ms,
        plain,
        gzip_first,
        gzip_again,
        running.rss_mb(),
    );
}
