//! `--ttl.expose`: TTLs as series of their own.

use tidegate::ttl::{Ttl, TtlPolicy};

use crate::client::{get, ok, with_admin};
use crate::harness::{Gateway, HOUR, NANOSECOND, Options, SECOND};

const LAST_PUSH: &str = "tidegate_expired_group_last_push_timestamp_seconds";

fn options() -> Options {
    with_admin(Options {
        policy: TtlPolicy {
            default: Ttl::After(100 * SECOND),
            ..TtlPolicy::default()
        },
        expose: true,
        ..Options::default()
    })
}

/// TTL and expiry of the group of a job; the start is second 1795316820.5.
fn shown(gateway: &Gateway, job: &str) -> (Option<String>, Option<f64>) {
    let value = |name: &str| gateway.value(&format!("{name}{{instance=\"\",job=\"{job}\"}}"));
    let expiry = value("tidegate_group_expiry_timestamp_seconds");
    let after = |at: String| at.parse::<f64>().expect("a number") - 1_795_316_820.5;
    (
        value("tidegate_group_ttl_seconds"),
        expiry.map(after).map(|at| (at * 1000.0).round() / 1000.0),
    )
}

fn pair(ttl: &str, expiry: f64) -> (Option<String>, Option<f64>) {
    (Some(ttl.to_owned()), Some(expiry))
}

fn last_push(gateway: &Gateway, job: &str) -> Option<String> {
    gateway.value(&format!("{LAST_PUSH}{{instance=\"\",job=\"{job}\"}}"))
}

