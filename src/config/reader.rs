//! What the readers of all config files share: values with their places, and
//! faults, each with file, line, column and key, which are told all at once.

use std::collections::HashMap;
use std::fmt;

use super::yaml::{Key, Node, Place, Value};
use crate::limits::FAULTS;

/// The keys a mapping may have.
pub(super) type Known = &'static [&'static str];

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// The faults of one file.
#[derive(Debug)]
pub(super) struct FileFaults<'a> {
    name: &'a str,
    found: Vec<(Place, String)>,
}

impl<'a> FileFaults<'a> {
    /// Of the file of this name, none so far.
    pub(super) fn of(name: &'a str) -> Self {
        Self {
            name,
            found: Vec::new(),
        }
    }

    /// Notes a fault; `key` such as `ttl.rules[2].ttl`.
    pub(super) fn add(&mut self, place: Place, key: &str, reason: impl fmt::Display) {
        let colon = if key.is_empty() { "" } else { ": " };
        let line = format!("{}:{place}: {key}{colon}{reason}", self.name);
        self.found.push((place, line));
    }

    /// One line for each, in the order of the file; of very many the first.
    pub(super) fn into_lines(mut self) -> Vec<String> {
        self.found.sort_by_key(|(place, _)| *place);
        let more = self.found.len().saturating_sub(FAULTS);
        let found = self.found.into_iter().take(FAULTS);
        let mut lines: Vec<String> = found.map(|(_, line)| line).collect();
        if more > 0 {
            lines.push(format!("{}: and {more} more faults", self.name));
        }
        lines
    }
}

/// Reads values from a tree of nodes and notes what is wrong with them.
pub(super) struct Reader<'a, 'b> {
    pub(super) faults: &'a mut FileFaults<'b>,
}

impl Reader<'_, '_> {
    /// The known keys of a mapping, each once. An empty node has none.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        known: &[&str],
    ) -> Vec<(&'n Key, &'n Node)> {
        let pairs = match &node.value {
            Value::Nothing => return Vec::new(),
            Value::Map(pairs) => pairs,
            value => {
                let known = known.join(", ");
                let reason = format!("expected the keys {known}, found {}", kind(value));
                self.faults.add(node.place, path, reason);
                return Vec::new();
            }
        };
        let mut fields = self.without_twins(pairs, path);
        fields.retain(|(key, _)| {
            let is_known = known.contains(&key.name.as_str());
            if !is_known {
                let expected = known.join(", ");
                let reason = format!("unknown key, expected one of {expected}");
                self.faults.add(key.place, &joined(path, &key.name), reason);
            }
            is_known
        });
        fields
    }

    /// The pairs of a mapping; of those with one key the first.
    pub(super) fn without_twins<'n>(
        &mut self,
        pairs: &'n [(Key, Node)],
        path: &str,
    ) -> Vec<(&'n Key, &'n Node)> {
        let mut first: HashMap<&str, Place> = HashMap::new();
        let mut kept = Vec::with_capacity(pairs.len());
        for (key, node) in pairs {
            if let Some(first) = first.get(key.name.as_str()) {
                let reason = format!("the key is already in line {}", first.line);
                self.faults.add(key.place, &joined(path, &key.name), reason);
            } else {
                first.insert(&key.name, key.place);
                kept.push((key, node));
            }
        }
        kept
    }

    pub(super) fn value<T, E: fmt::Display>(
        &mut self,
        node: &Node,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.placed(node, path, parse).map(|placed| placed.value)
    }

    pub(super) fn placed<T, E: fmt::Display>(
        &mut self,
        node: &Node,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Placed<T>> {
        let place = node.place;
        let text = self.text(node, path)?;
        match parse(text) {
            Ok(value) => Some(Placed { value, place }),
            Err(reason) => {
                let text = shown(text);
                self.faults
                    .add(place, path, format!("bad value {text:?}: {reason}"));
                None
            }
        }
    }

    pub(super) fn text<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n str> {
        let reason = match &node.value {
            Value::Text(text) => return Some(text),
            Value::Nothing => "a value is missing".to_owned(),
            value => format!("expected one value, found {}", kind(value)),
        };
        self.faults.add(node.place, path, reason);
        None
    }

    pub(super) fn missing<T>(&mut self, node: &Node, path: &str, what: &str) -> Option<T> {
        self.faults
            .add(node.place, path, format!("{what} is missing"));
        None
    }
}

/// The path of a key below `path`, for a message.
pub(super) fn joined(path: &str, name: &str) -> String {
    let name = shown(name);
    match path {
        "" => name,
        path => format!("{path}.{name}"),
    }
}

/// A piece of somebody's text short enough for a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// What a value is, for a message.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nothing => "nothing",
        Value::Text(_) => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}
