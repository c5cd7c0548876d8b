//! The same push addresses to our grammar and to the real Pushgateway 1.5.1.
//!
//! Left out are a job in bad base64, after which 1.5.1 answers nobody any more,
//! and slashes and dots that are escaped, which it redirects and 1.11 does not.

mod support;

use support::http::request;
use support::pushgateway::Pushgateway;
use tidegate::format::text_write::{Identity, write_sample};
use tidegate::model::GroupKey;
use tidegate::push::path::{PathError, grouping_key, percent_decode};

const PATHS: &[&str] = &[
    "job/a",
    "job/a/",
    "job/a/x/1",
    "job/a/x/",
    "job/a/x/1/b/2",
    "job/a/_x/1/le/2/quantile/3/instance/i",
    "job/a%2Fb/c",
    "job/a+b%20c%3Fd%23e;f",
    "job/a%00%0A%22%5C",
    "job/%E4%B8%AD/x/%C3%BC",
    "job/a/x/1/x/2",
    "job/a/job/b",
    "job@base64/Zm9v",
    "job@base64/Zm9v/",
    "job@base64/L3Zhci90bXA/x@base64/L3Zhci90bXA=",
    "job/a/x@base64/",
    "job/a/x@base64/=",
    "job/a/x@base64/===",
    "job/a/x@base64/Zm9vYg=====",
    "job/a/x@base64/Zm9v%0AYmFy",
    "job/a/x@base64/Zh",
    "job/a/job@base64/Yg",
    "job/a/x",
    "job/a/x/var/tmp",
    "job/a/x/var%2Ftmp",
    "job/a/x/v/",
    "job/a/x/%FF/",
    "job/a/1x/1",
    "job/a/a-b/1",
    "job/a/a:b/1",
    "job/a/%CE%A0/1",
    "job/a/%FF/1",
    "job/a/__x/1",
    "job/a/@base64/Yg",
    "job/a/x@BASE64/Yg",
    "job/a/x@base64@base64/Yg",
    "job/a/x%0A/1",
    "job/a/x@base64/a+b=",
    "job/a/x@base64/Zm9vY",
    "job/a/x@base64/Zm9v%0AYg%0A=Y",
    "job/a/x@base64/Zm9v%0AY%0A",
    "job/a/1x/1/y@base64/!",
    "job@base64/=",
    "job@base64/=/x/1",
    "job@base64/=/x",
];

#[test]
fn addresses_are_answered_and_stored_as_the_pushgateway_does() {
    let gateway = Pushgateway::start();
    for path in PATHS {
        let answer = request(gateway.addr, "PUT", &format!("/metrics/{path}"), &[], b"");
        let exposed = request(gateway.addr, "GET", "/metrics", &[], b"").text();
        request(
            gateway.addr,
            "DELETE",
            &format!("/metrics/{path}"),
            &[],
            b"",
        );
        let decoded = percent_decode(path).expect("sound escapes");
        match grouping_key(&decoded) {
            Ok(key) => {
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                let lines = exposed.lines();
                let theirs: Vec<&str> = lines
                    .filter(|line| line.starts_with("push_failure_time_seconds{"))
                    .collect();
                assert_eq!(theirs, [failure_line(&key)], "{path}");
            }
            Err(e) => {
                assert_eq!(
                    (answer.status, answer.text()),
                    (400, format!("{e}\n")),
                    "{path}"
                );
            }
        }
    }
}

/// Values that are not UTF-8 poison the Pushgateway's store, so this one is not shared.
#[test]
fn values_that_are_not_utf8_are_refused_alike() {
    let gateway = Pushgateway::start();
    for (path, fixed_words) in [
        (
            "job/%ff",
            r#" has a label named "job" whose value is not utf8: "\xff""#,
        ),
        (
            "job/a/x@base64/_-8=",
            r#" has a label named "x" whose value is not utf8: "\xff\xef""#,
        ),
    ] {
        let answer = request(gateway.addr, "PUT", &format!("/metrics/{path}"), &[], b"");
        request(
            gateway.addr,
            "DELETE",
            &format!("/metrics/{path}"),
            &[],
            b"",
        );
        let decoded = percent_decode(path).expect("sound escapes");
        let ours = grouping_key(&decoded).expect_err(path);
        assert!(
            matches!(ours, PathError::NotUtf8 { .. }),
            "{path}: {ours:?}"
        );
        assert_eq!(answer.status, 400, "{path}");
        // Between the fixed words is a dump whose syntax changes from release to release.
        for text in [answer.text(), ours.to_string()] {
            assert!(
                text.starts_with("pushed metrics are invalid or inconsistent with "),
                "{text}"
            );
            assert!(text.contains(fixed_words), "{text}");
        }
    }
}

fn failure_line(key: &GroupKey) -> String {
    let mut out = Vec::new();
    write_sample(
        &mut out,
        "push_failure_time_seconds",
        &Identity::new(key),
        0.0,
    );
    String::from_utf8(out).expect("text").trim_end().to_owned()
}
