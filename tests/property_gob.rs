//! The reader of persistence files: it finds what was written, and nothing makes it panic,
//! hang, or hand out more than the file holds.

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use support::gob::{Family, Group, file};
use tidegate::clock::UnixNanos;
use tidegate::format::gob::Dump;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Lengths on both sides of 128, where numbers become longer.
    prop_oneof![vec(any::<u8>(), 0..4), vec(any::<u8>(), 120..300)]
}

fn family() -> impl Strategy<Value = Family> {
    (bytes(), any::<u64>(), bytes()).prop_map(|(name, at, message)| Family {
        name,
        pushed: UnixNanos(at),
        message,
    })
}

fn groups() -> impl Strategy<Value = Vec<Group>> {
    let labels = vec((bytes(), bytes()), 0..4);
    let group = (labels, vec(family(), 0..4));
    let group = group.prop_map(|(labels, families)| Group { labels, families });
    vec(group, 0..5)
}

/// What the reader finds; `None` if it refuses the file.
fn read(file: &[u8]) -> Option<Vec<Group>> {
    let dump = Dump::read(file).ok()?;
    let group = |group: tidegate::format::gob::Group<'_>| Group {
        labels: group
            .labels()
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect(),
        families: group
            .families()
            .map(|family| Family {
                name: family.name.to_vec(),
                pushed: family.pushed,
                message: family.message.to_vec(),
            })
            .collect(),
    };
    Some(dump.groups().map(group).collect())
}

fn size(groups: &[Group]) -> usize {
    let labels = |group: &Group| -> usize {
        let labels = group.labels.iter();
        labels.map(|(name, value)| name.len() + value.len()).sum()
    };
    let families = |group: &Group| -> usize {
        let families = group.families.iter();
        families
            .map(|family| family.name.len() + family.message.len())
            .sum()
    };
    groups.iter().map(|g| labels(g) + families(g)).sum()
}

proptest! {
    #[test]
    fn what_was_written_is_read(groups in groups()) {
        prop_assert_eq!(read(&file(&groups)), Some(groups));
    }

    #[test]
    fn a_file_that_ends_too_early_is_refused(groups in groups(), at: prop::sample::Index) {
        let whole = file(&groups);
        prop_assert_eq!(read(&whole[..at.index(whole.len())]), None);
    }

    #[test]
    fn changed_bytes_are_read_or_refused(
        groups in groups(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = file(&groups);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(groups) = read(&bytes) {
            prop_assert!(size(&groups) <= bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        if let Some(groups) = read(&bytes) {
            prop_assert!(size(&groups) <= bytes.len());
        }
    }
}
