//! A raw HTTP/1.1 client: one request, one connection, no cleverness, so that
//! a test sees what the server sent. It panics where a test would have to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest silence of a server before the test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer; of a chunked one the body is put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// As sent, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The first header of that name, in any letter case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body, bad UTF-8 replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request with `Host`, `Content-Length` and `Connection: close` beside
/// the given headers, and reads the answer to its end.
pub(crate) fn request(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let length = ("Content-Length", body.len().to_string());
    send(addr, method, path, headers, (length.0, &length.1), body)
}

/// The same with the body in chunks, as clients send what they do not know the length of.
pub(crate) fn request_in_chunks(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut chunked = Vec::new();
    for chunk in body.chunks(100) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let framing = ("Transfer-Encoding", "chunked");
    send(addr, method, path, headers, framing, &chunked)
}

fn send(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    framing: (&str, &str),
    body: &[u8],
) -> Response {
    let headers: Vec<String> = headers
        .iter()
        .chain([&framing])
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n{}\r\n",
        headers.concat(),
    );
    let raw = exchange(addr, &[head.as_bytes(), body].concat());
    parse(&raw, method == "HEAD")
}

/// Sends `bytes` as they are and returns all that comes back.
pub(crate) fn exchange(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).expect("the server accepts connections");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a timeout above zero");
    // A server may answer and close before it has read a refused body.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    if let Err(e) = stream.read_to_end(&mut answer) {
        assert!(!answer.is_empty(), "no answer from {addr}: {e}");
    }
    answer
}

/// An answer as it came, up to the end of its connection.
pub(crate) fn parse(raw: &[u8], is_head: bool) -> Response {
    let shown = || String::from_utf8_lossy(raw);
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no HTTP answer: {:?}", shown()));
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status line: {:?}", shown()));
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut response = Response {
        status,
        headers,
        body: raw[end + 4..].to_vec(),
    };
    if response.header("Transfer-Encoding") == Some("chunked") {
        response.body = unchunk(&response.body);
    } else if let Some(length) = response.header("Content-Length").filter(|_| !is_head) {
        assert_eq!(
            Ok(response.body.len()),
            length.parse(),
            "cut answer: {:?}",
            shown()
        );
    }
    response
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .expect("a chunk size");
        let size = std::str::from_utf8(&rest[..end]).expect("a chunk size in ASCII");
        let size = usize::from_str_radix(size, 16).expect("a chunk size in hex");
        if size == 0 {
            return body;
        }
        let start = end + 2;
        body.extend_from_slice(rest.get(start..start + size).expect("a whole chunk"));
        rest = &rest[start + size + 2..];
    }
}
