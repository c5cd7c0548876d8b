//! The file of `--web.config.file`, in the format that all programs of the
//! Prometheus family share: TLS, HTTP/2, headers, passwords, rate limit.
//!
//! Strict as the config file is: all faults at once, each with its place. Values
//! that are secrets are in no message.

mod clients;
mod names;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bcrypt::HashParts;
use rustls::ServerConfig;

use super::reader::{FileFaults, Known, Reader, joined, kind, shown};
use super::yaml::{self, Malformed, Node, Value};
use super::{Faults, read_bytes, text};
use crate::crypto::{self, Digest};
use crate::duration;
use crate::limits::PASSWORD_COST;

const ROOT: Known = &[
    "tls_server_config",
    "http_server_config",
    "basic_auth_users",
    "rate_limit",
];
const HTTP: Known = &["http2", "headers"];
const RATE: Known = &["interval", "burst"];

/// The headers that may be set, and the values that each may have (none: any).
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// What a web config file asks for. The default is that of an empty file.
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether HTTP/2 is offered to clients that come by TLS.
    pub http2: bool,
    /// Names and values of headers for every answer.
    pub headers: Vec<(&'static str, String)>,
    /// Who may come in; empty: everybody.
    pub users: BTreeMap<String, PasswordHash>,
    /// A bound on all requests together.
    pub rate_limit: Option<RateLimit>,
    /// What the operator should read in the log.
    pub notices: Vec<String>,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            tls: None,
            http2: true,
            headers: Vec::new(),
            users: BTreeMap::new(),
            rate_limit: None,
            notices: Vec::new(),
        }
    }
}

/// A bcrypt hash, which is in no log line.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// In its usual form: `$2y$10$...`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

impl FromStr for PasswordHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a bcrypt hash such as $2y$10$ and 53 characters".to_owned();
        let parts: HashParts = text.parse().map_err(|_| expected())?;
        let version = text.get(..4).unwrap_or_default();
        match parts.get_cost() {
            _ if !matches!(version, "$2a$" | "$2b$" | "$2y$") => Err(expected()),
            4..=PASSWORD_COST => Ok(Self(text.to_owned())),
            cost => Err(format!("cost {cost} is not from 4 to {PASSWORD_COST}")),
        }
    }
}

/// A bucket of `burst` requests into which one comes back every `interval`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Above zero.
    pub interval: Duration,
    /// Above zero.
    pub burst: u32,
}

/// A web config file as it was read, with all files that it names.
#[derive(Debug)]
pub struct Reading {
    /// What it asks for, or what is wrong with it.
    pub config: Result<WebConfig, Faults>,
    /// What is wrong with certificates and keys; there is then no `config.tls`.
    pub certificates: Option<Faults>,
    files: Vec<SeenFile>,
}

/// A file, and what was in it: a digest, or why it could not be read.
#[derive(Debug)]
struct SeenFile {
    path: PathBuf,
    content: Result<Digest, String>,
}

impl SeenFile {
    fn of(path: &Path, content: &Result<Vec<u8>, String>) -> Self {
        Self {
            path: path.to_owned(),
            content: digest(content),
        }
    }
}

fn digest(content: &Result<Vec<u8>, String>) -> Result<Digest, String> {
    let content = content.as_ref();
    content
        .map(|bytes| crypto::sha256(bytes))
        .map_err(Clone::clone)
}

impl Reading {
    /// The config, if neither the file nor those that it names have a fault.
    ///
    /// # Errors
    /// All faults.
    pub fn whole(&self) -> Result<WebConfig, Faults> {
        match (&self.config, &self.certificates) {
            (Ok(config), None) => Ok(config.clone()),
            (config, certificates) => {
                let faults = config.as_ref().err().into_iter().chain(certificates);
                let lines = faults.flat_map(|faults| faults.lines().to_vec());
                Err(Faults::new(lines.collect()))
            }
        }
    }

    /// Whether a file reads otherwise now. Reads them all, since times of files are
    /// too coarse to tell two changes apart.
    pub fn is_outdated(&self) -> bool {
        let mut files = self.files.iter();
        files.any(|file| digest(&read_bytes(&file.path)) != file.content)
    }
}

/// The config of this file; relative paths in it start from its folder.
///
/// # Errors
/// All faults of the file and of those it names.
pub fn load(path: &Path) -> Result<WebConfig, Faults> {
    reading(path).whole()
}

