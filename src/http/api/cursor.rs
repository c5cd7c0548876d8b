//! Paging that stays right while groups come and go: a cursor names the last
//! group that was shown, not how many were.

use crate::model::GroupKey;

/// The place of a group in a sorted list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor {
    /// What the list is sorted by.
    pub(super) value: u64,
    /// Canonical bytes of the grouping key: unique, so that no two places are equal.
    pub(super) key: Vec<u8>,
}

impl Cursor {
    pub(super) fn of(value: u64, key: &GroupKey) -> Self {
        Self {
            value,
            key: key.as_bytes().to_vec(),
        }
    }

    /// Text for the next request: 16 hex digits, then the key in hex.
    pub(super) fn encode(&self) -> String {
        let key: Vec<String> = self.key.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:016x}{}", self.value, key.concat())
    }

    /// Reads what [`Self::encode`] wrote; `None` for anything else.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let (value, key) = text.split_at_checked(16)?;
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex(text) || key.len() % 2 != 0 {
            return None;
        }
        let byte = |at| u8::from_str_radix(key.get(at..at + 2)?, 16).ok();
        Some(Self {
            value: u64::from_str_radix(value, 16).ok()?,
            key: (0..key.len()).step_by(2).map(byte).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_nonsense_is_refused() {
        let cursor = Cursor {
            value: u64::MAX,
            key: b"a\xFF\x00".to_vec(),
        };
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        for bad in [
            "",
            "12",
            "zzzzzzzzzzzzzzzz",
            "0000000000000000f",
            "00000000000000é0",
        ] {
            assert_eq!(Cursor::decode(bad), None, "{bad}");
        }
    }
}
