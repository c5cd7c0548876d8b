//! Whom the client trusts when the address is `https`, and what it shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, ClientConfig};

use super::Failure;
use super::args::Target;
use super::trust::Trust;
use crate::{certificates, crypto};

/// Where systems keep the certificates they trust: Debian, Red Hat, Alpine and BSD.
const SYSTEM: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// The TLS settings; for addresses without TLS there are none, and nothing is read.
///
/// # Errors
/// If a file cannot be read, or does not hold what it is named for. The text names it.
pub(super) fn config(https: bool, target: &Target) -> Result<Option<Arc<ClientConfig>>, Failure> {
    if !https {
        return Ok(None);
    }
    let shown = target.cert_file.as_ref().zip(target.key_file.as_ref());
    let shown = shown
        .map(|(cert, key)| client_cert(cert, key))
        .transpose()?;
    let provider = crypto::shared_provider();
    let trust = if target.insecure {
        Trust::everybody(Arc::clone(&provider))
    } else {
        let file = match &target.ca_file {
            Some(file) => file.clone(),
            None => system_file()?,
        };
        parsed(&file, |pem| {
            Trust::by(crypto::certificates(pem)?, Arc::clone(&provider))
        })?
    };
    let unusable = |error: rustls::Error| Failure::Refused(error.to_string());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust));
    let config = match shown {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(unusable)?,
        None => config.with_no_client_auth(),
    };
    Ok(Some(Arc::new(config)))
}

/// Why the gateway's certificate is not trusted; or what the gateway says against the one it was
/// shown, in `shown`, or against there being none. `None` if the error is another one.
pub(super) fn refusal(error: &ureq::Error, shown: Option<&Path>) -> Option<String> {
    use AlertDescription as Alert;

    let alert = match tls_error(error)? {
        rustls::Error::AlertReceived(alert) => alert,
        error @ rustls::Error::InvalidCertificate(_) => {
            let reason = certificates::words(error);
            return Some(format!("its certificate is not trusted: {reason}"));
        }
        _ => return None,
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
fn client_cert(
    cert_file: &Path,
    key_file: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failure> {
    let chain = parsed(cert_file, |pem| {
        let chain = crypto::certificates(pem)?;
        certificates::usable(&chain).map(|()| chain)
    })?;
    let key = parsed(key_file, crypto::private_key)?;
    crypto::fitting(&chain, &key, &crypto::provider()).map_err(|reason| {
        let (cert_file, key_file) = (cert_file.display(), key_file.display());
        Failure::Refused(format!("{cert_file} and {key_file}: {reason}"))
    })?;
    Ok((chain, key))
}

/// What `parse` makes of a file.
fn parsed<T>(file: &Path, parse: impl Fn(&[u8]) -> Result<T, String>) -> Result<T, Failure> {
    let read = std::fs::read(file).map_err(|error| error.to_string());
    read.and_then(|pem| parse(&pem))
        .map_err(|reason| Failure::Refused(format!("{}: {reason}", file.display())))
}
