//! Threads that share the work on all groups, and what they made put together.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::lock::lock;
use crate::parallel::cores;
use crate::store::{Batch, Extras, ReadError, Reading, Rows};

use super::super::index::{Held, Index};
use super::super::later::later;
use super::part::{Loaded, Part, Task};
use super::{Derived, How, Restored};

/// Derives index and view from all that is stored.
///
/// What comes out depends on nothing but what is stored: groups are numbered in the order of
/// their keys, and of several damaged rows the first is named.
///
/// # Errors
/// If a row cannot be read, or the families in it cannot be decoded.
pub(in crate::state) fn load(reading: &Reading, how: How<'_>) -> Result<Restored, ReadError> {
    let extras = reading.extras()?;
    let mut index = how.before.map_or_else(Index::default, Index::after);
    let at_start = how.before.is_none_or(Index::is_empty);
    let task = Task {
        how,
        extras: &extras,
        loaded: at_start.then(|| index.next_push()),
        pushes: how.before.map(Index::stored_pushes).unwrap_or_default(),
    };
    let mut together = Together::over(index, how);
    let read = work_off(reading, &task, &mut together)?;
    if let Some(damage) = together.damage {
        return Err(damage);
    }
    read?;
    let Extras { pause, ended, .. } = extras;
    Ok(Restored {
        derived: together.derived,
        reset: together.reset,
        pause,
        ended,
    })
}

/// Reads all rows and has them worked on, as many at a time as there are processors. Rows
/// wait for the workers, so that few are in memory; what has been made of them does not
/// wait: it stays anyway. The inner result is that of reading.
fn work_off(
    reading: &Reading,
    task: &Task<'_>,
    together: &mut Together<'_>,
) -> Result<Result<(), ReadError>, ReadError> {
    let workers = cores();
    let (rows, waiting) = sync_channel(workers);
    let (done, made) = channel();
    // Theirs alone: when the last of them ends, by a panic even, nobody waits for them.
    let waiting = Arc::new(Mutex::new(waiting));
    thread::scope(|scope| {
        for _ in 0..workers {
            let (waiting, done) = (Arc::clone(&waiting), done.clone());
            let work = move || {
                while let Some(rows) = next(&waiting) {
                    if done.send((rows.before(), task.work(&rows))).is_err() {
                        break;
                    }
                }
            };
            let named = thread::Builder::new().name("load".to_owned());
            named.spawn_scoped(scope, work)?;
        }
        drop((waiting, done));
        let read = reading.rows(|some| {
            if rows.send(some).is_err() {
                return ControlFlow::Break(());
            }
            for made in made.try_iter() {
                together.take(made);
            }
            match together.damage {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        });
        drop(rows);
        for made in &made {
            together.take(made);
        }
        Ok(read)
    })
}

fn next(waiting: &Mutex<Receiver<Rows>>) -> Option<Rows> {
    let waiting = lock(waiting);
    waiting.recv().ok()
}

/// What has been put together so far.
struct Together<'a> {
    how: How<'a>,
    derived: Derived,
    reset: Batch,
    groups: usize,
    /// What came before its turn, by the number of groups before it.
    early: BTreeMap<usize, Result<Part, ReadError>>,
    /// The first damage met; what comes after it is of no use.
    damage: Option<ReadError>,
}

impl<'a> Together<'a> {
    fn over(index: Index, how: How<'a>) -> Self {
        Self {
            how,
            derived: Derived {
                index,
                ..Derived::default()
            },
            reset: Batch::default(),
            groups: 0,
            early: BTreeMap::new(),
            damage: None,
        }
    }

    /// Takes in what has been made of the rows behind so many groups.
    fn take(&mut self, (before, made): (usize, Result<Part, ReadError>)) {
        self.early.insert(before, made);
        while self.damage.is_none()
            && let Some(made) = self.early.remove(&self.groups)
        {
            match made {
                Ok(part) => self.append(part),
                Err(damage) => self.damage = Some(damage),
            }
        }
    }

