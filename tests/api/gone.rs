//! What operators do is done and logged although their client has gone away.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tidegate::config::{PolicySource, TtlFlags};
use tidegate::http::Doors;

use crate::client::{ok, with_admin};
use crate::disk::{Disk, Held};
use crate::harness::{Gateway, Options, SECOND};
use crate::support::{LIMIT, eventually};

/// What all gateways of this process have logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    })
}

/// Sends a request, and goes away when the gateway is about to put on disk what it asks for. Returns
/// when its handler is gone too.
fn ask_and_go(gateway: &Gateway, disk: &Disk, (method, path, body): (&str, &str, &str)) {
    let hold = disk.hold(Held::Syncs);
    let mut client = TcpStream::connect(gateway.address()).expect("a connection");
    client
        .set_read_timeout(Some(LIMIT))
        .expect("a timeout above zero");
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
    client.write_all(request.as_bytes()).expect("a request");
    disk.await_waiting();
    client.shutdown(Shutdown::Write).expect("an end");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("an end");
    assert_eq!(answer, b"", "{method} {path}");
    drop(hold);
}

/// Waits for a line of the log with this.
fn logged(line: &[&str]) {
    eventually(LIMIT, "a line of the log", || {
        let log = log().text();
        let mut lines = log.lines();
        let found = lines.any(|found| line.iter().all(|part| found.contains(part)));
        found
            .then_some(())
            .ok_or_else(|| format!("{line:?} is not in {log}"))
    });
}

fn on(disk: &Disk, options: Options) -> Gateway {
    Gateway::with(Options {
        place: Some(disk.place()),
        ..with_admin(options)
    })
}

#[test]
fn each_act_of_the_admin_api_is_logged() {
    log();
    let disk = Disk::default();
    let gateway = on(&disk, Options::default());
    gateway.put("job/gone", "m 1\n");
    let pin = r#"{"ttl":"6h","reason":"gone-pin"}"#;
    let pause = r#"{"reason":"gone-pause"}"#;
    let group = r#"group={job="gone"}"#;
    for (method, path, body, line) in [
        ("PUT", "ttl/job/gone", pin, ["TTL override set", "gone-pin"]),
        (
            "DELETE",
            "ttl/job/gone",
            "",
            ["TTL override removed", group],
        ),
        (
            "POST",
            "touch/job/gone",
            "",
            ["TTL clock started anew", group],
        ),
        ("POST", "ttl/pause", pause, ["expiry paused", "gone-pause"]),
        (
            "POST",
            "ttl/resume",
            "",
            ["expiry resumed", "by=\"127.0.0.1\""],
        ),
    ] {
        let path = format!("/api/v1/admin/{path}");
        ask_and_go(&gateway, &disk, (method, &path, body));
        logged(&line);
    }
}

#[test]
fn a_reap_on_request_is_logged() {
    log();
    let disk = Disk::default();
    let gateway = on(&disk, Options::default());
    for n in 0..7 {
        gateway.put_for("10s", &format!("job/reaped/n/{n}"), "m 1\n");
    }
    gateway.advance(10 * SECOND);
    ask_and_go(&gateway, &disk, ("POST", "/api/v1/admin/ttl/reap", ""));
    logged(&["expired groups removed on request", "groups=7"]);
}

#[test]
fn a_deletion_on_the_web_page_is_logged() {
    log();
    let disk = Disk::default();
    let gateway = on(&disk, Options::default());
    gateway.put("job/left", "m 1\n");
    let between = |text: &str, before: &str| {
        let found = text.split_once(before).expect("a form").1;
        found.split_once('"').expect("a value").0.to_owned()
    };
    let list = gateway.get("/", &[]).text();
    let key = between(&list, "-/delete?key=");
    let page = gateway.get(&format!("/-/delete?key={key}"), &[]).text();
    let token = between(&page, "name=\"token\" value=\"");
    let form = format!("key={key}&token={token}");
    ask_and_go(&gateway, &disk, ("POST", "/-/delete", &form));
    logged(&["group deleted on the web page", r#"group={job="left"}"#]);
}

#[test]
fn a_reload_is_logged_and_counted() {
    log();
    let disk = Disk::default();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tidegate.yml");
    let write = |rules: &str| std::fs::write(&path, rules).expect("write the rules");
    write("ttl: {default: 10s}");
    let source = PolicySource {
        file: Some(path.clone()),
        flags: TtlFlags::default(),
    };
    let gateway = on(
        &disk,
        Options {
            policy: source.load().expect("rules without a fault"),
            doors: Doors {
                reload: Some(source),
                ..Doors::default()
            },
            ..Options::default()
        },
    );
    write("ttl: {default: soon}");
    assert_eq!(gateway.send("POST", "/-/reload", &[], "").status, 400);
    gateway.put("job/expired", "m 1\n");
    gateway.advance(10 * SECOND);
    let rule = |n: usize| format!("{{name: r{n}, match: {{job: r{n}}}, ttl: 1h}},");
    let rules: String = (0..23).map(rule).collect();
    write(&format!("ttl: {{default: 2h, rules: [{rules}]}}"));
    // What has expired is removed first.
    ask_and_go(&gateway, &disk, ("POST", "/-/reload", ""));
    logged(&["TTL rules reloaded", "rules=23"]);
    assert_eq!(ok(&gateway, "GET", "ttl", "")["default"], "2h");
    let taken = gateway.value("tidegate_config_last_reload_successful");
    assert_eq!(taken.as_deref(), Some("1"));
}
