//! Which certificates of clients are let in beyond those that an authority signed, and what is
//! said of the others.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use rcgen::{ExtendedKeyUsagePurpose, IsCa, date_time_ymd};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, SignatureScheme, StreamOwned};

use crate::servers::{Authority, Folder, Server, TLS, local};
use crate::support::http::exchange;
use crate::support::process::server_binary;
use crate::support::{LIMIT, eventually};

const STRICT: &str =
    "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: listed.pem\n";

#[test]
fn a_listed_certificate_is_let_in_by_itself_as_the_original_does() {
    let (folder, authority) = Folder::new();
    folder.certificate(&authority, "leaf", &[local()]);
    folder.self_signed("own", |_| {});
    folder.self_signed("unlisted", |_| {});
    folder.self_signed("plain", |params| params.is_ca = IsCa::NoCa);
    folder.self_signed("expired", |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    folder.self_signed("early", |params| {
        params.not_before = date_time_ymd(3001, 1, 1);
    });
    folder.self_signed("serving", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    folder.self_signed("asking", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let listed = [
        "own", "leaf", "plain", "expired", "early", "serving", "asking",
    ];
    folder.listed("listed", &listed);
    let config = format!("{TLS}{STRICT}");
    for server in [
        Server::start(&folder, &config),
        Server::original(&folder, &config),
    ] {
        for (name, is_let_in) in [
            ("own", true),
            ("leaf", true),
            ("plain", true),
            ("asking", true),
            ("expired", false),
            ("early", false),
            ("serving", false),
            ("unlisted", false),
        ] {
            for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
                let seen = server.lets_in(name, version);
                assert_eq!(
                    seen,
                    is_let_in,
                    "{name} {version:?}: {}",
                    server.daemon.log()
                );
            }
        }
    }
}

/// Shows a certificate, and signs with a key, whether they fit or not.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// What the gateway answers to whoever shows this certificate and signs with this key.
fn answer(server: &Server, folder: &Folder, certificate: &str, key: &str) -> io::Result<String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let read = |name: &str| std::fs::read(folder.file(name)).expect("a file");
    let chain = vec![CertificateDer::from_pem_slice(&read(certificate)).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(&read(key)).expect("a key");
    let key = provider.key_provider.load_private_key(key).expect("a key");
    let shown = Shown(Arc::new(CertifiedKey::new(chain, key)));
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(&read("ca.pem")).expect("a certificate");
    roots.add(authority).expect("an authority");
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(shown));
    let name = server.address.ip().into();
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let mut stream = StreamOwned::new(connection, TcpStream::connect(server.address)?);
    stream.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_listed_certificate_is_of_no_use_without_its_key() {
    let (folder, _) = Folder::new();
    folder.self_signed("own", |_| {});
    folder.self_signed("other", |_| {});
    folder.listed("listed", &["own"]);
    let server = Server::start(&folder, &format!("{TLS}{STRICT}"));
    let let_in = answer(&server, &folder, "own.pem", "own.key").expect("an answer");
    assert!(let_in.starts_with("HTTP/1.0 200 OK\r\n"), "{let_in}");
    let refused = answer(&server, &folder, "own.pem", "other.key");
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn a_certificate_of_x509_v1_is_refused_where_the_original_takes_it_and_the_check_says_so() {
    let (folder, _) = Folder::new();
    folder.write("old.pem", include_str!("v1.pem"));
    folder.write("old.key", include_str!("v1.key"));
    folder.listed("listed", &["ca", "old"]);
    let old = Authority::of("old", include_str!("v1.key"));
    folder.certificate(&old, "young", &[local()]);
    let config = format!("{TLS}{STRICT}");
    for (server, takes_old) in [
        (Server::original(&folder, &config), true),
        (Server::start(&folder, &config), false),
    ] {
        assert_eq!(server.lets_in("old", &[]), takes_old);
        assert!(server.lets_in("young", &[]), "its authority is of v1");
    }
    let checked = Command::new(server_binary())
        .args(["check", "web-config"])
        .arg(folder.file("web.yml"))
        .output()
        .expect("a program");
    let out = String::from_utf8_lossy(&checked.stdout).into_owned();
    let notice = "client_ca_file: certificate 2 in it is not of X.509 v3";
    assert!(
        checked.status.success() && out.contains(notice),
        "{checked:?}"
    );
}

/// The line with this message and this in it.
fn line(server: &Server, message: &str, part: &str) -> String {
    eventually(LIMIT, message, || {
        let log = server.daemon.log();
        let message = format!("msg={message:?} ");
        let mut lines = log.lines();
        let found = lines.find(|line| line.contains(&message) && line.contains(part));
        found.map(str::to_owned).ok_or(log)
    })
}

#[test]
fn a_client_that_is_refused_is_a_warning_with_its_address_and_the_reason() {
    let (folder, authority) = Folder::new();
    folder.certificate(&authority, "known", &[local()]);
    let strange = folder.authority("strange-ca");
    folder.certificate(&strange, "strange", &[local()]);
    folder.self_signed("own", |_| {});
    folder.write("old.pem", include_str!("v1.pem"));
    folder.write("old.key", include_str!("v1.key"));
    folder.listed("listed", &["ca"]);
    let server = Server::start(&folder, &format!("{TLS}{STRICT}"));
    let refused = "a client was refused for its certificate";
    for (name, reason) in [
        ("strange", "no authority that is trusted has signed it"),
        ("own", "it is the certificate of an authority (CA:TRUE)"),
        ("old", "it is an X.509 v1 certificate, and only v3 is taken"),
    ] {
        assert!(!server.lets_in(name, &[]));
        let line = line(&server, refused, reason);
        assert!(
            line.contains("level=WARN") && line.contains("peer=127.0.0.1"),
            "{line}"
        );
    }
    assert_eq!(server.curl("/-/ready", &[]).status, 0);
    line(&server, refused, "it shows none");
    // This curl does not know who signed the gateway's.
    let answer = server.curl("/-/ready", &["--cacert", "strange-ca.pem"]);
    assert_eq!(answer.status, 0);
    line(
        &server,
        "a client does not take our certificate",
        "alert=UnknownCA",
    );
    assert!(server.lets_in("known", &[]));
}

#[test]
fn scanners_are_one_line_in_a_while_and_a_count_and_the_silent_none() {
    let (folder, _) = Folder::new();
    let mut server = Server::start(&folder, TLS);
    let failed = "a TLS handshake failed";
    for _ in 0..20 {
        TcpStream::connect(server.address).expect("a connection");
    }
    exchange(server.address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    line(
        &server,
        failed,
        "it sent HTTP without TLS, and was answered 400",
    );
    for _ in 0..20 {
        let mut scanner = TcpStream::connect(server.address).expect("a connection");
        scanner.write_all(b"\0\0\0\0").expect("room");
        // It is not answered, and closed when it has been looked at.
        let _ = scanner.read(&mut [0]);
    }
    assert!(server.daemon.terminate().success());
    let log = server.daemon.log();
    assert_eq!(log.matches(failed).count(), 1, "{log}");
    line(&server, "more TLS handshakes failed", "connections=20");
}
