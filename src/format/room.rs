//! Room for bytes that come piece by piece, while nobody knows how many will come.
//!
//! Room is made in few steps, so that little is copied and no old room is held beside the new
//! one. What is made too much costs addresses and no memory: the system gives memory to what is
//! written.

use std::collections::TryReserveError;

/// Up to here room doubles: larger steps would save nothing.
const DOUBLED: usize = 2 * 1024 * 1024;

/// From there on it grows to so many times what has come, which bounds what somebody has made
/// who says that much will come.
const STEP: usize = 32;

/// Makes room for `more` bytes behind those that are there: not much beyond `most` in all, which
/// is what may come.
///
/// # Errors
/// If the system gives none.
pub fn make_room(bytes: &mut Vec<u8>, more: usize, most: usize) -> Result<(), TryReserveError> {
    let wanted = bytes.len().saturating_add(more);
    if wanted <= bytes.capacity() {
        return Ok(());
    }
    let step = if bytes.len() < DOUBLED { 2 } else { STEP };
    let room = bytes.len().saturating_mul(step).min(most).max(wanted);
    bytes.try_reserve_exact(room - bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    /// What is copied, in bytes, while so many come of which `most` may.
    fn copied(come: usize, most: usize) -> usize {
        let (mut bytes, mut copied) = (Vec::new(), 0);
        let piece = [b'x'; 16 * 1024];
        while bytes.len() < come {
            let before = bytes.capacity();
            let piece = &piece[..piece.len().min(come - bytes.len())];
            make_room(&mut bytes, piece.len(), most).unwrap();
            if bytes.capacity() != before {
                copied += bytes.len();
            }
            bytes.extend_from_slice(piece);
            let bound = if bytes.len() <= DOUBLED {
                2 * bytes.len()
            } else {
                STEP * bytes.len()
            };
            assert!(bytes.capacity() <= bound.min(most), "{}", bytes.len());
        }
        copied
    }

    #[test]
    fn little_is_copied_and_no_more_room_is_made_than_is_asked_for() {
        for most in [1, 16 * 1024, 100_000, MIB, 10_000_000, 64 * MIB] {
            assert!(copied(most, most) <= 2 * DOUBLED, "{most}");
        }
        // Also when far less comes than may.
        for come in [1, 100_000, 3 * MIB] {
            assert!(copied(come, 64 * MIB) <= 2 * DOUBLED, "{come}");
        }
    }

    #[test]
    fn room_that_the_system_does_not_have_is_an_error() {
        let mut bytes = vec![b'x'; MIB];
        assert!(make_room(&mut bytes, usize::MAX / 4, usize::MAX).is_err());
        assert!(make_room(&mut bytes, usize::MAX, usize::MAX).is_err());
        assert_eq!(bytes.len(), MIB);
    }
}
