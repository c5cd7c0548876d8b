//! What PUT, POST and DELETE do to a group.

use crate::harness::{Gateway, SECOND, START_SECONDS};

/// [`START_SECONDS`] and some seconds more.
const TEN_LATER: &str = "1.7953168305e+09";
const TWENTY_LATER: &str = "1.7953168405e+09";

/// The samples of group `{job="a"}` without their common labels, types in front.
fn families(gateway: &Gateway) -> String {
    let text = gateway.pushed().replace(r#"instance="",job="a""#, "");
    let lines = text.lines().map(|line| line.replace("# TYPE ", "#"));
    lines.collect::<Vec<_>>().join("|")
}

#[test]
fn put_replaces_the_group_post_its_families_and_delete_removes_it() {
    let gateway = Gateway::start();
    for (method, body, left) in [
        ("PUT", "a 1\nb 1\n", "#a untyped|a{} 1|#b untyped|b{} 1"),
        // The whole family: type and all series.
        (
            "POST",
            "# TYPE b gauge\nb{x=\"1\"} 2\nb{x=\"2\"} 3\nc 4\n",
            r#"#a untyped|a{} 1|#b gauge|b{,x="1"} 2|b{,x="2"} 3|#c untyped|c{} 4"#,
        ),
        (
            "POST",
            "b 5\n",
            "#a untyped|a{} 1|#b untyped|b{} 5|#c untyped|c{} 4",
        ),
        (
            "POST",
            "",
            "#a untyped|a{} 1|#b untyped|b{} 5|#c untyped|c{} 4",
        ),
        (
            "POST",
            "# TYPE a gauge\n",
            "#a untyped|a{} 1|#b untyped|b{} 5|#c untyped|c{} 4",
        ),
        ("PUT", "c 6\n", "#c untyped|c{} 6"),
        ("PUT", "", ""),
        ("POST", "a 7\n", "#a untyped|a{} 7"),
        ("PUT", "# HELP a x\n# TYPE a gauge\n\n# no samples\n", ""),
        ("PUT", "a 8\n", "#a untyped|a{} 8"),
    ] {
        let answer = gateway.write(method, "job/a", body);
        assert_eq!(
            (answer.status, answer.body.len()),
            (200, 0),
            "{method} {body}"
        );
        assert_eq!(answer.header("Content-Length"), Some("0"));
        assert_eq!(answer.header("Content-Type"), None);
        assert_eq!(families(&gateway), left, "{method} {body}");
        assert_eq!(gateway.counts().0, "1", "{method} {body}");
    }
    assert!(gateway.delete("job/a"));
    assert_eq!(gateway.exposition(), "");
    assert_eq!(gateway.counts(), ("0".into(), "0".into()));
}

#[test]
fn what_was_pushed_survives_a_restart() {
    let mut gateway = Gateway::start();
    gateway.put("job/a", "# HELP a why\n# TYPE a gauge\na 1\nb 1\n");
    gateway.post("job/a", "b 2\nc{x=\"\"} 3\n");
    gateway.put("job/b/x/1", "");
    gateway.put("job/gone", "z 1\n");
    gateway.delete("job/gone");
    gateway.post("job/c", "a_total 1\n");
    gateway.refused("PUT", "job/c", "a 1 0\n");
    let before = gateway.exposition();
    gateway.restart();
    assert_eq!(gateway.exposition(), before);
}

#[test]
fn delete_takes_exactly_one_key_and_says_what_it_found() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    gateway.put("job/a/x/1", "m 1\n");
    gateway.put("job/a/x/1/y/2", "m 1\n");
    for (group, found) in [
        ("job/a/y/2", false),
        ("job/a/x/1", true),
        ("job/a/x/1", false),
        ("job/b", false),
        ("job/a/x/%ff", false),
        ("job@base64/YQ==", true),
    ] {
        assert_eq!(gateway.delete(group), found, "{group}");
    }
    let left = "# TYPE m untyped\nm{instance=\"\",job=\"a\",x=\"1\",y=\"2\"} 1\n";
    assert_eq!(gateway.pushed(), left);
}

