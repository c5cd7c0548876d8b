//! The command line and the environment, as text: what was given, nothing
//! checked but the names. [`crate::settings`] makes values of it.
//!
//! Names and habits are the Pushgateway's: `--area.name`, a flag given twice is
//! an error unless it is repeatable, the exit code after a mistake is 1. Every
//! flag is also an environment variable, `--web.listen-address` being
//! `TIDEGATE_WEB_LISTEN_ADDRESS`; the flag beats the variable and an empty
//! variable counts as unset.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, Parser};

use crate::build_info;

const AFTER_HELP: &str = "Subcommands, each with its own --help: `tidegate check` for config \
    files; `tidegate ttl` and `tidegate groups` ask a running gateway. Without one the gateway \
    is started.\n\nEvery flag can be given as an environment variable too: \
    TIDEGATE_WEB_LISTEN_ADDRESS for --web.listen-address (several separated by commas), and so \
    on. A flag beats its variable, an empty variable counts as unset.";

/// What the command line and the environment say.
#[derive(Clone, PartialEq, Eq, Debug, Parser)]
#[expect(
    clippy::manual_non_exhaustive,
    reason = "the field of --version holds nothing"
)]
#[command(name = "tidegate", bin_name = "tidegate", about, disable_version_flag = true, version, after_help = AFTER_HELP)]
pub struct Flags {
    /// Address to listen on: :9091 is the port at all addresses, localhost:9091 at one.
    /// Repeatable.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":9091"
    )]
    pub listen_addresses: Vec<String>,

    /// Folder of the store; `data/` if neither this nor --persistence.file is given.
    #[arg(
        long = "storage.path",
        value_name = "FOLDER",
        help = "Folder of the store, made if it is not there [default: data/]"
    )]
    pub storage_path: Option<OsString>,

    /// For those who come from the Pushgateway: the store is the folder
    /// FILE.tidegate/. FILE itself is never touched.
    #[arg(long = "persistence.file", value_name = "FILE")]
    pub persistence_file: Option<OsString>,

    /// Accepted for old command lines. Every push is on disk when it is answered.
    #[arg(long = "persistence.interval", value_name = "DURATION", hide = true)]
    pub persistence_interval: Option<String>,

    /// YAML file with TTLs by group. What is given as a flag beats the file.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<OsString>,

    /// How long a group lives after its last push if neither the push nor a rule
    /// says: 35d, 1h30m, never. 0 is never.
    #[arg(
        long = "ttl.default",
        alias = "metric.timetolive",
        value_name = "TTL",
        default_value = "35d"
    )]
    pub ttl_default: String,

    /// Shortest TTL a push may ask for.
    #[arg(long = "ttl.min", value_name = "DURATION", default_value = "1s")]
    pub ttl_min: String,

    /// Longest TTL a push may ask for; a longer one, or never, is cut to this. 0s is
    /// no cap.
    #[arg(long = "ttl.max", value_name = "DURATION", default_value = "0s")]
    pub ttl_max: String,

    /// What TTLs that pushes name count for: allow, ignore (nothing) or reject (400).
    #[arg(long = "ttl.client", value_name = "RULE", default_value = "allow")]
    pub ttl_client: String,

    /// How long records of expired and deleted groups are kept. 0s is not at all.
    #[arg(long = "ttl.history", value_name = "DURATION", default_value = "24h")]
    pub ttl_history: String,

    /// For how long after the start nothing expires.
    #[arg(
        long = "ttl.startup-grace",
        value_name = "DURATION",
        default_value = "0s"
    )]
    pub ttl_startup_grace: String,

    /// Allow to reload the config file by HTTP: POST /-/reload.
    #[arg(long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,

    /// Allow to delete groups and to change their TTLs by the API.
    #[arg(long = "web.enable-admin-api")]
    pub enable_admin_api: bool,

    /// Largest body of a push as sent, in bytes or with a unit (64MiB, 10MB).
    #[arg(
        long = "push.max-body-size",
        value_name = "SIZE",
        default_value = "64MiB"
    )]
    pub max_body_size: String,

    /// Log messages of this level and above: debug, info, warn or error.
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    pub log_level: String,

    /// Form of the log: logfmt or json.
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt")]
    pub log_format: String,

    /// Show the version and exit.
    #[arg(long = "version", action = ArgAction::Version)]
    version: (),

    /// The long names of the flags that were given, on the command line or in the
    /// environment.
    #[arg(skip)]
    pub given: Vec<String>,

    /// The long names of the flags that came from the environment.
    #[arg(skip)]
    pub from_environment: Vec<String>,

    /// What the operator should read in the log, once there is one.
    #[arg(skip)]
    pub notices: Vec<String>,
}

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

    /// Prints the text and gives `main` its exit code. A closed stream is no
    /// reason to end differently.
    pub fn print(&self) -> ExitCode {
        let text = self.text.as_bytes();
        let _ = match self.code {
            0 => std::io::stdout().write_all(text),
            _ => std::io::stderr().write_all(text),
        };
        ExitCode::from(self.code)
    }
}

