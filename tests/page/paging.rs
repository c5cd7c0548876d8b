//! Pages are bounded, and together show everything once.

use std::fmt::Write as _;

use serde_json::json;
use tidegate::limits::{PAGE_FAMILIES, PAGE_GROUPS, PAGE_SERIES};

use crate::browser::{Page, load, walk};
use crate::harness::{Gateway, repeated};

/// What the first page may weigh.
const FIRST_PAGE: usize = 100_000;

/// The jobs on some pages, in order.
fn jobs(pages: &[Page]) -> Vec<String> {
    let texts = pages.iter().flat_map(|page| page.texts("article .job"));
    texts
        .map(|text| text.replace("job=", "").replace('"', ""))
        .collect()
}

fn push_many(gateway: &Gateway, groups: usize) {
    let groups: Vec<_> = (0..groups)
        .map(|n| {
            let labels = json!({
                "job": format!("job-{n:05}"),
                "instance": format!("host-{n}.example.org:9100"),
                "zone": "eu-central-1",
                "team": "payments",
            });
            json!({ "labels": labels, "body": "m 1\n", "ttl": "6h" })
        })
        .collect();
    let body = json!({ "groups": groups }).to_string();
    let answer = gateway.send("POST", "/api/v1/push", &[], body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn the_first_of_ten_thousand_groups_fit_a_small_page() {
    let gateway = Gateway::start();
    push_many(&gateway, 10_000);
    let first = load(&gateway, "/");
    assert!(first.bytes < FIRST_PAGE, "{}", first.bytes);
    assert_eq!(jobs(std::slice::from_ref(&first)).len(), PAGE_GROUPS);
    let text = first.text();
    assert!(text.contains("10000 groups stored"), "{text}");
    let next = load(&gateway, &first.link("a[rel=next]"));
    assert!(next.bytes < FIRST_PAGE, "{}", next.bytes);
    assert_eq!(jobs(&[next])[0], format!("job-{PAGE_GROUPS:05}"));
}

#[test]
fn every_group_is_on_one_page_in_the_order_of_keys() {
    let gateway = Gateway::start();
    push_many(&gateway, 3 * PAGE_GROUPS + 1);
    // A group of which only a failed push is known stands in between.
    gateway.refused("PUT", "job/job-00059z", "# TYPE m counter\nm 1\n");
    let pages = walk(&gateway, "/");
    assert_eq!(pages.len(), 4);
    let jobs = jobs(&pages);
    assert_eq!(jobs.len(), 3 * PAGE_GROUPS + 2);
    assert!(jobs.is_sorted_by_key(|job| format!("{job}~")), "{jobs:?}");
    assert_eq!(jobs[59], "job-00059z");
    let back = pages[2].link("nav.pages a:not([rel])");
    assert_eq!(load(&gateway, &back).at, "/?match=");
}

#[test]
fn pages_stay_right_while_groups_come_and_go() {
    let gateway = Gateway::start();
    push_many(&gateway, 2 * PAGE_GROUPS);
    let first = load(&gateway, "/");
    let next = first.link("a[rel=next]");
    gateway.put("job/a", "m 1\n");
    gateway
        .delete("job/job-00003/instance/host-3.example.org:9100/zone/eu-central-1/team/payments");
    let begins = format!("job/job-{PAGE_GROUPS:05}/instance/host-{PAGE_GROUPS}.example.org:9100");
    gateway.delete(&format!("{begins}/zone/eu-central-1/team/payments"));
    let second = jobs(&[load(&gateway, &next)]);
    let expected: Vec<String> = (PAGE_GROUPS + 1..2 * PAGE_GROUPS)
        .map(|n| format!("job-{n:05}"))
        .collect();
    assert_eq!(second, expected);
}

#[test]
fn a_page_of_groups_with_long_labels_ends_earlier() {
    let gateway = Gateway::start();
    for n in 0..30 {
        let long = "x".repeat(10_000);
        gateway.put(&format!("job/{n:02}{long}/l/{long}"), "m 1\n");
        let labels = repeated(400, |label| format!("/label{label:03}/value"));
        gateway.put(&format!("job/z{n:02}{labels}"), "m 1\n");
    }
    let pages = walk(&gateway, "/");
    assert_eq!(jobs(&pages).len(), 60);
    for page in pages {
        assert!(page.bytes < 2 * FIRST_PAGE, "{}", page.bytes);
    }
}

#[test]
fn a_group_of_a_hundred_thousand_series_has_small_pages() {
    let gateway = Gateway::start();
    let body = repeated(100_000, |n| format!("many{{n=\"{n}\"}} {n}\n"));
    gateway.put("job/a", &body);
    let page = load(&gateway, &load(&gateway, "/").link("article h2 a"));
    assert!(page.bytes < FIRST_PAGE, "{}", page.bytes);
    let family = load(&gateway, &page.link("details a"));
    assert!(family.bytes < 2 * FIRST_PAGE, "{}", family.bytes);
    assert_eq!(page.texts("details a"), ["All 100000 series"]);
}

#[test]
fn every_series_of_a_family_is_on_one_page() {
    let gateway = Gateway::start();
    let count = 2 * PAGE_SERIES + 7;
    let body = repeated(count, |n| format!("many{{n=\"{n}\"}} {n}\n"));
    gateway.put("job/a", &(body + "manyfold 1\n"));
    let page = load(&gateway, &load(&gateway, "/").link("article h2 a"));
    let pages = walk(&gateway, &page.link("details a"));
    let values: Vec<String> = pages
        .iter()
        .flat_map(|page| page.texts("td.value"))
        .collect();
    let expected: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    assert_eq!(values, expected);
    // The family may go meanwhile; one whose name begins alike is not taken for it.
    gateway.put("job/a", "manyfold 1\n");
    let gone = load(&gateway, &pages[1].at);
    assert!(gone.text().contains("no such metric any more"));
}

#[test]
fn every_family_of_a_group_is_on_one_page() {
    let gateway = Gateway::start();
    let count = 2 * PAGE_FAMILIES + 3;
    gateway.put("job/a", &repeated(count, |n| format!("family_{n:04} 1\n")));
    let pages = walk(&gateway, &load(&gateway, "/").link("article h2 a"));
    let names: Vec<String> = pages
        .iter()
        .flat_map(|page| page.texts("summary .name"))
        .collect();
    let mut expected: Vec<String> = (0..count).map(|n| format!("family_{n:04}")).collect();
    expected.extend(["push_failure_time_seconds", "push_time_seconds"].map(str::to_owned));
    assert_eq!(names, expected);
    for page in pages {
        assert!(page.bytes < FIRST_PAGE, "{}", page.bytes);
    }
}

#[test]
fn long_names_helps_and_histograms_are_cut() {
    let gateway = Gateway::start();
    let (name, text) = ("n".repeat(100_000), "t".repeat(100_000));
    let mut body = format!("# HELP {name} {text}\n{name}{{l{name}=\"{text}\"}} 1\n");
    body += "# TYPE h histogram\n";
    for bound in 0..10_000 {
        let _ = writeln!(body, "h_bucket{{le=\"{bound}\"}} {bound}");
    }
    body += "h_count 10000\nh_sum 1\n";
    gateway.put("job/a", &body);
    let page = load(&gateway, &load(&gateway, "/").link("article h2 a"));
    assert!(page.bytes < FIRST_PAGE, "{}", page.bytes);
    let text = page.text();
    assert!(text.contains("bytes more)"), "{text}");
    assert!(text.contains("and 9900 more"), "{text}");
}
