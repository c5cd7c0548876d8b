//! A scrape by HTTP/2 counts for groups that wait for one when its last byte has left, whatever else
//! its connection carries meanwhile.

use std::sync::Arc;

use axum::http::{Method, Request};
use bytes::Bytes;
use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tidegate::clock::{Clock, ManualClock, UnixNanos};
use tidegate::gateway::GatewaySettings;
use tidegate::http::{Doors, Gate};
use tidegate::model::Selector;
use tidegate::store::Place;
use tidegate::ttl::{Hold, Rule, Rules, Ttl, TtlPolicy};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

use crate::servers::{Folder, TLS};
use crate::support::in_process::InProcess;
use crate::support::{LIMIT, eventually};

const START: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

/// Bytes that the peer has no room for, fewer than the last family has.
const STUCK: u32 = 1000;

/// The most that HTTP/2 has room for.
const WIDE: u32 = (1 << 31) - 1;

/// A gateway by TLS with one group, which is overdue until it has been scraped.
struct Held {
    gateway: InProcess,
    folder: Folder,
    runtime: Runtime,
    hands: ManualClock,
}

/// One connection to it.
struct Client<'a> {
    held: &'a Held,
    send: SendRequest<Bytes>,
}

impl Held {
    fn new() -> Self {
        let (folder, _) = Folder::new();
        folder.write("web.yml", TLS);
        let (clock, hands) = Clock::manual(START);
        let gate = Gate::open(&folder.file("web.yml"), clock.clone()).expect("a sound file");
        let rule = Rule {
            name: "held".into(),
            selector: Selector::parse("{}").expect("a selector"),
            ttl: Ttl::After(std::time::Duration::from_secs(10)),
            hold: Some(Hold::UntilScraped),
        };
        let gateway = InProcess::with(GatewaySettings {
            policy: TtlPolicy {
                rules: Arc::new(Rules::new(vec![rule])),
                ..TtlPolicy::default()
            },
            doors: Doors {
                gate: Some(Arc::new(gate)),
                ..Doors::default()
            },
            ..GatewaySettings::new(Place::folder(folder.file("store")), clock)
        });
        let held = Self {
            gateway: gateway.expect("a start"),
            folder,
            runtime: Runtime::new().expect("a runtime"),
            hands,
        };
        let mut client = held.connect(WIDE);
        let line = |n| format!("zz{{n=\"{n}\"}} 1\n");
        let body: String = (0..500).map(line).collect();
        let (status, _) = client.ask(Method::PUT, "/metrics/job/h", &[], body);
        assert_eq!(status, 200);
        held.hands.advance(std::time::Duration::from_secs(10));
        assert_eq!(client.overdue(), 1);
        held
    }

    /// A connection whose peer takes so many bytes of each answer before it is asked for more.
    fn connect(&self, window: u32) -> Client<'_> {
        let certificate = CertificateDer::from_pem_file(self.folder.file("ca.pem"));
        let mut roots = RootCertStore::empty();
        roots
            .add(certificate.expect("a certificate"))
            .expect("one that can be trusted");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config
            .with_safe_default_protocol_versions()
            .expect("versions");
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let address = self.gateway.address();
        let send = self.runtime.block_on(async {
            let stream = TcpStream::connect(address).await.expect("a connection");
            let name = ServerName::from(address.ip());
            let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
            let stream = stream.await.expect("a handshake");
            let mut builder = Builder::new();
            builder
                .initial_window_size(window)
                .initial_connection_window_size(WIDE);
            let (send, connection) = builder.handshake(stream).await.expect("HTTP/2");
            tokio::spawn(connection);
            send
        });
        Client { held: self, send }
    }
}

