//! The programs that are compared, as processes.

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tidegate::clock::Stopwatch;

use super::ask::{self, Scrape};
use super::load::Load;
use super::process;
use super::requests::{Form, Requests};

/// Below the build's folder, which is on a disk where the folder for temporary files may not be.
pub(crate) const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// The job whose groups are stored.
pub(crate) const JOB: &str = "batch";

/// One of the programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Program {
    Tidegate,
    /// With its consistency check off.
    Pushgateway,
    /// As it comes.
    PushgatewayChecked,
}

/// A running one; killed when dropped.
pub(crate) struct Running {
    pub(crate) program: Program,
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

/// How a program is ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Terminate,
    Kill,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tidegate => "tidegate",
            Self::Pushgateway => "Pushgateway, check off",
            Self::PushgatewayChecked => "Pushgateway, check on",
        }
    }

    /// What is run: `TIDEGATE_BINARY` and `PUSHGATEWAY_BINARY` name others.
    pub(crate) fn path(self) -> PathBuf {
        let (variable, path) = match self {
            Self::Tidegate => ("TIDEGATE_BINARY", env!("CARGO_BIN_EXE_tidegate")),
            _ => ("PUSHGATEWAY_BINARY", "prometheus-pushgateway"),
        };
        env::var_os(variable).map_or_else(|| path.into(), PathBuf::from)
    }

    /// The version it says it is; `None` if it cannot be run.
    pub(crate) fn version(self) -> Option<String> {
        let output = Command::new(self.path()).arg("--version").output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
        text.split_whitespace().find(is_version).map(str::to_owned)
    }

    /// Starts it with an empty store.
    pub(crate) fn start(self) -> Running {
        let folder = TempDir::with_prefix_in("versus-", FOLDER).expect("a temporary folder");
        let (child, address) = self.spawn(&folder);
        let running = Running {
            program: self,
            child,
            address,
            folder,
        };
        running.wait_until_ready();
        running
    }

    /// Starts it and pushes so many groups, each once.
    pub(crate) fn start_filled(self, groups: usize) -> Running {
        if self == Self::PushgatewayChecked {
            // It gathers all that is stored at every checked push: it is filled with the check off
            // and restarted from its file with the check on.
            let mut running = Self::Pushgateway.start_filled(groups);
            running.end(End::Terminate);
            running.program = self;
            running.start_again();
            running.wait_until_ready();
            return running;
        }
        let running = self.start();
        running.push_all(groups);
        running
    }

    fn spawn(self, folder: &TempDir) -> (Child, SocketAddr) {
        let address = free_address();
        let mut command = Command::new(self.path());
        if self == Self::Tidegate {
            command.arg(format!("--storage.path={}", folder.path().display()));
        } else {
            let file = folder.path().join("pushgateway.data");
            command.arg(format!("--persistence.file={}", file.display()));
        }
        if self == Self::Pushgateway {
            command.arg("--push.disable-consistency-check");
        }
        let child = command
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-admin-api")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a program that can be run");
        (child, address)
    }
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Usual pushes to it.
    pub(crate) fn load(&self, form: Form) -> Load {
        Load::new(self.address, Requests::put(JOB, form, ""))
    }

    /// Pushes so many groups, each once.
    pub(crate) fn push_all(&self, groups: usize) {
        self.load(Form::Text).each(groups);
    }

    /// Waits until pushes are taken: not yet while a store is being loaded.
    pub(crate) fn wait_until_ready(&self) {
        self.until_answered("/-/ready", |_| true);
    }

    /// Asks again and again until an answer is 200 and as wanted.
    fn until_answered(&self, path: &str, wanted: impl Fn(&ask::Answer) -> bool) {
        let is_there = |answer: ask::Answer| answer.status == 200 && wanted(&answer);
        while !ask::try_get(self.address, path).is_ok_and(is_there) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it; the store stays.
    pub(crate) fn end(&mut self, how: End) {
        let signal = match how {
            End::Terminate => Signal::TERM,
            End::Kill => Signal::KILL,
        };
        self.signal(signal);
        self.child.wait().expect("its end");
    }

    /// Sends a signal; does not wait for what comes of it.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("a running process");
    }

    /// Starts it on the store it had.
    pub(crate) fn start_again(&mut self) {
        (self.child, self.address) = self.program.spawn(&self.folder);
    }

    /// Starts it on the store it had; seconds until a whole scrape of at least so many bytes was there.
    pub(crate) fn seconds_to_first_scrape(&mut self, bytes: usize) -> f64 {
        let watch = Stopwatch::start();
        self.start_again();
        self.until_answered("/metrics", |answer| answer.bytes >= bytes);
        watch.seconds()
    }

    /// Bytes of a scrape, a little less: what of its own the program shows differs from time to time.
    pub(crate) fn scrape_bytes(&self) -> usize {
        let bytes = Scrape::TEXT.once(self.address).bytes;
        bytes - bytes / 100
    }

    pub(crate) fn cpu_seconds(&self) -> f64 {
        process::cpu_seconds(self.child.id())
    }

    pub(crate) fn rss_mb(&self) -> f64 {
        process::rss_mb(self.child.id())
    }

    pub(crate) fn peak_mb(&self) -> f64 {
        process::peak_mb(self.child.id())
    }

    pub(crate) fn reset_peak(&self) {
        process::reset_peak(self.child.id());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}
