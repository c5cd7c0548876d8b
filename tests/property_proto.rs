//! The protobuf reader against a twin: the same schema as prost messages.
//!
//! Whatever prost writes or accepts must read the same in both, field by field.
//! Results are compared by their Debug text, in which NaN equals itself and -0
//! differs from 0.

#[path = "property_proto/expected.rs"]
mod expected;
#[path = "property_proto/generate.rs"]
mod generate;
#[path = "property_proto/messages.rs"]
mod messages;

use messages::{MetricFamily, RawFamily};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;
use tidegate::format::escape::Escaping;
use tidegate::format::form::{Encoding, Form, write_metrics};
use tidegate::format::proto::{ProtoError, parse};
use tidegate::format::text_write::Identity;
use tidegate::model::{Family, Value};

/// A body as clients send it.
fn body(families: &[MetricFamily]) -> Vec<u8> {
    families
        .iter()
        .flat_map(Message::encode_length_delimited_to_vec)
        .collect()
}

/// One message of a body, after its length.
fn delimited(message: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    prost::encoding::encode_varint(message.len() as u64, &mut body);
    body.extend(message);
    body
}

/// The families of a body as prost reads them; `None` if it does not.
fn twin(mut body: &[u8]) -> Option<Vec<MetricFamily>> {
    let mut families = Vec::new();
    while !body.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut body).ok()?);
    }
    Some(families)
}

/// Holds the reader against the twin on a body that prost accepts.
fn agree(body: &[u8]) -> Result<(), TestCaseError> {
    let Some(messages) = twin(body) else {
        return Ok(());
    };
    match (parse(body), expected::families(messages)) {
        (Ok(families), Some(wanted)) => {
            prop_assert_eq!(format!("{:#?}", families), format!("{:#?}", wanted));
        }
        (Err(ProtoError::UnexpectedEof | ProtoError::InvalidWire), _) => {
            prop_assert!(false, "refused as broken what prost can read");
        }
        (found, wanted) => prop_assert_eq!(found.is_ok(), wanted.is_some(), "{:?}", found),
    }
    Ok(())
}

/// Families as a scrape in protobuf has them, under no group.
fn written(families: &[Family<'_>]) -> Vec<u8> {
    let form = Form {
        encoding: Encoding::Protobuf,
        escaping: Escaping::AllowUtf8,
    };
    let mut body = Vec::new();
    for family in families {
        let mut series = Vec::new();
        write_metrics(&mut series, family, &Identity::none_in(form));
        let help = family.help.as_deref();
        form.write_header(&mut body, &family.name, family.kind, help, series.len());
        body.extend(series);
    }
    body
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_prost_writes_is_read_field_by_field(families in generate::families()) {
        let body = body(&families);
        prop_assert_eq!(twin(&body).as_ref().map(Vec::len), Some(families.len()));
        agree(&body)?;
    }

    #[test]
    fn what_is_written_is_read_by_prost_as_it_was(families in generate::families()) {
        let body = body(&families);
        let Ok(mut families) = parse(&body) else {
            return Ok(());
        };
        // Neither is stored, so neither is written.
        for family in &mut families {
            family.metrics.retain(|metric| metric.value != Value::Missing);
            family.metrics.iter_mut().for_each(|metric| metric.timestamp_ms = None);
        }
        let written = written(&families);
        let twin = twin(&written).expect("what prost can read");
        let read = expected::families(twin).expect("what may be pushed");
        prop_assert_eq!(format!("{:#?}", &read), format!("{:#?}", &families));
    }

    #[test]
    fn a_family_in_two_pieces_merges(
        first in generate::family(),
        second in generate::family(),
    ) {
        // Also brings the type after the metrics.
        let mut pieces = first.encode_to_vec();
        pieces.extend(second.encode_to_vec());
        agree(&delimited(&pieces))?;
    }

    #[test]
    fn a_metric_in_two_pieces_merges(
        first in generate::metric(),
        second in generate::metric(),
        kind in 0..6,
    ) {
        let mut pieces = first.encode_to_vec();
        pieces.extend(second.encode_to_vec());
        let family =
            RawFamily { name: Some(b"a".to_vec()), kind: Some(kind), metric: vec![pieces] };
        agree(&family.encode_length_delimited_to_vec())?;
    }

    #[test]
    fn damaged_bodies_never_panic_and_read_as_prost_reads_them(
        families in generate::families(),
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        end in prop::option::of(any::<Index>()),
    ) {
        let mut body = body(&families);
        if !body.is_empty() {
            let length = body.len();
            for (at, byte) in changes {
                body[at.index(length)] = byte;
            }
            body.truncate(end.map_or(length, |end| end.index(length)));
        }
        agree(&body)?;
        let _ = parse(&body);
    }

    #[test]
    fn any_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        agree(&bytes)?;
        let _ = parse(&bytes);
    }
}
