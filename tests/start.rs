//! Starts that are refused, and stops: what an operator and a supervisor see of the program.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use redb::{Database, TableDefinition};
use rustix::process::Signal;
use tempfile::TempDir;

use support::client::Client;
use support::daemon::{Daemon, signal};
use support::process::{Gateway, server_binary};
use support::random::Seeded;
use support::{LIMIT, eventually, output};

/// What stands in a row of every store here, to be found in its file.
const MARK: &str = "easily-found-in-a-row";

/// Name of the database in a store's folder.
const FILE: &str = "tidegate.redb";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Starts the program, which has to end by itself with exit code 1 and one line on standard
/// error beside its log. Returns that line without its beginning.
fn refusal(arguments: &[&str]) -> String {
    let folder = folder();
    let mut command = Command::new(server_binary());
    command.current_dir(&folder);
    if !arguments.iter().any(|argument| argument.contains("listen")) {
        command.arg("--web.listen-address=127.0.0.1:0");
    }
    let mut program = Daemon::spawn(command.args(arguments), &folder.path().join("log"));
    let status = program.wait(LIMIT);
    let log = program.log();
    assert_eq!(status.code(), Some(1), "{log}");
    let errors: Vec<&str> = log
        .lines()
        .filter(|line| !line.starts_with("time="))
        .collect();
    let [error] = errors[..] else {
        panic!("expected one line beside the log:\n{log}");
    };
    assert!(
        error.matches("os error").count() <= 1,
        "told twice: {error}"
    );
    let error = error.strip_prefix("tidegate: error: ");
    error.unwrap_or_else(|| panic!("{log}")).to_owned()
}

/// Every file in a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
            files.insert(path, Vec::new());
        } else {
            let bytes = fs::read(&path).expect("a file");
            files.insert(path, bytes);
        }
    }
    files
}

/// The program refuses this store, says `reason`, names the file, and changes nothing.
fn assert_refused(store: &Path, reason: &str) {
    let before = files(store);
    let error = refusal(&[&format!("--storage.path={}", store.display())]);
    assert!(error.contains(reason), "expected {reason:?}: {error}");
    let named = store.join(FILE).display().to_string();
    assert!(error.contains(&named), "expected {named:?}: {error}");
    assert!(files(store) == before, "something changed: {error}");
}

/// A folder with one file in it.
fn store_of(bytes: &[u8]) -> TempDir {
    let folder = folder();
    fs::write(folder.path().join(FILE), bytes).expect("write the file");
    folder
}

/// A folder with a database that `fill` has filled.
fn store_by_redb(fill: impl FnOnce(&Database)) -> TempDir {
    let folder = folder();
    fill(&Database::create(folder.path().join(FILE)).expect("a database"));
    folder
}

