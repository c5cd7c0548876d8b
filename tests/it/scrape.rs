//! What a scraper gets: the exact bytes, in gzip or plain, whole, whatever happens meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use socket2::SockRef;
use tidegate::format::inflate::gunzip;
use tidegate::limits::MAX_BODY;

use crate::harness::{Gateway, Options, START_SECONDS, repeated};
use crate::support::{LIMIT, eventually, sample};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

#[test]
fn an_exposition_is_exact_to_the_byte() {
    let gateway = Gateway::start();
    gateway.put(
        "job/z/zone/w",
        "# TYPE lat histogram\nlat_bucket{le=\"0.5\"} 1\nlat_bucket{le=\"1e6\"} 2\n\
         lat_sum 1.5\nlat_count 123456789\n\
         # HELP Temp a \\\\ and \\n and \"\n# TYPE Temp gauge\nTemp{b=\"2\",a=\"x\\\"\\\\\\ny\"} -0\n\
         a:b 1e-5\n",
    );
    gateway.put(
        "job/b/instance/i",
        "# HELP dur 时间\n# TYPE dur summary\ndur{quantile=\"0.99\",k=\"上\"} 2\n\
         dur_sum{k=\"上\"} 3e10\ndur_count{k=\"上\"} 4\n\
         f{n=\"1\"} 999999\nf{n=\"2\"} 1000000\nf{n=\"3\"} 0.1e-3\nf{n=\"4\"} 12345.678\n\
         f{n=\"5\"} +inf\nf{n=\"6\"} -Inf\nf{n=\"7\"} nan\nf{n=\"8\"} 12345678901234567890\n\
         f{n=\"9\"} 0.30000000000000004\n_u 5.\n",
    );
    let expected = format!(
        r#"# HELP Temp a \\ and \n and "
# TYPE Temp gauge
Temp{{a="x\"\\\ny",b="2",instance="",job="z",zone="w"}} 0
# TYPE _u untyped
_u{{instance="i",job="b"}} 5
# TYPE a:b untyped
a:b{{instance="",job="z",zone="w"}} 1e-05
# HELP dur 时间
# TYPE dur summary
dur{{instance="i",job="b",k="上",quantile="0.99"}} 2
dur_sum{{instance="i",job="b",k="上"}} 3e+10
dur_count{{instance="i",job="b",k="上"}} 4
# TYPE f untyped
f{{instance="i",job="b",n="1"}} 999999
f{{instance="i",job="b",n="2"}} 1e+06
f{{instance="i",job="b",n="3"}} 0.0001
f{{instance="i",job="b",n="4"}} 12345.678
f{{instance="i",job="b",n="5"}} +Inf
f{{instance="i",job="b",n="6"}} -Inf
f{{instance="i",job="b",n="7"}} NaN
f{{instance="i",job="b",n="8"}} 1.2345678901234567e+19
f{{instance="i",job="b",n="9"}} 0.30000000000000004
# TYPE lat histogram
lat_bucket{{instance="",job="z",zone="w",le="0.5"}} 1
lat_bucket{{instance="",job="z",zone="w",le="1e+06"}} 2
lat_bucket{{instance="",job="z",zone="w",le="+Inf"}} 1.23456789e+08
lat_sum{{instance="",job="z",zone="w"}} 1.5
lat_count{{instance="",job="z",zone="w"}} 1.23456789e+08
# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
# TYPE push_failure_time_seconds gauge
push_failure_time_seconds{{instance="",job="z",zone="w"}} 0
push_failure_time_seconds{{instance="i",job="b"}} 0
# HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
# TYPE push_time_seconds gauge
push_time_seconds{{instance="",job="z",zone="w"}} {START_SECONDS}
push_time_seconds{{instance="i",job="b"}} {START_SECONDS}
"#
    );
    assert_eq!(gateway.exposition(), expected);
    assert_eq!(
        gateway.counts(),
        ("2".into(), "20".into()),
        "groups and sample lines"
    );
}

