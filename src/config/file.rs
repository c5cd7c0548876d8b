//! What a config file says, checked value by value; all faults are told, each
//! with file, line, column and key.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::yaml::{self, Key, Malformed, Node, Place, Value};
use crate::duration;
use crate::limits::{FAULTS, RULE_NAME, RULES};
use crate::model::{MatcherFault, Selector};
use crate::ttl::{ClientTtl, Rule, Ttl};

/// The keys a mapping may have.
type Known = &'static [&'static str];

const ROOT: Known = &["ttl"];
const TTL: Known = &["default", "max", "min", "client", "rules"];
const RULE: Known = &["name", "match", "selector", "ttl"];

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// The values of a file that have no fault by themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct FileTtl {
    pub(super) default: Option<Placed<Ttl>>,
    pub(super) min: Option<Placed<Duration>>,
    /// [`Ttl::Never`] is no cap.
    pub(super) max: Option<Placed<Ttl>>,
    pub(super) client: Option<Placed<ClientTtl>>,
    pub(super) rules: Vec<Rule>,
    /// TTLs of all rules, those with faults too, each with the rule's index.
    pub(super) rule_ttls: Vec<(usize, Placed<Ttl>)>,
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

/// Reads the text of a config file.
pub(super) fn read(text: &str, faults: &mut FileFaults<'_>) -> FileTtl {
    match yaml::read(text) {
        Ok(root) => Reader { faults }.root(&root),
        Err(Malformed { place, reason }) => {
            faults.add(place, "", reason);
            FileTtl::default()
        }
    }
}

struct Reader<'a, 'b> {
    faults: &'a mut FileFaults<'b>,
}

impl Reader<'_, '_> {
    fn root(&mut self, root: &Node) -> FileTtl {
        let mut ttl = FileTtl::default();
        for (_, node) in self.fields(root, "", ROOT) {
            ttl = self.ttl(node);
        }
        ttl
    }

    fn ttl(&mut self, node: &Node) -> FileTtl {
        let mut ttl = FileTtl::default();
        for (key, node) in self.fields(node, "ttl", TTL) {
            let path = format!("ttl.{}", key.name);
            match key.name.as_str() {
                "default" => ttl.default = self.placed(node, &path, str::parse),
                "min" => ttl.min = self.placed(node, &path, duration::parse),
                "max" => ttl.max = self.placed(node, &path, str::parse),
                "client" => ttl.client = self.placed(node, &path, str::parse),
                _ => (ttl.rules, ttl.rule_ttls) = self.rules(node, &path),
            }
        }
        ttl
    }

    fn rules(&mut self, node: &Node, path: &str) -> (Vec<Rule>, Vec<(usize, Placed<Ttl>)>) {
        let (mut rules, mut ttls) = (Vec::new(), Vec::new());
        let nodes = match &node.value {
            Value::Nothing => return (rules, ttls),
            Value::List(nodes) => nodes,
            value => {
                let reason = format!("expected a list of rules, found {}", kind(value));
                self.faults.add(node.place, path, reason);
                return (rules, ttls);
            }
        };
        if let Some(node) = nodes.get(RULES) {
            let reason = format!("more than {RULES} rules");
            self.faults.add(node.place, path, reason);
        }
        let mut names = HashMap::new();
        for (at, node) in nodes.iter().take(RULES).enumerate() {
            let (rule, ttl) = self.rule(node, &format!("{path}[{at}]"), &mut names);
            rules.extend(rule);
            ttls.extend(ttl.map(|ttl| (at, ttl)));
        }
        (rules, ttls)
    }

