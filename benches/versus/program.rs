//! The programs that are compared.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::load;

/// One of the programs.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    Tidegate,
    Pushgateway { check: bool },
}

/// A running one; killed when dropped.
pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tidegate => "tidegate",
            Self::Pushgateway { check: false } => "Pushgateway, check off, nothing durable",
            Self::Pushgateway { check: true } => "Pushgateway, check on, nothing durable",
        }
    }

    /// Starts the program and pushes every group once.
    pub(crate) fn start_filled(self, groups: usize) -> Running {
        let folder = TempDir::new().expect("a temporary folder");
        if let Self::Pushgateway { check: true } = self {
            let unchecked = Self::Pushgateway { check: false };
            let mut filled = unchecked.start(&folder);
            load::fill(filled.1, groups);
            terminate(&mut filled.0);
            let (child, address) = self.start(&folder);
            return Running {
                child,
                address,
                _folder: folder,
            };
        }
        let (child, address) = self.start(&folder);
        load::fill(address, groups);
        Running {
            child,
            address,
            _folder: folder,
        }
    }

    fn start(self, folder: &TempDir) -> (Child, SocketAddr) {
        let address = free_address();
        let mut command = match self {
            Self::Tidegate => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
                command.arg(format!("--storage.path={}", folder.path().display()));
                command
            }
            Self::Pushgateway { check } => {
                let mut command = Command::new("prometheus-pushgateway");
                let file = folder.path().join("pushgateway.data");
                command.arg(format!("--persistence.file={}", file.display()));
                command.args((!check).then_some("--push.disable-consistency-check"));
                command
            }
        };
        let child = command
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.name()));
        while !is_ready(address) {
            std::thread::sleep(Duration::from_millis(20));
        }
        (child, address)
    }
}

/// Whether pushes are taken: not yet while a store is being loaded.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resident memory now, in units of 1,000,000 bytes.
    pub(crate) fn rss_mb(&self) -> f64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kib.unwrap_or_default() * 1024.0 / 1e6
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &mut Child) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a process id"), rustix::process::Signal::TERM)
        .expect("SIGTERM");
    child.wait().expect("its end");
}

/// A port that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}
