//! The query API, the routes and the own metrics beside those of Debian's Pushgateway (1.5.1): the
//! same requests to both, the same answers but for what is listed here.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use support::http::{Response, request};
use support::process::Gateway;
use support::pushgateway::Pushgateway;

/// Requests that leave groups, failures and gaps behind: method, group, body.
const PUSHES: [(&str, &str, &str); 14] = [
    ("PUT", "job/a", "m 1\nn{x=\"1\"} -0\n"),
    (
        "PUT",
        "job/a/instance/i",
        "# HELP g some <help> & \"more\"\n# TYPE g gauge\ng 1e6\n",
    ),
    (
        "PUT",
        "job/b/zone/w",
        "# TYPE dur summary\ndur{quantile=\"0.5\"} 1\ndur{quantile=\"0.99\"} NaN\ndur_sum 3e10\n\
         dur_count 4\ndur{quantile=\"0.5\",k=\"v\"} 7\n",
    ),
    (
        "PUT",
        "job/c",
        "# TYPE lat histogram\nlat_bucket{le=\"0.5\"} 1\nlat_bucket{le=\"1e6\"} 2000000\n\
         lat_bucket{le=\"0.5\"} 3\nlat_sum 1.5\nlat_count 123456789\n",
    ),
    (
        "PUT",
        "job/d",
        "# TYPE c counter\nc{b=\"2\"} 1\nc{b=\"1\",a=\"\"} +Inf\nc -Inf\n",
    ),
    ("POST", "job/d", "extra 0.1\n"),
    ("POST", "job/d", "c 1 1\n"),
    ("PUT", "job/e", ""),
    ("PUT", "job/f", "only{failed=\"1\"} 1 1\n"),
    (
        "PUT",
        "job/g/x/\u{e9}%20%22%5C",
        "text{v=\"<&>\\n\\\\ü\u{2028}\"} 12345.678\n",
    ),
    ("PUT", "job@base64/YS9i/y@base64/=", "m2 999999\n"),
    ("PUT", "job/h", "gone 1\n"),
    ("DELETE", "job/h", ""),
    (
        "PUT",
        "job/i",
        "push_time_seconds 5\npush_failure_time_seconds 6\nj 1\n",
    ),
];

fn push(addr: SocketAddr, method: &str, group: &str, body: &str) -> u16 {
    request(
        addr,
        method,
        &format!("/metrics/{group}"),
        &[],
        body.as_bytes(),
    )
    .status
}

fn data(answer: &Response) -> Value {
    let mut envelope: Value = serde_json::from_slice(&answer.body).expect("JSON");
    envelope["data"].take()
}

/// Replaces times by whether there was one, and brings groups into one order.
fn masked(mut groups: Value) -> Vec<Value> {
    let groups = groups.as_array_mut().expect("a list of groups");
    for group in groups.iter_mut() {
        for (name, family) in group.as_object_mut().expect("an object") {
            let Some(family) = family
                .as_object_mut()
                .filter(|family| family.contains_key("type"))
            else {
                continue;
            };
            let stamp = family["time_stamp"].as_str().unwrap_or_default();
            let stamp = humantime_like(stamp);
            family["time_stamp"] = stamp.into();
            if name.starts_with("push_") {
                let value = &mut family["metrics"][0]["value"];
                *value = (value != "0").into();
            }
        }
    }
    groups.sort_by_key(|group| group["labels"].to_string());
    std::mem::take(groups)
}

/// Whether a time is RFC 3339 with up to nine digits of a fraction, none of them a zero at the end.
fn humantime_like(text: &str) -> bool {
    let digits = text.strip_suffix('Z').unwrap_or_default();
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, "5"));
    let sound = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    seconds.len() == 19
        && sound(&seconds.replace(['-', ':', 'T'], ""))
        && (1..=9).contains(&fraction.len())
        && sound(fraction)
        && !fraction.ends_with('0')
}

/// Both gateways, after the same pushes.
fn both() -> (Pushgateway, Gateway) {
    let (theirs, ours) = (Pushgateway::start(), Gateway::start());
    for (method, group, body) in PUSHES {
        let status = push(theirs.addr, method, group, body);
        assert_eq!(
            push(ours.address(), method, group, body),
            status,
            "{method} {group}"
        );
    }
    (theirs, ours)
}

