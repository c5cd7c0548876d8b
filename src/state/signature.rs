//! Which labels the series of a family have, by name.

use crate::model::{Family, Metric};

/// Ends every name. UTF-8 never holds this byte.
const END: u8 = 0xFF;

/// The names of the labels that a series has beside those of the grouping key, sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Signature(Box<[u8]>);

/// All signatures of a family, each once.
#[derive(Debug)]
pub(super) struct Signatures {
    /// Nearly always the only one: series of a family have the same names.
    first: Signature,
    others: Vec<Signature>,
}

impl Signature {
    fn of(metric: &Metric<'_>) -> Self {
        let size = label_names(metric).map(|name| name.len() + 1);
        let mut names = Vec::with_capacity(size.sum());
        for name in label_names(metric) {
            names.extend_from_slice(name.as_bytes());
            names.push(END);
        }
        Self(names.into())
    }

    /// The names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        // Made of `str` parts, so every part is UTF-8.
        self.0
            .split_inclusive(|byte| *byte == END)
            .map(|part| std::str::from_utf8(&part[..part.len() - 1]).unwrap_or_default())
    }
}

impl Signatures {
    /// Those of a rewritten family.
    pub(super) fn of(family: &Family<'_>) -> Self {
        let (first, others) = match family.metrics.split_first() {
            Some((first, others)) => (Signature::of(first), others),
            None => (Signature(Box::default()), &[][..]),
        };
        let mut found = Vec::new();
        let mut last = family.metrics.first();
        for metric in others {
            let is_known = last.is_some_and(|last| label_names(last).eq(label_names(metric)));
            if !is_known {
                found.push(Signature::of(metric));
                last = Some(metric);
            }
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|signature| *signature != first);
        let others = found;
        Self { first, others }
    }

    /// Each of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Signature> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

fn label_names<'a>(metric: &'a Metric<'_>) -> impl Iterator<Item = &'a str> {
    metric.labels.iter().map(|label| label.name.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::name::NameRule;
    use crate::format::text_read;

    #[test]
    fn every_set_of_names_is_there_once_and_the_first_ones_in_front() {
        let body = b"m{b=\"1\",c=\"1\"} 1\nm{b=\"2\",c=\"1\"} 1\nm 1\nm{a=\"1\"} 1\n\
            m{b=\"3\",c=\"1\"} 1\nm{bc=\"1\"} 1\nm{a=\"2\"} 1\n";
        let families = text_read::parse(body, NameRule::Legacy).expect("a body that parses");
        let signatures = Signatures::of(&families[0]);
        let names = signatures.iter().map(|of| of.names().collect::<Vec<_>>());
        let expected: [&[&str]; 4] = [&["b", "c"], &[], &["a"], &["bc"]];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn series_without_labels_take_no_memory() {
        let families = text_read::parse(b"m 1\n", NameRule::Legacy).expect("a body that parses");
        let signatures = Signatures::of(&families[0]);
        assert!(signatures.iter().all(|of| of.0.is_empty()));
        assert_eq!(signatures.others.capacity(), 0);
    }
}
