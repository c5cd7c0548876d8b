//! Defects that were found from outside, one test each.

mod support;

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use support::disk::{Disk, Trouble};
use support::http::exchange;
use support::in_process::InProcess;
use support::process::Gateway;
use support::{LIMIT, eventually};
use tidegate::clock::{Clock, Stopwatch, UnixNanos};
use tidegate::store::Place;

/// All that comes back for `bytes`, as text.
fn raw(gateway: &Gateway, bytes: &[u8]) -> String {
    String::from_utf8_lossy(&exchange(gateway.address(), bytes)).into_owned()
}

/// One line for each number below `count`.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for n in 0..count {
        let _ = writeln!(text, "{}", line(n));
    }
    text
}

/// Answers waited in the server while anything unread stood behind their request,
/// and a head that could not be parsed was never answered at all.
#[test]
fn every_request_is_answered_whatever_stands_behind_it() {
    let gateway = Gateway::start();
    let push = b"PUT /metrics/job/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\na 1\n\r\n";
    assert!(raw(&gateway, push).starts_with("HTTP/1.1 200 OK\r\n"));
    let many_headers = lines(150, |n| format!("X-{n}: 1\r"));
    for (head, status) in [
        ("GET /\0 HTTP/1.1\r\n\r\n", 400),
        (
            "PUT /metrics/job/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            400,
        ),
        (
            &format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(66_000)),
            414,
        ),
        (&format!("GET /metrics HTTP/1.1\r\n{many_headers}\r\n"), 431),
    ] {
        let answer = raw(&gateway, head.as_bytes());
        let line = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&line), "{head:.40}: {answer:?}");
    }
}

/// Bodies that end early were answered with the HTTP library's own words.
#[test]
fn a_body_that_breaks_off_is_named_as_the_original_names_it() {
    let gateway = Gateway::start();
    for (body, text) in [
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\n", "nvalid"),
        (
            "Content-Length: 4\r\nContent-Encoding: gzip\r\n\r\na 1\n",
            "unexpected EOF\n",
        ),
    ] {
        let push = format!("PUT /metrics/job/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{body}");
        let answer = raw(&gateway, push.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains(text), "{answer}");
    }
    let mut stream = std::net::TcpStream::connect(gateway.address()).expect("a connection");
    let cut = b"PUT /metrics/job/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\na 1\n";
    stream.write_all(cut).expect("a sent request");
    stream.shutdown(std::net::Shutdown::Write).expect("an end");
    let answer = std::io::read_to_string(stream).expect("an answer");
    assert!(answer.ends_with("\r\n\r\nunexpected EOF\n"), "{answer}");
}

