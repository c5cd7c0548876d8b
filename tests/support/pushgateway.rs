//! The real Pushgateway, Debian's package `prometheus-pushgateway` (1.5.1), as
//! the reference to compare with.

use std::env;
use std::io::{BufRead, BufReader, Read, sink};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::Signal;
use tempfile::TempDir;

use super::daemon::signal;

const PROGRAM: &str = "prometheus-pushgateway";

/// A Pushgateway on a free loopback port with a store of its own. It is killed
/// when this is dropped.
pub(crate) struct Pushgateway {
    pub(crate) addr: SocketAddr,
    child: Child,
    /// `None`: its file is somebody else's.
    store: Option<TempDir>,
}

impl Pushgateway {
    /// Starts one and waits until it listens.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further arguments and waits until it listens.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let store = TempDir::new().expect("a temporary folder");
        let started = Self::start_at(&store.path().join("pushgateway.data"), arguments);
        started.keeping(store)
    }

    /// Starts one with this persistence file and waits until it listens.
    pub(crate) fn start_on(file: &Path) -> Self {
        Self::start_at(file, &[])
    }

    fn start_at(file: &Path, arguments: &[&str]) -> Self {
        let program = find_program();
        let mut child = Command::new(&program)
            .arg("--web.listen-address=127.0.0.1:0")
            .arg(format!("--persistence.file={}", file.display()))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display()));
        let mut log = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let Some(addr) = listening_address(&mut log) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{} ended without listening", program.display());
        };
        // An unread pipe would fill up and block it.
        thread::spawn(move || std::io::copy(&mut log.take(u64::MAX), &mut sink()));
        Self {
            addr,
            child,
            store: None,
        }
    }

    fn keeping(mut self, store: TempDir) -> Self {
        self.store = Some(store);
        self
    }

    /// Ends it as a supervisor does; it writes its file then.
    pub(crate) fn stop(mut self) {
        signal(self.child.id(), Signal::TERM);
        self.child.wait().expect("collect the child");
    }
}

impl Drop for Pushgateway {
    fn drop(&mut self) {
        // Both do nothing once it was collected.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find_program() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join(PROGRAM))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{PROGRAM} is not on PATH: this test compares with it; install Debian's package {PROGRAM}")
    })
}

/// Reads the log up to the line that tells the address.
fn listening_address(log: &mut impl BufRead) -> Option<SocketAddr> {
    log.lines().map_while(Result::ok).find_map(|line| {
        let listens = line.contains("msg=\"Listening on\"");
        listens.then(|| line.rsplit_once("address=")?.1.parse().ok())?
    })
}
