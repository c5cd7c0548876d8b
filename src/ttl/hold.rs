//! Holds: groups that do not expire before they have been scraped.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::clock::UnixNanos;

/// What the expiry of a group waits for beside its deadline.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hold {
    /// A complete scrape that showed the group's last successful push.
    UntilScraped,
}

impl FromStr for Hold {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "until_scraped" => Ok(Self::UntilScraped),
            _ => Err("expected until_scraped"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UntilScraped => out.write_str("until_scraped"),
        }
    }
}

impl Serialize for Hold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What has come by now, as far as expiry is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Horizon {
    /// Deadlines up to this have passed, in TTL time.
    pub at: UnixNanos,
    /// Pushes up to this number have been in a complete scrape. Pushes are numbered
    /// from 1 on in the order in which they can be scraped, anew after each start.
    pub scraped: u64,
}

impl Horizon {
    /// Where it stands while expiry is suspended: at the beginning of time, where nothing has
    /// expired. Scrapes go on to count.
    pub const SUSPENDED: Self = Self {
        at: UnixNanos(0),
        scraped: u64::MAX,
    };

    /// The earlier one of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            at: self.at.min(other.at),
            scraped: self.scraped.min(other.scraped),
        }
    }
}

impl From<UnixNanos> for Horizon {
    /// A horizon at which nothing has been scraped.
    fn from(at: UnixNanos) -> Self {
        Self { at, scraped: 0 }
    }
}
