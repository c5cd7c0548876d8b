//! Pages while groups come and go: none is shown twice, none that stayed is missed.

use std::collections::BTreeSet;

use proptest::prelude::*;
use std::time::Duration;

use crate::client::{admin, fails, get, names, ok};
use crate::harness::{Gateway, SECOND};

/// All pages of a list; `between` is done after each.
fn walk(gateway: &Gateway, query: &str, mut between: impl FnMut(usize)) -> Vec<String> {
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for page in 0..100 {
        let data = get(gateway, &format!("groups?{query}{cursor}"));
        seen.extend(names(&data));
        let Some(next) = data["next_cursor"].as_str() else {
            return seen;
        };
        cursor = format!("&cursor={next}");
        between(page);
    }
    panic!("a list without an end: {seen:?}");
}

fn twenty() -> Gateway {
    let gateway = admin();
    for n in 0..20 {
        gateway.put_for(
            &format!("{}s", 100 + (n * 7) % 20),
            &format!("job/g{n:02}"),
            "m 1\n",
        );
        gateway.advance(SECOND);
    }
    gateway
}

#[test]
fn pages_together_are_the_list() {
    let gateway = twenty();
    for sort in ["job", "expires", "-expires", "last_push", "-last_push"] {
        let whole = walk(&gateway, &format!("sort={sort}&limit=1000"), |_| {});
        assert_eq!(whole.len(), 20, "{sort}");
        for limit in [1, 3, 19, 20] {
            let paged = walk(&gateway, &format!("sort={sort}&limit={limit}"), |_| {});
            assert_eq!(paged, whole, "{sort} by {limit}");
        }
    }
}

#[test]
fn groups_that_come_and_go_neither_repeat_nor_hide_others() {
    for sort in ["job", "expires", "-expires", "last_push", "-last_push"] {
        let gateway = twenty();
        // Each page that was shown loses one of its groups, even the one the cursor names; one that
        // is still ahead goes; new ones come on both sides.
        let gone: Vec<String> = (0..6).map(|n| format!("g{:02}", n * 3)).collect();
        let seen = walk(&gateway, &format!("sort={sort}&limit=3"), |page| {
            if let Some(job) = gone.get(page) {
                gateway.delete(&format!("job/{job}"));
                gateway.put_for("105s", &format!("job/a{page}"), "m 1\n");
                gateway.put_for("300s", &format!("job/z{page}"), "m 1\n");
            }
        });
        let unique: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(
            unique.len(),
            seen.len(),
            "{sort}: a group twice in {seen:?}"
        );
        for n in (0..20).filter(|n| n % 3 != 0) {
            let job = format!("g{n:02}");
            assert!(
                unique.contains(&job),
                "{sort}: {job} is missing in {seen:?}"
            );
        }
    }
}

#[test]
fn groups_that_expire_between_pages_hide_no_others() {
    let gateway = twenty();
    let seen = walk(&gateway, "sort=expires&limit=4", |page| {
        if page == 0 {
            // What the first page showed is gone by then, the cursor's group too.
            gateway.advance(85 * SECOND);
        }
    });
    let unique: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "{seen:?}");
    let last = crate::client::jobs(&gateway, "groups?sort=expires&limit=1000");
    assert!(last.len() < 20 && !last.is_empty(), "{last:?}");
    assert!(seen.ends_with(&last) || last.iter().all(|job| unique.contains(job)));
}

#[test]
fn the_history_is_paged_while_it_grows() {
    let gateway = twenty();
    for n in 0..10 {
        gateway.delete(&format!("job/g{n:02}"));
    }
    let seen = walk(&gateway, "state=expired&limit=3", |page| {
        gateway.delete(&format!("job/g{:02}", 10 + page));
    });
    let expected: Vec<String> = (0..10).rev().map(|n| format!("g{n:02}")).collect();
    assert_eq!(seen, expected, "newest first, from where it began");
}

