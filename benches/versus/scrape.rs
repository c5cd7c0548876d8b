//! Scrapes, timed from the request to the last byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use tidegate::clock::Stopwatch;

/// Milliseconds of one scrape.
pub(crate) fn once(address: SocketAddr, gzip: bool) -> f64 {
    let mut stream = TcpStream::connect(address).expect("connect");
    let encoding = if gzip {
        "Accept-Encoding: gzip\r\n"
    } else {
        ""
    };
    let watch = Stopwatch::start();
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{encoding}\r\n");
    stream.write_all(request.as_bytes()).expect("send");
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    let mut status = String::new();
    loop {
        let read = stream.read(&mut buffer).expect("read");
        if total == 0 {
            status = String::from_utf8_lossy(&buffer[..read.min(15)]).into_owned();
        }
        total += read;
        if read == 0 {
            break;
        }
    }
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    watch.seconds() * 1e3
}

/// The middle one of several scrapes, milliseconds.
pub(crate) fn median(address: SocketAddr, gzip: bool, times: usize) -> f64 {
    let mut all: Vec<f64> = (0..times).map(|_| once(address, gzip)).collect();
    all.sort_by(f64::total_cmp);
    all[times / 2]
}
