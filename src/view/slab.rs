//! Content made in bulk: at a start, and when a form is made, all groups come in order, and by
//! several threads.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::chunk::Chunk;
use super::family::Family;
use super::{Content, GroupId};
use crate::model::Kind;

/// Families of neighbouring groups, to be put into a [`Content`] as a whole. Groups come in
/// order of their ids.
#[derive(Debug, Default)]
pub struct Slab {
    parts: Vec<Part>,
    by_name: HashMap<Arc<str>, usize>,
    /// The place behind the last one asked for: most groups hold the same families in the same
    /// order as the one before.
    next: usize,
}

/// One family of a slab.
#[derive(Debug)]
struct Part {
    name: Arc<str>,
    family: Family,
    /// The chunk that is being filled.
    open: Chunk,
}

impl Slab {
    /// The place of the family of this name among those of the slab.
    pub fn place(&mut self, name: &str) -> usize {
        let is_it = |part: &Part| *part.name == *name;
        let place = match self.parts.get(self.next) {
            Some(part) if is_it(part) => self.next,
            _ if self.parts.first().is_some_and(is_it) => 0,
            _ => self.search(name),
        };
        self.next = place + 1;
        place
    }

    fn search(&mut self, name: &str) -> usize {
        if let Some(place) = self.by_name.get(name) {
            return *place;
        }
        let (name, place): (Arc<str>, _) = (name.into(), self.parts.len());
        self.by_name.insert(Arc::clone(&name), place);
        self.parts.push(Part {
            name,
            family: Family::default(),
            open: Chunk::default(),
        });
        place
    }

    /// Puts in what a group holds of the family at `place`, behind all groups before it.
    /// `write` appends its lines and returns whether all label names are legacy ones.
    pub fn add(
        &mut self,
        place: usize,
        group: GroupId,
        kind: Kind,
        help: Option<&str>,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) {
        if let Some(Part { family, open, .. }) = self.parts.get_mut(place) {
            family.push(open, group, (kind, help), write);
        }
    }

    /// Ends the chunks that are being filled, and gives back the memory in which they were.
    /// Costs least on the thread that filled them.
    pub fn close(&mut self) {
        for Part { family, open, .. } in &mut self.parts {
            family.close(open);
            *open = Chunk::default();
        }
    }
}

impl Content {
    /// Puts a slab in, all groups of which have higher ids than those that there are; the
    /// names and types of its families, by place.
    pub fn append(&mut self, mut slab: Slab) -> Vec<(Arc<str>, Kind)> {
        slab.close();
        self.newest = Weak::new();
        let mut names = Vec::with_capacity(slab.parts.len());
        for part in slab.parts {
            let Part { name, family, .. } = part;
            let name = self.shared_name(&name);
            names.push((Arc::clone(&name), family.kind));
            let here = self.families.entry(name).or_default();
            Arc::make_mut(here).append(family);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Change, Clashes, Frame, RenderedFamily, exposition};
    use super::*;
    use crate::clock::UnixNanos;

    /// What group `id` holds of each family: name, type, help, text and whether its names are
    /// legacy ones.
    fn families(id: u32) -> Vec<RenderedFamily> {
        let every = |step: u32| id.is_multiple_of(step);
        let family = |name: &str, kind, help: Option<String>, width: usize| RenderedFamily {
            name: name.into(),
            kind,
            help: help.map(Into::into),
            text: format!("{name}{{x=\"{id:0width$}\"}} {id}\n").into(),
            legacy: !every(97),
        };
        let mut families = vec![family("a", Kind::Gauge, Some(format!("h{}", id / 300)), 90)];
        families.extend(every(3).then(|| family("b", Kind::Counter, None, 9)));
        families.extend(every(400).then(|| family("c", Kind::Untyped, Some(id.to_string()), 1)));
        families.extend((id == 999).then(|| family("d", Kind::Gauge, Some(String::new()), 1)));
        families
    }

    fn change(group: u32, removed: &[&str], set: Vec<RenderedFamily>) -> Change {
        Change {
            group: GroupId(group),
            removed: removed.iter().map(|name| Arc::from(*name)).collect(),
            set,
            life: None,
            later: None,
            gone: None,
        }
    }

    fn shown(content: &mut Content) -> String {
        let snapshot = content.snapshot(UnixNanos(0).into());
        let frames = exposition(&snapshot, Vec::new(), &Clashes::default());
        let bytes: Vec<u8> = frames.into_iter().flat_map(Frame::into_bytes).collect();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn slabs_make_what_changes_one_by_one_make() {
        let mut one_by_one = Content::default();
        for id in 0..2000 {
            one_by_one.apply(&change(id, &[], families(id)));
        }
        for len in [1, 7, 500, 2000] {
            let mut content = Content::default();
            for first in (0..2000).step_by(len) {
                let mut slab = Slab::default();
                for id in (first..2000).take(len) {
                    for family in families(id) {
                        let place = slab.place(&family.name);
                        let help = family.help.as_deref();
                        slab.add(place, GroupId(id), family.kind, help, |out| {
                            out.extend_from_slice(&family.text);
                            family.legacy
                        });
                    }
                }
                content.append(slab);
            }
            assert_eq!(shown(&mut content), shown(&mut one_by_one), "{len}");
            let foreign = |content: &Content| content.families["a"].foreign().len();
            assert_eq!(foreign(&content), foreign(&one_by_one));
            let chunks = content.families["a"].chunks.len();
            assert!((3..=8).contains(&chunks), "{len}: {chunks} chunks");
            // And it can be changed like any other: the smallest helps go.
            let mut changed = Content::default();
            for id in 0..2000 {
                let left = if id < 600 { vec![] } else { families(id) };
                changed.apply(&change(id, &[], left));
                if id < 600 {
                    content.apply(&change(id, &["a", "b", "c"], Vec::new()));
                }
            }
            assert_eq!(shown(&mut content), shown(&mut changed), "{len}");
        }
    }
}
