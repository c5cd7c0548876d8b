//! Rules of the config file: which groups get which TTL.

use std::sync::Arc;

use super::Ttl;
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
