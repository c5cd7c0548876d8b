//! The command line of the subcommands.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::group;
use crate::duration;
use crate::model::Selector;
use crate::ttl::Ttl;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 refused, by the gateway or because the command \
    line is wrong; 2 the gateway cannot be reached.";

#[derive(Parser, Debug)]
#[command(name = "tidegate", bin_name = "tidegate", after_help = EXIT_CODES)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Check a file before it is used.
    Check {
        #[command(subcommand)]
        what: Check,
    },
    /// See and change how long groups live.
    #[command(after_help = EXIT_CODES)]
    Ttl {
        #[command(flatten)]
        target: Target,
        #[command(subcommand)]
        what: TtlCommand,
    },
    /// List and delete groups.
    #[command(after_help = EXIT_CODES)]
    Groups {
        #[command(flatten)]
        target: Target,
        #[command(subcommand)]
        what: GroupsCommand,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum Check {
    /// Say all that is wrong with a config file (exit code 1), or print the rules as
    /// understood.
    Config {
        /// What would be given as --config.file.
        file: PathBuf,
    },
}

/// The gateway that is asked, and the form of the answer.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct Target {
    /// Address of the gateway, its path prefix included.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "TIDEGATE_ADDRESS",
        default_value = "http://localhost:9091"
    )]
    pub(super) address: String,

    /// User for basic authentication.
    #[arg(long, global = true, value_name = "NAME", requires = "password_file")]
    pub(super) username: Option<String>,

    /// File whose first line is the password.
    #[arg(long, global = true, value_name = "FILE", requires = "username")]
    pub(super) password_file: Option<PathBuf>,

    /// Certificates (PEM) to trust instead of the system's.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "insecure")]
    pub(super) ca_file: Option<PathBuf>,

    /// Do not check the gateway's certificate.
    #[arg(long, global = true)]
    pub(super) insecure: bool,

    /// Form of the answer.
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Output {
    /// For people.
    Table,
    /// The data as the gateway's API has it.
    Json,
}

#[derive(Subcommand, Debug)]
pub(super) enum TtlCommand {
    /// List groups with their TTLs, the next to expire first.
    List(Listing),
    /// Show the TTL settings in force, or all about one group.
    Show {
        #[command(flatten)]
        group: AnyGroup,
    },
    /// Tell why a group has its TTL, or would have it.
    Explain {
        #[command(flatten)]
        group: AnyGroup,
        /// Groups to explain, such as '{job=~"ci-.*"}'. Repeatable.
        #[arg(long = "match", value_name = "SELECTOR", value_parser = selector, conflicts_with = "labels")]
        matching: Vec<Selector>,
    },
    /// Override the TTL of a group.
    Set {
        #[command(flatten)]
        group: OneGroup,
        /// The TTL: 6h, 7d, never.
        #[arg(long, value_parser = ttl)]
        ttl: Ttl,
        /// For how long it holds; until the group ends if it is not given.
        #[arg(long = "for", value_name = "DURATION", value_parser = span)]
        span: Option<String>,
        /// Why, for those who come later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Take the override of a group back.
    Unset {
        #[command(flatten)]
        group: OneGroup,
    },
    /// Start the TTL clock of a group anew, without a push.
    Touch {
        #[command(flatten)]
        group: OneGroup,
    },
    /// Let nothing expire for a while.
    Pause {
        /// For how long; until `resume` if it is not given.
        #[arg(long = "for", value_name = "DURATION", value_parser = span)]
        span: Option<String>,
        /// Why, for those who come later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End a pause.
    Resume,
    /// Remove expired groups from the disk now.
    Reap(Caution),
}

#[derive(Subcommand, Debug)]
pub(super) enum GroupsCommand {
    /// List groups.
    List(Listing),
    /// Delete one group by its labels, or all that a selector matches.
    Delete {
        #[command(flatten)]
        group: AnyGroup,
        /// Groups to delete, such as '{job=~"ci-.*"}'. Repeatable.
        #[arg(
            long = "match",
            value_name = "SELECTOR",
            value_parser = selector,
            required_unless_present = "labels",
            conflicts_with = "labels"
        )]
        matching: Vec<Selector>,
        /// Only those whose last push is longer ago than this.
        #[arg(long, value_name = "DURATION", value_parser = span, conflicts_with = "labels")]
        older_than: Option<String>,
        #[command(flatten)]
        caution: Caution,
    },
}

/// Which groups to list.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct Listing {
    /// Only groups that match, such as '{job=~"ci-.*",env!="prod"}'. Repeatable: one
    /// of them has to match.
    #[arg(long = "match", value_name = "SELECTOR", value_parser = selector)]
    pub(super) matching: Vec<Selector>,

    /// Only groups in this state.
    #[arg(long, value_enum)]
    pub(super) state: Option<GroupState>,

    /// Order of the list.
    #[arg(long, value_enum)]
    pub(super) sort: Option<Sort>,

    /// At most so many groups; 0 is all.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(super) limit: usize,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GroupState {
    /// Before its deadline.
    Live,
    /// Past it, and held back by a pause or the grace after a start.
    Overdue,
    /// Expired, from the history.
    Expired,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// The next to expire first.
    Expires,
    /// The last pushed first.
    #[value(name = "last_push")]
    LastPush,
    /// By grouping key.
    Job,
}

/// A group named by its labels, or none.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct AnyGroup {
    /// All labels of the group: job=backup instance=db1.
    #[arg(value_name = "LABEL=VALUE", value_parser = group::pair)]
    pub(super) labels: Vec<(String, String)>,
}

/// A group named by its labels.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct OneGroup {
    /// All labels of the group: job=backup instance=db1.
    #[arg(value_name = "LABEL=VALUE", value_parser = group::pair, required = true)]
    pub(super) labels: Vec<(String, String)>,
}

/// For commands that remove things.
#[derive(ClapArgs, Clone, Copy, Debug)]
pub(super) struct Caution {
    /// Do not ask.
    #[arg(long)]
    pub(super) yes: bool,

    /// Only say what would be removed.
    #[arg(long)]
    pub(super) dry_run: bool,
}

fn selector(text: &str) -> Result<Selector, String> {
    Selector::parse(text).map_err(|error| error.to_string())
}

fn ttl(text: &str) -> Result<Ttl, String> {
    text.parse()
        .map_err(|error: duration::DurationError| error.to_string())
}

/// A duration, in its canonical form.
fn span(text: &str) -> Result<String, String> {
    duration::parse(text)
        .map(duration::format)
        .map_err(|error| error.to_string())
}
