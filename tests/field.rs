//! The commands and scripts that people push with, run as they are against a real gateway.
//!
//! The scripts are in `tests/field/`; each is given the gateway's address as its first argument.

mod support;

use std::process::Command;

use rustix::process::Signal;
use support::daemon::{Daemon, signal};
use support::http::request;
use support::process::Gateway;
use support::supervised::Supervised;
use support::{LIMIT, eventually, output, python_tool, repository_file, sample};

/// Runs a script of `tests/field/` with `first` and `more` as arguments and returns its output.
fn run(script: &str, first: &str, more: &[&str]) -> String {
    let path = repository_file("tests/field").join(script);
    let is_python = path.extension().is_some_and(|extension| extension == "py");
    let interpreter = if is_python {
        python_tool("python")
    } else {
        "bash".into()
    };
    output(Command::new(interpreter).arg(path).arg(first).args(more))
}

fn host_name() -> String {
    output(&mut Command::new("hostname")).trim().to_owned()
}

/// The lines of a scrape that belong to families whose names begin with `prefix`.
fn lines_of(gateway: &Gateway, prefix: &str) -> Vec<String> {
    let comments = ["# HELP ", "# TYPE "];
    let named = |line: &str| {
        let comment = comments
            .iter()
            .find_map(|comment| line.strip_prefix(comment));
        comment.unwrap_or(line).starts_with(prefix)
    };
    gateway
        .metrics()
        .lines()
        .filter(|line| named(line))
        .map(str::to_owned)
        .collect()
}

