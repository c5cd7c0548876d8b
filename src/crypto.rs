//! The one place that names the crypto library.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{constant_time, digest, hmac};
use rustls::NamedGroup;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs as library};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// Cipher suites, key exchanges and signatures for TLS.
pub(crate) fn provider() -> CryptoProvider {
    library::default_provider()
}

/// The key exchange of this name in TLS.
pub(crate) fn key_exchange(name: NamedGroup) -> Option<&'static dyn SupportedKxGroup> {
    let all = library::ALL_KX_GROUPS.iter().copied();
    all.into_iter().find(|group| group.name() == name)
}

/// What [`provider`] gives, to be shared.
pub(crate) fn shared_provider() -> Arc<CryptoProvider> {
    Arc::new(provider())
}

/// All certificates of a PEM text, beside which there may be anything in it.
///
/// # Errors
/// If there is none, or one that is not whole.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if found.is_empty() => Err("there is no certificate in it".to_owned()),
        read => read.map_err(|error| damage(&error)),
    }
}

/// What is wrong with a PEM text. Its lines are not in it: they may be those of a key.
fn damage(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "it is cut off: a -----BEGIN line has no -----END line".to_owned()
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a line that starts with -----BEGIN does not end in -----".to_owned()
        }
        pem::Error::Base64Decode(_) => {
            "what stands between -----BEGIN and -----END is not base64".to_owned()
        }
        error => error.to_string(),
    }
}

/// The first private key of a PEM text.
///
/// # Errors
/// If there is none, or it has a passphrase. Nothing of the key is in the text.
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        if memchr::memmem::find(pem, b"ENCRYPTED").is_some() {
            return "the private key in it has a passphrase: store it without one".to_owned();
        }
        match error {
            pem::Error::NoItemsFound => "there is no private key in it".to_owned(),
            error => format!("there is no private key in it: {}", damage(&error)),
        }
    })
}

/// Whether a certificate, the first of its chain, is that of a key.
///
/// # Errors
/// If it is not, or either cannot be read.
pub(crate) fn fitting(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<(), String> {
    CertifiedKey::from_der(chain.to_vec(), key.clone_key(), provider)
        .map(drop)
        .map_err(|error| format!("certificate and key do not fit: {error}"))
}

/// A digest that tells texts apart and does not tell the text.
pub(crate) type Digest = [u8; 32];

/// SHA-256, for texts that are no secrets or are kept elsewhere too.
pub(crate) fn sha256(text: &[u8]) -> Digest {
    let mut out = Digest::default();
    out.copy_from_slice(digest::digest(&digest::SHA256, text).as_ref());
    out
}

/// Makes digests that nobody can recompute or guess from outside the process: the
/// key is drawn at start and kept nowhere else.
pub(crate) struct SecretDigests(hmac::Key);

impl SecretDigests {
    /// With a new key.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub(crate) fn new() -> Result<Self, &'static str> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| "the system gives no random numbers")?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// HMAC-SHA-256 of all parts, each with its length.
    pub(crate) fn of(&self, parts: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = Digest::default();
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// Whether `digest` is that of these parts. How long it takes tells nothing.
    pub(crate) fn is_of(&self, digest: &[u8], parts: &[&[u8]]) -> bool {
        constant_time::verify_slices_are_equal(&self.of(parts), digest).is_ok()
    }
}

impl fmt::Debug for SecretDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigests")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_tell_parts_apart_and_differ_from_process_to_process() {
        let digests = SecretDigests::new().unwrap();
        assert_eq!(digests.of(&[b"a", b"bc"]), digests.of(&[b"a", b"bc"]));
        assert_ne!(digests.of(&[b"a", b"bc"]), digests.of(&[b"ab", b"c"]));
        assert!(digests.is_of(&digests.of(&[b"a"]), &[b"a"]));
        assert!(!digests.is_of(&digests.of(&[b"a"]), &[b"b"]));
        assert!(!digests.is_of(&digests.of(&[b"a"])[1..], &[b"a"]));
        let others = SecretDigests::new().unwrap();
        assert_ne!(digests.of(&[b"a"]), others.of(&[b"a"]));
    }
}
