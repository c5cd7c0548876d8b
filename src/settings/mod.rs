//! The flags made into checked values, once; the rest of the program sees only
//! these.

mod listen;
mod paths;
mod size;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::config::Faults;
use crate::config::{PolicySource, TtlFlags, complaint, readable, web};
use crate::flags::{Exit, Flags};
use crate::format::name::NameRule;
use crate::state::Quota;
use crate::ttl::TtlPolicy;
use crate::{duration, log};
pub use listen::{Host, ListenAddress, ListenAddressError};
pub use paths::Paths;
use size::{body_size, limit};

/// What the operator decided.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a switch is a setting of its own"
)]
pub struct Settings {
    /// Where to listen; at least one.
    pub listen: Vec<ListenAddress>,
    /// Where the pages are.
    pub paths: Paths,
    /// Every flag by its long name with its value, as `/api/v1/status` shows them.
    pub shown_flags: Vec<(String, String)>,
    /// Whether the sockets of the service manager are listened on instead.
    pub systemd_socket: bool,
    /// The file with TLS, passwords and headers, without faults when it was read.
    pub web_config: Option<PathBuf>,
    /// The folder of the store, perhaps relative to the working directory.
    pub store: PathBuf,
    /// The Pushgateway's persistence file, beside the store: its groups are taken over.
    pub import: Option<PathBuf>,
    /// How much may be stored.
    pub quota: Quota,
    /// How long groups live, as config file and flags have it at start.
    pub ttl: TtlPolicy,
    /// Where that came from, to load it again.
    pub policy_source: PolicySource,
    /// How long records of expired and deleted groups are kept; zero: not at all.
    pub ttl_history: Duration,
    /// For how long after the start nothing expires.
    pub ttl_startup_grace: Duration,
    /// Whether TTLs are shown as series.
    pub ttl_expose: bool,
    /// Whether the config can be reloaded and the program be ended by HTTP.
    pub enable_lifecycle: bool,
    /// Whether groups can be deleted and their TTLs changed by the API.
    pub enable_admin_api: bool,
    /// Largest request body as sent, in bytes; from 1 to
    /// [`BODY_BYTES_IN_FLIGHT`](crate::limits::BODY_BYTES_IN_FLIGHT).
    pub max_body: usize,
    /// Whether inconsistent pushes are taken, and what cannot be shown of them hidden.
    pub hide_inconsistent: bool,
    /// Names that pushed metrics and labels may have.
    pub names: NameRule,
    /// Messages below it are not logged.
    pub log_level: tracing::Level,
    /// Form of a log line.
    pub log_format: log::Format,
    /// What to log once at start.
    pub notices: Vec<String>,
}

impl From<Faults> for Exit {
    fn from(faults: Faults) -> Self {
        Self::refused(faults)
    }
}

impl Settings {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// All faults at once, so that nobody has to find them one start at a time.
    pub fn from_flags(mut flags: Flags) -> Result<Self, Faults> {
        let mut check = Check {
            flags: &flags,
            faults: Vec::new(),
            notices: Vec::new(),
        };
        let listen = check.listen();
        let web_config = check.web_config();
        let paths = check.paths();
        let policy_source = check.policy_source();
        let ttl = check.policy(&policy_source);
        let ttl_history = check.value("ttl.history", &flags.ttl_history, duration::parse);
        let ttl_startup_grace = check.value(
            "ttl.startup-grace",
            &flags.ttl_startup_grace,
            duration::parse,
        );
        let max_body = check.value("push.max-body-size", &flags.max_body_size, body_size);
        let quota = check.quota();
        let log_level = check.value("log.level", &flags.log_level, log::parse_level);
        let log_format = check.value("log.format", &flags.log_format, str::parse);
        check.persistence_interval();
        let (store, import) = check.store();
        let Check {
            faults,
            mut notices,
            ..
        } = check;
        if !faults.is_empty() {
            return Err(Faults::new(faults));
        }
        notices.splice(0..0, std::mem::take(&mut flags.notices));
        let settings = || {
            let paths = paths?;
            Some(Self {
                listen,
                systemd_socket: flags.systemd_socket,
                web_config,
                shown_flags: shown(&flags, &paths),
                paths,
                store,
                import,
                quota: quota?,
                ttl: ttl?,
                policy_source,
                ttl_history: ttl_history?,
                ttl_startup_grace: ttl_startup_grace?,
                ttl_expose: flags.ttl_expose,
                enable_lifecycle: flags.enable_lifecycle,
                enable_admin_api: flags.enable_admin_api,
                max_body: max_body?,
                hide_inconsistent: flags.disable_consistency_check,
                names: NameRule::utf8_if(flags.enable_utf8_names),
                log_level: log_level?,
                log_format: log_format?,
                notices,
            })
        };
        // Nothing is missing: a value that could not be read is a fault.
        settings().ok_or_else(Faults::default)
    }
}

/// The flags and what was found in them so far.
struct Check<'a> {
    flags: &'a Flags,
    faults: Vec<String>,
    notices: Vec<String>,
}

