//! Groups of a persistence file as this gateway has them: keys, families, times.

use std::collections::BTreeMap;

use crate::clock::UnixNanos;
use crate::format::gob;
use crate::format::name::NameRule;
use crate::format::proto::{self, ProtoError};
use crate::format::quote::quote;
use crate::limits::KEY_BYTES;
use crate::model::{Family, GroupKey, Value};
use crate::push::printed::printed_fault;
use crate::push::rewrite::{PUSH_FAILURE_TIME, PUSH_TIME};
use crate::store::{Failure, Head, Pusher};

/// A group whose key can be used, and its times.
pub(super) struct Found<'a> {
    pub(super) key: GroupKey,
    pub(super) pushed: UnixNanos,
    failed: UnixNanos,
    pub(super) group: gob::Group<'a>,
}

/// Why a family's message cannot be used.
pub(super) enum Unusable {
    /// The file is damaged.
    Damaged(String),
    /// It is what it was, and that cannot be shown.
    Family(String),
}

pub(super) fn parse(message: &[u8]) -> Result<Family<'_>, Unusable> {
    proto::parse_family(message).map_err(|error| match error {
        ProtoError::UnexpectedEof | ProtoError::InvalidWire => {
            Unusable::Damaged(format!("a metric family in it is damaged: {error}"))
        }
        error => Unusable::Family(error.to_string()),
    })
}

impl<'a> Found<'a> {
    pub(super) fn new(key: GroupKey, group: gob::Group<'a>) -> Result<Self, String> {
        let mut found = Self {
            key,
            pushed: UnixNanos::default(),
            failed: UnixNanos::default(),
            group,
        };
        let (mut pushed, mut failed) = (0.0, 0.0);
        for family in group.families() {
            if family.name == PUSH_TIME.as_bytes() {
                (pushed, found.pushed) = time_of(&family)?;
            } else if family.name == PUSH_FAILURE_TIME.as_bytes() {
                (failed, found.failed) = time_of(&family)?;
            }
        }
        // The Pushgateway compares what it shows, which is less exact than the times.
        if failed <= pushed {
            found.failed = found.failed.min(found.pushed);
        }
        Ok(found)
    }

    pub(super) fn head(&self, ttl: UnixNanos, wall: UnixNanos) -> Head {
        let failed = self.failed != UnixNanos::default();
        Head {
            created: wall,
            last_push: self.pushed,
            clock_start: ttl,
            pusher: Pusher {
                address: String::new(),
                agent: "import of a persistence file".to_owned(),
            },
            failure: failed.then(|| Failure {
                at: self.failed,
                text: "the Pushgateway does not keep why".to_owned(),
            }),
            ..Head::default()
        }
    }
}

/// The value of one of the two time families, and the time it stands for.
fn time_of(family: &gob::Family<'_>) -> Result<(f64, UnixNanos), String> {
    let value = match parse(family.message) {
        Ok(family) => match family.metrics.first().map(|metric| &metric.value) {
            Some(Value::Number(value, _)) => *value,
            _ => 0.0,
        },
        Err(Unusable::Damaged(reason)) => return Err(reason),
        // Its labels are not UTF-8, and so the group is left out.
        Err(Unusable::Family(_)) => 0.0,
    };
    Ok((value, instant(value, family.pushed)))
}

/// The time that is shown as `value` seconds since 1970. What is shown is rounded to a
/// quarter of a microsecond, so `exact`, the time of the push, is better where it agrees.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates, and negative times are 0"
)]
fn instant(value: f64, exact: UnixNanos) -> UnixNanos {
    let shown_as = |at: UnixNanos| at.as_seconds_f64().to_bits() == value.to_bits();
    if shown_as(exact) {
        return exact;
    }
    let near = (value * 1e9) as u64;
    // The product is rounded once more: a neighbour may be the one that is shown right.
    let neighbours = [0, 128, 256]
        .into_iter()
        .flat_map(|far: u64| [near.saturating_add(far), near.saturating_sub(far)].map(UnixNanos));
    let mut neighbours = neighbours.filter(|at| shown_as(*at));
    neighbours.next().unwrap_or(UnixNanos(near))
}

/// The key of a group. The file holds names as they are, never in the `U__` form of addresses.
pub(super) fn key_of(group: &gob::Group<'_>, names: NameRule) -> Result<GroupKey, String> {
    let mut labels = BTreeMap::new();
    for (name, value) in group.labels() {
        if !names.allows_label(name) || name.starts_with(b"__") {
            return Err(improper(name, names));
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
        let (Ok(label), Ok(value)) = (text(name), text(value)) else {
            let name = String::from_utf8_lossy(name);
            return Err(format!("the value of its label {name} is not UTF-8"));
        };
        if labels.insert(label, value).is_some() {
            let name = String::from_utf8_lossy(name);
            return Err(format!("it has two labels {name}"));
        }
    }
    let job = labels.get("job").filter(|job| !job.is_empty());
    let job = job.ok_or("it has no job")?.clone();
    let key = GroupKey::new(&job, &labels);
    if key.as_bytes().len() > KEY_BYTES {
        return Err(format!("its labels are larger than {KEY_BYTES} bytes"));
    }
    match printed_fault(&key) {
        Some(fault) => Err(fault.to_string()),
        None => Ok(key),
    }
}

fn improper(name: &[u8], names: NameRule) -> String {
    let of_utf8 = names == NameRule::Legacy && NameRule::Utf8.allows_label(name);
    let hint = if of_utf8 && !name.starts_with(b"__") {
        " without --push.enable-utf8-names"
    } else {
        ""
    };
    format!("improper label name {}{hint}", quote(name))
}

/// The labels of a group, whatever they are.
pub(super) fn shown(group: &gob::Group<'_>) -> String {
    let mut labels: Vec<_> = group.labels().collect();
    labels.sort_unstable();
    let labels: Vec<String> = labels
        .into_iter()
        .map(|(name, value)| format!("{}={}", String::from_utf8_lossy(name), quote(value)))
        .collect();
    format!("{{{}}}", labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_time_comes_back_as_it_was_shown() {
        for nanos in [
            1,
            999,
            1_795_316_820_144_272_509,
            1_795_308_991_679_737_914,
            1_700_000_000_000_000_001,
        ] {
            let exact = UnixNanos(nanos);
            assert_eq!(instant(exact.as_seconds_f64(), exact), exact);
            let back = instant(exact.as_seconds_f64(), UnixNanos(0));
            assert_eq!(
                back.as_seconds_f64().to_bits(),
                exact.as_seconds_f64().to_bits(),
                "{nanos}"
            );
        }
        for value in [0.0, -1.0, f64::NAN] {
            assert_eq!(instant(value, UnixNanos(7)), UnixNanos(0));
        }
    }
}
