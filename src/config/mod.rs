//! The config file, and the TTL policy that it and the flags make together.
//!
//! A flag that was given, on the command line or in the environment, beats the
//! file. All or nothing: with one fault there is no policy, and all faults of
//! flags and file are told at once.

mod file;
mod flags;
mod reader;
mod show;
pub mod web;
mod yaml;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use flags::TtlFlags;
pub(crate) use flags::complaint;
pub use show::describe;

use crate::duration;
use crate::limits::CONFIG_BYTES;
use crate::ttl::{Rules, Ttl, TtlPolicy};
use file::FileTtl;
use reader::{FileFaults, Placed};

/// Everything that is wrong with flags and config file, one line for each fault:
/// of a flag its name, the value and what is allowed; of a file also the line,
/// the column and the key.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Faults in words, one line each.
    pub fn new(lines: Vec<String>) -> Self {
        Self(lines)
    }

    /// One line for each fault, without the program's name.
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// The same, to keep.
    pub fn into_lines(self) -> Vec<String> {
        self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self
            .0
            .iter()
            .map(|fault| format!("tidegate: error: {fault}"))
            .collect();
        out.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Faults {}

/// What is needed to load the policy, at start and again at every reload.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PolicySource {
    /// `--config.file`; `None`: flags alone.
    pub file: Option<PathBuf>,
    /// The flags that were given and beat the file.
    pub flags: TtlFlags,
}

impl PolicySource {
    /// Reads the file, if there is one, and puts the flags on top.
    ///
    /// # Errors
    ///
    /// All faults of the file, and flags that contradict each other or the file.
    pub fn load(&self) -> Result<TtlPolicy, Faults> {
        match &self.file {
            Some(path) => load(path, &self.flags),
            None => policy(&FileTtl::default(), &self.flags, FileFaults::of("")),
        }
    }
}

/// The policy of this file under these flags.
///
/// # Errors
///
/// If the file cannot be read, and as [`PolicySource::load`] has it.
pub fn load(path: &Path, flags: &TtlFlags) -> Result<TtlPolicy, Faults> {
    let name = path.display().to_string();
    let text = read(path).map_err(|reason| Faults(vec![format!("{name}: {reason}")]))?;
    let mut faults = FileFaults::of(&name);
    let file = file::read(&text, &mut faults);
    policy(&file, flags, faults)
}

/// Whether the bytes of this file can be had.
///
/// # Errors
/// Why not, without the file's name.
pub(crate) fn readable(path: &Path) -> Result<(), String> {
    read_bytes(path).map(drop)
}

fn read(path: &Path) -> Result<String, String> {
    text(read_bytes(path)?)
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot open it: {error}"))?;
    // One more than allowed tells whether there is more.
    let most = CONFIG_BYTES as u64 + 1;
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read it: {error}"))?;
    if bytes.len() > CONFIG_BYTES {
        return Err(format!("it is larger than {CONFIG_BYTES} bytes"));
    }
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good]
            .split(|byte| *byte == b'\n')
            .count();
        format!("it is not UTF-8 in line {line}")
    })
}

/// Flags over file over defaults.
fn policy(
    file: &FileTtl,
    flags: &TtlFlags,
    mut faults: FileFaults<'_>,
) -> Result<TtlPolicy, Faults> {
    let built_in = TtlPolicy::default();
    let default = flags.default_ttl().or(value(file.default.as_ref()));
    let max = flags.max_ttl().or(value(file.max.as_ref()));
    let min = flags.min_ttl().or(value(file.min.as_ref()));
    let client = flags.client_ttl().or(value(file.client.as_ref()));
    let policy = TtlPolicy {
        default: default.unwrap_or(built_in.default),
        min: min.unwrap_or(built_in.min),
        max: max.and_then(finite),
        client: client.unwrap_or(built_in.client),
        rules: Arc::new(Rules::new(file.rules.clone())),
    };
    let mut lines = contradictions(&policy, file, flags, &mut faults);
    lines.extend(faults.into_lines());
    if lines.is_empty() {
        Ok(policy)
    } else {
        Err(Faults(lines))
    }
}

/// What is below the minimum: what the file says is told there, the rest is returned.
fn contradictions(
    policy: &TtlPolicy,
    file: &FileTtl,
    flags: &TtlFlags,
    faults: &mut FileFaults<'_>,
) -> Vec<String> {
    let by_flag = flags.min_ttl().is_some();
    let bound = if by_flag { "--ttl.min" } else { "ttl.min" };
    let reason = format!("it is below {bound}={}", duration::format(policy.min));
    let below = |ttl: Option<Duration>| ttl.is_some_and(|ttl| ttl < policy.min);
    let mut lines = Vec::new();
    let (max, default) = (policy.max, finite(policy.default));
    for (name, ttl, placed) in [("max", max, &file.max), ("default", default, &file.default)] {
        if !below(ttl) {
            continue;
        }
        match (flags.fault(name, &reason), placed) {
            (Some(line), _) => lines.push(line),
            (None, Some(placed)) => faults.add(placed.place, &format!("ttl.{name}"), &reason),
            (None, None) => {
                let default = policy.default;
                lines.push(format!("--ttl.default is {default} unless set: {reason}"));
            }
        }
    }
    for (at, ttl) in &file.rule_ttls {
        if below(finite(ttl.value)) {
            faults.add(ttl.place, &format!("ttl.rules[{at}].ttl"), &reason);
        }
    }
    lines
}

fn value<T: Copy>(placed: Option<&Placed<T>>) -> Option<T> {
    placed.map(|placed| placed.value)
}

fn finite(ttl: Ttl) -> Option<Duration> {
    match ttl {
        Ttl::Never => None,
        Ttl::After(duration) => Some(duration),
    }
}

#[cfg(test)]
mod tests;
