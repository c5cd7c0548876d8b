//! A client for a server that may die: one connection for many requests, errors as values.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::http::Response;

/// Longest silence of a server.
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection that is kept.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and waits for its answer.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: tidegate\r\nContent-Length: {length}\r\n");
        self.write(&format!("{head}\r\n{body}"))?;
        self.answer()
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        self.0.get_mut().write_all(text.as_bytes())
    }

    /// Reads the answer to the oldest request that has none.
    pub fn answer(&mut self) -> io::Result<Response> {
        let status = self.line()?;
        let status = status
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        let length = response.header("Content-Length").unwrap_or("0");
        let length: u64 = length.parse().map_err(io::Error::other)?;
        (&mut self.0).take(length).read_to_end(&mut response.body)?;
        if response.body.len() as u64 == length {
            Ok(response)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// One line of a head, without its end.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        if line.ends_with('\n') {
            Ok(line.trim_end().to_owned())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}
