//! Tables of hand-made bytes. Whole files are in `tests/import.rs`, random ones in
//! `tests/property_gob.rs`.

use super::*;

/// A file with a definition, and this value.
fn file(value: &[u8]) -> Vec<u8> {
    let mut file = vec![3, 0x7F, 0xAA, 0xAA]; // Type -64: whatever it says.
    let message = [&[0xFE, 0x00, 0x82][..], value].concat(); // Type 65.
    file.push(u8::try_from(message.len()).expect("a short value"));
    file.extend_from_slice(&message);
    file
}

fn fault(value: &[u8]) -> String {
    Dump::read(&file(value)).expect_err("a fault").to_string()
}

#[test]
fn a_group_has_labels_and_families() {
    let time = [
        &[1][..],
        &(GO_EPOCH + 7).to_be_bytes(),
        &5_u32.to_be_bytes(),
        &[0xFF, 0xFF],
    ]
    .concat();
    let mut value = vec![0, 1, 1, b'k'];
    value.extend([1, 1, 3, b'j', b'o', b'b', 1, b'a']); // Labels: one pair.
    value.extend([1, 2]); // Families: two.
    value.extend([1, b'f', 1, 15]);
    value.extend(&time);
    value.extend([1, 2, 0xAA, 0xBB, 0]);
    value.extend([1, b'g', 0]); // Neither time nor message.
    value.push(0);
    let file = file(&value);
    let dump = Dump::read(&file).expect("a sound file");
    let groups: Vec<Group<'_>> = dump.groups().collect();
    assert_eq!(groups.len(), 1);
    let labels: Vec<_> = groups[0].labels().collect();
    assert_eq!(labels, [(&b"job"[..], &b"a"[..])]);
    let families: Vec<_> = groups[0].families().collect();
    let pushed = UnixNanos(7_000_000_005);
    let first = Family {
        name: b"f",
        pushed,
        message: &[0xAA, 0xBB],
    };
    let second = Family {
        name: b"g",
        pushed: UnixNanos(0),
        message: &[],
    };
    assert_eq!(families, [first, second]);
}

#[test]
fn a_file_of_something_else_is_told_with_the_place() {
    for (bytes, text) in [
        (
            &b""[..],
            "the file ends in the middle of a number at byte 0",
        ),
        (b"\x81", "a number of more than 8 bytes at byte 0"),
        (
            b"\xFE\x01",
            "the file ends in the middle of a number at byte 0",
        ),
        (b"a 1\n", "a length beyond the end of the file at byte 1"),
        (
            b"\x02\x7F\x00",
            "the file ends in the middle of a number at byte 3",
        ),
        (
            b"\x02\x04\x00\x00",
            "something follows where the end should be at byte 3",
        ),
        (
            b"\xF8\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
            "a length beyond the end of the file at byte 9",
        ),
    ] {
        let found = Dump::read(bytes).expect_err("a fault").to_string();
        assert_eq!(found, text, "{bytes:?}");
    }
    for (value, text) in [
        (&[1][..], "the value is not a map at byte 8"),
        (
            &[0, 0, 9],
            "something follows where the end should be at byte 10",
        ),
        (
            &[0, 9],
            "more pairs than the rest of the file can hold at byte 10",
        ),
        (
            &[0, 1, 0, 3, 0, 0],
            "a group has a field that is not known at byte 12",
        ),
        (
            &[0, 1, 0, 2, 1, 1, b'f', 3, 0, 0, 0, 0],
            "a family has a field that is not known at byte 16",
        ),
        (
            &[0, 1, 0, 2, 1, 1, b'f', 1, 1, 9, 0, 0],
            "a time that cannot be read at byte 18",
        ),
    ] {
        assert_eq!(fault(value), text, "{value:?}");
    }
}

#[test]
fn times_out_of_range_become_the_nearest_there_is() {
    let time = |seconds: i64, nanos: u32| {
        let parts = [
            &[1][..],
            &seconds.to_be_bytes(),
            &nanos.to_be_bytes(),
            &[0, 0],
        ];
        go_time(&parts.concat())
    };
    assert_eq!(time(GO_EPOCH, 0), Some(UnixNanos(0)));
    assert_eq!(time(0, 999), Some(UnixNanos(0)));
    assert_eq!(time(i64::MIN, 0), Some(UnixNanos(0)));
    assert_eq!(time(i64::MAX, 0), Some(UnixNanos(u64::MAX)));
    assert_eq!(time(GO_EPOCH, 1_000_000_000), None);
    assert_eq!(go_time(&[2; 15]), None);
    assert_eq!(go_time(&[]), None);
    assert!(go_time(&[&[2][..], &[0; 15]].concat()).is_some());
}
