//! How long does a start take, from opening the store to the last byte of the first scrape, over
//! HTTP, at 100,000 and 1,000,000 series: after a clean stop, and after a kill? The store's file is
//! in the system's cache.
//!
//!     cargo bench --bench start

mod stored;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use divan::Bencher;
use tempfile::TempDir;
use tidegate::clock::Clock;
use tidegate::gateway::{Gateway, GatewaySettings};
use tidegate::http::bind;
use tidegate::settings::ListenAddress;
use tidegate::store::{Batch, Place, Store};
use tidegate::ttl::{Ttl, TtlPolicy};
use tokio::runtime::Runtime;

/// 20 series each.
const GROUPS: [usize; 2] = [5_000, 50_000];

fn main() {
    divan::main();
}

#[divan::bench(args = GROUPS, sample_size = 1, sample_count = 7)]
fn after_a_clean_stop(bencher: Bencher<'_, '_>, groups: usize) {
    let folder = TempDir::new().expect("a folder");
    fill(folder.path(), groups).close().expect("a clean end");
    bencher.bench_local(|| first_scrape(folder.path()));
}

#[divan::bench(args = GROUPS, sample_size = 1, sample_count = 7)]
fn after_a_kill(bencher: Bencher<'_, '_>, groups: usize) {
    let (running, killed) = (TempDir::new(), TempDir::new());
    let running = running.expect("a folder");
    let store = fill(running.path(), groups);
    // What a process that is killed now would leave.
    let killed = killed.expect("a folder");
    bencher
        .with_inputs(|| {
            for file in running.path().read_dir().expect("a folder to list") {
                let file = file.expect("a file");
                std::fs::copy(file.path(), killed.path().join(file.file_name())).expect("a copy");
            }
        })
        .bench_local_values(|()| first_scrape(killed.path()));
    drop(store);
}

/// A store of so many groups, pushed in an order of their own over many commits.
fn fill(folder: &Path, groups: usize) -> Store {
    let store = Store::open(&Place::folder(folder)).expect("a store").store;
    let rows = stored::rows(groups);
    // 7919 is prime to both numbers of groups.
    let scattered: Vec<_> = (0..groups).map(|at| &rows[at * 7919 % groups]).collect();
    for some in scattered.chunks(500) {
        let batch = Batch {
            rows: some.iter().map(|row| (*row).clone()).collect(),
            ..Batch::default()
        };
        store.commit(&batch).expect("a commit");
    }
    store
}

/// A gateway that was scraped once. It is stopped outside of the measure.
struct Started {
    gateway: Option<Gateway>,
    runtime: Runtime,
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            self.runtime.block_on(gateway.stop());
        }
    }
}

fn first_scrape(folder: &Path) -> Started {
    let settings = GatewaySettings {
        policy: TtlPolicy {
            default: Ttl::Never,
            ..TtlPolicy::default()
        },
        ..GatewaySettings::new(Place::folder(folder), Clock::system())
    };
    let runtime = Runtime::new().expect("a runtime");
    let gateway = runtime.block_on(async {
        let address: ListenAddress = "127.0.0.1:0".parse().expect("an address");
        let listeners = bind(&[address]).expect("a free port");
        let started = Gateway::start(settings, listeners).await;
        started.expect("a start").0
    });
    let mut stream = TcpStream::connect(gateway.addresses()[0]).expect("a connection");
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    Started {
        gateway: Some(gateway),
        runtime,
    }
}
