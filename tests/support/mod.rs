//! What the tests from outside share: real processes, raw HTTP, and waiting with a limit.
//!
//! Every test binary compiles its own copy and uses only a part of it.
#![allow(
    dead_code,
    reason = "each test binary uses its own part of the harness"
)]
#![allow(
    unreachable_pub,
    reason = "the same files are a module of every test binary"
)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tidegate::clock::Stopwatch;

pub mod client;
pub mod daemon;
pub mod disk;
pub mod gob;
pub mod http;
pub mod in_process;
pub mod process;
pub mod pushers;
pub mod pushgateway;
pub mod random;
pub mod service_manager;
pub mod supervised;
pub mod wiretap;

/// How long a condition may take on a machine that is busy with other things.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Asks again until `attempt` is `Ok`, and gives its value back.
///
/// An `Err` says what was seen instead; the last one is part of the panic when `limit` has passed.
pub fn eventually<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> T {
    let watch = Stopwatch::start();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(seen) if watch.elapsed() > limit => {
                panic!("{what}: not within {limit:?}; last seen: {seen}")
            }
            // The one pause of all tests: it spares the processor and decides nothing.
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// A file of this repository, by its path from the top.
pub fn repository_file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A program of the Python environment that `test.sh` makes.
pub fn python_tool(name: &str) -> PathBuf {
    let path = repository_file("target/venv/bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: run ./test.sh once, it installs it",
        path.display()
    );
    path
}

/// The value of one sample of a text exposition, `series` being written as the exposition does:
/// `name{label="value",...}`.
pub fn sample<'text>(exposition: &'text str, series: &str) -> Option<&'text str> {
    exposition
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

/// The standard output of a command that has to succeed.
pub fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}: run ./test.sh"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}{errors}",
        output.status
    );
    text
}
