//! The first line of a connection in HTTP/1, with bytes escaped that the `http` crate refuses
//! in an address and the Pushgateway takes: `curl` sends what was typed.
//!
//! Only there is it certain, without reading requests here too, that a line is a request's.
//! Such a connection ends with its first answer, so that a client that writes so writes the
//! next request on another one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Busy;

/// A stream whose first line is escaped as it is read. Of what is read nothing is kept but the
/// part of one read that has become too long for it.
pub(super) struct FirstLine<S> {
    stream: S,
    busy: Busy,
    is_over: bool,
    /// What did not fit.
    left: Bytes,
}

/// Whether a byte of the line has to be escaped. None of them has a meaning in a method or
/// version, so it does not matter where in the line the address is.
fn is_raw(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'`' | b'#' | 0x80..)
}

impl<S> FirstLine<S> {
    pub(super) fn new(stream: S, busy: Busy) -> Self {
        Self {
            stream,
            busy,
            is_over: false,
            left: Bytes::new(),
        }
    }

    /// Escapes what has been read behind `start`, up to the line's end.
    fn escape(&mut self, buf: &mut ReadBuf<'_>, start: usize) {
        let new = &buf.filled()[start..];
        let end = memchr::memchr(b'\n', new);
        self.is_over = end.is_some();
        let line = &new[..end.unwrap_or(new.len())];
        let Some(first) = line.iter().position(|byte| is_raw(*byte)) else {
            return;
        };
        self.busy.end_after_answer();
        let mut escaped = Vec::with_capacity(3 * new.len());
        for byte in &line[first..] {
            if is_raw(*byte) {
                escaped.extend(format!("%{byte:02X}").into_bytes());
            } else {
                escaped.push(*byte);
            }
        }
        escaped.extend_from_slice(&new[line.len()..]);
        self.left = escaped.into();
        buf.set_filled(start + first);
        self.hand_over(buf);
    }

    fn hand_over(&mut self, buf: &mut ReadBuf<'_>) {
        let fits = self.left.len().min(buf.remaining());
        buf.put_slice(&self.left.split_to(fits));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstLine<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.left.is_empty() {
            self.hand_over(buf);
            return Poll::Ready(Ok(()));
        }
        let start = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if !self.is_over {
            self.escape(buf, start);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstLine<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio::io::AsyncReadExt;

    use super::*;

    const REQUEST: &[u8] = b"PUT /j/a<b>#`\"\xc3\xa9?x=\"<\" HTTP/1.1\r\nX: <\r\n\r\n<body>\n<";
    const ESCAPED: &[u8] =
        b"PUT /j/a%3Cb%3E%23%60%22%C3%A9?x=%22%3C%22 HTTP/1.1\r\nX: <\r\n\r\n<body>\n<";

    /// A stream of these bytes, so many of them a read at most.
    async fn read(bytes: &[u8], a_read: usize, a_write: usize) -> (Vec<u8>, bool) {
        let busy = Busy::default();
        let (mut client, server) = tokio::io::duplex(a_write);
        let mut stream = FirstLine::new(server, busy.clone());
        let write = async {
            tokio::io::copy(&mut Cursor::new(bytes), &mut client)
                .await
                .unwrap();
            drop(client);
        };
        let take = async {
            let mut all = Vec::new();
            let mut part = vec![0; a_read];
            loop {
                let read = stream.read(&mut part).await.unwrap();
                if read == 0 {
                    return all;
                }
                all.extend_from_slice(&part[..read]);
            }
        };
        let ((), all) = tokio::join!(write, take);
        (all, busy.ends_after_answer())
    }

    #[tokio::test]
    async fn the_first_line_alone_is_escaped_however_it_comes() {
        for a_read in [1, 2, 3, 7, 1000] {
            for a_write in [1, 5, 1000] {
                let (all, ends) = read(REQUEST, a_read, a_write).await;
                assert_eq!(all, ESCAPED, "{a_read} {a_write}");
                assert!(ends);
            }
        }
    }

    #[tokio::test]
    async fn a_line_without_such_bytes_is_left_alone() {
        let request = b"GET /%3C?x={a=%22}|^\\ HTTP/1.1\r\nX: <\r\n\r\nGET /< HTTP/1.1\r\n\r\n";
        for a_read in [1, 1000] {
            let (all, ends) = read(request, a_read, 1000).await;
            assert_eq!((all.as_slice(), ends), (&request[..], false));
        }
    }
}
