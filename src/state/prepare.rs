//! All of a push that needs no look at other groups: done in the request's own
//! task, many at once, so that the one writer is left with little.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;

use crate::clock::UnixNanos;
use crate::format::form::write_metrics;
use crate::format::text_write::{self, Identity};
use crate::limits::{KEY_BYTES, LABELS_PER_SERIES, RENDERED_BYTES};
use crate::model::{Family, GroupKey, Kind};
use crate::push::check::{OwnKind, check, check_timestamps, collide, family_fault};
use crate::push::refusal::Refusal;
use crate::push::rewrite::{PUSH_TIME, rewrite};
use crate::store::{FamilyFacts, Fresh, Packed, Pusher, decode_metrics};
use crate::ttl::Ttl;
use crate::view::RenderedFamily;

use super::request::{FailedPush, Method};
use super::signature::Signatures;

/// A text below this is kept with the room that it was given, since copying it costs more.
const LARGE_TEXT: usize = 64 * 1024;

/// A push ready for the writer.
#[derive(Debug)]
pub struct PreparedPush {
    pub(super) key: GroupKey,
    pub(super) identity: Identity,
    pub(super) method: Method,
    pub(super) families: Vec<PreparedFamily>,
    /// All families as the store keeps them.
    pub(super) packed: Packed,
    /// Whether what may not be shown is hidden, and the push not refused for it.
    pub(super) hides: bool,
    /// Whether a family may not be shown whatever others hold.
    pub(super) is_faulty: bool,
    pub(super) pushed_ttl: Option<Ttl>,
    pub(super) pusher: Pusher,
    /// Bytes of text and packed families.
    pub(super) bytes: usize,
    /// Given back when the push is answered.
    pub(super) share: Option<OwnedSemaphorePermit>,
}

/// One family of a push.
#[derive(Debug)]
pub(super) struct PreparedFamily {
    pub(super) rendered: RenderedFamily,
    /// Number of sample lines.
    pub(super) series: u32,
    /// Which labels its series have beside the grouping key.
    pub(super) signatures: Signatures,
    /// What is wrong with it by itself; only where that is no reason to refuse the push.
    pub(super) fault: Option<String>,
}

/// What the writer is asked to do about a parsed push.
#[derive(Debug)]
pub enum Prepared {
    /// Nothing wrong by itself: store it.
    Push(Box<PreparedPush>),
    /// Refused by its own fault: note the failure.
    Failed(Box<FailedPush>),
}

/// A push of which nothing is stored, not even its failure.
#[derive(Debug, Error)]
pub enum Unstorable {
    /// It would break the exposition.
    #[error("{0}")]
    Refused(Refusal),
    /// Its exposition would be larger than [`RENDERED_BYTES`].
    #[error("the exposition of this push could be larger than {RENDERED_BYTES} bytes")]
    TooLarge,
    /// A series has more labels than [`LABELS_PER_SERIES`].
    #[error("a series of {0} has more than {LABELS_PER_SERIES} labels")]
    TooManyLabels(String),
    /// The grouping key is larger than an address can name.
    #[error("the grouping key is larger than {KEY_BYTES} bytes")]
    KeyTooLarge,
}

impl Prepared {
    /// The memory that it takes until it is stored, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Push(push) => push.bytes(),
            Self::Failed(_) => 0,
        }
    }

    /// Keeps a share of a bounded memory until the push is answered: it stays in
    /// the queue when its sender goes away.
    pub fn keep(&mut self, share: OwnedSemaphorePermit) {
        if let Self::Push(push) = self {
            push.keep(share);
        }
    }
}

/// Rewrites, checks, renders and packs the families of one push.
///
/// # Errors
/// If nothing of the push may reach the writer.
pub fn prepare(
    key: GroupKey,
    method: Method,
    families: Vec<Family<'_>>,
    pushed_ttl: Option<Ttl>,
    pusher: Pusher,
    own: OwnKind,
) -> Result<Prepared, Unstorable> {
    prepare_either(key, method, families, (pushed_ttl, pusher), own, false)
}

/// The same for a gateway that hides what fails its check: the push is refused only for its
/// size, and fails only for its timestamps.
///
/// # Errors
/// If the push is too large.
pub fn prepare_hiding(
    key: GroupKey,
    method: Method,
    families: Vec<Family<'_>>,
    pushed_ttl: Option<Ttl>,
    pusher: Pusher,
    own: OwnKind,
) -> Result<Prepared, Unstorable> {
    prepare_either(key, method, families, (pushed_ttl, pusher), own, true)
}

