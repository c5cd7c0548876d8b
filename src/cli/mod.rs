//! Subcommands: `tidegate check` looks at a config file, `tidegate ttl` and
//! `tidegate groups` ask a running gateway over its API.
//!
//! Exit codes: 0 done; 1 refused, by the gateway, or because the command line is wrong
//! or the gateway's certificate is not trusted; 2 the gateway cannot be reached.

mod args;
mod change;
mod check;
mod client;
mod group;
mod groups;
mod https;
mod overrides;
mod render;
#[cfg(test)]
mod tests;
mod tls;
mod trust;
mod ttl;

use std::ffi::OsString;

use clap::Parser;

use crate::flags::{self, Exit};
use args::{Args, Command};

/// What a person said when asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consent {
    /// Go on.
    Yes,
    /// Leave it.
    No,
    /// There is nobody: standard input is no terminal.
    Nobody,
}

/// Asks a person a question.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> Consent;

/// Why a command did not do what it was told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
enum Failure {
    /// By the gateway, of the gateway, or for a mistake: exit code 1.
    #[error("{0}")]
    Refused(String),
    /// Exit code 2.
    #[error("{0}")]
    Unreachable(String),
}

impl From<Failure> for Exit {
    fn from(failure: Failure) -> Self {
        Self {
            code: match failure {
                Failure::Refused(_) => 1,
                Failure::Unreachable(_) => 2,
            },
            text: format!("tidegate: error: {failure}\n"),
        }
    }
}

/// Runs the subcommand that a command line names (the program's name first);
/// `None` if it names none and the gateway is meant.
pub fn run(args: &[OsString], ask: Ask<'_>) -> Option<Exit> {
    let first = args.get(1)?.to_str()?;
    if !matches!(first, "check" | "ttl" | "groups") {
        return None;
    }
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => return Some(flags::exit(&error)),
    };
    let done = match args.command {
        Command::Check { what } => check::run(&what),
        Command::Ttl { target, what } => ttl::run(&target, &what, ask),
        Command::Groups { target, what } => groups::run(&target, &what, ask),
    };
    Some(match done {
        Ok(text) => Exit { code: 0, text },
        Err(failure) => failure.into(),
    })
}

/// Asks at the terminal.
pub fn ask_at_terminal(question: &str) -> Consent {
    use std::io::{IsTerminal, Write};

    if !std::io::stdin().is_terminal() {
        return Consent::Nobody;
    }
    let mut line = String::new();
    let mut out = std::io::stderr();
    let asked = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
    match asked.and_then(|()| std::io::stdin().read_line(&mut line)) {
        Ok(_) if matches!(line.trim(), "y" | "Y" | "yes") => Consent::Yes,
        _ => Consent::No,
    }
}

/// Goes on if a person says so.
fn consent(question: &str, ask: Ask<'_>) -> Result<(), Failure> {
    let refused = |text: &str| Err(Failure::Refused(text.to_owned()));
    match ask(question) {
        Consent::Yes => Ok(()),
        Consent::No => refused("nothing was changed"),
        Consent::Nobody => {
            refused("nobody can be asked: standard input is no terminal; give --yes")
        }
    }
}