/// A gateway with some pushes in its store, in its last one and those before.
fn filled() -> Gateway {
    let gateway = Gateway::start();
    for number in 0..50 {
        let body = format!("# HELP a {MARK}\na {number}\n");
        let path = format!("/metrics/job/start/number/{number}");
        let answer = gateway.send("PUT", &path, &[], &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    gateway
}

fn store(gateway: &Gateway) -> PathBuf {
    gateway.folder().join("store")
}

/// The bytes of a stopped gateway's database.
fn database(gateway: &Gateway) -> Vec<u8> {
    fs::read(store(gateway).join(FILE)).expect("a database")
}

/// Whether a database has to be repaired when it is opened: the second bit of the byte behind
/// its magic number (redb's docs/design.md).
fn needs_repair(database: &[u8]) -> bool {
    database[9] & 2 != 0
}

#[test]
fn a_port_in_use_is_named_and_no_store_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address");
    let folder = folder();
    let store = folder.path().join("store");
    let error = refusal(&[
        &format!("--web.listen-address={address}"),
        &format!("--storage.path={}", store.display()),
    ]);
    assert!(error.contains(&address.to_string()), "{error}");
    assert!(error.contains("in use"), "{error}");
    assert!(!store.exists());
}

#[test]
fn a_path_that_cannot_be_a_folder_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").expect("write a file");
    for path in [
        file.clone(),
        file.join("store"),
        PathBuf::from("/proc/tidegate"),
        PathBuf::from("/dev/null/tidegate"),
        PathBuf::from("/dev/null"),
    ] {
        let before = files(folder.path());
        let error = refusal(&[&format!("--storage.path={}", path.display())]);
        let no_folder = [&file, Path::new("/dev/null")]
            .into_iter()
            .find(|no_folder| path.starts_with(no_folder));
        if let Some(no_folder) = no_folder {
            let says = format!("{} is not a folder", no_folder.display());
            assert!(error.contains(&says), "{error}");
        }
        assert!(error.contains("cannot use the store"), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(files(folder.path()) == before, "something changed: {error}");
    }
}

#[test]
fn a_file_that_is_no_store_of_ours_is_left_as_it_is() {
    let mut random = Seeded::new(1);
    let noise: Vec<u8> = (0..100_000)
        .flat_map(|_| random.next().to_le_bytes())
        .collect();
    for length in [1, 8, 9, 320, 4096, noise.len()] {
        assert_refused(store_of(&noise[..length]).path(), "is not a tidegate store");
    }
    let others = store_by_redb(|database| {
        let txn = database.begin_write().expect("a transaction");
        let table = TableDefinition::<&str, u64>::new("somebody's");
        let mut opened = txn.open_table(table).expect("a table");
        opened.insert("answer", 42).expect("a row");
        drop(opened);
        txn.commit().expect("a commit");
    });
    assert_refused(others.path(), "is not a tidegate store");
    let newer = store_by_redb(|database| {
        let txn = database.begin_write().expect("a transaction");
        let meta = TableDefinition::<&str, u64>::new("meta");
        let mut opened = txn.open_table(meta).expect("a table");
        opened.insert("schema_version", 1_000_000).expect("a row");
        drop(opened);
        txn.commit().expect("a commit");
    });
    assert_refused(newer.path(), "schema version 1000000");
}

/// A first start that was cut short leaves such files; a store is made of them.
#[test]
fn a_file_with_nothing_in_it_becomes_a_store() {
    let without_tables = store_by_redb(|_| {});
    let without_tables = fs::read(without_tables.path().join(FILE)).expect("a database");
    for bytes in [vec![], vec![0; 1 << 20], without_tables] {
        let folder = folder();
        let store = folder.path().join("old.tidegate");
        fs::create_dir(&store).expect("make the store's folder");
        fs::write(store.join(FILE), bytes).expect("write the file");
        let flag = format!("--persistence.file={}/old", folder.path().display());
        let gateway = Gateway::start_with(&[&flag]);
        let answer = gateway.send("PUT", "/metrics/job/a", &[], "a 1\n");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[test]
fn a_damaged_store_is_refused_whether_it_was_closed_or_killed() {
    for killed in [false, true] {
        let mut gateway = filled();
        if killed {
            gateway.kill_9();
        } else {
            gateway.terminate();
        }
        let whole = database(&gateway);
        assert_eq!(needs_repair(&whole), killed);
        let rows: Vec<usize> = whole
            .windows(MARK.len())
            .enumerate()
            .filter(|(_, window)| *window == MARK.as_bytes())
            .map(|(at, _)| at)
            .collect();
        assert!(!rows.is_empty(), "no row in the file");
        let mut in_rows = whole.clone();
        let mut in_pages = whole.clone();
        for at in rows {
            in_rows[at] = b'x';
            in_pages[at - at % 4096 + 2] = 0xff;
        }
        for damaged in [in_rows, in_pages, whole[..whole.len() / 2].to_vec()] {
            assert_refused(store_of(&damaged).path(), "is damaged");
        }
    }
}

#[test]
fn a_second_gateway_on_the_same_store_is_refused_and_the_first_goes_on() {
    let gateway = filled();
    let store = format!("--storage.path={}", store(&gateway).display());
    let error = refusal(&[&store]);
    assert!(error.contains("is in use by another process"), "{error}");
    let answer = gateway.send("PUT", "/metrics/job/after", &[], "after 1\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(gateway.metrics().matches("job=\"start\"").count(), 50 * 3);
}

#[test]
fn help_and_version_end_well_and_unknown_flags_do_not() {
    let run = |argument: &str| -> Output {
        let mut command = Command::new(server_binary());
        command.arg(argument).output().expect("the program")
    };
    let version = run("--version");
    assert_eq!((version.status.code(), version.stderr.len()), (Some(0), 0));
    assert!(version.stdout.starts_with(b"tidegate, version "));
    let help = run("--help");
    assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("--storage.path"));
    for mistake in ["--no.such.flag", "--ttl.default=soon", "stray"] {
        let output = run(mistake);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        assert!(error.starts_with("tidegate: error: "), "{error}");
    }
}

#[test]
fn a_stop_lets_a_push_under_way_finish_and_needs_no_repair() {
    for stop in [Signal::TERM, Signal::INT] {
        let mut gateway = filled();
        let address = gateway.address();
        let mut idle = Client::connect(address).expect("a connection");
        idle.send("GET", "/-/ready", "").expect("an answer");
        let mut pushing = Client::connect(address).expect("a connection");
        // The answer to this expectation says that the body is waited for.
        let head = "PUT /metrics/job/slow HTTP/1.1\r\nHost: tidegate\r\n\
                    Expect: 100-continue\r\nContent-Length: 7\r\n\r\n";
        pushing.write(head).expect("send the head");
        assert_eq!(pushing.answer().expect("an answer").status, 100);
        pushing.write("slow").expect("send half the body");
        signal(gateway.pid(), stop);
        eventually(
            LIMIT,
            "a port that is closed",
            || match TcpStream::connect(address) {
                Ok(_) => Err(gateway.log()),
                Err(_) => Ok(()),
            },
        );
        pushing.write(" 1\n").expect("send the other half");
        assert_eq!(pushing.answer().expect("an answer").status, 200);
        assert_eq!(gateway.wait().code(), Some(0), "{}", gateway.log());
        let log = gateway.log();
        assert!(log.contains("stopped") && !log.contains("cut off"), "{log}");
        assert!(!needs_repair(&database(&gateway)), "not closed cleanly");
        gateway.restart();
        let pushed = gateway.value("slow{instance=\"\",job=\"slow\"}");
        assert_eq!(pushed.as_deref(), Some("1"));
    }
}

#[test]
fn a_config_file_that_cannot_be_read_to_its_end_keeps_nobody_from_stopping() {
    let folder = folder();
    let config = folder.path().join("tidegate.yml");
    fs::write(&config, "ttl: {default: 1h}").expect("write the rules");
    let flag = format!("--config.file={}", config.display());
    let mut gateway = Gateway::start_with(&[&flag]);
    fs::remove_file(&config).expect("remove the file");
    output(Command::new("mkfifo").arg(&config));
    signal(gateway.pid(), Signal::HUP);
    // Opened when the gateway has opened it too, which now waits for what is never written.
    let pipe = fs::File::options().write(true).open(&config);
    let pipe = pipe.expect("the end of a pipe");
    assert!(gateway.terminate().success(), "{}", gateway.log());
    drop(pipe);
}
