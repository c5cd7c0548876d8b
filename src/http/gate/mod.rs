//! What every request passes before its address is looked at, as the web config
//! file has it: rate limit, headers for the answer, passwords.

mod basic;
mod live;
mod passwords;
mod rate;

use std::path::Path;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use rustls::ServerConfig;

use super::handshake_log::HandshakeLog;
use super::reply;
use crate::clock::Clock;
use crate::config::Faults;
use crate::telemetry::Telemetry;
use live::{InForce, Live};
use passwords::{Passwords, Verdict};
use rate::Bucket;

/// Lets requests in by a web config file, which is read anew when it changes.
/// Whether there is TLS and HTTP/2, and the rate limit, are as they were at start.
#[derive(Debug)]
pub struct Gate {
    live: Live,
    rate: Option<Bucket>,
    passwords: Passwords,
    /// What failed of handshakes.
    pub(super) handshakes: HandshakeLog,
    clock: Clock,
}

/// A request that is let in, and what its answer has to carry.
#[derive(Debug)]
pub(super) struct Admitted(Arc<InForce>);

impl Gate {
    /// The gate of this file (`--web.config.file`).
    ///
    /// # Errors
    /// All faults of the file and of the certificates it names.
    pub fn open(file: &Path, clock: Clock) -> Result<Self, Faults> {
        let (live, rate_limit) = Live::open(file, clock.clone())?;
        let passwords = Passwords::new().map_err(|fault| Faults::new(vec![fault.to_owned()]))?;
        let rate = rate_limit.map(Bucket::full);
        Ok(Self {
            live,
            rate,
            passwords,
            handshakes: HandshakeLog::new(&clock),
            clock,
        })
    }

    /// Whether connections begin with a TLS handshake.
    pub fn has_tls(&self) -> bool {
        self.live.has_tls()
    }

    /// How handshakes are made now; `None`: without TLS.
    pub(super) async fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.live.now().await.tls.clone()
    }

    /// Lets a request in, or the answer that keeps it out.
    pub(super) async fn admit(
        &self,
        headers: &HeaderMap,
        telemetry: &Telemetry,
    ) -> Result<Admitted, Response> {
        let in_force = self.live.now().await;
        telemetry.set_web_config_taken(in_force.is_whole);
        if in_force.is_broken {
            return Err(reply::web_config_broken());
        }
        if let Some(rate) = &self.rate
            && !rate.take(self.clock.ttl_now())
        {
            return Err(reply::rate_limited());
        }
        let admitted = Admitted(in_force);
        let users = &admitted.0.users;
        if users.is_empty() {
            return Ok(admitted);
        }
        let verdict = match basic::credentials(headers) {
            None => Verdict::Wrong,
            Some(credentials) => self.passwords.check(users, credentials, telemetry).await,
        };
        match verdict {
            Verdict::Right => Ok(admitted),
            Verdict::Wrong => Err(admitted.dress(reply::unauthorized())),
            Verdict::Busy => {
                Err(admitted.dress(reply::unavailable("too many passwords are being checked")))
            }
        }
    }
}

impl Admitted {
    /// The answer with the headers of the file, where it has none of its own.
    pub(super) fn dress(&self, mut response: Response) -> Response {
        for (name, value) in &self.0.headers {
            let headers = response.headers_mut();
            headers.entry(name).or_insert_with(|| value.clone());
        }
        response
    }
}

/// The file's headers as they are sent; both parts were checked.
fn sendable(headers: &[(&'static str, String)]) -> Vec<(HeaderName, HeaderValue)> {
    let parsed = headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    parsed.collect()
}
