//! What the program tells a service manager such as systemd.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// A service manager's end of `NOTIFY_SOCKET`.
pub struct Manager(UnixDatagram);

impl Manager {
    /// Listens at this path, which nobody else has.
    pub fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket");
        socket
            .set_read_timeout(Some(Duration::from_mins(1)))
            .expect("a timeout");
        Self(socket)
    }

    /// The next message; waits for it.
    pub fn told(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}
