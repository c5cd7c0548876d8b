//! What the API cannot make sense of: a clear 400 or 413, and nothing changes.

use crate::client::{admin, bad, fails, get, matching, with_admin};
use crate::harness::{Gateway, Options, SECOND};
use serde_json::Value;
use tidegate::limits::{API_BODY, PATTERN_BYTES, REASON_TEXT};

fn one() -> Gateway {
    let gateway = Gateway::with(with_admin(Options::default()));
    gateway.put_for("1h", "job/a", "m 1\n");
    gateway
}

/// Asks, and sees that a 400 with this text is all that comes of it.
#[track_caller]
fn refused(method: &str, path: &str, body: &str, says: &str) {
    let gateway = one();
    let before = (
        get(&gateway, "groups"),
        get(&gateway, "ttl"),
        gateway.exposition(),
    );
    bad(&gateway, method, path, body, says);
    let after = (
        get(&gateway, "groups"),
        get(&gateway, "ttl"),
        gateway.exposition(),
    );
    assert_eq!(after, before);
}

#[test]
fn wrong_parameters_of_lists() {
    let gateway = one();
    for (query, says) in [
        ("limit=0", "limit=\"0\" is not a number from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("limit=-1", "from 1 to 1000"),
        ("limit=", "from 1 to 1000"),
        ("limit=99999999999999999999999", "from 1 to 1000"),
        ("state=dead", "is not live, overdue or expired"),
        ("sort=name", "is not job, expires"),
        ("sort=-job", "is not job, expires"),
        ("cursor=", "cursor is not one of this API's"),
        ("cursor=zz", "cursor"),
        ("cursor=00000000000000000", "cursor"),
        ("cursor=000000000000000g", "cursor"),
        (
            "cursor=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9",
            "cursor",
        ),
        ("state=expired&cursor=nonsense", "cursor"),
        ("limit=1&limit=1", "limit is given more than once"),
        ("state=live&state=live", "state is given more than once"),
        ("cursor=&cursor=", "cursor is given more than once"),
        ("sort=job&sort=job", "sort is given more than once"),
        ("a=%zz", "cannot be decoded"),
        ("a=%ff", "cannot be decoded"),
    ] {
        bad(&gateway, "GET", &format!("groups?{query}"), "", says);
    }
    // A cursor that was never handed out, and means nothing, is no fault of its form.
    assert_eq!(
        get(&gateway, "groups?cursor=ffffffffffffffffff")["groups"],
        serde_json::json!([])
    );
}

#[test]
fn wrong_matchers_are_told_with_their_place() {
    let gateway = one();
    let many = format!("{{{}}}", r#"a="b","#.repeat(40));
    let huge = format!(r#"{{job=~"{}"}}"#, "a".repeat(PATTERN_BYTES + 1));
    for (selector, says) in [
        ("", "column 1"),
        ("job=a", "column 1"),
        (r#"{job="a""#, "column"),
        (r#"{job="a"#, "the string is not closed"),
        (r#"{job=~"("}"#, "bad regular expression"),
        (r#"{job=~"(?P<n>a)(?=b)"}"#, "bad regular expression"),
        (r#"{job=~"a{1000}{1000}{1000}"}"#, "bad regular expression"),
        (r#"{job=~"(\\pL{500}){500}"}"#, "bad regular expression"),
        (r#"{__name__="up"}"#, "a metric name cannot be matched"),
        ("up", "expected a selector"),
        (&many, "more than 32 matchers"),
        (&huge, "longer than 4096 bytes"),
    ] {
        for path in ["groups?", "ttl/explain?", "groups?state=expired&"] {
            bad(
                &gateway,
                "GET",
                &format!("{path}{}", matching(selector)),
                "",
                says,
            );
        }
        let delete = format!("admin/delete_groups?{}", matching(selector));
        refused("POST", &delete, "", says);
    }
}

/// The expressions that make other engines hang are answered at once: the test would time out.
#[test]
fn catastrophic_expressions_are_harmless() {
    let gateway = Gateway::start();
    let job = "a".repeat(2000);
    gateway.put(&format!("job/{job}"), "m 1\n");
    for pattern in ["(a+)+b", "(a|aa)+$b", "(.*)*x", "((a*)*)*z"] {
        let list = get(
            &gateway,
            &format!("groups?{}", matching(&format!(r#"{{job=~"{pattern}"}}"#))),
        );
        assert_eq!(list["groups"], serde_json::json!([]), "{pattern}");
    }
}

#[test]
fn wrong_bodies_of_overrides() {
    for (body, says) in [
        ("", "missing field `ttl`"),
        ("{}", "missing field `ttl`"),
        ("null", "the body"),
        ("[]", "the body"),
        ("{", "the body"),
        ("ttl=1h", "the body"),
        ("\u{feff}{}", "the body"),
        (r#"{"ttl":"1h"} x"#, "trailing"),
        (r#"{"ttl":"soon"}"#, r#"ttl "soon""#),
        (r#"{"ttl":""}"#, "a duration is missing"),
        (r#"{"ttl":"-1h"}"#, "cannot be negative"),
        (r#"{"ttl":"1h 5m"}"#, "ttl"),
        (r#"{"ttl":"999999y"}"#, "too long"),
        (r#"{"ttl":18446744073709551615}"#, "too long"),
        (r#"{"ttl":-1}"#, "the body"),
        (r#"{"ttl":1.5}"#, "the body"),
        (r#"{"ttl":null}"#, "the body"),
        (r#"{"ttl":"1h","for":"soon"}"#, r#"for "soon""#),
        (r#"{"ttl":"1h","for":"0s"}"#, "for is zero"),
        (r#"{"ttl":"1h","for":"never"}"#, "for"),
        (
            r#"{"ttl":"1h","until":"2026-01-01"}"#,
            "unknown field `until`",
        ),
        (r#"{"ttl":"1h","ttl":"2h"}"#, "duplicate field `ttl`"),
        (r#"{"ttl":"1h","reason":1}"#, "the body"),
    ] {
        refused("PUT", "admin/ttl/job/a", body, says);
    }
    let long = format!(
        r#"{{"ttl":"1h","reason":"{}"}}"#,
        "x".repeat(REASON_TEXT + 1)
    );
    refused(
        "PUT",
        "admin/ttl/job/a",
        &long,
        "the reason is longer than 512 bytes",
    );
    let longest = format!(r#"{{"ttl":"1h","reason":"{}"}}"#, "x".repeat(REASON_TEXT));
    crate::client::ok(&one(), "PUT", "admin/ttl/job/a", &longest);
}

#[test]
fn wrong_bodies_of_pauses() {
    for (body, says) in [
        (r#"{"for":"soon"}"#, r#"for "soon""#),
        (r#"{"for":0}"#, "for is zero"),
        (r#"{"fro":"1h"}"#, "unknown field `fro`"),
        ("true", "the body"),
    ] {
        refused("POST", "admin/ttl/pause", body, says);
    }
}

#[test]
fn wrong_parameters_of_deletes_and_reaps() {
    let all = matching("{}");
    for (query, says) in [
        (format!("{all}&older_than=old"), r#"older_than="old""#),
        (format!("{all}&older_than=-1h"), "cannot be negative"),
        (
            format!("{all}&older_than=1h&older_than=2h"),
            "older_than is given more than once",
        ),
        (
            format!("{all}&dry_run=maybe"),
            r#"dry_run="maybe" is not true or false"#,
        ),
        (
            format!("{all}&dry_run=true&dry_run=false"),
            "dry_run is given more than once",
        ),
        (String::new(), "match[] is missing"),
    ] {
        refused("POST", &format!("admin/delete_groups?{query}"), "", says);
    }
    refused(
        "POST",
        "admin/ttl/reap?dry_run=yes",
        "",
        "is not true or false",
    );
}

#[test]
fn wrong_grouping_keys() {
    let gateway = one();
    for route in ["groups", "ttl/explain", "admin/ttl", "admin/touch"] {
        let method = match route {
            "admin/ttl" => "PUT",
            "admin/touch" => "POST",
            _ => "GET",
        };
        for (key, status) in [
            ("job/", 400),
            ("job/a/x", 400),
            ("job/a/__x/1", 400),
            ("job/a/a-b/1", 400),
            ("job@base64/!!", 400),
            ("job@base64/_w", 400),
        ] {
            let (seen, kind, text) = fails(
                &gateway,
                method,
                &format!("{route}/{key}"),
                r#"{"ttl":"1h"}"#,
            );
            assert_eq!(
                (seen, kind.as_str()),
                (status, "bad_data"),
                "{route}/{key}: {text}"
            );
        }
    }
}

#[test]
fn deep_json_is_refused_and_overflows_no_stack() {
    let deep = "[".repeat(60_000);
    let gateway = one();
    for body in [
        deep.clone(),
        format!(r#"{{"ttl":{deep}"#),
        format!(r#"{{"groups":{deep}"#),
    ] {
        bad(&gateway, "PUT", "admin/ttl/job/a", &body, "the body");
        bad(&gateway, "POST", "push", &body, "the body");
    }
}

#[test]
fn bodies_that_are_too_large_are_413() {
    let gateway = one();
    let large = format!(r#"{{"ttl":"1h"{}}}"#, " ".repeat(API_BODY));
    for (method, path) in [("PUT", "admin/ttl/job/a"), ("POST", "admin/ttl/pause")] {
        let (status, kind, text) = fails(&gateway, method, path, &large);
        assert_eq!((status, kind.as_str()), (413, "bad_data"), "{text}");
        assert!(text.contains("65536"), "{text}");
    }
    let small = Gateway::with(Options {
        max_body: 64,
        ..Options::default()
    });
    let (status, _, text) = fails(&small, "POST", "push", &" ".repeat(65));
    assert_eq!(status, 413, "{text}");
}

#[test]
fn overrides_that_end_after_the_end_of_time_end_never_too_early() {
    let gateway = one();
    let body = r#"{"ttl":"584y","for":"584y"}"#;
    crate::client::ok(&gateway, "PUT", "admin/ttl/job/a", body);
    gateway.advance(365 * 24 * 3600 * SECOND);
    assert_eq!(get(&gateway, "groups/job/a")["ttl_source"], "override");
}

/// A refused body: nothing of Rust in the answer, but the field and what it should have been.
#[track_caller]
fn assert_says(gateway: &Gateway, (method, path): (&str, &str), body: &str, says: &str) {
    let (status, kind, text) = fails(gateway, method, path, body);
    assert_eq!((status, kind.as_str()), (400, "bad_data"), "{body}: {text}");
    assert!(text.contains(says), "{body}: {text}");
    for internal in ["struct", "enum", "variant", "sequence with"] {
        assert!(!text.contains(internal), "{body}: {text}");
    }
}

#[test]
fn a_field_of_a_wrong_kind_is_named_with_what_it_should_be() {
    let gateway = admin();
    gateway.put("job/a", "m 1\n");
    let duration = "expected a duration such as \"6h\" or a number of seconds";
    for value in ["-1", "1.5", "null", "true", "[]", "{}", "[\"1h\"]"] {
        let ttl = format!("{{\"ttl\":{value}}}");
        let says = |field: &str| format!("the body: {field}: invalid ");
        assert_says(&gateway, ("PUT", "admin/ttl/job/a"), &ttl, duration);
        assert_says(&gateway, ("PUT", "admin/ttl/job/a"), &ttl, &says("ttl"));
        let matching = ("PUT", "admin/ttl?match[]=%7Bjob=%22a%22%7D");
        assert_says(&gateway, matching, &ttl, &says("ttl"));
        if value != "null" {
            let pause = format!("{{\"for\":{value}}}");
            assert_says(&gateway, ("POST", "admin/ttl/pause"), &pause, &says("for"));
            let group =
                format!("{{\"groups\":[{{\"labels\":{{\"job\":\"b\"}},\"ttl\":{value}}}]}}");
            assert_says(&gateway, ("POST", "push"), &group, &says("groups[0].ttl"));
        }
    }
    for (body, says) in [
        (
            r#"{"ttl":"1h","reason":1}"#,
            "the body: reason: invalid type: integer `1`, expected a string",
        ),
        (r#"{"ttl":"1h","reasn":""}"#, "unknown field `reasn`"),
        (r#"{"reason":""}"#, "missing field `ttl`"),
        (r#"{"ttl":"1h"} x"#, "trailing characters"),
    ] {
        assert_says(&gateway, ("PUT", "admin/ttl/job/a"), body, says);
    }
    let method = r#"{"groups":[{"labels":{"job":"b"},"method":{"PUT":null}}]}"#;
    assert_says(
        &gateway,
        ("POST", "push"),
        method,
        "groups[0].method: invalid type: map, expected a string",
    );
    assert_eq!(get(&gateway, "groups/job/a")["override"], Value::Null);
}

#[test]
fn an_array_is_not_taken_for_an_object() {
    let gateway = admin();
    gateway.put("job/a", "m 1\n");
    for (method, path, body, at) in [
        ("PUT", "admin/ttl/job/a", r#"["5m",null,"x"]"#, ""),
        ("PUT", "admin/ttl/job/a", "[]", ""),
        ("POST", "admin/ttl/pause", r#"["5m","x"]"#, ""),
        (
            "POST",
            "push",
            r#"[[{"labels":{"job":"b"},"body":"a 1\n"}]]"#,
            "",
        ),
        (
            "POST",
            "push",
            r#"{"groups":[[{"job":"b"},"PUT",null,"a 1\n"]]}"#,
            "groups[0]: ",
        ),
        ("PUT", "admin/ttl/job/a", r#""5m""#, ""),
    ] {
        let says = format!("the body: {at}invalid type: ");
        assert_says(&gateway, (method, path), body, &says);
        assert_says(&gateway, (method, path), body, "expected an object");
    }
    assert_eq!(get(&gateway, "groups/job/a")["override"], Value::Null);
    assert_eq!(get(&gateway, "ttl")["paused"], Value::Null);
    assert!(!gateway.exposition().contains("job=\"b\""));
}
