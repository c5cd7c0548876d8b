//! Pages while groups come and go: none is shown twice, none that stayed is missed.

use std::collections::BTreeSet;

use crate::client::{admin, get, names};
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
