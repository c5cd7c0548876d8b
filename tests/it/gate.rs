//! What requests pass first by `--web.config.file`, over plain HTTP: passwords, headers, rate
//! limit, and how changes of the file are taken.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::harness::{Gateway, Options, SECOND};
use crate::support::http::Response;
use crate::support::sample;

/// bcrypt of `secret`, of the lowest cost.
const SECRET: &str = "04$aaaaaaaaaaaaaaaaaaaaau/nCn7vVCwqYJerX0DCwClIsiqBXJIjC";

/// bcrypt of `other`.
const OTHER: &str = "04$bbbbbbbbbbbbbbbbbbbbbu0QXhoTdWhGwPJLkSYXCh1JttGKvqvXG";

/// `alice:secret`, `alice:other`, `bob:secret`.
const ALICE: (&str, &str) = ("Authorization", "Basic YWxpY2U6c2VjcmV0");
const ALICE_OTHER: (&str, &str) = ("Authorization", "Basic YWxpY2U6b3RoZXI=");
const BOB: (&str, &str) = ("Authorization", "Basic Ym9iOnNlY3JldA==");

/// A gateway, and the file it goes by.
struct Guarded {
    gateway: Gateway,
    file: PathBuf,
    _folder: TempDir,
}

impl Guarded {
    fn by(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("web.yml");
        fs::write(&file, config).expect("write the file");
        let gateway = Gateway::with(Options {
            web_config: Some(file.clone()),
            ..Options::default()
        });
        Self {
            gateway,
            file,
            _folder: folder,
        }
    }

    /// Changes the file, and lets the time pass after which it is looked at.
    fn change(&self, config: &str) {
        fs::write(&self.file, config).expect("write the file");
        self.gateway.advance(SECOND);
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.gateway.get(path, headers)
    }

    fn status(&self, headers: &[(&str, &str)]) -> u16 {
        self.get("/-/ready", headers).status
    }

    /// How many hashes were computed, seen by alice.
    fn checks(&self) -> String {
        let text = self.get("/metrics", &[ALICE]).text();
        let checks = sample(&text, "tidegate_password_checks_total");
        checks.unwrap_or_else(|| panic!("{text}")).to_owned()
    }
}

fn users(lines: &[(&str, &str)]) -> String {
    let lines = lines
        .iter()
        .map(|(name, hash)| format!("  {name}: {hash}\n"));
    format!("basic_auth_users:\n{}", lines.collect::<String>())
}

fn alice() -> String {
    users(&[("alice", &format!("$2y${SECRET}"))])
}

