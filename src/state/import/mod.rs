//! What the Pushgateway held, taken over into a store that holds nothing yet.
//!
//! The Pushgateway can hold what no exposition can show: two groups with the same series,
//! families of two types, labels that are not UTF-8. Of groups that exclude each other
//! the one that was pushed last wins, since its data is alive (of two pushed at once the
//! one whose key sorts first); what stands in its way is left out and named.

mod found;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::clock::{Clock, UnixNanos};
use crate::format::gob::Dump;
use crate::format::name::NameRule;
use crate::format::quote::quote;
use crate::model::{Family, GroupKey};
use crate::push::check::{collide, family_fault};
use crate::push::rewrite::rewrite;
use crate::store::{Batch, FamilyFacts, Packed, ReadError, Stored};
use crate::telemetry::{own_help, own_kind};
use crate::ttl::{Schedule, Ttl, TtlSource};

use super::check::check;
use super::index::{Group, Held, HiddenFamilies, Index};
use super::one_by_one::judge_each;
use super::prepare::{PreparedPush, check_labels};
use super::request::Method;
use super::staged::Staged;
use super::twin::expired_twins;
use found::{Found, Unusable, key_of, parse, shown};

/// What an import makes of a persistence file.
#[derive(Debug, Default)]
pub struct Import {
    /// The groups, to be committed in one transaction.
    pub(super) batch: Batch,
    /// Number of groups taken over.
    pub groups: usize,
    /// Number of their families, those that the gateway keeps itself aside.
    pub families: usize,
    /// Number of their sample lines.
    pub series: u64,
    /// What is not taken over.
    pub left_out: Vec<LeftOut>,
}

/// A group, or one family of it, that cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The group's labels.
    pub group: String,
    /// The family; `None`: the whole group.
    pub family: Option<String>,
    /// Why.
    pub why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.family {
            Some(family) => write!(f, "family {family} of group {}: {}", self.group, self.why),
            None => write!(f, "group {}: {}", self.group, self.why),
        }
    }
}

/// Why a file cannot be imported.
#[derive(Debug, Error)]
#[error(
    "cannot import the persistence file {path}: {reason}; nothing was stored: \
     repair the file, or move it away to start without its groups"
)]
pub struct ImportError {
    /// The file.
    path: PathBuf,
    /// What is wrong with it. Part of the message, so no source of it.
    reason: String,
}

impl Import {
    /// Reads the Pushgateway's persistence file at `path` and works out what can be taken
    /// over; the file is only read. `None` if there is no file, or an empty one. `names` says
    /// which names the labels of groups may have.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a whole file of the Pushgateway.
    pub fn read(path: &Path, names: NameRule, clock: &Clock) -> Result<Option<Self>, ImportError> {
        let failed = |reason: String| ImportError {
            path: path.to_owned(),
            reason,
        };
        let file = read_file(path).map_err(failed)?;
        if file.is_empty() {
            return Ok(None);
        }
        let dump = Dump::read(&file).map_err(|error| {
            failed(format!(
                "it is not a whole persistence file of the Pushgateway: {error}"
            ))
        })?;
        let mut importer = Importer::new(names, clock);
        importer.take_all(&dump).map_err(failed)?;
        let Importer {
            staged, mut import, ..
        } = importer;
        import.batch = staged.into_batch();
        Ok(Some(import))
    }

    /// Says what was taken over, and names all that was not.
    pub(super) fn log(&self, path: &Path) {
        tracing::info!(
            path = %path.display(),
            groups = self.groups,
            families = self.families,
            series = self.series,
            left_out = self.left_out.len(),
            "imported the persistence file of the Pushgateway"
        );
        for left in &self.left_out {
            tracing::warn!("not imported: {left}");
        }
    }
}

/// The bytes of a file, none if there is none.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    // Asked before it is opened: a pipe would wait for a writer for ever.
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::read(path).map_err(|error| error.to_string()),
        Ok(_) => Err("it is not a regular file".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}

/// Takes groups over one by one.
struct Importer {
    index: Index,
    staged: Staged<'static>,
    names: NameRule,
    /// Starts TTL clocks.
    ttl: UnixNanos,
    wall: UnixNanos,
    import: Import,
}

impl Importer {
    fn new(names: NameRule, clock: &Clock) -> Self {
        Self {
            index: Index::default(),
            staged: Staged::over_nothing(),
            names,
            ttl: clock.ttl_now(),
            wall: clock.wall(),
            import: Import::default(),
        }
    }

    fn take_all(&mut self, dump: &Dump<'_>) -> Result<(), String> {
        let mut found = Vec::new();
        for group in dump.groups() {
            match key_of(&group, self.names) {
                Ok(key) => found.push(Found::new(key, group)?),
                Err(why) => self.leave_out(shown(&group), None, why),
            }
        }
        found.sort_by(|a, b| (Reverse(a.pushed), &a.key).cmp(&(Reverse(b.pushed), &b.key)));
        for group in found {
            self.take(&group)?;
        }
        self.import.left_out.sort_by(|a, b| {
            let place = |left: &LeftOut| (left.group.clone(), left.family.clone());
            place(a).cmp(&place(b))
        });
        Ok(())
    }

    fn leave_out(&mut self, group: String, family: Option<&str>, why: impl Into<String>) {
        self.import.left_out.push(LeftOut {
            group,
            family: family.map(|name| quote(name.as_bytes())),
            why: why.into(),
        });
    }

