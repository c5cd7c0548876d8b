//! The command line and the environment, as text: what was given, nothing
//! checked but the names. [`crate::settings`] makes values of it.
//!
//! Names and habits are the Pushgateway's: `--area.name`, a flag given twice is
//! an error unless it is repeatable, the exit code after a mistake is 1. Every
//! flag is also an environment variable, `--web.listen-address` being
//! `TIDEGATE_WEB_LISTEN_ADDRESS`; the flag beats the variable and an empty
//! variable counts as unset.

mod exit;
mod parse;
#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::{ArgAction, Parser};

pub(crate) use exit::exit;
pub use exit::{Exit, version};
pub use parse::{parse, variable};

const AFTER_HELP: &str = "Subcommands, each with its own --help: `tidegate check` for config \
    and persistence files; `tidegate ttl` and `tidegate groups` ask a running gateway. Without \
    one the gateway is started.\n\nEvery flag can be given as an environment variable too: \
    TIDEGATE_WEB_LISTEN_ADDRESS for --web.listen-address (several separated by commas), and so \
    on. A flag beats its variable, an empty variable counts as unset.";

/// What the command line and the environment say.
#[derive(Clone, PartialEq, Eq, Debug, Parser)]
#[expect(
    clippy::manual_non_exhaustive,
    reason = "the field of --version holds nothing"
)]
#[command(name = "tidegate", bin_name = "tidegate", about, disable_version_flag = true, version, after_help = AFTER_HELP)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a switch is a flag of its own"
)]
pub struct Flags {
    /// Address to listen on: :9091 is the port at all addresses, localhost:9091 at one.
    /// Repeatable.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":9091"
    )]
    pub listen_addresses: Vec<String>,

    /// Listen on the sockets that systemd passes, in place of --web.listen-address.
    #[arg(long = "web.systemd-socket")]
    pub systemd_socket: bool,

    /// YAML file with TLS, passwords, headers and rate limit, in the format of all
    /// Prometheus programs. It is read anew when it changes.
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub web_config_file: Option<OsString>,

    /// Path under which the metrics are.
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        default_value = "/metrics"
    )]
    pub telemetry_path: String,

    /// URL at which the gateway can be reached from outside, such as behind a proxy.
    #[arg(long = "web.external-url", value_name = "URL", default_value = "")]
    pub external_url: String,

    /// Prefix of all paths; the path of --web.external-url if not given. / is none.
    #[arg(long = "web.route-prefix", value_name = "PATH", default_value = "")]
    pub route_prefix: String,

    /// Folder of the store; `data/` if neither this nor --persistence.file is given.
    #[arg(
        long = "storage.path",
        value_name = "FOLDER",
        help = "Folder of the store, made if it is not there [default: data/]"
    )]
    pub storage_path: Option<OsString>,

    /// Most groups stored together; a push that would make more is answered 507. 0 is no
    /// limit.
    #[arg(
        long = "storage.max-groups",
        value_name = "NUMBER",
        default_value = "1000000"
    )]
    pub max_groups: String,

    /// Most series (sample lines) stored together; a push that would make more is answered
    /// 507. 0 is no limit.
    #[arg(
        long = "storage.max-series",
        value_name = "NUMBER",
        default_value = "10000000"
    )]
    pub max_series: String,

    /// For those who come from the Pushgateway: the store is the folder
    /// FILE.tidegate/, and takes over the groups in FILE when it is made. FILE itself is
    /// only read.
    #[arg(long = "persistence.file", value_name = "FILE")]
    pub persistence_file: Option<OsString>,

    /// Without effect, for command lines of the Pushgateway: every push is on disk when
    /// it is answered.
    #[arg(
        long = "persistence.interval",
        value_name = "DURATION",
        default_value = "5m"
    )]
    pub persistence_interval: String,

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

    /// Show the TTL and the expiry of each group, and the last push of expired ones, as
    /// series in /metrics.
    #[arg(long = "ttl.expose")]
    pub ttl_expose: bool,

    /// Allow to end the program and to reload the config file by HTTP: POST /-/quit,
    /// POST /-/reload.
    #[arg(long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,

    /// Allow to wipe, to delete groups and to change their TTLs by the API.
    #[arg(long = "web.enable-admin-api")]
    pub enable_admin_api: bool,

    /// Take pushes that are inconsistent with what is stored, answering 202: what cannot be
    /// shown is stored, and hidden until it can.
    #[arg(long = "push.disable-consistency-check")]
    pub disable_consistency_check: bool,

    /// Largest body of a push as sent, in bytes or with a unit (64MiB, 10MB).
    #[arg(
        long = "push.max-body-size",
        value_name = "SIZE",
        default_value = "64MiB"
    )]
    pub max_body_size: String,

    /// Allow any UTF-8 in names of metrics and labels, in bodies and in addresses.
    #[arg(long = "push.enable-utf8-names")]
    pub enable_utf8_names: bool,

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

    /// All flags by their long names, sorted, with their values in words: switches are
    /// `true` or `false`, values of repeatable flags are joined by commas, durations are
    /// as Go prints them.
    #[arg(skip)]
    pub values: Vec<(String, String)>,

    /// What the operator should read in the log, once there is one.
    #[arg(skip)]
    pub notices: Vec<String>,
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
