//! What the system says about a process.

use std::fs;

/// Clock ticks a second in `/proc`, the same on every Linux that people run.
const TICKS: f64 = 100.0;

/// Seconds of processor time of a process so far.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    cpu_of(&pid.to_string())
}

/// Seconds of processor time of this process so far.
pub(crate) fn own_cpu_seconds() -> f64 {
    cpu_of("self")
}

fn cpu_of(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name before the last parenthesis may hold spaces.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let ticks = rest.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS
}

/// Resident memory now, in units of 1,000,000 bytes.
pub(crate) fn rss_mb(pid: u32) -> f64 {
    status_mb(pid, "VmRSS:")
}

/// The most resident memory since [`reset_peak`], in units of 1,000,000 bytes.
pub(crate) fn peak_mb(pid: u32) -> f64 {
    status_mb(pid, "VmHWM:")
}

/// Lets the peak begin anew at what is resident now.
pub(crate) fn reset_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("to reset the peak of memory");
}

fn status_mb(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.expect("the memory of a running process") * 1024.0 / 1e6
}
