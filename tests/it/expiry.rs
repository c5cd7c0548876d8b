//! An expired group is gone from every answer at that instant: the reaper is held back here.

use crate::clash::CLASHES;
use crate::harness::{Gateway, HOUR, NANOSECOND, Options, SECOND, START};
use tidegate::clock::UnixNanos;
use tidegate::ttl::{Ttl, TtlPolicy};

const GROUPS: u32 = 5;

/// Address and body of group `n`: one family that all have, one of its own, and its own help.
fn push_of(n: u32, padding: &str) -> (String, String) {
    let body = format!(
        "# HELP m help {n}\nm 1\nm{{x=\"{padding}\"}} 2\n# TYPE only{n} gauge\nonly{n} 3\n"
    );
    (format!("job/{n}{padding}"), body)
}

/// What a scrape shows of these groups.
fn shown(groups: &[u32], padding: &str) -> String {
    let labels = |n: &u32| format!("instance=\"\",job=\"{n}{padding}\"");
    let common = |n: &u32| {
        let labels = labels(n);
        format!("m{{{labels}}} 1\nm{{{labels},x=\"{padding}\"}} 2\n")
    };
    let own = |n: &u32| format!("# TYPE only{n} gauge\nonly{n}{{{}}} 3\n", labels(n));
    let header = groups
        .first()
        .map(|n| format!("# HELP m help {n}\n# TYPE m untyped\n"));
    header
        .into_iter()
        .chain(groups.iter().map(common))
        .chain(groups.iter().map(own))
        .collect()
}

/// Every choice of groups expires once: in the middle of a chunk, a whole chunk, a whole family,
/// with the help that is shown.
fn every_choice_expires(padding: &str) {
    let gateway = Gateway::start();
    for choice in 0..1 << GROUPS {
        let (gone, left): (Vec<u32>, Vec<u32>) = (0..GROUPS).partition(|n| choice >> n & 1 == 1);
        let all: Vec<u32> = (0..GROUPS).collect();
        for n in &all {
            let (group, body) = push_of(*n, padding);
            let ttl = if gone.contains(n) { "10s" } else { "never" };
            gateway.put_for(ttl, &group, &body);
        }
        gateway.advance_almost(10 * SECOND);
        assert_eq!(
            gateway.pushed(),
            shown(&all, padding),
            "{gone:?} a nanosecond before"
        );
        gateway.advance(NANOSECOND);
        assert_eq!(
            gateway.pushed(),
            shown(&left, padding),
            "{gone:?} at the deadline"
        );
        let counts = (left.len().to_string(), (3 * left.len()).to_string());
        assert_eq!(gateway.counts(), counts, "{gone:?}");
    }
}

#[test]
fn any_of_some_small_groups_expire_at_their_deadline() {
    every_choice_expires("");
}

#[test]
fn any_of_some_groups_of_a_chunks_size_expire_at_their_deadline() {
    every_choice_expires(&"x".repeat(12_000));
}

#[test]
fn an_expired_group_takes_its_series_out_of_the_gateways_own_families() {
    let gateway = Gateway::start();
    let body = "# TYPE process_open_fds gauge\nprocess_open_fds 7\n";
    gateway.put_for("10s", "job/a", body);
    gateway.put_for("20s", "job/b", body);
    let of = |job: &str| gateway.value(&format!("process_open_fds{{instance=\"\",job=\"{job}\"}}"));
    assert_eq!((of("a"), of("b")), (Some("7".into()), Some("7".into())));
    gateway.advance(10 * SECOND);
    assert_eq!((of("a"), of("b")), (None, Some("7".into())));
    gateway.advance(10 * SECOND);
    assert_eq!((of("a"), of("b")), (None, None));
    assert!(gateway.value("process_open_fds").is_some());
}

#[test]
fn an_expired_group_is_in_nobodys_way() {
    let mut gateway = Gateway::start();
    for ([one, two], _) in CLASHES {
        for [(first, stored), (group, body)] in [[one, two], [two, one]] {
            for method in ["PUT", "POST"] {
                gateway.put_for("10s", first, stored);
                gateway.advance_almost(10 * SECOND);
                gateway.refused(method, group, body);
                // A refused push may have made a group.
                gateway.delete(group);
                gateway.advance(NANOSECOND);
                let answer = gateway.write(method, group, body);
                assert_eq!(
                    answer.status,
                    200,
                    "{first} {stored} {group} {body}: {}",
                    answer.text()
                );
                assert_eq!(gateway.counts().0, "1");
                gateway.delete(group);
            }
        }
        // No later clock brings the clash back: the first is gone from disk.
        let [(first, stored), (group, body)] = [*one, *two];
        gateway.put_for("10s", first, stored);
        gateway.advance(10 * SECOND);
        gateway.put(group, body);
        gateway.restart_at(START);
        assert_eq!(gateway.counts().0, "1", "{first} {stored} {group} {body}");
        gateway.scrape();
        gateway.delete(group);
    }
}

