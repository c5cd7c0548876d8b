//! The grouping-label names that a job's groups use.
//!
//! Two groups of one job with the same names differ in a value, and grouping
//! labels win in every series, so they can never show the same series. Only
//! groups of another name set need to be looked at, and most jobs have one.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::model::GroupKey;

/// Names of a grouping key's labels, `job` included, sorted.
pub(in crate::state) type NameSet = Box<[Box<str>]>;

/// Name sets by job.
#[derive(Debug, Default)]
pub(super) struct NameSets(HashMap<Box<str>, JobNames>);

/// The name sets of one job.
#[derive(Debug, Default)]
pub(in crate::state) struct JobNames {
    /// How many there are.
    sets: usize,
    root: Node,
}

/// A tree of sorted name sets: those whose first names are the same share them.
/// What a series can spell out is found without a look at the others, of which
/// a job may have thousands.
#[derive(Debug, Default)]
struct Node {
    /// Groups whose names end here.
    groups: usize,
    next: BTreeMap<Box<str>, Node>,
}

impl NameSets {
    pub(super) fn add(&mut self, key: &GroupKey) {
        let job = self.0.entry(key.job().into()).or_default();
        let mut node = &mut job.root;
        for (name, _) in key.labels() {
            node = node.next.entry(name.into()).or_default();
        }
        node.groups += 1;
        job.sets += usize::from(node.groups == 1);
    }

    pub(super) fn remove(&mut self, key: &GroupKey) {
        let Some(job) = self.0.get_mut(key.job()) else {
            return;
        };
        let names: Vec<&str> = key.labels().into_iter().map(|(name, _)| name).collect();
        job.sets -= usize::from(job.root.remove(&names));
        if job.sets == 0 {
            self.0.remove(key.job());
        }
    }

    pub(super) fn of_job(&self, job: &str) -> Option<&JobNames> {
        self.0.get(job)
    }
}

impl JobNames {
    /// Whether every group of the job has the same names.
    pub(in crate::state) fn is_one(&self) -> bool {
        self.sets == 1
    }

    /// The name sets of which `names`, sorted, has every name.
    pub(in crate::state) fn within(&self, names: &[&str]) -> Vec<NameSet> {
        let mut found = Vec::new();
        self.root.within(names, &mut Vec::new(), &mut found);
        found
    }

    /// Groups that have all of `names`, sorted, and more.
    pub(in crate::state) fn groups_with_more(&self, names: &[&str]) -> usize {
        self.root.groups_with_more(names, false)
    }
}

impl Node {
    /// Takes one group off; whether it was the last with these names.
    fn remove(&mut self, names: &[&str]) -> bool {
        let Some((first, rest)) = names.split_first() else {
            self.groups = self.groups.saturating_sub(1);
            return self.groups == 0;
        };
        let Some(node) = self.next.get_mut(*first) else {
            return false;
        };
        let last = node.remove(rest);
        if node.groups == 0 && node.next.is_empty() {
            self.next.remove(*first);
        }
        last
    }

    fn within<'a>(&self, names: &[&'a str], path: &mut Vec<&'a str>, found: &mut Vec<NameSet>) {
        if self.groups > 0 {
            found.push(path.iter().map(|name| Box::from(*name)).collect());
        }
        if self.next.is_empty() {
            return;
        }
        for (at, name) in names.iter().enumerate() {
            if let Some(node) = self.next.get(*name) {
                path.push(name);
                node.within(&names[at + 1..], path, found);
                path.pop();
            }
        }
    }

    fn groups_with_more(&self, names: &[&str], more: bool) -> usize {
        let Some((first, rest)) = names.split_first() else {
            let here = if more { self.groups } else { 0 };
            let below = self.next.values();
            return here
                + below
                    .map(|node| node.groups_with_more(&[], true))
                    .sum::<usize>();
        };
        // Names are sorted: behind `first` it cannot come any more.
        let until = self
            .next
            .range::<str, _>((Bound::Unbounded, Bound::Included(*first)));
        until
            .map(|(name, node)| {
                if name.as_ref() == *first {
                    node.groups_with_more(rest, more)
                } else {
                    node.groups_with_more(names, true)
                }
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(names: &[&str], value: &str) -> GroupKey {
        let labels = names.iter().map(|n| ((*n).into(), value.into())).collect();
        GroupKey::new("j", &labels)
    }

    fn within(sets: &NameSets, names: &[&str]) -> Vec<String> {
        let of_job = sets.of_job("j").expect("a job with groups");
        let found = of_job.within(names);
        found.iter().map(|set| set.join(",")).collect()
    }

    #[test]
    fn sets_within_and_beyond_names_are_found() {
        let mut sets = NameSets::default();
        for names in [&["a"][..], &["a", "z"], &["k"], &[], &["a", "k", "z"]] {
            sets.add(&key(names, "1"));
            sets.add(&key(names, "2"));
        }
        assert_eq!(within(&sets, &["job"]), ["job"]);
        assert_eq!(
            within(&sets, &["a", "b", "job", "z"]),
            ["a,job", "a,job,z", "job"]
        );
        let more = |sets: &NameSets, names: &[&str]| {
            sets.of_job("j")
                .map_or(0, |job| job.groups_with_more(names))
        };
        for (names, groups) in [
            (&["job"][..], 8),
            (&["a", "job"], 4),
            (&["job", "z"], 4),
            (&["job", "k"], 2),
            (&["a", "job", "k", "z"], 0),
            (&["job", "nothing"], 0),
        ] {
            assert_eq!(more(&sets, names), groups, "{names:?}");
        }
        sets.remove(&key(&["a", "z"], "1"));
        assert_eq!(
            within(&sets, &["a", "job", "z"]),
            ["a,job", "a,job,z", "job"]
        );
        sets.remove(&key(&["a", "z"], "2"));
        assert_eq!(within(&sets, &["a", "job", "z"]), ["a,job", "job"]);
        assert_eq!(more(&sets, &["a", "job"]), 2);
    }

    #[test]
    fn a_job_is_forgotten_with_its_last_group() {
        let mut sets = NameSets::default();
        for value in ["1", "2"] {
            sets.add(&key(&["a"], value));
            assert!(sets.of_job("j").is_some_and(JobNames::is_one));
        }
        sets.remove(&key(&["a"], "1"));
        assert!(sets.of_job("j").is_some());
        sets.remove(&key(&["a"], "2"));
        assert!(sets.of_job("j").is_none());
    }
}
