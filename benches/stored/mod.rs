//! Stores and states filled with usual groups.
#![allow(dead_code, reason = "each bench uses its own part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;
use tidegate::clock::{Clock, UnixNanos};
use tidegate::format::name::NameRule;
use tidegate::format::text_read;
use tidegate::model::GroupKey;
use tidegate::state::{Method, Prepared, State, StateSettings, prepare};
use tidegate::store::{FamilyFacts, Head, Packed, Place, Pusher, RowWrite, Store, encode_metrics};
use tidegate::telemetry::{Telemetry, own_kind};

#[path = "../bodies/mod.rs"]
mod bodies;

/// A store in a folder of its own.
pub(crate) struct Disk {
    pub(crate) store: Store,
    _folder: TempDir,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let opened = Store::open(&Place::folder(folder.path())).expect("a store");
        Self {
            store: opened.store,
            _folder: folder,
        }
    }
}

/// Rows of so many groups, 20 series each.
pub(crate) fn rows(groups: usize) -> Vec<(GroupKey, RowWrite)> {
    let body = bodies::mix();
    let families: Vec<_> = text_read::parse(body.as_bytes(), NameRule::Legacy)
        .expect("a body that parses")
        .into_iter()
        .map(|family| FamilyFacts {
            name: family.name.to_string(),
            kind: family.kind,
            help: family.help.as_deref().map(str::to_owned),
            pushed: None,
            series: 20,
            metrics: encode_metrics(family.kind, &family.metrics),
        })
        .collect();
    let pushed = UnixNanos(1_795_308_991_679_737_914);
    let families = Packed::pack(&families);
    let write = RowWrite::Group {
        head: Head {
            created: pushed,
            last_push: pushed,
            clock_start: pushed,
            ..Head::default()
        },
        pushed,
        families,
    };
    (0..groups)
        .map(|group| (key(group), write.clone()))
        .collect()
}

/// The body of a usual push.
pub(crate) fn body() -> String {
    bodies::mix()
}

pub(crate) fn key(group: usize) -> GroupKey {
    let labels = BTreeMap::from([("instance".to_owned(), format!("host-{group:06}"))]);
    GroupKey::new("batch", &labels)
}

/// A push of 20 series, as it comes from a request's task.
pub(crate) fn push(group: usize, method: Method) -> Prepared {
    let body = bodies::mix();
    let families = text_read::parse(body.as_bytes(), NameRule::Legacy).expect("a body that parses");
    prepare(
        key(group),
        method,
        families,
        None,
        Pusher::default(),
        own_kind,
    )
    .expect("a push that can be stored")
}

/// A POST of one of the five families of a usual push.
pub(crate) fn post_of_one_family(group: usize) -> Prepared {
    let body = "# TYPE job_duration_seconds gauge\njob_duration_seconds 3.25\n";
    let families = text_read::parse(body.as_bytes(), NameRule::Legacy).expect("a body that parses");
    prepare(
        key(group),
        Method::Merge,
        families,
        None,
        Pusher::default(),
        own_kind,
    )
    .expect("a push that can be stored")
}

/// A state over a store in a folder of its own, with a runtime for its requests.
pub(crate) struct Running {
    pub(crate) state: Arc<State>,
    pub(crate) runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl Running {
    /// Starts one and pushes so many groups of 20 series.
    pub(crate) fn filled(groups: usize) -> Self {
        let folder = TempDir::new().expect("a folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let settings = StateSettings::new(Place::folder(folder.path()), Clock::system());
        let entered = runtime.enter();
        let (state, _) = State::start(settings, Arc::new(Telemetry::new())).expect("a state");
        drop(entered);
        let running = Self {
            state,
            runtime,
            _folder: folder,
        };
        running.push((0..groups).map(|group| push(group, Method::Replace)));
        running
    }

    /// Stores pushes, many in one transaction.
    pub(crate) fn push(&self, pushes: impl Iterator<Item = Prepared>) {
        self.runtime.block_on(async {
            let all: Vec<_> = pushes
                .map(|push| {
                    let state = Arc::clone(&self.state);
                    tokio::spawn(async move { state.store(push).await.expect("stored") })
                })
                .collect();
            for push in all {
                push.await.expect("a push");
            }
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.close();
    }
}
