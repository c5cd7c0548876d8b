//! What a config file says, checked value by value; all faults are told, each
//! with file, line, column and key.

use std::collections::HashMap;
use std::time::Duration;

use super::reader::{FileFaults, Known, Placed, Reader, kind};
use super::yaml::{self, Malformed, Node, Place, Value};
use crate::duration;
use crate::limits::{RULE_NAME, RULES};
use crate::model::{MatcherFault, Selector};
use crate::ttl::{ClientTtl, Hold, Rule, Ttl};

const ROOT: Known = &["ttl"];
const TTL: Known = &["default", "max", "min", "client", "rules"];
const RULE: Known = &["name", "match", "selector", "ttl", "hold"];

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
        let hold = field("hold").map(|(path, node)| self.value(node, &path, str::parse::<Hold>));
        let rule = || {
            Some(Rule {
                name: name?.into(),
                selector: selector?,
                ttl: ttl.as_ref()?.value,
                // Given and without a fault, or not given.
                hold: hold.map_or(Some(None), |hold| hold.map(Some))?,
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
}

fn rule_name(text: &str) -> Result<String, String> {
    let count = text.chars().count();
    if count == 0 || count > RULE_NAME || text.chars().any(char::is_control) {
        return Err(format!("expected 1 to {RULE_NAME} printable characters"));
    }
    Ok(text.to_owned())
}
