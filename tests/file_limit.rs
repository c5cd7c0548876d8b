//! A real program that may not write files beyond a size (`ulimit -f`). The kernel's signal
//! for that ends a process that does not catch it.

mod support;

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::process::Command;

use rustix::process::{Pid, Resource, getrlimit, prlimit};
use tempfile::TempDir;

use support::daemon::Daemon;
use support::http::{Response, request};
use support::process::server_binary;
use support::random::Seeded;
use support::{LIMIT, eventually};

/// Bytes a file may have: little more than an empty store.
const FILE_LIMIT: u64 = 2 << 20;

/// A gateway under the limit.
struct Limited {
    daemon: Daemon,
    address: SocketAddr,
    folder: TempDir,
}

impl Limited {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("sh");
        // In units of 512 bytes, and soft, so that it can be lifted.
        let script = format!("ulimit -S -f {}; exec \"$@\"", FILE_LIMIT / 512);
        command.args(["-c", &script, "sh", &server_binary()]);
        command.arg("--web.listen-address=127.0.0.1:0");
        command.arg(format!("--storage.path={}", folder.path().display()));
        let mut daemon = Daemon::spawn(&mut command, &folder.path().join("log"));
        let address = daemon.listening_address();
        let gateway = Self {
            daemon,
            address,
            folder,
        };
        gateway.wait_until_ready();
        gateway
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Response {
        request(self.address, method, path, &[], body.as_bytes())
    }

    fn wait_until_ready(&self) {
        eventually(LIMIT, "a gateway that is ready", || {
            let answer = self.send("GET", "/-/ready", "");
            (answer.status == 200)
                .then_some(())
                .ok_or_else(|| answer.text())
        });
    }

    /// Pushes a group of 64 kB that do not compress.
    fn push_large(&self, number: usize) -> Response {
        let mut random = Seeded::new(1);
        let words = (0..4000).map(|_| format!("{:x}", random.next()));
        let body = format!("# HELP a {}\na 1\n", words.collect::<String>());
        self.send("PUT", &format!("/metrics/job/large/number/{number}"), &body)
    }

    /// Pushes until a push is refused, which must be because of the disk. Returns how many were
    /// acknowledged.
    fn fill(&self) -> usize {
        for acknowledged in 0..1000 {
            let answer = self.push_large(acknowledged);
            if answer.status != 200 {
                assert_eq!(answer.status, 507, "{}", answer.text());
                return acknowledged;
            }
        }
        panic!("never refused");
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk_and_passes_when_it_is_lifted() {
    let gateway = Limited::start();
    let acknowledged = gateway.fill();
    let pid = i32::try_from(gateway.daemon.pid()).expect("a process id");
    let own = getrlimit(Resource::Fsize);
    prlimit(Pid::from_raw(pid), Resource::Fsize, own).expect("lift the limit");
    gateway.wait_until_ready();
    let shown = gateway.send("GET", "/metrics", "").text();
    let groups = shown.lines().filter(|line| line.starts_with("a{")).count();
    assert_eq!(groups, acknowledged);
    let answer = gateway.send("PUT", "/metrics/job/small", "a 1\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_store_that_was_damaged_meanwhile_ends_the_program_with_the_reason() {
    let mut gateway = Limited::start();
    for number in 1000..1005 {
        let answer = gateway.push_large(number);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // The gateway has its pages in memory and does not notice before it opens them anew.
    let path = gateway.folder.path().join("tidegate.redb");
    let file = OpenOptions::new().write(true).open(path);
    let file = file.expect("the database");
    for page in 1..FILE_LIMIT / 4096 / 2 {
        file.write_all_at(b"!", page * 4096).expect("damage a page");
    }
    gateway.fill();
    let status = gateway.daemon.wait(LIMIT);
    let log = gateway.daemon.log();
    assert_eq!(status.code(), Some(1), "{log}");
    let last = log.lines().last().expect("a line");
    assert!(last.starts_with("tidegate: error: the store "), "{log}");
    assert!(last.contains("is damaged"), "{log}");
}