#[test]
fn ttl_and_expiry_follow_pushes_overrides_and_touches() {
    let mut gateway = Gateway::with(options());
    gateway.put("job/a", "m 1\n");
    assert_eq!(shown(&gateway, "a"), pair("100", 100.0));
    gateway.advance(10 * SECOND);
    gateway.post("job/a", "");
    assert_eq!(shown(&gateway, "a"), pair("100", 110.0));
    gateway.put_for("never", "job/a", "m 1\n");
    assert_eq!(shown(&gateway, "a"), (Some("+Inf".to_owned()), None));
    gateway.put_for("20s", "job/a", "m 1\n");
    assert_eq!(shown(&gateway, "a"), pair("20", 30.0));
    ok(&gateway, "PUT", "admin/ttl/job/a", r#"{"ttl":"50s"}"#);
    assert_eq!(shown(&gateway, "a"), pair("50", 60.0));
    ok(&gateway, "PUT", "admin/ttl/job/a", r#"{"ttl":"never"}"#);
    assert_eq!(shown(&gateway, "a"), (Some("+Inf".to_owned()), None));
    ok(&gateway, "DELETE", "admin/ttl/job/a", "");
    gateway.advance(5 * SECOND);
    ok(&gateway, "POST", "admin/touch/job/a", "");
    assert_eq!(shown(&gateway, "a"), pair("20", 35.0));
    gateway.restart();
    assert_eq!(shown(&gateway, "a"), pair("20", 35.0));
    ok(&gateway, "POST", "admin/ttl/pause", "");
    gateway.advance(30 * SECOND);
    assert_eq!(shown(&gateway, "a"), pair("20", 35.0));
    ok(&gateway, "POST", "admin/ttl/resume", "");
    assert_eq!(shown(&gateway, "a"), (None, None), "gone with the group");
    gateway.put("job/b", "m 1\n");
    gateway.delete("job/b");
    assert_eq!(shown(&gateway, "b"), (None, None));
}

#[test]
fn the_last_push_of_an_expired_group_outlives_it_until_it_comes_back() {
    let mut gateway = Gateway::with(options());
    gateway.put("job/a", "m 1\n");
    gateway.put("job/deleted", "m 1\n");
    gateway.delete("job/deleted");
    gateway.send("PUT", "/metrics/job/failed", &[], "m 1 1\n");
    assert_eq!(last_push(&gateway, "a"), None);
    gateway.advance(100 * SECOND);
    ok(&gateway, "POST", "admin/ttl/reap", "");
    let seconds = Some("1.7953168205e+09".to_owned());
    assert_eq!(last_push(&gateway, "a"), seconds);
    assert_eq!(last_push(&gateway, "deleted"), None);
    assert_eq!(last_push(&gateway, "failed"), None);
    gateway.restart();
    assert_eq!(last_push(&gateway, "a"), seconds);
    // The same series in another spelling.
    gateway.put("job/a/instance@base64/=", "m 1\n");
    assert_eq!(last_push(&gateway, "a"), None);
    gateway.advance(100 * SECOND);
    ok(&gateway, "POST", "admin/ttl/reap", "");
    assert_eq!(
        last_push(&gateway, "a").as_deref(),
        Some("1.7953169205e+09")
    );
    gateway.put("job/a", "m 1\n");
    assert_eq!(last_push(&gateway, "a"), None);
    gateway.delete("job/a");
    gateway.restart();
    assert_eq!(
        last_push(&gateway, "a"),
        None,
        "it came back and was deleted"
    );
    gateway.put("job/b", "m 1\n");
    gateway.advance(100 * SECOND);
    ok(&gateway, "POST", "admin/ttl/reap", "");
    assert!(last_push(&gateway, "b").is_some());
    gateway.advance(25 * HOUR);
    gateway.put("job/c", "m 1\n");
    assert_eq!(
        last_push(&gateway, "b"),
        None,
        "the history has forgotten it"
    );
}

#[test]
fn the_end_of_an_override_shows_at_that_instant_with_no_change_of_its_group() {
    for expose in [true, false] {
        let mut gateway = Gateway::with(Options {
            expose,
            ..options()
        });
        let groups = |gateway: &Gateway, source: &str| {
            gateway.value(&format!("tidegate_ttl_groups{{ttl_source=\"{source}\"}}"))
        };
        let shows = |gateway: &Gateway, ttl: &str, source: &str| {
            if expose {
                assert_eq!(shown(gateway, "a"), pair(ttl, 100.0));
            }
            assert_eq!(groups(gateway, source).as_deref(), Some("1"), "{source}");
        };
        gateway.put("job/a", "m 1\n");
        let pin = r#"{"ttl":"300s","for":"50s"}"#;
        ok(&gateway, "PUT", "admin/ttl?match[]={}", pin);
        shows(&gateway, "300", "override");
        gateway.restart();
        gateway.advance_almost(50 * SECOND);
        shows(&gateway, "300", "override");
        gateway.advance(NANOSECOND);
        shows(&gateway, "100", "default");
        assert_eq!(groups(&gateway, "override"), None);
        assert_eq!(get(&gateway, "ttl")["groups_by_source"]["default"], 1);
        gateway.restart();
        shows(&gateway, "100", "default");
    }
}

#[test]
fn an_override_that_is_changed_or_taken_away_ends_no_second_time() {
    let gateway = Gateway::with(options());
    for job in ["a", "b", "c"] {
        gateway.put(&format!("job/{job}"), "m 1\n");
        let pin = r#"{"ttl":"70s","for":"50s"}"#;
        ok(&gateway, "PUT", &format!("admin/ttl/job/{job}"), pin);
    }
    gateway.advance(10 * SECOND);
    ok(&gateway, "PUT", "admin/ttl/job/a", r#"{"ttl":"80s"}"#);
    gateway.put_for("20m", "job/b", "m 1\n");
    ok(&gateway, "DELETE", "admin/ttl/job/b", "");
    gateway.delete("job/c");
    gateway.advance(60 * SECOND);
    assert_eq!(shown(&gateway, "a"), pair("80", 80.0));
    assert_eq!(shown(&gateway, "b"), pair("1200", 1210.0));
    assert_eq!(shown(&gateway, "c"), (None, None));
}

#[test]
fn pushes_under_these_names_are_dropped_or_refused() {
    let gateway = Gateway::with(options());
    for name in [
        "tidegate_group_ttl_seconds",
        "tidegate_group_expiry_timestamp_seconds",
        LAST_PUSH,
    ] {
        gateway.put("job/a", &format!("# TYPE {name} gauge\n{name} 7\n"));
        let text = gateway.refused("PUT", "job/a", &format!("{name} 7\n"));
        assert!(text.contains("should have GAUGE"), "{text}");
        assert!(!gateway.scrape().contains("} 7\n"), "{name}");
    }
}

#[test]
fn without_the_flag_there_are_no_such_series() {
    let gateway = Gateway::start();
    gateway.put_for("1h", "job/a", "m 1\n");
    let text = gateway.scrape();
    assert!(!text.contains("tidegate_group_"), "{text}");
}

/// Values of the three families in a scrape in protobuf, first and later ones.
fn in_protobuf(gateway: &Gateway, job: &str) -> Vec<(&'static str, bool)> {
    let accept = "application/vnd.google.protobuf; \
                  proto=io.prometheus.client.MetricFamily; encoding=compact-text";
    let scrape = gateway.send("GET", "/metrics", &[("Accept", accept)], b"");
    let text = scrape.text();
    let job = format!("\"{job}\"");
    let names = [
        "tidegate_group_ttl_seconds",
        "tidegate_group_expiry_timestamp_seconds",
        LAST_PUSH,
    ];
    let families: Vec<&str> = text.lines().collect();
    names
        .map(|name| {
            let field = format!("name:\"{name}\"");
            let family = families.iter().find(|line| line.starts_with(&field));
            (name, family.is_some_and(|line| line.contains(&job)))
        })
        .to_vec()
}

#[test]
fn they_are_in_protobuf_scrapes_too() {
    let gateway = Gateway::with(options());
    gateway.put("job/a", "m 1\n");
    let of = |gateway: &Gateway| {
        in_protobuf(gateway, "a")
            .into_iter()
            .map(|(_, there)| there)
    };
    assert_eq!(of(&gateway).collect::<Vec<_>>(), [true, true, false]);
    gateway.put_for("never", "job/a", "m 1\n");
    assert_eq!(of(&gateway).collect::<Vec<_>>(), [true, false, false]);
    gateway.put_for("1s", "job/a", "m 1\n");
    gateway.advance(2 * SECOND);
    ok(&gateway, "POST", "admin/ttl/reap", "");
    assert_eq!(of(&gateway).collect::<Vec<_>>(), [false, false, true]);
    gateway.put("job/a", "m 1\n");
    assert_eq!(of(&gateway).collect::<Vec<_>>(), [true, true, false]);
}
