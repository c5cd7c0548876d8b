//! Rows of `overrides`: what operators decided about groups, and the pause.

use serde::{Deserialize, Serialize};

use super::Damage;
use super::head::{from_bytes, nanos_to_ttl, to_bytes, ttl_to_nanos};
use super::seal::{seal, unseal};
use crate::clock::UnixNanos;
use crate::ttl::{Horizon, Override, Suspension};

/// Key of the pause. Keys of groups end in 0xFF, so none is empty.
pub(in crate::store) const PAUSE_KEY: &[u8] = b"";

/// Times are nanoseconds since 1970.
#[derive(Serialize, Deserialize)]
struct OverrideRow<'a> {
    /// Nanoseconds; 0: never.
    ttl: u64,
    until: Option<u64>,
    reason: &'a str,
    by: &'a str,
    set: u64,
}

#[derive(Serialize, Deserialize)]
struct PauseRow<'a> {
    at: u64,
    until: Option<u64>,
    reason: &'a str,
    by: &'a str,
}

pub(in crate::store) fn encode_override(key: &[u8], of: &Override) -> Vec<u8> {
    let row = OverrideRow {
        ttl: ttl_to_nanos(of.ttl),
        until: of.until.map(|until| until.0),
        reason: &of.reason,
        by: &of.by,
        set: of.set.0,
    };
    seal(key, to_bytes(&row))
}

pub(in crate::store) fn decode_override(key: &[u8], row: &[u8]) -> Result<Override, Damage> {
    let row: OverrideRow<'_> = from_bytes(unseal(key, row)?)?;
    Ok(Override {
        ttl: nanos_to_ttl(row.ttl),
        until: row.until.map(UnixNanos),
        reason: row.reason.to_owned(),
        by: row.by.to_owned(),
        set: UnixNanos(row.set),
    })
}

pub(in crate::store) fn encode_pause(pause: &Suspension) -> Vec<u8> {
    let row = PauseRow {
        at: pause.at.at.0,
        until: pause.until.map(|until| until.0),
        reason: &pause.reason,
        by: &pause.by,
    };
    seal(PAUSE_KEY, to_bytes(&row))
}

pub(in crate::store) fn decode_pause(row: &[u8]) -> Result<Suspension, Damage> {
    let row: PauseRow<'_> = from_bytes(unseal(PAUSE_KEY, row)?)?;
    Ok(Suspension {
        at: Horizon {
            at: UnixNanos(row.at),
            ..Horizon::SUSPENDED
        },
        until: row.until.map(UnixNanos),
        reason: row.reason.to_owned(),
        by: row.by.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ttl::Ttl;

    #[test]
    fn overrides_and_pauses_round_trip() {
        let text = "because".to_owned();
        for (ttl, until) in [
            (Ttl::Never, None),
            (Ttl::After(Duration::from_secs(9)), Some(7)),
        ] {
            let until = until.map(UnixNanos);
            let (reason, by, set) = (text.clone(), "127.0.0.1".to_owned(), UnixNanos(3));
            let of = Override {
                ttl,
                until,
                reason: reason.clone(),
                by: by.clone(),
                set,
            };
            assert_eq!(decode_override(b"k", &encode_override(b"k", &of)), Ok(of));
            let pause = Suspension {
                at: Horizon::SUSPENDED,
                until,
                reason,
                by,
            };
            assert_eq!(decode_pause(&encode_pause(&pause)), Ok(pause));
        }
    }
}
