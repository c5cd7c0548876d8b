//! Where the pages are, what they refer to, and how they are counted.

use tidegate::http::Site;
use tidegate::settings::Paths;

use crate::browser::{admin, load, resolve, submit};
use crate::harness::{Gateway, Options};

fn at(prefix: &str, telemetry: &str) -> Gateway {
    let paths = Paths {
        prefix: prefix.to_owned(),
        telemetry: telemetry.to_owned(),
    };
    let site = Site {
        paths,
        flags: Vec::new(),
    };
    let mut options = Options {
        site,
        ..Options::default()
    };
    options.doors.admin = true;
    Gateway::with(options)
}

/// Every page reachable from the first, with all that it refers to, is there.
#[test]
fn all_that_pages_refer_to_is_behind_the_prefix() {
    for (prefix, telemetry) in [("", "/metrics"), ("/foo/b r", "/own/m x")] {
        let gateway = at(prefix, telemetry);
        let prefix = prefix.replace(' ', "%20");
        let push = format!("{prefix}/metrics/job/a/x/1");
        let body = "m{n=\"1\"} 1\n".to_owned()
            + &crate::harness::repeated(20, |n| format!("m{{n=\"n{n}\"}} 1\n"));
        assert_eq!(gateway.send("PUT", &push, &[], body).status, 200);
        let (mut seen, mut ahead) = (Vec::new(), vec![format!("{prefix}/")]);
        while let Some(address) = ahead.pop() {
            if seen.contains(&address) {
                continue;
            }
            assert!(address.starts_with(&format!("{prefix}/")), "{address}");
            let answer = gateway.get(&address, &[]);
            assert_eq!(answer.status, 200, "{address}");
            if answer.header("Content-Type") == Some("text/html; charset=utf-8") {
                ahead.extend(load(&gateway, &address).links("a, link"));
            }
            seen.push(address);
        }
        for expected in [
            "/status",
            "/own/m%20x",
            "/metrics",
            "/api/v1/openapi.yaml",
            "/static/style.css",
            "/static/icon.svg",
            "/-/group",
            "/-/delete",
            "/-/wipe",
        ] {
            let there = seen
                .iter()
                .any(|at| at.starts_with(&format!("{prefix}{expected}")));
            let other = telemetry == "/metrics" && expected.starts_with("/own")
                || telemetry != "/metrics" && expected == "/metrics";
            assert!(there != other, "{expected}: {seen:?}");
        }
        let list = load(&gateway, &format!("{prefix}/"));
        let form = load(&gateway, &list.link("article a.delete")).form();
        let done = submit(&gateway, &form);
        let to = done.header("Location").expect("a place to go");
        assert_eq!(resolve(&form.0, to), format!("{prefix}/"));
        assert_eq!(gateway.get(&format!("{prefix}/nothing"), &[]).status, 404);
    }
}

#[test]
fn assets_are_ours_and_refer_to_nothing() {
    let gateway = Gateway::start();
    for (path, kind) in [
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/icon.svg", "image/svg+xml"),
    ] {
        let answer = gateway.get(path, &[]);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("Content-Type"), Some(kind));
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
        let text = answer.text();
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for other in ["http", "//", "url(", "@import", "<script", "href"] {
            assert!(!text.contains(other), "{path}: {other}");
        }
    }
    for path in [
        "/static",
        "/static/",
        "/static/x",
        "/static/../x",
        "/favicon.ico",
    ] {
        assert_ne!(gateway.get(path, &[]).status, 200, "{path}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let gateway = admin();
    gateway.put("job/a", "m 1\n");
    let list = load(&gateway, "/");
    let (group, delete) = (list.link("article h2 a"), list.link("article a.delete"));
    for path in [
        "/",
        "/status",
        "/-/wipe",
        "/static/style.css",
        &group,
        &delete,
    ] {
        let (got, head) = (gateway.get(path, &[]), gateway.send("HEAD", path, &[], ""));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        for name in ["Content-Type", "Content-Length", "Content-Security-Policy"] {
            assert_eq!(head.header(name), got.header(name), "{path}");
        }
    }
}

#[test]
fn other_methods_are_refused_and_slashes_mended() {
    let gateway = Gateway::start();
    for (method, path, status, header, value) in [
        ("POST", "/", 405, "Allow", "GET, HEAD, OPTIONS"),
        ("DELETE", "/status", 405, "Allow", "GET, HEAD, OPTIONS"),
        (
            "PUT",
            "/static/style.css",
            405,
            "Allow",
            "GET, HEAD, OPTIONS",
        ),
        ("PUT", "/-/delete", 405, "Allow", "GET, HEAD, OPTIONS, POST"),
        ("OPTIONS", "/", 200, "Allow", "GET, HEAD, OPTIONS"),
        (
            "OPTIONS",
            "/-/wipe",
            200,
            "Allow",
            "GET, HEAD, OPTIONS, POST",
        ),
        ("GET", "/status/", 301, "Location", "/status"),
        ("GET", "/Status", 301, "Location", "/status"),
    ] {
        let answer = gateway.send(method, path, &[], "");
        let seen = (answer.status, answer.header(header));
        assert_eq!(seen, (status, Some(value)), "{method} {path}");
    }
}

/// Section 3.3: the handlers are `status` and `static`.
#[test]
fn pages_and_assets_are_counted() {
    let gateway = Gateway::start();
    gateway.get("/", &[]);
    gateway.get("/status", &[]);
    gateway.get("/?match=x", &[]);
    gateway.get("/-/group?key=Yv8", &[]);
    gateway.get("/static/style.css", &[]);
    gateway.get("/static/nothing", &[]);
    let text = gateway.scrape();
    for line in [
        r#"{code="200",handler="static",method="get"} 1"#,
        r#"{code="200",handler="status",method="get"} 2"#,
        r#"{code="400",handler="status",method="get"} 1"#,
        r#"{code="404",handler="status",method="get"} 1"#,
    ] {
        let line = format!("pushgateway_http_requests_total{line}");
        assert!(text.contains(&line), "{line}\n{text}");
    }
    assert_eq!(text.matches("handler=\"static\"").count(), 1);
}
