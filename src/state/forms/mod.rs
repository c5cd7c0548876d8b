//! The exposition in forms other than the view's text: protobuf, and other
//! escapings of names where there are names to escape.
//!
//! Made from the facts in the store when somebody asks, and kept beside the view
//! until nobody has asked for a while. The first scrape reads all groups, later
//! ones those that have changed. What is read is the store as of one commit, and
//! the groups that have changed are those of the view at the same commit: the
//! writer opens the one, the apply thread hands it over when the other has come as
//! far. So such a scrape shows whole pushes, and all that was answered before it
//! began. While nobody asks nothing is kept, and pushes do nothing for it.

mod piece;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::clock::UnixNanos;
use crate::format::form::Form;
use crate::limits::{FORM_IDLE, FORMS};
use crate::parallel::in_order;
use crate::store::ReadError;
use crate::view::{Change, Changed, Content, GroupId, RenderedFamily, Shows, Snapshot};

use super::handle::State;
use super::request::Look;
use piece::{Piece, Source};

/// Contents of other forms than the view's. Locked while one is brought up to date:
/// scrapes that come meanwhile wait, and find it done.
#[derive(Debug, Default)]
pub(super) struct Forms(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    contents: Vec<Encoded>,
    /// Whether somebody looks out for contents that nobody uses any more.
    swept: bool,
}

/// The whole exposition in one form.
#[derive(Debug)]
struct Encoded {
    form: Form,
    content: Content,
    /// The families in which each group is.
    held: HashMap<GroupId, Names>,
    /// The last of these lists: that of the next group is nearly always the same.
    names: Names,
    /// TTL time.
    used: UnixNanos,
}

/// Names of families.
type Names = Arc<[Arc<str>]>;

/// A group and what there is to show of it.
type Changing = (GroupId, Option<Shows>);

/// Groups encoded by one thread at a time: of a usual family they fill a chunk.
const AT_ONCE: usize = 512;

/// The same for groups that have changed: fewer are not worth a thread.
const FEW: usize = 32;

impl State {
    /// Everything that has not expired, in this form. `None` while the store cannot be
    /// read; the view's own text can be had then.
    pub async fn snapshot_in(self: &Arc<Self>, form: Form) -> Option<Arc<Snapshot>> {
        let state = Arc::clone(self);
        let mut kept = Arc::clone(&state.forms.0).lock_owned().await;
        // A task of its own: changes that were handed over must be applied, whether or
        // not the scraper is still there.
        let work = tokio::spawn(async move {
            if !kept.contents.iter().any(|kept| kept.form == form) {
                state.view().forget(form); // Then all groups are changed ones.
            }
            let look = state.look(form).await?;
            if !std::mem::replace(&mut kept.swept, true) {
                tokio::spawn(sweep(Arc::downgrade(&state)));
            }
            let work = move || state.snapshot_of(kept, form, look);
            tokio::task::spawn_blocking(work).await.ok().flatten()
        });
        work.await.ok().flatten()
    }

    fn snapshot_of(
        &self,
        mut kept: OwnedMutexGuard<Kept>,
        form: Form,
        look: Look,
    ) -> Option<Arc<Snapshot>> {
        let old = kept.contents.iter().position(|kept| kept.form == form);
        let old = old.map(|at| kept.contents.swap_remove(at));
        let source = Source {
            form,
            reading: &look.reading,
            exposed: self.exposes().then(|| self.clock().now()),
        };
        let encoded = match (old, look.changed) {
            (Some(old), Changed::Some(changed)) => old.update(&changed, &source),
            // The old content goes first: both beside each other would be twice the memory.
            (old, Changed::All(all) | Changed::Some(all)) => {
                drop(old);
                Encoded::of_all(all, &source)
            }
        };
        let mut encoded = match encoded {
            Ok(encoded) => encoded,
            Err(error) => {
                tracing::warn!(%error, "the exposition could not be encoded; it is sent as text");
                self.view().forget(form);
                return None;
            }
        };
        encoded.used = self.expiry().now();
        let snapshot = encoded.content.snapshot(self.expiry().horizon());
        kept.contents.push(encoded);
        if kept.contents.len() > FORMS {
            let oldest = kept.contents.iter().enumerate();
            if let Some((at, _)) = oldest.min_by_key(|(_, kept)| kept.used) {
                self.view().forget(kept.contents.remove(at).form);
            }
        }
        Some(snapshot)
    }
}