#[test]
fn everything_stored_is_shown_as_the_pushgateway_shows_it() {
    let (theirs, ours) = both();
    let get = |addr| request(addr, "GET", "/api/v1/metrics", &[], b"");
    let (their, our) = (get(theirs.addr), get(ours.address()));
    for name in [
        "Content-Type",
        "Access-Control-Allow-Headers",
        "Access-Control-Allow-Methods",
        "Access-Control-Allow-Origin",
        "Access-Control-Expose-Headers",
        "Cache-Control",
    ] {
        assert_eq!(our.header(name), their.header(name), "{name}");
    }
    let expected = masked(data(&their));
    assert_eq!(expected.len(), 10, "{expected:#?}");
    let found = masked(data(&our));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    // The bytes too: order of keys, escapes, no blanks.
    assert_eq!(pieces(&our), pieces(&their));
}

/// The text of an answer group by group, sorted, without times.
fn pieces(answer: &Response) -> Vec<String> {
    let text = answer.text();
    let start = "{\"status\":\"success\",\"data\":[";
    let text = text.strip_prefix(start).expect("the envelope");
    let text = text
        .strip_suffix("]}")
        .expect("the envelope, without a line feed");
    // No family but the last of a group ends so.
    let groups = text.split("]}},");
    let mut groups: Vec<String> = groups
        .map(|group| without(&without(group, "\"time_stamp\":\""), "\"value\":\"1.79"))
        .map(|group| group.trim_end_matches("]}}").to_owned())
        .collect();
    groups.sort();
    groups
}

/// The text without what stands behind each `start` up to the next quotation mark.
fn without(text: &str, start: &str) -> String {
    let mut parts = text.split(start);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(start);
        kept.push_str(part.split_once('"').map_or(part, |(_, rest)| rest));
    }
    kept
}

/// Each group is an object of its own, so that clashes do not matter here.
#[test]
fn what_cannot_be_scraped_is_shown_as_the_pushgateway_shows_it() {
    let flag = ["--push.disable-consistency-check"];
    let (theirs, ours) = (Pushgateway::start_with(&flag), Gateway::start_with(&flag));
    for addr in [theirs.addr, ours.address()] {
        for (group, body) in [
            ("job/a", "# TYPE m gauge\nm 1\n"),
            ("job/b", "# TYPE m counter\nm 2\nn 2\n"),
            ("job/a/instance@base64/=", "m 3\no 3\n"),
            ("job/c", "dup 1\ndup 2\n"),
        ] {
            assert_eq!(push(addr, "PUT", group, body), 202, "{group}");
        }
    }
    let get = |addr| request(addr, "GET", "/api/v1/metrics", &[], b"");
    let expected = masked(data(&get(theirs.addr)));
    assert_eq!(expected.len(), 4, "{expected:#?}");
    assert_eq!(masked(data(&get(ours.address()))), expected);
    let scrape = |addr| request(addr, "GET", "/metrics", &[], b"").status;
    assert_eq!((scrape(theirs.addr), scrape(ours.address())), (500, 200));
}

#[test]
fn the_status_has_the_same_keys_and_at_least_the_same_flags() {
    let (theirs, ours) = (Pushgateway::start(), Gateway::start());
    let get = |addr| data(&request(addr, "GET", "/api/v1/status", &[], b""));
    let (their, our) = (get(theirs.addr), get(ours.address()));
    let keys = |value: &Value| {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect::<Vec<String>>()
    };
    assert_eq!(keys(&our), keys(&their));
    let build = "build_information";
    assert_eq!(keys(&our[build]), keys(&their[build]));
    assert!(humantime_like(our["start_time"].as_str().expect("a time")));
    // Debian's own.
    let absent = ["web.local-assets"];
    for (name, value) in their["flags"].as_object().expect("flags") {
        let found = &our["flags"][name];
        let differs = ["web.listen-address", "persistence.file"].contains(&name.as_str());
        if !absent.contains(&name.as_str()) && !differs {
            assert_eq!(found, value, "{name}");
        }
    }
    assert_eq!(our["flags"]["web.listen-address"], "127.0.0.1:0");
}

