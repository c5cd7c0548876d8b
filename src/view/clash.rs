//! What an answer leaves out because its escaped name already means something else.
//!
//! Names are stored as they were pushed and escaped when they are shown, so that
//! `a.b` and `a_b` can be one name to a scraper: two `# TYPE` lines, or the same
//! series twice, which it may refuse as a whole. Legacy names win, since they are
//! the same under every escaping; of several others the first in byte order does.
//! With `escaping=allow-utf-8` everything is shown.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::family::Family;
use super::{GroupId, Snapshot};
use crate::format::escape::Escaping;
use crate::format::form::Form;
use crate::format::name::is_metric_name;
use crate::model::Kind;
use crate::push::check::OwnKind;

/// What is left out of one answer.
#[derive(Debug, Default)]
pub struct Clashes {
    /// Whole families.
    families: HashSet<Arc<str>>,
    /// Families without some groups, sorted: what has expired and what clashes.
    groups: HashMap<Arc<str>, Arc<[GroupId]>>,
    left_out: usize,
}

impl Clashes {
    /// What clashes in a snapshot; `own` knows the gateway's own metrics.
    pub fn of(snapshot: &Snapshot, own: OwnKind) -> Self {
        let mut clashes = Self::default();
        if !snapshot.foreign || snapshot.form.escaping == Escaping::AllowUtf8 {
            return clashes;
        }
        let mut names = Names {
            snapshot,
            own,
            shown: HashMap::new(),
        };
        for (name, family) in &snapshot.families {
            let foreign = !is_metric_name(name.as_bytes());
            if foreign && is_shown(family, &snapshot.expired) && !names.take(name, family.kind) {
                clashes.families.insert(Arc::clone(name));
                clashes.left_out += 1;
            } else if !family.foreign().is_empty() {
                clashes.look_into(name, family, snapshot);
            }
        }
        clashes
    }

    fn look_into(&mut self, name: &Arc<str>, family: &Family, snapshot: &Snapshot) {
        let expired = &snapshot.expired;
        let found = || clashing(family, snapshot.form, expired).into();
        let groups: Arc<[GroupId]> = if expired.is_empty() {
            Arc::clone(family.clashing.get_or_init(found))
        } else {
            found()
        };
        if groups.is_empty() {
            return;
        }
        self.left_out += groups.len();
        let mut all = [&groups[..], &expired[..]].concat();
        all.sort_unstable();
        self.groups.insert(Arc::clone(name), all.into());
    }

    /// How many families, and groups' parts of families, are left out.
    pub fn count(&self) -> usize {
        self.left_out
    }

    /// One of the families that are left out, or of which a part is.
    pub fn example(&self) -> Option<&str> {
        let all = self.families.iter().chain(self.groups.keys());
        all.map(AsRef::as_ref).min()
    }

    pub(super) fn hides(&self, family: &str) -> bool {
        self.families.contains(family)
    }

    /// The groups that this family is shown without; `None`: those that have expired.
    pub(super) fn groups(&self, family: &str) -> Option<&Arc<[GroupId]>> {
        self.groups.get(family)
    }
}

/// Names in one answer.
struct Names<'s> {
    snapshot: &'s Snapshot,
    own: OwnKind,
    /// Escaped names of the families that are shown, other than legacy ones.
    shown: HashMap<String, Kind>,
}

impl Names<'_> {
    /// Whether a family can be shown under its escaped name; from now on it is.
    fn take(&mut self, name: &str, kind: Kind) -> bool {
        let escaped = self.snapshot.form.escaping.metric_name(name);
        let beside = || {
            let mut suffixes = kind.suffixes().iter();
            suffixes.any(|suffix| self.kind(&format!("{escaped}{suffix}")).is_some())
        };
        let within = || {
            Kind::bases(&escaped).any(|(base, suffix)| {
                let kind = self.kind(base);
                kind.is_some_and(|kind| kind.suffixes().contains(&suffix))
            })
        };
        let free = self.kind(&escaped).is_none() && !beside() && !within();
        if free {
            self.shown.insert(escaped.into_owned(), kind);
        }
        free
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        if let Some(kind) = (self.own)(name).or_else(|| self.shown.get(name).copied()) {
            return Some(kind);
        }
        let families = &self.snapshot.families;
        let at = families
            .binary_search_by(|(known, _)| known.as_ref().cmp(name))
            .ok()?;
        let family = &families[at].1;
        let there = is_metric_name(name.as_bytes()) && is_shown(family, &self.snapshot.expired);
        there.then_some(family.kind)
    }
}

fn is_shown(family: &Family, expired: &[GroupId]) -> bool {
    let len = |chunk: &super::chunk::Chunk| match chunk.len_without(expired) {
        Some((len, _)) => len,
        None => chunk.text().len(),
    };
    family.chunks.iter().any(|chunk| len(chunk) > 0)
}

/// The groups of a family, sorted, that hold a series which another group shows too.
fn clashing(family: &Family, form: Form, expired: &[GroupId]) -> Vec<GroupId> {
    let foreign = family.foreign();
    let texts = || {
        let all = family.chunks.iter().flat_map(|chunk| chunk.texts());
        all.filter(|(group, _)| expired.binary_search(group).is_err())
    };
    let mut holders: HashMap<&[u8], Vec<GroupId>> = HashMap::new();
    for (group, text) in texts().filter(|(group, _)| foreign.contains(group)) {
        form.each_series(text, |series| {
            holders.entry(series).or_default().push(group);
        });
    }
    let mut clashing = HashSet::new();
    for (_, text) in texts().filter(|(group, _)| !foreign.contains(group)) {
        form.each_series(text, |series| {
            clashing.extend(holders.get(series).into_iter().flatten());
        });
    }
    // Among the others the first stays. One group holds no series twice: see
    // `format::escape::distinct`.
    let mut shown: HashSet<&[u8]> = HashSet::new();
    for (group, text) in texts().filter(|(group, _)| foreign.contains(group)) {
        let mut series = Vec::new();
        form.each_series(text, |one| series.push(one));
        if clashing.contains(&group) || series.iter().any(|one| shown.contains(one)) {
            clashing.insert(group);
        } else {
            shown.extend(series);
        }
    }
    let mut clashing: Vec<GroupId> = clashing.into_iter().collect();
    clashing.sort_unstable();
    clashing
}
