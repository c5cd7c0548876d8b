//! The flags made into checked values, once; the rest of the program sees only
//! these.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

pub use crate::config::Faults;
use crate::config::{PolicySource, TtlFlags, complaint};
use crate::flags::{Exit, Flags};
use crate::limits::BODY_BYTES_IN_FLIGHT;
use crate::ttl::TtlPolicy;
use crate::{duration, log};

/// What the operator decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where to listen; at least one.
    pub listen: Vec<ListenAddress>,
    /// The folder of the store, perhaps relative to the working directory.
    pub store: PathBuf,
    /// How long groups live, as config file and flags have it at start.
    pub ttl: TtlPolicy,
    /// Where that came from, to load it again.
    pub policy_source: PolicySource,
    /// How long records of expired and deleted groups are kept; zero: not at all.
    pub ttl_history: Duration,
    /// For how long after the start nothing expires.
    pub ttl_startup_grace: Duration,
    /// Whether the config can be reloaded and the program be ended by HTTP.
    pub enable_lifecycle: bool,
    /// Whether groups can be deleted and their TTLs changed by the API.
    pub enable_admin_api: bool,
    /// Largest request body as sent, in bytes; from 1 to [`BODY_BYTES_IN_FLIGHT`].
    pub max_body: usize,
    /// Messages below it are not logged.
    pub log_level: tracing::Level,
    /// Form of a log line.
    pub log_format: log::Format,
    /// What to log once at start.
    pub notices: Vec<String>,
}

impl From<Faults> for Exit {
    fn from(faults: Faults) -> Self {
        Self::refused(faults)
    }
}

impl Settings {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// All faults at once, so that nobody has to find them one start at a time.
    pub fn from_flags(flags: Flags) -> Result<Self, Faults> {
        let mut check = Check {
            flags: &flags,
            faults: Vec::new(),
            notices: Vec::new(),
        };
        let listen = check.listen();
        let policy_source = check.policy_source();
        let ttl = check.policy(&policy_source);
        let ttl_history = check.value("ttl.history", &flags.ttl_history, duration::parse);
        let ttl_startup_grace = check.value(
            "ttl.startup-grace",
            &flags.ttl_startup_grace,
            duration::parse,
        );
        let max_body = check.value("push.max-body-size", &flags.max_body_size, body_size);
        let log_level = check.value("log.level", &flags.log_level, log::parse_level);
        let log_format = check.value("log.format", &flags.log_format, str::parse);
        check.persistence_interval();
        let store = check.store();
        let Check {
            faults,
            mut notices,
            ..
        } = check;
        if !faults.is_empty() {
            return Err(Faults::new(faults));
        }
        notices.splice(0..0, flags.notices);
        let settings = || {
            Some(Self {
                listen,
                store,
                ttl: ttl?,
                policy_source,
                ttl_history: ttl_history?,
                ttl_startup_grace: ttl_startup_grace?,
                enable_lifecycle: flags.enable_lifecycle,
                enable_admin_api: flags.enable_admin_api,
                max_body: max_body?,
                log_level: log_level?,
                log_format: log_format?,
                notices,
            })
        };
        // Nothing is missing: a value that could not be read is a fault.
        settings().ok_or_else(Faults::default)
    }
}

/// The flags and what was found in them so far.
struct Check<'a> {
    flags: &'a Flags,
    faults: Vec<String>,
    notices: Vec<String>,
}

