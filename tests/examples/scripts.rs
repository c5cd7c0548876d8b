//! The scripts, run as a user would run them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;

use crate::support::process::Gateway;
use crate::support::{output, python_tool, repository_file};

fn example(name: &str) -> Command {
    Command::new(repository_file("examples").join(name))
}

/// The output of a command that may fail.
fn outcome(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: run ./test.sh"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn host_name() -> String {
    output(&mut Command::new("hostname")).trim().to_owned()
}

/// One value of the group that `cron-push.sh` pushes for `job` on this host.
fn cron_value(gateway: &Gateway, name: &str, job: &str) -> Option<f64> {
    let series = format!(r#"cron_{name}{{instance="{}",job="{job}"}}"#, host_name());
    gateway
        .value(&series)
        .map(|value| value.parse().expect("a number"))
}

#[test]
fn cron_push_reports_duration_exit_code_and_success_of_a_command() {
    let gateway = Gateway::start();
    let mut command = example("cron-push.sh");
    command
        .args(["backup", "echo", "12 files"])
        .env("TIDEGATE_URL", gateway.url());
    assert_eq!(
        output(&mut command),
        "12 files\n",
        "the command's own output, and nothing else"
    );

    let value = |name| cron_value(&gateway, name, "backup");
    let finished = value("finished_timestamp_seconds").expect("a time");
    let push_time = gateway.value(&format!(
        r#"push_time_seconds{{instance="{}",job="backup"}}"#,
        host_name()
    ));
    let push_time: f64 = push_time.expect("a push time").parse().expect("a number");
    assert!(
        (0.0..60.0).contains(&(push_time - finished)),
        "{finished}, pushed at {push_time}"
    );
    assert_eq!(value("exit_code"), Some(0.0));
    assert_eq!(value("last_success_timestamp_seconds"), Some(finished));
    assert!(value("duration_seconds").is_some_and(|seconds| (0.0..60.0).contains(&seconds)));
}

#[test]
fn cron_push_keeps_the_exit_code_and_the_last_success_when_the_command_fails() {
    let gateway = Gateway::start();
    let run = |script: &str| {
        let mut command = example("cron-push.sh");
        command
            .args(["flaky", "sh", "-c", script])
            .env("TIDEGATE_URL", gateway.url());
        outcome(&mut command).status.code()
    };
    let group = format!("/metrics/job/flaky/instance/{}", host_name());
    let earlier = "# TYPE cron_last_success_timestamp_seconds gauge\n\
                   cron_last_success_timestamp_seconds 1e9\n";
    assert_eq!(gateway.send("PUT", &group, &[], earlier).status, 200);

    assert_eq!(run("exit 3"), Some(3));
    assert_eq!(cron_value(&gateway, "exit_code", "flaky"), Some(3.0));
    assert_eq!(
        cron_value(&gateway, "last_success_timestamp_seconds", "flaky"),
        Some(1e9)
    );

    assert_eq!(run("exit 0"), Some(0));
    assert_eq!(cron_value(&gateway, "exit_code", "flaky"), Some(0.0));
    let success = cron_value(&gateway, "last_success_timestamp_seconds", "flaky");
    assert!(success > Some(1e9), "{success:?}");
}

/// Answers 503 and then 200, and hands on each request before it is answered.
fn refuse_once(listener: &TcpListener, requests: &mpsc::Sender<String>) {
    for status in ["503 Service Unavailable", "200 OK"] {
        let (stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(&stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let length = reader.read_line(&mut head).expect("a line of the head");
            assert_ne!(length, 0, "{head}");
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.expect("a length").parse().expect("a number")];
        reader.read_exact(&mut body).expect("the body");
        requests
            .send(head + &text(&body))
            .expect("a test that listens");
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        (&stream)
            .write_all(answer.as_bytes())
            .expect("send the answer");
    }
}

#[test]
fn cron_push_tries_again_while_the_gateway_loads_and_passes_the_ttl_on() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the bound address");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || refuse_once(&listener, &sender));
    let mut command = example("cron-push.sh");
    command.args(["backup", "true"]).env("TIDEGATE_TTL", "2d");
    let outcome = outcome(command.env("TIDEGATE_URL", format!("http://{address}/")));

    let requests: Vec<String> = receiver.try_iter().collect();
    assert_eq!(requests.len(), 2, "{requests:?} {}", text(&outcome.stderr));
    assert_eq!(requests[0], requests[1]);
    let first = format!(
        "POST /metrics/job/backup/instance/{} HTTP/1.1\r\n",
        host_name()
    );
    assert!(requests[0].starts_with(&first), "{}", requests[0]);
    assert!(
        requests[0].contains("\r\nTidegate-TTL: 2d\r\n"),
        "{}",
        requests[0]
    );
    assert!(
        requests[0].contains("\ncron_exit_code 0\n"),
        "{}",
        requests[0]
    );
    assert!(
        !text(&outcome.stderr).contains("nothing was pushed"),
        "{}",
        text(&outcome.stderr)
    );
}

#[test]
fn cron_push_reports_a_refused_push_and_still_exits_as_the_command_did() {
    let gateway = Gateway::start();
    let mut command = example("cron-push.sh");
    command.args(["backup", "sh", "-c", "exit 4"]);
    let outcome = outcome(command.env("TIDEGATE_URL", format!("{}/nowhere", gateway.url())));
    assert_eq!(outcome.status.code(), Some(4));
    assert!(
        text(&outcome.stderr).contains("nothing was pushed"),
        "{}",
        text(&outcome.stderr)
    );
}

#[test]
fn cron_push_refuses_a_job_name_that_would_become_another_path() {
    for arguments in [&["a/b", "true"][..], &["", "true"], &["backup"]] {
        let outcome = outcome(example("cron-push.sh").args(arguments));
        assert_eq!(outcome.status.code(), Some(64), "{arguments:?}");
    }
}

/// Runs `examples/ping-collector` over `hosts` with a `PATH` of its own, or with ours.
fn collect(gateway: &Gateway, hosts: &str, path: Option<&Path>) -> Output {
    let list = gateway.folder().join("hosts");
    std::fs::write(&list, hosts).expect("write the list of hosts");
    let mut command = Command::new(python_tool("python"));
    command.arg(repository_file("examples/ping-collector"));
    command.args([
        "--count",
        "2",
        "--wait",
        "1",
        "--ttl",
        "10m",
        "--gateway",
        &gateway.url(),
    ]);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    outcome(command.arg(list))
}

fn ping_value(gateway: &Gateway, name: &str, host: &str) -> Option<f64> {
    let value = gateway.value(&format!(r#"ping_{name}{{instance="{host}",job="ping"}}"#));
    value.map(|value| value.parse().expect("a number"))
}

#[test]
fn ping_collector_pushes_loss_and_latency_of_each_host_as_its_own_group() {
    let gateway = Gateway::start();
    let hosts = "# this machine, twice\n127.0.0.1\n\n  localhost  # by name\n";
    let outcome = collect(&gateway, hosts, None);
    assert!(outcome.status.success(), "{}", text(&outcome.stderr));

    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(
            ping_value(&gateway, "packets_sent", host),
            Some(2.0),
            "{host}"
        );
        assert_eq!(
            ping_value(&gateway, "packets_received", host),
            Some(2.0),
            "{host}"
        );
        assert_eq!(
            ping_value(&gateway, "loss_ratio", host),
            Some(0.0),
            "{host}"
        );
        let [min, avg, max] = ["rtt_min_seconds", "rtt_avg_seconds", "rtt_max_seconds"]
            .map(|name| ping_value(&gateway, name, host).expect("a round trip"));
        assert!(
            0.0 < min && min <= avg && avg <= max && max < 1.0,
            "{min} {avg} {max}"
        );
    }
    let groups = gateway.metrics().matches("\npush_time_seconds{").count();
    assert_eq!(groups, 2, "one group for each host");
}

/// Makes a folder whose `ping` prints the record of its last argument, and notes what it was asked.
fn recorded_ping(gateway: &Gateway, records: &[(&str, &str)]) -> PathBuf {
    let folder = gateway.folder().join("bin");
    std::fs::create_dir(&folder).expect("a folder");
    for (host, record) in records {
        std::fs::write(folder.join(host), record).expect("write a record");
    }
    let script = r#"#!/bin/sh
for host; do :; done
echo "$host" >>"${0%/*}/asked"
if ! /bin/cat "${0%/*}/$host" 2>/dev/null; then
    echo "ping: $host: Name or service not known" >&2
    exit 2
fi
exit 1
"#;
    let ping = folder.join("ping");
    std::fs::write(&ping, script).expect("write the script");
    std::fs::set_permissions(&ping, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    folder
}

#[test]
fn ping_collector_reads_partial_and_total_loss_of_any_ping() {
    let gateway = Gateway::start();
    let records = [
        (
            "linux",
            "--- linux ping statistics ---\n5 packets transmitted, 4 received, +1 errors, \
             20% packet loss, time 4005ms\nrtt min/avg/max/mdev = 10.5/20.25/30.0/1.5 ms\n",
        ),
        (
            "busybox",
            "--- busybox ping statistics ---\n4 packets transmitted, 2 packets received, \
             50% packet loss\nround-trip min/avg/max = 1.000/2.000/4.000 ms\n",
        ),
        (
            "dead",
            "--- dead ping statistics ---\n5 packets transmitted, 0 received, 100% packet loss\n",
        ),
    ];
    let path = recorded_ping(&gateway, &records);
    let outcome = collect(&gateway, "linux\nbusybox\nlinux\ndead\n", Some(&path));
    assert!(
        outcome.status.success(),
        "loss is a result: {}",
        text(&outcome.stderr)
    );

    let value = |name, host| ping_value(&gateway, name, host);
    let ratio = |host| value("loss_ratio", host).expect("a loss ratio");
    assert!((ratio("linux") - 0.2).abs() < 1e-9);
    assert_eq!(value("rtt_avg_seconds", "linux"), Some(0.02025));
    assert!((ratio("busybox") - 0.5).abs() < 1e-9);
    assert_eq!(value("rtt_max_seconds", "busybox"), Some(0.004));
    assert!((ratio("dead") - 1.0).abs() < 1e-9);
    assert_eq!(value("rtt_avg_seconds", "dead"), None);
    assert_eq!(value("failed", "dead"), Some(0.0));
    let asked = std::fs::read_to_string(path.join("asked")).expect("the hosts asked");
    assert_eq!(
        asked.lines().count(),
        3,
        "a host listed twice is asked once: {asked}"
    );
}

#[test]
fn ping_collector_replaces_old_results_when_ping_itself_fails() {
    let gateway = Gateway::start();
    let path = recorded_ping(&gateway, &[]);
    let old = gateway.send(
        "PUT",
        "/metrics/job/ping/instance/moved",
        &[],
        "ping_loss_ratio 0\n",
    );
    assert_eq!(old.status, 200, "{}", old.text());

    let outcome = collect(&gateway, "moved\n", Some(&path));
    assert_eq!(outcome.status.code(), Some(1));
    let errors = text(&outcome.stderr);
    assert_eq!(
        errors,
        "ping-collector: moved: ping: moved: Name or service not known\n"
    );
    assert_eq!(ping_value(&gateway, "failed", "moved"), Some(1.0));
    assert_eq!(
        ping_value(&gateway, "loss_ratio", "moved"),
        None,
        "nothing was measured"
    );
}

#[test]
fn ping_collector_says_what_is_missing_when_there_is_no_ping() {
    let gateway = Gateway::start();
    let empty = gateway.folder().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let outcome = collect(&gateway, "127.0.0.1\n", Some(&empty));
    assert_eq!(outcome.status.code(), Some(1));
    let errors = text(&outcome.stderr);
    assert_eq!(
        errors,
        "ping-collector: no `ping` on PATH; Debian has it in the package iputils-ping\n"
    );
}

#[test]
fn ping_collector_refuses_a_list_with_an_option_or_a_path_in_it() {
    let gateway = Gateway::start();
    for host in ["-f", "127.0.0.1/x", "two words"] {
        let outcome = collect(&gateway, &format!("127.0.0.1\n{host}\n"), None);
        assert_eq!(outcome.status.code(), Some(1), "{host}");
        let errors = text(&outcome.stderr);
        assert!(
            errors.contains("not the name or address of a host"),
            "{errors}"
        );
    }
    assert!(!gateway.metrics().contains("ping_loss_ratio"));
}

#[test]
fn ping_collector_fails_when_the_gateway_is_away() {
    let mut gateway = Gateway::start();
    gateway.kill_9();
    let outcome = collect(&gateway, "127.0.0.1\n", None);
    assert_eq!(outcome.status.code(), Some(1));
    let errors = text(&outcome.stderr);
    assert!(
        errors.contains("127.0.0.1: not pushed to http://"),
        "{errors}"
    );
}
