//! The help texts of a family.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chunk::HelpSlot;

/// Distinct helps, each with the number of groups that use it. Every group may have its own, so
/// none is looked for among all others.
#[derive(Debug, Clone, Default)]
pub(super) struct Helps {
    /// A slot without users is free.
    slots: Vec<HelpUse>,
    free: Vec<HelpSlot>,
    /// Where the texts in use are.
    by_text: BTreeMap<Arc<str>, HelpSlot>,
    /// Where groups without any help are.
    without: Option<HelpSlot>,
}

#[derive(Debug, Clone, Default)]
struct HelpUse {
    help: Option<Arc<str>>,
    groups: usize,
}

impl Helps {
    /// Notes that so many more groups have this help; its slot.
    pub(super) fn add(&mut self, help: Option<&str>, groups: usize) -> HelpSlot {
        let known = match help {
            Some(text) => self.by_text.get(text).copied(),
            None => self.without,
        };
        let slot = known.unwrap_or_else(|| self.begin(help));
        if let Some(used) = self.slots.get_mut(slot as usize) {
            used.groups += groups;
        }
        slot
    }

    fn begin(&mut self, help: Option<&str>) -> HelpSlot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(HelpUse::default());
            // There are fewer helps than groups.
            HelpSlot::try_from(self.slots.len() - 1).unwrap_or(HelpSlot::MAX)
        });
        let help: Option<Arc<str>> = help.map(Arc::from);
        match &help {
            Some(text) => drop(self.by_text.insert(Arc::clone(text), slot)),
            None => self.without = Some(slot),
        }
        if let Some(used) = self.slots.get_mut(slot as usize) {
            used.help = help;
        }
        slot
    }

    /// Notes that one group less has the help of this slot.
    pub(super) fn release(&mut self, slot: HelpSlot) {
        let used = self.slots.get_mut(slot as usize);
        let Some(used) = used.filter(|used| used.groups > 0) else {
            return;
        };
        used.groups -= 1;
        if used.groups == 0 {
            match used.help.take() {
                Some(text) => drop(self.by_text.remove(&text)),
                None => self.without = None,
            }
            self.free.push(slot);
        }
    }

    /// Takes in the helps of other groups; the slots that theirs have here.
    pub(super) fn join(&mut self, others: &Self) -> Vec<HelpSlot> {
        let slot = |used: &HelpUse| match used.groups {
            0 => 0, // No group names it.
            groups => self.add(used.help.as_deref(), groups),
        };
        others.slots.iter().map(slot).collect()
    }

    /// The bytewise smallest help that is not empty, so that every scrape prints the same
    /// one; an empty one if some group set that; else none.
    pub(super) fn best(&self) -> Option<&str> {
        let mut texts = self.by_text.keys().map(Arc::as_ref);
        let first = texts.next()?;
        // An empty text sorts before every other one.
        Some(if first.is_empty() {
            texts.next().unwrap_or(first)
        } else {
            first
        })
    }

    /// The same among the helps in these slots only.
    pub(super) fn best_among(&self, slots: impl Iterator<Item = HelpSlot>) -> Option<&str> {
        let used = slots.filter_map(|slot| self.slots.get(slot as usize));
        let helps = used.map(|used| used.help.as_deref());
        // An empty text sorts behind every other one, no help at all behind that.
        helps
            .min_by_key(|help| (help.is_none(), help.is_some_and(str::is_empty), *help))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slots_name_the_helps_in_use_and_the_best_is_the_smallest_that_says_something(
            steps in prop::collection::vec((0_usize..6, prop::option::of("[ab]{0,1}")), 0..60)
        ) {
            let mut helps = Helps::default();
            let mut groups: BTreeMap<usize, (Option<String>, HelpSlot)> = BTreeMap::new();
            for (group, help) in steps {
                // As a push does: the new one first, then the old one goes.
                let slot = helps.add(help.as_deref(), 1);
                if let Some((_, old)) = groups.insert(group, (help, slot)) {
                    helps.release(old);
                }
                let texts = || groups.values().filter_map(|(help, _)| help.as_deref());
                let best = texts().filter(|text| !text.is_empty()).min().or_else(|| texts().next());
                prop_assert_eq!(helps.best(), best);
                prop_assert_eq!(helps.best_among(groups.values().map(|(_, slot)| *slot)), best);
                for (help, slot) in groups.values() {
                    prop_assert_eq!(helps.best_among([*slot].into_iter()), help.as_deref());
                }
                let mut joined = Helps::default();
                joined.add(Some("z"), 1);
                let slots = joined.join(&helps);
                for (help, slot) in groups.values() {
                    let moved = slots[*slot as usize];
                    prop_assert_eq!(joined.best_among([moved].into_iter()), help.as_deref());
                }
            }
            for (_, slot) in groups.into_values() {
                helps.release(slot);
            }
            prop_assert!(helps.by_text.is_empty() && helps.without.is_none());
        }
    }
}
