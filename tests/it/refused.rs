//! A refused push leaves its group, and all others, exactly as they were.

use crate::harness::{Gateway, Options, SECOND};
use crate::sound::without;

/// What a refusal leaves behind, beside nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Leaves {
    /// Not even the time of the failure.
    Nothing,
    /// `push_failure_time_seconds`, and the group if it is new.
    Mark,
}

const TTL: &str = "Tidegate-TTL";
const GZIP: (&str, &str) = ("Content-Encoding", "gzip");

/// Body and headers, status, what is left, a part of the text.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    u16,
    Leaves,
    &'static str,
);

const CASES: &[Case] = &[
    (
        "m one\n",
        &[],
        400,
        Leaves::Nothing,
        "expected float as value, got \"one\"",
    ),
    (
        "m 1",
        &[],
        400,
        Leaves::Nothing,
        "unexpected end of input stream",
    ),
    (
        "m{x=\"1\",x=\"2\"} 1\n",
        &[],
        400,
        Leaves::Nothing,
        "duplicate label names",
    ),
    (
        "# TYPE m gauge\n# TYPE m gauge\nm 1\n",
        &[],
        400,
        Leaves::Nothing,
        "second TYPE line",
    ),
    ("m 1\n", &[GZIP], 400, Leaves::Nothing, "unexpected EOF"),
    (
        "m 1\nm 2\nm 3\n",
        &[GZIP],
        400,
        Leaves::Nothing,
        "gzip: invalid header",
    ),
    ("", &[GZIP], 400, Leaves::Nothing, "EOF"),
    (
        "m 1\n",
        &[(TTL, "soon")],
        400,
        Leaves::Nothing,
        "bad TTL \"soon\"",
    ),
    (
        "m 1\n",
        &[(TTL, "-1h")],
        400,
        Leaves::Nothing,
        "cannot be negative",
    ),
    (
        "m 1\n",
        &[(TTL, "1h"), (TTL, "2h")],
        400,
        Leaves::Nothing,
        "says the TTL is 1h",
    ),
    (
        "m 1\n",
        &[(TTL, "1ms")],
        400,
        Leaves::Nothing,
        "below the minimum of 1s (--ttl.min)",
    ),
    // Clashes with the gateway's own metrics.
    (
        "# TYPE process_open_fds counter\nprocess_open_fds 1\nm 5\n",
        &[],
        400,
        Leaves::Nothing,
        "gathered metric family process_open_fds has type COUNTER but should have GAUGE",
    ),
    (
        "tidegate_scrape_duration_seconds_count 1\nm 5\n",
        &[],
        400,
        Leaves::Nothing,
        "collides with previously collected summary named \"tidegate_scrape_duration_seconds\"",
    ),
    (
        "m 5 1\n",
        &[],
        400,
        Leaves::Mark,
        "pushed metrics must not have timestamps",
    ),
    (
        "m 5 0\n",
        &[],
        400,
        Leaves::Mark,
        "pushed metrics must not have timestamps",
    ),
    (
        "m 5\nm 6\n",
        &[],
        400,
        Leaves::Mark,
        "was collected before with the same name",
    ),
    (
        "m{job=\"x\"} 5\nm{job=\"y\"} 6\n",
        &[],
        400,
        Leaves::Mark,
        "was collected before",
    ),
    (
        "m 5\nm{instance=\"\"} 6\n",
        &[],
        400,
        Leaves::Mark,
        "was collected before",
    ),
    (
        "m{__x=\"1\"} 5\n",
        &[],
        400,
        Leaves::Mark,
        "has a label with an invalid name: __x",
    ),
    (
        "u_sum 5\n# TYPE u summary\nu 1\n",
        &[],
        400,
        Leaves::Mark,
        "\"u_sum\" collides with",
    ),
    // Clashes with the other group.
    (
        "# TYPE g counter\ng 1\nm 5\n",
        &[],
        400,
        Leaves::Mark,
        "is not a GAUGE",
    ),
    (
        "s_count 1\nm 5\n",
        &[],
        400,
        Leaves::Mark,
        "collected summary named \"s\"",
    ),
    (
        "# TYPE t summary\nt_sum 1\nm 5\n",
        &[],
        400,
        Leaves::Mark,
        "metric named \"t_sum\"",
    ),
];

/// The stored groups: one to be pushed to, one to clash with.
fn stored() -> Gateway {
    let gateway = Gateway::start();
    gateway.put("job/a", "# HELP m why\n# TYPE m gauge\nm 1\nn{x=\"1\"} 2\n");
    let other = "# TYPE g gauge\ng 1\n# TYPE s summary\ns_sum 1\ns_count 2\nt_sum 3\n";
    gateway.put("job/other", other);
    gateway
}

