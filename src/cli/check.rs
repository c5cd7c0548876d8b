//! `tidegate check`.

use std::fmt::Write as _;
use std::path::Path;

use super::Failure;
use super::args::Check;
use crate::clock::Clock;
use crate::config::web::{self, WebConfig};
use crate::config::{self, Faults, TtlFlags};
use crate::duration;
use crate::format::name::NameRule;
use crate::state::Import;

pub(super) fn run(what: &Check) -> Result<String, Failure> {
    let checked = match what {
        Check::Config { file } => {
            config::load(file, &TtlFlags::default()).map(|policy| config::describe(&policy))
        }
        Check::WebConfig { file } => web::load(file).map(|config| described(file, &config)),
        Check::Import { file, utf8_names } => {
            return import(file, NameRule::utf8_if(*utf8_names));
        }
    };
    checked.map_err(|faults: Faults| Failure::Refused(faults.lines().join("\ntidegate: error: ")))
}

/// What a web config asks for, on a few lines.
fn described(file: &Path, config: &WebConfig) -> String {
    let or_none = |text: String| {
        if text.is_empty() {
            "none".to_owned()
        } else {
            text
        }
    };
    let protocols = match (&config.tls, config.http2) {
        (None, _) => "off: plain HTTP/1.1",
        (Some(_), true) => "on, HTTP/2 and HTTP/1.1",
        (Some(_), false) => "on, HTTP/1.1",
    };
    let users: Vec<_> = config.users.keys().map(String::as_str).collect();
    let users = match users.as_slice() {
        [] => "everybody, without a password".to_owned(),
        users => users.join(", "),
    };
    let headers: Vec<_> = config.headers.iter().map(|(name, _)| *name).collect();
    let rate = config.rate_limit.map_or(String::new(), |rate| {
        let interval = duration::format(rate.interval);
        format!("one request every {interval}, bursts of {}", rate.burst)
    });
    let mut table = String::new();
    let notices = config.notices.iter().map(String::as_str);
    let notices = notices.map(|notice| ("notice", notice.to_owned()));
    let lines = [
        ("OK", file.display().to_string()),
        ("TLS", protocols.to_owned()),
        ("users", users),
        ("headers", or_none(headers.join(", "))),
        ("rate limit", or_none(rate)),
    ];
    for (what, value) in lines.into_iter().chain(notices) {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{what:10}  {value}");
    }
    table
}

/// What a start with this `--persistence.file` would take over; nothing is written.
fn import(file: &Path, names: NameRule) -> Result<String, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::Refused(error.to_string());
    let found = Import::read(file, names, &Clock::system());
    let found = found.map_err(|error| refused(&error))?;
    let Some(import) = found else {
        let text = format!("{} is missing or empty: nothing to import", file.display());
        return Err(refused(&text));
    };
    let mut text = format!(
        "would import {} groups with {} families and {} series\n",
        import.groups, import.families, import.series
    );
    for left in &import.left_out {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "would leave out {left}");
    }
    Ok(text)
}
