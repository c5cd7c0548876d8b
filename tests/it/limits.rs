//! Every bound of a request: what is over it is refused by name, what is at it is taken.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tidegate::clock::Stopwatch;
use tidegate::limits::{
    HEAD_BYTES, HEADER_TIME, HEADERS, LABELS_PER_SERIES, MAX_BODY, MAX_INFLATED, PATH_BYTES,
    RENDERED_BYTES,
};

use crate::harness::{Gateway, Options, repeated};
use crate::support::LIMIT;
use crate::support::http::exchange;

fn with_max_body(max_body: usize) -> Gateway {
    Gateway::with(Options {
        max_body,
        ..Options::default()
    })
}

fn raw(gateway: &Gateway, request: &str) -> String {
    let answer = exchange(gateway.address(), request.as_bytes());
    String::from_utf8(answer).expect("an answer in UTF-8")
}

#[track_caller]
fn assert_answer(answer: &str, status: &str, text: &str) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status}")),
        "{answer}"
    );
    assert!(answer.ends_with(&format!("\r\n\r\n{text}\n")), "{answer}");
}

#[test]
fn a_declared_body_over_the_limit_is_refused_before_it_is_sent() {
    let gateway = Gateway::start();
    let text = format!("request body is larger than {MAX_BODY} bytes (--push.max-body-size)");
    for declared in [MAX_BODY as u64 + 1, 1 << 62] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let head = format!(
                "PUT /metrics/job/a HTTP/1.1\r\nHost: a\r\n{expect}Content-Length: {declared}\r\n\r\n"
            );
            assert_answer(&raw(&gateway, &head), "413 ", &text);
        }
    }
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn a_body_is_counted_however_it_comes() {
    let gateway = with_max_body(10);
    let text = "request body is larger than 10 bytes (--push.max-body-size)";
    let chunked = |chunks: &str| {
        let head = "PUT /metrics/job/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        raw(&gateway, &format!("{head}{chunks}0\r\n\r\n"))
    };
    assert!(chunked("4\r\nm 12\r\n6\r\n34567\n\r\n").starts_with("HTTP/1.1 200 "));
    assert_answer(&chunked("4\r\nm 12\r\n7\r\n345678\n\r\n"), "413 ", text);
    assert_answer(&chunked("b\r\nm 12345678\n\r\n"), "413 ", text);
    gateway.put("job/a", "m 1234567\n");
    let answer = gateway.write("PUT", "job/a", "m 12345678\n");
    assert_eq!((answer.status, answer.text()), (413, format!("{text}\n")));
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    let shown = "# TYPE m untyped\nm{instance=\"\",job=\"a\"} 1.234567e+06\n";
    assert_eq!(gateway.pushed(), shown);
}

#[test]
fn a_small_body_that_inflates_without_end_is_refused() {
    let gateway = Gateway::start();
    // Members of one MiB each: what is sent is a thousandth of what comes out.
    let mut member = GzEncoder::new(Vec::new(), Compression::best());
    member
        .write_all(&vec![b'\n'; 1 << 20])
        .expect("memory takes it");
    let member = member.finish().expect("memory takes it");
    let bomb = member.repeat((MAX_INFLATED >> 20) + 1);
    assert!(bomb.len() < 400_000, "{}", bomb.len());
    let answer = gateway.send(
        "PUT",
        "/metrics/job/a",
        &[("Content-Encoding", "gzip")],
        &bomb,
    );
    let text = format!("request body is larger than {MAX_INFLATED} bytes once decompressed\n");
    assert_eq!((answer.status, answer.text()), (413, text));
    assert_eq!(gateway.exposition(), "");
    let answer = gateway.send(
        "PUT",
        "/metrics/job/a",
        &[("Content-Encoding", "gzip")],
        &member,
    );
    assert_eq!(answer.status, 200);
}