impl Client<'_> {
    /// Asks; the answer begins.
    fn begin(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> axum::http::Response<RecvStream> {
        let uri = format!("https://{}{path}", self.held.gateway.address());
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        self.held.runtime.block_on(async {
            // A stream that is answered before the end of its request may be gone by then.
            let is_bare = body.is_empty();
            let sent = self.send.send_request(request, is_bare);
            let (answer, mut sending) = sent.expect("a stream");
            if !is_bare {
                sending.send_data(body.into(), true).expect("a body");
            }
            answer.await.expect("an answer")
        })
    }

    /// Status and body.
    fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (u16, Vec<u8>) {
        let answer = self.begin(method, path, headers, body);
        (answer.status().as_u16(), self.rest(answer.into_body()))
    }

    fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let (status, body) = self.ask(Method::GET, path, headers, String::new());
        assert_eq!(status, 200, "{path}");
        body
    }

    /// Takes all that is left.
    fn rest(&self, mut body: RecvStream) -> Vec<u8> {
        self.held.runtime.block_on(async {
            let mut bytes = Vec::new();
            while let Some(piece) = body.data().await {
                let piece = piece.expect("a piece");
                let window = body.flow_control();
                window
                    .release_capacity(piece.len())
                    .expect("a larger window");
                bytes.extend(piece);
            }
            bytes
        })
    }

    /// Takes so many bytes and leaves the rest.
    fn take(&self, body: &mut RecvStream, most: u32) {
        self.held.runtime.block_on(async {
            let mut taken = 0;
            while taken < most as usize {
                let piece = body.data().await.expect("a piece");
                taken += piece.expect("a piece").len();
            }
        });
    }

    /// How many groups are overdue.
    fn overdue(&mut self) -> usize {
        let body = self.get("/api/v1/groups?state=overdue", &[]);
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        answer["data"]["groups"].as_array().expect("groups").len()
    }

    fn becomes_scraped(&mut self) {
        eventually(LIMIT, "a group that is gone", || match self.overdue() {
            0 => Ok(()),
            left => Err(left.to_string()),
        });
    }
}

/// A scrape whose last bytes its peer has no room for, and its connection.
fn stuck(held: &Held) -> (Client<'_>, RecvStream) {
    let seen = held
        .connect(WIDE)
        .begin(Method::HEAD, "/metrics", &[], String::new());
    let length = seen.headers()["content-length"].to_str().expect("a number");
    let window = length.parse::<u32>().expect("a number") - STUCK;
    let mut client = held.connect(window);
    let scrape = client.begin(Method::GET, "/metrics", &[], String::new());
    let mut body = scrape.into_body();
    client.take(&mut body, window);
    // The connection is flushed for other requests meanwhile.
    for _ in 0..3 {
        assert_eq!(client.get("/-/ready", &[]), b"OK");
    }
    assert_eq!(client.overdue(), 1, "a scrape that has not arrived counts");
    (client, body)
}

#[test]
fn a_scrape_counts_when_its_peer_has_had_room_for_all_of_it() {
    let held = Held::new();
    let (mut client, mut body) = stuck(&held);
    let window = body.flow_control();
    let taken = window.used_capacity();
    window.release_capacity(taken).expect("a larger window");
    assert!(!client.rest(body).is_empty());
    client.becomes_scraped();
}

#[test]
fn a_scrape_that_its_peer_takes_back_does_not_count() {
    let held = Held::new();
    let (mut client, body) = stuck(&held);
    drop(body);
    for _ in 0..3 {
        assert_eq!(client.get("/-/ready", &[]), b"OK");
    }
    assert_eq!(client.overdue(), 1);
    client.get("/metrics", &[]);
    client.becomes_scraped();
}

#[test]
fn a_scrape_in_any_form_counts_by_http2_too() {
    const TEXT: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                        encoding=text";
    let zipped = ("accept-encoding", "gzip");
    for headers in [
        &[][..],
        &[zipped],
        &[("accept", TEXT)],
        &[("accept", TEXT), zipped],
    ] {
        let held = Held::new();
        let mut client = held.connect(WIDE);
        client.get("/metrics", headers);
        client.becomes_scraped();
    }
}