/// Reads this file and those that it names.
pub fn reading(path: &Path) -> Reading {
    let name = path.display().to_string();
    let content = read_bytes(path);
    let mut files = vec![SeenFile::of(path, &content)];
    let text = match content.and_then(text) {
        Ok(text) => text,
        Err(reason) => {
            return Reading {
                config: Err(Faults::new(vec![format!("{name}: {reason}")])),
                certificates: None,
                files,
            };
        }
    };
    let (mut faults, mut of_files) = (FileFaults::of(&name), FileFaults::of(&name));
    let mut config = WebConfig::default();
    match yaml::read(&text) {
        Ok(root) => {
            let reader = Reader {
                faults: &mut faults,
            };
            let folder = path.parent().unwrap_or(Path::new(""));
            let pem = tls::PemFiles {
                folder,
                faults: &mut of_files,
                seen: &mut files,
            };
            WebReader { reader, pem }.root(&root, &mut config);
        }
        Err(Malformed { place, reason }) => faults.add(place, "", reason),
    }
    let some = |lines: Vec<String>| (!lines.is_empty()).then(|| Faults::new(lines));
    Reading {
        config: some(faults.into_lines()).map_or(Ok(config), Err),
        certificates: some(of_files.into_lines()),
        files,
    }
}

struct WebReader<'a, 'b> {
    reader: Reader<'a, 'b>,
    pem: tls::PemFiles<'a, 'b>,
}

impl WebReader<'_, '_> {
    fn root(mut self, root: &Node, config: &mut WebConfig) {
        for (key, node) in self.reader.fields(root, "", ROOT) {
            match key.name.as_str() {
                "tls_server_config" => {
                    let notices = &mut config.notices;
                    config.tls = tls::section(&mut self.reader, &mut self.pem, node, notices);
                }
                "http_server_config" => self.http(node, config),
                "basic_auth_users" => config.users = self.users(node),
                _ => config.rate_limit = self.rate_limit(node),
            }
        }
    }

    fn http(&mut self, node: &Node, config: &mut WebConfig) {
        for (key, node) in self.reader.fields(node, "http_server_config", HTTP) {
            let path = format!("http_server_config.{}", key.name);
            if key.name == "http2" {
                config.http2 = self
                    .reader
                    .value(node, &path, names::boolean)
                    .unwrap_or(true);
            } else {
                config.headers = self.headers(node, &path);
            }
        }
    }

    fn headers(&mut self, node: &Node, path: &str) -> Vec<(&'static str, String)> {
        let names = HEADERS.map(|(name, _)| name);
        let mut headers = Vec::new();
        for (key, node) in self.reader.fields(node, path, &names) {
            let Some((name, allowed)) = HEADERS.iter().find(|(name, _)| *name == key.name) else {
                continue;
            };
            if node.value == Value::Nothing {
                continue;
            }
            let value = self.reader.value(node, &joined(path, name), |text| {
                if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                    Err("expected printable ASCII characters".to_owned())
                } else if !allowed.is_empty() && !allowed.contains(&text) {
                    Err(format!("expected {}", allowed.join(" or ")))
                } else {
                    Ok(text.to_owned())
                }
            });
            headers.extend(value.map(|value| (*name, value)));
        }
        headers
    }

    fn users(&mut self, node: &Node) -> BTreeMap<String, PasswordHash> {
        let path = "basic_auth_users";
        let pairs = match &node.value {
            Value::Nothing => return BTreeMap::new(),
            Value::Map(pairs) => self.reader.without_twins(pairs, path),
            value => {
                let reason = format!("expected users and their hashes, found {}", kind(value));
                self.reader.faults.add(node.place, path, reason);
                return BTreeMap::new();
            }
        };
        let mut users = BTreeMap::new();
        for (key, node) in pairs {
            let path = format!("{path}.{}", shown(&key.name));
            let Some(text) = self.reader.text(node, &path) else {
                continue;
            };
            // Without the value: it may be a password that was not hashed.
            match text.parse() {
                Ok(hash) => drop(users.insert(key.name.clone(), hash)),
                Err(reason) => self.reader.faults.add(node.place, &path, reason),
            }
        }
        users
    }

    fn rate_limit(&mut self, node: &Node) -> Option<RateLimit> {
        let (mut interval, mut burst) = (Duration::ZERO, 0);
        for (key, node) in self.reader.fields(node, "rate_limit", RATE) {
            let path = format!("rate_limit.{}", key.name);
            if key.name == "interval" {
                let read = self.reader.value(node, &path, names::interval);
                interval = read.unwrap_or_default();
            } else {
                let count = |text: &str| text.parse::<u32>().map_err(|_| "expected a number");
                burst = self.reader.value(node, &path, count)?;
            }
        }
        if interval.is_zero() {
            return None;
        }
        if burst == 0 {
            let interval = duration::format(interval);
            let reason = format!(
                "with interval {interval} it has to be 1 or more: else no request would be answered"
            );
            self.reader
                .faults
                .add(node.place, "rate_limit.burst", reason);
            return None;
        }
        Some(RateLimit { interval, burst })
    }
}