/// The Pushgateway takes these and prints a series that has `le` twice, for
/// which Prometheus refuses the whole scrape.
#[test]
fn a_histogram_in_a_group_with_le_in_its_key_cannot_break_the_scrape() {
    let gateway = Gateway::start();
    let histogram = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n";
    let answer = gateway.send("PUT", "/metrics/job/a/le/5", &[], histogram);
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains(r#"an explicit "le" label"#));
    assert_eq!(gateway.value(r#"h_sum{instance="",job="a",le="5"}"#), None);
    let gauge = gateway.send("PUT", "/metrics/job/a/le/5", &[], "a 1\n");
    assert_eq!(gauge.status, 200);
}

/// The one writer worked in the square of the number of families, with everybody
/// waiting: 15 s for each push of 300,000 in the release build.
#[test]
fn many_families_cost_what_they_are_worth() {
    let gateway = Gateway::start();
    let families = lines(100_000, |n| format!("family_{n} 1"));
    let other_type = lines(20_000, |n| format!("# TYPE family_{n} gauge\nfamily_{n} 1"));
    let watch = Stopwatch::start();
    for (method, path, body, status) in [
        ("PUT", "/metrics/job/a", &families, 200),
        ("PUT", "/metrics/job/a", &families, 200),
        ("POST", "/metrics/job/a", &"b 1\n".to_owned(), 200),
        ("PUT", "/metrics/job/b", &other_type, 400),
    ] {
        let answer = gateway.send(method, path, &[], body);
        assert_eq!(answer.status, status, "{:.200}", answer.text());
    }
    let limit = Duration::from_secs(30);
    assert!(watch.elapsed() < limit, "{:?}", watch.elapsed());
}

/// Each push looked at every set of grouping-label names of its job.
#[test]
fn a_job_with_many_sets_of_names_takes_pushes_as_fast_as_another() {
    let gateway = Gateway::start();
    for n in 0..1500 {
        let path = format!("/metrics/job/a/label_{n}/1");
        assert_eq!(gateway.send("PUT", &path, &[], "a 1\n").status, 200);
    }
    let families = lines(20_000, |n| {
        format!("f{n}{{x{}=\"1\",label_7=\"2\"}} 1", n % 5000)
    });
    let watch = Stopwatch::start();
    let answer = gateway.send("PUT", "/metrics/job/a/other/1", &[], &families);
    assert_eq!(answer.status, 200, "{:.200}", answer.text());
    let limit = Duration::from_secs(20);
    assert!(watch.elapsed() < limit, "{:?}", watch.elapsed());
    let answer = gateway.send("DELETE", "/metrics/job/a", &[], "");
    assert_eq!(answer.header("Tidegate-Groups-Deleted"), Some("0"));
    assert!(
        gateway.log().contains("1501 groups of job"),
        "{}",
        gateway.log()
    );
}

/// A body of a few bytes a line took a hundred times its size in memory.
#[test]
fn more_series_or_labels_than_the_limits_are_refused_by_name() {
    let gateway = Gateway::start();
    let mut body = GzEncoder::new(Vec::new(), Compression::fast());
    body.write_all(lines(1_000_001, |_| "a 1".to_owned()).as_bytes())
        .expect("memory");
    let body = body.finish().expect("memory");
    let head = format!(
        "PUT /metrics/job/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = raw(&gateway, &[head.as_bytes(), &body].concat());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.ends_with("more than 1000000 series in one push\n"),
        "{answer}"
    );
    let labels = lines(513, |n| format!("l{n}=\"\",")).replace('\n', "");
    let answer = gateway.send("PUT", "/metrics/job/a", &[], &format!("a{{{labels}}} 1\n"));
    assert_eq!(answer.status, 413, "{}", answer.text());
    let key = lines(513, |n| format!("/l{n}/1")).replace('\n', "");
    let answer = gateway.send("PUT", &format!("/metrics/job/a{key}"), &[], "a 1\n");
    assert_eq!(answer.status, 413, "{}", answer.text());
}

/// Each family was a segment of its own, and a small segment is not compressed.
#[test]
fn many_small_families_are_compressed_together() {
    let gateway = Gateway::start();
    let families = lines(1000, |n| format!("# HELP family_{n} some\nfamily_{n} 1"));
    assert_eq!(
        gateway.send("PUT", "/metrics/job/a", &[], &families).status,
        200
    );
    let gzip = gateway.send("GET", "/metrics", &[("Accept-Encoding", "gzip")], "");
    let plain = gateway.metrics();
    assert!(
        gzip.body.len() * 5 < plain.len(),
        "{} of {}",
        gzip.body.len(),
        plain.len()
    );
}

/// A file system that goes away leaves an empty folder behind. The gateway took that
/// for a first start and went on with nothing of what it had acknowledged.
#[test]
fn a_store_that_is_gone_is_not_begun_anew() {
    let disk = Disk::default();
    let current = Arc::new(Mutex::new(disk.clone()));
    let opened = Arc::clone(&current);
    let place = Place::disk(move || Ok(opened.lock().expect("the disk").clone()));
    let (clock, hands) = Clock::manual(UnixNanos(1_800_000_000_000_000_000));
    let gateway = InProcess::start(place, clock).expect("a store that opens");
    let push = || gateway.send("PUT", "/metrics/job/a", "a 1\n").status;
    assert_eq!(push(), 200);
    *current.lock().expect("the disk") = Disk::default();
    disk.trouble_after(0, Trouble::Fails(ErrorKind::NotFound));
    assert_eq!(push(), 503);
    let reason = eventually(LIMIT, "a gateway that gives up", || {
        hands.advance(Duration::from_secs(1));
        let answer = gateway.send("GET", "/-/healthy", "").text();
        answer
            .contains("revision")
            .then_some(answer.clone())
            .ok_or(answer)
    });
    assert!(reason.contains("it is of revision 0"), "{reason}");
    assert!(gateway.metrics().contains("a{instance=\"\",job=\"a\"} 1\n"));
}

/// A batch of groups with long labels was rendered whole, whatever that came to, and
/// a label could be longer than any address.
#[test]
fn a_batch_of_pushes_is_bounded_as_a_push_is() {
    let gateway = Gateway::start();
    let batch = |groups: usize, label: usize, series: usize| {
        let (label, body) = (
            "x".repeat(label),
            lines(series, |n| format!("a{{n=\"{n}\"}} 1")),
        );
        let body = body.replace('"', "\\\"").replace('\n', "\\n");
        let group = |n| format!(r#"{{"labels":{{"job":"{n}","l":"{label}"}},"body":"{body}"}},"#);
        let groups = lines(groups, group).replace('\n', "");
        let body = format!(r#"{{"groups":[{}]}}"#, groups.trim_end_matches(','));
        gateway.send("POST", "/api/v1/push", &[], &body)
    };
    let answer = batch(3, 100, 3);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = batch(1, 33_000, 1);
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(
        answer
            .text()
            .contains("the grouping key is larger than 32768 bytes")
    );
    let answer = batch(100, 30_000, 200);
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(
        answer.text().contains("could be larger than"),
        "{}",
        answer.text()
    );
}

/// A family without series, which only protobuf can bring, had a TYPE line.
#[test]
fn a_family_without_series_is_not_in_the_exposition() {
    let gateway = Gateway::start();
    let protobuf = "application/vnd.google.protobuf; \
        proto=io.prometheus.client.MetricFamily; encoding=delimited";
    let body = "\u{9}\n\u{5}empty\u{18}\u{1}";
    let headers = [("Content-Type", protobuf)];
    let answer = gateway.send("PUT", "/metrics/job/a", &headers, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let exposition = gateway.metrics();
    assert!(!exposition.contains("empty"), "{exposition}");
    assert!(exposition.contains("push_time_seconds{"), "{exposition}");
}
