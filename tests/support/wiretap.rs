//! A relay between a client and a server that keeps what passes through it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Relays connections to one server and records both directions.
pub struct Wiretap {
    address: SocketAddr,
    requests: Record,
    answers: Record,
}

type Record = Arc<Mutex<Vec<u8>>>;

impl Wiretap {
    /// Listens on a free port. The threads end with their connections, the listener with the test.
    pub fn in_front_of(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the bound address");
        let (requests, answers) = (Record::default(), Record::default());
        let records = (Arc::clone(&requests), Arc::clone(&answers));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(upstream) = TcpStream::connect(server) else {
                    continue;
                };
                relay(&client, &upstream, &records.0);
                relay(&upstream, &client, &records.1);
            }
        });
        Self {
            address,
            requests,
            answers,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything clients have sent so far.
    pub fn requests(&self) -> String {
        text(&self.requests)
    }

    /// Everything the server has sent so far; what is not UTF-8 is replaced.
    pub fn answers(&self) -> String {
        text(&self.answers)
    }
}

fn text(record: &Record) -> String {
    let bytes = record.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn relay(from: &TcpStream, to: &TcpStream, record: &Record) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
        return;
    };
    let record = Arc::clone(record);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            record
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        // Fails only when the other side is closed already.
        let _ = to.shutdown(Shutdown::Write);
    });
}
