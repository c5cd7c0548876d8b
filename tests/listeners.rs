//! Where the program listens: several addresses, or sockets that a service manager passes; and
//! what the manager is told.

mod support;

use std::path::Path;
use std::process::{Command, Output};

use rustix::process::Signal;
use support::daemon::{Daemon, listening_addresses, signal};
use support::http::request;
use support::process::server_binary;
use support::service_manager::Manager;
use support::{LIMIT, eventually, output};

/// Opens so many sockets from file descriptor 3 on, as systemd does, and becomes the program.
const LAUNCHER: &str = "
import fcntl, os, socket, sys
count = int(sys.argv[1])
opened = []
for _ in range(count):
    made = socket.socket()
    made.bind(('127.0.0.1', 0))
    made.listen()
    opened.append(fcntl.fcntl(made.detach(), fcntl.F_DUPFD_CLOEXEC, 100))
for number in range(count):
    os.dup2(opened[number], 3 + number)
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
";

fn launched(sockets: usize, folder: &Path) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", LAUNCHER, &sockets.to_string(), &server_binary()]);
    command.arg("--web.systemd-socket");
    command.arg(format!("--storage.path={}", folder.join("store").display()));
    command
}

#[test]
fn all_addresses_are_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(server_binary());
    command.args(["--web.listen-address=127.0.0.1:0"; 2]);
    command.arg(format!(
        "--storage.path={}",
        folder.path().join("store").display()
    ));
    assert_two_are_served(&mut command, folder.path());
}

#[test]
fn all_sockets_that_are_passed_are_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_two_are_served(&mut launched(2, folder.path()), folder.path());
}

fn assert_two_are_served(command: &mut Command, folder: &Path) {
    let mut daemon = Daemon::spawn(command, &folder.join("log"));
    let addresses = eventually(LIMIT, "two addresses", || {
        let addresses = listening_addresses(&daemon.log());
        (addresses.len() == 2)
            .then_some(addresses)
            .ok_or_else(|| daemon.log())
    });
    assert_ne!(addresses[0], addresses[1]);
    for address in addresses {
        eventually(LIMIT, "a gateway that is ready", || {
            let answer = request(address, "GET", "/-/ready", &[], b"");
            (answer.status == 200)
                .then_some(())
                .ok_or_else(|| answer.text())
        });
    }
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// Holds a socket as systemd does, runs the program by it twice, and pushes while none runs. Prints
/// the first line of the answer.
const SWAP: &str = "
import os, socket, subprocess, sys
made = socket.socket()
made.bind(('127.0.0.1', 0))
made.listen()
os.dup2(made.fileno(), 3)
def start():
    shell = ['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"', 'sh']
    return subprocess.Popen(shell + sys.argv[1:], pass_fds=[3])
def ask(request):
    client = socket.create_connection(made.getsockname())
    client.sendall((request + ' HTTP/1.0\\r\\nContent-Length: 4\\r\\n\\r\\na 1\\n').encode())
    return client.makefile()
def run():
    gateway = start()
    while '200' not in ask('GET /-/ready').readline():
        assert gateway.poll() is None
    return gateway
gateway = run()
gateway.terminate()
assert gateway.wait() == 0
answer = ask('POST /metrics/job/between')
gateway = run()
print(answer.readline())
gateway.terminate()
gateway.wait()
";

#[test]
fn who_comes_between_two_programs_is_answered_by_the_second_if_the_socket_is_held() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new("python3");
    command.args(["-c", SWAP, &server_binary(), "--web.systemd-socket"]);
    command.arg(format!(
        "--storage.path={}",
        folder.path().join("store").display()
    ));
    let told = output(&mut command);
    assert!(told.contains("HTTP/1.0 200 OK\n"), "{told}");
}

#[test]
fn without_sockets_it_does_not_start_and_vsock_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |argument: &str| -> Output {
        let mut command = Command::new(server_binary());
        command.env_remove("LISTEN_FDS").current_dir(&folder);
        command.arg(argument).output().expect("the program")
    };
    for (argument, reason) in [
        ("--web.systemd-socket", "the service manager gave no socket"),
        (
            "--web.listen-address=vsock://:9091",
            "vsock:// is not supported",
        ),
    ] {
        let output = run(argument);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

fn gateway(folder: &Path) -> Daemon {
    let mut command = Command::new(server_binary());
    command.arg("--web.listen-address=127.0.0.1:0");
    command.arg(format!("--storage.path={}", folder.join("store").display()));
    command.env("NOTIFY_SOCKET", folder.join("notify"));
    Daemon::spawn(&mut command, &folder.join("log"))
}

#[test]
fn the_service_manager_is_told_of_readiness_and_stop() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manager = Manager::at(&folder.path().join("notify"));
    let mut daemon = gateway(folder.path());
    assert!(manager.told().starts_with("READY=1\n"));
    let address = daemon.listening_address();
    assert_eq!(request(address, "GET", "/-/ready", &[], b"").status, 200);
    signal(daemon.pid(), Signal::TERM);
    assert!(manager.told().starts_with("STOPPING=1\n"));
    assert_eq!(daemon.wait(LIMIT).code(), Some(0));
}

#[test]
fn the_service_manager_is_told_why_a_start_failed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manager = Manager::at(&folder.path().join("notify"));
    std::fs::write(folder.path().join("store"), "no folder").expect("write a file");
    let mut daemon = gateway(folder.path());
    let told = manager.told();
    assert!(
        told.starts_with("STATUS=") && told.contains("cannot use the store"),
        "{told}"
    );
    assert_eq!(daemon.wait(LIMIT).code(), Some(1));
}
