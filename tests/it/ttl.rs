//! The TTL a push names for its group, and the one it gets.

use tidegate::ttl::{Ttl, TtlPolicy};

use crate::harness::{Gateway, HOUR, NANOSECOND, Options, SECOND};

fn with_policy(policy: TtlPolicy) -> Gateway {
    Gateway::with(Options {
        policy,
        ..Options::default()
    })
}

/// Headers, path behind the address, and the time until the group expires; `None`: never.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<u32>);

#[test]
fn a_push_names_its_ttl_in_header_prefix_or_query() {
    let gateway = with_policy(TtlPolicy {
        default: Ttl::After(9 * SECOND),
        ..TtlPolicy::default()
    });
    let cases: &[Case<'_>] = &[
        (&[], "/metrics/job/a", Some(9)),
        (&[], "/metrics/job/a?x=ttl", Some(9)),
        (&[("Tidegate-TTL", "5s")], "/metrics/job/a", Some(5)),
        (&[("tidegate-ttl", "5")], "/metrics/job/a", Some(5)),
        (&[("X-Tidegate-TTL", "0.1m")], "/metrics/job/a", Some(6)),
        (&[], "/ttl/6s/metrics/job/a", Some(6)),
        (&[], "/metrics/job/a?ttl=1m", Some(60)),
        (&[], "/metrics/job/a?x=1&ttl=60000ms", Some(60)),
        (&[], "/ttl/1m/metrics/job@base64/YQ?ttl=60", Some(60)),
        (
            &[("Tidegate-TTL", "60s")],
            "/ttl/1m/metrics/job/a?ttl=60",
            Some(60),
        ),
        (&[("Tidegate-TTL", "never")], "/metrics/job/a", None),
        (&[("Tidegate-TTL", "0")], "/ttl/never/metrics/job/a", None),
    ];
    for (headers, path, seconds) in cases {
        for method in ["PUT", "POST"] {
            let answer = gateway.send(method, path, headers, "m 1\n");
            assert_eq!(answer.status, 200, "{path} {headers:?}: {}", answer.text());
            let expires = answer
                .header("Tidegate-Expires")
                .unwrap_or_default()
                .to_owned();
            assert_eq!(
                expires == "never",
                seconds.is_none(),
                "{path} {headers:?}: {expires}"
            );
            if let Some(seconds) = seconds {
                gateway.advance_almost(*seconds * SECOND);
                assert_eq!(gateway.counts().0, "1", "{method} {path} {headers:?}");
                gateway.advance(NANOSECOND);
                assert_eq!(gateway.counts().0, "0", "{method} {path} {headers:?}");
            } else {
                gateway.advance(500 * 24 * HOUR);
                assert!(gateway.delete("job/a"));
            }
        }
    }
}

#[test]
fn the_answer_says_when_the_group_expires_by_the_wall_clock() {
    let gateway = Gateway::start();
    let expires = |ttl| {
        let headers = [("Tidegate-TTL", ttl)];
        let answer = gateway.send("PUT", "/metrics/job/a", &headers, "");
        // Requests of one instant are told apart by nanoseconds: those are cut off.
        let expires = answer.header("Tidegate-Expires").unwrap_or_default();
        expires
            .split_once(".5")
            .map_or(expires, |(before, _)| before)
            .to_owned()
    };
    assert_eq!(expires("6h"), "2026-11-22T09:07:00");
    assert_eq!(expires("365d"), "2027-11-22T03:07:00");
    assert_eq!(expires("never"), "never");
    assert_eq!(expires("200000d"), "never", "too far to be represented");
    gateway.step_wall(3600);
    assert_eq!(expires("6h"), "2026-11-22T10:07:00");
    let refused = gateway.write("PUT", "job/a", "m 1 1\n");
    assert_eq!(refused.header("Tidegate-Expires"), None);
}

/// Headers, path, and a part of the answer.
type Refusal<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn a_ttl_that_cannot_be_taken_stores_nothing() {
    let gateway = Gateway::start();
    gateway.put_for("10s", "job/a", "m 1\n");
    let before = gateway.exposition();
    let cases: &[Refusal<'_>] = &[
        (
            &[("Tidegate-TTL", "soon")],
            "/metrics/job/a",
            "bad TTL \"soon\" in the header Tidegate-TTL: expected a number",
        ),
        (
            &[("Tidegate-TTL", "")],
            "/metrics/job/a",
            "a duration is missing",
        ),
        (
            &[],
            "/ttl/1x/metrics/job/a",
            "bad TTL \"1x\" in the address prefix /ttl/: unknown unit",
        ),
        (
            &[],
            "/ttl/%ff/metrics/job/a",
            "in the address prefix /ttl/: expected a number",
        ),
        (
            &[],
            "/metrics/job/a?ttl=-1h",
            "bad TTL \"-1h\" in the query parameter ttl: a duration",
        ),
        (
            &[],
            "/metrics/job/a?ttl",
            "in the query parameter ttl: a duration is missing",
        ),
        (
            &[("Tidegate-TTL", "1h")],
            "/ttl/2h/metrics/job/a",
            "the header Tidegate-TTL says the TTL is 1h, the address prefix /ttl/ says 2h",
        ),
        (
            &[],
            "/ttl/2h/metrics/job/a?ttl=never",
            "says the TTL is 2h, the query parameter ttl says never",
        ),
        (
            &[("Tidegate-TTL", "1h"), ("X-Tidegate-TTL", "2h")],
            "/metrics/job/a",
            "says the TTL is 1h, the header Tidegate-TTL says 2h",
        ),
        (
            &[("Tidegate-TTL", "999ms")],
            "/metrics/job/a",
            "below the minimum of 1s (--ttl.min)",
        ),
    ];
    for (headers, path, text) in cases {
        let answer = gateway.send("PUT", path, headers, "m 2\n");
        assert_eq!(answer.status, 400, "{path} {headers:?}");
        assert!(
            answer.text().contains(text),
            "{path} {headers:?}: {}",
            answer.text()
        );
        assert_eq!(gateway.exposition(), before, "{path} {headers:?}");
    }
    gateway.advance(10 * SECOND);
    assert_eq!(gateway.exposition(), "", "and the TTL is what it was");
}