    /// Takes one group over, as far as that is possible.
    fn take(&mut self, found: &Found<'_>) -> Result<(), String> {
        let group = found.key.to_string();
        if self.index.find(&found.key).is_some() {
            self.leave_out(group, None, "another group has the same labels");
            return Ok(());
        }
        if expired_twins(&found.key, &self.index, self.ttl.into()).is_err() {
            let why = "it would show the same push_time_seconds as a group that was pushed \
                 later: one with an empty label instance where this has none, or the other \
                 way round, or with label names that are printed alike";
            self.leave_out(group, None, why);
            return Ok(());
        }
        let (families, pushed) = self.sound_families(found)?;
        let time = |name: &str| pushed.get(name).copied();
        let tangled = collide(&families);
        let push = match PreparedPush::of(found.key.clone(), Method::Merge, &families, time) {
            Ok(push) => push,
            Err(limit) => {
                self.leave_out(group, None, limit.to_string());
                return Ok(());
            }
        };
        drop(families);
        self.store(found, push, tangled)
            .map_err(|error| error.to_string())
    }

    /// The families that have no fault by themselves, and when each was pushed.
    fn sound_families<'a>(
        &mut self,
        found: &Found<'a>,
    ) -> Result<(Vec<Family<'a>>, HashMap<String, UnixNanos>), String> {
        let key = &found.key;
        let mut sound: BTreeMap<String, (Family<'a>, UnixNanos)> = BTreeMap::new();
        for of_file in found.group.families() {
            let mut family = match parse(of_file.message) {
                Ok(family) => family,
                Err(Unusable::Damaged(reason)) => return Err(reason),
                Err(Unusable::Family(why)) => {
                    let name = String::from_utf8_lossy(of_file.name);
                    self.leave_out(key.to_string(), Some(&name), why);
                    continue;
                }
            };
            let name = family.name.clone().into_owned();
            if let Some(help) = own_help(&name) {
                family.help = Some(help.into());
            }
            let mut one = vec![family];
            let fault = fault_of(key, &mut one);
            let Some(family) = one.pop() else {
                continue; // One of the two that the gateway keeps itself.
            };
            let fault = fault.or_else(|| {
                let again = sound.contains_key(&name);
                again.then(|| "the file holds it twice in this group".to_owned())
            });
            match fault {
                Some(fault) => self.leave_out(key.to_string(), Some(&name), fault),
                None => drop(sound.insert(name, (family, of_file.pushed))),
            }
        }
        let pushed = sound.iter().map(|(name, (_, at))| (name.clone(), *at));
        let pushed = pushed.collect();
        Ok((
            sound.into_values().map(|(family, _)| family).collect(),
            pushed,
        ))
    }

    /// Stages a group, without the families that groups before it exclude.
    fn store(
        &mut self,
        found: &Found<'_>,
        mut push: PreparedPush,
        tangled: bool,
    ) -> Result<(), ReadError> {
        let clear = !tangled && check(&push, &self.index, &self.staged, self.ttl.into())?.is_ok();
        let mut group = Group {
            key: found.key.clone(),
            head: found.head(self.ttl, self.wall),
            pinned: None,
            // Nothing expires while it is imported.
            schedule: Schedule {
                ttl: Ttl::Never,
                source: TtlSource::Default,
                deadline: None,
                hold: None,
            },
            pushed: 0,
            families: Vec::new(),
            hidden: HiddenFamilies::new(),
        };
        let (id, _) = self.index.put(group.clone());
        let mut packed = push.packed.clone();
        if clear {
            for family in &push.families {
                let (name, kind) = (&family.rendered.name, family.rendered.kind);
                let held = self.index.add_holder(name, kind, family.series, id);
                group.families.push(held);
            }
        } else {
            let judged = judge_each(
                &mut push,
                id,
                &mut self.index,
                &self.staged,
                self.ttl.into(),
            )?;
            let mut kept: Vec<Box<str>> = Vec::new();
            for (family, verdict) in push.families.iter().zip(judged.verdicts) {
                let name = &family.rendered.name;
                match verdict {
                    Ok(held) => {
                        group.families.push(held);
                        kept.push(name.as_ref().into());
                    }
                    Err(conflict) => {
                        let why = conflict.refusal.reason();
                        self.leave_out(found.key.to_string(), Some(name), why);
                    }
                }
            }
            packed =
                only(&packed, &kept).map_err(|reason| ReadError::damaged(&found.key, reason))?;
        }
        self.stage(group, packed);
        Ok(())
    }

    fn stage(&mut self, mut group: Group, families: Packed) {
        let series = |held: &Held| u64::from(held.series);
        group.head.series = group.families.iter().map(series).sum();
        group.head.families = u32::try_from(group.families.len()).unwrap_or(u32::MAX);
        self.import.groups += 1;
        self.import.families += group.families.len();
        self.import.series += group.head.series;
        let pushed = group.head.last_push;
        let stored = Stored { pushed, families };
        self.staged
            .write(group.key.clone(), group.head.clone(), stored);
        self.index.put(group);
    }
}

/// Of packed families those of these names, which are in their order.
fn only(packed: &Packed, names: &[Box<str>]) -> Result<Packed, &'static str> {
    let kept = |family: &FamilyFacts| {
        names
            .binary_search_by(|name| name.as_ref().cmp(&family.name))
            .is_ok()
    };
    let families: Vec<FamilyFacts> = packed.unpack()?.into_iter().filter(kept).collect();
    Ok(Packed::pack(&families))
}

/// The fault that a family has by itself; it is rewritten, and gone if it is one of the
/// two that the gateway keeps.
fn fault_of(key: &GroupKey, family: &mut Vec<Family<'_>>) -> Option<String> {
    if let Err(limit) = check_labels(key, family) {
        return Some(limit.to_string());
    }
    rewrite(family, key);
    let family = family.first()?;
    let timed = |metric: &crate::model::Metric<'_>| metric.timestamp_ms.is_some();
    if family.metrics.iter().any(timed) {
        return Some("pushed metrics must not have timestamps".to_owned());
    }
    family_fault(family, key, own_kind)
}
