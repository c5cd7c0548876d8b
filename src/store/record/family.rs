//! The families of a group: an lz4 block of rows, each with its series nested.

use serde::{Deserialize, Serialize};

use super::Damage;
use super::series::{decode_series, encode_series, size_hint};
use crate::clock::UnixNanos;
use crate::model::{Family, Kind, Metric};

/// The families of one group, compressed. The default is no families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed(Vec<u8>);

/// One family of a group, its series still encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyFacts {
    /// Metric name as pushed.
    pub name: String,
    /// Type.
    pub kind: Kind,
    /// Help as pushed.
    pub help: Option<String>,
    /// When it was pushed; `None`: when its row says the families were.
    pub pushed: Option<UnixNanos>,
    /// Number of series.
    pub series: u32,
    /// What [`encode_metrics`] made of the series.
    pub metrics: Vec<u8>,
}

/// The families of one group, not compressed.
#[derive(Debug)]
pub struct Unpacked(Vec<u8>);

/// [`FamilyFacts`], borrowed.
#[derive(Debug, Clone, Copy)]
pub struct FamilyRef<'a> {
    /// Metric name as pushed.
    pub name: &'a str,
    /// Type.
    pub kind: Kind,
    /// Help as pushed.
    pub help: Option<&'a str>,
    /// When it was pushed; `None`: when its row says the families were.
    pub pushed: Option<UnixNanos>,
    /// Number of series.
    pub series: u32,
    /// What [`encode_metrics`] made of the series.
    pub metrics: &'a [u8],
}

impl Unpacked {
    /// The families, in the order in which they were packed.
    ///
    /// # Errors
    /// Says what is wrong if the bytes are not what [`Packed::pack`] made.
    pub fn families(&self) -> Result<Vec<FamilyRef<'_>>, &'static str> {
        let rows: Vec<FamilyRow<'_>> = rmp_serde::from_slice(&self.0)
            .map_err(|_| "families are not of this schema version")?;
        rows.into_iter().map(FamilyRow::into_ref).collect()
    }
}

impl From<FamilyRef<'_>> for FamilyFacts {
    fn from(family: FamilyRef<'_>) -> Self {
        Self {
            name: family.name.to_owned(),
            kind: family.kind,
            help: family.help.map(str::to_owned),
            pushed: family.pushed,
            series: family.series,
            metrics: family.metrics.to_owned(),
        }
    }
}

/// A family as it was parsed, to be packed.
#[derive(Debug, Clone, Copy)]
pub struct Fresh<'a> {
    /// The family; its labels as they are stored.
    pub family: &'a Family<'a>,
    /// When it was pushed; `None`: when its row says the families were.
    pub pushed: Option<UnixNanos>,
    /// Number of sample lines.
    pub series: u32,
}