#[test]
fn everything_is_behind_the_password_and_401_comes_before_404() {
    let guarded = Guarded::by(&alice());
    for path in [
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/nothing",
        "//metrics",
        "/api/v1/groups",
    ] {
        let answer = guarded.get(path, &[]);
        let seen = (answer.status, answer.text());
        assert_eq!(seen, (401, "Unauthorized\n".to_owned()), "{path}");
        assert_eq!(answer.header("WWW-Authenticate"), Some("Basic"));
        assert_eq!(
            answer.header("Content-Type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    }
    let refused = guarded.gateway.write("PUT", "job/a", "a 1\n");
    assert_eq!(refused.status, 401);
    assert!(
        !guarded
            .get("/metrics", &[ALICE])
            .text()
            .contains("job=\"a\"")
    );
    let pushed = guarded
        .gateway
        .send("PUT", "/metrics/job/a", &[ALICE], "a 1\n");
    assert_eq!(pushed.status, 200);
    assert_eq!(guarded.get("/nothing", &[ALICE]).status, 404);
    for wrong in [ALICE_OTHER, BOB, ("Authorization", "Bearer x")] {
        assert_eq!(guarded.status(&[wrong]), 401, "{wrong:?}");
    }
}

#[test]
fn all_spellings_of_bcrypt_are_taken() {
    for version in ["2a", "2b", "2y"] {
        let guarded = Guarded::by(&users(&[("alice", &format!("${version}${SECRET}"))]));
        assert_eq!(guarded.status(&[ALICE]), 200, "{version}");
        assert_eq!(guarded.status(&[ALICE_OTHER]), 401, "{version}");
    }
}

#[test]
fn a_password_is_checked_once_whether_right_or_wrong() {
    let guarded = Guarded::by(&alice());
    assert_eq!(guarded.checks(), "1");
    for _ in 0..5 {
        assert_eq!(guarded.status(&[ALICE]), 200);
        assert_eq!(guarded.status(&[ALICE_OTHER]), 401);
    }
    assert_eq!(guarded.checks(), "2");
    // Of somebody unknown too, so that the time does not tell.
    assert_eq!(guarded.status(&[BOB]), 401);
    assert_eq!(guarded.status(&[BOB]), 401);
    assert_eq!(guarded.checks(), "3");
    // Without one there is nothing to check.
    assert_eq!(guarded.status(&[]), 401);
    assert_eq!(guarded.checks(), "3");
}

#[test]
fn guesses_do_not_push_out_the_right_passwords_that_are_remembered() {
    let guarded = Guarded::by(&alice());
    assert_eq!(guarded.checks(), "1");
    for guess in 0..110 {
        let guess = STANDARD.encode(format!("alice:{guess:06}"));
        let header = ("Authorization", format!("Basic {guess}"));
        assert_eq!(guarded.status(&[(header.0, &header.1)]), 401, "{guess}");
    }
    assert_eq!(guarded.checks(), "111");
    assert_eq!(guarded.status(&[ALICE]), 200);
    assert_eq!(guarded.checks(), "111");
}

#[test]
fn a_changed_hash_counts_at_once_and_a_removed_user_is_out() {
    let guarded = Guarded::by(&alice());
    assert_eq!(guarded.status(&[ALICE]), 200);
    guarded.change(&users(&[("alice", &format!("$2y${OTHER}"))]));
    assert_eq!(guarded.status(&[ALICE]), 401);
    assert_eq!(guarded.status(&[ALICE_OTHER]), 200);
    guarded.change(&users(&[("bob", &format!("$2y${SECRET}"))]));
    assert_eq!(guarded.status(&[ALICE_OTHER]), 401);
    assert_eq!(guarded.status(&[BOB]), 200);
    guarded.change("basic_auth_users:\n");
    assert_eq!(guarded.status(&[]), 200);
}

#[test]
fn the_file_is_looked_at_once_a_second() {
    let guarded = Guarded::by(&alice());
    fs::write(&guarded.file, "").expect("write the file");
    guarded.gateway.advance_almost(SECOND);
    assert_eq!(guarded.status(&[]), 401);
    guarded.gateway.advance(Duration::from_nanos(1));
    assert_eq!(guarded.status(&[]), 200);
}

#[test]
fn a_broken_or_missing_file_answers_500_until_it_is_mended() {
    let guarded = Guarded::by(&alice());
    let broken = |guarded: &Guarded| {
        for path in ["/metrics", "/-/healthy", "/nothing"] {
            let answer = guarded.get(path, &[ALICE]);
            let seen = (answer.status, answer.text());
            assert_eq!(seen, (500, "Internal Server Error\n".to_owned()), "{path}");
        }
    };
    guarded.change("basic_auth_users: {alice: secret}\n");
    broken(&guarded);
    guarded.change("no yaml: [");
    broken(&guarded);
    guarded.change(&alice());
    assert_eq!(guarded.status(&[ALICE]), 200);
    fs::remove_file(&guarded.file).expect("remove the file");
    guarded.gateway.advance(SECOND);
    broken(&guarded);
    guarded.change(&alice());
    assert_eq!(guarded.status(&[ALICE]), 200);
    assert_eq!(guarded.status(&[]), 401);
}

#[test]
fn headers_are_on_every_answer_but_those_of_file_and_rate() {
    let headers = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    \
                   Content-Security-Policy: default-src 'self'\n";
    let limit = "rate_limit: {interval: 1s, burst: 3}\n";
    let guarded = Guarded::by(&format!("{headers}{limit}{}", alice()));
    for (expected, path, with) in [
        (401, "/metrics", &[][..]),
        (404, "/nothing", &[ALICE]),
        (200, "/metrics", &[ALICE]),
    ] {
        let answer = guarded.get(path, with);
        assert_eq!(answer.status, expected, "{path}");
        assert_eq!(answer.header("X-Frame-Options"), Some("deny"), "{path}");
        let policy = answer.header("Content-Security-Policy");
        assert_eq!(policy, Some("default-src 'self'"), "{path}");
    }
    let limited = guarded.get("/metrics", &[]);
    assert_eq!(
        (limited.status, limited.header("X-Frame-Options")),
        (429, None)
    );
    guarded.change("bogus: 1\n");
    let broken = guarded.get("/metrics", &[]);
    assert_eq!(
        (broken.status, broken.header("X-Frame-Options")),
        (500, None)
    );
}

#[test]
fn the_rate_limit_comes_before_the_password_and_refills_with_time() {
    let limit = "rate_limit: {interval: 500ms, burst: 2}\n";
    let guarded = Guarded::by(&format!("{limit}{}", alice()));
    assert_eq!(guarded.status(&[ALICE]), 200);
    assert_eq!(guarded.status(&[]), 401);
    let refused = guarded.get("/-/ready", &[]);
    let seen = (refused.status, refused.text());
    assert_eq!(seen, (429, "Too Many Requests\n".to_owned()));
    assert_eq!(guarded.status(&[ALICE]), 429);
    guarded.gateway.advance(SECOND / 2);
    assert_eq!(guarded.status(&[ALICE]), 200);
    assert_eq!(guarded.status(&[ALICE]), 429);
    guarded.gateway.advance(60 * SECOND);
    let answers = [(); 4].map(|()| guarded.status(&[ALICE]));
    assert_eq!(answers, [200, 200, 429, 429]);
    // As it was at start, whatever the file says now.
    guarded.change(&alice());
    guarded.gateway.advance(60 * SECOND);
    let answers = [(); 3].map(|()| guarded.status(&[ALICE]));
    assert_eq!(answers, [200, 200, 429]);
}
