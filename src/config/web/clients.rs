//! Which certificates of clients are let in.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names::ClientAuth;
use crate::certificates::{self, Listed, Purpose};

/// Lets clients in as `client_auth_type` and `client_allowed_sans` say.
#[derive(Debug)]
pub(super) struct Clients {
    auth: ClientAuth,
    /// Whose certificates count, if they are verified at all.
    chain: Option<Arc<dyn ClientCertVerifier>>,
    /// Those that need nobody's signature.
    listed: Listed,
    /// One of these names has to be in the certificate; empty: any will do.
    allowed: Vec<String>,
    provider: Arc<CryptoProvider>,
}

impl Clients {
    /// `authorities` counts only where certificates are verified.
    ///
    /// # Errors
    /// If one of `authorities` cannot be read, or there is none and one is needed.
    pub(super) fn new(
        auth: ClientAuth,
        authorities: Vec<CertificateDer<'static>>,
        allowed: Vec<String>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for (place, authority) in authorities.iter().enumerate() {
            let added = roots.add(authority.clone());
            added.map_err(|error| {
                let reason = certificates::words(&certificates::explained(authority, error));
                format!("certificate {} in it: {reason}", place + 1)
            })?;
        }
        let chain = if auth.verifies() {
            let chain =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            Some(chain.build().map_err(|error| error.to_string())?)
        } else {
            None
        };
        Ok(Self {
            auth,
            chain,
            listed: Listed::new(authorities),
            allowed,
            provider,
        })
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.auth.is_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        match &self.chain {
            Some(chain) => chain.root_hint_subjects(),
            None => &[],
        }
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain {
            let verdict = match self.listed.verify(end_entity, Purpose::Client, now) {
                Some(verdict) => verdict.map(drop),
                None => chain
                    .verify_client_cert(end_entity, intermediates, now)
                    .map(drop)
                    .map_err(|error| certificates::explained(end_entity, error)),
            };
            verdict?;
        }
        if self.allowed.is_empty() {
            return Ok(ClientCertVerified::assertion());
        }
        let found = names(end_entity).ok_or(CertificateError::BadEncoding)?;
        if found.iter().any(|name| self.allowed.contains(name)) {
            return Ok(ClientCertVerified::assertion());
        }
        let text = format!("could not find allowed SANs in client cert, found: {found:?}");
        Err(certificates::refused(text))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
            .map_err(|error| certificates::explained(cert, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
            .map_err(|error| certificates::explained(cert, error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// The subject's alternative names as Go writes them; `None` if it cannot be read.
fn names(certificate: &CertificateDer<'_>) -> Option<Vec<String>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let Some(extension) = certificate.subject_alternative_name().ok()? else {
        return Some(Vec::new());
    };
    let names = extension.value.general_names.iter();
    Some(names.filter_map(name).collect())
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                _ => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
            };
            Some(address.to_canonical().to_string())
        }
        _ => None,
    }
}
