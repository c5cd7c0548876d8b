//! What the pages say about groups, metrics and the gateway.

use crate::browser::{Page, admin, load, loads_as};
use tidegate::state::Quota;

use crate::harness::{Gateway, HOUR, Options, SECOND};

fn only_group(gateway: &Gateway) -> Page {
    load(gateway, &load(gateway, "/").link("article h2 a"))
}

#[test]
fn a_card_has_the_labels_the_times_and_the_ttl() {
    let gateway = Gateway::start();
    gateway.put_for("6h", "job/a/zone/w/instance/i/env/p", "m 1\nn 2\n");
    gateway.advance(HOUR);
    let list = load(&gateway, "/");
    let badges = [r#"job="a""#, r#"instance="i""#, r#"env="p""#, r#"zone="w""#];
    assert_eq!(list.texts("article .badge"), badges);
    let card = list.texts("article").concat();
    for part in [
        "Last push 2026-11-22T03:07:00Z (1h ago).",
        "TTL 6h (push), expires in 5h at 2026-11-22T09:07:00Z.",
        "2 families, 2 series.",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert!(list.all(".failed").is_empty());
    gateway.put("job/a/zone/w/instance/i/env/p", "m 1\n");
    let card = load(&gateway, "/").texts("article").concat();
    assert!(
        card.contains("TTL never (default), never expires."),
        "{card}"
    );
    assert!(card.contains("1 family, 1 series."), "{card}");
}

#[test]
fn an_expired_group_is_gone_at_its_instant() {
    let gateway = Gateway::start();
    gateway.put_for("1h", "job/a", "m 1\n");
    let group = load(&gateway, "/").link("article h2 a");
    gateway.advance_almost(HOUR);
    assert_eq!(load(&gateway, "/").all("article").len(), 1);
    load(&gateway, &group);
    gateway.advance(SECOND);
    let list = load(&gateway, "/");
    assert!(list.all("article").is_empty());
    assert!(list.text().contains("0 groups stored"), "{}", list.text());
    loads_as(&gateway, &group, 404);
}

#[test]
fn a_pause_is_shown_and_so_is_what_is_overdue() {
    let gateway = admin();
    gateway.put_for("1h", "job/a", "m 1\n");
    let pause = r#"{"reason":"moving <house>"}"#;
    gateway.send("POST", "/api/v1/admin/ttl/pause", &[], pause);
    let list = load(&gateway, "/").text();
    assert!(list.contains("1 group stored, expiry is paused."), "{list}");
    assert!(
        list.contains("2026-11-22T04:07:00Z (expiry is paused)."),
        "{list}"
    );
    gateway.advance(2 * HOUR);
    let card = load(&gateway, "/").texts("article").concat();
    let expected = "overdue since 2026-11-22T04:07:00Z: expiry is paused.";
    assert!(card.contains(expected), "{card}");
    let status = load(&gateway, "/status").text();
    let expected = "until it is resumed, by 127.0.0.1: moving <house>";
    assert!(status.contains(expected), "{status}");
}

#[test]
fn a_failed_push_and_its_reason_are_shown_until_one_succeeds() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    gateway.advance(SECOND);
    let refusal = gateway.refused("PUT", "job/a", "m 1\nm 1\n");
    let failed = load(&gateway, "/").texts("article .failed").concat();
    assert!(
        failed.starts_with("Last push failed 2026-11-22T03:07:01Z (0s ago): "),
        "{failed}"
    );
    let words = refusal.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(failed.ends_with(&words), "{failed}");
    gateway.advance(SECOND);
    gateway.put("job/a", "m 1\n");
    let page = only_group(&gateway);
    assert!(page.all(".failed").is_empty());
    assert!(
        page.text()
            .contains("An earlier push failed 2026-11-22T03:07:01Z")
    );
}

#[test]
fn families_have_name_type_help_time_and_series() {
    let gateway = Gateway::start();
    let body = "# HELP big How big.\n# TYPE big gauge\nbig{x=\"2\"} 1e9\nbig{x=\"1\"} 1e-7\n\
        # TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 4.5\nh_count 3\n\
        # TYPE s summary\ns{quantile=\"0.9\"} 7\ns_sum 8\ns_count 2\n\
        # TYPE c counter\nc NaN\n";
    gateway.put("job/a", body);
    let page = only_group(&gateway);
    let pushed = "last pushed: 2026-11-22T03:07:00Z";
    let failed = "Last Unix time when changing this group in the Pushgateway failed.";
    let succeeded = "Last Unix time when changing this group in the Pushgateway succeeded.";
    assert_eq!(
        page.texts("summary"),
        [
            format!("big GAUGE How big. {pushed}"),
            format!("c COUNTER {pushed}"),
            format!("h HISTOGRAM {pushed}"),
            format!("push_failure_time_seconds GAUGE {failed} {pushed}"),
            format!("push_time_seconds GAUGE {succeeded} {pushed}"),
            format!("s SUMMARY {pushed}"),
        ]
    );
    assert_eq!(
        page.texts("table.series > tbody > tr"),
        [
            r#"job="a" instance="" x="2" 1000000000"#,
            r#"job="a" instance="" x="1" 0.0000001"#,
            r#"job="a" instance="" NaN"#,
            "job=\"a\" instance=\"\" Sample values \u{2264} 0.51Sample values \u{2264} +Inf3\
             Sample count3Sample sum4.5",
            r#"job="a" instance="" 0"#,
            r#"job="a" instance="" 1795316820.5"#,
            "job=\"a\" instance=\"\" Quantile 0.97Sample count2Sample sum8",
        ]
    );
}

#[test]
fn a_group_of_failures_only_has_its_page() {
    let gateway = Gateway::start();
    gateway.refused("PUT", "job/a", "m 1\nm 1\n");
    let page = only_group(&gateway);
    let text = page.text();
    assert!(text.contains("Last push never; 0 pushes since"), "{text}");
    assert!(text.contains("Last push failed"), "{text}");
    assert_eq!(page.all("details").len(), 2);
}

#[test]
fn an_override_is_shown_while_it_counts() {
    let gateway = admin();
    gateway.put_for("6h", "job/a", "m 1\n");
    let pin = r#"{"ttl":"never","for":"1h","reason":"a <reason>"}"#;
    gateway.send("PUT", "/api/v1/admin/ttl/job/a", &[], pin);
    let text = only_group(&gateway).text();
    assert!(text.contains("TTL never (override)"), "{text}");
    let expected = "Override by 127.0.0.1, set 2026-11-22T03:07:00Z (0s ago), \
        until 2026-11-22T04:07:00Z: a <reason>";
    assert!(text.contains(expected), "{text}");
    gateway.advance(HOUR);
    let text = only_group(&gateway).text();
    assert!(!text.contains("Override by"), "{text}");
}

#[test]
fn the_status_tells_build_start_flags_and_ttls() {
    let mut options = Options::default();
    options.site.flags = vec![("log.level".to_owned(), "<b>info".to_owned())];
    options.quota = Quota {
        groups: Some(5),
        series: None,
    };
    let gateway = Gateway::with(options);
    gateway.put_for("6h", "job/a", "m 1\n");
    gateway.put("job/b", "m 1\n");
    let rows = load(&gateway, "/status").texts("table.facts tr");
    for row in [
        "Health pushes are stored",
        "Groups 2 of at most 5",
        "Series 2",
        "Next expiry 2026-11-22T09:07:00Z (in 6h)",
        "Default TTL never",
        "Groups with TTL by push 1",
        "Groups with TTL by default 1",
        "Started 2026-11-22T03:07:00Z (0s ago)",
        &format!("Version {}", env!("CARGO_PKG_VERSION")),
        "--log.level <b>info",
    ] {
        let folded = row.replace(' ', "");
        let found = rows.iter().any(|shown| shown.replace(' ', "") == folded);
        assert!(found, "{row}: {rows:?}");
    }
}
