//! The labels of the line being read, with what is kept from line to line to
//! allocate less.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::model::{Label, Labels};

/// From this many labels on, duplicates are looked for with a set.
const MANY_LABELS: usize = 16;

/// See the module.
#[derive(Default)]
pub(super) struct Scratch<'a> {
    /// Labels of this line but the special one.
    pub(super) labels: Vec<Label<'a>>,
    /// `le` or `quantile` of this line, NaN if there is none.
    pub(super) special: f64,
    /// Names of `labels` once there are many.
    names: HashSet<Cow<'a, str>>,
    key: Vec<u8>,
}

impl<'a> Scratch<'a> {
    pub(super) fn start_line(&mut self) {
        self.labels.clear();
        self.special = f64::NAN;
        if !self.names.is_empty() {
            // Emptying a large set again and again would be quadratic.
            self.names = HashSet::new();
        }
    }

    /// The labels of this line, without slack.
    pub(super) fn take_labels(&mut self) -> Labels<'a> {
        self.labels.drain(..).collect()
    }

    /// The labels of this line in a form that does not depend on their order.
    /// No name or value holds the byte 0xFF.
    pub(super) fn key(&mut self) -> &[u8] {
        self.key.clear();
        let mut labels: Vec<&Label<'a>> = self.labels.iter().collect();
        labels.sort_unstable();
        for label in labels {
            for part in [&label.name, &label.value] {
                self.key.extend_from_slice(part.as_bytes());
                self.key.push(0xFF);
            }
        }
        &self.key
    }

    pub(super) fn is_duplicate(&mut self, name: &str) -> bool {
        if self.labels.len() < MANY_LABELS {
            return self.labels.iter().any(|label| label.name == name);
        }
        if self.names.is_empty() {
            self.names
                .extend(self.labels.iter().map(|label| label.name.clone()));
        }
        self.names.contains(name)
    }

    pub(super) fn push(&mut self, label: Label<'a>) {
        if !self.names.is_empty() {
            self.names.insert(label.name.clone());
        }
        self.labels.push(label);
    }

    /// Takes one label out again; its value.
    pub(super) fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let at = self.labels.iter().position(|label| label.name == name)?;
        self.names.remove(name);
        Some(self.labels.remove(at).value)
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }
}
