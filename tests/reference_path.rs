//! Addresses whose labels are not UTF-8, to our grammar and to the real Pushgateway 1.5.1.
//!
//! They poison the Pushgateway's store, so `differential`, which has all other addresses, does
//! not send them.

mod support;

use support::http::request;
use support::pushgateway::Pushgateway;
use tidegate::format::name::NameRule;
use tidegate::push::path::{PathError, grouping_key, percent_decode};

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
        let ours = grouping_key(&decoded, NameRule::Legacy).expect_err(path);
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
