use super::*;

fn group(key: &str) -> Route {
    Route::Group {
        key: key.into(),
        ttl: None,
    }
}

fn at(method: &str, path: &str) -> Route {
    route(&method.parse().unwrap(), path, None, &Paths::default())
}

fn prefixed(method: &str, path: &str) -> Route {
    let paths = Paths {
        prefix: "/f o".to_owned(),
        telemetry: "/m/x".to_owned(),
    };
    route(&method.parse().unwrap(), path, None, &paths)
}

fn moved_to(path: &str) -> Route {
    Route::Redirect(StatusCode::MOVED_PERMANENTLY, path.to_owned())
}

fn for_now_at(path: &str) -> Route {
    Route::Redirect(StatusCode::TEMPORARY_REDIRECT, path.to_owned())
}

#[test]
fn routes_by_method_and_path() {
    for (method, path, expected) in [
        ("GET", "/metrics", Route::Page(Page::Scrape)),
        ("HEAD", "/metrics", Route::Page(Page::Scrape)),
        ("GET", "/%6Detrics", Route::Page(Page::Scrape)),
        ("OPTIONS", "/metrics", Route::Options(READ)),
        ("BREW", "/metrics", Route::NotAllowed(READ)),
        ("GET", "/-/healthy", Route::Page(Page::Healthy)),
        ("GET", "/-/ready", Route::Page(Page::Ready)),
        ("POST", "/-/ready", Route::NotAllowed(READ)),
        ("POST", "/-/reload", Route::Page(Page::Reload)),
        ("GET", "/-/reload", Route::NotAllowed(ACT)),
        ("PUT", "/-/quit", Route::Page(Page::Quit)),
        ("GET", "/-/quit", Route::HowToQuit),
        ("DELETE", "/-/quit", Route::NotAllowed(QUIT)),
        ("OPTIONS", "/-/quit", Route::Options(QUIT)),
        ("PUT", "/metrics/job/a", group("job/a")),
        ("POST", "/metrics/job/a/x/1", group("job/a/x/1")),
        ("DELETE", "/metrics/job@base64/YQ", group("job@base64/YQ")),
        ("PUT", "/metrics/job/a%2Fb/c", group("job/a/b/c")),
        ("PUT", "/metrics/job/%2Fa%2Fb", group("job//a/b")),
        ("PUT", "/metrics/job/JOB/Metrics", group("job/JOB/Metrics")),
        ("GET", "/metrics/job/a", Route::NotAllowed(WRITE)),
        ("OPTIONS", "/metrics/job/a", Route::Options(WRITE)),
        ("PUT", "/metrics/job", Route::NotFound),
        ("PUT", "/metrics/job@base64/", Route::NotFound),
        ("PUT", "/metrics/jobs/a", Route::NotFound),
        ("PUT", "/metrics/", Route::NotFound),
        ("GET", "/nothing", Route::NotFound),
        ("GET", "/api", Route::NotFound),
        ("GET", "/api/v1/", Route::Api(Vec::new())),
        ("PUT", "/metrics/job/%zz", Route::Malformed),
        ("PUT", "/metrics/job/a%", Route::Malformed),
        ("OPTIONS", "*", Route::Options("")),
    ] {
        assert_eq!(at(method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_ttl_may_stand_in_front_of_a_push_path() {
    let expected = Route::Group {
        key: "job/a".into(),
        ttl: Some("6h".into()),
    };
    assert_eq!(at("PUT", "/ttl/6h/metrics/job/a"), expected);
    assert_eq!(at("PUT", "/ttl/6h/metrics"), Route::NotFound);
    assert_eq!(at("GET", "/ttl/6h"), Route::NotFound);
}

#[test]
fn a_prefix_moves_all_but_the_hint_how_to_quit() {
    for (method, path, expected) in [
        ("GET", "/f%20o/m/x", Route::Page(Page::Scrape)),
        ("GET", "/f%20o/-/ready", Route::Page(Page::Ready)),
        ("PUT", "/f%20o/metrics/job/a", group("job/a")),
        ("GET", "/f%20o/api/v1/ttl", Route::Api(b"ttl".to_vec())),
        ("GET", "/f%20o/metrics", Route::NotFound),
        ("GET", "/m/x", Route::NotFound),
        ("GET", "/metrics", Route::NotFound),
        ("PUT", "/metrics/job/a", Route::NotFound),
        ("GET", "/f%20om/x", Route::NotFound),
        ("GET", "/-/quit", Route::HowToQuit),
        ("PUT", "/-/quit", Route::NotAllowed(READ)),
        ("OPTIONS", "/-/quit", Route::Options(READ)),
        ("PUT", "/f%20o/-/quit", Route::Page(Page::Quit)),
        ("GET", "/f%20o/-/quit", Route::NotAllowed(ACT)),
        ("GET", "/f%20o", moved_to("/f%20o/")),
        ("PUT", "/f%20o", Route::NotFound),
        ("GET", "/F%20O/M/X/", moved_to("/f%20o/m/x")),
        ("GET", "/f%20o/api/v1", moved_to("/f%20o/api/v1/")),
        (
            "PUT",
            "/F o/METRICS/job/a%20b",
            for_now_at("/f%20o/metrics/job/a%20b"),
        ),
    ] {
        assert_eq!(prefixed(method, path), expected, "{method} {path}");
    }
}

#[test]
fn unclean_paths_are_redirected_with_their_escapes_and_query() {
    for (path, clean) in [
        ("/metrics//job/a%20b", "/metrics/job/a%20b"),
        ("//metrics", "/metrics"),
        ("/metrics/./job/a/", "/metrics/job/a/"),
        ("/x/../metrics", "/metrics"),
        ("/metrics/job/a/..", "/metrics/job"),
        ("/..", "/"),
        ("//", "/"),
    ] {
        assert_eq!(at("PUT", path), for_now_at(clean), "{path}");
        let with_query = route(&Method::PUT, path, Some("q=1"), &Paths::default());
        assert_eq!(with_query, for_now_at(&format!("{clean}?q=1")), "{path}");
    }
    for path in [
        "/metrics/job/a/",
        "/metrics/job/%2F%2Fa",
        "/metrics/job/a/x/%2e%2e",
        "/..a",
    ] {
        assert_eq!(cleaned(path), None, "{path}");
    }
}

#[test]
fn slashes_at_the_end_and_letter_case_are_mended_by_method() {
    for (method, path, expected) in [
        ("GET", "/metrics/", moved_to("/metrics")),
        ("HEAD", "/Metrics", moved_to("/metrics")),
        ("GET", "/-/HEALTHY/", moved_to("/-/healthy")),
        ("GET", "/-/Quit/", moved_to("/-/quit")),
        ("GET", "/api/v1", moved_to("/api/v1/")),
        ("PUT", "/api/v1", for_now_at("/api/v1/")),
        ("POST", "/-/quit/", for_now_at("/-/quit")),
        ("PUT", "/METRICS/job/X%2f", for_now_at("/metrics/job/X%2f")),
        (
            "PUT",
            "/metrics/JOB@Base64/YQ",
            for_now_at("/metrics/job@base64/YQ"),
        ),
        ("DELETE", "/metrics/job/", for_now_at("/metrics/job")),
        ("PUT", "/METRICS/", Route::NotFound),
        ("PUT", "/METRICS/JOB@base64/", Route::NotFound),
        ("POST", "/metrics/", Route::NotFound),
        ("DELETE", "/-/healthy/", Route::NotFound),
        ("BREW", "/metrics/", Route::NotFound),
        ("OPTIONS", "/metrics/", Route::NotFound),
        ("GET", "/METRICS/job/a", Route::NotFound),
        ("GET", "/-/reload/", Route::NotFound),
        ("GET", "/API/v1/status", Route::NotFound),
    ] {
        assert_eq!(at(method, path), expected, "{method} {path}");
    }
    let query = route(
        &Method::GET,
        "/Metrics/",
        Some("x=1%202"),
        &Paths::default(),
    );
    assert_eq!(query, moved_to("/metrics?x=1%202"));
}
