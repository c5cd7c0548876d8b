//! The small messages inside values: `Exemplar`, `Timestamp`, and the bytes of a `LabelPair`.
//!
//! A singular sub-message that comes more than once is merged, as the protobuf
//! specification and every library do: hence readers that add to what is there.

use super::wire::{Fields, Wire, WireFault, low32};
use crate::model::{Exemplar, Label, Labels, Timestamp};

/// A `LabelPair` before its bytes are known to be text.
#[derive(Default)]
pub(super) struct LabelBytes<'a> {
    /// Label name.
    pub(super) name: &'a [u8],
    /// Label value.
    pub(super) value: &'a [u8],
}

/// Reads a `LabelPair`.
pub(super) fn label_bytes(message: &[u8]) -> Result<LabelBytes<'_>, WireFault> {
    let mut pair = LabelBytes::default();
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Bytes(name)) => pair.name = name,
            (2, Wire::Bytes(value)) => pair.value = value,
            _ => {}
        }
    }
    Ok(pair)
}

/// Reads an `Exemplar` into the one already there, if there is one.
pub(super) fn merge_exemplar<'a>(
    into: Option<Exemplar<'a>>,
    message: &'a [u8],
) -> Result<Exemplar<'a>, WireFault> {
    let mut exemplar = into.unwrap_or(Exemplar {
        labels: Labels::new(),
        value: 0.0,
        timestamp: None,
    });
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Bytes(pair)) => exemplar.labels.push(exemplar_label(pair)?),
            (2, Wire::Fixed64(bits)) => exemplar.value = f64::from_bits(bits),
            (3, Wire::Bytes(bytes)) => merge_timestamp(&mut exemplar.timestamp, bytes)?,
            _ => {}
        }
    }
    Ok(exemplar)
}

/// Reads a `google.protobuf.Timestamp`.
pub(super) fn merge_timestamp(
    into: &mut Option<Timestamp>,
    message: &[u8],
) -> Result<(), WireFault> {
    let timestamp = into.get_or_insert(Timestamp {
        seconds: 0,
        nanos: 0,
    });
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Varint(seconds)) => timestamp.seconds = seconds.cast_signed(),
            (2, Wire::Varint(nanos)) => timestamp.nanos = low32(nanos).cast_signed(),
            _ => {}
        }
    }
    Ok(())
}

/// Exemplars never reach the text exposition, so a label that is not UTF-8 is
/// repaired and does not cost the push.
fn exemplar_label(message: &[u8]) -> Result<Label<'_>, WireFault> {
    let pair = label_bytes(message)?;
    Ok(Label::new(
        String::from_utf8_lossy(pair.name),
        String::from_utf8_lossy(pair.value),
    ))
}