#[test]
fn gzip_is_sent_to_those_who_prefer_it() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    for (accepted, zipped) in [
        (None, false),
        (Some("gzip"), true),
        (Some("gzip, deflate, br"), true),
        (Some("br;q=1.0, gzip;q=0.8, *;q=0.1"), true),
        (Some("identity;q=0.5, gzip;q=0.6"), true),
        (Some("gzip;q=0"), false),
        (Some("gzip;q=0.5, identity"), false),
        (Some("gzip, identity"), false),
        (Some("GZIP"), false),
        (Some("*"), false),
        (Some("deflate, br, zstd"), false),
        (Some(""), false),
    ] {
        let header = accepted.map(|accepted| ("Accept-Encoding", accepted));
        let answer = gateway.get("/metrics", header.as_slice());
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("Content-Type"), Some(TEXT), "{accepted:?}");
        let encoding = answer.header("Content-Encoding");
        assert_eq!(encoding, zipped.then_some("gzip"), "{accepted:?}");
        let text = if zipped {
            gunzip(&answer.body, MAX_BODY).expect("one sound gzip member")
        } else {
            answer.body
        };
        assert!(String::from_utf8_lossy(&text).contains("m{instance=\"\",job=\"a\"} 1\n"));
    }
}

#[test]
fn whatever_is_accepted_the_answer_is_text() {
    let gateway = Gateway::start();
    for accept in [
        "*/*",
        "application/json",
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.1",
        "text/plain;version=0.0.4",
        "garbage;;",
    ] {
        let answer = gateway.get("/metrics", &[("Accept", accept)]);
        assert_eq!(
            (answer.status, answer.header("Content-Type")),
            (200, Some(TEXT)),
            "{accept}"
        );
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    for headers in [&[][..], &[("Accept-Encoding", "gzip")]] {
        let get = gateway.get("/metrics", headers);
        let head = gateway.send("HEAD", "/metrics", headers, "");
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in ["Content-Type", "Content-Encoding"] {
            assert_eq!(head.header(name), get.header(name), "{headers:?}");
        }
        let has_length =
            |answer: &crate::support::http::Response| answer.header("Content-Length").is_some();
        assert_eq!(has_length(&head), has_length(&get), "{headers:?}");
    }
}

#[test]
fn a_pushed_family_of_the_gateways_own_name_is_merged_under_one_header() {
    let gateway = Gateway::start();
    let body = "# HELP process_cpu_seconds_total mine\n# TYPE process_cpu_seconds_total counter\n\
                process_cpu_seconds_total 7\n";
    gateway.put("job/a", body);
    gateway.put("job/b", &body.replace('7', "8"));
    let text = gateway.scrape();
    let family: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("process_cpu_seconds_total"))
        .collect();
    assert_eq!(family.len(), 5, "{family:?}");
    let header =
        "# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.";
    assert_eq!(
        family[..2],
        [header, "# TYPE process_cpu_seconds_total counter"]
    );
    assert!(
        family[2].starts_with("process_cpu_seconds_total "),
        "{}",
        family[2]
    );
    let pushed =
        |job, value| format!("process_cpu_seconds_total{{instance=\"\",job=\"{job}\"}} {value}");
    assert_eq!(family[3..], [pushed("a", 7), pushed("b", 8)]);
}

#[test]
fn the_help_of_an_own_metric_is_the_gateways_even_while_it_has_no_series() {
    let mut gateway = Gateway::start();
    let name = "pushgateway_http_requests_total";
    gateway.put(
        "job/a",
        &format!("# HELP {name} mine\n# TYPE {name} counter\n{name} 7\n"),
    );
    // No request has been counted when it is started again.
    gateway.restart();
    let family = format!(
        "# HELP {name} Total HTTP requests processed by the Pushgateway, excluding scrapes.\n\
         # TYPE {name} counter\n{name}{{instance=\"\",job=\"a\"}} 7\n"
    );
    let text = gateway.scrape();
    assert!(text.contains(&family), "{text}");
}

#[test]
fn requests_are_counted_as_the_pushgateway_counts_them() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    gateway.post("job/a", "");
    gateway.refused("POST", "job/a", "m 1 1\n");
    gateway.delete("job/a");
    gateway.get("/-/healthy", &[]);
    gateway.get("/nothing", &[]);
    gateway.get("/metrics/job/a", &[]);
    let text = gateway.scrape();
    let requests: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pushgateway_http_requests_total"))
        .collect();
    assert_eq!(
        requests,
        [
            r#"{code="200",handler="healthy",method="get"} 1"#,
            r#"{code="200",handler="push",method="post"} 1"#,
            r#"{code="200",handler="push",method="put"} 1"#,
            r#"{code="202",handler="delete",method="delete"} 1"#,
            r#"{code="400",handler="push",method="post"} 1"#,
        ]
    );
    for (method, count) in [("put", "1"), ("post", "2")] {
        for name in ["push_duration_seconds", "push_size_bytes"] {
            let series = format!("pushgateway_http_{name}_count{{method=\"{method}\"}}");
            assert_eq!(sample(&text, &series), Some(count), "{series}");
        }
    }
}