impl<'a> Fresh<'a> {
    fn row(&self, series: &'a [u8]) -> FamilyRow<'a> {
        FamilyRow {
            name: &self.family.name,
            kind: kind_to_number(self.family.kind),
            help: self.family.help.as_deref(),
            pushed: self.pushed.map(|at| at.0),
            series: self.series,
            metrics: series,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct FamilyRow<'a> {
    name: &'a str,
    kind: u8,
    #[serde(borrow)]
    help: Option<&'a str>,
    pushed: Option<u64>,
    series: u32,
    #[serde(borrow, with = "serde_bytes")]
    metrics: &'a [u8],
}

/// Bytes that a family's row takes beside its series, or nearly.
const ROW_BYTES: usize = 128;

impl Packed {
    /// Packs families as they were parsed. Order is kept.
    pub fn of(families: &[Fresh<'_>]) -> Self {
        let sizes = families
            .iter()
            .map(|fresh| size_hint(&fresh.family.metrics));
        let mut series = Vec::with_capacity(sizes.sum());
        let ends: Vec<usize> = families
            .iter()
            .map(|fresh| {
                encode_series(&mut series, fresh.family.kind, &fresh.family.metrics);
                series.len()
            })
            .collect();
        let starts = std::iter::once(&0).chain(&ends);
        let parts = starts.zip(&ends).map(|(start, end)| &series[*start..*end]);
        let rows = families.iter().zip(parts);
        Self::of_rows(
            &rows
                .map(|(fresh, series)| fresh.row(series))
                .collect::<Vec<_>>(),
        )
    }

    /// Packs families. Order is kept.
    pub fn pack(families: &[FamilyFacts]) -> Self {
        Self::of_rows(&families.iter().map(FamilyRow::of).collect::<Vec<_>>())
    }

    fn of_rows(rows: &[FamilyRow<'_>]) -> Self {
        let size = rows.iter().map(|row| row.metrics.len() + ROW_BYTES);
        let mut bytes = Vec::with_capacity(size.sum());
        // Writing to memory fails only on types that rmp cannot express; ours are fixed.
        let _ = rmp_serde::encode::write(&mut bytes, rows);
        Self(lz4_flex::compress_prepend_size(&bytes))
    }

    /// The families, or what is wrong with the bytes.
    ///
    /// # Errors
    /// Says what is wrong if the bytes are not what [`Self::pack`] made.
    pub fn unpack(&self) -> Result<Vec<FamilyFacts>, &'static str> {
        let families = self.open()?;
        let families = families.families()?.into_iter();
        Ok(families.map(FamilyFacts::from).collect())
    }

    /// The same, to be borrowed from: whoever only reads them needs no copies.
    ///
    /// # Errors
    /// Says what is wrong if the bytes are no lz4 block.
    pub fn open(&self) -> Result<Unpacked, &'static str> {
        lz4_flex::decompress_size_prepended(&self.0)
            .map(Unpacked)
            .map_err(|_| "families are not an lz4 block")
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is not a byte; a pack of no families has some.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Packed {
    fn default() -> Self {
        Self::pack(&[])
    }
}

/// Encodes the series of a family for [`FamilyFacts::metrics`].
pub fn encode_metrics(kind: Kind, metrics: &[Metric<'_>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_hint(metrics));
    encode_series(&mut bytes, kind, metrics);
    bytes
}

/// Decodes [`FamilyFacts::metrics`], borrowing from it.
///
/// # Errors
/// Says what is wrong if the bytes are not what [`encode_metrics`] made.
pub fn decode_metrics(bytes: &[u8]) -> Result<Vec<Metric<'_>>, &'static str> {
    decode_series(bytes)
}

impl<'a> FamilyRow<'a> {
    fn of(facts: &'a FamilyFacts) -> Self {
        Self {
            name: &facts.name,
            kind: kind_to_number(facts.kind),
            help: facts.help.as_deref(),
            pushed: facts.pushed.map(|at| at.0),
            series: facts.series,
            metrics: &facts.metrics,
        }
    }

    fn into_ref(self) -> Result<FamilyRef<'a>, Damage> {
        Ok(FamilyRef {
            name: self.name,
            kind: kind_from_number(self.kind).ok_or("a family of an unknown type")?,
            help: self.help,
            pushed: self.pushed.map(UnixNanos),
            series: self.series,
            metrics: self.metrics,
        })
    }
}

/// The numbers of `io.prometheus.client.MetricType`.
const KINDS: [(Kind, u8); 6] = [
    (Kind::Counter, 0),
    (Kind::Gauge, 1),
    (Kind::Summary, 2),
    (Kind::Untyped, 3),
    (Kind::Histogram, 4),
    (Kind::GaugeHistogram, 5),
];

fn kind_to_number(kind: Kind) -> u8 {
    KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or(u8::MAX, |(_, number)| *number)
}

fn kind_from_number(number: u8) -> Option<Kind> {
    KINDS
        .iter()
        .find(|(_, known)| *known == number)
        .map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_of_every_type_round_trip() {
        let families: Vec<FamilyFacts> = KINDS
            .iter()
            .map(|(kind, number)| FamilyFacts {
                name: format!("family_{number}"),
                kind: *kind,
                help: number.is_multiple_of(2).then(|| "hülfe".to_owned()),
                pushed: Some(UnixNanos(u64::from(*number))),
                series: 3,
                metrics: vec![*number; 7],
            })
            .collect();
        assert_eq!(Packed::pack(&families).unpack(), Ok(families));
        assert_eq!(Packed::default().unpack(), Ok(vec![]));
    }

    #[test]
    fn bytes_of_something_else_are_refused() {
        for bytes in [&b""[..], b"\0\0\0\0", b"\xff\xff\xff\x7fgarbage"] {
            assert!(Packed::from_bytes(bytes.to_vec()).unpack().is_err());
        }
    }
}
