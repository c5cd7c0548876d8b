//! The labels of a series or an exemplar: a sequence of pairs of name and value.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::series::Each;
use crate::model::{Label, Labels};

/// Labels as they are written.
pub(super) type LabelsOut<'a> = Each<'a, Label<'a>, LabelRow<'a>>;

#[derive(Serialize, Deserialize)]
pub(super) struct LabelRow<'a>(&'a str, &'a str);

/// Labels as they are read: those of every series are at a start, so they go where they stay,
/// without a list between.
pub(super) struct LabelRows<'a>(Labels<'a>);

impl<'a> LabelRow<'a> {
    pub(super) fn of(label: &'a Label<'_>) -> Self {
        Self(&label.name, &label.value)
    }
}

impl<'a> LabelRows<'a> {
    pub(super) fn of(labels: &'a Labels<'_>) -> Self {
        let borrowed = |label: &'a Label<'_>| Label::new(&*label.name, &*label.value);
        Self(labels.iter().map(borrowed).collect())
    }

    pub(super) fn into_labels(self) -> Labels<'a> {
        self.0
    }
}

impl Serialize for LabelRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(LabelRow::of))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for LabelRows<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self(Labels::new()))
    }
}

impl<'de: 'a, 'a> Visitor<'de> for LabelRows<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<Self, A::Error> {
        while let Some(LabelRow(name, value)) = rows.next_element()? {
            self.0.push(Label::new(name, value));
        }
        Ok(self)
    }
}