/// Reads the command line `args` (the program's name first) and, for what it
/// does not name, the environment by `env`.
///
/// # Errors
///
/// [`Exit`] for unknown flags, flags without a value, flags given twice, and
/// for `--help` and `--version`. Values are not looked at.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Flags, Exit> {
    let (mut args, notices) = modern_spelling(args);
    let mut command = with_negations(Flags::command());
    let given = command
        .try_get_matches_from_mut(&args)
        .map_err(|error| exit(&error))?;
    let mut from_environment = Vec::new();
    for (name, arg) in named(&command) {
        let Some(value) = env(&variable(name)).filter(|value| !value.is_empty()) else {
            continue;
        };
        if on_command_line(&given, name, arg) {
            continue;
        }
        from_environment.push(name.to_owned());
        // Behind the program's name, so that a closing `--` does not swallow them.
        args.splice(1..1, from_variable(name, arg, &value)?);
    }
    let matches = command
        .try_get_matches_from_mut(&args)
        .map_err(|error| exit(&error))?;
    let mut flags = Flags::from_arg_matches(&matches).map_err(|error| exit(&error))?;
    flags.given = named(&command)
        .filter(|(name, arg)| on_command_line(&matches, name, arg))
        .map(|(name, _)| name.to_owned())
        .collect();
    flags.from_environment = from_environment;
    flags.notices = notices;
    Ok(flags)
}

impl Flags {
    /// Whether the flag of this long name was given, on the command line or in the
    /// environment.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.iter().any(|given| given == name)
    }

    /// The flag for a message, with its variable if it came from there.
    pub(crate) fn spelled(&self, name: &str) -> String {
        if self.from_environment.iter().any(|from| from == name) {
            format!("--{name} (from {})", variable(name))
        } else {
            format!("--{name}")
        }
    }
}

/// Gives every flag without a value its opposite: `--no-web.enable-admin-api`.
fn with_negations(command: Command) -> Command {
    let is_switch = |arg: &&Arg| matches!(arg.get_action(), ArgAction::SetTrue);
    let opposite = |arg: &Arg| {
        let name = format!("no-{}", arg.get_long()?);
        let opposite = Arg::new(name.clone()).long(name);
        let opposite = opposite.action(ArgAction::SetTrue).hide(true);
        Some(opposite.conflicts_with(arg.get_id()))
    };
    let switches = command.get_arguments().filter(is_switch);
    let opposites: Vec<Arg> = switches.filter_map(opposite).collect();
    command.args(opposites)
}

/// The flags that have a variable, by their long names.
fn named(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let named = |arg| Some((Arg::get_long(arg)?, arg));
    let flags = command.get_arguments().filter_map(named);
    flags.filter(|(name, _)| name.contains('.') && !name.starts_with("no-"))
}

