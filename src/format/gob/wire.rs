//! Numbers, texts and structs of `gob`.

use super::GobError;

/// Part of a file that is left to be read.
#[derive(Debug, Clone)]
pub(super) struct Input<'a> {
    /// The file up to the end of the part.
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    /// What of a file begins at an offset.
    pub(super) fn at(file: &'a [u8], at: usize) -> Self {
        Self { bytes: file, at }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    pub(super) fn fault(&self, what: &'static str) -> GobError {
        GobError { at: self.at, what }
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), GobError> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(self.fault("something follows where the end should be"))
        }
    }

    /// The next byte, which can only be this one.
    pub(super) fn byte(&mut self, byte: u8, what: &'static str) -> Result<(), GobError> {
        if self.bytes.get(self.at) != Some(&byte) {
            return Err(self.fault(what));
        }
        self.at += 1;
        Ok(())
    }

    /// A number: below 128 it is one byte, else a byte that says how many bytes, from
    /// the highest on, it takes: 255 is one, 248 are eight.
    pub(super) fn uint(&mut self) -> Result<u64, GobError> {
        let cut = |input: &Self| input.fault("the file ends in the middle of a number");
        let first = *self.bytes.get(self.at).ok_or_else(|| cut(self))?;
        if first < 128 {
            self.at += 1;
            return Ok(u64::from(first));
        }
        let len = usize::from(first.wrapping_neg());
        if len > 8 {
            return Err(self.fault("a number of more than 8 bytes"));
        }
        let digits = self.bytes.get(self.at + 1..self.at + 1 + len);
        let digits = digits.ok_or_else(|| cut(self))?;
        self.at += 1 + len;
        Ok(digits
            .iter()
            .fold(0, |number, digit| number << 8 | u64::from(*digit)))
    }

    /// A number with its sign in the lowest bit, which says that the others are turned round.
    pub(super) fn int(&mut self) -> Result<i64, GobError> {
        let bits = self.uint()?;
        let magnitude = (bits >> 1).cast_signed();
        Ok(if bits & 1 == 0 { magnitude } else { !magnitude })
    }

    /// How many pairs follow: each takes two bytes or more.
    pub(super) fn count(&mut self) -> Result<u64, GobError> {
        let count = self.uint()?;
        let left = self.bytes.len() - self.at;
        if count > (left as u64) / 2 {
            return Err(self.fault("more pairs than the rest of the file can hold"));
        }
        Ok(count)
    }

    /// A text, or bytes, behind their length.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], GobError> {
        let end = self.end_of_length()?;
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    /// A message behind its length.
    pub(super) fn message(&mut self) -> Result<Self, GobError> {
        let end = self.end_of_length()?;
        let message = Self {
            bytes: &self.bytes[..end],
            at: self.at,
        };
        self.at = end;
        Ok(message)
    }

    /// Reads a length; where what it is about ends.
    fn end_of_length(&mut self) -> Result<usize, GobError> {
        let len = self.uint()?;
        let len = usize::try_from(len).ok();
        let end = len.and_then(|len| self.at.checked_add(len));
        end.filter(|end| *end <= self.bytes.len())
            .ok_or_else(|| self.fault("a length beyond the end of the file"))
    }

    /// The fields of a struct: each behind its distance from the one before; 0 ends them.
    pub(super) fn fields(
        &mut self,
        mut field: impl FnMut(u64, &mut Self) -> Result<(), GobError>,
    ) -> Result<(), GobError> {
        let mut number: u64 = 0;
        loop {
            let distance = self.uint()?;
            if distance == 0 {
                return Ok(());
            }
            number = number.saturating_add(distance);
            field(number, self)?;
        }
    }
}
