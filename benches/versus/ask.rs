//! Single requests, timed from the connect to the last byte.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use tidegate::clock::Stopwatch;

/// An answer; its body is only counted.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) ms: f64,
    pub(crate) bytes: usize,
}

/// The form in which a scrape asks for its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scrape {
    pub(crate) protobuf: bool,
    pub(crate) gzip: bool,
}

impl Scrape {
    pub(crate) const TEXT: Self = Self {
        protobuf: false,
        gzip: false,
    };
    pub(crate) const TEXT_GZIP: Self = Self {
        gzip: true,
        ..Self::TEXT
    };
    pub(crate) const PROTOBUF: Self = Self {
        protobuf: true,
        gzip: false,
    };
    pub(crate) const PROTOBUF_GZIP: Self = Self {
        gzip: true,
        ..Self::PROTOBUF
    };

    fn headers(self) -> String {
        let accept = if self.protobuf {
            "Accept: application/vnd.google.protobuf;\
             proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n"
        } else {
            ""
        };
        let encoding = if self.gzip {
            "Accept-Encoding: gzip\r\n"
        } else {
            ""
        };
        format!("{accept}{encoding}")
    }

    /// Scrapes once.
    pub(crate) fn once(self, address: SocketAddr) -> Answer {
        let answer = ask(address, "GET", "/metrics", &self.headers(), b"", |_| {});
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "the status of a scrape");
        answer
    }
}

/// A request that may be answered with any status, or not at all.
pub(crate) fn try_get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    ask(address, "GET", path, "", b"", |_| {})
}

/// A request that has to succeed.
pub(crate) fn done(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> Answer {
    let answer = ask(address, method, path, "", body, |_| {}).expect("an answer");
    let status = answer.status;
    assert!((200..300).contains(&status), "{method} {path}: {status}");
    answer
}

/// The body of an answer that has to succeed, as text.
pub(crate) fn text(address: SocketAddr, method: &str, path: &str) -> String {
    let mut body = Vec::new();
    let answer = ask(address, method, path, "", b"", |part| {
        body.extend_from_slice(part);
    });
    assert_eq!(answer.expect("an answer").status, 200, "{method} {path}");
    String::from_utf8(body).expect("text")
}

/// Sends one request on a connection of its own and reads its answer to the end, and checks that it
/// is whole. `take` is given the body in parts, in chunked answers with the lengths between them.
///
/// No client library: the copies of a hundred megabytes would be measured too.
fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
    mut take: impl FnMut(&[u8]),
) -> io::Result<Answer> {
    let watch = Stopwatch::start();
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut buffer = vec![0; 1 << 20];
    let (head, first) = read_head(&mut stream, &mut buffer)?;
    take(&first);
    let (mut bytes, mut tail) = (first.len(), first);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        take(&buffer[..read]);
        bytes += read;
        tail.extend_from_slice(&buffer[read.saturating_sub(LAST_CHUNK.len())..read]);
        tail.drain(..tail.len().saturating_sub(LAST_CHUNK.len()));
    }
    let is_whole = match head.length {
        Some(length) => length == bytes,
        None => tail.ends_with(LAST_CHUNK),
    };
    if !is_whole {
        return Err(io::Error::other("an answer that was cut off"));
    }
    Ok(Answer {
        status: head.status,
        ms: watch.seconds() * 1e3,
        bytes,
    })
}

/// The end of a chunked answer.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

struct Head {
    status: u16,
    /// `None`: the answer is chunked.
    length: Option<usize>,
}

/// Reads until the head has ended; also what came of the body with it.
fn read_head(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<(Head, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let read = stream.read(buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&buffer[..read]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let first = head.split_off(end + 4);
            return Ok((Head::parse(&head), first));
        }
    }
}

impl Head {
    fn parse(head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let status = head.split(' ').nth(1);
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        Self {
            status: status
                .and_then(|status| status.parse().ok())
                .unwrap_or_default(),
            length: length.and_then(|length| length.trim().parse().ok()),
        }
    }
}
