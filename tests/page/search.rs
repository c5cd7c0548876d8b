//! Searching groups by matchers.

use crate::browser::{escaped, load, loads_as, walk};
use crate::harness::Gateway;

fn found(gateway: &Gateway, matcher: &str) -> Vec<String> {
    let pages = walk(gateway, &format!("/?match={}", escaped(matcher)));
    pages
        .iter()
        .flat_map(|page| page.texts("article h2"))
        .collect()
}

#[test]
fn a_matcher_chooses_groups() {
    let gateway = Gateway::start();
    for group in ["job/a/zone/eu", "job/a/zone/us", "job/b"] {
        gateway.put(group, "m 1\n");
    }
    for (matcher, expected) in [
        (
            r#"{job="a"}"#,
            &[r#"job="a" zone="eu""#, r#"job="a" zone="us""#][..],
        ),
        (r#"  {job="a",zone=~"u."} "#, &[r#"job="a" zone="us""#]),
        (r#"{zone=""}"#, &[r#"job="b""#]),
        (r#"{job="c"}"#, &[]),
    ] {
        assert_eq!(found(&gateway, matcher), expected, "{matcher}");
    }
    assert_eq!(found(&gateway, "{}").len(), 3);
    assert_eq!(found(&gateway, "").len(), 3);
    let none = load(&gateway, &format!("/?match={}", escaped(r#"{job="c"}"#)));
    assert!(none.text().contains("No groups here."));
}

#[test]
fn a_search_goes_on_over_all_its_pages() {
    let gateway = Gateway::start();
    for n in 0..120 {
        gateway.put(&format!("job/j{n:03}/even/{}", n % 2 == 0), "m 1\n");
    }
    let found = found(&gateway, r#"{even="true",job=~"j.+&?"}"#);
    let expected: Vec<String> = (0..120)
        .step_by(2)
        .map(|n| format!("job=\"j{n:03}\" even=\"true\""))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_wrong_with_a_matcher_is_shown() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    for (matcher, says) in [
        (r#"{job="a""#, "expected"),
        (r#"{job=~"("}"#, "("),
        ("<script>", "<script>"),
    ] {
        let page = loads_as(&gateway, &format!("/?match={}", escaped(matcher)), 400);
        let fault = page.texts("p.failed[role=alert]").concat();
        assert!(fault.contains(says), "{matcher}: {fault}");
        assert!(page.all("article").is_empty());
        let field = page.all("input[name=match]")[0].attr("value");
        assert_eq!(field, Some(matcher));
    }
    for path in [
        "/?match=%zz",
        "/?match=%7B%7D&match=%7B%7D",
        "/?from=*",
        "/-/group",
        "/-/group?key=*",
        "/-/group?key=YQ",
        "/-/group?key=Yf8&series=-1",
        "/-/delete?key=",
    ] {
        loads_as(&gateway, path, 400);
    }
    loads_as(&gateway, "/-/group?key=Yv8", 404);
    loads_as(&gateway, "/-/delete?key=Yv8", 404);
}