#[test]
fn a_push_to_an_expired_group_is_a_push_to_a_new_one() {
    let mut gateway = Gateway::start();
    let failed = r#"push_failure_time_seconds{instance="",job="a"}"#;
    let pushed = r#"push_time_seconds{instance="",job="a"}"#;
    for (method, body, shown) in [
        (
            "POST",
            "m 2\n",
            "# TYPE m untyped\nm{instance=\"\",job=\"a\"} 2\n",
        ),
        (
            "PUT",
            "m 2\n",
            "# TYPE m untyped\nm{instance=\"\",job=\"a\"} 2\n",
        ),
        ("POST", "", ""),
        ("PUT", "", ""),
    ] {
        gateway.put_for("10s", "job/a", "m 1\nk 1\n");
        gateway.refused("PUT", "job/a", "m 1 1\n");
        assert_ne!(gateway.value(failed).as_deref(), Some("0"));
        gateway.advance(10 * SECOND);
        assert_eq!(gateway.write(method, "job/a", body).status, 200);
        assert_eq!(gateway.pushed(), shown, "{method} {body}");
        assert_eq!(
            gateway.value(failed).as_deref(),
            Some("0"),
            "{method} {body}"
        );
        let before = gateway.exposition();
        gateway.restart_at(START);
        assert_eq!(gateway.exposition(), before, "{method} {body}");
        gateway.delete("job/a");
    }
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.advance(10 * SECOND);
    gateway.refused("POST", "job/a", "m 1 1\n");
    assert_eq!(
        gateway.value(pushed).as_deref(),
        Some("0"),
        "never pushed with success"
    );
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn an_expired_group_cannot_be_deleted_any_more() {
    let gateway = Gateway::start();
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.put_for("10s", "job/b", "m 1\n");
    gateway.advance_almost(10 * SECOND);
    assert!(gateway.delete("job/a"));
    gateway.advance(NANOSECOND);
    assert!(!gateway.delete("job/b"));
}

#[test]
fn only_a_successful_push_starts_the_clock_again() {
    let gateway = Gateway::with(Options {
        policy: TtlPolicy {
            default: Ttl::After(10 * SECOND),
            ..TtlPolicy::default()
        },
        ..Options::default()
    });
    let times = "# HELP push_failure_time_seconds";
    for group in [
        "job/put",
        "job/post",
        "job/heartbeat",
        "job/refused",
        "job/still",
    ] {
        gateway.put(group, "m 1\n");
    }
    gateway.refused("PUT", "job/failed", "m 1 1\n");
    gateway.advance(6 * SECOND);
    gateway.put("job/put", "m 1\n");
    gateway.post("job/post", "m 1\n");
    gateway.post("job/heartbeat", "");
    gateway.refused("PUT", "job/refused", "m 1 1\n");
    gateway.refused("PUT", "job/refused", "m one\n");
    gateway.refused("POST", "job/failed", "m 1 1\n");
    gateway.advance_almost(4 * SECOND);
    assert_eq!(gateway.counts().0, "6");
    gateway.advance(NANOSECOND);
    let left = gateway.exposition();
    for (job, stays) in [
        ("put", true),
        ("post", true),
        ("heartbeat", true),
        ("refused", false),
        ("still", false),
        ("failed", false),
    ] {
        assert_eq!(
            left.contains(&format!("job=\"{job}\"")),
            stays,
            "{job}: {left}"
        );
    }
    gateway.advance_almost(6 * SECOND);
    assert!(gateway.exposition().contains(times));
    gateway.advance(NANOSECOND);
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn a_group_that_is_pushed_more_often_than_its_ttl_never_disappears() {
    let mut gateway = Gateway::start();
    let shown = "# TYPE m untyped\nm{instance=\"\",job=\"a\"} 1\n";
    gateway.put_for("10s", "job/a", "m 1\n");
    for _ in 0..20 {
        gateway.advance_almost(10 * SECOND);
        assert_eq!(gateway.pushed(), shown);
        gateway.put_for("10s", "job/a", "m 1\n");
    }
    gateway.restart();
    assert_eq!(gateway.pushed(), shown);
    gateway.advance(10 * SECOND);
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn setting_the_wall_clock_moves_no_deadline_while_the_gateway_runs() {
    let gateway = Gateway::start();
    gateway.put_for("10s", "job/a", "m 1\n");
    gateway.step_wall(3600);
    gateway.put_for("20s", "job/b", "m 1\n");
    assert_eq!(gateway.counts().0, "2");
    gateway.step_wall(-7200);
    gateway.advance_almost(10 * SECOND);
    assert_eq!(gateway.counts().0, "2");
    gateway.advance(NANOSECOND);
    assert_eq!(gateway.counts().0, "1");
    gateway.advance_almost(10 * SECOND);
    assert_eq!(gateway.counts().0, "1");
    gateway.advance(NANOSECOND);
    assert_eq!(gateway.counts().0, "0");
}

#[test]
fn a_moved_wall_clock_is_exported_in_seconds() {
    let gateway = Gateway::start();
    let drift = || gateway.value("tidegate_clock_drift_seconds");
    assert_eq!(drift().as_deref(), Some("0"));
    gateway.step_wall(3600);
    assert_eq!(drift().as_deref(), Some("3600"));
    gateway.step_wall(-7200);
    assert_eq!(drift().as_deref(), Some("-3600"));
}

#[test]
fn a_restart_moves_no_deadline() {
    let mut gateway = Gateway::start();
    gateway.put_for("10s", "job/pushed", "m 1\n");
    gateway.send("PUT", "/ttl/10s/metrics/job/failed", &[], "m 1 1\n");
    gateway.advance(4 * SECOND);
    gateway.restart();
    gateway.advance(4 * SECOND);
    gateway.restart();
    gateway.advance_almost(2 * SECOND);
    assert_eq!(gateway.counts().0, "2");
    gateway.restart();
    assert_eq!(gateway.counts().0, "2", "a nanosecond before");
    gateway.advance(NANOSECOND);
    assert_eq!(gateway.counts().0, "0");
    gateway.restart();
    assert_eq!(gateway.counts().0, "0", "expired while it was not reaped");
}

#[test]
fn a_group_from_the_future_is_of_age_zero_at_start() {
    let mut gateway = Gateway::start();
    gateway.put_for("10s", "job/a", "m 1\n");
    let before = gateway.exposition();
    // The wall clock was set back by 100 s while the gateway was down.
    let earlier = tidegate::clock::UnixNanos(START.0 - 100_000_000_000);
    gateway.restart_at(earlier);
    gateway.advance_almost(10 * SECOND);
    assert_eq!(
        gateway.exposition(),
        before,
        "push_time_seconds keeps its value"
    );
    gateway.advance(NANOSECOND);
    assert_eq!(gateway.exposition(), "");
    // Time that passed while it was down counts.
    gateway.put_for("3h", "job/b", "m 1\n");
    gateway.restart_at(earlier.plus((10 * SECOND + 3 * HOUR).saturating_sub(NANOSECOND)));
    assert_eq!(gateway.counts().0, "1");
    gateway.advance(NANOSECOND);
    assert_eq!(gateway.counts().0, "0");
}

#[test]
fn a_clock_set_back_makes_groups_new_once_and_put_right_gives_them_their_age() {
    let mut gateway = Gateway::start();
    gateway.put_for("100s", "job/a", "m 1\n");
    gateway.put_for("1h", "job/b", "m 1\n");
    let there = |gateway: &Gateway, job: &str| {
        let shown = gateway.pushed().contains(&format!("job=\"{job}\""));
        let listed = gateway
            .get(&format!("/api/v1/groups/job/{job}"), &[])
            .status
            == 200;
        assert_eq!(shown, listed, "scrape and API of {job}");
        shown
    };
    // An hour back: the age is 0 then, and goes on from there over any number of starts.
    let back = UnixNanos(START.0 - 3_600_000_000_000);
    gateway.restart_at(back);
    for _ in 0..3 {
        gateway.advance(30 * SECOND);
        assert!(there(&gateway, "a"));
        // A push that fails changes no clock.
        gateway.refused("PUT", "job/b", "m 1 1\n");
        gateway.restart();
    }
    gateway.advance(10 * SECOND);
    assert!(!there(&gateway, "a"));
    assert!(there(&gateway, "b"));
    // Put right: half an hour old, as if the clock had never been wrong.
    gateway.restart_at(START.plus(HOUR / 2));
    assert!(there(&gateway, "b"));
    gateway.advance_almost(HOUR / 2);
    assert!(there(&gateway, "b"));
    gateway.advance(NANOSECOND);
    assert!(!there(&gateway, "b"));
}
