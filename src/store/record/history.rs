//! Rows of `history`: groups that are gone, and why.

use serde::{Deserialize, Serialize};

use super::Damage;
use super::head::{from_bytes, nanos_to_ttl, to_bytes, ttl_to_nanos};
use super::seal::{seal, unseal};
use crate::clock::UnixNanos;
use crate::model::GroupKey;
use crate::store::{End, Ended};

/// Times are nanoseconds since 1970.
#[derive(Serialize, Deserialize)]
struct HistoryRow<'a> {
    #[serde(with = "serde_bytes")]
    key: &'a [u8],
    last_push: u64,
    /// Nanoseconds; 0: never.
    ttl: u64,
    source: &'a str,
    at: u64,
    series: u64,
    pushes: u64,
    /// Absent: it expired.
    deleted_by: Option<&'a str>,
}

pub(in crate::store) fn encode_history(number: u64, ended: &Ended) -> Vec<u8> {
    let row = HistoryRow {
        key: ended.key.as_bytes(),
        last_push: ended.last_push.0,
        ttl: ttl_to_nanos(ended.ttl),
        source: &ended.ttl_source,
        at: ended.at.0,
        series: ended.series,
        pushes: ended.pushes,
        deleted_by: match &ended.end {
            End::Expired => None,
            End::Deleted { by } => Some(by),
        },
    };
    seal(&number.to_be_bytes(), to_bytes(&row))
}

pub(in crate::store) fn decode_history(number: u64, row: &[u8]) -> Result<Ended, Damage> {
    let row: HistoryRow<'_> = from_bytes(unseal(&number.to_be_bytes(), row)?)?;
    Ok(Ended {
        key: GroupKey::from_bytes(row.key).ok_or("its group key is not canonical")?,
        last_push: UnixNanos(row.last_push),
        ttl: nanos_to_ttl(row.ttl),
        ttl_source: row.source.to_owned(),
        at: UnixNanos(row.at),
        series: row.series,
        pushes: row.pushes,
        end: row
            .deleted_by
            .map_or(End::Expired, |by| End::Deleted { by: by.to_owned() }),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ttl::Ttl;

    #[test]
    fn records_round_trip_and_belong_to_their_number() {
        for end in [
            End::Expired,
            End::Deleted {
                by: "127.0.0.1".into(),
            },
        ] {
            let ended = Ended {
                key: GroupKey::new("a", &BTreeMap::new()),
                last_push: UnixNanos(1),
                ttl: Ttl::Never,
                ttl_source: "rule:ci".into(),
                at: UnixNanos(2),
                series: 3,
                pushes: 4,
                end,
            };
            let row = encode_history(7, &ended);
            assert!(decode_history(8, &row).is_err());
            assert_eq!(decode_history(7, &row), Ok(ended));
        }
    }
}
