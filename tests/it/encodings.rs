//! `Content-Encoding`, which the Pushgateway undoes for every route but the API: section 2.1 of
//! its behaviour. What Debian's 1.5.1 lacks (snappy, any case) can only be held here.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use snap::write::FrameEncoder;

use crate::harness::Gateway;

const PUSH: &str = "/metrics/job/a";

fn framed(body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(Vec::new());
    encoder.write_all(body.as_ref()).expect("memory takes it");
    encoder.into_inner().expect("memory takes it")
}

fn gzipped(body: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Sends and shows status and text.
fn answer(
    gateway: &Gateway,
    method: &str,
    path: &str,
    encoding: &str,
    body: &[u8],
) -> (u16, String) {
    let answer = gateway.send(method, path, &[("Content-Encoding", encoding)], body);
    (answer.status, answer.text())
}

/// The framing format, in any case of the word; streams may follow each other.
#[test]
fn framed_snappy_bodies_are_inflated() {
    let gateway = Gateway::start();
    let two = [framed("m 1\n"), framed("k 2\n")].concat();
    for (encoding, body) in [("snappy", framed("m 1\n")), ("SNAPPY", two)] {
        let answer = answer(&gateway, "PUT", PUSH, encoding, &body);
        assert_eq!(answer, (200, String::new()));
        assert!(gateway.pushed().contains("m{instance=\"\",job=\"a\"} 1\n"));
    }
    assert!(gateway.pushed().contains("k{instance=\"\",job=\"a\"} 2\n"));
}

/// An empty body is an empty push, unlike with gzip.
#[test]
fn an_empty_snappy_body_is_an_empty_push() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    assert_eq!(
        answer(&gateway, "PUT", PUSH, "snappy", b""),
        (200, String::new())
    );
    assert_eq!(gateway.pushed(), "");
    assert!(
        gateway
            .value("push_time_seconds{instance=\"\",job=\"a\"}")
            .is_some()
    );
}

/// What is not framed, or cut, is `corrupt`; a reserved chunk is `unsupported`. Nothing is stored.
#[test]
fn broken_snappy_bodies_are_refused_in_the_originals_words() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    let before = gateway.exposition();
    let whole = framed("m 2\n");
    let block = snap::raw::Encoder::new()
        .compress_vec(b"m 2\n")
        .expect("a block");
    let reserved = [&whole[..], &[0x02, 0, 0, 0]].concat();
    for (body, text) in [
        (b"m 2\n".to_vec(), "snappy: corrupt input\n"),
        (block, "snappy: corrupt input\n"),
        (whole[..whole.len() - 1].to_vec(), "snappy: corrupt input\n"),
        (reserved, "snappy: unsupported input\n"),
    ] {
        assert_eq!(
            answer(&gateway, "PUT", PUSH, "snappy", &body),
            (400, text.to_owned())
        );
        assert_eq!(gateway.exposition(), before);
    }
}

/// The original has no bound; ours is that of gzip.
#[test]
fn a_snappy_bomb_is_stopped() {
    let gateway = Gateway::start();
    // Each chunk of 64 KiB of blanks takes about 3 KiB.
    let chunk = framed(vec![b' '; 1 << 16]);
    let body = chunk.repeat((256 << 20) / (1 << 16) + 1);
    let (status, text) = answer(&gateway, "PUT", PUSH, "snappy", &body);
    assert_eq!(status, 413);
    assert!(
        text.starts_with("request body is larger than 268435456 bytes"),
        "{text}"
    );
}

/// gzip is looked at before anything else is, on every route but the API.
#[test]
fn every_route_but_the_api_wants_gzip_to_be_gzip() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    for (method, path) in [
        ("DELETE", PUSH),
        ("GET", "/metrics"),
        ("GET", "/-/healthy"),
        ("GET", "/nothing"),
        ("POST", "/metrics"),
        ("OPTIONS", "/metrics"),
    ] {
        for (body, text) in [
            (&b""[..], "EOF\n"),
            (b"m 1\n", "unexpected EOF\n"),
            (b"m 1\nm 2\nm 3\n", "gzip: invalid header\n"),
        ] {
            let answer = answer(&gateway, method, path, "GZip", body);
            assert_eq!(answer, (400, text.to_owned()), "{method} {path}");
        }
        // Snappy is only undone where the body is read.
        let (status, text) = answer(&gateway, method, path, "snappy", b"m 1\n");
        assert_ne!(status, 400, "{method} {path}: {text}");
        gateway.put("job/a", "m 1\n");
    }
    let groups = gateway.send("GET", "/api/v1/groups", &[("Content-Encoding", "gzip")], "");
    assert_eq!(groups.status, 200);
}

/// DELETE reads the gzip header and no more: what is in it, or wrong behind it, counts for nothing.
#[test]
fn a_delete_ignores_what_a_sound_gzip_body_holds() {
    let gateway = Gateway::start();
    let mut broken = gzipped("no metrics");
    broken.truncate(12);
    for body in [gzipped("m 2\n"), gzipped("no metrics"), broken] {
        gateway.put("job/a", "m 1\n");
        assert_eq!(
            answer(&gateway, "DELETE", PUSH, "gzip", &body),
            (202, String::new())
        );
        assert_eq!(gateway.pushed(), "");
    }
    assert_eq!(
        answer(&gateway, "GET", "/-/healthy", "gzip", &gzipped("")),
        (200, "OK".to_owned())
    );
}
