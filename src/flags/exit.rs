//! How the program ends before it began: help, version, a mistake.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::build_info;

/// The end of the program before it began: help, version, or a mistake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// The exit code: 0 after help and version, 1 after a mistake.
    pub code: u8,
    /// What to print: on standard output if the code is 0, else on standard
    /// error. Ends in a line feed.
    pub text: String,
}

impl Exit {
    /// The end after a mistake in the flags.
    pub fn refused(faults: impl fmt::Display) -> Self {
        Self {
            code: 1,
            text: format!("{faults}\ntry --help\n"),
        }
    }

    /// Prints the text and gives `main` its exit code. A reader that went away, as
    /// `head` does, is no reason to end differently; a full disk is: what was asked for
    /// is not there.
    pub fn print(&self) -> ExitCode {
        let text = self.text.as_bytes();
        if self.code != 0 {
            let _ = std::io::stderr().write_all(text);
            return ExitCode::from(self.code);
        }
        let mut out = std::io::stdout();
        match out.write_all(text).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                let _ = writeln!(std::io::stderr(), "tidegate: error: {error}");
                ExitCode::FAILURE
            }
            _ => ExitCode::SUCCESS,
        }
    }
}

/// How the program ends where clap does not go on: help, version, or a mistake.
pub(crate) fn exit(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayVersion => Exit {
            code: 0,
            text: version(),
        },
        ErrorKind::DisplayHelp => Exit {
            code: 0,
            text: error.to_string(),
        },
        _ => Exit {
            code: 1,
            text: familiar(error).unwrap_or_else(|| format!("tidegate: {error}")),
        },
    }
}

/// The two mistakes that operators know from the Pushgateway, in its words.
fn familiar(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg)?;
    // With the name of its value behind it.
    let flag = flag.split(' ').next().unwrap_or(flag);
    let name = flag.strip_prefix("--")?;
    match error.kind() {
        ErrorKind::TooManyValues => {
            let value = text(ContextKind::InvalidValue)?;
            let opposite = name.strip_prefix("no-").unwrap_or(name);
            Some(format!(
                "tidegate: error: unexpected {value}, try --help\n\
                 {flag} takes no value: write --{opposite} or --no-{opposite}\n"
            ))
        }
        ErrorKind::ArgumentConflict => {
            let other = text(ContextKind::PriorArg)?;
            let repeated = other.split(' ').next() == Some(flag);
            let text = format!("tidegate: error: flag '{name}' cannot be repeated, try --help\n");
            repeated.then_some(text)
        }
        _ => None,
    }
}

/// What `--version` prints, in the form all programs of this family share.
pub fn version() -> String {
    format!(
        "tidegate, version {} (branch: {}, revision: {})\n  build date:       {}\n  rustc version:    {}\n  platform:         {}/{}\n",
        build_info::VERSION,
        build_info::BRANCH,
        build_info::REVISION,
        build_info::date(),
        build_info::compiler(),
        build_info::go_os(),
        build_info::go_arch(),
    )
}