#[test]
fn a_small_body_with_a_huge_exposition_is_refused() {
    let gateway = Gateway::start();
    let job = "x".repeat(30_000);
    let body = repeated(36_000, |n| format!("m{{n=\"{n}\"}} 1\n"));
    let answer = gateway.write("PUT", &format!("job/{job}"), &body);
    let text = format!("the exposition of this push could be larger than {RENDERED_BYTES} bytes\n");
    assert_eq!((answer.status, answer.text()), (413, text));
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn an_address_over_the_limit_is_refused_by_name() {
    let gateway = Gateway::start();
    let text = format!("path and query of the address are longer than {PATH_BYTES} bytes\n");
    let path = "/metrics/job/";
    for (before, after) in [
        (path.to_owned(), ""),
        (format!("{path}a?x="), ""),
        (path.to_owned(), "?ttl=1h"),
    ] {
        let fits = format!(
            "{before}{}{after}",
            "x".repeat(PATH_BYTES - before.len() - after.len())
        );
        assert_eq!(
            gateway.send("PUT", &fits, &[], "m 1\n").status,
            200,
            "{before}"
        );
        let longer = fits.replacen('x', "xx", 1);
        for method in ["PUT", "GET", "DELETE"] {
            let answer = gateway.send(method, &longer, &[], "");
            assert_eq!(
                (answer.status, answer.text()),
                (414, text.clone()),
                "{method} {before}"
            );
        }
    }
}

#[test]
fn a_head_over_the_limit_is_refused() {
    let gateway = Gateway::start();
    let head = |headers: &str| {
        raw(
            &gateway,
            &format!("GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n"),
        )
    };
    let lines = |count| repeated(count, |n| format!("X-{n}: 1\r\n"));
    assert!(head(&lines(HEADERS - 2)).starts_with("HTTP/1.1 200 "));
    let answer = head(&lines(HEADERS - 1));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(head(&format!("X: {}\r\n", "x".repeat(HEAD_BYTES / 2))).starts_with("HTTP/1.1 200 "));
    let answer = head(&format!("X: {}\r\n", "x".repeat(2 * HEAD_BYTES)));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn labels_of_key_and_series_count_together() {
    let gateway = Gateway::start();
    let body = |labels: usize| {
        let labels: Vec<String> = (0..labels).map(|n| format!("l{n}=\"\"")).collect();
        format!("m 1\nm{{{}}} 1\n", labels.join(","))
    };
    let text = format!("a series of m has more than {LABELS_PER_SERIES} labels\n");
    gateway.put("job/a", &body(LABELS_PER_SERIES - 1));
    gateway.put("job/b/x/1", &body(LABELS_PER_SERIES - 2));
    for (group, labels) in [
        ("job/a", LABELS_PER_SERIES),
        ("job/b/x/1", LABELS_PER_SERIES - 1),
    ] {
        let before = gateway.exposition();
        let answer = gateway.write("PUT", group, &body(labels));
        assert_eq!(
            (answer.status, answer.text()),
            (413, text.clone()),
            "{group}"
        );
        assert_eq!(gateway.exposition(), before);
    }
    let key = |labels| repeated(labels, |n| format!("/l{n}/1"));
    gateway.put(&format!("job/c{}", key(LABELS_PER_SERIES - 1)), "m 1\n");
    let answer = gateway.write("PUT", &format!("job/c{}", key(LABELS_PER_SERIES)), "");
    assert_eq!(answer.status, 413, "{}", answer.text());
}

/// A client that never finishes its head is cut off. One beside it, whose requests are quick, is
/// not: its connection may live on.
#[test]
fn a_head_that_does_not_end_is_cut_off_and_a_busy_connection_is_not() {
    let gateway = Gateway::start();
    let connect = || {
        let stream = TcpStream::connect(gateway.address()).expect("the server accepts connections");
        stream
            .set_read_timeout(Some(LIMIT))
            .expect("a timeout above zero");
        stream
    };
    let (mut slow, mut quick) = (connect(), connect());
    let watch = Stopwatch::start();
    slow.write_all(b"PUT /metrics/job/a HTTP/1.1\r\nHost:")
        .expect("half a head is taken");
    slow.set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a timeout above zero");
    let mut ask = || {
        let head = b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n";
        quick.write_all(head).expect("the connection lives on");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nOK") {
            let mut bytes = [0; 256];
            let length = quick.read(&mut bytes).expect("an answer");
            assert!(length > 0, "cut off after {:?}", watch.elapsed());
            answer.extend_from_slice(&bytes[..length]);
        }
    };
    loop {
        ask();
        match slow.read(&mut [0; 256]) {
            Err(waiting) if waiting.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(watch.elapsed() < LIMIT, "a head may take for ever");
            }
            // An end, with or without an answer, or a reset.
            Ok(_) | Err(_) => break,
        }
    }
    assert!(watch.elapsed() > HEADER_TIME / 2, "{:?}", watch.elapsed());
    for _ in 0..3 {
        ask();
    }
}