    /// A rule, if it has no fault, and its TTL, if that has none.
    fn rule(
        &mut self,
        node: &Node,
        path: &str,
        names: &mut HashMap<String, Place>,
    ) -> (Option<Rule>, Option<Placed<Ttl>>) {
        if matches!(node.value, Value::Nothing) {
            self.faults.add(node.place, path, "the rule is empty");
            return (None, None);
        }
        let fields = self.fields(node, path, RULE);
        let Value::Map(_) = node.value else {
            return (None, None);
        };
        let field = |name: &str| {
            let found = fields.iter().find(|(key, _)| key.name == name);
            found.map(|(_, node)| (format!("{path}.{name}"), *node))
        };
        let name = match field("name") {
            Some((path, node)) => self.name(node, &path, names),
            None => self.missing(node, path, "name"),
        };
        let selector = match (field("match"), field("selector")) {
            (Some((path, node)), None) => self.pairs(node, &path),
            (None, Some((path, node))) => self.value(node, &path, Selector::parse),
            (Some(_), Some((path, node))) => {
                let reason = "a rule has either match or selector, not both";
                self.faults.add(node.place, &path, reason);
                None
            }
            (None, None) => self.missing(node, path, "match or selector"),
        };
        let ttl: Option<Placed<Ttl>> = match field("ttl") {
            Some((path, node)) => self.placed(node, &path, str::parse),
            None => self.missing(node, path, "ttl"),
        };
        let rule = || {
            Some(Rule {
                name: name?.into(),
                selector: selector?,
                ttl: ttl.as_ref()?.value,
            })
        };
        (rule(), ttl)
    }

    fn name(
        &mut self,
        node: &Node,
        path: &str,
        names: &mut HashMap<String, Place>,
    ) -> Option<String> {
        let Placed { value, place } = self.placed(node, path, rule_name)?;
        if let Some(first) = names.get(&value) {
            let reason = format!(
                "{value:?} is already the name of the rule in line {}",
                first.line
            );
            self.faults.add(place, path, reason);
            return None;
        }
        names.insert(value.clone(), place);
        Some(value)
    }

    /// The `match` of a rule: label names and anchored expressions.
    fn pairs(&mut self, node: &Node, path: &str) -> Option<Selector> {
        let Value::Map(all) = &node.value else {
            let reason = format!(
                "expected labels and expressions, found {}",
                kind(&node.value)
            );
            self.faults.add(node.place, path, reason);
            return None;
        };
        let pairs = self.without_twins(all, path);
        let mut texts = Vec::with_capacity(pairs.len());
        for (key, node) in &pairs {
            let text = self.text(node, &format!("{path}.{}", key.name));
            texts.extend(text.map(|text| (key.name.as_str(), text)));
        }
        let complete = texts.len() == pairs.len();
        match Selector::from_pairs(texts) {
            Ok(selector) => complete.then_some(selector),
            Err(faults) => {
                for (label, fault) in faults {
                    let place = pairs.iter().find(|(key, _)| key.name == label);
                    let place = place.map_or(node.place, |(key, node)| match fault {
                        MatcherFault::Label(_) | MatcherFault::MetricName => key.place,
                        _ => node.place,
                    });
                    self.faults.add(place, &format!("{path}.{label}"), fault);
                }
                None
            }
        }
    }

    /// The known keys of a mapping, each once. An empty node has none.
    fn fields<'n>(&mut self, node: &'n Node, path: &str, known: Known) -> Vec<(&'n Key, &'n Node)> {
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
    fn without_twins<'n>(
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

    fn value<T, E: fmt::Display>(
        &mut self,
        node: &Node,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.placed(node, path, parse).map(|placed| placed.value)
    }

    fn placed<T, E: fmt::Display>(
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

    fn text<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n str> {
        let reason = match &node.value {
            Value::Text(text) => return Some(text),
            Value::Nothing => "a value is missing".to_owned(),
            value => format!("expected one value, found {}", kind(value)),
        };
        self.faults.add(node.place, path, reason);
        None
    }

    fn missing<T>(&mut self, node: &Node, path: &str, what: &str) -> Option<T> {
        self.faults
            .add(node.place, path, format!("{what} is missing"));
        None
    }
}

fn rule_name(text: &str) -> Result<String, String> {
    let count = text.chars().count();
    if count == 0 || count > RULE_NAME || text.chars().any(char::is_control) {
        return Err(format!("expected 1 to {RULE_NAME} printable characters"));
    }
    Ok(text.to_owned())
}

fn joined(path: &str, name: &str) -> String {
    let name = shown(name);
    match path {
        "" => name,
        path => format!("{path}.{name}"),
    }
}

/// A piece of somebody's text short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nothing => "nothing",
        Value::Text(_) => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}
