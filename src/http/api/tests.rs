//! Paths and their methods; bounds of what reads at once.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::*;
use crate::clock::Clock;
use crate::limits::READERS;
use crate::state::StateSettings;
use crate::store::Place;
use crate::telemetry::Telemetry;

const DESCRIPTION: &str = include_str!("openapi.yaml");

/// The paths of the description, each with its methods in upper case.
fn described() -> Vec<(String, BTreeSet<String>)> {
    let paths = DESCRIPTION.split_once("\npaths:\n").unwrap().1;
    let paths = paths.split_once("\ncomponents:\n").unwrap().0;
    let mut described: Vec<(String, BTreeSet<String>)> = Vec::new();
    for line in paths.lines() {
        let name = line.trim().trim_end_matches(':');
        match line.len() - line.trim_start().len() {
            2 => described.push((name.to_owned(), BTreeSet::new())),
            4 => drop(described.last_mut().unwrap().1.insert(name.to_uppercase())),
            _ => {}
        }
    }
    described
}

/// One path of every route. Written as a match, so that a new route does not compile
/// without its path here.
fn path(route: &Route) -> &'static str {
    match route {
        Route::Original(Original::Status) => "status",
        Route::Original(Original::Metrics) => "metrics",
        Route::Original(Original::Wipe) => "admin/wipe",
        Route::Own(Own::Groups) => "groups",
        Route::Own(Own::Group(_)) => "groups/job/{job}",
        Route::Own(Own::Overview) => "ttl",
        Route::Own(Own::Explain(None)) => "ttl/explain",
        Route::Own(Own::Explain(Some(_))) => "ttl/explain/job/{job}",
        Route::Own(Own::Push) => "push",
        Route::Own(Own::Pin(_)) => "admin/ttl/job/{job}",
        Route::Own(Own::PinMatching) => "admin/ttl",
        Route::Own(Own::Touch(_)) => "admin/touch/job/{job}",
        Route::Own(Own::DeleteGroups) => "admin/delete_groups",
        Route::Own(Own::Reap) => "admin/ttl/reap",
        Route::Own(Own::Pause) => "admin/ttl/pause",
        Route::Own(Own::Resume) => "admin/ttl/resume",
        Route::Description => "openapi.yaml",
    }
}

#[test]
fn the_description_has_every_route_and_no_other() {
    let key = || b"job/a".to_vec();
    let routes = [
        Route::Original(Original::Status),
        Route::Original(Original::Metrics),
        Route::Original(Original::Wipe),
        Route::Own(Own::Groups),
        Route::Own(Own::Group(key())),
        Route::Own(Own::Overview),
        Route::Own(Own::Explain(None)),
        Route::Own(Own::Explain(Some(key()))),
        Route::Own(Own::Push),
        Route::Own(Own::Pin(key())),
        Route::Own(Own::PinMatching),
        Route::Own(Own::Touch(key())),
        Route::Own(Own::DeleteGroups),
        Route::Own(Own::Reap),
        Route::Own(Own::Pause),
        Route::Own(Own::Resume),
        Route::Description,
    ];
    let served: BTreeSet<String> = routes
        .iter()
        .map(|route| format!("/api/v1/{}", path(route)))
        .collect();
    let paths = described().into_iter().map(|(path, _)| path).collect();
    assert_eq!(served, paths);
}

#[test]
fn described_paths_are_served_with_just_these_methods() {
    for (path, methods) in described() {
        let served = path.strip_prefix("/api/v1/").unwrap();
        let route = Route::of(served.replace("{job}", "a").as_bytes()).unwrap();
        assert_eq!(format!("/api/v1/{}", super::tests::path(&route)), path);
        let allowed = route.allow().split(", ");
        let allowed: BTreeSet<String> = allowed
            .filter(|method| !matches!(*method, "HEAD" | "OPTIONS"))
            .map(str::to_owned)
            .collect();
        assert_eq!(methods, allowed, "{path}");
    }
}

/// Work on the store goes on when its client has gone, and keeps its place to its end.
#[test]
fn few_read_at_once_whoever_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = StateSettings::new(Place::folder(folder.path()), Clock::system());
    let in_runtime = runtime.enter();
    let (state, _) = State::start(settings, Arc::new(Telemetry::new())).unwrap();
    drop(in_runtime);
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    runtime.block_on(async {
        for _ in 0..READERS {
            let (start, begun) = tokio::sync::oneshot::channel();
            let (reader, wait) = (Arc::clone(&state), Arc::clone(&wait));
            let client = tokio::spawn(async move {
                let work = move |_: &crate::store::Store| {
                    start.send(()).unwrap();
                    Ok(wait.lock().unwrap().recv().is_err())
                };
                read(&reader, work).await
            });
            begun.await.unwrap();
            client.abort();
        }
        let is_full = tokio::select! {
            biased;
            _ = state.place_to_read() => false,
            () = std::future::ready(()) => true,
        };
        assert!(is_full);
        drop(end);
        assert!(state.place_to_read().await.is_some());
    });
    state.close();
}
