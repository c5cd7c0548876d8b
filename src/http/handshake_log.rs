//! Log lines of TLS handshakes that failed.
//!
//! Clients whose certificate is refused, or who do not trust ours, are somebody's jobs whose
//! pushes are missing: they are warnings. The rest is mostly scanners, and hardly worth a line.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription as Alert, Error};
use tokio::runtime::Handle;

use crate::certificates;
use crate::clock::Clock;
use crate::limited_log::LimitedLog;
use crate::limits::{HANDSHAKE_LINES, MISTRUST_LINES};

const MINUTE: Duration = Duration::from_mins(1);

/// Writes the lines.
#[derive(Debug)]
pub(super) struct HandshakeLog {
    mistrust: Arc<LimitedLog>,
    others: Arc<LimitedLog>,
}

impl HandshakeLog {
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            mistrust: LimitedLog::new(clock.clone(), MISTRUST_LINES, MINUTE, |connections| {
                tracing::warn!(connections, "more TLS handshakes failed over certificates");
            }),
            others: LimitedLog::new(clock.clone(), HANDSHAKE_LINES, MINUTE, |connections| {
                tracing::info!(connections, "more TLS handshakes failed");
            }),
        }
    }

    /// Notes a handshake with a peer that said something. Must be called within a tokio runtime.
    pub(super) fn note(&self, peer: IpAddr, error: &io::Error) {
        let runtime = Handle::current();
        let tls = error.get_ref().and_then(|error| error.downcast_ref());
        match tls {
            Some(error @ (Error::InvalidCertificate(_) | Error::NoCertificatesPresented)) => {
                let reason = match error {
                    Error::NoCertificatesPresented => "it shows none".to_owned(),
                    error => certificates::words(error),
                };
                self.mistrust.line(&runtime, || {
                    tracing::warn!(%peer, reason, "a client was refused for its certificate");
                });
            }
            Some(Error::AlertReceived(alert)) if is_mistrust(*alert) => {
                self.mistrust.line(&runtime, || {
                    tracing::warn!(%peer, ?alert, "a client does not take our certificate");
                });
            }
            _ => self.others.line(&runtime, || {
                tracing::info!(%peer, %error, "a TLS handshake failed");
            }),
        }
    }

    /// Tells how many handshakes had no line of their own, if there are any.
    pub(super) fn tell_left_out(&self) {
        self.mistrust.tell_left_out();
        self.others.tell_left_out();
    }
}

/// Whether a peer says by this that it does not take the certificate it was shown.
fn is_mistrust(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
    )
}
