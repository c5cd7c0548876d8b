//! Rules of the config file: which groups get which TTL.

use std::sync::Arc;

use super::{Hold, Ttl};
use crate::model::{GroupKey, Selector};

/// One rule. Its name and selector were checked when it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Unique among the rules; shown as `rule:NAME`.
    pub name: Arc<str>,
    /// The groups it is for.
    pub selector: Selector,
    /// Their TTL.
    pub ttl: Ttl,
    /// What their expiry waits for, wherever their TTL comes from.
    pub hold: Option<Hold>,
}

/// Rules in the order of the file; of those that match a group the first counts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// Rules in this order.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// The rule for the group of this key.
    pub fn first_match(&self, key: &GroupKey) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.selector.matches(key))
    }

    /// What the expiry of the group of this key waits for.
    pub fn hold(&self, key: &GroupKey) -> Option<Hold> {
        // Nearly nobody has such rules; then no rule has to be tried.
        if self.0.iter().all(|rule| rule.hold.is_none()) {
            return None;
        }
        self.first_match(key)?.hold
    }

    /// All rules, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Rules {
    type Item = &'a Rule;
    type IntoIter = std::slice::Iter<'a, Rule>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