fn prepare_either(
    key: GroupKey,
    method: Method,
    mut families: Vec<Family<'_>>,
    (pushed_ttl, pusher): (Option<Ttl>, Pusher),
    own: OwnKind,
    hides: bool,
) -> Result<Prepared, Unstorable> {
    rewrite_bounded(&key, &mut families)?;
    let checked = if hides {
        check_timestamps(&families)
    } else {
        check(&families, &key, own)
    };
    if let Err(refusal) = checked {
        if !refusal.leaves_mark {
            return Err(Unstorable::Refused(refusal));
        }
        return Ok(Prepared::Failed(Box::new(FailedPush {
            key,
            pusher,
            pushed_ttl,
            refusal,
            hides,
        })));
    }
    let mut push = PreparedPush::of(key, method, &families, |_| None)?;
    (push.pushed_ttl, push.pusher) = (pushed_ttl, pusher);
    if hides {
        push.hide_faults(&families, own);
    }
    Ok(Prepared::Push(Box::new(push)))
}

/// Renders families one behind the other: one text for the whole push, of which each family
/// has its part.
fn render_all(families: &[Family<'_>], identity: &Identity, bound: usize) -> Vec<RenderedFamily> {
    let mut text = Vec::with_capacity(bound.min(LARGE_TEXT));
    let mut ends = Vec::with_capacity(families.len());
    for family in families {
        let legacy = write_metrics(&mut text, family, identity);
        ends.push((text.len(), legacy));
    }
    if text.len() > LARGE_TEXT {
        text.shrink_to_fit();
    }
    let text = Bytes::from(text);
    let starts = std::iter::once(0).chain(ends.iter().map(|(end, _)| *end));
    let parts = starts
        .zip(&ends)
        .map(|(start, (end, legacy))| (text.slice(start..*end), *legacy));
    families
        .iter()
        .zip(parts)
        .map(|(family, (text, legacy))| rendered(&family.name, family, text, legacy))
        .collect()
}

/// What the writer wants to know of a family.
fn prepare_family(family: &Family<'_>, rendered: RenderedFamily) -> PreparedFamily {
    PreparedFamily {
        series: count_lines(&rendered.text),
        rendered,
        signatures: Signatures::of(family),
        fault: None,
    }
}

/// Rewrites families that are within the limits. Those come first, since all else takes time
/// for every label.
fn rewrite_bounded(key: &GroupKey, families: &mut Vec<Family<'_>>) -> Result<(), Unstorable> {
    if key.as_bytes().len() > KEY_BYTES {
        return Err(Unstorable::KeyTooLarge);
    }
    check_labels(key, families)?;
    rewrite(families, key);
    Ok(())
}

/// Counts the labels of the grouping key and of every series together, those that
/// the key will override twice.
pub(super) fn check_labels(key: &GroupKey, families: &[Family<'_>]) -> Result<(), Unstorable> {
    let left = LABELS_PER_SERIES.checked_sub(key.names().count());
    let left = left.ok_or_else(|| Unstorable::TooManyLabels(PUSH_TIME.to_owned()))?;
    let mut series = families
        .iter()
        .flat_map(|family| family.metrics.iter().map(move |metric| (family, metric)));
    match series.find(|(_, metric)| metric.labels.len() > left) {
        Some((family, _)) => Err(Unstorable::TooManyLabels(family.name.clone().into_owned())),
        None => Ok(()),
    }
}

/// A family of one group, in the form of `identity`.
pub(super) fn render(name: &str, family: &Family<'_>, identity: &Identity) -> RenderedFamily {
    let mut text = Vec::with_capacity(family.metrics.len() * 96);
    let legacy = write_metrics(&mut text, family, identity);
    text.shrink_to_fit();
    rendered(name, family, text.into(), legacy)
}

fn rendered(name: &str, family: &Family<'_>, text: Bytes, legacy: bool) -> RenderedFamily {
    RenderedFamily {
        name: name.into(),
        kind: family.kind,
        help: family.help.as_deref().map(Arc::from),
        text,
        legacy,
    }
}

fn count_lines(text: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', text).count()).unwrap_or(u32::MAX)
}

impl PreparedPush {
    /// A push of families that were rewritten and checked. `pushed` says of families when they
    /// were pushed, if that is not now.
    ///
    /// # Errors
    /// If its exposition could be too large.
    pub(super) fn of(
        key: GroupKey,
        method: Method,
        families: &[Family<'_>],
        pushed: impl Fn(&str) -> Option<UnixNanos>,
    ) -> Result<Self, Unstorable> {
        let identity = Identity::new(&key);
        let sizes = families
            .iter()
            .map(|family| text_write::size_bound(family, &identity));
        let bound = sizes.fold(0, usize::saturating_add);
        if bound > RENDERED_BYTES {
            return Err(Unstorable::TooLarge);
        }
        let rendered = render_all(families, &identity, bound).into_iter();
        let prepared = families
            .iter()
            .zip(rendered)
            .map(|(family, rendered)| prepare_family(family, rendered));
        let prepared: Vec<PreparedFamily> = prepared.collect();
        let fresh = families.iter().zip(&prepared);
        let fresh = fresh.map(|(family, prepared)| Fresh {
            family,
            pushed: pushed(&family.name),
            series: prepared.series,
        });
        let packed = Packed::of(&fresh.collect::<Vec<_>>());
        Ok(Self::of_prepared((key, identity), method, prepared, packed))
    }

    /// Makes it one that hides what may not be shown, and notes what is wrong with each of its
    /// families by itself.
    fn hide_faults(&mut self, families: &[Family<'_>], own: OwnKind) {
        for (prepared, family) in self.families.iter_mut().zip(families) {
            prepared.fault = family_fault(family, &self.key, own);
        }
        let mut prepared = self.families.iter();
        self.is_faulty = prepared.any(|family| family.fault.is_some()) || collide(families);
        self.hides = true;
    }

    /// Takes its families out, as one push each that leaves the others of their group alone.
    ///
    /// # Errors
    /// Says what is wrong with what was packed.
    pub(super) fn take_singles(&mut self) -> Result<Vec<Self>, &'static str> {
        let families = std::mem::take(&mut self.families);
        let facts = self.packed.unpack()?;
        let single = |(family, facts)| {
            let key = (self.key.clone(), self.identity.clone());
            Self::of_prepared(key, Method::Merge, vec![family], Packed::pack(&[facts]))
        };
        Ok(families.into_iter().zip(facts).map(single).collect())
    }

    /// A stored family as such a push.
    ///
    /// # Errors
    /// Says what is wrong with what was stored.
    pub(super) fn single(
        key: &GroupKey,
        identity: &Identity,
        facts: FamilyFacts,
    ) -> Result<Self, &'static str> {
        let metrics = decode_metrics(&facts.metrics)?;
        let family = Family {
            name: facts.name.as_str().into(),
            kind: facts.kind,
            help: facts.help.as_deref().map(Into::into),
            metrics,
        };
        let rendered = render(&family.name, &family, identity);
        let families = vec![prepare_family(&family, rendered)];
        let key = (key.clone(), identity.clone());
        let packed = Packed::pack(&[facts]);
        Ok(Self::of_prepared(key, Method::Merge, families, packed))
    }

    /// A push of families that were prepared, by nobody in particular.
    fn of_prepared(
        (key, identity): (GroupKey, Identity),
        method: Method,
        families: Vec<PreparedFamily>,
        packed: Packed,
    ) -> Self {
        let text = families.iter().map(|family| family.rendered.text.len());
        Self {
            key,
            identity,
            method,
            bytes: packed.len() + text.sum::<usize>(),
            families,
            packed,
            hides: false,
            is_faulty: false,
            pushed_ttl: None,
            pusher: Pusher::default(),
            share: None,
        }
    }

    /// See [`Prepared::bytes`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// See [`Prepared::keep`].
    pub fn keep(&mut self, share: OwnedSemaphorePermit) {
        self.share = Some(share);
    }

    /// Number of sample lines.
    pub(super) fn series(&self) -> u64 {
        let families = self.families.iter();
        families.map(|family| u64::from(family.series)).sum()
    }

    /// Whether a family of this name is pushed.
    pub(super) fn has(&self, name: &str) -> bool {
        // Families are sorted by name: see `rewrite`.
        self.families
            .binary_search_by(|family| family.rendered.name.as_ref().cmp(name))
            .is_ok()
    }

    /// The type of the pushed family of this name.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        let families = &self.families;
        let at = families
            .binary_search_by(|family| family.rendered.name.as_ref().cmp(name))
            .ok()?;
        Some(families[at].rendered.kind)
    }
}
