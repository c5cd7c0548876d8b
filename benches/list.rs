//! What does a list with a matcher cost at 100,000 groups of 20 series, from the query to the last
//! byte of the JSON, over HTTP: by equality, by a regular expression, by a negated one? Every
//! group's row is read from the store and tried. It must stay below a second.
//!
//!     cargo bench --bench list

mod stored;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use divan::Bencher;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;
use tidegate::clock::Clock;
use tidegate::gateway::{Gateway, GatewaySettings};
use tidegate::http::bind;
use tidegate::settings::ListenAddress;
use tidegate::store::{Batch, Place, Store};
use tidegate::ttl::{Ttl, TtlPolicy};
use tokio::runtime::Runtime;

const GROUPS: usize = 100_000;

fn main() {
    divan::main();
}

/// Instances are called `host-000000` to `host-099999`.
#[divan::bench(sample_size = 1, sample_count = 20)]
fn equality(bencher: Bencher<'_, '_>) {
    list(bencher, r#"{instance="host-099999"}"#, 1);
}

#[divan::bench(sample_size = 1, sample_count = 20)]
fn regex(bencher: Bencher<'_, '_>) {
    list(bencher, r#"{instance=~"host-.*(77|99)7"}"#, 200);
}

#[divan::bench(sample_size = 1, sample_count = 20)]
fn negative_regex(bencher: Bencher<'_, '_>) {
    list(bencher, r#"{job=~".+",instance!~"host-.*[0-8]|x.*"}"#, 1000);
}

/// Asks for the largest page of what matches, the next to expire first.
fn list(bencher: Bencher<'_, '_>, selector: &str, expected: usize) {
    let running = Running::start();
    let selector = utf8_percent_encode(selector, NON_ALPHANUMERIC);
    let path = format!("/api/v1/groups?match[]={selector}&sort=expires&limit=1000");
    assert_eq!(running.get(&path).matches(r#""labels":"#).count(), expected);
    bencher.bench_local(|| running.get(&path));
}

/// A gateway with its groups.
struct Running {
    address: SocketAddr,
    _gateway: Gateway,
    _runtime: Runtime,
    _folder: TempDir,
}

impl Running {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let place = Place::folder(folder.path());
        let store = Store::open(&place).expect("a store").store;
        let batch = Batch {
            rows: stored::rows(GROUPS).into_iter().collect(),
            ..Batch::default()
        };
        store.commit(&batch).expect("a commit");
        store.close().expect("a clean end");
        let settings = GatewaySettings {
            policy: TtlPolicy {
                default: Ttl::Never,
                ..TtlPolicy::default()
            },
            ..GatewaySettings::new(place, Clock::system())
        };
        let runtime = Runtime::new().expect("a runtime");
        let gateway = runtime.block_on(async {
            let address: ListenAddress = "127.0.0.1:0".parse().expect("an address");
            let listeners = bind(&[address]).expect("a free port");
            let started = Gateway::start(settings, listeners).await;
            started.expect("a start").0
        });
        Self {
            address: gateway.addresses()[0],
            _gateway: gateway,
            _runtime: runtime,
            _folder: folder,
        }
    }

    /// Body and head of the answer.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }
}