#[test]
fn a_delete_ignores_its_body() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    assert_eq!(
        gateway.write("DELETE", "job/a", "no metrics at all").status,
        202
    );
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn success_and_failure_times_follow_the_table() {
    let gateway = Gateway::start();
    let times = |group: &str| {
        let value = |name: &str| {
            let series = format!("{name}{{instance=\"\",job=\"{group}\"}}");
            gateway.value(&series).unwrap_or_default()
        };
        (
            value("push_time_seconds"),
            value("push_failure_time_seconds"),
        )
    };
    let are = |pushed: &str, failed: &str| (pushed.to_owned(), failed.to_owned());
    gateway.put("job/a", "m 1\n");
    assert_eq!(times("a"), are(START_SECONDS, "0"));
    gateway.advance(10 * SECOND);
    gateway.refused("PUT", "job/a", "m 1 5\n");
    gateway.refused("POST", "job/new", "m 1 5\n");
    assert_eq!(times("a"), are(START_SECONDS, TEN_LATER));
    assert_eq!(times("new"), are("0", TEN_LATER));
    gateway.advance(10 * SECOND);
    gateway.post("job/a", "");
    assert_eq!(times("a"), are(TWENTY_LATER, TEN_LATER), "a heartbeat");
    gateway.put("job/new", "");
    assert_eq!(
        times("new"),
        are(TWENTY_LATER, TEN_LATER),
        "the failure is kept"
    );
    gateway.delete("job/a");
    assert_eq!(times("a"), are("", ""));
    gateway.put("job/a", "m 1\n");
    assert_eq!(
        times("a"),
        are(TWENTY_LATER, "0"),
        "the failure went with the group"
    );
}

#[test]
fn a_failure_after_a_success_in_one_instant_shows_as_the_later_one() {
    let mut gateway = Gateway::start();
    gateway.restart_at(tidegate::clock::UnixNanos(1 << 52));
    gateway.put("job/a", "m 1\n");
    gateway.refused("PUT", "job/a", "m 1 5\n");
    let text = gateway.exposition();
    let value = |line: &str| {
        line.rsplit_once(' ')
            .and_then(|(_, value)| value.parse::<f64>().ok())
    };
    let mut values = text
        .lines()
        .filter(|line| line.starts_with("push_"))
        .map(value);
    let (failed, pushed) = (values.next().flatten(), values.next().flatten());
    assert!(failed >= pushed, "{text}");
}