impl Check<'_> {
    /// The value of a flag, or a fault.
    fn value<T, E: fmt::Display>(
        &mut self,
        flag: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(text)
            .map_err(|reason| self.fault(flag, text, &reason))
            .ok()
    }

    fn fault(&mut self, flag: &str, text: &str, reason: &dyn fmt::Display) {
        let flag = self.flags.spelled(flag);
        self.faults.push(complaint(text, &flag, reason));
    }

    fn listen(&mut self) -> Vec<ListenAddress> {
        let flags = self.flags;
        let texts = flags.listen_addresses.iter();
        texts
            .filter_map(|text| self.value("web.listen-address", text, str::parse))
            .collect()
    }

    /// Only looked at, so that its faults are told with all others.
    fn web_config(&mut self) -> Option<PathBuf> {
        let file = self.flags.web_config_file.as_ref();
        let file = PathBuf::from(file.filter(|file| !file.is_empty())?);
        self.readable("web.config.file", &file)?;
        if let Err(faults) = web::load(&file) {
            self.faults.extend(faults.into_lines());
        }
        Some(file)
    }

    /// Whether a file can be read: of one that cannot, the flag is told.
    fn readable(&mut self, flag: &str, file: &Path) -> Option<()> {
        let shown = file.display().to_string();
        self.value(flag, &shown, |_| readable(file))
    }

    /// Without a prefix of its own the path of the URL counts.
    fn paths(&mut self) -> Option<Paths> {
        let flags = self.flags;
        let url = &flags.external_url;
        let external = self.value("web.external-url", url, |url| {
            let path = paths::path_of_url(url)?;
            paths::prefix(&path)
        });
        let prefix = match flags.route_prefix.as_str() {
            "" => external,
            own => self.value("web.route-prefix", own, paths::prefix),
        };
        let path = &flags.telemetry_path;
        let telemetry = self.value("web.telemetry-path", path, paths::telemetry);
        Some(Paths {
            prefix: prefix?,
            telemetry: telemetry?,
        })
    }

    fn policy_source(&mut self) -> PolicySource {
        let file = self.flags.config_file.as_ref();
        PolicySource {
            file: file.filter(|file| !file.is_empty()).map(PathBuf::from),
            flags: TtlFlags::read(self.flags, &mut self.faults),
        }
    }

    fn policy(&mut self, source: &PolicySource) -> Option<TtlPolicy> {
        if let Some(file) = &source.file {
            self.readable("config.file", file)?;
        }
        let loaded = source.load();
        loaded
            .map_err(|faults| self.faults.extend(faults.into_lines()))
            .ok()
    }

    /// Where the store is. `--storage.path` beats `--persistence.file`, whose
    /// file the Pushgateway may still own: the store goes beside it, and its groups are taken over.
    fn store(&mut self) -> (PathBuf, Option<PathBuf>) {
        let flags = self.flags;
        let file = flags
            .persistence_file
            .as_deref()
            .filter(|file| !file.is_empty())
            .map(Path::new);
        match (&flags.storage_path, file) {
            (Some(folder), _) if folder.is_empty() => {
                self.fault("storage.path", "", &"expected the path of a folder");
                (PathBuf::new(), None)
            }
            (Some(folder), file) => {
                if file.is_some() {
                    let notice = "--persistence.file is not used because --storage.path is given";
                    self.notices.push(notice.to_owned());
                }
                (PathBuf::from(folder), None)
            }
            (None, Some(file)) => {
                // Through its components, so that a closing slash does not count.
                let file = file.components().as_path();
                let mut folder = OsString::from(file);
                folder.push(".tidegate");
                self.notices.push(format!(
                    "the store is the folder {}; the file of --persistence.file is only read, \
                     when that folder is made",
                    Path::new(&folder).display()
                ));
                (PathBuf::from(folder), Some(file.to_owned()))
            }
            (None, None) => (PathBuf::from("data/"), None),
        }
    }

    fn quota(&mut self) -> Option<Quota> {
        let flags = self.flags;
        let groups = self.value("storage.max-groups", &flags.max_groups, limit);
        let series = self.value("storage.max-series", &flags.max_series, limit);
        Some(Quota {
            groups: groups?,
            series: series?,
        })
    }

    fn persistence_interval(&mut self) {
        let flags = self.flags;
        let text = &flags.persistence_interval;
        let read = self.value("persistence.interval", text, duration::parse);
        if read.is_some() && flags.is_given("persistence.interval") {
            let notice =
                "--persistence.interval has no effect: every push is on disk when it is answered";
            self.notices.push(notice.to_owned());
        }
    }
}

/// The flags as given or by default; of the prefix what it comes to.
fn shown(flags: &Flags, paths: &Paths) -> Vec<(String, String)> {
    let value = |(name, value): &(String, String)| match name.as_str() {
        "web.route-prefix" => (name.clone(), paths.prefix.clone()),
        _ => (name.clone(), value.clone()),
    };
    flags.values.iter().map(value).collect()
}
