//! Two groups that cannot be shown together, and pairs that look as if they could not.

use crate::harness::{Gateway, repeated};
use crate::sound::without;

/// Two pushes: address and body each.
pub(crate) type Pair = [(&'static str, &'static str); 2];

/// A text that the refusal of either holds.
pub(crate) type Clash = (Pair, &'static str);

const BEFORE: &str = "was collected before with the same name and label values";
const COLLIDES: &str = " collides with previously collected ";

/// Pairs of which only the first to come is stored.
pub(crate) const CLASHES: &[Clash] = &[
    // Types.
    (
        [
            ("job/a", "# TYPE m gauge\nm 1\n"),
            ("job/b", "# TYPE m counter\nm 1\n"),
        ],
        "is not a ",
    ),
    (
        [
            ("job/a", "m 1\n"),
            ("job/b/x/1", "k 1\n# TYPE m gauge\nm{y=\"2\"} 1\n"),
        ],
        "is not a ",
    ),
    (
        [
            ("job/a", "# TYPE m summary\nm_sum 1\n"),
            ("job/b", "# TYPE m histogram\nm_sum 1\n"),
        ],
        "is not a ",
    ),
    // The same series, by grouping key here and by a label of its own there.
    (
        [
            ("job/a", "m{instance=\"i\"} 1\n"),
            ("job/a/instance/i", "m 1\n"),
        ],
        BEFORE,
    ),
    (
        [("job/a", "m{x=\"1\"} 1\n"), ("job/a/x/1", "m 1\n")],
        BEFORE,
    ),
    (
        [
            ("job/a", "m{x=\"1\",y=\"2\"} 1\n"),
            ("job/a/x/1", "m{y=\"2\"} 1\n"),
        ],
        BEFORE,
    ),
    (
        [
            ("job/a/x/1", "m{y=\"2\"} 1\n"),
            ("job/a/y/2", "m{x=\"1\"} 1\n"),
        ],
        BEFORE,
    ),
    (
        [("job/a/x/1", "m{y=\"2\"} 1\n"), ("job/a/x/1/y/2", "m 1\n")],
        BEFORE,
    ),
    (
        [
            ("job/a/x/1/y/2", "m{z=\"3\"} 1\n"),
            ("job/a/y/2/z/3", "m{x=\"1\"} 1\n"),
        ],
        BEFORE,
    ),
    ([("job/a", "m{x=\"\"} 1\n"), ("job/a/x/", "m 1\n")], BEFORE),
    (
        [("job/a/x/", "m{y=\"\"} 1\n"), ("job/a/y/", "m{x=\"\"} 1\n")],
        BEFORE,
    ),
    (
        [
            ("job/a/x/1", "m 1\n"),
            ("job/a/instance/", "m{x=\"1\"} 1\n"),
        ],
        BEFORE,
    ),
    (
        [
            ("job/a/x/1", "m{instance=\"\"} 1\n"),
            ("job/a/instance/", "m{x=\"1\"} 1\n"),
        ],
        BEFORE,
    ),
    // One of many series, in one of many families.
    (
        [
            ("job/a", "k 1\nm 1\nm{x=\"0\"} 1\nm{x=\"1\"} 1\nz 1\n"),
            (
                "job/a/x/1",
                "k{y=\"1\"} 1\nl 1\nm{y=\"1\"} 1\nm 1\nm{y=\"2\"} 1\n",
            ),
        ],
        BEFORE,
    ),
    // Of a summary or histogram, whatever its lines.
    (
        [
            (
                "job/a",
                "# TYPE h histogram\nh_bucket{le=\"1\",x=\"1\"} 1\nh_count{x=\"1\"} 1\n",
            ),
            (
                "job/a/x/1",
                "# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_sum 1\n",
            ),
        ],
        BEFORE,
    ),
    (
        [
            ("job/a", "# TYPE s summary\ns{quantile=\"1\",x=\"1\"} 1\n"),
            ("job/a/x/1", "# TYPE s summary\ns_count 1\n"),
        ],
        BEFORE,
    ),
    // Suffixes.
    (
        [
            ("job/a", "# TYPE s summary\ns_sum 1\n"),
            ("job/b", "s_sum 1\n"),
        ],
        COLLIDES,
    ),
    (
        [
            ("job/a", "# TYPE s summary\ns_sum 1\n"),
            ("job/b", "# TYPE s_count counter\ns_count 1\n"),
        ],
        COLLIDES,
    ),
    (
        [
            ("job/a", "# TYPE s histogram\ns_sum 1\n"),
            ("job/b", "s_sum 1\n"),
        ],
        COLLIDES,
    ),
    (
        [
            ("job/a", "# TYPE s histogram\ns_sum 1\n"),
            ("job/b", "s_count 1\n"),
        ],
        COLLIDES,
    ),
    (
        [
            ("job/a", "# TYPE s histogram\ns_sum 1\n"),
            ("job/b", "k 1\ns_bucket 1\n"),
        ],
        COLLIDES,
    ),
    (
        [
            ("job/a", "# TYPE s summary\ns_sum 1\n"),
            ("job/b", "# TYPE s_sum summary\ns_sum_count 1\n"),
        ],
        COLLIDES,
    ),
    // {L} beside {L,instance=""}: their push times would be one series.
    ([("job/a", ""), ("job/a/instance/", "")], BEFORE),
    ([("job/a", "m 1\n"), ("job/a/instance/", "k 1\n")], BEFORE),
    (
        [("job/a/x/1", "m 1\n"), ("job/a/x/1/instance/", "k 1\n")],
        BEFORE,
    ),
];

/// Near misses: both are stored.
const PAIRS: &[Pair] = &[
    [
        ("job/a", "# TYPE m gauge\nm 1\n"),
        ("job/b", "# TYPE m gauge\nm 1\n"),
    ],
    [
        ("job/a", "m{instance=\"i\"} 1\n"),
        ("job/a/instance/j", "m 1\n"),
    ],
    [
        ("job/a", "m{instance=\"i\"} 1\n"),
        ("job/b/instance/i", "m 1\n"),
    ],
    [
        ("job/a", "m{instance=\"i\",job=\"b\"} 1\n"),
        ("job/b/instance/i", "m 1\n"),
    ],
    [
        ("job/a", "m{instance=\"i\"} 1\n"),
        ("job/a/instance/i", "k 1\n"),
    ],
    [("job/a", "m{x=\"1\",y=\"2\"} 1\n"), ("job/a/x/1", "m 1\n")],
    [("job/a", "m{x=\"1\"} 1\n"), ("job/a/x/1", "m{y=\"2\"} 1\n")],
    [
        ("job/a", "m{x=\"1\"} 1\n"),
        ("job/a/x/1", "m{instance=\"i\"} 1\n"),
    ],
    [
        ("job/a/x/1", "m{y=\"2\"} 1\n"),
        ("job/a/y/2", "m{x=\"3\"} 1\n"),
    ],
    [("job/a/x/1", "m{y=\"2\"} 1\n"), ("job/a/y/2", "m 1\n")],
    [
        ("job/a/x/1", "m{x=\"2\"} 1\n"),
        ("job/a/x/2", "m{x=\"1\"} 1\n"),
    ],
    // A label that is there and empty is not a label that is missing.
    [("job/a", "m 1\n"), ("job/a/x/", "m 1\n")],
    [("job/a/x/1", "m 1\n"), ("job/a/x/1/y/", "m 1\n")],
    [("job/a/x/", "m 1\n"), ("job/a/y/", "m 1\n")],
    // Nor is every group with an instance a twin.
    [("job/a", "m 1\n"), ("job/a/instance/i", "m 1\n")],
    [("job/a/x/1", ""), ("job/a/instance/", "")],
    [
        ("job/a", "m{instance=\"\"} 1\n"),
        ("job/a/instance/i", "m{instance=\"\"} 1\n"),
    ],
    // Suffixes that the type does not take.
    [
        ("job/a", "# TYPE s summary\ns_sum 1\n"),
        ("job/b", "s_bucket 1\n"),
    ],
    [
        ("job/a", "# TYPE s gauge\ns 1\n"),
        ("job/b", "s_sum 1\ns_count 1\ns_bucket 1\n"),
    ],
    [
        ("job/a", "# TYPE s histogram\ns_sum 1\n"),
        ("job/b", "s_total 1\ns_sum_of 1\n"),
    ],
];

/// Calls `case` with each pair in both orders, the second push by PUT and by POST.
fn both_ways(pair: &Pair, mut case: impl FnMut([(&str, &str); 2], &str)) {
    let [one, two] = *pair;
    for pushes in [[one, two], [two, one]] {
        for method in ["PUT", "POST"] {
            case(pushes, method);
        }
    }
}

#[test]
fn the_second_of_a_clashing_pair_is_refused_until_the_first_goes() {
    let gateway = Gateway::start();
    for (pair, text) in CLASHES {
        both_ways(pair, |[(first, stored), (group, body)], method| {
            let case = format!("{first} {stored} {method} {group} {body}");
            gateway.put(first, stored);
            let before = gateway.pushed();
            let answer = gateway.refused(method, group, body);
            assert!(answer.contains(text), "{case}: {answer}");
            assert_eq!(gateway.pushed(), before, "{case}");
            assert!(gateway.delete(first), "{case}");
            assert_eq!(gateway.write(method, group, body).status, 200, "{case}");
            assert!(gateway.delete(group), "{case}");
        });
    }
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn pairs_that_can_be_told_apart_are_both_stored() {
    let gateway = Gateway::start();
    for pair in PAIRS {
        both_ways(pair, |[(first, stored), (group, body)], method| {
            gateway.put(first, stored);
            let answer = gateway.write(method, group, body);
            assert_eq!(
                answer.status,
                200,
                "{first} {stored} {group} {body}: {}",
                answer.text()
            );
            assert_eq!(gateway.counts().0, "2", "{first} {stored} {group} {body}");
            assert!(gateway.delete(first) && gateway.delete(group));
        });
    }
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn a_restarted_gateway_knows_what_clashes() {
    let mut gateway = Gateway::start();
    for ([(first, stored), (group, body)], text) in CLASHES {
        gateway.put(first, stored);
        gateway.restart();
        let answer = gateway.refused("PUT", group, body);
        assert!(
            answer.contains(text),
            "{first} {stored} {group} {body}: {answer}"
        );
        gateway.delete(first);
        gateway.delete(group);
    }
}

#[test]
fn what_a_group_holds_itself_is_in_its_way_only_if_it_stays() {
    for (stored, pushed) in [
        ("# TYPE s summary\ns_sum 1\n", "s_count 1\n"),
        ("s_count 1\n", "# TYPE s summary\ns_sum 1\n"),
        ("# TYPE s histogram\ns_sum 1\n", "s_bucket 1\n"),
    ] {
        let gateway = Gateway::start();
        gateway.put("job/a", stored);
        let before = gateway.pushed();
        let answer = gateway.refused("POST", "job/a", pushed);
        assert!(answer.contains(COLLIDES), "{pushed}: {answer}");
        assert_eq!(
            gateway.pushed(),
            before,
            "POST keeps what it does not replace"
        );
        gateway.put("job/a", pushed);
        // The type goes, and with it the collision.
        gateway.put("job/a", stored);
        gateway.post("job/a", "# TYPE s gauge\ns 1\n");
    }
}

#[test]
fn a_family_may_change_its_type_when_its_other_holder_has_gone_or_let_go() {
    let gateway = Gateway::start();
    let (gauge, counter) = ("# TYPE m gauge\nm 1\n", "# TYPE m counter\nm 1\n");
    gateway.put("job/a", gauge);
    gateway.put("job/b", gauge);
    gateway.refused("PUT", "job/b", counter);
    gateway.put("job/a", "k 1\n");
    gateway.put("job/b", counter);
    gateway.refused("POST", "job/a", gauge);
    gateway.delete("job/b");
    gateway.post("job/a", gauge);
    let shown = without(&gateway.pushed(), |name| name == "k");
    assert_eq!(shown, "# TYPE m gauge\nm{instance=\"\",job=\"a\"} 1\n");
}

#[test]
fn many_name_sets_of_one_job_are_all_looked_at() {
    let gateway = Gateway::start();
    for n in 0..12 {
        gateway.put(&format!("job/a/l{n}/1"), "m 1\n");
    }
    for n in 0..12 {
        let clash = format!("k 1\nm{{l{n}=\"1\"}} 1\n");
        let answer = gateway.refused("PUT", "job/a", &clash);
        assert!(answer.contains(BEFORE), "{n}: {answer}");
    }
    let near = repeated(12, |n| format!("m{{l{n}=\"2\"}} 1\n"));
    gateway.put("job/a", &near);
}

#[test]
fn metrics_of_the_gateways_own_names_are_accepted_with_its_type() {
    let gateway = Gateway::start();
    for body in [
        "# TYPE process_open_fds gauge\nprocess_open_fds 7\n",
        "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 7\n",
        "# TYPE tidegate_scrape_duration_seconds summary\ntidegate_scrape_duration_seconds_sum 7\n",
        "# TYPE pushgateway_http_requests_total counter\npushgateway_http_requests_total 7\n",
        "# TYPE tidegate_groups_expired_total counter\ntidegate_groups_expired_total 7\n",
        "go_goroutines 7\n",
    ] {
        gateway.put("job/a", body);
        let name = body.lines().last().and_then(|line| line.split(' ').next());
        let series = format!("{}{{instance=\"\",job=\"a\"}}", name.unwrap_or_default());
        assert_eq!(gateway.value(&series).as_deref(), Some("7"), "{body}");
    }
}
