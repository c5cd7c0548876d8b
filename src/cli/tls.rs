//! Whom the client trusts when the address is `https`.

use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::Failure;
use crate::crypto;

/// Where systems keep the certificates they trust: Debian, Red Hat, Alpine and BSD.
const SYSTEM: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// The TLS settings; for addresses without TLS nothing is read.
///
/// # Errors
/// If the certificates cannot be read, or there are none.
pub(super) fn config(
    https: bool,
    ca_file: Option<&Path>,
    insecure: bool,
) -> Result<TlsConfig, Failure> {
    let config = TlsConfig::builder().unversioned_rustls_crypto_provider(crypto::shared_provider());
    if insecure || !https {
        return Ok(config.disable_verification(insecure).build());
    }
    let file = match ca_file {
        Some(file) => file.to_owned(),
        None => system_file()?,
    };
    let certificates = read(&file)?;
    let roots = RootCerts::new_with_certs(&certificates);
    Ok(config.root_certs(roots).build())
}

fn system_file() -> Result<PathBuf, Failure> {
    let chosen = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = || SYSTEM.iter().map(PathBuf::from).find(|file| file.exists());
    chosen.or_else(known).ok_or_else(|| {
        let text = "the system has no file of trusted certificates: give --ca-file";
        Failure::Refused(text.to_owned())
    })
}

fn read(file: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let refused = |reason: String| Failure::Refused(format!("{}: {reason}", file.display()));
    let pem = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| refused(error.to_string()))?
        {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(refused("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}