/// Every family of every push carries the push's number.
#[test]
fn a_scrape_during_pushes_shows_whole_pushes_only() {
    let gateway = Gateway::start();
    let families = |number: u32| {
        repeated(6, |n| {
            format!("seq{n} {number}\nseq{n}{{x=\"1\"}} {number}\n")
        })
    };
    gateway.put("job/a", &families(0));
    let done = AtomicBool::new(false);
    let scrapes: usize = thread::scope(|threads| {
        let scrapers = [false, true].map(|zipped| {
            let (gateway, done) = (&gateway, &done);
            threads.spawn(move || {
                let mut scrapes = 0;
                while !done.load(Ordering::Relaxed) || scrapes == 0 {
                    let numbers = numbers(gateway, zipped);
                    assert_eq!(numbers.len(), 12, "{numbers:?}");
                    assert!(
                        numbers.windows(2).all(|pair| pair[0] == pair[1]),
                        "{numbers:?}"
                    );
                    scrapes += 1;
                }
                scrapes
            })
        });
        for number in 1..=150 {
            let method = if number % 2 == 0 { "PUT" } else { "POST" };
            assert_eq!(
                gateway.write(method, "job/a", &families(number)).status,
                200
            );
        }
        done.store(true, Ordering::Relaxed);
        scrapers
            .into_iter()
            .map(|scraper| scraper.join().expect("sound scrapes"))
            .sum()
    });
    assert!(scrapes > 1);
}

/// The values of all `seq` series.
fn numbers(gateway: &Gateway, zipped: bool) -> Vec<String> {
    let headers = [("Accept-Encoding", if zipped { "gzip" } else { "identity" })];
    let body = gateway.get("/metrics", &headers).body;
    let body = if zipped {
        gunzip(&body, MAX_BODY).expect("a sound gzip member")
    } else {
        body
    };
    let text = String::from_utf8(body).expect("an exposition in UTF-8");
    let samples = text.lines().filter(|line| line.starts_with("seq"));
    samples
        .filter_map(|line| Some(line.rsplit_once(' ')?.1.to_owned()))
        .collect()
}

/// Stores an exposition of more than `megabytes`, more than sockets buffer: the address is
/// repeated in every line.
fn large(gateway: &Gateway, megabytes: usize) {
    let body = repeated(megabytes * 50, |n| format!("m{{n=\"{n}\"}} 1\n"));
    gateway.put(&format!("job/{}", "x".repeat(20_000)), &body);
}

/// Begins a scrape and reads only the head of the answer: the length of the body to come.
fn begin_scrape(gateway: &Gateway, headers: &str) -> (TcpStream, usize) {
    let mut stream = TcpStream::connect(gateway.address()).expect("the server accepts connections");
    SockRef::from(&stream)
        .set_recv_buffer_size(64 * 1024)
        .expect("a small buffer");
    stream
        .set_read_timeout(Some(LIMIT))
        .expect("a timeout above zero");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    stream
        .write_all(request.as_bytes())
        .expect("a request is taken");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the head of an answer");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head)
        .expect("a head in ASCII")
        .to_lowercase();
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    (
        stream,
        length
            .and_then(|length| length.parse().ok())
            .unwrap_or_default(),
    )
}

#[test]
fn a_slow_scraper_sees_one_instant_and_holds_up_nobody() {
    let gateway = Gateway::start();
    large(&gateway, 12);
    gateway.put("job/z", "seq 1\n");
    let (mut stream, length) = begin_scrape(&gateway, "Connection: close\r\n");
    assert!(length > 12_000_000, "{length}");
    for number in 2..5 {
        gateway.put("job/z", &format!("seq {number}\n"));
    }
    gateway.delete(&format!("job/{}", "x".repeat(20_000)));
    let mut body = Vec::new();
    stream
        .read_to_end(&mut body)
        .expect("the rest of the answer");
    assert_eq!(body.len(), length);
    let text = String::from_utf8(body).expect("an exposition in UTF-8");
    assert_eq!(sample(&text, "seq{instance=\"\",job=\"z\"}"), Some("1"));
    assert_eq!(
        gateway.pushed(),
        "# TYPE seq untyped\nseq{instance=\"\",job=\"z\"} 4\n"
    );
}

