//! Rows of `hidden`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Damage;
use super::head::{from_bytes, to_bytes};
use super::seal::{seal, unseal};
use crate::store::HiddenFamily;

#[derive(Serialize, Deserialize)]
struct HiddenRow<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    by_itself: bool,
    #[serde(borrow)]
    fault: Cow<'a, str>,
}

/// The sealed row of a group's hidden families.
pub(in crate::store) fn encode_hidden(key: &[u8], families: &[HiddenFamily]) -> Vec<u8> {
    let row = |family: &HiddenFamily| HiddenRow {
        name: family.name.clone().into(),
        by_itself: family.by_itself,
        fault: family.fault.clone().into(),
    };
    let rows: Vec<HiddenRow<'_>> = families.iter().map(row).collect();
    seal(key, to_bytes(&rows))
}

/// Reads what [`encode_hidden`] wrote.
pub(in crate::store) fn decode_hidden(key: &[u8], row: &[u8]) -> Result<Vec<HiddenFamily>, Damage> {
    let rows: Vec<HiddenRow<'_>> = from_bytes(unseal(key, row)?)?;
    let family = |row: HiddenRow<'_>| HiddenFamily {
        name: row.name.into_owned(),
        by_itself: row.by_itself,
        fault: row.fault.into_owned(),
    };
    Ok(rows.into_iter().map(family).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_families_round_trip_and_changed_bytes_are_noticed() {
        let family = |name: &str, by_itself| HiddenFamily {
            name: name.to_owned(),
            by_itself,
            fault: "it is not a GAUGE".to_owned(),
        };
        let families = vec![family("a", true), family("b", false)];
        let mut row = encode_hidden(b"k", &families);
        assert_eq!(decode_hidden(b"k", &row), Ok(families));
        assert!(decode_hidden(b"l", &row).is_err());
        row[3] ^= 1;
        assert!(decode_hidden(b"k", &row).is_err());
    }
}
