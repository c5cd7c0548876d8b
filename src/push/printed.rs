//! What a grouping key becomes in a scrape, which prints names that the text format
//! cannot carry with underscores and adds `instance=""`.

use std::collections::{BTreeMap, HashSet};

use super::path::PathError;
use crate::format::name::{is_label_name, printed_label_name};
use crate::model::GroupKey;

/// Whether every label name is printed as it is.
pub fn has_plain_names(key: &GroupKey) -> bool {
    key.names().all(|name| is_label_name(name.as_bytes()))
}

/// The key that a scrape shows, without an empty `instance`: groups for which it
/// is the same would be shown as one.
pub fn shown_key(key: &GroupKey) -> GroupKey {
    if has_plain_names(key) && key.get("instance") != Some("") {
        return key.clone();
    }
    let labels: BTreeMap<String, String> = key
        .labels()
        .into_iter()
        .filter(|label| *label != ("instance", ""))
        .map(|(name, value)| (printed_label_name(name).into_owned(), value.to_owned()))
        .collect();
    GroupKey::new(key.job(), &labels)
}

/// Why a key cannot be shown at all: two of its labels would become one, or one a
/// reserved one.
pub fn printed_fault(key: &GroupKey) -> Option<PathError> {
    let labels = key.labels();
    let names = labels.iter().map(|(name, _)| *name);
    // Those that are printed as they are come first, so that the fault names another.
    let (plain, other): (Vec<&str>, Vec<&str>) =
        names.partition(|name| is_label_name(name.as_bytes()));
    let mut seen = HashSet::new();
    plain.into_iter().chain(other).find_map(|name| {
        let printed = printed_label_name(name).into_owned();
        let clash = printed.starts_with("__") || !seen.insert(printed.clone());
        clash.then(|| PathError::PrintedName {
            name: name.to_owned(),
            printed,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(labels: &[(&str, &str)]) -> GroupKey {
        let labels = labels.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        GroupKey::new("j", &labels.collect())
    }

    #[test]
    fn keys_that_a_scrape_shows_alike_have_one_form() {
        for (labels, shown) in [
            (&[][..], &[][..]),
            (&[("instance", "")], &[]),
            (
                &[("instance", "i"), ("x", "")],
                &[("instance", "i"), ("x", "")],
            ),
            (&[("a.b", "1"), ("instance", "")], &[("a_b", "1")]),
            (&[("a_b", "1")], &[("a_b", "1")]),
        ] {
            assert_eq!(shown_key(&key(labels)), key(shown));
        }
    }

    #[test]
    fn keys_that_cannot_be_shown_are_told() {
        assert_eq!(
            printed_fault(&key(&[("a.b", ""), ("a_c", ""), ("é", "")])),
            None
        );
        for (labels, name, printed) in [
            (&[("a.b", ""), ("a_b", "")][..], "a.b", "a_b"),
            (&[("a.b", ""), ("a-b", "")], "a.b", "a_b"),
            (&[("._x", "")], "._x", "__x"),
        ] {
            let (name, printed) = (name.to_owned(), printed.to_owned());
            let fault = PathError::PrintedName { name, printed };
            assert_eq!(printed_fault(&key(labels)), Some(fault));
        }
    }
}
