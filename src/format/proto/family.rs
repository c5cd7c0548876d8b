//! `MetricFamily`, `Metric` and `LabelPair`.

use std::borrow::Cow;

use super::error::{ProtoError, quoted};
use super::parts::{self, LabelBytes};
use super::value::Partial;
use super::wire::{Fields, Wire, low32};
use crate::format::metric_type::from_number;
use crate::limits::{LABELS_PER_PUSH, LABELS_PER_SERIES, SERIES_PER_PUSH};
use crate::model::{Family, Kind, Label, Labels, Metric, Value};

/// Reads a `MetricFamily`.
///
/// In two passes: a series can only be read when the family's type is known, and
/// the wire may bring the type after the series. The first pass costs one step a
/// series, and tells how many there are.
pub(super) fn read<'a>(message: &'a [u8], room: &mut Room) -> Result<Family<'a>, ProtoError> {
    let head = Head::read(message)?;
    room.take_series(head.metrics.max(1))?;
    let name = head.checked_name()?;
    let kind = head.checked_kind()?;
    let mut metrics: Vec<Metric<'a>> = Vec::with_capacity(head.metrics);
    for field in Fields::new(message) {
        if let (4, Wire::Bytes(bytes)) = field? {
            metrics.push(metric(bytes, (name, kind), room)?);
        }
    }
    let help = head.help.map(String::from_utf8_lossy);
    Ok(Family {
        name: Cow::Borrowed(name),
        kind,
        help,
        metrics,
    })
}

/// What a push may still hold. What a field makes in memory is far larger than
/// the two bytes it can be on the wire.
pub(super) struct Room {
    series: usize,
    labels: usize,
}

impl Room {
    /// That of a whole push.
    pub(super) fn new() -> Self {
        Self {
            series: SERIES_PER_PUSH,
            labels: LABELS_PER_PUSH,
        }
    }

    fn take_series(&mut self, count: usize) -> Result<(), ProtoError> {
        let left = self.series.checked_sub(count);
        self.series = left.ok_or(ProtoError::TooManySeries)?;
        Ok(())
    }

    fn take_labels(&mut self, count: usize) -> Result<(), ProtoError> {
        let left = self.labels.checked_sub(count);
        self.labels = left.ok_or(ProtoError::TooManyLabels)?;
        Ok(())
    }
}

/// What a `MetricFamily` says of itself, unchecked.
#[derive(Default)]
struct Head<'a> {
    name: &'a [u8],
    help: Option<&'a [u8]>,
    /// `MetricType` as a number; proto2 takes its first value, COUNTER, where it is absent.
    kind: i32,
    metrics: usize,
}

impl<'a> Head<'a> {
    fn read(message: &'a [u8]) -> Result<Self, ProtoError> {
        let mut head = Self::default();
        for field in Fields::new(message) {
            match field? {
                (1, Wire::Bytes(name)) => head.name = name,
                (2, Wire::Bytes(help)) => head.help = Some(help),
                (3, Wire::Varint(kind)) => head.kind = low32(kind).cast_signed(),
                (4, Wire::Bytes(_)) => head.metrics += 1,
                _ => {}
            }
        }
        Ok(head)
    }

    fn checked_name(&self) -> Result<&'a str, ProtoError> {
        let name = std::str::from_utf8(self.name).map_err(|_| ProtoError::NameNotUtf8 {
            family: quoted(self.name),
        })?;
        if name.is_empty() {
            Err(ProtoError::EmptyName)
        } else {
            Ok(name)
        }
    }

    fn checked_kind(&self) -> Result<Kind, ProtoError> {
        let kind = u64::try_from(self.kind).ok().and_then(from_number);
        kind.ok_or_else(|| ProtoError::UnknownType {
            family: quoted(self.name),
            number: self.kind,
        })
    }
}

/// Reads a series.
fn metric<'a>(
    message: &'a [u8],
    (family, kind): (&str, Kind),
    room: &mut Room,
) -> Result<Metric<'a>, ProtoError> {
    let value_field = value_field(kind);
    let many_lines = kind == Kind::Summary || kind.is_histogram();
    let mut labels = Labels::new();
    let mut value: Option<Partial<'a>> = None;
    let mut timestamp_ms = None;
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Bytes(_)) if labels.len() >= LABELS_PER_SERIES => {
                let family = quoted(family.as_bytes());
                return Err(ProtoError::TooManyLabelsOfSeries { family });
            }
            (1, Wire::Bytes(pair)) => labels.push(label(pair, family)?),
            (6, Wire::Varint(ms)) => timestamp_ms = Some(ms.cast_signed()),
            (number, Wire::Bytes(bytes)) if number == value_field => {
                let mut lines = 1;
                if many_lines {
                    // About one line each: buckets, quantiles, sum and count.
                    lines = Fields::new(bytes).count();
                    room.take_series(lines)?;
                }
                value
                    .get_or_insert_with(|| Partial::new(kind))
                    .merge(bytes, lines)?;
            }
            _ => {}
        }
    }
    room.take_labels(labels.len())?;
    let value = value.map_or(Value::Missing, Partial::finish);
    Ok(Metric {
        labels,
        value,
        timestamp_ms,
    })
}

/// The field of `Metric` that holds a value of this type.
fn value_field(kind: Kind) -> u32 {
    match kind {
        Kind::Gauge => 2,
        Kind::Counter => 3,
        Kind::Summary => 4,
        Kind::Untyped => 5,
        Kind::Histogram | Kind::GaugeHistogram => 7,
    }
}

fn label<'a>(pair: &'a [u8], family: &str) -> Result<Label<'a>, ProtoError> {
    let LabelBytes { name, value } = parts::label_bytes(pair)?;
    match (std::str::from_utf8(name), std::str::from_utf8(value)) {
        (Ok(name), Ok(value)) => Ok(Label::new(name, value)),
        (name_text, _) => {
            let family = quoted(family.as_bytes());
            let (label, value) = (quoted(name), quoted(value));
            Err(match name_text {
                Ok(_) => ProtoError::LabelValueNotUtf8 {
                    family,
                    label,
                    value,
                },
                Err(_) => ProtoError::LabelNameNotUtf8 {
                    family,
                    label,
                    value,
                },
            })
        }
    }
}
