//! Bodies as they come over the wire: compressed, in protobuf, in chunks, in pieces, cut off.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::Gateway;
use crate::support::http::exchange;
use crate::support::{LIMIT, eventually};

const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

const GZIP: (&str, &str) = ("Content-Encoding", "gzip");

fn gzipped(body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_ref()).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A field of bytes, below 128 of them.
fn field(tag: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let length = u8::try_from(bytes.len()).expect("a short field");
    [&[tag << 3 | 2, length], bytes].concat()
}

/// A delimited gauge family `name` with one series.
fn gauge(name: &str, labels: &[(&str, &str)], value: f64) -> Vec<u8> {
    let labels = labels
        .iter()
        .map(|(name, value)| field(1, [field(1, name), field(2, value)].concat()));
    let value = field(2, [&[1 << 3 | 1], &value.to_le_bytes()[..]].concat());
    let metric = [labels.collect::<Vec<_>>().concat(), value].concat();
    let family = [field(1, name), vec![3 << 3, 1], field(4, metric)].concat();
    [
        vec![u8::try_from(family.len()).expect("a short family")],
        family,
    ]
    .concat()
}

/// Sends raw bytes in pieces and reads all that comes back.
fn raw(gateway: &Gateway, pieces: &[&str]) -> String {
    let bytes = exchange(gateway.address(), pieces.concat().as_bytes());
    String::from_utf8(bytes).expect("an answer in UTF-8")
}

fn connect(gateway: &Gateway) -> TcpStream {
    let stream = TcpStream::connect(gateway.address()).expect("the server accepts connections");
    stream
        .set_read_timeout(Some(LIMIT))
        .expect("a timeout above zero");
    stream
}

const SHOWN: &str = "# TYPE m untyped\nm{instance=\"\",job=\"a\"} 1\n";
const PUT: &str = "PUT /metrics/job/a HTTP/1.1\r\nHost: a\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const CLOSE: &str = "Connection: close\r\n";

#[test]
fn gzip_bodies_are_inflated_and_faulty_ones_refused() {
    let gateway = Gateway::start();
    let two_members = [gzipped("m 1\n"), gzipped("k 2\n")].concat();
    for (encoding, body) in [
        ("gzip", gzipped("m 1\n")),
        ("GZIP", gzipped("m 1\n")),
        ("gzip", two_members),
    ] {
        let answer = gateway.send(
            "PUT",
            "/metrics/job/a",
            &[("Content-Encoding", encoding)],
            body,
        );
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(gateway.pushed().ends_with(SHOWN));
    }
    let before = gateway.exposition();
    let sound = gzipped("m 2\n");
    let mut bad_sum = sound.clone();
    *bad_sum.last_mut().expect("a trailer") ^= 1;
    for (body, text) in [
        (sound[..sound.len() - 1].to_vec(), "unexpected EOF\n"),
        (bad_sum, "gzip: invalid checksum\n"),
        (
            [&sound[..], b"m 3\n and more"].concat(),
            "gzip: invalid header\n",
        ),
        (b"m 2\nm 3\nm 4\n".to_vec(), "gzip: invalid header\n"),
        (Vec::new(), "EOF\n"),
    ] {
        let answer = gateway.send("PUT", "/metrics/job/a", &[GZIP], body);
        assert_eq!((answer.status, answer.text().as_str()), (400, text));
        assert_eq!(gateway.exposition(), before);
    }
    // Not marked as gzip, so it is read as it is.
    let answer = gateway.send("PUT", "/metrics/job/a", &[], sound);
    let text = "text format parsing error in line 1: invalid metric name\n";
    assert_eq!((answer.status, answer.text().as_str()), (400, text));
    for encoding in ["identity", "deflate", "x-gzip", "gzip, gzip", "unknown"] {
        let answer = gateway.send(
            "PUT",
            "/metrics/job/a",
            &[("Content-Encoding", encoding)],
            "m 1\n",
        );
        assert_eq!(answer.status, 200, "{encoding}");
    }
}

#[test]
fn delimited_protobuf_is_read_and_the_last_family_of_a_name_wins() {
    let gateway = Gateway::start();
    let body = [
        gauge("g", &[("x", "1")], 1.0),
        gauge("h", &[], 2.5),
        gauge("g", &[], 3.0),
    ]
    .concat();
    let shown = "# TYPE g gauge\ng{instance=\"\",job=\"a\"} 3\n\
                 # TYPE h gauge\nh{instance=\"\",job=\"a\"} 2.5\n";
    for (headers, body) in [
        (&[("Content-Type", PROTOBUF)][..], body.clone()),
        (&[("Content-Type", PROTOBUF), GZIP], gzipped(&body)),
        (
            &[
                ("Content-Type", PROTOBUF),
                ("Transfer-Encoding-Hint", "none"),
            ],
            body.clone(),
        ),
    ] {
        let answer = gateway.send("POST", "/metrics/job/a", headers, body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(gateway.pushed(), shown);
        gateway.put("job/a", "");
    }
    let before = gateway.exposition();
    let cut = &body[..body.len() - 1];
    let answer = gateway.send("PUT", "/metrics/job/a", &[("Content-Type", PROTOBUF)], cut);
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (400, "unexpected EOF\n")
    );
    // Without its parameters the type means text.
    let text = [("Content-Type", "application/vnd.google.protobuf")];
    assert_eq!(
        gateway.send("PUT", "/metrics/job/a", &text, &body).status,
        400
    );
    assert_eq!(gateway.exposition(), before);
    assert_eq!(
        gateway.send("PUT", "/metrics/job/a", &text, "m 1\n").status,
        200
    );
}