/// Method and path; answered alike but for HEAD in `Allow`.
const ALIKE: [(&str, &str); 43] = [
    ("GET", "/nothing"),
    ("PUT", "/nothing"),
    ("OPTIONS", "/nothing"),
    ("BREW", "/nothing"),
    ("POST", "/metrics"),
    ("BREW", "/metrics"),
    ("OPTIONS", "/metrics"),
    ("PUT", "/metrics/"),
    ("GET", "/metrics/"),
    ("GET", "/Metrics/?x=1"),
    ("OPTIONS", "/metrics/"),
    ("GET", "/metrics/job/a"),
    ("BREW", "/metrics/job/a"),
    ("OPTIONS", "/metrics/job/a/x/1"),
    ("PUT", "/metrics/job"),
    ("PUT", "/metrics/job/"),
    ("DELETE", "/metrics/job/"),
    ("PUT", "/metrics/job@base64/"),
    ("PUT", "/METRICS/job/A%20b"),
    ("PUT", "/METRICS/"),
    ("GET", "/-/healthy"),
    ("GET", "/-/ready"),
    ("GET", "/-/Healthy/"),
    ("DELETE", "/-/healthy"),
    ("DELETE", "/-/healthy/"),
    ("OPTIONS", "/-/ready"),
    ("GET", "/-/quit"),
    ("GET", "/-/quit/"),
    ("PUT", "/-/quit"),
    ("POST", "/-/quit/"),
    ("DELETE", "/-/quit"),
    ("GET", "/api"),
    ("GET", "/api/"),
    ("GET", "/api/v1"),
    ("GET", "/api/v1/"),
    ("GET", "/api/v1/nothing"),
    ("PUT", "/api/v1/status"),
    ("BREW", "/api/v1/metrics"),
    ("OPTIONS", "/api/v1/status"),
    ("OPTIONS", "/api/v1/no/such/path"),
    ("PUT", "/api/v1/admin/wipe"),
    ("GET", "/api/v1/admin/wipe"),
    ("OPTIONS", "*"),
];

#[test]
fn paths_and_methods_are_answered_alike() {
    let (theirs, ours) = (Pushgateway::start(), Gateway::start());
    for (method, path) in ALIKE {
        let (their, our) = (
            request(theirs.addr, method, path, &[], b""),
            request(ours.address(), method, path, &[], b""),
        );
        let what = format!("{method} {path}");
        assert_eq!(our.status, their.status, "{what}");
        assert_eq!(our.text(), their.text(), "{what}");
        for name in [
            "Content-Type",
            "Location",
            "X-Content-Type-Options",
            "Access-Control-Allow-Origin",
            "Cache-Control",
        ] {
            assert_eq!(our.header(name), their.header(name), "{what}: {name}");
        }
        let allow = our
            .header("Allow")
            .map(|allow| allow.replace("GET, HEAD", "GET"));
        assert_eq!(allow.as_deref(), their.header("Allow"), "{what}");
    }
}

/// Differences that are meant: method and path, their answer and ours.
#[test]
fn redirects_of_the_api_keep_its_prefix_and_unclean_paths_their_method() {
    let (theirs, ours) = (Pushgateway::start(), Gateway::start());
    for (method, path, their, our) in [
        (
            "GET",
            "/api/v1/status/",
            (301, "/status"),
            (301, "/api/v1/status"),
        ),
        (
            "GET",
            "/api/v1/METRICS",
            (301, "/metrics"),
            (301, "/api/v1/metrics"),
        ),
        ("GET", "//metrics", (301, "/metrics"), (307, "/metrics")),
        (
            "POST",
            "/metrics//job/a",
            (301, "/metrics/job/a"),
            (307, "/metrics/job/a"),
        ),
        (
            "PUT",
            "/metrics/job/a/x/%2Fvar%2Ftmp",
            (301, "/metrics/job/a/x/var/tmp"),
            (200, ""),
        ),
        (
            "POST",
            "/metrics/JOB@base64/QQ/x/1?y",
            (404, ""),
            (307, "/metrics/job@base64/QQ/x/1?y"),
        ),
        (
            "PUT",
            "/metrics/JOB/%41",
            (307, "/metrics/job/A"),
            (307, "/metrics/job/%41"),
        ),
        ("PUT", "/api/v1", (301, "/api/v1/"), (307, "/api/v1/")),
    ] {
        for (addr, expected) in [(theirs.addr, their), (ours.address(), our)] {
            let answer = request(addr, method, path, &[], b"");
            let location = answer.header("Location").unwrap_or_default();
            assert_eq!((answer.status, location), expected, "{method} {path}");
        }
    }
}

/// `# HELP`, `# TYPE` and series of own metrics, of series the name and labels.
fn own(exposition: &str) -> Vec<String> {
    let mut own: Vec<String> = exposition
        .lines()
        .filter(|line| line.contains("pushgateway_http") || line.contains("process_"))
        .map(|line| match line.strip_prefix('#') {
            Some(_) => line.to_owned(),
            None => line
                .rsplit_once(' ')
                .map_or(line, |(series, _)| series)
                .to_owned(),
        })
        .collect();
    own.sort();
    own
}

