//! Rows of `groups` and `marks`.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seal::{seal, unseal};
use super::{Damage, Packed};
use crate::clock::UnixNanos;
use crate::store::{Failure, Head, Pusher, Stored};
use crate::ttl::Ttl;

/// A row of `groups`.
#[derive(Serialize, Deserialize)]
struct GroupRow<'a> {
    #[serde(borrow)]
    head: HeadRow<'a>,
    /// When the families that name no time of their own were pushed. Not the
    /// head's last push: a heartbeat moves that and leaves the families alone.
    pushed: u64,
    #[serde(borrow, with = "serde_bytes")]
    families: Cow<'a, [u8]>,
}

/// Times are nanoseconds since 1970.
#[derive(Serialize, Deserialize)]
struct HeadRow<'a> {
    created: u64,
    last_push: u64,
    clock_start: u64,
    /// Nanoseconds; absent: the push asked for none; 0: never.
    pushed_ttl: Option<u64>,
    pushes: u64,
    families: u32,
    series: u64,
    #[serde(borrow)]
    address: Cow<'a, str>,
    #[serde(borrow)]
    agent: Cow<'a, str>,
    #[serde(borrow)]
    failure: Option<FailureRow<'a>>,
    #[serde(default)]
    clock_ahead: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct FailureRow<'a> {
    at: u64,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// The sealed row of a group.
pub(in crate::store) fn encode_group(
    key: &[u8],
    head: &Head,
    pushed: UnixNanos,
    families: &Packed,
) -> Vec<u8> {
    let head = HeadRow::of(head);
    let families = Cow::Borrowed(families.as_bytes());
    seal(
        key,
        to_bytes(&GroupRow {
            head,
            pushed: pushed.0,
            families,
        }),
    )
}

/// Reads what [`encode_group`] wrote.
pub(in crate::store) fn decode_group(key: &[u8], row: &[u8]) -> Result<(Head, Stored), Damage> {
    let row: GroupRow<'_> = from_bytes(unseal(key, row)?)?;
    let families = Packed::from_bytes(row.families.into_owned());
    Ok((
        row.head.into_head(),
        Stored {
            pushed: UnixNanos(row.pushed),
            families,
        },
    ))
}

/// The head of a row; its families are not looked at.
pub(in crate::store) fn decode_group_head(key: &[u8], row: &[u8]) -> Result<Head, Damage> {
    from_bytes::<GroupRow<'_>>(unseal(key, row)?).map(|row| row.head.into_head())
}

/// The sealed row of a mark.
pub(in crate::store) fn encode_mark(key: &[u8], head: &Head) -> Vec<u8> {
    seal(key, to_bytes(&HeadRow::of(head)))
}

/// Reads what [`encode_mark`] wrote.
pub(in crate::store) fn decode_mark(key: &[u8], row: &[u8]) -> Result<Head, Damage> {
    from_bytes::<HeadRow<'_>>(unseal(key, row)?).map(HeadRow::into_head)
}

impl<'a> HeadRow<'a> {
    fn of(head: &'a Head) -> Self {
        Self {
            created: head.created.0,
            last_push: head.last_push.0,
            clock_start: head.clock_start.0,
            pushed_ttl: head.pushed_ttl.map(ttl_to_nanos),
            pushes: head.pushes,
            families: head.families,
            series: head.series,
            address: Cow::Borrowed(&head.pusher.address),
            agent: Cow::Borrowed(&head.pusher.agent),
            failure: head.failure.as_ref().map(|failure| FailureRow {
                at: failure.at.0,
                text: Cow::Borrowed(&failure.text),
            }),
            clock_ahead: head.clock_ahead.map(|at| at.0),
        }
    }

    fn into_head(self) -> Head {
        Head {
            created: UnixNanos(self.created),
            last_push: UnixNanos(self.last_push),
            clock_start: UnixNanos(self.clock_start),
            pushed_ttl: self.pushed_ttl.map(nanos_to_ttl),
            pushes: self.pushes,
            families: self.families,
            series: self.series,
            pusher: Pusher {
                address: self.address.into(),
                agent: self.agent.into(),
            },
            failure: self.failure.map(|row| Failure {
                at: UnixNanos(row.at),
                text: row.text.into(),
            }),
            clock_ahead: self.clock_ahead.map(UnixNanos),
        }
    }
}

pub(super) fn ttl_to_nanos(ttl: Ttl) -> u64 {
    match ttl {
        Ttl::Never => 0,
        Ttl::After(duration) => u64::try_from(duration.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1),
    }
}

pub(super) fn nanos_to_ttl(nanos: u64) -> Ttl {
    match nanos {
        0 => Ttl::Never,
        nanos => Ttl::After(Duration::from_nanos(nanos)),
    }
}

/// Writing to memory fails only on types that rmp cannot express; ours are fixed.
pub(super) fn to_bytes(row: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(row).unwrap_or_default()
}

pub(super) fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Damage> {
    rmp_serde::from_slice(bytes).map_err(|_| "not a record of this schema version")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            created: UnixNanos(1),
            last_push: UnixNanos(1_795_308_991_679_737_914),
            clock_start: UnixNanos(3),
            pushed_ttl: Some(Ttl::After(Duration::from_secs(6))),
            pushes: 412,
            families: 3,
            series: 12,
            pusher: Pusher {
                address: "127.0.0.1".into(),
                agent: "curl/8".into(),
            },
            failure: Some(Failure {
                at: UnixNanos(4),
                text: "no".into(),
            }),
            clock_ahead: Some(UnixNanos(5)),
        }
    }

    #[test]
    fn heads_round_trip_with_every_form_of_ttl() {
        for pushed_ttl in [
            None,
            Some(Ttl::Never),
            Some(Ttl::After(Duration::from_secs(6))),
        ] {
            let head = Head {
                pushed_ttl,
                ..head()
            };
            assert_eq!(decode_mark(b"k", &encode_mark(b"k", &head)), Ok(head));
        }
    }

    #[test]
    fn any_changed_byte_of_a_row_or_its_key_is_noticed() {
        let row = encode_group(b"key", &head(), UnixNanos(1), &Packed::default());
        assert!(decode_group(b"key", &row).is_ok());
        assert_eq!(
            decode_group(b"kez", &row).err(),
            Some("checksum does not match")
        );
        for at in 0..row.len() {
            let mut bad = row.clone();
            bad[at] ^= 1;
            assert!(decode_group(b"key", &bad).is_err(), "byte {at}");
        }
        assert!(decode_group(b"key", &row[..2]).is_err());
    }
}
