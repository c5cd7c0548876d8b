//! `Counter`, `Gauge`, `Untyped` and `Summary`, and the choice among the values of a series.

use super::histogram::PartialHistogram;
use super::parts::{merge_exemplar, merge_timestamp};
use super::wire::{Fields, Wire, WireFault};
use crate::model::{CounterDetails, Kind, Quantile, Summary, Value};

/// A value while it is read. The wire may bring it in several pieces, which merge.
pub(super) enum Partial<'a> {
    /// Gauge or untyped.
    Number(f64),
    /// Counter.
    Counter(f64, CounterDetails<'a>),
    /// Summary.
    Summary(Box<Summary>),
    /// Histogram or gauge histogram.
    Histogram(PartialHistogram<'a>),
}

impl<'a> Partial<'a> {
    /// A value of this type with nothing read yet.
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Gauge | Kind::Untyped => Self::Number(0.0),
            Kind::Counter => Self::Counter(0.0, CounterDetails::default()),
            Kind::Summary => Self::Summary(Box::default()),
            Kind::Histogram | Kind::GaugeHistogram => Self::Histogram(PartialHistogram::default()),
        }
    }

    /// Reads one piece of the value, which has so many fields.
    pub(super) fn merge(&mut self, message: &'a [u8], fields: usize) -> Result<(), WireFault> {
        match self {
            Self::Number(value) => merge_number(value, message),
            Self::Counter(value, details) => merge_counter(value, details, message),
            Self::Summary(summary) => merge_summary(summary, message),
            Self::Histogram(histogram) => histogram.merge(message, fields),
        }
    }

    /// The value as the model has it.
    pub(super) fn finish(self) -> Value<'a> {
        match self {
            Self::Number(value) => Value::Number(value, None),
            Self::Counter(value, details) => {
                let plain = details.exemplar.is_none() && details.created.is_none();
                Value::Number(value, (!plain).then(|| Box::new(details)))
            }
            Self::Summary(summary) => Value::Summary(summary),
            Self::Histogram(histogram) => histogram.finish(),
        }
    }
}

fn merge_number(value: &mut f64, message: &[u8]) -> Result<(), WireFault> {
    for field in Fields::new(message) {
        if let (1, Wire::Fixed64(bits)) = field? {
            *value = f64::from_bits(bits);
        }
    }
    Ok(())
}

fn merge_counter<'a>(
    value: &mut f64,
    details: &mut CounterDetails<'a>,
    message: &'a [u8],
) -> Result<(), WireFault> {
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Fixed64(bits)) => *value = f64::from_bits(bits),
            (2, Wire::Bytes(bytes)) => {
                details.exemplar = Some(merge_exemplar(details.exemplar.take(), bytes)?);
            }
            (3, Wire::Bytes(bytes)) => merge_timestamp(&mut details.created, bytes)?,
            _ => {}
        }
    }
    Ok(())
}

fn merge_summary(summary: &mut Summary, message: &[u8]) -> Result<(), WireFault> {
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Varint(count)) => summary.count = count,
            (2, Wire::Fixed64(bits)) => summary.sum = f64::from_bits(bits),
            (3, Wire::Bytes(bytes)) => summary.quantiles.push(quantile(bytes)?),
            (4, Wire::Bytes(bytes)) => merge_timestamp(&mut summary.created, bytes)?,
            _ => {}
        }
    }
    Ok(())
}

fn quantile(message: &[u8]) -> Result<Quantile, WireFault> {
    let mut quantile = Quantile {
        quantile: 0.0,
        value: 0.0,
    };
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Fixed64(bits)) => quantile.quantile = f64::from_bits(bits),
            (2, Wire::Fixed64(bits)) => quantile.value = f64::from_bits(bits),
            _ => {}
        }
    }
    Ok(quantile)
}