/// Drops what nobody has used for a while, until there is nothing left.
async fn sweep(state: Weak<State>) {
    while let Some(state) = state.upgrade() {
        let clock = state.clock().clone();
        let mut kept = Arc::clone(&state.forms.0).lock_owned().await;
        let now = clock.ttl_now();
        kept.contents.retain(|encoded| {
            let used = now.since(encoded.used) < FORM_IDLE;
            if !used {
                state.view().forget(encoded.form);
            }
            used
        });
        let Some(longest_ago) = kept.contents.iter().map(|encoded| encoded.used).min() else {
            kept.swept = false;
            return;
        };
        drop((kept, state));
        clock.sleep_until(longest_ago.plus(FORM_IDLE)).await;
    }
}

impl Encoded {
    fn new(form: Form) -> Self {
        Self {
            form,
            content: Content::new(form),
            held: HashMap::new(),
            names: Names::default(),
            used: UnixNanos::default(),
        }
    }

    /// Encodes all groups, on all cores: each thread some groups whose ids follow each
    /// other, so that their chunks only have to be put behind each other.
    fn of_all(mut all: Vec<Changing>, source: &Source<'_>) -> Result<Self, ReadError> {
        all.sort_unstable_by_key(|(group, _)| *group);
        let mut encoded = Self::new(source.form);
        encoded.held.reserve(all.len());
        let pieces = 0..all.len().div_ceil(AT_ONCE);
        let mut all = all.into_iter();
        let pieces = pieces.map(|_| all.by_ref().take(AT_ONCE).collect());
        let mut fault = None;
        in_order(
            pieces,
            |some| Piece::encode(some, source),
            |piece| match piece {
                Ok(piece) => {
                    encoded.append(piece);
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    fault = Some(error);
                    ControlFlow::Break(())
                }
            },
        );
        fault.map_or(Ok(encoded), Err)
    }

    /// Puts groups behind all others.
    fn append(&mut self, piece: Piece) {
        let names = self.content.append(piece.slab);
        let mut groups = piece.groups.into_iter();
        for run in piece.runs {
            let places = run.places.iter();
            let of_run = places.map(|place| Arc::clone(&names[*place].0));
            let of_run = self.shared(of_run.collect());
            for (group, shows) in groups.by_ref().take(run.groups) {
                self.held.insert(group, Arc::clone(&of_run));
                match shows {
                    Some(Shows::Group(life)) => self.content.set_life(group, life, None),
                    shows => self.content.apply(&change(group, shows.as_ref())),
                }
            }
        }
    }

    /// The list as it is kept already, if it is.
    fn shared(&mut self, names: Names) -> Names {
        if self.names != names {
            self.names = names;
        }
        Arc::clone(&self.names)
    }

    /// Encodes these groups anew.
    fn update(mut self, changed: &[Changing], source: &Source<'_>) -> Result<Self, ReadError> {
        let mut fault = None;
        let work = |some: &[Changing]| -> Result<Vec<_>, ReadError> {
            let groups = some.iter();
            groups
                .map(|(_, shows)| source.encode(shows.as_ref()))
                .collect()
        };
        let mut groups = changed.iter();
        in_order(changed.chunks(FEW), work, |done| match done {
            Ok(sets) => {
                for set in sets {
                    if let Some((group, shows)) = groups.next() {
                        self.set(*group, shows.as_ref(), set);
                    }
                }
                ControlFlow::Continue(())
            }
            Err(error) => {
                fault = Some(error);
                ControlFlow::Break(())
            }
        });
        fault.map_or(Ok(self), Err)
    }

