//! Rows of the store: rmp-serde records, their families lz4-compressed, sealed by a CRC32C.
//!
//! A row of `groups` is `head ++ families`: one rmp array, in which the
//! families are a block of their own, packed where the push was parsed, so that
//! the writer only adds the head. Families keep their series as nested blocks:
//! a POST can splice families without reading their series. Facts are stored,
//! not rendered text; these types belong to the store alone, so that no change
//! of the model changes the disk.

mod family;
mod head;
mod hidden;
mod histogram;
mod history;
mod labels;
mod operator;
mod seal;
mod series;

pub use family::{FamilyFacts, FamilyRef, Fresh, Packed, Unpacked, decode_metrics, encode_metrics};
pub(super) use head::{decode_group, decode_group_head, decode_mark, encode_group, encode_mark};
pub(super) use hidden::{decode_hidden, encode_hidden};
pub(super) use history::{decode_history, encode_history};
pub(super) use operator::{
    PAUSE_KEY, decode_override, decode_pause, encode_override, encode_pause,
};

/// What is wrong with a row that cannot be read.
pub(super) type Damage = &'static str;
