//! A push whose families are judged each by itself, where one of them may not be shown
//! and the others are.

use std::collections::BTreeSet;

use crate::push::refusal::Refusal;
use crate::store::ReadError;
use crate::ttl::Horizon;
use crate::view::GroupId;

use super::check::{Conflict, check_families};
use super::index::{Held, Index, Obstacle};
use super::prepare::PreparedPush;
use super::staged::Staged;

/// What came of the families of a push.
#[derive(Default)]
pub(super) struct Verdicts {
    /// In their order: each as the group holds it, or why it may not be shown.
    pub(super) verdicts: Vec<Result<Held, Conflict>>,
    /// Expired groups that would clash and are to be removed.
    pub(super) in_the_way: BTreeSet<GroupId>,
}

/// Judges the families of a push of group `id` in order of name, against all others and
/// those before it. Families that pass are put into the index at once; the group must be in
/// it, without those that the push replaces.
///
/// # Errors
/// If a row that must be looked at cannot be read.
pub(super) fn judge_each(
    push: &mut PreparedPush,
    id: GroupId,
    index: &mut Index,
    staged: &Staged<'_>,
    now: Horizon,
) -> Result<Verdicts, ReadError> {
    let singles = push.take_singles();
    let singles = singles.map_err(|reason| ReadError::damaged(&push.key, reason))?;
    let mut judged = Verdicts::default();
    for mut single in singles {
        let own_fault = single.families.first().and_then(|f| f.fault.clone());
        let checked = match own_fault {
            Some(fault) => Err(Conflict {
                refusal: Refusal::marked(vec![fault]),
                obstacle: Obstacle::Itself,
            }),
            None => check_families(&single, index, staged, now)?,
        };
        let Some(family) = single.families.pop() else {
            continue;
        };
        let verdict = checked.map(|in_the_way| {
            judged.in_the_way.extend(in_the_way);
            let rendered = &family.rendered;
            index.add_holder(&rendered.name, rendered.kind, family.series, id)
        });
        push.families.push(family);
        judged.verdicts.push(verdict);
    }
    Ok(judged)
}
