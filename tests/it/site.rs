//! Where the pages are: prefix, telemetry path, what is nearly a path, and the end by HTTP.

use tidegate::config::{PolicySource, TtlFlags};
use tidegate::http::{Doors, Site};
use tidegate::settings::Paths;

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
    Gateway::with(Options {
        site,
        ..Options::default()
    })
}

fn with_lifecycle() -> Gateway {
    let source = PolicySource {
        file: None,
        flags: TtlFlags::default(),
    };
    let doors = Doors {
        reload: Some(source),
        ..Doors::default()
    };
    Gateway::with(Options {
        doors,
        ..Options::default()
    })
}

/// Section 1: everything except the one GET of `/-/quit` moves under the prefix.
#[test]
fn a_prefix_is_in_front_of_everything() {
    let gateway = at("/foo", "/own/metrics");
    for (method, path, status, text) in [
        ("PUT", "/foo/metrics/job/a", 200, ""),
        ("PUT", "/foo/ttl/1h/metrics/job/a", 200, ""),
        ("DELETE", "/foo/metrics/job/a", 202, ""),
        ("GET", "/foo/-/healthy", 200, "OK"),
        ("GET", "/foo/-/ready", 200, "OK"),
        (
            "POST",
            "/foo/-/reload",
            403,
            "Lifecycle API is not enabled.",
        ),
        ("PUT", "/foo/-/quit", 403, "Lifecycle API is not enabled."),
        ("GET", "/foo/-/quit", 405, "Method Not Allowed\n"),
        ("GET", "/-/quit", 405, "Only POST or PUT requests allowed."),
        ("PUT", "/-/quit", 405, "Method Not Allowed\n"),
        ("GET", "/foo/metrics", 404, "404 page not found\n"),
        ("GET", "/metrics", 404, "404 page not found\n"),
        ("PUT", "/metrics/job/a", 404, "404 page not found\n"),
        ("GET", "/-/healthy", 404, "404 page not found\n"),
        ("GET", "/api/v1/status", 404, "404 page not found\n"),
        ("OPTIONS", "/api/v1/status", 404, "404 page not found\n"),
        ("GET", "/foobar", 404, "404 page not found\n"),
    ] {
        let answer = gateway.send(method, path, &[], "");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, text),
            "{method} {path}"
        );
    }
    for path in [
        "own/metrics",
        "api/v1/status",
        "api/v1/metrics",
        "api/v1/groups",
    ] {
        assert_eq!(
            gateway.get(&format!("/foo/{path}"), &[]).status,
            200,
            "{path}"
        );
    }
}

