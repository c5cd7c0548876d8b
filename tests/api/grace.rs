//! `--ttl.startup-grace`: after a start nothing expires for a while.

use std::time::Duration;

use crate::client::{get, jobs};
use crate::harness::{Gateway, HOUR, NANOSECOND, Options, SECOND, START};

/// A gateway whose group `a` has a TTL of 10 s, back after an hour.
fn back_after_an_hour() -> Gateway {
    let mut gateway = Gateway::with(Options {
        startup_grace: Duration::from_mins(5),
        ..Options::default()
    });
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.restart_at(START.plus(HOUR));
    gateway
}

#[test]
fn what_lapsed_meanwhile_is_overdue_until_the_grace_ends() {
    let gateway = back_after_an_hour();
    assert_eq!(get(&gateway, "groups/job/a")["state"], "overdue");
    assert!(gateway.pushed().contains("m{"));
    gateway.advance_almost(Duration::from_mins(5));
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["a"]);
    gateway.advance(NANOSECOND);
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn a_job_has_the_grace_to_push_again() {
    let gateway = back_after_an_hour();
    gateway.advance(Duration::from_mins(4));
    gateway.put_for("2m", "job/a", "m 2\n");
    assert_eq!(get(&gateway, "groups/job/a")["pushes"], 2, "the same group");
    gateway.advance(Duration::from_mins(1) + SECOND);
    assert_eq!(get(&gateway, "groups/job/a")["state"], "live");
}
