//! `process_*`: this process as the kernel sees it, read from `/proc`.

use std::fs;

/// Clock ticks a second in `/proc`. Linux fixes it at 100 towards programs on
/// every architecture that Rust's standard library runs on.
const TICKS: f64 = 100.0;

/// When the process started, in seconds since 1970. It never changes, and
/// `/proc/stat` is long on machines with many cores: read it once.
pub(super) fn start_time() -> Option<f64> {
    let boot = number_after(&fs::read_to_string("/proc/stat").ok()?, "btime")?;
    let ticks = Stat::parse(&read("stat")?)?.start_ticks;
    Some(boot + ticks / TICKS)
}

/// One reading. What could not be read is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// User and system CPU time, in seconds.
    pub(super) cpu_seconds: Option<f64>,
    /// Open file descriptors.
    pub(super) open_fds: Option<f64>,
    /// Soft limit of open file descriptors.
    pub(super) max_fds: Option<f64>,
    /// Resident memory, in bytes.
    pub(super) resident_bytes: Option<f64>,
    /// Address space in use, in bytes.
    pub(super) virtual_bytes: Option<f64>,
    /// Soft limit of the address space, in bytes; 2^64 - 1 if there is none.
    pub(super) virtual_max_bytes: Option<f64>,
    /// Bytes received, by everything in the process's network namespace.
    pub(super) received_bytes: Option<f64>,
    /// Bytes sent, likewise.
    pub(super) sent_bytes: Option<f64>,
}

impl Reading {
    /// Reads `/proc/self`.
    pub(super) fn take() -> Self {
        let stat = read("stat").as_deref().and_then(Stat::parse);
        let status = read("status").unwrap_or_default();
        let limits = read("limits").unwrap_or_default();
        let network = read("net/netstat").unwrap_or_default();
        Self {
            cpu_seconds: stat.as_ref().map(|stat| stat.cpu_ticks / TICKS),
            open_fds: open_fds(),
            max_fds: soft_limit(&limits, "Max open files"),
            resident_bytes: number_after(&status, "VmRSS:").map(|kib| kib * 1024.0),
            virtual_bytes: stat.as_ref().map(|stat| stat.virtual_bytes),
            virtual_max_bytes: soft_limit(&limits, "Max address space"),
            received_bytes: ip_counter(&network, "InOctets"),
            sent_bytes: ip_counter(&network, "OutOctets"),
        }
    }
}

/// The fields of `/proc/self/stat` that are of use.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    start_ticks: f64,
    virtual_bytes: f64,
}

impl Stat {
    /// Fields are counted as in proc(5), from 1. The second is the program's name in
    /// parentheses, which may itself hold blanks and parentheses.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
        })
    }
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/{name}")).ok()
}

/// Counts the open descriptors, less the one that the count itself needs.
#[expect(clippy::cast_precision_loss, reason = "descriptors are few")]
fn open_fds() -> Option<f64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(open.saturating_sub(1) as f64)
}

/// The number after the first word of a line.
fn number_after(text: &str, first: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(first))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// A soft limit of `/proc/self/limits`. An absent one is 2^64 - 1, as Go clients report it.
#[expect(clippy::cast_precision_loss, reason = "the exposition has doubles")]
fn soft_limit(limits: &str, name: &str) -> Option<f64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match rest.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX as f64),
        number => number.parse().ok(),
    }
}

/// A counter of the `IpExt` pair of lines: names in the first, numbers in the second.
fn ip_counter(netstat: &str, name: &str) -> Option<f64> {
    let mut lines = netstat
        .lines()
        .filter_map(|line| line.strip_prefix("IpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let place = names.split_whitespace().position(|found| found == name)?;
    numbers.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_a_program_name_with_parentheses() {
        let text = "42 (a) b (c) S 1 42 42 0 -1 4194560 1051 0 0 0 150 50 0 0 20 0 5 0 \
                    179531 1000001536 3000 18446744073709551615 1";
        let wanted = Stat {
            cpu_ticks: 200.0,
            start_ticks: 179_531.0,
            virtual_bytes: 1_000_001_536.0,
        };
        assert_eq!(Stat::parse(text), Some(wanted));
        for broken in [
            "",
            "42 (a) S 1",
            "42 a S 1 2",
            "1 (a) S 1 1 1 1 1 1 1 1 1 1 x x x x x x x x x x",
        ] {
            assert_eq!(Stat::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn limits_are_soft_and_may_be_absent() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n\
                      Max address space         unlimited            unlimited            bytes\n\
                      Max locked memory         x                    y                    bytes\n";
        for (name, wanted) in [
            ("Max open files", Some(1024.0)),
            ("Max address space", Some(18_446_744_073_709_551_615.0)),
            ("Max locked memory", None),
            ("Max nice priority", None),
        ] {
            assert_eq!(soft_limit(limits, name), wanted, "{name}");
        }
    }

    #[test]
    fn other_files_are_read_by_name() {
        let status = "Name:\ttidegate\nVmSize:\t 9999 kB\nVmRSS:\t    1234 kB\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(1234.0));
        assert_eq!(number_after(status, "VmSwap:"), None);
        let netstat =
            "TcpExt: A B\nTcpExt: 1 2\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 0 77 88\n";
        assert_eq!(ip_counter(netstat, "InOctets"), Some(77.0));
        assert_eq!(ip_counter(netstat, "OutOctets"), Some(88.0));
        assert_eq!(ip_counter(netstat, "A"), None);
        assert_eq!(ip_counter("IpExt: InOctets", "InOctets"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_can_be_read() {
        let reading = Reading::take();
        let (fds, rss) = (reading.open_fds.unwrap(), reading.resident_bytes.unwrap());
        assert!(fds >= 1.0 && fds <= reading.max_fds.unwrap(), "{reading:?}");
        assert!(
            rss > 100_000.0 && rss < reading.virtual_bytes.unwrap(),
            "{reading:?}"
        );
        assert!(start_time().unwrap() > 1.6e9);
    }
}