impl Check<'_> {
    /// The value of a flag, or a fault.
    fn value<T, E: fmt::Display>(
        &mut self,
        flag: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(text)
            .map_err(|reason| self.fault(flag, text, &reason))
            .ok()
    }

    fn fault(&mut self, flag: &str, text: &str, reason: &dyn fmt::Display) {
        let flag = self.flags.spelled(flag);
        self.faults.push(complaint(text, &flag, reason));
    }

    fn listen(&mut self) -> Vec<ListenAddress> {
        let flags = self.flags;
        let texts = flags.listen_addresses.iter();
        texts
            .filter_map(|text| self.value("web.listen-address", text, str::parse))
            .collect()
    }

    fn policy_source(&mut self) -> PolicySource {
        let file = self.flags.config_file.as_ref();
        PolicySource {
            file: file.filter(|file| !file.is_empty()).map(PathBuf::from),
            flags: TtlFlags::read(self.flags, &mut self.faults),
        }
    }

    fn policy(&mut self, source: &PolicySource) -> Option<TtlPolicy> {
        let loaded = source.load();
        loaded
            .map_err(|faults| self.faults.extend(faults.into_lines()))
            .ok()
    }

    /// Where the store is. `--storage.path` beats `--persistence.file`, whose
    /// file the Pushgateway may still own: the store goes beside it.
    fn store(&mut self) -> PathBuf {
        let flags = self.flags;
        let file = flags
            .persistence_file
            .as_deref()
            .filter(|file| !file.is_empty())
            .map(Path::new);
        match (&flags.storage_path, file) {
            (Some(folder), _) if folder.is_empty() => {
                self.fault("storage.path", "", &"expected the path of a folder");
                PathBuf::new()
            }
            (Some(folder), file) => {
                if file.is_some() {
                    let notice = "--persistence.file is not used because --storage.path is given";
                    self.notices.push(notice.to_owned());
                }
                PathBuf::from(folder)
            }
            (None, Some(file)) => {
                // Through its components, so that a closing slash does not count.
                let mut folder = OsString::from(file.components().as_path());
                folder.push(".tidegate");
                self.notices.push(format!(
                    "the store is the folder {}; the file of --persistence.file is left alone",
                    Path::new(&folder).display()
                ));
                PathBuf::from(folder)
            }
            (None, None) => PathBuf::from("data/"),
        }
    }

    fn persistence_interval(&mut self) {
        let flags = self.flags;
        let Some(text) = &flags.persistence_interval else {
            return;
        };
        if self
            .value("persistence.interval", text, duration::parse)
            .is_some()
        {
            let notice =
                "--persistence.interval has no effect: every push is on disk when it is answered";
            self.notices.push(notice.to_owned());
        }
    }
}

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
    /// Something like `vsock://:9091`.
    #[error("only TCP addresses can be listened on, such as :9091")]
    NotTcp,
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    /// Reads `host:port`. The host may be empty; that, `0.0.0.0` and `[::]` all
    /// mean all addresses of both families, as the Pushgateway has it.
    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
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

