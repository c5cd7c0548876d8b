//! Listening sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use listenfd::ListenFd;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::limits::LISTEN_BACKLOG;
use crate::settings::{Host, ListenAddress};

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// The address in use, its port known even where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Binds every address. Must be called within a tokio runtime.
///
/// # Errors
/// Names the address that could not be bound; none is then left bound.
pub fn bind(addresses: &[ListenAddress]) -> io::Result<Vec<Listener>> {
    addresses
        .iter()
        .map(|address| {
            bind_one(address).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            })
        })
        .collect()
}

/// The sockets that the service manager (systemd) holds open for this process, by
/// `LISTEN_FDS` and `LISTEN_PID`. Must be called within a tokio runtime.
///
/// # Errors
/// If there are none, or one is no listening TCP socket.
pub fn inherited() -> io::Result<Vec<Listener>> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() == 0 {
        let text = "--web.systemd-socket: the service manager gave no socket (LISTEN_FDS)";
        return Err(io::Error::other(text));
    }
    let mut listeners = Vec::new();
    for number in 0..sockets.len() {
        let taken = sockets.take_tcp_listener(number).and_then(|socket| {
            let socket = socket.ok_or_else(|| io::Error::other("it is gone"))?;
            socket.set_nonblocking(true)?;
            let socket = TcpListener::from_std(socket)?;
            let address = socket.local_addr()?;
            Ok(Listener { socket, address })
        });
        let named = |error: io::Error| {
            let text = format!("--web.systemd-socket: socket {number} is no TCP listener: {error}");
            io::Error::new(error.kind(), text)
        };
        listeners.push(taken.map_err(named)?);
    }
    Ok(listeners)
}

fn bind_one(address: &ListenAddress) -> io::Result<Listener> {
    let port = address.port;
    let socket = match &address.host {
        Host::All => match open((Ipv6Addr::UNSPECIFIED, port).into()) {
            // A kernel without IPv6.
            Err(error) if error.raw_os_error() == Some(NO_IPV6) => {
                open((Ipv4Addr::UNSPECIFIED, port).into())?
            }
            bound => bound?,
        },
        Host::Address(ip) => open((*ip, port).into())?,
        Host::Name(name) => open(resolve(name, port)?)?,
    };
    let socket = TcpListener::from_std(socket.into())?;
    let address = socket.local_addr()?;
    Ok(Listener { socket, address })
}

/// `EAFNOSUPPORT`.
const NO_IPV6: i32 = 97;

/// IPv4 first, as Go does for a name that has both.
fn resolve(name: &str, port: u16) -> io::Result<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = (name, port).to_socket_addrs()?.collect();
    addresses.sort_by_key(|address| matches!(address.ip(), IpAddr::V6(_)));
    addresses
        .into_iter()
        .next()
        .ok_or_else(|| io::Error::other("the name has no address"))
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // One socket for both families where all addresses are meant.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(LISTEN_BACKLOG).unwrap_or(i32::MAX))?;
    Ok(socket)
}