/// What happens to a group between two pages.
#[derive(Debug, Clone, Copy)]
enum Event {
    Push(usize, u64),
    Delete(usize),
    Touch(usize),
    Override(usize, u64),
    Pass(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let (group, ttl) = (0..12_usize, 50..500_u64);
    let event = prop_oneof![
        4 => (group.clone(), ttl.clone()).prop_map(|(group, ttl)| Event::Push(group, ttl)),
        1 => group.clone().prop_map(Event::Delete),
        1 => group.clone().prop_map(Event::Touch),
        2 => (group, ttl).prop_map(|(group, ttl)| Event::Override(group, ttl)),
        2 => (1..40_u64).prop_map(Event::Pass),
    ];
    proptest::collection::vec(event, 0..5)
}

/// Eight groups at first, of twelve that there may be.
fn eight() -> Gateway {
    let gateway = admin();
    for n in 0..8 {
        gateway.put_for(
            &format!("{}s", 100 + (n * 7) % 20),
            &format!("job/g{n}"),
            "m 1\n",
        );
        gateway.advance(SECOND);
    }
    gateway
}

fn carry_out(gateway: &Gateway, event: Event) {
    let there = |n: usize| gateway.get(&format!("/api/v1/groups/job/g{n}"), &[]).status == 200;
    match event {
        Event::Push(n, ttl) => gateway.put_for(&format!("{ttl}s"), &format!("job/g{n}"), "m 2\n"),
        Event::Delete(n) => drop(gateway.delete(&format!("job/g{n}"))),
        Event::Touch(n) if there(n) => {
            drop(ok(gateway, "POST", &format!("admin/touch/job/g{n}"), ""));
        }
        Event::Override(n, ttl) if there(n) => {
            let body = format!(r#"{{"ttl":{ttl}}}"#);
            drop(ok(gateway, "PUT", &format!("admin/ttl/job/g{n}"), &body));
        }
        Event::Pass(seconds) => gateway.advance(Duration::from_secs(seconds)),
        Event::Touch(_) | Event::Override(..) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_group_that_is_there_from_the_first_page_to_the_last_is_shown_exactly_once(
        sort in proptest::sample::select(vec!["job", "expires", "-expires", "last_push", "-last_push"]),
        limit in 1..5_usize,
        between in proptest::collection::vec(events(), 12),
    ) {
        let gateway = eight();
        let all = |gateway: &Gateway| -> BTreeSet<String> {
            names(&get(gateway, "groups?limit=1000")).into_iter().collect()
        };
        let mut stayed = all(&gateway);
        let seen = walk(&gateway, &format!("sort={sort}&limit={limit}"), |page| {
            for event in between.get(page).into_iter().flatten() {
                carry_out(&gateway, *event);
                let there = all(&gateway);
                stayed.retain(|group| there.contains(group));
            }
        });
        let unique: BTreeSet<String> = seen.iter().cloned().collect();
        prop_assert_eq!(unique.len(), seen.len(), "twice in {:?}", seen);
        let missed: Vec<&String> = stayed.difference(&unique).collect();
        prop_assert!(missed.is_empty(), "{:?} are missing in {:?}", missed, seen);
    }
}

#[test]
fn a_list_goes_on_in_the_order_of_its_first_page_and_shows_groups_as_they_are() {
    let gateway = eight();
    let first = get(&gateway, "groups?sort=last_push&limit=3");
    assert_eq!(names(&first), ["g0", "g1", "g2"]);
    for pushed in ["g0", "g1", "g3"] {
        gateway.put_for("1h", &format!("job/{pushed}"), "m 2\n");
    }
    let cursor = first["next_cursor"].as_str().expect("more pages");
    for _ in 0..2 {
        let second = get(
            &gateway,
            &format!("groups?sort=last_push&limit=3&cursor={cursor}"),
        );
        assert_eq!(names(&second), ["g3", "g4", "g5"], "the same page again");
        assert_eq!(second["groups"][0]["ttl"], "1h");
    }
}

#[test]
fn a_cursor_of_a_list_that_is_not_kept_is_refused() {
    let mut gateway = eight();
    let first = get(&gateway, "groups?sort=expires&limit=3");
    let cursor = first["next_cursor"]
        .as_str()
        .expect("more pages")
        .to_owned();
    let refused = |gateway: &Gateway, query: &str| {
        let (status, _, text) = fails(
            gateway,
            "GET",
            &format!("groups?{query}&cursor={cursor}"),
            "",
        );
        assert_eq!(status, 400, "{text}");
        assert!(
            text.contains("the list of this cursor is not kept any more"),
            "{text}"
        );
    };
    for other in [
        "sort=-expires",
        "sort=last_push",
        "sort=expires&state=live",
        "sort=expires&match[]={}",
    ] {
        refused(&gateway, &format!("{other}&limit=3"));
    }
    // For ten minutes, and by this run of the program.
    gateway.put_for("1h", "job/g7", "m 2\n");
    gateway.advance(600 * SECOND);
    assert_eq!(
        names(&get(
            &gateway,
            &format!("groups?sort=expires&cursor={cursor}")
        )),
        ["g7"]
    );
    gateway.advance(601 * SECOND);
    refused(&gateway, "sort=expires");
    gateway.restart();
    refused(&gateway, "sort=expires");
}