#[test]
fn faults_that_only_protobuf_can_carry_are_refused() {
    let gateway = Gateway::start();
    let headers = [("Content-Type", PROTOBUF)];
    let twice = [("x", "1"), ("x", "2")];
    for (body, text) in [
        (
            gauge("g", &twice, 1.0),
            "has two or more labels with the same name: x",
        ),
        (
            gauge("g", &[("__x", "1")], 1.0),
            "has a label with an invalid name: __x",
        ),
        (
            gauge("process_max_fds_total", &[("", "1")], 1.0),
            "has a label with an invalid name: ",
        ),
    ] {
        let answer = gateway.send("PUT", "/metrics/job/a", &headers, body);
        assert_eq!(answer.status, 400, "{text}");
        assert!(answer.text().contains(text), "{}", answer.text());
    }
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn a_chunked_body_is_put_together() {
    let gateway = Gateway::start();
    let body = "2\r\nm \r\n1;ext=x\r\n1\r\n1\r\n\n\r\n0\r\nTrailer: x\r\n\r\n";
    let answer = raw(&gateway, &[PUT, CHUNKED, CLOSE, "\r\n", body]);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(gateway.pushed(), SHOWN);
    let before = gateway.exposition();
    let answer = raw(
        &gateway,
        &[PUT, CHUNKED, CLOSE, "\r\n", "zz\r\nm 2\n\r\n0\r\n\r\n"],
    );
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("nvalid chunk size"),
        "the cause is told: {answer}"
    );
    assert_eq!(gateway.exposition(), before);
}

#[test]
fn a_client_that_expects_100_continue_gets_it_before_its_body() {
    let gateway = Gateway::start();
    let mut stream = connect(&gateway);
    let expect = "Expect: 100-continue\r\nContent-Length: 4\r\n";
    stream
        .write_all([PUT, CLOSE, expect, "\r\n"].concat().as_bytes())
        .expect("a head is taken");
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut interim = vec![0; go_on.len()];
    stream.read_exact(&mut interim).expect("an interim answer");
    assert_eq!(interim, go_on);
    stream.write_all(b"m 1\n").expect("a body is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(gateway.pushed(), SHOWN);
}

#[test]
fn requests_in_one_piece_on_one_connection_are_answered_in_order() {
    let gateway = Gateway::start();
    let put = |body: &str| format!("{PUT}Content-Length: {}\r\n\r\n{body}", body.len());
    let get = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: identity\r\n\r\n";
    let delete = "DELETE /metrics/job/a HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = raw(
        &gateway,
        &[&put("m 1\n"), get, &put("m one\n"), delete, get, last],
    );
    let statuses: Vec<&str> = answer
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|part| part.get(..3))
        .collect();
    assert_eq!(
        statuses,
        ["200", "200", "400", "202", "200", "200"],
        "{answer}"
    );
    let series = "m{instance=\"\",job=\"a\"}";
    assert_eq!(
        answer.matches(&format!("{series} 1\n")).count(),
        1,
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nOK"), "{answer}");
}

#[test]
fn a_body_that_breaks_off_stores_nothing() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    let before = gateway.exposition();
    // What has come by then is a sound push each time.
    for framing in [
        "Content-Length: 100\r\n\r\nm 2\nk 1\n",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nm 2\n\r\n",
    ] {
        let mut stream = connect(&gateway);
        stream
            .write_all([PUT, framing].concat().as_bytes())
            .expect("half a request is taken");
        stream.shutdown(Shutdown::Write).expect("half a connection");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("\r\n\r\nunexpected EOF\n"), "{answer}");
        assert_eq!(gateway.exposition(), before);
    }
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_its_body_stores_nothing() {
    let gateway = Gateway::start();
    for n in 0..8 {
        let mut stream = connect(&gateway);
        let head = PUT.replace("job/a", &format!("job/{n}"));
        let half = [&head, "Content-Length: 5\r\n\r\n", "m 1\n"].concat();
        stream
            .write_all(half.as_bytes())
            .expect("half a request is taken");
    }
    // Each is refused with an answer that nobody takes.
    let refused = r#"pushgateway_http_requests_total{code="400",handler="push",method="put"}"#;
    eventually(LIMIT, "eight refused pushes", || {
        match gateway.value(refused).as_deref() {
            Some("8") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn the_end_of_a_request_counts_and_not_the_end_of_its_packets() {
    let gateway = Gateway::start();
    let mut stream = connect(&gateway);
    stream.set_nodelay(true).expect("no delay");
    let request = [PUT, CLOSE, "Content-Length: 4\r\n\r\nm 1\n"].concat();
    for byte in request.as_bytes() {
        stream.write_all(&[*byte]).expect("a byte is taken");
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(gateway.pushed(), SHOWN);
}
