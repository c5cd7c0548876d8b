//! Addresses to listen on, as text.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address to listen on. Names are looked up when it is bound.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListenAddress {
    /// Which of the machine's addresses.
    pub host: Host,
    /// The TCP port; 0 lets the system choose a free one.
    pub port: u16,
}

/// The host part of a [`ListenAddress`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Host {
    /// All addresses of IPv4 and IPv6, by one socket where the system can.
    All,
    /// One address.
    Address(IpAddr),
    /// A name, or an IPv6 address with its zone (`fe80::1%eth0`).
    Name(String),
}

/// Why a text is not an address to listen on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenAddressError {
    /// It has no colon between host and port.
    #[error("expected host:port, such as :9091, 127.0.0.1:9091 or [::1]:9091")]
    NoPort,
    /// The port is no number from 0 to 65535.
    #[error("the port {0:?} is not a number from 0 to 65535")]
    BadPort(String),
    /// An IPv6 address without brackets.
    #[error("an IPv6 address is written in brackets, such as [::1]:9091")]
    NoBrackets,
    /// Neither an address nor a name.
    #[error("the host {0:?} is neither an address nor a name")]
    BadHost(String),
    /// A socket between virtual machines, as in `vsock://:9091`.
    #[error("vsock:// is not supported; only TCP addresses can be listened on, such as :9091")]
    Vsock,
    /// Something like `http://localhost:9091`.
    #[error("only TCP addresses can be listened on, such as :9091")]
    NotTcp,
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    /// Reads `host:port`. The host may be empty; that, `0.0.0.0` and `[::]` all
    /// mean all addresses of both families, as the Pushgateway has it.
    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if text.starts_with("vsock://") {
            return Err(ListenAddressError::Vsock);
        }
        if text.contains("://") {
            return Err(ListenAddressError::NotTcp);
        }
        let (host, port) = text.rsplit_once(':').ok_or(ListenAddressError::NoPort)?;
        let host = if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            bracketed(inner)
        } else if host.contains(':') {
            return Err(ListenAddressError::NoBrackets);
        } else {
            plain(host)
        };
        let host = host.ok_or_else(|| ListenAddressError::BadHost(shown_host(text)))?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        match port.parse() {
            Ok(port) if digits => Ok(Self { host, port }),
            _ => Err(ListenAddressError::BadPort(port.to_owned())),
        }
    }
}

fn shown_host(text: &str) -> String {
    text.rsplit_once(':')
        .map_or(text, |(host, _)| host)
        .to_owned()
}

fn bracketed(inner: &str) -> Option<Host> {
    match inner.split_once('%') {
        Some((address, zone)) if !zone.is_empty() && is_ipv6(address) => {
            Some(Host::Name(inner.to_owned()))
        }
        None if is_ipv6(inner) => address(inner),
        _ => None,
    }
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn plain(host: &str) -> Option<Host> {
    if host.is_empty() {
        return Some(Host::All);
    }
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    address(host).or_else(|| host.bytes().all(name).then(|| Host::Name(host.to_owned())))
}

fn address(text: &str) -> Option<Host> {
    let address: IpAddr = text.parse().ok()?;
    Some(if address.is_unspecified() {
        Host::All
    } else {
        Host::Address(address)
    })
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::All => write!(out, ":{}", self.port),
            Host::Address(IpAddr::V6(address)) => write!(out, "[{address}]:{}", self.port),
            Host::Address(address) => write!(out, "{address}:{}", self.port),
            Host::Name(name) if name.contains(':') => write!(out, "[{name}]:{}", self.port),
            Host::Name(name) => write!(out, "{name}:{}", self.port),
        }
    }
}