/// Section 1, redirect layers: ours keep the method, are escaped once and lose no prefix.
#[test]
fn what_is_nearly_a_path_is_redirected_to_it() {
    let gateway = at("/foo", "/metrics");
    for (method, path, status, location) in [
        ("GET", "/foo", 301, "/foo/"),
        ("GET", "/Foo", 301, "/foo/"),
        ("GET", "/foo/metrics/", 301, "/foo/metrics"),
        ("HEAD", "/foo/metrics/", 301, "/foo/metrics"),
        ("GET", "/FOO/Metrics/?x=1%202", 301, "/foo/metrics?x=1%202"),
        ("GET", "/foo/-/Healthy/", 301, "/foo/-/healthy"),
        ("GET", "/-/quit/", 301, "/-/quit"),
        ("GET", "/foo/api/v1?y=1", 301, "/foo/api/v1/?y=1"),
        ("PUT", "/foo/api/v1", 307, "/foo/api/v1/"),
        ("GET", "/foo/api/v1/STATUS/", 301, "/foo/api/v1/status"),
        ("PUT", "/foo/METRICS/job/a", 307, "/foo/metrics/job/a"),
        (
            "PUT",
            "/foo/METRICS/job/a%20b/c/%2Fd?x",
            307,
            "/foo/metrics/job/a%20b/c/%2Fd?x",
        ),
        (
            "PUT",
            "/foo/Metrics/job@BASE64/eA",
            307,
            "/foo/metrics/job@base64/eA",
        ),
        ("POST", "/foo/-/quit/", 307, "/foo/-/quit"),
        ("PUT", "/foo/metrics/job/", 307, "/foo/metrics/job"),
        ("DELETE", "/foo/metrics/job/", 307, "/foo/metrics/job"),
        ("GET", "/foo//metrics", 307, "/foo/metrics"),
        // Browsers would take it for `//evil.example`, which is another site.
        ("GET", "//\\evil.example", 307, "/%5Cevil.example"),
        ("GET", "/./\\evil.example/", 307, "/%5Cevil.example/"),
    ] {
        let answer = gateway.send(method, path, &[], "m 1\n");
        let seen = (answer.status, answer.header("Location"));
        assert_eq!(seen, (status, Some(location)), "{method} {path}");
        let words = if status == 301 {
            "Moved Permanently"
        } else {
            "Temporary Redirect"
        };
        let page = format!("<a href=\"{location}\">{words}</a>.\n\n");
        let (body, kind) = match method {
            "GET" => (page.as_str(), Some("text/html; charset=utf-8")),
            "HEAD" => ("", Some("text/html; charset=utf-8")),
            _ => ("", None),
        };
        assert_eq!(answer.text(), body, "{method} {path}");
        assert_eq!(answer.header("Content-Type"), kind, "{method} {path}");
    }
    for (method, path) in [
        ("PUT", "/foo"),
        ("OPTIONS", "/foo"),
        ("PUT", "/foo/metrics/"),
        ("PUT", "/foo/metrics/job@base64/"),
        ("DELETE", "/foo/-/healthy/"),
        ("BREW", "/foo/metrics/"),
        ("OPTIONS", "/foo/metrics/"),
        ("GET", "/foo/api/v1/"),
    ] {
        let status = gateway.send(method, path, &[], "").status;
        let expected = if path.contains("/api/") && method == "OPTIONS" {
            200
        } else {
            404
        };
        assert_eq!(status, expected, "{method} {path}");
    }
}

/// Section 5: the answer comes first, then the gateway stops.
#[test]
fn quit_is_answered_and_asks_for_the_end() {
    let closed = Gateway::start();
    let answer = closed.send("POST", "/-/quit", &[], "");
    assert_eq!(answer.status, 403);
    assert_eq!(answer.text(), "Lifecycle API is not enabled.");
    assert!(!closed.is_to_quit());
    let gateway = with_lifecycle();
    for path in ["/-/quit", "/-/reload"] {
        let foreign = [("Origin", "http://evil.example")];
        let answer = gateway.send("POST", path, &foreign, "");
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().starts_with("another site asked for this"));
    }
    assert!(!gateway.is_to_quit());
    for method in ["PUT", "POST"] {
        let gateway = with_lifecycle();
        for other in ["GET", "HEAD", "DELETE", "BREW"] {
            assert_eq!(
                gateway.send(other, "/-/quit", &[], "").status,
                405,
                "{other}"
            );
        }
        assert!(!gateway.is_to_quit());
        let answer = gateway.send(method, "/-/quit", &[], "");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "Requesting termination... Goodbye!")
        );
        assert_eq!(
            answer.header("Content-Type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(gateway.is_to_quit());
    }
}

/// HEAD works wherever GET does.
#[test]
fn head_is_get_without_the_body() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    for path in [
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/-/quit",
        "/api/v1/status",
        "/api/v1/metrics",
        "/api/v1/groups",
        "/metrics/",
    ] {
        let (got, head) = (gateway.get(path, &[]), gateway.send("HEAD", path, &[], ""));
        assert_eq!((head.status, head.body.len()), (got.status, 0), "{path}");
        let kind = "Content-Type";
        assert_eq!(head.header(kind), got.header(kind), "{path}");
    }
}