#[test]
fn a_scraper_that_takes_nothing_is_cut_off_when_its_own_time_is_up() {
    let gateway = Gateway::start();
    large(&gateway, 12);
    let (mut stream, length) =
        begin_scrape(&gateway, "X-Prometheus-Scrape-Timeout-Seconds: 0.2\r\n");
    // Nothing is read here until the gateway has given up; only then is this scrape counted.
    gateway.delete(&format!("job/{}", "x".repeat(20_000)));
    let mut others = 0;
    eventually(LIMIT, "a scrape that was given up", || {
        let count = gateway
            .value("tidegate_scrape_duration_seconds_count")
            .unwrap_or_default();
        others += 1;
        if count == others.to_string() {
            Ok(())
        } else {
            Err(count)
        }
    });
    let mut body = Vec::new();
    // The connection may end in a reset.
    let _ = stream.read_to_end(&mut body);
    assert!(body.len() < length, "{} of {length} bytes", body.len());
}

/// Sixteen old expositions would be sixteen times the memory.
#[test]
fn scrapers_that_hold_too_much_of_what_was_replaced_are_cut_off_the_oldest_first() {
    let gateway = Gateway::with(Options {
        max_replaced: 1,
        ..Options::default()
    });
    let begin = || {
        large(&gateway, 12); // In place of all there was.
        begin_scrape(&gateway, "Connection: close\r\n")
    };
    // As much as is shown may be old: that is one of these scrapes beside the newest.
    let scrapes = [begin(), begin(), begin(), begin()];
    assert_eq!(whole(scrapes), [false, false, true, true]);
    assert_eq!(cut_for_memory(&gateway).as_deref(), Some("2"));
}

fn cut_for_memory(gateway: &Gateway) -> Option<String> {
    gateway.value("tidegate_scrapes_cut_total{reason=\"memory\"}")
}

/// Which of these scrapes get the rest of their answers.
fn whole(scrapes: impl IntoIterator<Item = (TcpStream, usize)>) -> Vec<bool> {
    let is_whole = |(mut stream, length): (TcpStream, usize)| {
        let mut body = Vec::new();
        // A connection that is cut off may end in a reset.
        let _ = stream.read_to_end(&mut body);
        body.len() == length
    };
    scrapes.into_iter().map(is_whole).collect()
}

const PROTOBUF: &str = "Accept: application/vnd.google.protobuf;\
                        proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n";

#[test]
fn scrapers_in_different_forms_hold_one_old_exposition_together() {
    let gateway = Gateway::with(Options {
        max_replaced: 1,
        ..Options::default()
    });
    let begin = |accept: &str| {
        large(&gateway, 12); // In place of all there was.
        begin_scrape(&gateway, &format!("{accept}Connection: close\r\n"))
    };
    // What the first holds is replaced by the second, what the third holds by the fourth.
    let protobuf = [begin(PROTOBUF), begin(PROTOBUF)];
    let text = [begin(""), begin("")];
    assert_eq!(
        whole(protobuf.into_iter().chain(text)),
        [false, true, true, true]
    );
    assert_eq!(cut_for_memory(&gateway).as_deref(), Some("1"));
}

#[test]
fn scrapers_of_what_is_still_shown_hold_nothing_more_and_all_get_it() {
    let gateway = Gateway::with(Options {
        max_replaced: 1,
        ..Options::default()
    });
    large(&gateway, 12);
    let scrapes: Vec<_> = (0..8)
        .map(|number| {
            gateway.put("job/z", &format!("seq {number}\n"));
            begin_scrape(&gateway, "Connection: close\r\n")
        })
        .collect();
    for (mut stream, length) in scrapes {
        let mut body = Vec::new();
        stream.read_to_end(&mut body).expect("a whole answer");
        assert_eq!(body.len(), length);
    }
}
