//! Addresses and methods: what is found, what is refused and in which words, what is redirected.

use crate::harness::Gateway;
use crate::support::http::{exchange, parse};

#[test]
fn every_fault_of_an_address_has_the_originals_text() {
    let gateway = Gateway::start();
    for (group, text) in [
        (
            "job@base64/Zm9vY",
            r#"invalid base64 encoding in job name "foo": illegal base64 data at input byte 4"#,
        ),
        (
            "job/a/x/var/tmp",
            r#"odd number of components in label string "/x/var/tmp""#,
        ),
        (
            "job/a/x/var%2Ftmp",
            r#"odd number of components in label string "/x/var/tmp""#,
        ),
        (
            "job/a/x/v/",
            r#"odd number of components in label string "/x/v/""#,
        ),
        ("job/a/1x/1", r#"improper label name "1x""#),
        ("job/a/__x/1", r#"improper label name "__x""#),
        (
            "job/a/x@base64@base64/YQ",
            r#"improper label name "x@base64""#,
        ),
        (
            "job/a/x@base64/a+b=",
            r#"invalid base64 encoding for label x="a+b=": illegal base64 data at input byte 1"#,
        ),
        ("job@base64/=", "job name is required"),
        ("job/%2Fx%2F1", "job name is required"),
        // The first failing check wins.
        ("job/%2F1x%2F1", r#"improper label name "1x""#),
    ] {
        for method in ["PUT", "POST", "DELETE"] {
            let answer = gateway.write(method, group, "m 1\n");
            let expected = (400, format!("{text}\n"));
            assert_eq!((answer.status, answer.text()), expected, "{method} {group}");
            assert_eq!(
                answer.header("Content-Type"),
                Some("text/plain; charset=utf-8")
            );
            assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
        }
    }
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn methods_and_paths_that_do_not_fit_are_told_apart() {
    let gateway = Gateway::start();
    let read = Some("GET, HEAD, OPTIONS");
    let write = Some("DELETE, OPTIONS, POST, PUT");
    for (method, path, status, allow, body) in [
        ("GET", "/nothing", 404, None, "404 page not found\n"),
        ("PUT", "/metrics/job", 404, None, "404 page not found\n"),
        ("PUT", "/metrics/", 404, None, "404 page not found\n"),
        ("PUT", "/metrics/jobs/a", 404, None, "404 page not found\n"),
        ("POST", "/metrics/", 404, None, "404 page not found\n"),
        ("POST", "/ttl/1h/metrics", 404, None, "404 page not found\n"),
        ("POST", "/metrics", 405, read, "Method Not Allowed\n"),
        ("DELETE", "/-/healthy", 405, read, "Method Not Allowed\n"),
        ("PUT", "/-/ready", 405, read, "Method Not Allowed\n"),
        ("BREW", "/metrics", 405, read, "Method Not Allowed\n"),
        ("GET", "/metrics/job/a", 405, write, "Method Not Allowed\n"),
        (
            "PATCH",
            "/ttl/1h/metrics/job/a",
            405,
            write,
            "Method Not Allowed\n",
        ),
        ("HEAD", "/metrics/job/a", 405, write, ""),
        ("OPTIONS", "/metrics", 200, read, ""),
        ("OPTIONS", "/-/ready", 200, read, ""),
        ("OPTIONS", "/metrics/job/a/x/1", 200, write, ""),
        ("OPTIONS", "/nothing", 404, None, "404 page not found\n"),
        ("GET", "/-/healthy", 200, None, "OK"),
        ("GET", "/-/ready", 200, None, "OK"),
        ("HEAD", "/-/healthy", 200, None, ""),
        ("HEAD", "/nothing", 404, None, ""),
    ] {
        let answer = gateway.send(method, path, &[], "");
        let seen = (answer.status, answer.header("Allow"), answer.text());
        assert_eq!(seen, (status, allow, body.to_owned()), "{method} {path}");
    }
    assert_eq!(gateway.send("OPTIONS", "*", &[], "").status, 200);
    assert_eq!(gateway.exposition(), "");
}

#[test]
fn unclean_paths_are_redirected_with_escapes_and_query() {
    let gateway = Gateway::start();
    for (method, path, location) in [
        (
            "PUT",
            "/metrics//job/a%20b?ttl=1h&x=%2F",
            "/metrics/job/a%20b?ttl=1h&x=%2F",
        ),
        ("POST", "/metrics/./job/a/", "/metrics/job/a/"),
        ("DELETE", "//metrics/job/a", "/metrics/job/a"),
        ("GET", "/x/../metrics", "/metrics"),
        ("BREW", "/metrics/job/a/../b", "/metrics/job/b"),
    ] {
        let answer = gateway.send(method, path, &[], "m 1\n");
        assert_eq!(
            (answer.status, answer.header("Location")),
            (307, Some(location)),
            "{path}"
        );
        let link = format!("<a href=\"{location}\">Temporary Redirect</a>.\n\n");
        let body = if method == "GET" { link } else { String::new() };
        assert_eq!(answer.text(), body);
    }
    assert_eq!(gateway.exposition(), "");
    // Escaped slashes and dots are no part of the path's shape.
    gateway.put("job/a/x/%2e%2e", "m 1\n");
    assert_eq!(
        gateway.pushed(),
        "# TYPE m untyped\nm{instance=\"\",job=\"a\",x=\"..\"} 1\n"
    );
}

#[test]
fn broken_escapes_end_the_connection_in_gos_words() {
    let gateway = Gateway::start();
    for path in ["/metrics/job/%zz", "/metrics/job/a%", "/metrics%f", "/%"] {
        // No Connection: close from this side, so that the end is the server's own.
        let head = format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        let answer = String::from_utf8(exchange(gateway.address(), head.as_bytes()));
        let answer = answer.expect("an answer in ASCII");
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("\r\n\r\n400 Bad Request"), "{answer}");
    }
}

/// What comes back for a request sent as it is, with no word about the connection's end: that is
/// the server's own.
#[track_caller]
fn assert_ends(gateway: &Gateway, request: &str, status: &str, text: &str) {
    let answer = exchange(gateway.address(), request.as_bytes());
    let answer = String::from_utf8(answer).expect("an answer in ASCII");
    let line = format!("HTTP/1.1 {status}\r\n");
    assert!(answer.starts_with(&line), "{request}: {answer}");
    let end = format!("\r\n\r\n{text}");
    assert!(answer.ends_with(&end), "{request}: {answer}");
}

#[test]
fn a_request_has_one_host_from_http_1_1_on() {
    let gateway = Gateway::start();
    let missing = "400 Bad Request: missing required Host header";
    let many = "400 Bad Request: too many Host headers";
    for (line, hosts, text) in [
        ("GET /metrics HTTP/1.1", "", missing),
        ("PUT /metrics/job/a HTTP/1.1", "", missing),
        ("GET http://a/metrics HTTP/1.1", "", missing),
        ("GET /nothing HTTP/1.1", "Host: a\r\nHost: a\r\n", many),
    ] {
        let request = format!("{line}\r\n{hosts}Content-Length: 4\r\n\r\na 1\n");
        assert_ends(&gateway, &request, "400 Bad Request", text);
    }
    assert_eq!(gateway.exposition(), "");
    let old = b"PUT /metrics/job/a HTTP/1.0\r\nContent-Length: 4\r\n\r\na 1\n";
    let answer = parse(&exchange(gateway.address(), old), false);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_transfer_coding_that_nobody_would_undo_is_refused() {
    let gateway = Gateway::start();
    let put = |coding: &str| {
        format!("PUT /metrics/job/a HTTP/1.1\r\nHost: a\r\n{coding}\r\n4\r\na 1\n\r\n0\r\n\r\n")
    };
    for coding in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let text = "Unsupported transfer encoding";
        assert_ends(&gateway, &put(coding), "501 Not Implemented", text);
    }
    assert_eq!(gateway.exposition(), "");
    let chunked = put("Transfer-Encoding: Chunked\r\nConnection: close\r\n");
    let answer = parse(&exchange(gateway.address(), chunked.as_bytes()), false);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_bad_address_is_told_before_the_body_is_asked_for() {
    let gateway = Gateway::start();
    let text = "improper label name \"1x\"\n";
    let request = "PUT /metrics/job/a/1x/1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\
                   Content-Length: 4000000\r\n\r\n";
    assert_ends(&gateway, request, "400 Bad Request", text);
    assert_eq!(gateway.exposition(), "");
}

/// As `curl` sends what was typed.
#[test]
fn an_address_may_have_bytes_that_should_have_been_escaped() {
    let gateway = Gateway::start();
    let job = "a<b>`{}^|\\\"#c\u{e9}";
    let path = format!("/metrics/job/{job}?x=\"<>`{{}}#");
    let answer = gateway.send("PUT", &path, &[], "m 1\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown = job.replace('\\', "\\\\").replace('"', "\\\"");
    let shown = format!("# TYPE m untyped\nm{{instance=\"\",job=\"{shown}\"}} 1\n");
    assert_eq!(gateway.pushed(), shown);
    let matching = gateway.send("GET", "/api/v1/groups?match[]={job=~\"a<b>.*\"}", &[], "");
    assert_eq!(matching.status, 200, "{}", matching.text());
    assert!(
        matching.text().contains("\"pushes\":1"),
        "{}",
        matching.text()
    );
}

#[test]
fn a_client_that_does_not_escape_gets_a_connection_for_each_request() {
    let gateway = Gateway::start();
    let put = "PUT /metrics/job/<1> HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na 1\n";
    let next = "PUT /metrics/job/b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na 1\n";
    // Without a word about the end from this side.
    let answer = exchange(gateway.address(), [put, next].concat().as_bytes());
    let answer = parse(&answer, false);
    let seen = (answer.status, answer.header("Connection"), answer.text());
    assert_eq!(seen, (200, Some("close"), String::new()));
    assert!(gateway.pushed().contains("job=\"<1>\""));
    assert!(!gateway.pushed().contains("job=\"b\""));
}

/// There nothing knows where a line begins, and the HTTP library takes a number sign for the
/// beginning of a fragment and refuses the rest.
#[test]
fn later_requests_of_a_connection_have_to_be_escaped() {
    let gateway = Gateway::start();
    let first = "GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n";
    let put = |group: &str| {
        let put = format!(
            "{first}PUT /metrics/job/{group} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
             Content-Length: 4\r\n\r\na 1\n"
        );
        let answers = exchange(gateway.address(), put.as_bytes());
        let answers = String::from_utf8(answers).expect("answers in ASCII");
        let (_, second) = answers.rsplit_once("HTTP/1.1 ").expect("two answers");
        second[..3].to_owned()
    };
    assert_eq!(put("<"), "400");
    assert_eq!(put("a#b"), "200");
    assert_eq!(put("%3C%23"), "200");
    let shown = "# TYPE a untyped\na{instance=\"\",job=\"a\"} 1\na{instance=\"\",job=\"<#\"} 1\n";
    assert_eq!(gateway.pushed(), shown);
}