#[test]
fn own_metrics_have_the_same_names_help_types_and_labels() {
    let (theirs, ours) = (Pushgateway::start(), Gateway::start());
    let metrics = |addr| request(addr, "GET", "/metrics", &[], b"").text();
    for addr in [theirs.addr, ours.address()] {
        push(addr, "PUT", "job/a", "m 1\n");
        push(addr, "POST", "job/a", "m 1 1\n");
        push(addr, "DELETE", "job/a", "");
        for path in [
            "/-/healthy",
            "/-/ready",
            "/api/v1/status",
            "/api/v1/metrics",
            "/nothing",
        ] {
            request(addr, "GET", path, &[], b"");
        }
        request(addr, "OPTIONS", "/api/v1/x", &[], b"");
    }
    // The network is counted since 1.9.
    let expected = own(&metrics(theirs.addr));
    let mut found = own(&metrics(ours.address()));
    // The test has waited for the gateway to be ready.
    let waited = |line: &str| line.contains("code=\"503\"");
    found.retain(|line| !line.contains("process_network_") && !waited(line));
    assert_eq!(found, expected);
}

#[test]
fn the_size_of_a_push_is_estimated_alike() {
    let (theirs, ours) = (Pushgateway::start(), Gateway::start());
    let sizes = |addr| {
        // The same length of address in both, as it is a part of what is counted.
        let host = "gateway.example.org:9091";
        let raw = format!(
            "PUT /metrics/job/a%20b/x/1?y=2 HTTP/1.1\r\nHost: {host}\r\nX-A: one\r\nX-A: two\r\n\
             Connection: close\r\nContent-Length: 4\r\n\r\nm 1\n"
        );
        support::http::exchange(addr, raw.as_bytes());
        let text = request(addr, "GET", "/metrics", &[], b"").text();
        let sum = "pushgateway_http_push_size_bytes_sum{method=\"put\"}";
        support::sample(&text, sum).map(str::to_owned)
    };
    let expected = sizes(theirs.addr);
    assert!(expected.is_some());
    assert_eq!(sizes(ours.address()), expected);
}

#[test]
fn quit_ends_the_program_after_its_answer() {
    let mut gateway = Gateway::start_with(&["--web.enable-lifecycle"]);
    assert_eq!(push(gateway.address(), "PUT", "job/a", "m 1\n"), 200);
    let answer = gateway.send("POST", "/-/quit", &[], "");
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "Requesting termination... Goodbye!")
    );
    let status = gateway.wait();
    assert!(status.success(), "{status}");
    assert!(gateway.log().contains("stopped"), "{}", gateway.log());
    gateway.restart();
    assert_eq!(
        gateway.value("m{instance=\"\",job=\"a\"}").as_deref(),
        Some("1")
    );
}

#[test]
fn flags_move_the_pages_as_in_the_pushgateway() {
    for (flags, prefix, telemetry) in [
        (&["--web.route-prefix=/x/"][..], "/x", "/metrics"),
        (
            &["--web.external-url=http://h.example/y/z/"],
            "/y/z",
            "/metrics",
        ),
        (
            &[
                "--web.external-url=http://h.example/y",
                "--web.route-prefix=/",
            ],
            "",
            "/metrics",
        ),
        (&["--web.telemetry-path=/own"], "", "/own"),
        (
            &["--web.route-prefix=w", "--web.telemetry-path=/a/b"],
            "/w",
            "/a/b",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(flags).arg("--web.listen-address=127.0.0.1:0");
        command.current_dir(folder.path());
        let mut gateway = support::daemon::Daemon::spawn(&mut command, &folder.path().join("log"));
        let addr = gateway.listening_address();
        support::eventually(Duration::from_secs(30), "a gateway that is ready", || {
            let path = format!("{prefix}/-/ready");
            let status = request(addr, "GET", &path, &[], b"").status;
            if status == 200 {
                Ok(())
            } else {
                Err(format!("{flags:?}: {status}"))
            }
        });
        let put = format!("{prefix}/metrics/job/a");
        assert_eq!(
            request(addr, "PUT", &put, &[], b"m 1\n").status,
            200,
            "{flags:?}"
        );
        let scraped = request(addr, "GET", &format!("{prefix}{telemetry}"), &[], b"").text();
        assert!(
            scraped.contains("m{instance=\"\",job=\"a\"} 1\n"),
            "{flags:?}"
        );
        let status = request(addr, "GET", &format!("{prefix}/api/v1/status"), &[], b"");
        assert_eq!(
            data(&status)["flags"]["web.route-prefix"],
            prefix,
            "{flags:?}"
        );
    }
}
