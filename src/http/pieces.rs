//! A body while it comes: in pieces of one size, so that what a refused one leaves is taken by
//! those that go on, and nothing large is copied to make it larger.

use std::collections::TryReserveError;

use crate::format::room::make_room;

/// Bytes of a piece. A body that is no larger is one, and is never copied as a whole.
const PIECE: usize = 1024 * 1024;

/// What has come of a body.
#[derive(Debug)]
pub(super) struct Pieces {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
    /// What may come in all, bytes.
    most: usize,
}

impl Pieces {
    /// Room is made for `first` bytes.
    pub(super) fn new(first: usize, most: usize) -> Self {
        let last = Vec::with_capacity(first.min(most).min(PIECE));
        let full = Vec::new();
        Self { full, last, most }
    }

    pub(super) fn len(&self) -> usize {
        self.full.len() * PIECE + self.last.len()
    }

    /// Takes what has come, up to what may come.
    ///
    /// # Errors
    /// If the system has no memory for it.
    pub(super) fn push(&mut self, mut data: &[u8]) -> Result<(), TryReserveError> {
        while !data.is_empty() {
            if self.last.len() == PIECE {
                self.full.push(std::mem::take(&mut self.last));
            }
            let (now, then) = data.split_at(data.len().min(PIECE - self.last.len()));
            let most = self.most.saturating_sub(self.full.len() * PIECE).min(PIECE);
            // Behind a full piece comes another one, if that is what was said.
            let more = if self.full.is_empty() {
                now.len()
            } else {
                most - self.last.len()
            };
            make_room(&mut self.last, more.max(now.len()), most)?;
            self.last.extend_from_slice(now);
            data = then;
        }
        Ok(())
    }

    /// What it begins with: all of it, or a whole piece.
    pub(super) fn begin(&self) -> &[u8] {
        self.full.first().unwrap_or(&self.last)
    }

    /// All of it. Every piece is gone once it is copied.
    ///
    /// # Errors
    /// If the system has no memory for it.
    pub(super) fn join(self) -> Result<Vec<u8>, TryReserveError> {
        if self.full.is_empty() {
            return Ok(self.last);
        }
        let mut whole = Vec::new();
        whole.try_reserve_exact(self.len())?;
        for piece in self.full {
            whole.extend_from_slice(&piece);
        }
        whole.extend_from_slice(&self.last);
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Pieces {
        pub(in crate::http) fn capacity(&self) -> usize {
            self.full.iter().map(Vec::capacity).sum::<usize>() + self.last.capacity()
        }
    }

    #[test]
    fn a_body_is_put_together_and_has_no_more_room_than_it_says() {
        for length in [
            0,
            1,
            70_000,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            3 * PIECE,
            5_000_001,
        ] {
            let body: Vec<u8> = (0..length).map(|at| at.to_le_bytes()[at % 3]).collect();
            for step in [10_000, 70_000, 2 * PIECE] {
                let mut pieces = Pieces::new(64 * 1024, length);
                for data in body.chunks(step) {
                    pieces.push(data).unwrap();
                    assert!(pieces.capacity() <= length);
                    // One who says much and sends little has little.
                    let bound = (2 * pieces.len()).max(64 * 1024).min(pieces.len() + PIECE);
                    assert!(pieces.capacity() <= bound, "{length} {}", pieces.len());
                }
                assert_eq!(pieces.len(), length);
                let whole = pieces.join().unwrap();
                assert!(
                    whole == body && whole.capacity() == length,
                    "{length} {step}"
                );
            }
        }
    }
}
