//! Faults that a push has beside what other groups hold.
//!
//! What it costs is what the push is worth: look-ups of the pushed families, and
//! other groups' rows only where their series could be the same as a pushed one.
//! Groups that have expired clash with nothing; those that would have stood in
//! the way are named, so that the writer removes them in the same transaction
//! and no later clock or restart can bring a clash back.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::limits::NAMED_FAULTS;
use crate::model::{GroupKey, Kind, Labels, Metric, Value, all_labels};
use crate::push::refusal::{COLLECTED_BEFORE, Refusal, collected, collides};
use crate::store::{FamilyRef, Packed, ReadError, Unpacked, decode_metrics};
use crate::ttl::Horizon;
use crate::view::GroupId;

use super::index::{FamilyUse, Group, Index, JobNames, NameSet, Obstacle};
use super::prepare::{PreparedFamily, PreparedPush};
use super::request::Method;
use super::signature::Signature;
use super::staged::Staged;
use super::twin::expired_twins;

/// What the check found, if the push may be stored.
pub(super) type Cleared = Result<BTreeSet<GroupId>, Conflict>;

/// Why a push, or a family of it, may not be shown.
#[derive(Debug)]
pub(super) struct Conflict {
    pub(super) refusal: Refusal,
    /// The first thing that stands in the way.
    pub(super) obstacle: Obstacle,
}

/// Checks one push against all groups that have not expired at this horizon.
///
/// # Errors
/// If a row that must be looked at cannot be read.
pub(super) fn check(
    push: &PreparedPush,
    index: &Index,
    staged: &Staged<'_>,
    now: Horizon,
) -> Result<Cleared, ReadError> {
    let twins = match expired_twins(&push.key, index, now) {
        Ok(twins) => twins,
        Err(conflict) => return Ok(Err(*conflict)),
    };
    let checked = check_families(push, index, staged, now)?;
    Ok(checked.map(|mut in_the_way| {
        in_the_way.extend(twins);
        in_the_way
    }))
}

/// The same of its families alone: the group may have a twin.
///
/// # Errors
/// If a row that must be looked at cannot be read.
pub(super) fn check_families(
    push: &PreparedPush,
    index: &Index,
    staged: &Staged<'_>,
    now: Horizon,
) -> Result<Cleared, ReadError> {
    let mut check = Check {
        push,
        index,
        staged,
        now,
        faults: Vec::new(),
        obstacle: None,
        in_the_way: BTreeSet::new(),
        unpacked: OnceCell::new(),
    };
    for family in &push.families {
        check.kind(family)?;
        check.suffixes(family);
        if check.has_enough() {
            break;
        }
    }
    check.series()?;
    let Some(obstacle) = check.obstacle else {
        return Ok(Ok(check.in_the_way));
    };
    check.faults.truncate(NAMED_FAULTS);
    let refusal = Refusal::marked(check.faults);
    Ok(Err(Conflict { refusal, obstacle }))
}

struct Check<'a> {
    push: &'a PreparedPush,
    index: &'a Index,
    staged: &'a Staged<'a>,
    now: Horizon,
    faults: Vec<String>,
    /// What the first fault is about.
    obstacle: Option<Obstacle>,
    /// Expired groups that would clash.
    in_the_way: BTreeSet<GroupId>,
    /// The push unpacked, once something of it must be looked at.
    unpacked: OnceCell<Unpacked>,
}

/// The name sets that a push can spell out, by the labels its series have.
type Spelled<'a> = HashMap<&'a Signature, Vec<NameSet>>;

/// All labels of a series, as text for comparison.
type LabelSet = Vec<(String, String)>;

