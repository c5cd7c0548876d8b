//! The written cases: text files, so that they can be read and added to without Rust.
//!
//! ```text
//! == name of the case, with the section of the reference where it has one
//! METHOD TARGET
//!   : Header: value
//!   | a line of the body, closed by LF
//!   > bytes of the body, with \n \r \t \\ \xHH
//!   @proto NAME, or @gzip: see `bodies`; @chunked: sent in chunks
//! ```
//!
//! Lines that begin with `#` are remarks. A case may have several steps and begins with an empty
//! store.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::bodies;
use super::support::http::{Response, request, request_in_chunks};
use super::support::repository_file;

const FOLDER: &str = "tests/differential/cases";

/// Requests that are sent one after the other.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

/// One request.
#[derive(Clone, Default)]
pub(crate) struct Step {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Sent without its length.
    pub(crate) chunked: bool,
}

impl Step {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            ..Self::default()
        }
    }

    /// Sends it, with `prefix` before its target.
    pub(crate) fn send(&self, address: SocketAddr, prefix: &str) -> Response {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let send = if self.chunked {
            request_in_chunks
        } else {
            request
        };
        let target = format!("{prefix}{}", self.target);
        send(address, &self.method, &target, &headers, &self.body)
    }

    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Whether it pushes to a group.
    pub(crate) fn is_push(&self) -> bool {
        matches!(self.method.as_str(), "PUT" | "POST") && self.path().starts_with("/metrics/job")
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        for (name, value) in &self.headers {
            write!(f, " [{name}: {value}]")?;
        }
        write!(f, " {:?}", String::from_utf8_lossy(&self.body))
    }
}

/// The cases of all files, files by name.
pub(crate) fn all() -> Vec<Case> {
    let folder = repository_file(FOLDER);
    let files = fs::read_dir(&folder).expect("the folder of the cases");
    let mut files: Vec<_> = files
        .map(|file| file.expect("an entry of the folder").path())
        .collect();
    files.sort();
    files.iter().flat_map(|file| of_file(file)).collect()
}

/// The cases of one file.
pub(crate) fn of_file(file: &Path) -> Vec<Case> {
    let text = fs::read_to_string(file).expect("a readable file of cases");
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    read(&name, &text)
}

fn read(file: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{file}:{}", number + 1);
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case {
                name: format!("{place} {name}"),
                steps: Vec::new(),
            });
            continue;
        }
        let case = cases.last_mut();
        let case = case.unwrap_or_else(|| panic!("{place}: before the first case"));
        if let Some(part) = line.strip_prefix("  ") {
            let step = case.steps.last_mut();
            let step = step.unwrap_or_else(|| panic!("{place}: before the first request"));
            add(step, part).unwrap_or_else(|| panic!("{place}: cannot be read: {line}"));
        } else {
            let (method, target) = line
                .split_once(' ')
                .unwrap_or_else(|| panic!("{place}: no request: {line}"));
            case.steps.push(Step::new(method, target));
        }
    }
    cases
}

/// Adds an indented line to its request; `None` if it cannot be read.
fn add(step: &mut Step, part: &str) -> Option<()> {
    let (mark, rest) = part.split_at_checked(1)?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    match mark {
        "|" => {
            step.body.extend(rest.as_bytes());
            step.body.push(b'\n');
        }
        ">" => step.body.extend(unescape(rest)?),
        ":" => {
            let (name, value) = rest.split_once(':')?;
            step.headers
                .push((name.to_owned(), value.trim().to_owned()));
        }
        "@" => match rest.split_once(' ') {
            Some(("proto", name)) => {
                step.headers
                    .push(("Content-Type".to_owned(), bodies::PROTOBUF.to_owned()));
                step.body = bodies::protobuf(name)?;
            }
            None if rest == "gzip" => {
                step.headers
                    .push(("Content-Encoding".to_owned(), "gzip".to_owned()));
                step.body = bodies::gzip(&step.body);
            }
            None if rest == "chunked" => step.chunked = true,
            _ => return None,
        },
        _ => return None,
    }
    Some(())
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let (&kind, after) = rest.split_first()?;
        rest = after;
        bytes.push(match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                rest = rest.get(2..)?;
                u8::from_str_radix(digits, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}