    fn append(&mut self, part: Part) {
        self.groups += part.groups.len();
        self.reset.rows.extend(part.reset);
        let Derived { index, content } = &mut self.derived;
        let names = content.append(part.slab);
        for Loaded {
            mut group,
            families,
        } in part.groups
        {
            for (place, series) in families {
                let (name, kind) = &names[place];
                let family = index.family(name, *kind);
                group.families.push(Held { family, series });
            }
            let life = group.life();
            let (id, _) = index.put(group);
            let group = index.get(id).map(|group| (id, group));
            let later = group.and_then(|group| later(group, self.how.policy, self.how.now, None));
            content.set_life(id, life, later.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tempfile::TempDir;

    use super::*;
    use crate::clock::UnixNanos;
    use crate::model::{Family, GroupKey, Kind, Metric, Value};
    use crate::store::{FamilyFacts, Head, Packed, Place, RowWrite, Store, encode_metrics};
    use crate::ttl::TtlPolicy;
    use crate::view::{Clashes, Frame, exposition};

    fn key(group: usize) -> GroupKey {
        GroupKey::new(&format!("job-{group:04}"), &BTreeMap::new())
    }

    /// A row of a group; its help cannot be made much smaller.
    fn row(group: usize) -> RowWrite {
        let mut random = group as u64 + 1;
        let mut letter = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + u8::try_from((random >> 33) % 26).expect("a letter"))
        };
        let help: String = (0..2000).map(|_| letter()).collect();
        let family = Family {
            name: "a".into(),
            kind: Kind::Gauge,
            help: None,
            metrics: vec![Metric {
                labels: vec![].into(),
                value: Value::Number(1.0, None),
                timestamp_ms: None,
            }],
        };
        let facts = FamilyFacts {
            name: "a".to_owned(),
            kind: Kind::Gauge,
            help: Some(help),
            pushed: None,
            series: 1,
            metrics: encode_metrics(family.kind, &family.metrics),
        };
        RowWrite::Group {
            head: Head::default(),
            pushed: UnixNanos(1),
            families: Packed::pack(&[facts]),
        }
    }

    fn shown(together: &mut Together<'_>) -> String {
        let snapshot = together.derived.content.snapshot(UnixNanos(0).into());
        let frames = exposition(&snapshot, Vec::new(), &Clashes::default());
        let bytes: Vec<u8> = frames.into_iter().flat_map(Frame::into_bytes).collect();
        String::from_utf8(bytes).expect("text")
    }

    fn damage(of: usize) -> ReadError {
        ReadError::damaged(key(of), "it was damaged")
    }

    #[test]
    fn the_order_in_which_threads_finish_makes_no_difference() {
        let folder = TempDir::new().expect("a folder");
        let store = Store::open(&Place::folder(folder.path()))
            .expect("a store")
            .store;
        let batch = Batch {
            rows: (0..600).map(|group| (key(group), row(group))).collect(),
            ..Batch::default()
        };
        store.commit(&batch).expect("a commit");
        let policy = TtlPolicy::default();
        let how = How {
            policy: &policy,
            now: UnixNanos(1),
            before: None,
        };
        let mut all = Vec::new();
        let read = store.read(|reading| {
            reading.rows(|rows| {
                all.push(rows);
                ControlFlow::Continue(())
            })
        });
        read.expect("rows");
        assert!(all.len() > 3, "{} parts", all.len());
        let extras = Extras::default();
        let task = Task {
            how,
            extras: &extras,
            loaded: Some(1),
            pushes: std::collections::HashMap::new(),
        };
        let inner = all.len() / 2;
        let orders: [Vec<usize>; 3] = [
            (0..all.len()).collect(),
            (0..all.len()).rev().collect(),
            (0..all.len()).map(|at| (at + inner) % all.len()).collect(),
        ];
        let texts = orders.clone().map(|order| {
            let mut together = Together::over(Index::default(), how);
            for at in order {
                together.take((all[at].before(), task.work(&all[at])));
            }
            assert!(together.early.is_empty() && together.damage.is_none());
            for group in 0..600 {
                let id = together.derived.index.find(&key(group));
                assert_eq!(id.map(|id| id.0 as usize), Some(group));
            }
            shown(&mut together)
        });
        assert_eq!(texts[0].matches("\na{").count(), 600);
        assert!(texts.iter().all(|text| *text == texts[0]));
        // Of several that are damaged the first is named.
        for order in orders {
            let mut together = Together::over(Index::default(), how);
            for at in order {
                let made = match at {
                    0 => task.work(&all[at]),
                    at => Err(damage(all[at].before())),
                };
                together.take((all[at].before(), made));
            }
            let named = together.damage.map(|damage| damage.to_string());
            assert_eq!(named, Some(damage(all[1].before()).to_string()));
        }
    }
}
