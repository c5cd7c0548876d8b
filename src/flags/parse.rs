//! From the command line and the environment to [`Flags`].

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};

use super::Flags;
use super::exit::{Exit, exit};
use crate::duration;

const HELP_LONG: &str = "help-long";
const HELP_MAN: &str = "help-man";

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
    let mut command = with_help_forms(with_negations(Flags::command()));
    let given = command
        .try_get_matches_from_mut(&args)
        .map_err(|error| exit(&error))?;
    if let Some(help) = long_help(&mut command, &given) {
        return Err(help);
    }
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
    flags.values = values(&command, &matches);
    flags.from_environment = from_environment;
    flags.notices = notices;
    Ok(flags)
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

/// The two further forms of help that programs of this family have.
fn with_help_forms(command: Command) -> Command {
    let form = |name| {
        let arg = Arg::new(name).long(name).action(ArgAction::SetTrue);
        arg.hide(true)
    };
    command.arg(form(HELP_LONG)).arg(form(HELP_MAN))
}

/// Help in one of these forms, if it is asked for.
fn long_help(command: &mut Command, given: &ArgMatches) -> Option<Exit> {
    let text = if given.get_flag(HELP_LONG) {
        command.render_long_help().to_string()
    } else if given.get_flag(HELP_MAN) {
        let mut page = Vec::new();
        // Writing to memory does not fail.
        clap_mangen::Man::new(command.clone())
            .render(&mut page)
            .ok()?;
        String::from_utf8(page).ok()?
    } else {
        return None;
    };
    Some(Exit { code: 0, text })
}

/// See [`Flags::values`].
fn values(command: &Command, matches: &ArgMatches) -> Vec<(String, String)> {
    let value = |arg: &Arg| {
        let id = arg.get_id().as_str();
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            return matches.get_flag(id).to_string();
        }
        let given = matches.get_raw(id).into_iter().flatten();
        let words: Vec<_> = given.map(OsStr::to_string_lossy).collect();
        let words = words.join(",");
        let names = arg.get_value_names().unwrap_or_default();
        let is_duration = names.iter().any(|name| name == "DURATION");
        match duration::parse(&words) {
            Ok(parsed) if is_duration => duration::go(parsed),
            _ => words,
        }
    };
    let mut values: Vec<_> = named(command)
        .map(|(name, arg)| (name.to_owned(), value(arg)))
        .collect();
    values.sort();
    values
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