#[test]
fn echo_piped_into_curl_pushes_one_metric_with_labels_from_the_path_and_from_a_variable() {
    let gateway = Gateway::start();
    assert_eq!(run("echo_pipe.sh", &gateway.url(), &[]), "200\n200\n200\n");
    let mut lines = lines_of(&gateway, "each_lab");
    lines.sort();
    let by_variable = format!(
        r#"each_lab{{instance="{}",job="each_job13"}} 444.4"#,
        host_name()
    );
    let mut expected = [
        "# TYPE each_lab untyped",
        r#"each_lab{dc="north",instance="",job="each_job12",rack="r7"} 333.3"#,
        r#"each_lab{instance="",job="each_job11"} 222.2"#,
        &by_variable,
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[test]
fn an_indented_heredoc_is_read_with_type_before_help_and_with_help_before_type() {
    let gateway = Gateway::start();
    assert_eq!(run("heredoc.sh", &gateway.url(), &[]), "200\n200\n");
    assert_eq!(
        lines_of(&gateway, "order_count"),
        [
            "# HELP order_count 每个渠道的订单数量",
            "# TYPE order_count counter",
            r#"order_count{channel="app",city="上海",instance="web01",job="type_first"} 42"#,
            r#"order_count{channel="web",city="上海",instance="web01",job="type_first"} 17"#,
            r#"order_count{channel="web",city="北京",instance="web01",job="type_first"} 8"#,
        ]
    );
    assert_eq!(
        lines_of(&gateway, "refund_count"),
        [
            "# HELP refund_count 退款数量",
            "# TYPE refund_count counter",
            r#"refund_count{channel="app",instance="",job="help_first"} 3"#,
            r#"refund_count{channel="web",instance="",job="help_first"} 5"#,
        ]
    );
    assert_eq!(
        lines_of(&gateway, "disk_used_ratio"),
        [
            "# TYPE disk_used_ratio gauge",
            r#"disk_used_ratio{instance="web01",job="type_first",mount="/"} 0.42"#,
            r#"disk_used_ratio{instance="web01",job="type_first",mount="/var"} 0.9"#,
        ]
    );
}

#[test]
fn a_file_is_pushed_by_data_binary() {
    let gateway = Gateway::start();
    let file = gateway.folder().join("metrics.prom");
    let text = "# TYPE backup_bytes gauge\nbackup_bytes{set=\"full\"} 1024\n\n# done\n";
    std::fs::write(&file, text).expect("write the file");
    let file = file.to_string_lossy();
    assert_eq!(run("data_file.sh", &gateway.url(), &[&file]), "200\n");
    let value = gateway.value(r#"backup_bytes{instance="batch01",job="file",set="full"}"#);
    assert_eq!(value.as_deref(), Some("1024"));
}

#[test]
fn an_empty_shell_variable_is_refused_with_the_number_of_its_line() {
    let gateway = Gateway::start();
    let answer = run("empty_variable.sh", &gateway.url(), &[]);
    let reason = r#"text format parsing error in line 2: expected float as value, got """#;
    assert_eq!(answer, format!("{reason}\n400\n"));
    assert!(
        !gateway.metrics().contains("netstat"),
        "a push that cannot be read leaves no trace"
    );
}

#[test]
fn a_value_that_is_no_number_is_refused_and_leaves_the_group_as_it_was() {
    let gateway = Gateway::start();
    assert_eq!(
        run("push_value.sh", &gateway.url(), &["queue", "7"]),
        "200\n"
    );
    let group = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.contains(r#"job="queue""#))
            .map(str::to_owned)
            .collect()
    };
    let before = group(&gateway.metrics());
    for value in ["N/A", "seven", "1,5", "0x10", "7 items"] {
        let answer = run("push_value.sh", &gateway.url(), &["queue", value]);
        assert!(
            answer.starts_with("text format parsing error in line 1: expected "),
            "{answer}"
        );
        assert!(answer.ends_with("\n400\n"), "{answer}");
    }
    assert_eq!(group(&gateway.metrics()), before);
    assert_eq!(before.len(), 3, "one sample and two push times: {before:?}");
}

#[test]
fn a_value_of_more_than_sixteen_digits_is_scraped_as_the_nearest_double() {
    let gateway = Gateway::start();
    let series = r#"queue_length{instance="",job="digits"}"#;
    for digits in [
        "12345678901234567890",
        "9007199254740993",
        "0.12345678901234567891",
    ] {
        assert_eq!(
            run("push_value.sh", &gateway.url(), &["digits", digits]),
            "200\n"
        );
        let scraped = gateway.value(series).expect("the pushed series");
        let scraped: f64 = scraped.parse().expect("a number");
        let nearest: f64 = digits.parse().expect("a number");
        assert_eq!(
            scraped.to_bits(),
            nearest.to_bits(),
            "{digits} was scraped as {scraped}"
        );
    }
}

#[test]
fn pushing_the_same_job_again_replaces_the_value() {
    let gateway = Gateway::start();
    run("push_value.sh", &gateway.url(), &["again", "1"]);
    run("push_value.sh", &gateway.url(), &["again", "2"]);
    let lines = lines_of(&gateway, "queue_length");
    assert_eq!(lines[1..], [r#"queue_length{instance="",job="again"} 2"#]);
}

#[test]
fn a_delete_of_another_key_changes_nothing_and_says_so() {
    let gateway = Gateway::start();
    let push = gateway.send("PUT", "/metrics/job/exact/instance/a", &[], "kept 1\n");
    assert_eq!(push.status, 200, "{}", push.text());
    let series = r#"kept{instance="a",job="exact"}"#;

    for path in [
        "/metrics/job/exact",
        "/metrics/job/exact/instance/b",
        "/metrics/job/other",
    ] {
        let head = run("delete.sh", &gateway.url(), &[path]).to_lowercase();
        assert!(head.starts_with("http/1.1 202 "), "{path}: {head}");
        assert!(
            head.contains("\r\ntidegate-groups-deleted: 0\r\n"),
            "{path}: {head}"
        );
        assert_eq!(gateway.value(series).as_deref(), Some("1"), "{path}");
    }
    let log = gateway.log();
    assert!(
        log.contains("no group with exactly this key"),
        "the log says nothing:\n{log}"
    );
}

#[test]
fn a_delete_of_the_exact_key_removes_the_group() {
    let gateway = Gateway::start();
    run("push_value.sh", &gateway.url(), &["gone/instance/a", "1"]);
    run("push_value.sh", &gateway.url(), &["gone/instance/b", "2"]);
    let head = run(
        "delete.sh",
        &gateway.url(),
        &["/metrics/job/gone/instance/a"],
    );
    assert!(head.starts_with("HTTP/1.1 202 "), "{head}");
    // The original deletes a moment after its answer, so this waits for it.
    eventually(LIMIT, "one group less", || {
        let lines = lines_of(&gateway, "queue_length");
        let expected = r#"queue_length{instance="b",job="gone"} 2"#;
        (lines[1..] == [expected])
            .then_some(())
            .ok_or_else(|| format!("{lines:?}"))
    });
}

#[test]
fn the_python_client_pushes_adds_and_deletes() {
    let gateway = Gateway::start();
    let labels = r#"instance="db 1",job="python_batch",path="/var/tmp",shard="""#;
    let value = |name: &str, more: &str| gateway.value(&format!("{name}{{{labels}{more}}}"));

    run("python_client.py", &gateway.url(), &["push"]);
    assert_eq!(
        value("batch_rows_total", r#",table="orders""#).as_deref(),
        Some("12")
    );
    assert_eq!(value("batch_step_seconds_count", "").as_deref(), Some("2"));
    assert_eq!(value("batch_step_seconds_sum", "").as_deref(), Some("5.5"));
    assert_eq!(value("batch_size_bytes_sum", "").as_deref(), Some("2048"));
    let bucket = format!(r#"batch_step_seconds_bucket{{{labels},le="1"}}"#);
    assert_eq!(gateway.value(&bucket).as_deref(), Some("1"));

    run("python_client.py", &gateway.url(), &["pushadd"]);
    assert_eq!(value("batch_retries", "").as_deref(), Some("2"), "added");
    assert_eq!(
        value("batch_last_success_unixtime", "").as_deref(),
        Some("1.6e+09"),
        "replaced"
    );
    assert_eq!(
        value("batch_rows_total", r#",table="users""#).as_deref(),
        Some("3"),
        "kept"
    );

    run("python_client.py", &gateway.url(), &["push"]);
    assert_eq!(
        value("batch_retries", ""),
        None,
        "push replaces the whole group"
    );

    run("python_client.py", &gateway.url(), &["delete"]);
    eventually(LIMIT, "no group of the deleted key", || {
        let text = gateway.metrics();
        (!text.contains("python_batch")).then_some(()).ok_or(text)
    });
}

#[test]
fn a_post_to_an_address_with_a_trailing_slash_keeps_the_instances_of_the_body() {
    let gateway = Gateway::start();
    assert_eq!(run("requests_post.py", &gateway.url(), &[]), "200\n");
    assert_eq!(
        lines_of(&gateway, "room_temperature_celsius"),
        [
            "# HELP room_temperature_celsius Temperature",
            "# TYPE room_temperature_celsius gauge",
            r#"room_temperature_celsius{instance="10.0.0.1",job="test8"} 21.5"#,
            r#"room_temperature_celsius{instance="10.0.0.2",job="test8"} 19.25"#,
        ]
    );
}

#[test]
fn a_shell_loop_pushes_one_metric_per_call_labelled_with_the_host_name() {
    let gateway = Gateway::start();
    let statuses = run("cron_loop.sh", &gateway.url(), &["0", "3"]);
    assert_eq!(statuses, "200\n".repeat(9));
    let host = host_name();
    let series = |name: &str| format!(r#"{name}{{hostname="{host}",instance="",job="{name}"}}"#);
    assert_eq!(gateway.value(&series("loop_rounds")).as_deref(), Some("3"));
    for name in ["memory_free_kilobytes", "load_one_minute"] {
        let value = gateway.value(&series(name)).expect("a pushed series");
        assert!(
            value.parse::<f64>().is_ok_and(|value| value >= 0.0),
            "{name} {value}"
        );
    }
}

#[test]
fn a_python_script_pushes_a_redis_key_count_by_heredoc() {
    let gateway = Gateway::start();
    let socket = gateway.folder().join("redis.sock");
    let mut server = Command::new("redis-server");
    server
        .current_dir(gateway.folder())
        .args(["--port", "0", "--save", "", "--unixsocket"]);
    let _redis = Daemon::spawn(server.arg(&socket), &gateway.folder().join("redis.log"));
    let cli = |arguments: &[&str]| {
        let mut command = Command::new("redis-cli");
        let output = command.arg("-s").arg(&socket).args(arguments).output();
        String::from_utf8_lossy(&output.expect("redis-cli: run ./test.sh").stdout).into_owned()
    };
    eventually(LIMIT, "a Redis server that answers", || {
        let answer = cli(&["PING"]);
        (answer == "PONG\n").then_some(()).ok_or(answer)
    });
    cli(&["MSET", "a", "1", "b", "2", "c", "3"]);

    let socket = socket.to_string_lossy();
    assert_eq!(run("redis_count.py", &gateway.url(), &[&socket]), "200\n");
    assert_eq!(
        lines_of(&gateway, "redis_keys"),
        [
            "# HELP redis_keys Redis 键的数量",
            "# TYPE redis_keys gauge",
            r#"redis_keys{db="0",instance="cache01",job="redis"} 3"#,
        ]
    );
}

#[test]
fn what_was_pushed_is_there_after_kill_9_and_after_sigterm() {
    let mut gateway = Gateway::start();
    let series = r#"queue_length{instance="",job="durable"}"#;

    run("push_value.sh", &gateway.url(), &["durable", "1"]);
    gateway.kill_9();
    gateway.restart();
    assert_eq!(gateway.value(series).as_deref(), Some("1"), "after SIGKILL");

    run("push_value.sh", &gateway.url(), &["durable", "2"]);
    let status = gateway.terminate();
    assert!(status.success(), "{status}");
    gateway.restart();
    assert_eq!(gateway.value(series).as_deref(), Some("2"), "after SIGTERM");
}

#[test]
fn supervisord_starts_the_gateway_again_after_a_kill_and_no_push_is_lost() {
    let supervised = Supervised::start(|section| section);
    let url = format!("http://{}", supervised.ready_address(1));
    assert_eq!(run("push_value.sh", &url, &["supervised", "5"]), "200\n");

    let pid = supervised.control(&["pid", "tidegate"]);
    signal(pid.trim().parse().expect("a process id"), Signal::KILL);

    let again = supervised.ready_address(2);
    let text = request(again, "GET", "/metrics", &[], b"").text();
    let value = sample(&text, r#"queue_length{instance="",job="supervised"}"#);
    assert_eq!(value, Some("5"), "{text}");
    let store = supervised.folder().join("pushgateway.db.tidegate");
    assert!(store.exists(), "the store is beside the old file");
}

#[test]
fn supervisord_starts_the_gateway_with_the_single_dash_flags_of_old_scripts() {
    let supervised = Supervised::start(|section| {
        let old = section
            .replace(" --web.", " -web.")
            .replace(" --persistence.", " -persistence.");
        assert_ne!(old, section, "the example has no flags");
        old
    });
    let url = format!("http://{}", supervised.ready_address(1));
    assert_eq!(run("push_value.sh", &url, &["old_script", "5"]), "200\n");
}
