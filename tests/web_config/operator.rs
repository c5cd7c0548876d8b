//! What operators do with web config files: checking them, and the subcommands against a gateway
//! that has one.

use std::process::{Command, Output};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, SanType, date_time_ymd};

use crate::ALICE;
use crate::servers::{Folder, Server, TLS, local};
use crate::support::process::server_binary;
use crate::support::{LIMIT, eventually};

/// Runs the program to its end.
fn tidegate(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output: Output = Command::new(server_binary())
        .args(arguments)
        .env_remove("SSL_CERT_FILE")
        .output()
        .expect("a program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// `tidegate groups list` of a gateway, with these files of the folder.
fn list(server: &Server, folder: &Folder, files: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let address = format!("--address=https://{}", server.address);
    let files = files
        .iter()
        .map(|(flag, file)| format!("--{flag}={}", folder.file(file).display()));
    let files: Vec<String> = files.collect();
    let files = files.iter().map(String::as_str);
    let arguments: Vec<&str> = ["groups", "list", &address]
        .into_iter()
        .chain(files)
        .collect();
    tidegate(&arguments)
}

/// A gateway that lets in whom `ca.pem` vouches for, and has one group.
fn strict_server(folder: &Folder, rest: &str) -> Server {
    let server = Server::start(
        folder,
        &format!(
            "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n{rest}"
        ),
    );
    let known = ["--cert", "known.pem", "--key", "known.key"];
    let push = [&known[..], &["--data-binary", "a 1\n"]].concat();
    assert_eq!(server.curl("/metrics/job/backup", &push).status, 200);
    server
}

#[test]
fn the_subcommands_show_a_gateway_that_asks_for_it_their_certificate() {
    let (folder, authority) = Folder::new();
    folder.certificate(&authority, "known", &[local()]);
    for rest in ["", "  max_version: TLS12\n"] {
        let server = strict_server(&folder, rest);
        let known = [
            ("ca-file", "ca.pem"),
            ("cert-file", "known.pem"),
            ("key-file", "known.key"),
        ];
        let (code, out, errors) = list(&server, &folder, &known);
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{rest}");
        assert!(out.contains("job=backup"), "{out}");
        // The gateway's own certificate is looked at all the same.
        let (code, _, errors) = list(&server, &folder, &known[1..]);
        assert_ne!(code, Some(0), "{errors}");
    }
}

#[test]
fn a_gateway_is_trusted_by_its_own_certificate_if_that_is_good() {
    let (folder, _) = Folder::new();
    folder.self_signed("other", |_| {});
    for (fault, change) in [
        ("", (|_| {}) as fn(&mut CertificateParams)),
        ("", |params| params.is_ca = IsCa::NoCa),
        ("certificate expired", |params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }),
        ("not valid for name \"127.0.0.1\"", |params| {
            params.subject_alt_names = vec![SanType::DnsName("a.b".try_into().expect("ASCII"))];
        }),
        ("its extended key usage does not allow this", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }),
    ] {
        folder.self_signed("server", change);
        for rest in ["", "  max_version: TLS12\n"] {
            let server = Server::start(&folder, &format!("{TLS}{rest}"));
            let (code, _, errors) = list(&server, &folder, &[("ca-file", "server.pem")]);
            assert!(errors.contains(fault), "{fault}: {errors}");
            assert_eq!(code, Some(i32::from(!fault.is_empty())), "{errors}");
            let by_curl = server.curl("/-/ready", &["--cacert", "server.pem"]).status;
            assert_eq!(by_curl == 200, fault.is_empty(), "{fault}");
            // Reached, and not trusted: refused, not away.
            let (code, _, errors) = list(&server, &folder, &[("ca-file", "other.pem")]);
            assert_eq!(code, Some(1), "{errors}");
            let words = format!(
                "tidegate: error: https://{}: its certificate is not trusted: ",
                server.address
            );
            assert!(errors.starts_with(&words), "{errors}");
            eventually(LIMIT, "a line on who mistrusts it", || {
                let log = server.daemon.log();
                let told = log.contains("a client does not take our certificate");
                told.then_some(()).ok_or(log)
            });
        }
    }
}

#[test]
fn a_gateway_that_refuses_a_certificate_is_told_apart_from_one_that_is_away() {
    let (folder, authority) = Folder::new();
    folder.certificate(&authority, "known", &[local()]);
    let strange = folder.authority("strange-ca");
    folder.certificate(&strange, "strange", &[local()]);
    for rest in ["", "  max_version: TLS12\n"] {
        let server = strict_server(&folder, rest);
        // A refusal may be lost: the gateway hangs up behind it. Then it is only guessed at.
        let told = |files: &[(&str, &str)], words: &str| {
            eventually(LIMIT, words, || {
                let (code, out, errors) = list(&server, &folder, files);
                assert_eq!(out, "");
                assert!(matches!(code, Some(1 | 2)), "{code:?} {errors}");
                (code == Some(1) && errors.contains(words))
                    .then_some(())
                    .ok_or(errors)
            });
        };
        told(
            &[("ca-file", "ca.pem")],
            "it asks for a certificate: give --cert-file and --key-file",
        );
        let files = [
            ("ca-file", "ca.pem"),
            ("cert-file", "strange.pem"),
            ("key-file", "strange.key"),
        ];
        told(
            &files,
            &format!(
                "it does not take the certificate of {}",
                folder.file("strange.pem").display()
            ),
        );
    }
}