    /// What a group shows from now on.
    fn set(&mut self, group: GroupId, shows: Option<&Shows>, mut set: Vec<RenderedFamily>) {
        for family in &mut set {
            family.name = self.content.shared_name(&family.name);
        }
        let names = set.iter().map(|family| Arc::clone(&family.name)).collect();
        let old = match shows {
            Some(_) => {
                let names = self.shared(names);
                self.held.insert(group, names)
            }
            None => self.held.remove(&group),
        };
        let kept: HashSet<&str> = set.iter().map(|family| family.name.as_ref()).collect();
        let old = old.iter().flat_map(|names| names.iter());
        let removed = old.filter(|name| !kept.contains(name.as_ref())).cloned();
        self.content.apply(&Change {
            removed: removed.collect(),
            set,
            ..change(group, shows)
        });
    }
}

/// A change of a group that says who it is and nothing of its families.
fn change(group: GroupId, shows: Option<&Shows>) -> Change {
    let (life, gone) = match shows {
        Some(Shows::Group(life)) => (Some(life.clone()), None),
        Some(Shows::Gone(gone)) => (None, Some(gone.clone())),
        None => (None, None),
    };
    Change {
        group,
        removed: Vec::new(),
        set: Vec::new(),
        life,
        later: None,
        gone,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use tempfile::TempDir;
    use tokio::runtime::Runtime;

    use super::*;
    use crate::clock::Clock;
    use crate::format::escape::Escaping;
    use crate::format::form::Encoding;

    use crate::format::name::NameRule;
    use crate::format::text_read;
    use crate::model::GroupKey;
    use crate::state::{Method, Prepared, StateSettings, prepare};
    use crate::store::{Place, Pusher};
    use crate::telemetry::{Telemetry, own_kind};

    use crate::view::{Clashes, Frame, exposition};

    fn form(escaping: Escaping) -> Form {
        Form {
            encoding: Encoding::Protobuf,
            escaping,
        }
    }

    fn pushed(job: &str, body: &str) -> Prepared {
        let families =
            text_read::parse(body.as_bytes(), NameRule::Legacy).expect("a body that parses");
        let key = GroupKey::new(job, &BTreeMap::new());
        let pusher = Pusher::default();
        let push = prepare(key, Method::Replace, families, None, pusher, own_kind);
        push.expect("a push that can be stored")
    }

    async fn push(state: &State, job: &str) {
        let stored = state.store(pushed(job, "m 1\n")).await;
        stored.expect("stored");
    }

    /// The escapings of the forms that are kept, and the groups noted for them.
    async fn kept(state: &State) -> Vec<(Escaping, usize)> {
        let forms = Arc::clone(&state.forms.0).lock_owned().await;
        let kept = forms.contents.iter().map(|kept| kept.form.escaping);
        let mut kept: Vec<_> = kept
            .map(|escaping| (escaping, state.view().noted(form(escaping)).unwrap_or(99)))
            .collect();
        kept.sort_unstable();
        kept
    }

    /// What is kept once the sweep has had the time to drop the rest.
    async fn left(state: &State, expected: &[(Escaping, usize)]) {
        for _ in 0..10_000 {
            if kept(state).await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(kept(state).await, expected);
    }

    fn start(folder: &TempDir, runtime: &Runtime, clock: Clock) -> Arc<State> {
        let settings = StateSettings::new(Place::folder(folder.path()), clock);
        let _in_runtime = runtime.enter();
        let started = State::start(settings, Arc::new(Telemetry::new()));
        started.expect("a state").0
    }

    /// What is scraped, and which families are noted for each group.
    fn shown(mut encoded: Encoded) -> (Vec<u8>, BTreeMap<GroupId, Vec<String>>) {
        let snapshot = encoded.content.snapshot(UnixNanos(0).into());
        let frames = exposition(&snapshot, Vec::new(), &Clashes::default());
        let bytes = frames.into_iter().flat_map(Frame::into_bytes).collect();
        let noted = encoded.held.into_iter().map(|(group, names)| {
            let mut names: Vec<_> = names.iter().map(ToString::to_string).collect();
            names.sort_unstable();
            (group, names)
        });
        (bytes, noted.collect())
    }

    #[test]
    fn all_groups_together_make_what_they_make_one_by_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Runtime::new().expect("a runtime");
        let state = start(&folder, &runtime, Clock::manual(UnixNanos(1 << 60)).0);
        let groups = 2 * AT_ONCE + 100;
        let pushes = (0..groups).map(|group| {
            let mut body = format!("m {group}\n");
            if group % 3 == 0 {
                body += "# HELP b some\n# TYPE b counter\nb{l=\"1\"} 1\nb{l=\"2\"} 2\n";
            }
            if group / 100 == 5 {
                body += "c 3\n";
            }
            match pushed(&format!("job-{group:05}"), &body) {
                Prepared::Push(push) => *push,
                Prepared::Failed(failed) => panic!("{}", failed.refusal()),
            }
        });
        let look = runtime.block_on(async {
            state.store_all(pushes.collect()).await.expect("stored");
            // Its number stays free.
            let key = GroupKey::new("job-00007", &BTreeMap::new());
            state.delete(key, String::new()).await.expect("deleted");
            state.look(form(Escaping::default())).await.expect("a look")
        });
        let Changed::All(all) = look.changed else {
            panic!("{:?}", look.changed);
        };
        assert_eq!(all.len(), groups - 1);
        let source = Source {
            form: form(Escaping::default()),
            reading: &look.reading,
            exposed: None,
        };
        let one_by_one = Encoded::new(source.form).update(&all, &source);
        let together = Encoded::of_all(all, &source);
        let (together, one_by_one) = (together.expect("rows"), one_by_one.expect("rows"));
        assert_eq!(shown(together), shown(one_by_one));
        drop(look.reading);
        state.close();
    }

    #[test]
    fn forms_are_kept_while_they_are_used_and_not_more_than_two() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Runtime::new().expect("a runtime");
        let (clock, hands) = Clock::manual(UnixNanos(1_800_000_000_000_000_000));
        let state = start(&folder, &runtime, clock);
        let use_form = async |escaping| {
            let snapshot = state.snapshot_in(form(escaping)).await;
            assert_eq!(snapshot.expect("a snapshot").form(), form(escaping));
            hands.advance(Duration::from_secs(1));
        };
        runtime.block_on(async {
            push(&state, "a").await;
            assert_eq!(state.view().noted(form(Escaping::Dots)), None);
            use_form(Escaping::Dots).await;
            push(&state, "b").await;
            push(&state, "b").await;
            assert_eq!(kept(&state).await, [(Escaping::Dots, 1)]);
            use_form(Escaping::Values).await;
            use_form(Escaping::Dots).await;
            use_form(Escaping::AllowUtf8).await;
            let both = [(Escaping::AllowUtf8, 0), (Escaping::Dots, 0)];
            assert_eq!(
                kept(&state).await,
                both,
                "the one not used for longest went"
            );
            assert_eq!(state.view().noted(form(Escaping::Values)), None);
            hands.advance(FORM_IDLE);
            left(&state, &[]).await;
            assert_eq!(state.view().noted(form(Escaping::Dots)), None);
            use_form(Escaping::Dots).await;
            assert_eq!(kept(&state).await, [(Escaping::Dots, 0)]);
        });
        state.close();
    }

    #[test]
    fn a_form_is_dropped_when_it_was_not_used_for_so_long_and_not_a_round_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Runtime::new().expect("a runtime");
        let (clock, hands) = Clock::manual(UnixNanos(1_800_000_000_000_000_000));
        let state = start(&folder, &runtime, clock);
        let half = FORM_IDLE / 2;
        let use_form = async |escaping| {
            let snapshot = state.snapshot_in(form(escaping)).await;
            snapshot.expect("a snapshot");
        };
        runtime.block_on(async {
            push(&state, "a").await;
            use_form(Escaping::Dots).await;
            use_form(Escaping::Values).await;
            left(&state, &[(Escaping::Dots, 0), (Escaping::Values, 0)]).await;
            hands.advance(half);
            use_form(Escaping::Values).await;
            hands.advance(half);
            left(&state, &[(Escaping::Values, 0)]).await;
            hands.advance(half.saturating_sub(Duration::from_nanos(1)));
            left(&state, &[(Escaping::Values, 0)]).await;
            hands.advance(Duration::from_nanos(1));
            left(&state, &[]).await;
        });
        state.close();
    }
}
