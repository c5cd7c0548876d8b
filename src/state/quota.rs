//! How much may be stored in all, so that memory is bounded whoever pushes.

use std::fmt;

use thiserror::Error;

use crate::limits;

/// Limits of all groups together; `None`: there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Groups: `--storage.max-groups`.
    pub groups: Option<u64>,
    /// Their series (sample lines), hidden ones too: `--storage.max-series`.
    pub series: Option<u64>,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            groups: Some(limits::GROUPS),
            series: Some(limits::SERIES),
        }
    }
}

impl Quota {
    pub(super) fn of(&self, counted: Counted) -> Option<u64> {
        match counted {
            Counted::Groups => self.groups,
            Counted::Series => self.series,
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Groups.
    Groups,
    /// Series (sample lines).
    Series,
}

impl Counted {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Series => "series",
        }
    }

    /// The flag that limits it, without its dashes.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Groups => "storage.max-groups",
            Self::Series => "storage.max-series",
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no room for a push: 507.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "there would be {wanted} {counted}, more than --{flag}={limit}; {stored} are stored",
    flag = counted.flag()
)]
pub struct OverQuota {
    /// Of what there would be too much.
    pub counted: Counted,
    /// How many are stored; those that have expired do not count.
    pub stored: u64,
    /// How many there would be with the push.
    pub wanted: u64,
    /// How many there may be.
    pub limit: u64,
}
