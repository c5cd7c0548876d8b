//! Which groups hold which family, and its type.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::Kind;
use crate::view::GroupId;

/// A family's number while any group holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::state) struct FamilyId(u32);

/// One family over all groups.
#[derive(Debug)]
pub(in crate::state) struct FamilyUse {
    pub(in crate::state) name: Arc<str>,
    /// The type that all holders agree on.
    pub(in crate::state) kind: Kind,
    /// Groups that hold it, expired ones included.
    pub(in crate::state) holders: BTreeSet<GroupId>,
}

/// All families.
#[derive(Debug, Default)]
pub(in crate::state) struct Families {
    uses: Vec<FamilyUse>,
    free: Vec<FamilyId>,
    by_name: HashMap<Arc<str>, FamilyId>,
}

impl Families {
    pub(in crate::state) fn find(&self, name: &str) -> Option<(FamilyId, &FamilyUse)> {
        let id = *self.by_name.get(name)?;
        Some((id, self.uses.get(id.0 as usize)?))
    }

    pub(in crate::state) fn get(&self, id: FamilyId) -> Option<&FamilyUse> {
        self.uses.get(id.0 as usize)
    }

    pub(in crate::state) fn name(&self, id: FamilyId) -> Option<&Arc<str>> {
        self.uses.get(id.0 as usize).map(|family| &family.name)
    }

    pub(super) fn intern(&mut self, name: &Arc<str>, kind: Kind) -> FamilyId {
        let id = self
            .by_name
            .get(name)
            .copied()
            .unwrap_or_else(|| self.add(name, kind));
        self.uses[id.0 as usize].kind = kind;
        id
    }

    pub(super) fn hold(&mut self, family: FamilyId, group: GroupId) {
        self.uses[family.0 as usize].holders.insert(group);
    }

    /// A group gives a family up; the family's name. Its number is free when nobody holds it.
    pub(super) fn release(&mut self, family: FamilyId, group: GroupId) -> Option<Arc<str>> {
        let found = self.uses.get_mut(family.0 as usize)?;
        found.holders.remove(&group);
        let name = Arc::clone(&found.name);
        if found.holders.is_empty() {
            self.by_name.remove(&name);
            self.free.push(family);
        }
        Some(name)
    }

    fn add(&mut self, name: &Arc<str>, kind: Kind) -> FamilyId {
        let family = FamilyUse {
            name: Arc::clone(name),
            kind,
            holders: BTreeSet::new(),
        };
        let id = if let Some(id) = self.free.pop() {
            self.uses[id.0 as usize] = family;
            id
        } else {
            self.uses.push(family);
            FamilyId(u32::try_from(self.uses.len() - 1).unwrap_or(u32::MAX))
        };
        self.by_name.insert(Arc::clone(name), id);
        id
    }
}
