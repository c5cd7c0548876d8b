//! Whom the client trusts when the address is `https`, and what it shows.

use std::path::{Path, PathBuf};

use rustls::AlertDescription;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::Failure;
use super::args::Target;
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
/// If a file cannot be read, or does not hold what it is named for. The text names it.
pub(super) fn config(https: bool, target: &Target) -> Result<TlsConfig, Failure> {
    let config = TlsConfig::builder().unversioned_rustls_crypto_provider(crypto::shared_provider());
    if !https {
        return Ok(config.build());
    }
    let shown = target.cert_file.as_ref().zip(target.key_file.as_ref());
    let shown = shown.map(|(cert, key)| client_cert(cert, key));
    let config = config.client_cert(shown.transpose()?);
    if target.insecure {
        return Ok(config.disable_verification(true).build());
    }
    let file = match &target.ca_file {
        Some(file) => file.clone(),
        None => system_file()?,
    };
    let roots = RootCerts::new_with_certs(&owned(&parsed(&file, crypto::certificates)?));
    Ok(config.root_certs(roots).build())
}

/// What the gateway says against the certificate it was shown, in `shown`, or against there
/// being none; `None` if the error is another one.
pub(super) fn refusal(error: &ureq::Error, shown: Option<&Path>) -> Option<String> {
    use AlertDescription as Alert;

    let rustls::Error::AlertReceived(alert) = tls_error(error)? else {
        return None;
    };
    match (alert, shown) {
        (Alert::CertificateRequired | Alert::BadCertificate, None) => {
            Some("it asks for a certificate: give --cert-file and --key-file".to_owned())
        }
        (
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied,
            Some(file),
        ) => {
            let file = file.display();
            Some(format!(
                "it does not take the certificate of {file} ({alert:?})"
            ))
        }
        _ => None,
    }
}

/// Whether the gateway went away without a word. One that is shown no certificate may do so
/// before its reason could be read.
pub(super) fn is_hung_up(error: &ureq::Error) -> bool {
    use std::io::ErrorKind;

    let ureq::Error::Io(error) = error else {
        return false;
    };
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
    )
}

fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn system_file() -> Result<PathBuf, Failure> {
    let chosen = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = || SYSTEM.iter().map(PathBuf::from).find(|file| file.exists());
    chosen.or_else(known).ok_or_else(|| {
        let text = "the system has no file of trusted certificates: give --ca-file";
        Failure::Refused(text.to_owned())
    })
}

/// What the gateway is shown when it asks. Certificate and key are tried together, since a
/// pair that does not fit would only be seen as a handshake that broke off.
fn client_cert(cert_file: &Path, key_file: &Path) -> Result<ClientCert, Failure> {
    let chain = parsed(cert_file, crypto::certificates)?;
    let (secret, key) = parsed(key_file, |pem| {
        let key = PrivateKey::from_pem(pem).map_err(|error| error.to_string());
        crypto::private_key(pem).and_then(|secret| Ok((secret, key?)))
    })?;
    crypto::fitting(&chain, &secret, &crypto::provider()).map_err(|reason| {
        let (cert_file, key_file) = (cert_file.display(), key_file.display());
        Failure::Refused(format!("{cert_file} and {key_file}: {reason}"))
    })?;
    Ok(ClientCert::new_with_certs(&owned(&chain), key))
}

fn owned(certificates: &[CertificateDer<'_>]) -> Vec<Certificate<'static>> {
    let owned = certificates.iter();
    owned
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect()
}

/// What `parse` makes of a file.
fn parsed<T>(file: &Path, parse: impl Fn(&[u8]) -> Result<T, String>) -> Result<T, Failure> {
    let read = std::fs::read(file).map_err(|error| error.to_string());
    read.and_then(|pem| parse(&pem))
        .map_err(|reason| Failure::Refused(format!("{}: {reason}", file.display())))
}