/// Address, pushed series, its labels as they are shown.
const LABELS: &[(&str, &str, &str)] = &[
    ("job/a", "m", r#"instance="",job="a""#),
    (
        "job/a",
        r#"m{job="b",y="3"}"#,
        r#"instance="",job="a",y="3""#,
    ),
    (
        "job/a/x/1",
        r#"m{x="2",y="3"}"#,
        r#"instance="",job="a",x="1",y="3""#,
    ),
    ("job/a", r#"m{instance="i"}"#, r#"instance="i",job="a""#),
    ("job/a", r#"m{instance=""}"#, r#"instance="",job="a""#),
    (
        "job/a/instance/k",
        r#"m{instance="i"}"#,
        r#"instance="k",job="a""#,
    ),
    (
        "job/a/instance/",
        r#"m{instance="i"}"#,
        r#"instance="",job="a""#,
    ),
    (
        "job/a",
        r#"m{l="",b="2"}"#,
        r#"b="2",instance="",job="a",l="""#,
    ),
    ("job/a/", "m", r#"instance="",job="a""#),
    ("job/a/x/", "m", r#"instance="",job="a",x="""#),
    ("job/a/x/1/x/2", "m", r#"instance="",job="a",x="2""#),
    ("job/a/job/b", "m", r#"instance="",job="a""#),
    ("job/a%2Fb/c", "m", r#"b="c",instance="",job="a""#),
    ("job/a+b/x/%2B", "m", r#"instance="",job="a+b",x="+""#),
    (
        "job/a%20b/x/%22%5C%0A",
        "m",
        r#"instance="",job="a b",x="\"\\\n""#,
    ),
    (
        "job/a;b/x/c%3Fd%23e",
        "m",
        r#"instance="",job="a;b",x="c?d#e""#,
    ),
    ("job/a?job=b&x=1", "m", r#"instance="",job="a""#),
    ("job/%E4%B8%8A", "m", r#"instance="",job="上""#),
    (
        "job@base64/YS9i/x@base64/L3RtcA",
        "m",
        r#"instance="",job="a/b",x="/tmp""#,
    ),
    ("job@base64/Zm9vYg=====", "m", r#"instance="",job="foob""#),
    ("job/a/x@base64/", "m", r#"instance="",job="a",x="""#),
    ("job/a/x@base64/=", "m", r#"instance="",job="a",x="""#),
];

#[test]
fn labels_come_from_the_address_first() {
    let gateway = Gateway::start();
    for (group, series, shown) in LABELS {
        gateway.put(group, &format!("{series} 1\n"));
        let expected = format!(
            "# TYPE m untyped\nm{{{shown}}} 1\n\
             # HELP push_failure_time_seconds Last Unix time when changing this group in the \
             Pushgateway failed.\n# TYPE push_failure_time_seconds gauge\n"
        );
        let exposition = gateway.exposition();
        assert!(exposition.starts_with(&expected), "{group}: {exposition}");
        assert!(gateway.delete(group), "{group}");
    }
}

#[test]
fn a_type_changes_with_its_only_holder() {
    let gateway = Gateway::start();
    for method in ["PUT", "POST"] {
        for kind in ["gauge", "counter", "untyped"] {
            let body = format!("# TYPE m {kind}\nm 1\n");
            assert_eq!(gateway.write(method, "job/a", &body).status, 200);
            let shown = format!("# TYPE m {kind}\nm{{instance=\"\",job=\"a\"}} 1\n");
            assert_eq!(gateway.pushed(), shown);
        }
    }
    gateway.put("job/a", "# TYPE m summary\nm_count 1\n");
    assert_eq!(
        gateway.pushed(),
        "# TYPE m summary\nm_sum{instance=\"\",job=\"a\"} 0\nm_count{instance=\"\",job=\"a\"} 1\n"
    );
}

#[test]
fn the_smallest_help_that_says_something_is_shown() {
    let mut gateway = Gateway::start();
    let help = |gateway: &Gateway| {
        let text = gateway.pushed();
        let first = text.lines().next().unwrap_or_default();
        first.strip_prefix("# HELP m").map(str::to_owned)
    };
    gateway.put("job/a", "m 1\n");
    assert_eq!(help(&gateway), None);
    for (group, text, shown) in [
        ("job/b", "zebra", " zebra"),
        ("job/c", "ape", " ape"),
        ("job/d", "bee", " ape"),
        ("job/c", "cat", " bee"),
    ] {
        gateway.put(group, &format!("# HELP m {text}\nm 1\n"));
        assert_eq!(help(&gateway).as_deref(), Some(shown), "{group} {text}");
    }
    gateway.restart();
    assert_eq!(help(&gateway).as_deref(), Some(" bee"), "after a restart");
    gateway.delete("job/d");
    assert_eq!(help(&gateway).as_deref(), Some(" cat"));
    gateway.put("job/c", "m 1\n");
    gateway.delete("job/b");
    assert_eq!(help(&gateway), None);
}

#[test]
fn families_the_gateway_keeps_itself_are_dropped_from_a_push() {
    let gateway = Gateway::start();
    let own = "push_time_seconds 5\n# TYPE push_failure_time_seconds summary\n\
               push_failure_time_seconds_sum 5\n";
    gateway.put("job/a", &format!("{own}m 1\n"));
    let times = format!("push_time_seconds{{instance=\"\",job=\"a\"}} {START_SECONDS}\n");
    let exposition = gateway.exposition();
    assert!(exposition.ends_with(&times), "{exposition}");
    assert_eq!(gateway.counts(), ("1".into(), "1".into()));
    gateway.put("job/a", "push_time_seconds_count 7\n");
    let pushed = gateway.value("push_time_seconds_count{instance=\"\",job=\"a\"}");
    assert_eq!(pushed.as_deref(), Some("7"));
}
