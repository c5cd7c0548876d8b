//! The units for systemd: as systemd reads them, and the program by their command lines.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::Signal;
use tidegate::duration;
use tidegate::limits::{CONNECTIONS, DRAIN_TIME};

use crate::support::daemon::{Daemon, signal};
use crate::support::http::request;
use crate::support::process::server_binary;
use crate::support::service_manager::Manager;
use crate::support::{LIMIT, repository_file};

/// Where the units have the program.
const INSTALLED: &str = "/usr/local/bin/tidegate";

fn example(name: &str) -> String {
    fs::read_to_string(repository_file("examples").join(name)).expect("a unit")
}

/// The drop-in for the service that the head of the socket spells out.
fn drop_in() -> String {
    let socket = example("tidegate.socket");
    let lines = socket.lines().filter_map(|line| line.strip_prefix("#   "));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// The last value of a setting in a unit.
fn setting<'unit>(unit: &'unit str, name: &str) -> &'unit str {
    let mut values = unit
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values
        .next_back()
        .unwrap_or_else(|| panic!("no {name}= in\n{unit}"))
}

/// The command line of a unit, with our program, a free port, and the folder for that of the
/// service.
fn command(unit: &str, folder: &Path) -> Command {
    let line = setting(unit, "ExecStart");
    let line = line
        .strip_prefix(INSTALLED)
        .expect("the program's name first");
    let mut command = Command::new(server_binary());
    let home = folder.to_str().expect("a path in UTF-8");
    command.args(line.split_ascii_whitespace().map(|word| {
        word.replace("/var/lib/tidegate", home)
            .replace("=:9091", "=127.0.0.1:0")
    }));
    command.current_dir(folder);
    command
}

/// systemd-analyze on units of a folder of its own, in which the program is where it is.
fn analyze(arguments: &[&str], units: &[(&str, String)]) -> (Output, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in units {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
        let text = text.replace(INSTALLED, &server_binary());
        fs::write(path, text).expect("write a unit");
    }
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).arg("./tidegate.service");
    let output = command.current_dir(&folder).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}: run ./test.sh"));
    let text = [&output.stdout[..], &output.stderr].concat();
    (output, String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    let service = ("tidegate.service", example("tidegate.service"));
    let with_socket = [
        service.clone(),
        ("tidegate.socket", example("tidegate.socket")),
        ("tidegate.service.d/socket.conf", drop_in()),
    ];
    for units in [&[service][..], &with_socket] {
        let arguments = ["verify", "--man=no", "--recursive-errors=no"];
        let (output, text) = analyze(&arguments, units);
        // Of other units on this machine there may be something to say.
        assert!(
            output.status.success() && !text.contains("tidegate"),
            "{text}"
        );
    }
}

#[test]
fn the_service_may_do_little_beside_its_work() {
    let units = [("tidegate.service", example("tidegate.service"))];
    let arguments = ["security", "--no-pager", "--offline=true", "--threshold=20"];
    let (output, text) = analyze(&arguments, &units);
    assert!(output.status.success(), "{text}");
}

#[test]
fn the_service_is_ready_by_its_command_line_and_reloads_and_stops_as_it_says() {
    let unit = example("tidegate.service");
    assert_eq!(setting(&unit, "Type"), "notify");
    assert_eq!(setting(&unit, "ExecReload"), "/bin/kill -HUP $MAINPID");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let notify = folder.path().join("notify");
    let manager = Manager::at(&notify);
    let mut command = command(&unit, folder.path());
    let mut daemon = Daemon::spawn(
        command.env("NOTIFY_SOCKET", &notify),
        &folder.path().join("log"),
    );
    assert!(manager.told().starts_with("READY=1\n"));
    let address = daemon.listening_address();
    let push = |body: &[u8]| request(address, "POST", "/metrics/job/a", &[], body).status;
    assert_eq!(push(b"a 1\n"), 200);
    assert!(folder.path().join("store/tidegate.redb").exists());
    signal(daemon.pid(), Signal::HUP);
    assert_eq!(push(b"a 2\n"), 200);
    signal(daemon.pid(), Signal::TERM);
    assert!(manager.told().starts_with("STOPPING=1\n"));
    assert_eq!(daemon.wait(LIMIT).code(), Some(0));
}

#[test]
fn the_service_has_time_and_files_for_what_the_gateway_promises() {
    let unit = example("tidegate.service");
    let stop = duration::parse(setting(&unit, "TimeoutStopSec")).expect("a duration");
    assert!(stop > DRAIN_TIME, "{stop:?}");
    let files: usize = setting(&unit, "LimitNOFILE").parse().expect("a number");
    assert!(files > CONNECTIONS + 100, "{files}");
}

#[test]
fn the_socket_has_a_command_line_that_asks_for_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = command(&drop_in(), folder.path());
    command.env_remove("LISTEN_FDS");
    let mut daemon = Daemon::spawn(&mut command, &folder.path().join("log"));
    let status = daemon.wait(LIMIT);
    let log = daemon.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("the service manager gave no socket"), "{log}");
}