#[test]
fn a_delete_ignores_a_ttl() {
    let gateway = Gateway::start();
    for path in [
        "/ttl/6h/metrics/job/a",
        "/ttl/soon/metrics/job/a",
        "/metrics/job/a?ttl=-1",
    ] {
        gateway.put("job/a", "m 1\n");
        let answer = gateway.send("DELETE", path, &[("Tidegate-TTL", "x")], "");
        assert_eq!(answer.status, 202, "{path}");
        assert_eq!(gateway.exposition(), "", "{path}");
    }
}

#[test]
fn a_later_push_without_a_ttl_falls_back_to_the_default() {
    let gateway = with_policy(TtlPolicy {
        default: Ttl::After(20 * SECOND),
        ..TtlPolicy::default()
    });
    gateway.put_for("never", "job/a", "m 1\n");
    gateway.put_for("5s", "job/b", "m 1\n");
    gateway.post("job/a", "");
    gateway.put("job/b", "m 1\n");
    gateway.advance_almost(20 * SECOND);
    assert_eq!(gateway.counts().0, "2");
    gateway.advance(NANOSECOND);
    assert_eq!(gateway.counts().0, "0");
}

#[test]
fn bounds_of_the_operator_hold_for_pushes() {
    let gateway = with_policy(TtlPolicy {
        default: Ttl::Never,
        min: 5 * SECOND,
        max: Some(10 * SECOND),
        ..TtlPolicy::default()
    });
    gateway.put("job/default", "m 1\n");
    gateway.put_for("5s", "job/short", "m 1\n");
    gateway.put_for("1h", "job/long", "m 1\n");
    gateway.put_for("never", "job/never", "m 1\n");
    let answer = gateway.send("PUT", "/ttl/4999ms/metrics/job/a", &[], "m 1\n");
    assert_eq!(answer.status, 400);
    let left = || {
        let text = gateway.pushed();
        ["default", "short", "long", "never"].map(|job| text.contains(&format!("job=\"{job}\"")))
    };
    gateway.advance(5 * SECOND);
    assert_eq!(left(), [true, false, true, true]);
    gateway.advance_almost(5 * SECOND);
    assert_eq!(left(), [true, false, true, true]);
    gateway.advance(NANOSECOND);
    assert_eq!(
        left(),
        [true, false, false, false],
        "the cap is for pushes only"
    );
}

#[test]
fn the_default_is_thirty_five_days() {
    let gateway = with_policy(TtlPolicy::default());
    gateway.put("job/a", "m 1\n");
    gateway.advance_almost(35 * 24 * HOUR);
    assert_eq!(gateway.counts().0, "1");
    gateway.advance(NANOSECOND);
    assert_eq!(gateway.counts().0, "0");
}

#[test]
fn a_refused_push_gives_a_new_group_its_ttl_and_an_old_one_nothing() {
    let gateway = Gateway::start();
    let refuse = |ttl: &str, group: &str| {
        let path = format!("/ttl/{ttl}/metrics/{group}");
        assert_eq!(gateway.send("PUT", &path, &[], "m 1 1\n").status, 400);
    };
    gateway.put_for("20s", "job/old", "m 1\n");
    refuse("5s", "job/old");
    refuse("5s", "job/new");
    refuse("1h", "job/new");
    gateway.advance_almost(5 * SECOND);
    assert_eq!(gateway.counts().0, "2");
    gateway.advance(NANOSECOND);
    assert_eq!(gateway.counts(), ("1".into(), "1".into()));
    gateway.advance(15 * SECOND);
    assert_eq!(gateway.counts().0, "0");
}

#[test]
fn never_is_infinity_in_every_gauge() {
    let gateway = Gateway::start();
    gateway.put("job/never", "m 1\n");
    let next = "tidegate_ttl_next_expiry_timestamp_seconds";
    let gauges = ["tidegate_ttl_default_seconds", next];
    for gauge in gauges {
        assert_eq!(gateway.value(gauge).as_deref(), Some("+Inf"), "{gauge}");
    }
    gateway.put_for("10s", "job/soon", "m 1\n");
    let soon: f64 = gateway
        .value(next)
        .expect("a gauge")
        .parse()
        .expect("a number");
    assert!(soon.is_finite());
}