/// Whether the flag, or its opposite, was given.
fn on_command_line(matches: &ArgMatches, name: &str, arg: &Arg) -> bool {
    let opposite = format!("no-{name}");
    let given = |id: &str| {
        matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    given(arg.get_id().as_str()) || given(&opposite)
}

/// The flag as it would stand on the command line.
fn from_variable(name: &str, arg: &Arg, value: &OsStr) -> Result<Vec<OsString>, Exit> {
    let values = match arg.get_action() {
        ArgAction::SetTrue => {
            return match value.to_str() {
                Some("true" | "1") => Ok(vec![format!("--{name}").into()]),
                Some("false" | "0") => Ok(vec![format!("--no-{name}").into()]),
                _ => Err(Exit::refused(format!(
                    "tidegate: error: bad value {:?} for {}: expected true or false",
                    value.to_string_lossy(),
                    variable(name)
                ))),
            };
        }
        ArgAction::Append => split_at_commas(value),
        _ => vec![value.to_owned()],
    };
    Ok(values.iter().map(|value| flag_with(name, value)).collect())
}

/// The environment variable of a flag.
pub fn variable(flag: &str) -> String {
    format!(
        "TIDEGATE_{}",
        flag.to_ascii_uppercase().replace(['.', '-'], "_")
    )
}

fn flag_with(name: &str, value: &OsStr) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value);
    flag
}

fn split_at_commas(value: &OsStr) -> Vec<OsString> {
    let Some(text) = value.to_str() else {
        return vec![value.to_owned()];
    };
    text.split(',')
        .map(|part| OsString::from(part.trim()))
        .collect()
}

