//! Which certificates are trusted by themselves, and words for what is wrong with one.
//!
//! Chains of signatures are the library's business. It knows an end of a chain and an authority,
//! and no certificate that is both, such as `openssl req -x509` makes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, OtherError};
use x509_parser::certificate::{Validity, X509Certificate};
use x509_parser::extensions::ExtendedKeyUsage;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// What a certificate is shown for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// By a client, to be let in.
    Client,
    /// By a server, to be trusted.
    Server,
}

/// Certificates of which each is trusted when it is shown, byte for byte, whoever signed it. Go and
/// OpenSSL as curl uses it take what their lists of authorities hold in the same way.
#[derive(Debug)]
pub(crate) struct Listed(Vec<CertificateDer<'static>>);

impl Listed {
    pub(crate) fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self(certificates)
    }

    /// Whether a certificate of the list is good at this time and for this purpose; `None`: it is
    /// not in the list. Whether its key is there the handshake shows.
    pub(crate) fn verify<'a>(
        &self,
        shown: &'a CertificateDer<'a>,
        purpose: Purpose,
        now: UnixTime,
    ) -> Option<Result<ParsedCertificate<'a>, Error>> {
        self.0
            .contains(shown)
            .then(|| verified(shown, purpose, now))
    }
}

fn verified<'a>(
    shown: &'a CertificateDer<'a>,
    purpose: Purpose,
    now: UnixTime,
) -> Result<ParsedCertificate<'a>, Error> {
    // With a critical extension that nobody knows it ends here, as in Go.
    let parsed = ParsedCertificate::try_from(shown).map_err(|error| explained(shown, error))?;
    let certificate = read(shown).ok_or(CertificateError::BadEncoding)?;
    in_time(certificate.validity(), now)?;
    let usage = certificate.extended_key_usage();
    let usage = usage.map_err(|_| CertificateError::BadEncoding)?;
    match usage {
        Some(usage) if !serves(usage.value, purpose) => {
            Err(CertificateError::InvalidPurpose.into())
        }
        _ => Ok(parsed),
    }
}

fn in_time(validity: &Validity, now: UnixTime) -> Result<(), CertificateError> {
    let unix = |time: &ASN1Time| {
        let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    };
    let (not_before, not_after) = (unix(&validity.not_before), unix(&validity.not_after));
    if now < not_before {
        let time = now;
        return Err(CertificateError::NotValidYetContext { time, not_before });
    }
    if now > not_after {
        let time = now;
        return Err(CertificateError::ExpiredContext { time, not_after });
    }
    Ok(())
}

fn serves(usage: &ExtendedKeyUsage<'_>, purpose: Purpose) -> bool {
    usage.any
        || match purpose {
            Purpose::Client => usage.client_auth,
            Purpose::Server => usage.server_auth,
        }
}

fn read<'a>(certificate: &'a CertificateDer<'a>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(certificate)
        .ok()
        .map(|(_, certificate)| certificate)
}

/// A certificate is refused for this reason.
pub(crate) fn refused(reason: String) -> Error {
    CertificateError::Other(OtherError(Arc::new(io::Error::other(reason)))).into()
}

/// What the library says against a certificate, in words where it has only a name for it.
pub(crate) fn explained(shown: &CertificateDer<'_>, error: Error) -> Error {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) = &error else {
        return error;
    };
    match reason.downcast_ref() {
        Some(webpki::Error::UnsupportedCertVersion) => {
            let version = version(shown).map_or(String::new(), |version| version.to_string());
            refused(format!(
                "it is an X.509 v{version} certificate, and only v3 is taken"
            ))
        }
        Some(webpki::Error::CaUsedAsEndEntity) => {
            let text = "it is the certificate of an authority (CA:TRUE), which counts by itself \
                        only where it is listed";
            refused(text.to_owned())
        }
        _ => error,
    }
}

/// The version of X.509 as people count them, from 1; `None` if it cannot be read.
pub(crate) fn version(certificate: &CertificateDer<'_>) -> Option<u32> {
    read(certificate).map(|certificate| certificate.version().0.saturating_add(1))
}

/// Whether the first certificate of a chain can be shown to a peer.
///
/// # Errors
/// Why it cannot be used.
pub(crate) fn usable(chain: &[CertificateDer<'_>]) -> Result<(), String> {
    chain.first().map_or(Ok(()), |certificate| {
        let parsed = ParsedCertificate::try_from(certificate).map(drop);
        parsed.map_err(|error| {
            let reason = words(&explained(certificate, error));
            format!("the certificate in it cannot be used: {reason}")
        })
    })
}

/// An error in words; of a certificate only what is wrong with it.
pub(crate) fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "UnknownIssuer: no authority that is trusted has signed it".to_owned()
        }
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "BadEncoding: it cannot be read".to_owned()
        }
        Error::InvalidCertificate(CertificateError::InvalidPurpose) => {
            "InvalidPurpose: its extended key usage does not allow this".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) => {
            reason.to_string()
        }
        Error::InvalidCertificate(reason) => reason.to_string(),
        error => error.to_string(),
    }
}