#[test]
fn certificates_that_cannot_be_shown_are_named_before_anybody_is_asked() {
    let (folder, authority) = Folder::new();
    folder.certificate(&authority, "known", &[local()]);
    folder.certificate(&authority, "other", &[local()]);
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    folder.write("locked.key", locked);
    let name = |file: &str| folder.file(file).display().to_string();
    let pair = format!(
        "{} and {}: certificate and key do not fit: ",
        name("known.pem"),
        name("other.key")
    );
    for (cert, key, fault) in [
        (
            "missing.pem",
            "known.key",
            format!("{}: No such file", name("missing.pem")),
        ),
        (
            "known.pem",
            "missing.key",
            format!("{}: No such file", name("missing.key")),
        ),
        (
            "known.key",
            "known.key",
            format!("{}: there is no certificate in it", name("known.key")),
        ),
        (
            "known.pem",
            "known.pem",
            format!("{}: there is no private key in it", name("known.pem")),
        ),
        (
            "known.pem",
            "locked.key",
            format!(
                "{}: the private key in it has a passphrase",
                name("locked.key")
            ),
        ),
        ("known.pem", "other.key", pair),
    ] {
        // Nobody listens there.
        let files = [
            format!("--cert-file={}", name(cert)),
            format!("--key-file={}", name(key)),
        ];
        let (code, _, errors) = tidegate(&[
            "ttl",
            "show",
            "--address=https://127.0.0.1:1",
            "--insecure",
            &files[0],
            &files[1],
        ]);
        assert_eq!(code, Some(1), "{errors}");
        assert!(
            errors.starts_with(&format!("tidegate: error: {fault}")),
            "{errors}"
        );
    }
}

#[test]
fn the_check_and_the_start_tell_the_same_faults_of_certificates() {
    let (folder, authority) = Folder::new();
    folder.certificate(&authority, "other", &[local()]);
    let file = folder.file("web.yml").display().to_string();
    let flag = format!("--web.config.file={file}");
    for (config, fault) in [
        (
            TLS.replace("server.pem", "missing.pem"),
            "missing.pem: cannot open it: No such file",
        ),
        (
            TLS.replace("server.key", "other.key"),
            "certificate and key do not fit",
        ),
        (
            format!(
                "{TLS}  client_ca_file: web.yml\n  client_auth_type: RequireAndVerifyClientCert\n"
            ),
            "there is no certificate in it",
        ),
        (
            "basic_auth_users: {a: plain}\n".to_owned(),
            "expected a bcrypt hash",
        ),
    ] {
        folder.write("web.yml", &config);
        let (code, out, told) = tidegate(&["check", "web-config", &file]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{told}");
        assert!(told.contains(fault), "{told}");
        // The start has one fault more, so that it ends even if it takes the file.
        let (code, _, start) = tidegate(&[&flag, "--ttl.min=soon"]);
        assert_eq!(code, Some(1), "{start}");
        assert!(start.starts_with(&told), "{start}\n{told}");
    }
}

#[test]
fn faults_are_told_by_the_start_and_by_the_check() {
    let (folder, _) = Folder::new();
    let file = folder.file("web.yml").display().to_string();
    folder.write(
        "web.yml",
        "tls_server_config:\n  min_version: TLS11\nbogus: 1\n",
    );
    let flag = format!("--web.config.file={file}");
    for arguments in [
        &["check", "web-config", &file][..],
        &[&flag, "--ttl.min=soon"],
    ] {
        let (code, out, errors) = tidegate(arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
        for fault in [
            ":2:16: tls_server_config.min_version: ",
            ":3:1: bogus: unknown key",
        ] {
            assert!(
                errors.contains(&format!("tidegate: error: {file}{fault}")),
                "{errors}"
            );
        }
    }
    folder.write(
        "web.yml",
        &format!("{TLS}{ALICE}rate_limit: {{interval: 10ms, burst: 5}}\n"),
    );
    let (code, out, errors) = tidegate(&["check", "web-config", &file]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    for line in [
        "OK ",
        "HTTP/2 and HTTP/1.1",
        "alice",
        "every 10ms, bursts of 5",
    ] {
        assert!(out.contains(line), "{out}");
    }
    assert!(!out.contains("$2b$"), "{out}");
}
