//! `--web.config.file` from outside: real processes, curl, Python's client, and Debian's
//! Pushgateway with the same files.

#[path = "../support/mod.rs"]
mod support;

mod held;
mod operator;
mod servers;
mod trusted;

use std::process::Command;

use rcgen::SanType;
use servers::{Folder, Server, TLS, local};
use support::http::exchange;
use support::{LIMIT, eventually, output, python_tool, sample};

/// bcrypt of `secret`, of the lowest cost.
const ALICE: &str =
    "basic_auth_users:\n  alice: $2b$04$aaaaaaaaaaaaaaaaaaaaau/nCn7vVCwqYJerX0DCwClIsiqBXJIjC\n";

#[test]
fn http2_is_spoken_over_tls_to_those_who_ask_for_it() {
    let (folder, _) = Folder::new();
    let server = Server::start(&folder, TLS);
    for (asked, spoken) in [("--http2", "HTTP/2"), ("--http1.1", "HTTP/1.1")] {
        let pushed = server.curl("/metrics/job/a", &[asked, "--data-binary", "a 1\n"]);
        let seen = (pushed.version.as_str(), pushed.status);
        assert_eq!(seen, (spoken, 200), "{pushed:?}");
        let scraped = server.curl("/metrics", &[asked]);
        assert_eq!(
            sample(&scraped.body, r#"a{instance="",job="a"}"#),
            Some("1")
        );
        let refused = server.curl("/metrics/job/a", &[asked, "--data-binary", "a\n"]);
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(
            refused.body.contains("text format parsing error"),
            "{refused:?}"
        );
        let head = server.curl("/metrics", &[asked, "-I"]);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{head:?}");
        let length = head
            .header("content-length")
            .and_then(|length| length.parse().ok());
        assert!(length > Some(100_usize), "{head:?}");
    }
}

#[test]
fn http2_can_be_switched_off_and_is_not_spoken_without_tls() {
    let (folder, _) = Folder::new();
    let server = Server::start(
        &folder,
        &format!("{TLS}http_server_config:\n  http2: false\n"),
    );
    let answer = server.curl("/-/ready", &["--http2"]);
    assert_eq!((answer.version.as_str(), answer.status), ("HTTP/1.1", 200));
    let (folder, _) = Folder::new();
    let server = Server::start(&folder, "");
    let answer = server.plain_curl("/-/ready", &["--http2-prior-knowledge"]);
    assert_ne!(answer.status, 200, "{answer:?}");
    let answer = server.plain_curl("/-/ready", &["--http2"]);
    assert_eq!((answer.version.as_str(), answer.status), ("HTTP/1.1", 200));
}

#[test]
fn large_bodies_and_answers_pass_by_http2() {
    let (folder, _) = Folder::new();
    let server = Server::start(&folder, TLS);
    let line = |n| format!("large{{number=\"{n}\"}} {n}");
    let lines: Vec<String> = (0..30_000).map(line).collect();
    let body = lines.join("\n") + "\n";
    folder.write("body", &body);
    let pushed = server.curl("/metrics/job/a", &["--http2", "--data-binary", "@body"]);
    assert_eq!(
        (pushed.version.as_str(), pushed.status),
        ("HTTP/2", 200),
        "{pushed:?}"
    );
    let scraped = server.curl("/metrics", &["--http2"]);
    assert_eq!(scraped.body.matches("\nlarge{").count(), 30_000);
}

#[test]
fn too_many_and_too_large_headers_are_431_by_http2() {
    let (folder, _) = Folder::new();
    let server = Server::start(&folder, TLS);
    let many: Vec<String> = (0..110).map(|n| format!("-HX-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let answer = server.curl("/-/ready", &[&["--http2"], many.as_slice()].concat());
    assert_eq!((answer.version.as_str(), answer.status), ("HTTP/2", 431));
    // Each counts 32 bytes more than it has, and curl itself sends no more than 64 KiB.
    let large: Vec<String> = (0..95)
        .map(|n| format!("-HX-{n}: {}", "x".repeat(660)))
        .collect();
    let large: Vec<&str> = large.iter().map(String::as_str).collect();
    let answer = server.curl("/-/ready", &[&["--http2"], large.as_slice()].concat());
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (431, ""),
        "{answer:?}"
    );
    assert_eq!(server.curl("/-/ready", &["--http2"]).status, 200);
}

#[test]
fn versions_suites_and_curves_are_as_the_file_says() {
    let (folder, _) = Folder::new();
    // Without HTTP/2, which Go does not speak without AES-128.
    let suite = "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n\
                 http_server_config: {http2: false}\n";
    for (rest, arguments, is_let_in) in [
        ("", &["--tls-max", "1.2"][..], true),
        ("", &["--tlsv1.3"], true),
        ("  min_version: TLS13\n", &["--tls-max", "1.2"], false),
        ("  min_version: TLS13\n", &["--tlsv1.3"], true),
        ("  max_version: TLS12\n", &["--tlsv1.3"], false),
        (suite, &["--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"], true),
        (
            suite,
            &["--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            false,
        ),
        (
            "  curve_preferences: [CurveP384]\n",
            &["--curves", "P-384"],
            true,
        ),
        (
            "  curve_preferences: [CurveP384]\n",
            &["--curves", "X25519"],
            false,
        ),
    ] {
        let config = format!("{TLS}{rest}");
        for server in [
            Server::start(&folder, &config),
            Server::original(&folder, &config),
        ] {
            let answer = server.curl("/-/ready", arguments);
            assert_eq!(
                answer.status == 200,
                is_let_in,
                "{rest}{arguments:?} {answer:?}"
            );
        }
    }
}

#[test]
fn clients_certificates_are_asked_for_as_the_original_asks() {
    let (folder, authority) = Folder::new();
    folder.certificate(&authority, "known", &[local()]);
    let strange = folder.authority("strange-ca");
    folder.certificate(&strange, "strange", &[local()]);
    let authorities = "  client_ca_file: ca.pem\n";
    for (auth, rest, expected) in [
        ("NoClientCert", "", [true, true, true]),
        ("RequestClientCert", "", [true, true, true]),
        ("RequireAnyClientCert", "", [false, true, true]),
        ("RequireClientCert", "", [false, true, true]),
        ("VerifyClientCertIfGiven", authorities, [true, true, false]),
        (
            "RequireAndVerifyClientCert",
            authorities,
            [false, true, false],
        ),
    ] {
        let config = format!("{TLS}  client_auth_type: {auth}\n{rest}");
        for server in [
            Server::start(&folder, &config),
            Server::original(&folder, &config),
        ] {
            let with = |name: &str| {
                let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
                server
                    .curl("/-/ready", &["--cert", &cert, "--key", &key])
                    .status
                    == 200
            };
            let none = server.curl("/-/ready", &[]).status == 200;
            assert_eq!([none, with("known"), with("strange")], expected, "{auth}");
        }
    }
}

#[test]
fn a_client_needs_one_of_the_allowed_names_in_its_certificate() {
    let (folder, authority) = Folder::new();
    let text = |name: &str| name.try_into().expect("an ASCII name");
    for (file, name) in [
        ("dns", SanType::DnsName(text("ci.example.org"))),
        ("mail", SanType::Rfc822Name(text("ci@example.org"))),
        ("uri", SanType::URI(text("spiffe://example.org/ci"))),
        (
            "ip",
            SanType::IpAddress([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].into()),
        ),
        ("other", SanType::DnsName(text("other.ci.example.org"))),
    ] {
        folder.certificate(&authority, file, &[local(), name]);
    }
    folder.certificate(&authority, "nameless", &[]);
    let server = Server::start(
        &folder,
        &format!(
            "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  \
             client_allowed_sans:\n  - ci.example.org\n  - ci@example.org\n  \
             - spiffe://example.org/ci\n  - 2001:db8::1\n"
        ),
    );
    for (name, is_let_in) in [
        ("dns", true),
        ("mail", true),
        ("uri", true),
        ("ip", true),
        ("other", false),
        ("nameless", false),
    ] {
        let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
        let answer = server.curl("/-/ready", &["--cert", &cert, "--key", &key]);
        assert_eq!(answer.status == 200, is_let_in, "{name}: {answer:?}");
    }
    let log = server.daemon.log();
    assert!(
        log.contains("could not find allowed SANs in client cert, found:"),
        "{log}"
    );
}

#[test]
fn a_certificate_can_be_replaced_while_it_runs_and_half_of_one_stops_nobody() {
    let (folder, _) = Folder::new();
    let server = Server::start(&folder, TLS);
    assert_eq!(server.curl("/-/ready", &[]).status, 200);
    let certificate = std::fs::read_to_string(folder.file("server.pem")).expect("a certificate");
    folder.write("server.pem", &certificate[..certificate.len() / 2]);
    let taken = "tidegate_web_config_last_read_successful";
    eventually(LIMIT, "a metric that tells of the fault", || {
        let answer = server.curl("/metrics", &[]);
        assert_eq!(answer.status, 200, "{answer:?}");
        (sample(&answer.body, taken) == Some("0"))
            .then_some(())
            .ok_or(answer.body)
    });
    let next = folder.authority("next-ca");
    folder.certificate(&next, "server", &[local()]);
    eventually(LIMIT, "the new certificate", || {
        let answer = server.curl("/metrics", &["--cacert", "next-ca.pem"]);
        let is_whole = sample(&answer.body, taken) == Some("1");
        is_whole.then_some(()).ok_or(format!("{answer:?}"))
    });
    let answer = server.curl("/-/ready", &[]);
    assert_eq!(
        answer.status, 0,
        "the old authority is still good: {answer:?}"
    );
    assert!(answer.error.contains("certificate"), "{answer:?}");
}

#[test]
fn a_broken_file_answers_500_by_tls_and_is_logged_once() {
    let (folder, _) = Folder::new();
    let server = Server::start(&folder, &format!("{TLS}{ALICE}"));
    let user = ["-u", "alice:secret"];
    assert_eq!(server.curl("/-/ready", &user).status, 200);
    let until = |status: u16| {
        eventually(LIMIT, "another status", || {
            let answer = server.curl("/-/ready", &user);
            (answer.status == status)
                .then_some(answer.body)
                .ok_or(answer.error)
        })
    };
    folder.write("web.yml", "nonsense: 1\n");
    assert_eq!(until(500), "Internal Server Error\n");
    for _ in 0..3 {
        assert_eq!(server.curl("/-/ready", &user).status, 500);
    }
    let log = server.daemon.log();
    assert_eq!(log.matches("cannot be used").count(), 1, "{log}");
    assert!(log.contains("web.yml:1:1: nonsense: unknown key"), "{log}");
    folder.write("web.yml", &format!("{TLS}{ALICE}"));
    until(200);
}

#[test]
fn plain_http_on_a_port_with_tls_is_told_so() {
    let (folder, _) = Folder::new();
    for server in [Server::start(&folder, TLS), Server::original(&folder, TLS)] {
        for request in [
            "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /metrics/job/a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na 1\n",
        ] {
            let answer = exchange(server.address, request.as_bytes());
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(
                answer.starts_with("HTTP/1.0 400 Bad Request\r\n"),
                "{answer}"
            );
            let body = "\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
            assert!(answer.ends_with(body), "{answer}");
        }
    }
}

#[test]
fn pythons_client_pushes_by_tls_with_its_basic_auth_handler() {
    let (folder, _) = Folder::new();
    let server = Server::start(&folder, &format!("{TLS}{ALICE}"));
    let script = "\
import sys
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway
from prometheus_client.exposition import basic_auth_handler
def handler(url, method, timeout, headers, data):
    return basic_auth_handler(url, method, timeout, headers, data, 'alice', sys.argv[2])
registry = CollectorRegistry()
Gauge('from_python', 'By the client.', registry=registry).set(7)
try:
    push_to_gateway(sys.argv[1], job='python', registry=registry, handler=handler)
    print('pushed')
except Exception as error:
    print(error)
";
    let push = |password: &str| {
        let mut command = Command::new(python_tool("python"));
        command.args([
            "-c",
            script,
            &format!("https://{}", server.address),
            password,
        ]);
        output(command.env("SSL_CERT_FILE", folder.file("ca.pem")))
    };
    assert_eq!(push("wrong"), "HTTP Error 401: Unauthorized\n");
    assert_eq!(push("secret"), "pushed\n");
    let scraped = server.curl("/metrics", &["-u", "alice:secret"]).body;
    let pushed = sample(&scraped, r#"from_python{instance="",job="python"}"#);
    assert_eq!(pushed, Some("7"), "{scraped}");
}

#[test]
fn passwords_and_headers_are_answered_as_the_original_answers() {
    let (folder, _) = Folder::new();
    let headers = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    \
                   X-XSS-Protection: 1; mode=block\n    Strict-Transport-Security: max-age=1\n";
    let config = format!("{headers}{ALICE}");
    let ours = Server::start(&folder, &config);
    let original = Server::original(&folder, &config);
    let cases: [(&str, &[&str]); 9] = [
        ("/metrics", &[]),
        ("/-/healthy", &[]),
        ("/nothing", &[]),
        ("/-/ready", &["-u", "alice:secret"]),
        ("/nothing", &["-u", "alice:secret"]),
        ("/-/ready", &["-u", "alice:wrong"]),
        ("/-/ready", &["-u", "bob:secret"]),
        ("/-/ready", &["-H", "Authorization: Basic !"]),
        (
            "/metrics/job/a",
            &["-u", "alice:secret", "--data-binary", "a 1\n"],
        ),
    ];
    for (path, arguments) in cases {
        let answers = [&ours, &original].map(|server| {
            let answer = server.plain_curl(path, arguments);
            let headers = [
                "www-authenticate",
                "content-type",
                "x-content-type-options",
                "x-frame-options",
                "x-xss-protection",
                "strict-transport-security",
            ];
            let headers = headers.map(|name| answer.header(name).map(str::to_owned));
            (answer.status, answer.body, headers)
        });
        assert_eq!(answers[0], answers[1], "{path} {arguments:?}");
    }
}
