//! Methods, doors and headers of the API.

use serde_json::Value;

use crate::client::{admin, fails, get, jobs, ok};
use crate::harness::Gateway;
use crate::support::http::Response;

/// Every route, the methods it has, and whether it needs the admin API.
const ROUTES: [(&str, &str, bool); 12] = [
    ("groups", "GET, HEAD, OPTIONS", false),
    ("groups/job/a", "GET, HEAD, OPTIONS", false),
    ("ttl", "GET, HEAD, OPTIONS", false),
    ("ttl/explain", "GET, HEAD, OPTIONS", false),
    ("ttl/explain/job/a", "GET, HEAD, OPTIONS", false),
    ("openapi.yaml", "GET, HEAD, OPTIONS", false),
    ("push", "OPTIONS, POST", false),
    ("admin/ttl/job/a", "DELETE, OPTIONS, PUT", true),
    ("admin/touch/job/a", "OPTIONS, POST", true),
    ("admin/delete_groups", "OPTIONS, POST", true),
    ("admin/ttl/reap", "OPTIONS, POST", true),
    ("admin/ttl/pause", "OPTIONS, POST", true),
];

fn send(gateway: &Gateway, method: &str, path: &str) -> Response {
    gateway.send(method, &format!("/api/v1/{path}"), &[], "")
}

/// Browsers show it to no page of another site.
#[track_caller]
fn is_for_no_other_site(answer: &Response, what: &str) {
    for name in [
        "Access-Control-Allow-Headers",
        "Access-Control-Allow-Methods",
        "Access-Control-Allow-Origin",
        "Access-Control-Expose-Headers",
    ] {
        assert_eq!(answer.header(name), None, "{what}");
    }
}

#[test]
fn every_route_names_its_methods_and_refuses_others() {
    let gateway = admin();
    for (path, allow, _) in ROUTES
        .into_iter()
        .chain([("admin/ttl/resume", "OPTIONS, POST", true)])
    {
        let options = send(&gateway, "OPTIONS", path);
        assert_eq!(
            (options.status, options.header("Allow")),
            (200, Some(allow)),
            "{path}"
        );
        is_for_no_other_site(&options, path);
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if !allow.contains(method) {
                let refused = send(&gateway, method, path);
                let seen = (refused.status, refused.header("Allow"));
                assert_eq!(seen, (405, Some(allow)), "{method} {path}");
            }
        }
    }
}

#[test]
fn without_the_flag_the_admin_api_answers_403_and_names_it() {
    let gateway = Gateway::start();
    gateway.put_for("10s", "job/a", "m 1\n");
    let before = get(&gateway, "groups/job/a");
    for (path, allow, is_admin) in ROUTES {
        for method in allow.split(", ").filter(|_| is_admin) {
            if method != "OPTIONS" {
                let (status, kind, text) = fails(&gateway, method, path, "{}");
                assert_eq!(
                    (status, kind.as_str()),
                    (403, "forbidden"),
                    "{method} {path}"
                );
                assert!(text.contains("--web.enable-admin-api"), "{text}");
            }
        }
    }
    assert_eq!(get(&gateway, "groups/job/a"), before);
    assert_eq!(get(&gateway, "ttl")["paused"], Value::Null);
}