/// The size of a body in bytes: a number, alone or with one of the units below.
fn body_size(text: &str) -> Result<usize, String> {
    let most = BODY_BYTES_IN_FLIGHT;
    let expected =
        || format!("expected a size from 1 to {most} bytes, such as 64MiB, 10MB or 65536");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return Err(expected()),
    };
    let size = number
        .parse()
        .ok()
        .and_then(|number: usize| number.checked_mul(unit));
    size.filter(|size| (1..=most).contains(size))
        .ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::flags;
    use crate::limits::MAX_BODY;
    use crate::ttl::Ttl;

    fn settings(args: &[&str], env: &[(&str, &str)]) -> Result<Settings, Faults> {
        let args = std::iter::once("tidegate")
            .chain(args.iter().copied())
            .map(OsString::from);
        let env = |name: &str| {
            env.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        };
        Settings::from_flags(flags::parse(args, env).unwrap())
    }

    #[test]
    fn the_defaults_of_the_flags_are_those_of_the_parts() {
        let settings = settings(&[], &[]).unwrap();
        assert_eq!(
            settings.listen,
            [ListenAddress {
                host: Host::All,
                port: 9091
            }]
        );
        assert_eq!(settings.store, Path::new("data/"));
        assert_eq!(settings.ttl, TtlPolicy::default());
        assert_eq!(settings.max_body, MAX_BODY);
        assert_eq!(settings.log_level, tracing::Level::INFO);
        assert_eq!(settings.log_format, log::Format::Logfmt);
        assert!(settings.notices.is_empty());
    }

    #[test]
    fn ttl_flags_make_the_policy() {
        let ttl = |args: &[&str]| settings(args, &[]).unwrap().ttl;
        assert_eq!(
            ttl(&["--metric.timetolive=60s"]).default,
            Ttl::After(Duration::from_mins(1))
        );
        assert_eq!(ttl(&["--ttl.default=0"]).default, Ttl::Never);
        assert_eq!(ttl(&["--ttl.min=0"]).min, Duration::ZERO);
        assert_eq!(
            ttl(&["--ttl.max=1y"]).max,
            Some(Duration::from_hours(365 * 24))
        );
        // The cap is for pushes, not for the operator.
        assert_eq!(
            ttl(&["--ttl.default=never", "--ttl.max=1h"]).default,
            Ttl::Never
        );
    }

    #[test]
    fn the_store_is_found_by_either_flag() {
        for (args, store, notices) in [
            (&["--storage.path=/x"][..], "/x", 0),
            (
                &["--persistence.file=/a/pushgateway.data"],
                "/a/pushgateway.data.tidegate",
                1,
            ),
            (&["--persistence.file=a/"], "a.tidegate", 1),
            (&["--persistence.file="], "data/", 0),
            (&["--persistence.file=f", "--storage.path=s"], "s", 1),
            (&["--persistence.interval=5m"], "data/", 1),
            (
                &["-persistence.interval=5m", "-persistence.file=f"],
                "f.tidegate",
                4,
            ),
        ] {
            let settings = settings(args, &[]).unwrap();
            assert_eq!(settings.store, Path::new(store), "{args:?}");
            assert_eq!(
                settings.notices.len(),
                notices,
                "{args:?} {:?}",
                settings.notices
            );
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let args = [
            "--web.listen-address=9091",
            "--web.listen-address=:x",
            "--ttl.min=soon",
            "--ttl.max=-1s",
            "--push.max-body-size=0",
            "--log.level=loud",
            "--persistence.interval=x",
            "--storage.path=",
        ];
        let env = [
            ("TIDEGATE_TTL_DEFAULT", "5 days"),
            ("TIDEGATE_LOG_FORMAT", "xml"),
        ];
        let Exit { code, text } = settings(&args, &env).unwrap_err().into();
        assert_eq!(code, 1);
        let expected = [
            "bad value \"9091\" for --web.listen-address: expected host:port, such as",
            "bad value \":x\" for --web.listen-address: the port \"x\" is not a number from",
            "bad value \"5 days\" for --ttl.default (from TIDEGATE_TTL_DEFAULT): unknown unit \" days\"",
            "bad value \"soon\" for --ttl.min: expected a number",
            "bad value \"-1s\" for --ttl.max: a duration cannot be negative",
            "bad value \"0\" for --push.max-body-size: expected a size from 1 to 536870912 bytes",
            "bad value \"loud\" for --log.level: expected debug, info, warn or error",
            "bad value \"xml\" for --log.format (from TIDEGATE_LOG_FORMAT): expected logfmt or json",
            "bad value \"x\" for --persistence.interval: expected a number",
            "bad value \"\" for --storage.path: expected the path of a folder",
        ];
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), expected.len() + 1, "{text}");
        for (line, fault) in lines.iter().zip(expected) {
            assert!(
                line.starts_with(&format!("tidegate: error: {fault}")),
                "{line}"
            );
        }
    }

    #[test]
    fn the_config_file_is_loaded_and_told_off_with_the_flags() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.yml");
        let flag = format!("--config.file={}", path.display());
        std::fs::write(&path, "ttl: {default: 2h, max: 3h}").unwrap();
        let found = settings(&[&flag], &[("TIDEGATE_TTL_MAX", "4h")]).unwrap();
        assert_eq!(found.ttl.default.to_string(), "2h");
        assert_eq!(found.ttl.max, Some(Duration::from_hours(4)));
        assert_eq!(found.policy_source.file.as_deref(), Some(path.as_path()));
        assert_eq!(found.policy_source.load(), Ok(found.ttl));
        std::fs::write(&path, "ttl: {default: x}").unwrap();
        let faults = settings(&[&flag, "--log.level=loud", "--ttl.min=y"], &[]).unwrap_err();
        let expected = [
            "for --ttl.min",
            ":1:16: ttl.default: bad value",
            "for --log.level",
        ];
        for (line, part) in faults.lines().iter().zip(expected) {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(faults.lines().len(), expected.len(), "{faults}");
        assert_eq!(
            settings(&["--config.file="], &[])
                .unwrap()
                .policy_source
                .file,
            None
        );
    }

    #[test]
    fn history_grace_and_doors_are_read_and_checked() {
        let args = [
            "--ttl.history=1h",
            "--ttl.startup-grace=5m",
            "--web.enable-admin-api",
        ];
        let found = settings(&args, &[("TIDEGATE_WEB_ENABLE_ADMIN_API", "1")]).unwrap();
        assert_eq!(found.ttl_history, Duration::from_hours(1));
        assert_eq!(found.ttl_startup_grace, Duration::from_mins(5));
        assert!(found.enable_admin_api && !found.enable_lifecycle);
        let found = settings(&[], &[]).unwrap();
        assert_eq!(found.ttl_history, Duration::from_hours(24));
        assert_eq!(found.ttl_startup_grace, Duration::ZERO);
        assert!(!found.enable_admin_api && !found.enable_lifecycle);
        let faults = settings(&["--ttl.history=x", "--ttl.startup-grace=never"], &[]);
        assert_eq!(faults.unwrap_err().lines().len(), 2);
    }

    #[test]
    fn bounds_that_contradict_each_other_are_refused() {
        for (args, fault) in [
            (
                ["--ttl.min=1h", "--ttl.max=59m"],
                "\"59m\" for --ttl.max: it is below --ttl.min=1h",
            ),
            (
                ["--ttl.min=1h", "--ttl.default=59m"],
                "\"59m\" for --ttl.default: it is below",
            ),
        ] {
            let text = settings(&args, &[]).unwrap_err().to_string();
            assert!(text.contains(fault) && text.lines().count() == 1, "{text}");
        }
        assert!(settings(&["--ttl.min=1h", "--ttl.default=1h", "--ttl.max=1h"], &[]).is_ok());
    }

    #[test]
    fn listen_addresses_are_read_and_shown() {
        let address = |host, port| Ok(ListenAddress { host, port });
        let v4 = || Host::Address(Ipv4Addr::LOCALHOST.into());
        let v6 = || Host::Address(Ipv6Addr::LOCALHOST.into());
        for (text, expected, shown) in [
            (":9091", address(Host::All, 9091), ":9091"),
            ("0.0.0.0:9091", address(Host::All, 9091), ":9091"),
            ("[::]:9091", address(Host::All, 9091), ":9091"),
            ("127.0.0.1:0", address(v4(), 0), "127.0.0.1:0"),
            ("[::1]:65535", address(v6(), 65535), "[::1]:65535"),
            (
                "localhost:80",
                address(Host::Name("localhost".into()), 80),
                "localhost:80",
            ),
            (
                "[fe80::1%eth0]:80",
                address(Host::Name("fe80::1%eth0".into()), 80),
                "[fe80::1%eth0]:80",
            ),
        ] {
            let read: Result<ListenAddress, _> = text.parse();
            assert_eq!(read, expected, "{text}");
            assert_eq!(read.unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_listen_address_is_refused_with_the_reason() {
        use ListenAddressError::{BadHost, BadPort, NoBrackets, NoPort, NotTcp};
        for (text, error) in [
            ("", NoPort),
            ("9091", NoPort),
            ("::1:9091", NoBrackets),
            (":", BadPort(String::new())),
            (":+80", BadPort("+80".into())),
            (":65536", BadPort("65536".into())),
            (":http", BadPort("http".into())),
            ("[]:1", BadHost("[]".into())),
            ("[127.0.0.1]:1", BadHost("[127.0.0.1]".into())),
            ("[::1%]:1", BadHost("[::1%]".into())),
            ("a b:1", BadHost("a b".into())),
            ("[::1:1", NoBrackets),
            ("vsock://:9091", NotTcp),
            ("http://localhost:9091", NotTcp),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
        }
    }

    #[test]
    fn body_sizes_have_units_and_bounds() {
        for (text, size) in [
            ("1", 1),
            ("65536", 65_536),
            ("7B", 7),
            ("10kB", 10_000),
            ("10KB", 10_000),
            ("10KiB", 10_240),
            ("10MB", 10_000_000),
            ("64MiB", MAX_BODY),
            ("512MiB", BODY_BYTES_IN_FLIGHT),
        ] {
            assert_eq!(body_size(text), Ok(size), "{text}");
        }
        for text in [
            "",
            "0",
            "-1",
            "1.5MiB",
            "64 MiB",
            "64M",
            "MiB",
            "513MiB",
            "1GB",
            "99999999999999999999GiB",
        ] {
            assert!(body_size(text).is_err(), "{text}");
        }
    }
}
