//! Deleting on the page: asked first, done by a form, never for another site.

use crate::browser::{Page, admin, escaped, load, loads_as, parse, submit};
use crate::harness::{Gateway, HOUR, Options};

/// The page that asks whether the first group is to be deleted.
fn asked(gateway: &Gateway) -> Page {
    let list = load(gateway, "/");
    load(gateway, &list.links("article a.delete").remove(0))
}

/// That the page for a refused form says so, and that the groups are all there.
#[track_caller]
fn refuses(gateway: &Gateway, form: &(String, String), headers: &[(&str, &str)], status: u16) {
    let before = gateway.exposition();
    let answer = gateway.send("POST", &form.0, headers, &form.1);
    assert_eq!(answer.status, status, "{form:?}: {}", answer.text());
    assert!(!parse(&answer, &form.0).texts("p.failed").is_empty());
    assert_eq!(gateway.exposition(), before, "{form:?}");
}

#[test]
fn a_group_is_deleted_by_the_form_that_asks() {
    let gateway = Gateway::start();
    let key = "job/a/path@base64/L3Zhci90bXA/empty@base64/=/nl@base64/YQpiDQo";
    gateway.put(key, "m 1\n");
    gateway.put("job/a", "m 2\n");
    let page = asked(&gateway);
    let list = load(&gateway, "/");
    let page = if page.texts(".badge").len() == 4 {
        page
    } else {
        load(&gateway, &list.links("article a.delete").remove(1))
    };
    assert_eq!(
        page.texts(".badge"),
        [
            r#"job="a""#,
            r#"empty="""#,
            r#"nl="a\nb\r\n""#,
            r#"path="/var/tmp""#
        ]
    );
    // Being asked deletes nothing.
    assert_eq!(gateway.pushed().matches("\nm{").count(), 2);
    let form = page.form();
    let answer = submit(&gateway, &form);
    let seen = (answer.status, answer.header("Location"));
    assert_eq!(seen, (303, Some("../")));
    assert_eq!(
        gateway.pushed(),
        "# TYPE m untyped\nm{instance=\"\",job=\"a\"} 2\n"
    );
    // Once more: it is gone.
    let again = submit(&gateway, &form);
    assert_eq!(again.status, 404);
    assert!(parse(&again, &form.0).text().contains("no group {"));
}

#[test]
fn without_the_token_nothing_is_deleted() {
    let gateway = admin();
    gateway.put("job/a", "m 1\n");
    gateway.put("job/b", "m 1\n");
    let (to, fields) = asked(&gateway).form();
    let wipe = load(&gateway, "/-/wipe").form();
    let (key, token) = fields.split_once("&token=").expect("a token");
    let other = escaped("Yv8");
    for body in [
        key.to_owned(),
        format!("{key}&token="),
        format!("{key}&token={}", token.to_uppercase()),
        // The token of another group, and that of all groups.
        format!("key={other}&token={token}"),
        format!("{key}&{}", wipe.1),
        format!("{key}&token=%2A"),
    ] {
        refuses(&gateway, &(to.clone(), body), &[], 403);
    }
    for body in [format!("token={token}"), String::new()] {
        refuses(&gateway, &(wipe.0.clone(), body), &[], 403);
    }
    for body in ["", "key=*", "key", "%zz", "a=%ff"] {
        refuses(&gateway, &(to.clone(), body.to_owned()), &[], 400);
    }
    let large = format!("{fields}&x={}", "x".repeat(70_000));
    refuses(&gateway, &(to.clone(), large), &[], 413);
    for at in [to.as_str(), wipe.0.as_str()] {
        for method in ["PUT", "DELETE"] {
            assert_eq!(gateway.send(method, at, &[], &fields).status, 405);
        }
    }
    assert_eq!(gateway.pushed().matches("\nm{").count(), 2);
}

#[test]
fn a_form_that_another_site_sends_is_refused() {
    let gateway = admin();
    gateway.put("job/a", "m 1\n");
    let form = asked(&gateway).form();
    let wipe = load(&gateway, "/-/wipe").form();
    for site in ["cross-site", "same-site"] {
        refuses(&gateway, &form, &[("Sec-Fetch-Site", site)], 403);
        refuses(&gateway, &wipe, &[("Sec-Fetch-Site", site)], 403);
    }
    // Its own forms are taken whatever name the proxy in front gives the host.
    let headers = [
        ("Sec-Fetch-Site", "same-origin"),
        ("Origin", "https://push.example.org"),
    ];
    assert_eq!(gateway.send("POST", &form.0, &headers, &form.1).status, 303);
}

#[test]
fn forms_are_of_no_use_to_another_process() {
    let mut gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    let form = asked(&gateway).form();
    gateway.restart();
    refuses(&gateway, &form, &[], 403);
    assert_eq!(submit(&gateway, &asked(&gateway).form()).status, 303);
}

#[test]
fn all_groups_are_deleted_with_the_admin_api_only() {
    let gateway = admin();
    for job in ["a", "b", "c"] {
        gateway.put(&format!("job/{job}"), "m 1\n");
    }
    let page = load(&gateway, &load(&gateway, "/").link("a[href='-/wipe']"));
    assert!(page.text().contains("All 3 groups"), "{}", page.text());
    assert_eq!(gateway.counts().0, "3");
    let answer = submit(&gateway, &page.form());
    assert_eq!(
        (answer.status, answer.header("Location")),
        (303, Some("../"))
    );
    assert_eq!(gateway.pushed(), "");
    assert!(load(&gateway, "/").all("a[href='-/wipe']").is_empty());

    let closed = Gateway::start();
    closed.put("job/a", "m 1\n");
    assert!(load(&closed, "/").all("a[href='-/wipe']").is_empty());
    let page = loads_as(&closed, "/-/wipe", 403);
    assert!(page.text().contains("--web.enable-admin-api"));
    refuses(&closed, &("/-/wipe".to_owned(), String::new()), &[], 403);
}

#[test]
fn an_expired_group_is_not_there_to_be_deleted() {
    let gateway = Gateway::with(Options::default());
    gateway.put_for("1h", "job/a", "m 1\n");
    let list = load(&gateway, "/");
    let (delete, form) = (list.link("article a.delete"), asked(&gateway).form());
    gateway.advance(HOUR);
    loads_as(&gateway, &delete, 404);
    assert_eq!(submit(&gateway, &form).status, 404);
}