/// Gives flags of old scripts their second dash (`-web.listen-address=:9091`),
/// with a notice for each. A short flag never holds a dot.
fn modern_spelling(args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<String>) {
    let mut notices = Vec::new();
    let args = args.into_iter().enumerate().map(|(place, arg)| {
        if place == 0 {
            return arg;
        }
        let text = arg.to_string_lossy();
        let Some(name) = text
            .strip_prefix('-')
            .and_then(|text| text.split('=').next())
        else {
            return arg;
        };
        let old = name.starts_with(|first: char| first.is_ascii_lowercase())
            && (name.contains('.') || matches!(name, "help" | "version"));
        if !old {
            return arg;
        }
        notices.push(format!("-{name} is an old spelling, write --{name}"));
        let mut modern = OsString::from("-");
        modern.push(&arg);
        modern
    });
    (args.collect(), notices)
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
            text: format!("tidegate: {error}"),
        },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_with(args: &[&str], env: &[(&str, &str)]) -> Result<Flags, Exit> {
        let args = std::iter::once("tidegate")
            .chain(args.iter().copied())
            .map(OsString::from);
        parse(args, |name| {
            env.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        let flags = parse_with(&[], &[]).unwrap();
        assert_eq!(flags.listen_addresses, [":9091"]);
        assert_eq!((flags.storage_path, flags.persistence_file), (None, None));
        assert_eq!(flags.ttl_default, "35d");
        assert_eq!(
            (flags.ttl_min.as_str(), flags.ttl_max.as_str()),
            ("1s", "0s")
        );
        assert_eq!(flags.max_body_size, "64MiB");
        assert_eq!(
            (flags.log_level.as_str(), flags.log_format.as_str()),
            ("info", "logfmt")
        );
        assert_eq!((flags.from_environment, flags.notices), (vec![], vec![]));
    }

    #[test]
    fn both_ways_to_give_a_value_are_understood() {
        for args in [
            &["--ttl.default=6h"][..],
            &["--ttl.default", "6h"],
            &["-ttl.default=6h"],
        ] {
            assert_eq!(parse_with(args, &[]).unwrap().ttl_default, "6h", "{args:?}");
        }
        let flags = parse_with(&["--metric.timetolive=60s", "--persistence.file="], &[]).unwrap();
        assert_eq!(flags.ttl_default, "60s");
        assert_eq!(flags.persistence_file, Some(OsString::new()));
    }

    #[test]
    fn the_listen_address_is_repeatable() {
        let args = ["--web.listen-address=:1", "--web.listen-address", "[::1]:2"];
        assert_eq!(
            parse_with(&args, &[]).unwrap().listen_addresses,
            [":1", "[::1]:2"]
        );
    }

    #[test]
    fn old_single_dash_spellings_are_understood_and_said_so() {
        let args = [
            "-web.listen-address=:9092",
            "-persistence.file",
            "x",
            "--log.level=warn",
        ];
        let flags = parse_with(&args, &[]).unwrap();
        assert_eq!(flags.listen_addresses, [":9092"]);
        assert_eq!(flags.persistence_file, Some("x".into()));
        assert_eq!(
            flags.notices,
            [
                "-web.listen-address is an old spelling, write --web.listen-address",
                "-persistence.file is an old spelling, write --persistence.file",
            ]
        );
        assert_eq!(parse_with(&["-version"], &[]).unwrap_err().code, 0);
        let program_name_alone = parse([OsString::from("-odd.name")], |_| None).unwrap();
        assert!(program_name_alone.notices.is_empty());
    }

    #[test]
    fn a_path_need_not_be_utf8() {
        use std::os::unix::ffi::OsStringExt;
        let raw = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let args = [raw(b"tidegate"), raw(b"-persistence.file=/a\xff")];
        let env = |name: &str| (name == "TIDEGATE_STORAGE_PATH").then(|| raw(b"/b\xff"));
        let flags = parse(args, env).unwrap();
        assert_eq!(flags.persistence_file, Some(raw(b"/a\xff")));
        assert_eq!(flags.storage_path, Some(raw(b"/b\xff")));
    }

    #[test]
    fn the_environment_speaks_where_the_command_line_does_not() {
        let env = [
            ("TIDEGATE_WEB_LISTEN_ADDRESS", ":1, [::1]:2"),
            ("TIDEGATE_TTL_DEFAULT", "1d"),
            ("TIDEGATE_LOG_LEVEL", "error"),
            ("TIDEGATE_LOG_FORMAT", ""),
            ("TIDEGATE_PERSISTENCE_INTERVAL", "9m"),
            ("TIDEGATE_PUSH_MAX_BODY_SIZE", "-1"),
            ("TIDEGATE_VERSION", "1"),
            ("TIDEGATE_HELP", "1"),
        ];
        let flags = parse_with(&["--log.level=debug", "--"], &env).unwrap();
        assert_eq!(flags.listen_addresses, [":1", "[::1]:2"]);
        assert_eq!(flags.ttl_default, "1d");
        assert_eq!(flags.log_level, "debug");
        assert_eq!(flags.log_format, "logfmt");
        assert_eq!(flags.persistence_interval.as_deref(), Some("9m"));
        assert_eq!(flags.max_body_size, "-1");
        assert_eq!(
            flags.from_environment,
            [
                "web.listen-address",
                "persistence.interval",
                "ttl.default",
                "push.max-body-size"
            ]
        );
    }

    #[test]
    fn switches_are_given_taken_back_and_read_from_the_environment() {
        let variable = "TIDEGATE_WEB_ENABLE_LIFECYCLE";
        for (args, value, on, given) in [
            (&[][..], "", false, false),
            (&["--web.enable-lifecycle"], "", true, true),
            (&["-web.enable-lifecycle"], "", true, true),
            (&["--no-web.enable-lifecycle"], "", false, true),
            (&[], "true", true, true),
            (&[], "1", true, true),
            (&[], "false", false, true),
            (&[], "0", false, true),
            (&["--no-web.enable-lifecycle"], "true", false, true),
            (&["--web.enable-lifecycle"], "false", true, true),
        ] {
            let flags = parse_with(args, &[(variable, value)]).unwrap();
            assert_eq!(flags.enable_lifecycle, on, "{args:?} {value}");
            let is_given = flags.is_given("web.enable-lifecycle");
            assert_eq!(is_given, given, "{args:?} {value}");
        }
        for value in ["yes", "TRUE", "2"] {
            let exit = parse_with(&[], &[(variable, value)]).unwrap_err();
            let start = format!("tidegate: error: bad value {value:?} for {variable}: expected");
            assert!(exit.code == 1 && exit.text.starts_with(&start), "{exit:?}");
        }
    }

    #[test]
    fn given_are_only_flags_that_somebody_wrote() {
        let env = [("TIDEGATE_TTL_MIN", "2s")];
        let args = ["--metric.timetolive=1d", "--ttl.client", "allow"];
        let flags = parse_with(&args, &env).unwrap();
        assert_eq!(flags.given, ["ttl.default", "ttl.min", "ttl.client"]);
        assert_eq!(
            flags.spelled("ttl.min"),
            "--ttl.min (from TIDEGATE_TTL_MIN)"
        );
        assert_eq!(flags.spelled("ttl.default"), "--ttl.default");
    }

    #[test]
    fn mistakes_end_with_code_1_and_name_the_flag() {
        for (args, part) in [
            (&["--nope"][..], "--nope"),
            (&["-nope.such=1"], "--nope.such"),
            (&["extra"], "extra"),
            (&["--log.level"], "--log.level"),
            (&["--log.level", "--log.format=json"], "--log.level"),
            (&["--log.level=info", "--log.level=info"], "--log.level"),
            (
                &["--ttl.default=1h", "--metric.timetolive=1h"],
                "--ttl.default",
            ),
            (&["--", "--log.level=info"], "--log.level=info"),
            (&["--web.enable-admin-api=true"], "--web.enable-admin-api"),
            (
                &["--no-web.enable-admin-api=true"],
                "--no-web.enable-admin-api",
            ),
            (
                &["--web.enable-admin-api", "--no-web.enable-admin-api"],
                "--no-web.enable-admin-api",
            ),
            (
                &["--web.enable-admin-api", "--web.enable-admin-api"],
                "--web.enable-admin-api",
            ),
            (&["--no-ttl.default"], "--no-ttl.default"),
        ] {
            let exit = parse_with(args, &[]).unwrap_err();
            assert_eq!(exit.code, 1, "{args:?}");
            assert!(exit.text.starts_with("tidegate: error: "), "{}", exit.text);
            assert!(
                exit.text.contains(part) && exit.text.ends_with('\n'),
                "{}",
                exit.text
            );
        }
    }

    #[test]
    fn help_lists_every_flag_but_the_hidden_ones() {
        for args in [["--help"], ["-h"]] {
            let exit = parse_with(&args, &[]).unwrap_err();
            assert_eq!(exit.code, 0);
            for name in [
                "--web.listen-address",
                "--storage.path",
                "[default: 35d]",
                "TIDEGATE_",
            ] {
                assert!(
                    exit.text.contains(name),
                    "{name} is missing in\n{}",
                    exit.text
                );
            }
            for name in ["--metric.timetolive", "--persistence.interval"] {
                assert!(!exit.text.contains(name), "{name} is in\n{}", exit.text);
            }
        }
    }

    #[test]
    fn the_version_has_the_form_of_the_family() {
        let exit = parse_with(&["--version"], &[("TIDEGATE_TTL_DEFAULT", "x")]).unwrap_err();
        assert_eq!(exit.code, 0);
        let first = exit.text.lines().next().unwrap();
        let start = concat!(
            "tidegate, version ",
            env!("CARGO_PKG_VERSION"),
            " (branch: "
        );
        assert!(first.starts_with(start) && first.ends_with(')'), "{first}");
        assert!(
            exit.text.contains("\n  platform:         linux/"),
            "{}",
            exit.text
        );
    }
}
