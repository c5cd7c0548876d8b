//! Checksums that tie a value to its key.

use super::Damage;

/// Bytes of the checksum at the end of every value.
const SEAL: usize = 4;

/// Ends `value` with the CRC32C of key and value, little-endian.
pub(super) fn seal(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &value);
    value.extend_from_slice(&sum.to_le_bytes());
    value
}

/// The value without its checksum, if that is right.
pub(super) fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Damage> {
    let (value, sum) = sealed
        .split_last_chunk::<SEAL>()
        .ok_or("shorter than its checksum")?;
    if checksum(key, value) == u32::from_le_bytes(*sum) {
        Ok(value)
    } else {
        Err("checksum does not match")
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}
