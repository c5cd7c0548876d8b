//! The protobuf wire format: the fields of one message, read in place.

/// How deep unknown groups may nest. Protobuf's own libraries stop at 100 too.
const MAX_GROUP_DEPTH: usize = 100;

/// The largest field number protobuf allows.
const MAX_FIELD_NUMBER: u64 = (1 << 29) - 1;

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const START_GROUP: u8 = 3;
const END_GROUP: u8 = 4;
const FIXED32: u8 = 5;

/// Why bytes are not what the wire format promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum WireFault {
    /// They end too early.
    Cut,
    /// They break a rule.
    Malformed,
}

/// The value of one field, in those wire types that `io.prometheus.client` uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Wire<'a> {
    /// Any integer, not yet cut to its width.
    Varint(u64),
    /// The bits of a double.
    Fixed64(u64),
    /// A string, a sub-message or packed scalars.
    Bytes(&'a [u8]),
}

/// The fields of a message, in wire order, with their numbers.
///
/// Groups and 32-bit fields are skipped here, since no field of ours has those
/// types. A reader matches number and wire type together and so skips, as
/// protobuf-go does, known fields of another wire type with the unknown ones.
pub(in crate::format) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub(in crate::format) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// One field; `None` if it was skipped.
    fn field(&mut self) -> Result<Option<(u32, Wire<'a>)>, WireFault> {
        let (number, wire_type) = take_tag(&mut self.rest)?;
        let wire = match wire_type {
            VARINT => Wire::Varint(take_varint(&mut self.rest)?),
            FIXED64 => Wire::Fixed64(take_fixed64(&mut self.rest)?),
            BYTES => Wire::Bytes(take_delimited(&mut self.rest)?),
            _ => return skip(&mut self.rest, number, wire_type).map(|()| None),
        };
        Ok(Some((number, wire)))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), WireFault>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            if let Some(field) = self.field().transpose() {
                return Some(field);
            }
        }
        None
    }
}

/// Takes a base-128 varint: at most ten bytes, the tenth at most 1.
#[inline]
pub(in crate::format) fn take_varint(rest: &mut &[u8]) -> Result<u64, WireFault> {
    // Nearly all tags and lengths are of one byte.
    match **rest {
        [byte @ ..0x80, ref after @ ..] => {
            *rest = after;
            Ok(u64::from(byte))
        }
        _ => take_long_varint(rest),
    }
}

fn take_long_varint(rest: &mut &[u8]) -> Result<u64, WireFault> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or(WireFault::Cut)?;
        *rest = after;
        if shift == 63 && byte > 1 {
            return Err(WireFault::Malformed);
        }
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(WireFault::Malformed)
}

/// Takes a length and that many bytes, without trusting the length.
pub(in crate::format) fn take_delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], WireFault> {
    let length = take_varint(rest)?;
    let length = usize::try_from(length).map_err(|_| WireFault::Cut)?;
    let (taken, after) = rest.split_at_checked(length).ok_or(WireFault::Cut)?;
    *rest = after;
    Ok(taken)
}

/// Adds a repeated double: one, or any number packed.
pub(super) fn push_doubles(into: &mut Vec<f64>, wire: Wire<'_>) -> Result<(), WireFault> {
    match wire {
        Wire::Fixed64(bits) => into.push(f64::from_bits(bits)),
        Wire::Bytes(packed) => {
            let (chunks, left) = packed.as_chunks();
            if !left.is_empty() {
                return Err(WireFault::Malformed);
            }
            into.extend(chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)));
        }
        Wire::Varint(_) => {}
    }
    Ok(())
}

/// Adds a repeated `sint64`: one, or any number packed.
pub(super) fn push_sint64s(into: &mut Vec<i64>, wire: Wire<'_>) -> Result<(), WireFault> {
    match wire {
        Wire::Varint(value) => into.push(sint64(value)),
        Wire::Bytes(mut packed) => {
            while !packed.is_empty() {
                into.push(sint64(take_varint(&mut packed)?));
            }
        }
        Wire::Fixed64(_) => {}
    }
    Ok(())
}

/// The integer of an `int32`, `enum` or `uint32` field: the low 32 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "protobuf drops the high bits"
)]
pub(super) fn low32(varint: u64) -> u32 {
    varint as u32
}

