//! The reaper takes expired groups off disk and out of memory.

use std::thread;

use tidegate::limits::SLICE;

use crate::harness::{Gateway, SECOND, START};
use crate::support::{LIMIT, eventually};

/// Waits until so many groups of that TTL source have been removed since the start.
fn reaped(gateway: &Gateway, source: &str, groups: &str) {
    let series = format!("tidegate_groups_expired_total{{ttl_source=\"{source}\"}}");
    eventually(LIMIT, &series, || {
        let value = gateway.value(&series).unwrap_or_default();
        if value == groups { Ok(()) } else { Err(value) }
    });
}

#[test]
fn expired_groups_leave_the_disk_and_are_counted() {
    let mut gateway = Gateway::with_reaper();
    gateway.put_for("10s", "job/a", "m 1\nk 1\n");
    gateway.put_for("10s", "job/a/x/1", "");
    gateway.send("PUT", "/ttl/10s/metrics/job/failed", &[], "m 1 1\n");
    gateway.put_for("20s", "job/b", "m 1\n");
    gateway.put("job/c", "m 1\n");
    gateway.advance(10 * SECOND);
    reaped(&gateway, "push", "3");
    let left = gateway.exposition();
    // With the clock set back they would be shown again if they were still there.
    gateway.restart_at(START);
    assert_eq!(gateway.exposition(), left);
    assert_eq!(gateway.counts(), ("2".into(), "2".into()));
}

#[test]
fn without_the_reaper_rows_stay_and_are_only_not_shown() {
    let mut gateway = Gateway::start();
    gateway.put_for("10s", "job/a", "m 1\n");
    let before = gateway.exposition();
    gateway.advance(10 * SECOND);
    assert_eq!(gateway.exposition(), "");
    gateway.restart_at(START);
    assert_eq!(
        gateway.exposition(),
        before,
        "so the test above sees what is on disk"
    );
}

#[test]
fn groups_are_counted_by_the_source_of_their_ttl() {
    let gateway = Gateway::with(crate::harness::Options {
        policy: tidegate::ttl::TtlPolicy::default(),
        reap: true,
        ..crate::harness::Options::default()
    });
    gateway.put("job/a", "m 1\n");
    gateway.put("job/b", "m 1\n");
    gateway.put_for("1h", "job/c", "m 1\n");
    gateway.advance(36 * 24 * 3600 * SECOND);
    reaped(&gateway, "default", "2");
    reaped(&gateway, "push", "1");
    assert_eq!(gateway.counts(), ("0".into(), "0".into()));
}

#[test]
fn a_nearer_deadline_is_noticed_and_a_later_one_waited_for() {
    let gateway = Gateway::with_reaper();
    gateway.put_for("1h", "job/a", "m 1\n");
    gateway.put_for("10s", "job/b", "m 1\n");
    gateway.put_for("20s", "job/c", "m 1\n");
    gateway.advance(10 * SECOND);
    reaped(&gateway, "push", "1");
    // A push moves the deadline that the reaper waits for.
    gateway.put_for("2h", "job/c", "m 1\n");
    gateway.advance(10 * SECOND);
    gateway.put_for("1s", "job/d", "m 1\n");
    gateway.advance(SECOND);
    reaped(&gateway, "push", "2");
    assert_eq!(gateway.counts().0, "2");
    gateway.advance(2 * 3600 * SECOND);
    reaped(&gateway, "push", "4");
}

#[test]
fn what_expired_while_the_gateway_was_down_is_removed_at_start() {
    let mut gateway = Gateway::with_reaper();
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.restart_at(START.plus(10 * SECOND));
    assert_eq!(gateway.exposition(), "");
    reaped(&gateway, "push", "1");
    gateway.restart_at(START);
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn many_groups_are_removed_in_slices() {
    let mut gateway = Gateway::with_reaper();
    let groups = 2 * SLICE + 88;
    thread::scope(|threads| {
        for first in 0..8 {
            let gateway = &gateway;
            threads.spawn(move || {
                for n in (first..groups).step_by(8) {
                    gateway.put_for("10s", &format!("job/{n}"), "m 1\n");
                }
            });
        }
    });
    gateway.put("job/stays", "m 1\n");
    let commits = || {
        let value = gateway.value("tidegate_store_commits_total");
        value
            .and_then(|value| value.parse::<u32>().ok())
            .expect("a count")
    };
    let before = commits();
    assert_eq!(gateway.counts().0, (groups + 1).to_string());
    gateway.advance(10 * SECOND);
    reaped(&gateway, "push", &groups.to_string());
    assert_eq!(commits() - before, 3, "two whole slices and what is left");
    let left = gateway.exposition();
    gateway.restart_at(START);
    assert_eq!(gateway.exposition(), left);
}

/// Groups expire and are pushed again at the same time, while the reaper works.
#[test]
fn a_push_at_the_moment_of_expiry_is_never_lost() {
    let gateway = Gateway::with_reaper();
    for round in 0..40 {
        gateway.put_for("10s", "job/a", "m 1\nold 1\n");
        gateway.advance(10 * SECOND);
        gateway.post("job/a", &format!("m {round}\n"));
        let shown = format!("# TYPE m untyped\nm{{instance=\"\",job=\"a\"}} {round}\n");
        assert_eq!(gateway.pushed(), shown);
    }
    // Not one more, not one less: each was removed by the reaper or by the push.
    reaped(&gateway, "push", "40");
}
