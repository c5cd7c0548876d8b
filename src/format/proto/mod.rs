//! Reads delimited protobuf pushes: a sequence of messages
//! `io.prometheus.client.MetricFamily` (proto2), each after its length as a varint.
//!
//! Hand-written, because Go, Java and Rust clients push this format by default:
//! text is borrowed from the body and unknown fields cost nothing. Time is linear
//! in the body, memory proportional to it, and nesting is never followed deeper
//! than the schema is.
//!
//! Differences from the Pushgateway, so that no stored push can break a scrape:
//! a family without a name or of an unknown type, and names and label values that
//! are not UTF-8, refuse the push; help and exemplar labels that are not UTF-8 are
//! repaired with U+FFFD. A length prefix beyond the body is an error and not an
//! allocation. Neither `unit` nor values of another type than the family's are kept.

mod error;
mod family;
mod histogram;
mod parts;
mod value;
pub(super) mod wire;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::model::Family;
use family::Room;

pub use error::ProtoError;
use wire::WireFault;

/// Reads a whole body.
///
/// Families come in the order of the body. Where a name comes twice the last
/// message wins whole, in the place of the first. Families without series are
/// kept; an empty body has no families.
///
/// # Errors
///
/// The first fault found, see [`ProtoError`]; nothing of the push is usable then.
pub fn parse(body: &[u8]) -> Result<Vec<Family<'_>>, ProtoError> {
    let mut rest = body;
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut places = HashMap::new();
    let mut room = Room::new();
    while !rest.is_empty() {
        let message = wire::take_delimited(&mut rest).map_err(|fault| match fault {
            WireFault::Cut => ProtoError::UnexpectedEof,
            WireFault::Malformed => ProtoError::InvalidWire,
        })?;
        let family = family::read(message, &mut room)?;
        match places.entry(family.name.clone()) {
            Entry::Occupied(place) => families[*place.get()] = family,
            Entry::Vacant(place) => {
                place.insert(families.len());
                families.push(family);
            }
        }
    }
    Ok(families)
}

/// Reads one message `MetricFamily` that stands alone, without its length.
///
/// # Errors
///
/// As [`parse`]; the limits of a push are those of the one family here.
pub fn parse_family(message: &[u8]) -> Result<Family<'_>, ProtoError> {
    family::read(message, &mut Room::new())
}

#[cfg(test)]
mod tests;
