//! A child process that logs to a file and never outlives its test.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{LIMIT, eventually};

/// A running program, its output in a file. Dropping it kills it.
pub struct Daemon {
    child: Child,
    log: PathBuf,
    /// Where this start begins in the log, which earlier starts may have filled.
    log_start: usize,
}

impl Daemon {
    /// Starts `command` with both its outputs appended to the file `log`.
    pub fn spawn(command: &mut Command, log: &Path) -> Self {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("open the log");
        let log_start = fs::metadata(log).expect("the size of the log").len();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle of the log"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; ./test.sh installs what it can"));
        let log_start = usize::try_from(log_start).expect("a log that fits in memory");
        Self {
            child,
            log: log.to_owned(),
            log_start,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the program has written since this start.
    pub fn log(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(text.get(self.log_start..).unwrap_or_default()).into_owned()
    }

    /// Waits for the program to log the address it listens on.
    pub fn listening_address(&mut self) -> SocketAddr {
        eventually(LIMIT, "a line that names the bound address", || {
            // Asked before the log is read: what was written before the end is then seen too.
            let ended = self.child.try_wait().expect("the state of the child");
            let log = self.log();
            assert!(
                ended.is_none(),
                "ended with {ended:?} before it listened:\n{log}"
            );
            listening_addresses(&log).pop().ok_or(log)
        })
    }

    /// SIGKILL: the program gets no chance to write anything more.
    pub fn kill_9(&mut self) {
        self.child.kill().expect("kill the child");
        self.child.wait().expect("collect the child");
    }

    /// SIGTERM, then waits for the end, which has to come by itself.
    pub fn terminate(&mut self) -> ExitStatus {
        signal(self.pid(), Signal::TERM);
        eventually(LIMIT, "an end after SIGTERM", || {
            let ended = self.child.try_wait().expect("the state of the child");
            ended.ok_or_else(|| self.log())
        })
    }

    /// Waits at most `limit` for an end that something else has asked for.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        eventually(limit, "the end of the process", || {
            self.child
                .try_wait()
                .expect("the state of the child")
                .ok_or_else(|| self.log())
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only when the child is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.log.display(), self.log());
        }
    }
}

pub fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    kill_process(pid, signal).expect("signal the process");
}

/// The addresses of all lines like `msg="listening" address=127.0.0.1:45123`, oldest first.
/// Prometheus and the Pushgateway write `msg="Listening on" address=...`.
pub fn listening_addresses(log: &str) -> Vec<SocketAddr> {
    let marks = [r#"msg="listening"#, "msg=listening"];
    log.lines()
        .filter(|line| marks.iter().any(|mark| line.to_lowercase().contains(mark)))
        .filter_map(|line| line.split_once(" address=")?.1.split(' ').next())
        .filter_map(|address| address.trim_matches('"').parse().ok())
        .collect()
}
