//! The `--ttl.*` flags that were given: what beats the config file, now and at
//! every reload.

use std::fmt;
use std::time::Duration;

use crate::duration;
use crate::flags::Flags;
use crate::ttl::{ClientTtl, Ttl};

/// The flags of the TTL policy that were given on the command line or in the
/// environment. Flags at their default are none of them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TtlFlags {
    default: Option<Given<Ttl>>,
    min: Option<Given<Duration>>,
    max: Option<Given<Ttl>>,
    client: Option<Given<ClientTtl>>,
}

/// A value with what is needed to complain about it later.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Given<T> {
    value: T,
    text: String,
    /// `--ttl.max`, perhaps with its variable.
    flag: String,
}

impl TtlFlags {
    /// Reads the flags; what cannot be read is told and left out.
    pub fn read(flags: &Flags, faults: &mut Vec<String>) -> Self {
        Self {
            default: given(flags, "ttl.default", &flags.ttl_default, str::parse, faults),
            min: given(flags, "ttl.min", &flags.ttl_min, duration::parse, faults),
            max: given(flags, "ttl.max", &flags.ttl_max, str::parse, faults),
            client: given(flags, "ttl.client", &flags.ttl_client, str::parse, faults),
        }
    }

    pub(super) fn default_ttl(&self) -> Option<Ttl> {
        self.default.as_ref().map(|given| given.value)
    }

    pub(super) fn min_ttl(&self) -> Option<Duration> {
        self.min.as_ref().map(|given| given.value)
    }

    /// [`Ttl::Never`] is no cap.
    pub(super) fn max_ttl(&self) -> Option<Ttl> {
        self.max.as_ref().map(|given| given.value)
    }

    pub(super) fn client_ttl(&self) -> Option<ClientTtl> {
        self.client.as_ref().map(|given| given.value)
    }

    /// The complaint about `default` or `max`, if that was given.
    pub(super) fn fault(&self, name: &str, reason: &str) -> Option<String> {
        let given = if name == "max" {
            &self.max
        } else {
            &self.default
        };
        given
            .as_ref()
            .map(|given| complaint(&given.text, &given.flag, &reason))
    }
}

fn given<T, E: fmt::Display>(
    flags: &Flags,
    name: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
    faults: &mut Vec<String>,
) -> Option<Given<T>> {
    if !flags.is_given(name) {
        return None;
    }
    let flag = flags.spelled(name);
    match parse(text) {
        Ok(value) => Some(Given {
            value,
            text: text.to_owned(),
            flag,
        }),
        Err(reason) => {
            faults.push(complaint(text, &flag, &reason));
            None
        }
    }
}

/// How a bad value of a flag is told; `flag` as [`Flags::spelled`] gives it.
pub(crate) fn complaint(text: &str, flag: &str, reason: &dyn fmt::Display) -> String {
    format!("bad value {text:?} for {flag}: {reason}")
}