#[test]
fn only_what_the_pushgateway_lets_any_web_page_read_may_be_read_by_any() {
    let gateway = admin();
    gateway.put("job/a", "m 1\n");
    let kept = |answer: &Response| answer.header("Cache-Control").map(str::to_owned);
    let never = Some("no-cache, no-store, must-revalidate".to_owned());
    for path in [
        "groups",
        "groups/job/a",
        "groups/job/none",
        "groups?limit=0",
        "ttl",
        "ttl/explain/job/a",
        "openapi.yaml",
    ] {
        for method in ["GET", "HEAD"] {
            let answer = send(&gateway, method, path);
            is_for_no_other_site(&answer, path);
            assert_eq!(kept(&answer), never, "{path}");
        }
    }
    for path in ["push", "admin/ttl/reap"] {
        is_for_no_other_site(&send(&gateway, "POST", path), path);
    }
    for path in ["status", "metrics"] {
        let answer = send(&gateway, "GET", path);
        for (name, value) in [
            (
                "Access-Control-Allow-Headers",
                "Accept, Authorization, Content-Type, Origin",
            ),
            ("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"),
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Expose-Headers", "Date"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert_eq!(kept(&answer), never, "{path}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let gateway = admin();
    let got = send(&gateway, "GET", "groups");
    let head = send(&gateway, "HEAD", "groups");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("Content-Length"), got.header("Content-Length"));
}

#[test]
fn unknown_paths_are_404() {
    let gateway = admin();
    for path in [
        "",
        "group",
        "groups/a",
        "groups/job",
        "ttl/explain/x",
        "admin",
        "admin/ttl/",
        "admin/ttl/x",
        "admin/touch",
        "push/job/a",
        "metrics2",
    ] {
        assert_eq!(send(&gateway, "GET", path).status, 404, "{path}");
    }
}

#[test]
fn slashes_at_the_end_and_letter_case_are_redirected_with_the_prefix() {
    let gateway = admin();
    for (method, path, status, location) in [
        ("GET", "status/", 301, "/api/v1/status"),
        ("GET", "Metrics", 301, "/api/v1/metrics"),
        ("HEAD", "groups/?limit=1", 301, "/api/v1/groups?limit=1"),
        ("PUT", "admin/wipe/", 307, "/api/v1/admin/wipe"),
        ("POST", "admin/TTL/reap", 307, "/api/v1/admin/ttl/reap"),
        ("DELETE", "admin/ttl/", 307, "/api/v1/admin/ttl"),
        ("GET", "OpenAPI.yaml", 301, "/api/v1/openapi.yaml"),
    ] {
        let answer = send(&gateway, method, path);
        let seen = (answer.status, answer.header("Location"));
        assert_eq!(seen, (status, Some(location)), "{method} {path}");
    }
    for (method, path) in [
        ("GET", "admin/wipe/"),
        ("PUT", "status/"),
        ("BREW", "status/"),
    ] {
        assert_eq!(send(&gateway, method, path).status, 404, "{method} {path}");
    }
}

/// What a page of another site can make a visitor's browser send.
#[test]
fn nothing_is_done_for_another_site() {
    let gateway = admin();
    gateway.put("job/a", "m 1\n");
    let ours = format!("http://{}", gateway.address());
    for (method, path) in [
        ("PUT", "admin/wipe"),
        ("POST", "admin/delete_groups?match[]={}"),
        ("PUT", "admin/ttl/job/a"),
        ("DELETE", "admin/ttl/job/a"),
        ("POST", "admin/touch/job/a"),
        ("POST", "admin/ttl/pause"),
        ("POST", "admin/ttl/resume"),
        ("POST", "admin/ttl/reap"),
    ] {
        for header in [
            ("Origin", "http://evil.example"),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"),
        ] {
            let answer = gateway.send(method, &format!("/api/v1/{path}"), &[header], "");
            assert_eq!(answer.status, 403, "{method} {path} {header:?}");
            assert!(answer.text().contains("another site asked for this"));
        }
    }
    assert_eq!(jobs(&gateway, "groups"), ["a"]);
    let wipe = |header| {
        gateway
            .send("PUT", "/api/v1/admin/wipe", &[header], "")
            .status
    };
    assert_eq!(wipe(("Origin", &ours)), 202);
    // What other sites may read and push they may as with the Pushgateway.
    let foreign = [("Origin", "http://evil.example")];
    assert_eq!(gateway.get("/api/v1/groups", &foreign).status, 200);
    assert_eq!(
        gateway
            .send("POST", "/metrics/job/b", &foreign, "m 1\n")
            .status,
        200
    );
}

#[test]
fn the_description_is_served() {
    let gateway = Gateway::start();
    let answer = send(&gateway, "GET", "openapi.yaml");
    assert_eq!(answer.header("Content-Type"), Some("application/yaml"));
    assert!(answer.text().starts_with("openapi: 3.1."));
}

#[test]
fn who_did_it_is_the_peer() {
    let gateway = admin();
    gateway.put("job/a", "m 1\n");
    ok(&gateway, "PUT", "admin/ttl/job/a", r#"{"ttl":"1h"}"#);
    assert_eq!(get(&gateway, "groups/job/a")["override"]["by"], "127.0.0.1");
}
