//! The labels that a group adds to each of its series, rendered once.

use std::ops::Range;

use memchr::memchr3;

use super::escape::{Escaping, distinct};
use super::form::{Encoding, Form};
use super::name::is_label_name;
use super::proto_write;
use super::text_write::write_escaped;
use crate::model::{GroupKey, Label, Labels, Metric, Value};

/// The labels of a group in one form.
///
/// They are those of the grouping key and, where neither the key nor the series
/// has one, `instance=""`: Prometheus would otherwise put the gateway's own
/// address there.
#[derive(Debug, Clone)]
pub struct Identity {
    form: Form,
    /// Sorted by name, `instance` included.
    pairs: Vec<Pair>,
    /// All names, one behind the other.
    names: String,
    /// All pairs: the label set of a series without own labels.
    joined: Vec<u8>,
    /// Whether all names are legacy ones.
    legacy: bool,
}

/// One label: where its parts stand.
#[derive(Debug, Clone)]
struct Pair {
    name: Range<usize>,
    /// `name="value"`, or a label field, in what is joined.
    rendered: Range<usize>,
}

impl Identity {
    /// The identity of the group of `key` in the text that everybody is given.
    pub fn new(key: &GroupKey) -> Self {
        Self::in_form(key, Form::default())
    }

    /// The identity of the group of `key`.
    pub fn in_form(key: &GroupKey, form: Form) -> Self {
        let mut labels = key.labels();
        if key.get("instance").is_none() {
            labels.push(("instance", ""));
            labels.sort_unstable();
        }
        let size = labels
            .iter()
            .map(|(name, value)| name.len() + value.len() + 6);
        let mut identity = Self {
            pairs: Vec::with_capacity(labels.len()),
            names: String::with_capacity(key.as_bytes().len() + "instance".len()),
            joined: Vec::with_capacity(size.sum()),
            ..Self::none_in(form)
        };
        for (name, value) in labels {
            identity.add(name, value);
        }
        identity
    }

    /// The identity of series that belong to no group, the gateway's own, in text.
    pub fn none() -> Self {
        Self::none_in(Form::default())
    }

    /// The identity of series that belong to no group: the gateway's own.
    pub fn none_in(form: Form) -> Self {
        Self {
            form,
            pairs: Vec::new(),
            names: String::new(),
            joined: Vec::new(),
            legacy: true,
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        let Self { names, joined, .. } = self;
        if self.form.encoding == Encoding::Text {
            separate(joined, 0);
        }
        let (from, start) = (names.len(), joined.len());
        names.push_str(name);
        self.legacy &= write_label(joined, start, name, value, self.form);
        self.pairs.push(Pair {
            name: from..names.len(),
            rendered: start..joined.len(),
        });
    }

    fn name(&self, pair: &Pair) -> &str {
        &self.names[pair.name.clone()]
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Whether its labels can stand beside each other once their names are escaped.
    pub(super) fn is_shown(&self) -> bool {
        let bare = Metric {
            labels: Labels::new(),
            value: Value::Missing,
            timestamp_ms: None,
        };
        self.legacy || !distinct(&[bare], &self.names(), self.form.escaping).is_empty()
    }

    /// Names of the labels, unescaped.
    pub(super) fn names(&self) -> Vec<&str> {
        self.pairs.iter().map(|pair| self.name(pair)).collect()
    }

    /// Bytes of the labels.
    pub(super) fn len(&self) -> usize {
        self.joined.len()
    }

    /// Appends these labels and `own`, sorted by name. Returns whether all names are
    /// legacy ones.
    pub(super) fn write_merged(&self, out: &mut Vec<u8>, own: &[Label<'_>]) -> bool {
        let mut legacy = self.legacy;
        if own.is_empty() {
            out.extend_from_slice(&self.joined);
            return legacy;
        }
        // Only the added `instance=""` can meet one: series have none of the key's labels.
        let yields = own.iter().any(|label| label.name == "instance");
        let mut own = own.iter().peekable();
        let (start, form) = (out.len(), self.form);
        for pair in &self.pairs {
            while let Some(label) = own.next_if(|label| *label.name < *self.name(pair)) {
                legacy &= write_label(out, start, &label.name, &label.value, form);
            }
            if !(yields && self.name(pair) == "instance") {
                if form.encoding == Encoding::Text {
                    separate(out, start);
                }
                out.extend_from_slice(&self.joined[pair.rendered.clone()]);
            }
        }
        for label in own {
            legacy &= write_label(out, start, &label.name, &label.value, form);
        }
        legacy
    }
}

/// Appends a label; in text a comma before it unless `out` ends at `start`. Returns
/// whether its name is a legacy one.
fn write_label(out: &mut Vec<u8>, start: usize, name: &str, value: &str, form: Form) -> bool {
    let legacy = is_label_name(name.as_bytes());
    if form.encoding == Encoding::Protobuf {
        proto_write::write_label(out, &form.escaping.label_name(name), value);
        return legacy;
    }
    separate(out, start);
    if legacy {
        out.extend_from_slice(name.as_bytes());
    } else if form.escaping == Escaping::AllowUtf8 {
        write_quoted(out, name);
    } else {
        out.extend_from_slice(form.escaping.label_name(name).as_bytes());
    }
    out.push(b'=');
    write_quoted(out, value);
    legacy
}

/// Appends `"text"`, escaped.
pub(super) fn write_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = memchr3(b'"', b'\\', b'\n', rest) {
        write_escaped(out, rest, at);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends a comma unless `out` ends at `start`.
pub(super) fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}
