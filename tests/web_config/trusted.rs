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

use crate::servers::{Folder, Server, TLS, local};
use crate::support::process::server_binary;

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
        params.not_before = date_time_ymd(3001, 1, 1)
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
    let config = format!("{TLS}{STRICT}");
    assert!(Server::original(&folder, &config).lets_in("old", &[]));
    assert!(!Server::start(&folder, &config).lets_in("old", &[]));
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
