//! Where and when it was measured, and with what.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tidegate::clock::{Clock, Stopwatch};

use super::program::{FOLDER, Program};
use super::stats::percentile_ms;

/// The machine, the versions, the command.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gb: f64,
    pub(crate) kernel: String,
    pub(crate) file_system: String,
    /// Median time to write 4 KiB at the end of a file and sync them.
    pub(crate) sync_ms: f64,
    /// Processes that wanted to run in the minute before.
    pub(crate) load: f64,
    pub(crate) tidegate: String,
    pub(crate) pushgateway: String,
    pub(crate) rustc: String,
}

impl Setting {
    pub(crate) fn find() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let given = arguments.iter().filter(|argument| *argument != "--bench");
        let given: Vec<_> = given.map(String::as_str).collect();
        let command = match &given[..] {
            [] => "cargo bench --bench versus".to_owned(),
            given => format!("cargo bench --bench versus -- {}", given.join(" ")),
        };
        let date = Clock::system().wall().rfc3339().to_string();
        Self {
            date: date.chars().take("2000-01-01".len()).collect(),
            command,
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gb: first_number(&field("/proc/meminfo", "MemTotal")) * 1024.0 / 1e9,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(),
            sync_ms: sync_ms(),
            load: first_number(&read("/proc/loadavg")),
            tidegate: Program::Tidegate.version().unwrap_or_default(),
            pushgateway: Program::Pushgateway.version().unwrap_or_default(),
            rustc: rustc(),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The text after the first `name:` in a file of lines.
fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':'));
    value
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

fn first_number(text: &str) -> f64 {
    let first = text.split_whitespace().next();
    first
        .and_then(|first| first.parse().ok())
        .unwrap_or_default()
}

/// The type of the file system that stores are on: that of the longest mount point above them.
fn file_system() -> String {
    let folder = fs::canonicalize(FOLDER).unwrap_or_else(|_| FOLDER.into());
    let mounts = read("/proc/self/mounts");
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounts.filter(|(point, _)| folder.starts_with(point));
    let nearest = above.max_by_key(|(point, _)| point.len());
    nearest.map_or_else(String::new, |(_, kind)| kind.to_owned())
}

fn sync_ms() -> f64 {
    let measure = || -> std::io::Result<Vec<Duration>> {
        let mut file: File = NamedTempFile::new_in(FOLDER)?.into_file();
        (0..200)
            .map(|_| {
                let watch = Stopwatch::start();
                file.write_all(&[7; 4096])?;
                file.sync_data()?;
                Ok(watch.elapsed())
            })
            .collect()
    };
    percentile_ms(&mut measure().expect("a file to write to"), 50)
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned()
}
