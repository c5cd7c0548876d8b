//! The real gateway binary as a process of its own, with a store in a temporary folder.

use std::net::SocketAddr;
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

use super::daemon::Daemon;
use super::http::{Response, request};
use super::{LIMIT, eventually, sample};

/// The program under test. `TIDEGATE_TEST_SERVER` puts another one in its place, to see how the
/// original Pushgateway answers the same test.
pub fn server_binary() -> String {
    std::env::var("TIDEGATE_TEST_SERVER")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_tidegate").to_owned())
}

/// A gateway on a free port of 127.0.0.1, ready when it is handed out, killed when dropped.
pub struct Gateway {
    daemon: Daemon,
    address: SocketAddr,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Gateway {
    /// Starts a gateway with an empty store.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a gateway with an empty store and further command-line arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let (daemon, address) = run(&folder, &arguments);
        Self {
            daemon,
            address,
            arguments,
            folder,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as clients are given it: `http://127.0.0.1:45123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the process has logged since its last start.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// The folder that holds the store and the log.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn kill_9(&mut self) {
        self.daemon.kill_9();
    }

    /// SIGTERM, and the exit status once the process has ended by itself.
    pub fn terminate(&mut self) -> ExitStatus {
        self.daemon.terminate()
    }

    /// The exit status of an end that something else has asked for.
    pub fn wait(&mut self) -> ExitStatus {
        self.daemon.wait(LIMIT)
    }

    /// Starts the gateway again on the same store, killing it first if it still runs. The port is
    /// a new one.
    pub fn restart(&mut self) {
        self.daemon.kill_9();
        (self.daemon, self.address) = run(&self.folder, &self.arguments);
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        request(self.address, method, path, headers, body.as_bytes())
    }

    /// The exposition, as a scraper without compression gets it.
    pub fn metrics(&self) -> String {
        let answer = self.send("GET", "/metrics", &[], "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    /// The exposed value of one series, or `None` when it is not exposed.
    pub fn value(&self, series: &str) -> Option<String> {
        sample(&self.metrics(), series).map(str::to_owned)
    }
}

/// Starts the binary and returns it once it says that it is ready.
fn run(folder: &TempDir, arguments: &[String]) -> (Daemon, SocketAddr) {
    let binary = server_binary();
    let mut command = Command::new(&binary);
    command
        .arg("--web.listen-address=127.0.0.1:0")
        .args(arguments);
    let names_a_store = arguments
        .iter()
        .any(|argument| argument.contains("persistence.file"));
    if binary.ends_with("pushgateway") {
        // The original has no store folder, and saves its file only now and then.
        command.arg(format!(
            "--persistence.file={}/store",
            folder.path().display()
        ));
    } else if !names_a_store {
        command.arg(format!("--storage.path={}/store", folder.path().display()));
    }
    let mut daemon = Daemon::spawn(command.current_dir(folder), &folder.path().join("log"));
    let address = daemon.listening_address();
    eventually(LIMIT, "a gateway that is ready", || {
        let answer = request(address, "GET", "/-/ready", &[], b"");
        (answer.status == 200)
            .then_some(())
            .ok_or_else(|| answer.text())
    });
    (daemon, address)
}
