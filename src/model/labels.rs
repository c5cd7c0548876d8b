//! The labels of one series.

use std::ops::{Deref, DerefMut};

use super::Label;

/// Labels that a series holds by itself. Most series have no more beside those of their
/// grouping key.
const FEW: usize = 2;

/// A list of labels, which only needs memory of its own for more than [`FEW`]: a push holds
/// one for each of its series. It is read, sorted and changed in place as the slice that it is.
///
/// Not one of the crates for such lists: theirs may not stand in for one of a shorter
/// lifetime, as everything that is borrowed from a body must.
#[derive(Debug, Clone)]
pub struct Labels<'a>(Held<'a>);

#[derive(Debug, Clone)]
enum Held<'a> {
    /// The first so many.
    Few(usize, [Label<'a>; FEW]),
    Many(Vec<Label<'a>>),
}

impl<'a> Labels<'a> {
    /// No labels.
    pub fn new() -> Self {
        Self(Held::Few(0, [const { Label::empty() }; FEW]))
    }

    /// Appends one.
    pub fn push(&mut self, label: Label<'a>) {
        match &mut self.0 {
            Held::Few(len, few) if *len < FEW => {
                few[*len] = label;
                *len += 1;
            }
            Held::Few(_, few) => {
                let few = std::mem::replace(few, [const { Label::empty() }; FEW]);
                let mut many = Vec::with_capacity(FEW * 2);
                many.extend(few);
                many.push(label);
                self.0 = Held::Many(many);
            }
            Held::Many(many) => many.push(label),
        }
    }

    /// Leaves those that `is_kept`, in their order.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&Label<'a>) -> bool) {
        match &mut self.0 {
            Held::Few(len, few) => {
                let mut kept = 0;
                for at in 0..*len {
                    if is_kept(&few[at]) {
                        few.swap(kept, at);
                        kept += 1;
                    }
                }
                *len = kept;
            }
            Held::Many(many) => many.retain(is_kept),
        }
    }
}

impl Default for Labels<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Deref for Labels<'a> {
    type Target = [Label<'a>];

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Held::Few(len, few) => &few[..*len],
            Held::Many(many) => many,
        }
    }
}

impl DerefMut for Labels<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.0 {
            Held::Few(len, few) => &mut few[..*len],
            Held::Many(many) => many,
        }
    }
}

impl<'a> FromIterator<Label<'a>> for Labels<'a> {
    fn from_iter<T: IntoIterator<Item = Label<'a>>>(labels: T) -> Self {
        let labels = labels.into_iter();
        let least = labels.size_hint().0;
        if least > FEW {
            return Self(Held::Many(labels.collect()));
        }
        let mut all = Self::new();
        labels.for_each(|label| all.push(label));
        all
    }
}

impl<'a> From<Vec<Label<'a>>> for Labels<'a> {
    fn from(labels: Vec<Label<'a>>) -> Self {
        labels.into_iter().collect()
    }
}

impl<'l, 'a> IntoIterator for &'l Labels<'a> {
    type Item = &'l Label<'a>;
    type IntoIter = std::slice::Iter<'l, Label<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// As lists: however they are held.
impl PartialEq for Labels<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn label(number: u8) -> Label<'static> {
        Label::new(number.to_string(), "")
    }

    proptest! {
        /// What a vector is after the same changes.
        #[test]
        fn a_list_of_labels_is_like_a_vector(
            made in proptest::collection::vec(0..9_u8, 0..5),
            pushed in proptest::collection::vec(0..9_u8, 0..5),
            kept in proptest::collection::hash_set(0..9_u8, 0..9),
        ) {
            let is_kept = |label: &Label<'_>| kept.iter().any(|number| *label == self::label(*number));
            let mut expected: Vec<_> = made.iter().copied().map(label).collect();
            let mut labels = Labels::from(expected.clone());
            prop_assert_eq!(&*labels, &*expected);
            for number in pushed {
                expected.push(label(number));
                labels.push(label(number));
            }
            prop_assert_eq!(&*labels, &*expected);
            expected.sort();
            labels.sort();
            prop_assert_eq!(&*labels, &*expected);
            expected.retain(is_kept);
            labels.retain(is_kept);
            prop_assert_eq!(&*labels, &*expected);
            prop_assert_eq!(labels, Labels::from(expected));
        }
    }
}