/// The integer of a `sint32` field.
pub(in crate::format) fn sint32(varint: u64) -> i32 {
    let zigzag = low32(varint);
    (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()
}

/// The integer of a `sint64` field.
pub(in crate::format) fn sint64(varint: u64) -> i64 {
    (varint >> 1).cast_signed() ^ -(varint & 1).cast_signed()
}

fn take_tag(rest: &mut &[u8]) -> Result<(u32, u8), WireFault> {
    let tag = take_varint(rest)?;
    let number = tag >> 3;
    if !(1..=MAX_FIELD_NUMBER).contains(&number) {
        return Err(WireFault::Malformed);
    }
    Ok((low32(number), (tag & 7) as u8))
}

fn take_fixed64(rest: &mut &[u8]) -> Result<u64, WireFault> {
    let (taken, after) = rest.split_first_chunk().ok_or(WireFault::Cut)?;
    *rest = after;
    Ok(u64::from_le_bytes(*taken))
}

/// Skips the value of a field. Open groups are kept in a list and not in the
/// call stack, so that their depth costs four bytes a level.
fn skip(rest: &mut &[u8], number: u32, wire_type: u8) -> Result<(), WireFault> {
    let mut open = Vec::new();
    let mut field = (number, wire_type);
    loop {
        match field {
            (_, VARINT) => drop(take_varint(rest)?),
            (_, FIXED64) => drop(take_fixed64(rest)?),
            (_, BYTES) => drop(take_delimited(rest)?),
            (_, FIXED32) => *rest = rest.get(4..).ok_or(WireFault::Cut)?,
            (number, START_GROUP) if open.len() < MAX_GROUP_DEPTH => open.push(number),
            (number, END_GROUP) if open.last() == Some(&number) => drop(open.pop()),
            _ => return Err(WireFault::Malformed),
        }
        if open.is_empty() {
            return Ok(());
        }
        field = take_tag(rest)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Result<Vec<(u32, Wire<'_>)>, WireFault> {
        Fields::new(message).collect()
    }

    #[test]
    fn varints_are_read_to_their_last_bit_and_not_beyond() {
        for (bytes, wanted) in [
            (&b"\x00"[..], Ok(0)),
            (b"\x7f", Ok(127)),
            (b"\xac\x02", Ok(300)),
            (b"\x80\x00", Ok(0)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Ok(u64::MAX)),
            (
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                Err(WireFault::Malformed),
            ),
            (
                b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
                Err(WireFault::Malformed),
            ),
            (b"", Err(WireFault::Cut)),
            (b"\x80", Err(WireFault::Cut)),
        ] {
            assert_eq!(take_varint(&mut &bytes[..]), wanted, "{bytes:x?}");
        }
    }

    #[test]
    fn zigzag_numbers_keep_their_sign() {
        for (wire, wanted) in [(0, 0), (1, -1), (2, 1), (u64::MAX, i64::MIN)] {
            assert_eq!(sint64(wire), wanted);
        }
        assert_eq!(sint32(u64::from(u32::MAX)), i32::MIN);
        assert_eq!(sint32((1 << 40) | 3), -2, "the high bits do not count");
    }

    #[test]
    fn groups_and_32_bit_fields_are_skipped() {
        let mut message = b"\x0d1234".to_vec(); // field 1, fixed32
        message.extend(b"\x13\x1b\x08\x01\x11abcdefgh\x1a\x01z\x1c\x14"); // group 2 in it group 3
        message.extend(b"\x08\x05");
        assert_eq!(fields(&message), Ok(vec![(1, Wire::Varint(5))]));
    }

    #[test]
    fn a_length_beyond_the_message_is_refused_without_allocating() {
        let message = b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7fabc";
        assert_eq!(fields(message), Err(WireFault::Cut));
    }

    #[test]
    fn broken_wire_data_is_refused() {
        for message in [
            &b"\x00\x00"[..],            // field number 0
            b"\x0e",                     // wire type 6
            b"\x0f",                     // wire type 7
            b"\x0c",                     // end of a group never opened
            b"\x0b\x14",                 // group 1 ended as 2
            b"\x80\x80\x80\x80\x10\x00", // field number 2^29
        ] {
            assert_eq!(fields(message), Err(WireFault::Malformed), "{message:x?}");
        }
        for message in [&b"\x08"[..], b"\x09123", b"\x0d12", b"\x0b", b"\x0b\x08"] {
            assert_eq!(fields(message), Err(WireFault::Cut), "{message:x?}");
        }
    }

    #[test]
    fn groups_nest_to_a_limit() {
        let nested = |depth| [vec![0x0b; depth], vec![0x0c; depth]].concat();
        assert_eq!(fields(&nested(MAX_GROUP_DEPTH)), Ok(vec![]));
        assert_eq!(
            fields(&nested(MAX_GROUP_DEPTH + 1)),
            Err(WireFault::Malformed)
        );
        assert_eq!(fields(&nested(1_000_000)), Err(WireFault::Malformed));
    }

    #[test]
    fn repeated_scalars_come_packed_and_unpacked() {
        let mut doubles = vec![];
        push_doubles(&mut doubles, Wire::Fixed64(1.5_f64.to_bits())).unwrap();
        let packed = [2.5_f64.to_le_bytes(), f64::INFINITY.to_le_bytes()].concat();
        push_doubles(&mut doubles, Wire::Bytes(&packed)).unwrap();
        assert_eq!(doubles, [1.5, 2.5, f64::INFINITY]);
        assert_eq!(
            push_doubles(&mut doubles, Wire::Bytes(b"1234567")),
            Err(WireFault::Malformed)
        );

        let mut integers = vec![];
        push_sint64s(&mut integers, Wire::Varint(3)).unwrap();
        push_sint64s(&mut integers, Wire::Bytes(b"\x01\xac\x02")).unwrap();
        assert_eq!(integers, [-2, -1, 150]);
        assert_eq!(
            push_sint64s(&mut integers, Wire::Bytes(b"\x80")),
            Err(WireFault::Cut)
        );
    }
}
