//! Which gateways the client trusts.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::certificates::{self, Listed, Purpose};

/// Those whose certificate an authority signed, or is itself in the list of authorities.
#[derive(Debug)]
pub(super) struct Trust {
    /// `None`: everybody (`--insecure`).
    known: Option<Known>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Known {
    chain: Arc<WebPkiServerVerifier>,
    listed: Listed,
}

impl Trust {
    /// Everybody, whoever holds the key.
    pub(super) fn everybody(provider: Arc<CryptoProvider>) -> Self {
        Self {
            known: None,
            provider,
        }
    }

    /// By these certificates. Those that cannot be read are left out: the lists of systems have
    /// some of old.
    ///
    /// # Errors
    /// If none is left.
    pub(super) fn by(
        listed: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(listed.iter().cloned());
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let chain = chain
            .build()
            .map_err(|_| "no certificate in it can be used")?;
        Ok(Self {
            known: Some(Known {
                chain,
                listed: Listed::new(listed),
            }),
            provider,
        })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(Known { chain, listed }) = &self.known else {
            return Ok(ServerCertVerified::assertion());
        };
        match listed.verify(end_entity, Purpose::Server, now) {
            Some(verdict) => {
                verify_server_name(&verdict?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            None => chain
                .verify_server_cert(end_entity, intermediates, name, ocsp, now)
                .map_err(|error| certificates::explained(end_entity, error)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.known.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.known.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