fn without_failures(exposition: &str) -> String {
    without(exposition, |name| name == "push_failure_time_seconds")
}

fn failure_time(gateway: &Gateway, job: &str) -> Option<String> {
    gateway.value(&format!(
        "push_failure_time_seconds{{instance=\"\",job=\"{job}\"}}"
    ))
}

#[test]
fn a_refused_push_changes_nothing_but_the_failure_time() {
    let gateway = stored();
    for (body, headers, status, leaves, text) in CASES {
        for method in ["PUT", "POST"] {
            let (before, failed) = (gateway.exposition(), failure_time(&gateway, "a"));
            gateway.advance(SECOND);
            let answer = gateway.send(method, "/metrics/job/a", headers, body);
            assert_eq!(answer.status, *status, "{method} {body}: {}", answer.text());
            assert!(
                answer.text().contains(text),
                "{method} {body}: {}",
                answer.text()
            );
            let after = gateway.exposition();
            assert_eq!(
                without_failures(&after),
                without_failures(&before),
                "{method} {body}"
            );
            let marked = failure_time(&gateway, "a") != failed;
            assert_eq!(marked, *leaves == Leaves::Mark, "{method} {body}");
            assert!(marked || after == before, "{method} {body}: {after}");
        }
    }
}

#[test]
fn a_refused_push_to_a_new_group_creates_it_only_if_it_leaves_a_mark() {
    let mut gateway = stored();
    for (body, headers, status, leaves, _) in CASES {
        for method in ["PUT", "POST"] {
            let before = gateway.exposition();
            let answer = gateway.send(method, "/metrics/job/new", headers, body);
            assert_eq!(answer.status, *status, "{method} {body}: {}", answer.text());
            if *leaves == Leaves::Mark {
                let pushed = gateway.value(r#"push_time_seconds{instance="",job="new"}"#);
                assert_eq!(pushed.as_deref(), Some("0"), "{method} {body}");
                assert!(failure_time(&gateway, "new").is_some_and(|time| time != "0"));
                assert!(gateway.delete("job/new"));
            }
            assert_eq!(gateway.exposition(), before, "{method} {body}");
        }
    }
    let before = gateway.exposition();
    gateway.restart();
    assert_eq!(gateway.exposition(), before);
}

#[test]
fn an_address_that_would_break_the_exposition_stores_nothing() {
    let gateway = stored();
    gateway.put("job/a/x/1/instance/", "");
    let before = gateway.exposition();
    for (group, text) in [
        (
            "job/a/x/%ff",
            "has a label named \"x\" whose value is not utf8: \"\\xff\"",
        ),
        (
            "job/%ff",
            "has a label named \"job\" whose value is not utf8: \"\\xff\"",
        ),
        ("job/a/x@base64/_w", "whose value is not utf8"),
        // {L} beside {L,instance=""}, whichever is there first.
        ("job/a/instance/", "collected metric \"push_time_seconds\" "),
        (
            "job/a/x/1",
            "collected metric \"push_failure_time_seconds\" ",
        ),
    ] {
        // With a fault of its own too: the mark would be the same series twice.
        for body in ["", "k 1\n", "k 1 5\n", "k 1\nk 2\n"] {
            for method in ["PUT", "POST"] {
                let answer = gateway.refused(method, group, body);
                assert!(answer.contains(text), "{method} {group} {body}: {answer}");
                assert_eq!(gateway.exposition(), before, "{method} {group} {body}");
            }
        }
    }
}

#[test]
fn a_grouping_label_can_be_the_fault_of_every_push() {
    let gateway = Gateway::start();
    let text = gateway.refused("PUT", "job/a/quantile/1", "# TYPE s summary\ns_sum 1\n");
    assert!(
        text.contains("must not have an explicit \"quantile\" label"),
        "{text}"
    );
    assert_eq!(gateway.pushed(), "");
    assert_eq!(
        gateway.counts(),
        ("1".into(), "0".into()),
        "the failure is kept"
    );
    gateway.put("job/a/quantile/1", "m 1\n");
}

#[test]
fn a_body_over_the_limit_stores_nothing() {
    let options = Options {
        max_body: 8,
        ..Options::default()
    };
    let gateway = Gateway::with(options);
    gateway.put("job/a", "m 1\n");
    let before = gateway.exposition();
    for method in ["PUT", "POST"] {
        assert_eq!(gateway.write(method, "job/a", "m 123456\n").status, 413);
        assert_eq!(gateway.write(method, "job/new", "m 123456\n").status, 413);
    }
    assert_eq!(gateway.exposition(), before);
    gateway.put("job/a", "m 12345\n");
}
