//! The command line of the subcommands.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::group;
use crate::duration;
use crate::model::Selector;
use crate::ttl::Ttl;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 refused, by the gateway, or because the command \
    line is wrong or the gateway's certificate is not trusted; 2 the gateway cannot be reached.";

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
    /// Say what would be imported of a persistence file of the Pushgateway, and what not
    /// and why. Exit code 1 if it is no such file.
    Import {
        /// What would be given as --persistence.file.
        file: PathBuf,
        /// Take label names of any UTF-8, as a start with this flag does.
        #[arg(long = "push.enable-utf8-names")]
        utf8_names: bool,
    },
    /// Say all that is wrong with a web config file, its certificates included (exit
    /// code 1), or what it asks for.
    WebConfig {
        /// What would be given as --web.config.file.
        file: PathBuf,
    },
}

/// The gateway that is asked, and the form of the answer.
#[derive(ClapArgs, Clone, Debug)]
#[command(next_help_heading = "Gateway and answer")]
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

    /// Certificates (PEM) to trust instead of the system's: authorities, or the gateway's own.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "insecure")]
    pub(super) ca_file: Option<PathBuf>,

    /// Certificate (PEM, with its chain) to show a gateway that asks its clients for one.
    #[arg(long, global = true, value_name = "FILE", requires = "key_file")]
    pub(super) cert_file: Option<PathBuf>,

    /// Private key (PEM) of that certificate.
    #[arg(long, global = true, value_name = "FILE", requires = "cert_file")]
    pub(super) key_file: Option<PathBuf>,

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
    /// Override the TTL of one group by its labels, or of all there are now that a selector
    /// matches.
    Set {
        #[command(flatten)]
        groups: Overridden,
        #[command(flatten)]
        new: NewTtl,
    },
    /// Take back the override of one group by its labels, or of all that a selector matches.
    Unset(Overridden),
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
        #[command(flatten)]
        matching: Matching,
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

    /// Order of the list; `ttl list` is by expires, `groups list` by job unless told.
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
    /// Past it, and kept by a pause, by the grace after a start, or until a scrape has seen it.
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
    /// All labels of the group: job=backup instance=db1. A name may be in quotes: '"a=b"=c'.
    #[arg(value_name = "LABEL=VALUE", value_parser = group::pair)]
    pub(super) labels: Vec<(String, String)>,
}

/// A group named by its labels.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct OneGroup {
    /// All labels of the group: job=backup instance=db1. A name may be in quotes: '"a=b"=c'.
    #[arg(value_name = "LABEL=VALUE", value_parser = group::pair, required = true)]
    pub(super) labels: Vec<(String, String)>,
}

/// All groups that match, where no group is named.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct Matching {
    /// Groups that are meant, such as '{job=~"ci-.*"}'; '{}' is all. Repeatable: one of
    /// them has to match.
    #[arg(
        long = "match",
        value_name = "SELECTOR",
        value_parser = selector,
        required_unless_present = "labels",
        conflicts_with = "labels"
    )]
    pub(super) selectors: Vec<Selector>,
}

/// Whose overrides to set or to take back.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct Overridden {
    #[command(flatten)]
    pub(super) group: AnyGroup,
    #[command(flatten)]
    pub(super) matching: Matching,
    #[command(flatten)]
    pub(super) caution: Caution,
}

/// An override to set.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct NewTtl {
    /// The TTL: 6h, 7d, never.
    #[arg(long, value_parser = ttl)]
    pub(super) ttl: Ttl,
    /// For how long it holds; until the group ends if it is not given.
    #[arg(long = "for", value_name = "DURATION", value_parser = span)]
    pub(super) span: Option<String>,
    /// Why, for those who come later.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// For commands that remove things or change many at once.
#[derive(ClapArgs, Clone, Copy, Debug)]
pub(super) struct Caution {
    /// Do not ask.
    #[arg(long)]
    pub(super) yes: bool,

    /// Only say what would be done.
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
