//! Servers with canned answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::pki_types::PrivateKeyDer;

/// A server that gives these answers in turn, one a connection, and then ends.
pub(super) struct Canned {
    pub(super) address: String,
    thread: JoinHandle<Vec<String>>,
}

impl Canned {
    /// Answers are a status line's code and words, and a body.
    pub(super) fn start(answers: &[(&str, String)]) -> Self {
        Self::serve(answers, "http", exchange)
    }

    pub(super) fn serve(
        answers: &[(&str, String)],
        scheme: &str,
        serve: impl Fn(TcpStream, &str) -> String + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let answers: Vec<String> = answers
            .iter()
            .map(|(status, body)| {
                let length = body.len();
                format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            })
            .collect();
        let thread = std::thread::spawn(move || {
            let answers = answers.iter();
            answers
                .map(|answer| serve(listener.accept().unwrap().0, answer))
                .collect()
        });
        Self { address, thread }
    }

    /// The requests that came: request line, the headers the tests look at, body.
    pub(super) fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// Reads one request, answers it, and tells what it was.
pub(super) fn exchange(stream: impl Read + Write, answer: &str) -> String {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).unwrap();
    request = request.trim_end().replace(" HTTP/1.1", "");
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(": ") {
            None => break,
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("authorization", _)) => request = format!("{request} [{line}]"),
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    if length > 0 {
        request = format!("{request} {}", String::from_utf8(body).unwrap());
    }
    let stream = stream.get_mut();
    // A client that does not trust the server is gone by now.
    let _ = stream
        .write_all(answer.as_bytes())
        .and_then(|()| stream.flush());
    request
}

/// A certificate for 127.0.0.1, and a server's TLS settings with it.
pub(super) fn certified() -> (String, Arc<rustls::ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (made.cert.pem(), Arc::new(config))
}
