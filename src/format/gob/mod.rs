//! Reads the Pushgateway's persistence file: a stream of Go's encoding `gob`.
//!
//! It is some definitions of types, which are skipped, and one value: a map of
//! groups, each with its labels and its families, each of these with the time of
//! its push and a message `io.prometheus.client.MetricFamily`. Numbers of types
//! differ from build to build; the order of the fields has been the same since the
//! Pushgateway 0.10.
//!
//! Everything is borrowed from the file. Every length is held against what is left
//! of it, nothing is allocated by a number the file gives, and a whole file is
//! checked before its first group is handed out.

mod wire;

use std::fmt;

use crate::clock::UnixNanos;
use wire::Input;

/// A file that was read whole.
#[derive(Debug)]
pub struct Dump<'a> {
    file: &'a [u8],
    groups: Vec<Place>,
}

/// Where the parts of a group stand in the file.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    labels: Map,
    families: Map,
}

/// Where the pairs of a map stand, behind their number.
#[derive(Debug, Clone, Copy, Default)]
struct Map {
    at: usize,
    pairs: u64,
}

/// One group as the Pushgateway held it.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    file: &'a [u8],
    place: Place,
}

/// One family of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family<'a> {
    /// Its name, perhaps not UTF-8.
    pub name: &'a [u8],
    /// When it was pushed; 0 if the file does not say.
    pub pushed: UnixNanos,
    /// The message `io.prometheus.client.MetricFamily`, not looked at.
    pub message: &'a [u8],
}

/// Why a file is not one of the Pushgateway's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GobError {
    /// Offset of the byte at which reading stopped.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for GobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for GobError {}

impl<'a> Dump<'a> {
    /// Reads a whole file.
    ///
    /// # Errors
    /// Says where the file stops to be one of the Pushgateway's.
    pub fn read(file: &'a [u8]) -> Result<Self, GobError> {
        let mut input = value(file)?;
        let mut groups = Vec::new();
        for _ in 0..input.count()? {
            input.bytes()?; // The labels once more, as the Pushgateway joins them.
            groups.push(group(&mut input)?);
        }
        input.end()?;
        Ok(Self { file, groups })
    }

    /// Its groups, in the order of the file, which is any.
    pub fn groups(&self) -> impl Iterator<Item = Group<'a>> {
        let file = self.file;
        self.groups.iter().map(move |place| Group {
            file,
            place: *place,
        })
    }
}

impl<'a> Group<'a> {
    /// Names and values of its labels, `job` among them; perhaps not UTF-8.
    pub fn labels(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        pairs(self.file, self.place.labels, |input| {
            Ok((input.bytes()?, input.bytes()?))
        })
    }

    /// Its families, those that the Pushgateway keeps itself included.
    pub fn families(&self) -> impl Iterator<Item = Family<'a>> {
        pairs(self.file, self.place.families, family)
    }
}

/// The pairs of a map that was read before, so that nothing can be wrong with them.
fn pairs<'a, T>(
    file: &'a [u8],
    map: Map,
    read: fn(&mut Input<'a>) -> Result<T, GobError>,
) -> impl Iterator<Item = T> {
    let mut input = Input::at(file, map.at);
    (0..map.pairs).map_while(move |_| read(&mut input).ok())
}

/// The one value of the file, behind the definitions of its types.
fn value(file: &[u8]) -> Result<Input<'_>, GobError> {
    let mut input = Input::at(file, 0);
    loop {
        let mut message = input.message()?;
        if message.int()? < 0 {
            continue; // The definition of a type.
        }
        input.end()?;
        // What stands before a value that is not a struct.
        message.byte(0, "the value is not a map")?;
        return Ok(message);
    }
}

/// `MetricGroup`: the labels, then the families.
fn group(input: &mut Input<'_>) -> Result<Place, GobError> {
    let mut place = Place::default();
    input.fields(|number, input| {
        match number {
            1 => {
                place.labels = skip(input, |input| {
                    input.bytes()?;
                    input.bytes().map(drop)
                })?;
            }
            2 => place.families = skip(input, |input| family(input).map(drop))?,
            _ => return Err(input.fault("a group has a field that is not known")),
        }
        Ok(())
    })?;
    Ok(place)
}

fn skip<'a>(
    input: &mut Input<'a>,
    pair: impl Fn(&mut Input<'a>) -> Result<(), GobError>,
) -> Result<Map, GobError> {
    let pairs = input.count()?;
    let at = input.offset();
    (0..pairs).try_for_each(|_| pair(input))?;
    Ok(Map { at, pairs })
}

/// A name and its `TimestampedMetricFamily`: the time, then the message.
fn family<'a>(input: &mut Input<'a>) -> Result<Family<'a>, GobError> {
    let mut family = Family {
        name: input.bytes()?,
        pushed: UnixNanos::default(),
        message: &[],
    };
    input.fields(|number, input| {
        match number {
            1 => {
                let time = input.bytes()?;
                family.pushed =
                    go_time(time).ok_or_else(|| input.fault("a time that cannot be read"))?;
            }
            2 => family.message = input.bytes()?,
            _ => return Err(input.fault("a family has a field that is not known")),
        }
        Ok(())
    })?;
    Ok(family)
}

/// Seconds from the year 1, from which Go counts, to 1970.
const GO_EPOCH: i64 = 62_135_596_800;

/// Go's binary form of a time: version, seconds since the year 1, nanoseconds, zone.
/// Times outside of what can be represented become the nearest that can.
fn go_time(bytes: &[u8]) -> Option<UnixNanos> {
    let (version, rest) = bytes.split_first()?;
    // Version 2 has the seconds of the zone, which does not matter here.
    if !matches!((version, bytes.len()), (1, 15) | (2, 16)) {
        return None;
    }
    let (seconds, rest) = rest.split_first_chunk()?;
    let (nanos, _) = rest.split_first_chunk()?;
    let seconds = i64::from_be_bytes(*seconds).saturating_sub(GO_EPOCH);
    let nanos = u32::from_be_bytes(*nanos);
    if nanos >= 1_000_000_000 {
        return None;
    }
    let since = u64::try_from(seconds).unwrap_or_default();
    let since = since.saturating_mul(1_000_000_000);
    let nanos = if seconds < 0 { 0 } else { u64::from(nanos) };
    Some(UnixNanos(since.saturating_add(nanos)))
}

#[cfg(test)]
mod tests;