impl Check<'_> {
    /// Whether no further fault would be named. The writer does this work, and
    /// everyone waits for it.
    fn has_enough(&self) -> bool {
        self.faults.len() >= NAMED_FAULTS
    }

    /// The type must be that of every other group that holds the family.
    fn kind(&mut self, family: &PreparedFamily) -> Result<(), ReadError> {
        let rendered = &family.rendered;
        let Some((_, found)) = self.index.families.find(&rendered.name) else {
            return Ok(());
        };
        if found.kind == rendered.kind || self.give_way(found, false) {
            return Ok(());
        }
        let fault = self.fault(
            &rendered.name,
            &format!("is not a {}", found.kind.as_upper()),
        )?;
        let obstacle = Obstacle::Family(Arc::clone(&rendered.name));
        self.found(fault, obstacle);
        Ok(())
    }

    fn found(&mut self, fault: String, obstacle: Obstacle) {
        self.faults.push(fault);
        self.obstacle.get_or_insert(obstacle);
    }

    /// No `s_count` beside a summary or histogram `s`, whichever came first.
    fn suffixes(&mut self, family: &PreparedFamily) {
        let (name, kind) = (&family.rendered.name, family.rendered.kind);
        for suffix in kind.suffixes() {
            let suffixed = format!("{name}{suffix}");
            if self.holds_beside(&suffixed).is_some() {
                let fault = format!(
                    "collected histogram or summary named {} collides with previously \
                     collected metric named {}",
                    quoted(name),
                    quoted(&suffixed)
                );
                self.found(fault, Obstacle::Family(suffixed.into()));
            }
        }
        for (base, suffix) in Kind::bases(name) {
            let kind = self
                .holds_beside(base)
                .filter(|kind| kind.suffixes().contains(&suffix));
            if let Some(kind) = kind {
                self.found(collides(name, kind, base), Obstacle::Family(base.into()));
            }
        }
    }

    /// The type of a family that will be shown beside the push and is not part of it.
    fn holds_beside(&mut self, name: &str) -> Option<Kind> {
        if self.push.kind(name).is_some() {
            return None; // The push's own families were checked among themselves.
        }
        let (_, found) = self.index.families.find(name)?;
        let keeps_own = self.push.method == Method::Merge;
        (!self.give_way(found, keeps_own)).then_some(found.kind)
    }

    /// Whether no group stands in the way with this family: only the pushing one
    /// (unless it keeps the family) and expired ones, which are then to be removed.
    fn give_way(&mut self, family: &FamilyUse, keeps_own: bool) -> bool {
        let own = self.index.find(&self.push.key).filter(|_| !keeps_own);
        let others = || family.holders.iter().filter(|id| Some(**id) != own);
        if others().any(|id| !self.expired(*id)) {
            return false;
        }
        let expired: Vec<GroupId> = others().copied().collect();
        self.in_the_way.extend(expired);
        true
    }

    /// No series that another group shows as well.
    fn series(&mut self) -> Result<(), ReadError> {
        let Some(of_job) = self.index.name_sets(self.push.key.job()) else {
            return Ok(());
        };
        // Nearly every job has one name set.
        if of_job.is_one() && self.index.find(&self.push.key).is_some() {
            return Ok(());
        }
        let relevant = self.relevant(of_job);
        if relevant.is_empty() {
            return Ok(());
        }
        for (other, wanted) in self.candidates(&relevant)? {
            if self.has_enough() {
                break;
            }
            self.compare(other, &wanted)?;
        }
        Ok(())
    }

    /// The pushed families whose series can spell out the key of another group,
    /// each with the name sets of such keys.
    fn relevant(&self, of_job: &JobNames) -> Vec<(&PreparedFamily, BTreeSet<NameSet>)> {
        let own = self.push.key.labels();
        let is_own = |set: &NameSet| set.iter().map(Box::as_ref).eq(own.iter().map(|l| l.0));
        let mut spelled = Spelled::new();
        let mut relevant = Vec::new();
        for family in &self.push.families {
            let mut sets = BTreeSet::new();
            for signature in family.signatures.iter() {
                let found = spelled.entry(signature).or_insert_with(|| {
                    let mut found = of_job.within(&all_names(&own, signature));
                    found.retain(|set| !is_own(set));
                    found
                });
                sets.extend(found.iter().cloned());
            }
            if !sets.is_empty() {
                relevant.push((family, sets));
            }
        }
        relevant
    }

    /// The groups that could show a pushed series: each name set of the job,
    /// filled with the values of the series, names one group.
    fn candidates(
        &self,
        relevant: &[(&PreparedFamily, BTreeSet<NameSet>)],
    ) -> Result<BTreeMap<GroupId, BTreeMap<String, HashSet<LabelSet>>>, ReadError> {
        let mut candidates: BTreeMap<GroupId, BTreeMap<String, HashSet<LabelSet>>> =
            BTreeMap::new();
        for (family, sets) in relevant {
            let name = &family.rendered.name;
            let Some((id, _)) = self.index.families.find(name) else {
                continue;
            };
            let Some(facts) = self.pushed_family(name)? else {
                continue;
            };
            for metric in metrics(&self.push.key, facts)? {
                let labels = all_labels(&self.push.key, &metric);
                let groups = sets.iter().filter_map(|set| self.group_of(set, &labels));
                for group in groups.filter(|group| self.holds(*group, id)) {
                    let wanted = candidates.entry(group).or_default();
                    wanted
                        .entry(facts.name.to_owned())
                        .or_default()
                        .insert(owned(&labels));
                }
            }
        }
        Ok(candidates)
    }

    /// The group of this name set whose key a series' labels spell out.
    fn group_of(&self, set: &NameSet, labels: &[(&str, &str)]) -> Option<GroupId> {
        let mut key = Vec::with_capacity(set.len());
        for name in set {
            let at = labels.binary_search_by(|(label, _)| (*label).cmp(name));
            key.push(labels[at.ok()?]);
        }
        let key = GroupKey::of_sorted(self.push.key.job(), key);
        self.index.find(&key)
    }

    fn holds(&self, group: GroupId, family: super::index::FamilyId) -> bool {
        self.index
            .get(group)
            .is_some_and(|group| group.holds(family))
    }

    /// Compares label sets with those of one other group, reading its row once.
    fn compare(
        &mut self,
        other: GroupId,
        wanted: &BTreeMap<String, HashSet<LabelSet>>,
    ) -> Result<(), ReadError> {
        let Some(group) = self.index.get(other) else {
            return Ok(());
        };
        let Some(stored) = self.staged.families(&group.key)? else {
            return Ok(());
        };
        let unpacked = open(&group.key, &stored.families)?;
        for facts in families(&group.key, &unpacked)? {
            let Some(wanted) = wanted.get(facts.name) else {
                continue;
            };
            for metric in metrics(&group.key, facts)? {
                if !wanted.contains(&owned(&all_labels(&group.key, &metric))) {
                    continue;
                }
                if self.expired(other) {
                    self.in_the_way.insert(other);
                    return Ok(());
                }
                if self.has_enough() {
                    return Ok(());
                }
                let fault = collected(
                    facts.name,
                    &group.key,
                    facts.kind,
                    &metric,
                    COLLECTED_BEFORE,
                );
                self.found(fault, Obstacle::Series(other, facts.name.into()));
            }
        }
        Ok(())
    }

    fn expired(&self, id: GroupId) -> bool {
        self.index
            .get(id)
            .is_none_or(|group: &Group| group.is_expired(self.now))
    }

    /// A fault of a pushed family, with its first series in the text.
    fn fault(&self, name: &str, what: &str) -> Result<String, ReadError> {
        let empty = Metric {
            labels: Labels::new(),
            value: Value::Number(0.0, None),
            timestamp_ms: None,
        };
        let Some(facts) = self.pushed_family(name)? else {
            return Ok(collected(name, &self.push.key, Kind::Untyped, &empty, what));
        };
        let metrics = metrics(&self.push.key, facts)?;
        let first = metrics.first().unwrap_or(&empty);
        Ok(collected(name, &self.push.key, facts.kind, first, what))
    }

    /// The pushed family of this name.
    fn pushed_family(&self, name: &str) -> Result<Option<FamilyRef<'_>>, ReadError> {
        let key = &self.push.key;
        if self.unpacked.get().is_none() {
            let _ = self.unpacked.set(open(key, &self.push.packed)?);
        }
        let Some(unpacked) = self.unpacked.get() else {
            return Ok(None); // Never: it is there by now.
        };
        let families = families(key, unpacked)?;
        // They are sorted by name: see `rewrite`.
        let at = families.binary_search_by(|family| family.name.cmp(name));
        Ok(at.ok().map(|at| families[at]))
    }
}

/// The names of all labels of a series, sorted.
fn all_names<'a>(own: &[(&'a str, &'a str)], signature: &'a Signature) -> Vec<&'a str> {
    let mut names: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
    names.extend(signature.names());
    names.push("instance");
    names.sort_unstable();
    names.dedup();
    names
}

fn owned(labels: &[(&str, &str)]) -> LabelSet {
    labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn quoted(name: &str) -> String {
    crate::format::quote::quote(name.as_bytes())
}

fn open(key: &GroupKey, packed: &Packed) -> Result<Unpacked, ReadError> {
    packed
        .open()
        .map_err(|reason| ReadError::damaged(key, reason))
}

fn families<'a>(key: &GroupKey, unpacked: &'a Unpacked) -> Result<Vec<FamilyRef<'a>>, ReadError> {
    unpacked
        .families()
        .map_err(|reason| ReadError::damaged(key, reason))
}

fn metrics<'a>(key: &GroupKey, family: FamilyRef<'a>) -> Result<Vec<Metric<'a>>, ReadError> {
    decode_metrics(family.metrics).map_err(|reason| ReadError::damaged(key, reason))
}
