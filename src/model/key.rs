//! The grouping key: the label set that names a group.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Metric;

/// Ends every part of a canonical key. UTF-8 never holds this byte, so no
/// label value can imitate a boundary.
const END: u8 = 0xFF;

/// The label pairs of a push address, `job` included, in one canonical form:
/// the job's value, then name and value of every other label sorted by name,
/// each part ended by 0xFF. Keys of one job are neighbours in byte order.
///
/// Equal keys are equal bytes, whatever the order in the address. The bytes
/// are also the key of the group's row in the store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(Arc<[u8]>);

impl GroupKey {
    /// A key of `job` and the other grouping labels. A `job` among them is ignored,
    /// as the Pushgateway ignores it.
    pub fn new(job: &str, labels: &BTreeMap<String, String>) -> Self {
        let labels = labels.iter();
        Self::of_sorted(
            job,
            labels.map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }

    /// The same of labels that come sorted by name, each once.
    pub fn of_sorted<'a>(job: &str, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut bytes = Vec::with_capacity(64);
        push_part(&mut bytes, job);
        for (name, value) in labels.into_iter().filter(|(name, _)| *name != "job") {
            push_part(&mut bytes, name);
            push_part(&mut bytes, value);
        }
        Self(bytes.into())
    }

    /// A key from its canonical bytes; `None` if they are not canonical.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let parts = parts(bytes)?;
        let names: Vec<&str> = parts.iter().skip(1).step_by(2).copied().collect();
        let sorted = names.windows(2).all(|pair| pair[0] < pair[1]);
        let canonical = parts.len() % 2 == 1 && sorted && !names.contains(&"job");
        canonical.then(|| Self(bytes.into()))
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value of `job`.
    pub fn job(&self) -> &str {
        self.text_parts().next().unwrap_or_default()
    }

    /// All label pairs, `job` included, sorted by name.
    pub fn labels(&self) -> Vec<(&str, &str)> {
        let mut parts = self.text_parts();
        let mut labels = Vec::with_capacity(4);
        labels.push(("job", parts.next().unwrap_or_default()));
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            labels.push((name, value));
        }
        labels.sort_unstable();
        labels
    }

    /// The names of all labels, `job` first, then sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let others = self.text_parts().skip(1).step_by(2);
        std::iter::once("job").chain(others)
    }

    /// The value of one label, `None` if the key does not have it.
    pub fn get(&self, name: &str) -> Option<&str> {
        if name == "job" {
            return Some(self.job());
        }
        let mut parts = self.text_parts().skip(1);
        while let (Some(found), Some(value)) = (parts.next(), parts.next()) {
            if found == name {
                return Some(value);
            }
        }
        None
    }

    fn text_parts(&self) -> impl Iterator<Item = &str> {
        // Built from `str` parts or checked by `from_bytes`, so every part is UTF-8.
        self.0
            .split_inclusive(|byte| *byte == END)
            .map(|part| std::str::from_utf8(&part[..part.len() - 1]).unwrap_or_default())
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `{job="nightly",zone="w"}`: for logs and messages.
impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.labels().into_iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

fn push_part(bytes: &mut Vec<u8>, part: &str) {
    bytes.extend_from_slice(part.as_bytes());
    bytes.push(END);
}

fn parts(bytes: &[u8]) -> Option<Vec<&str>> {
    let body = bytes.strip_suffix(&[END])?;
    body.split(|byte| *byte == END)
        .map(|part| std::str::from_utf8(part).ok())
        .collect()
}

/// All labels of a series of this group as a scrape shows them, sorted by name: those of the
/// series are without those of the key, and an `instance` that neither has is empty.
pub fn all_labels<'a>(key: &'a GroupKey, metric: &'a Metric<'_>) -> Vec<(&'a str, &'a str)> {
    let mut labels = key.labels();
    labels.extend(
        metric
            .labels
            .iter()
            .map(|label| (label.name.as_ref(), label.value.as_ref())),
    );
    if !labels.iter().any(|(name, _)| *name == "instance") {
        labels.push(("instance", ""));
    }
    labels.sort_unstable();
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(job: &str, labels: &[(&str, &str)]) -> GroupKey {
        let labels = labels
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect();
        GroupKey::new(job, &labels)
    }

    #[test]
    fn labels_come_sorted_with_the_job_among_them() {
        let key = key("a", &[("zone", "w"), ("env", "")]);
        assert_eq!(key.labels(), [("env", ""), ("job", "a"), ("zone", "w")]);
        assert_eq!(key.get("zone"), Some("w"));
        assert_eq!(key.get("env"), Some(""));
        assert_eq!(key.get("none"), None);
        assert_eq!(key.to_string(), r#"{env="",job="a",zone="w"}"#);
    }

    #[test]
    fn a_job_among_the_other_labels_is_ignored() {
        assert_eq!(key("a", &[("job", "b")]), key("a", &[]));
    }

    #[test]
    fn canonical_bytes_round_trip_and_others_are_refused() {
        let key = key("a", &[("b", ""), ("c", "d")]);
        assert_eq!(GroupKey::from_bytes(key.as_bytes()), Some(key));
        for bad in [
            &b""[..],
            b"a",
            b"a\xFFb\xFF",
            b"a\xFFc\xFF1\xFFb\xFF2\xFF",
            b"a\xFFjob\xFFb\xFF",
            b"\xC0\xFF",
        ] {
            assert_eq!(GroupKey::from_bytes(bad), None, "{bad:?}");
        }
    }
}
