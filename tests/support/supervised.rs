//! The gateway under a real supervisord, as `examples/supervisord.conf` runs it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::daemon::{Daemon, listening_addresses, signal};
use super::http::request;
use super::process::server_binary;
use super::{LIMIT, eventually, output, python_tool, repository_file};

/// `examples/supervisord.conf` under a real supervisord, with the paths of a temporary folder.
pub struct Supervised {
    supervisord: Daemon,
    folder: TempDir,
}

impl Supervised {
    /// Starts supervisord with the example's program section, changed by `edit`.
    pub fn start(edit: impl Fn(String) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().display().to_string();
        let section = std::fs::read_to_string(repository_file("examples/supervisord.conf"));
        let mut section = edit(section.expect("read the example"));
        for (installed, here) in [
            ("/usr/local/bin/tidegate", server_binary()),
            (":9091", "127.0.0.1:0".to_owned()),
            ("/var/lib/tidegate", path.clone()),
            ("/var/log/tidegate.log", format!("{path}/tidegate.log")),
        ] {
            assert!(
                section.contains(installed),
                "the example no longer names {installed}"
            );
            section = section.replace(installed, &here);
        }
        std::fs::write(folder.path().join("tidegate.conf"), section).expect("write the section");
        let main = format!(
            "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n\
             pidfile={path}/supervisord.pid\n\
             [unix_http_server]\nfile={path}/supervisor.sock\n\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
             [supervisorctl]\nserverurl=unix://{path}/supervisor.sock\n\
             [include]\nfiles={path}/tidegate.conf\n"
        );
        let configuration = folder.path().join("supervisord.conf");
        std::fs::write(&configuration, main).expect("write the configuration");
        let mut command = Command::new(python_tool("supervisord"));
        let log = folder.path().join("supervisord.log");
        let supervisord = Daemon::spawn(command.arg("-c").arg(configuration), &log);
        Self {
            supervisord,
            folder,
        }
    }

    /// The folder that stands for `/var/lib/tidegate`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the gateway has logged by way of supervisord, over all its starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("tidegate.log")).unwrap_or_default()
    }

    /// Waits until the gateway listens for the `start`-th time and is ready.
    pub fn ready_address(&self, start: usize) -> SocketAddr {
        let address = eventually(LIMIT, "a supervised gateway that listens", || {
            let log = self.log();
            listening_addresses(&log).get(start - 1).copied().ok_or(log)
        });
        eventually(LIMIT, "a supervised gateway that is ready", || {
            let answer = request(address, "GET", "/-/ready", &[], b"");
            (answer.status == 200)
                .then_some(address)
                .ok_or_else(|| answer.text())
        })
    }

    /// The answer of `supervisorctl` to a command.
    pub fn control(&self, command: &[&str]) -> String {
        let configuration = self.folder.path().join("supervisord.conf");
        let mut control = Command::new(python_tool("supervisorctl"));
        output(control.arg("-c").arg(configuration).args(command))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // By SIGTERM, so that supervisord ends the gateway, which is no child of this test.
        signal(self.supervisord.pid(), Signal::TERM);
        self.supervisord.wait(LIMIT);
        if std::thread::panicking() {
            eprintln!("--- the supervised gateway ---\n{}", self.log());
        }
    }
}
