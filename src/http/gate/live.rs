//! The web config that is in force, kept up with its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderName, HeaderValue};
use rustls::ServerConfig;
use tokio::sync::Mutex as Turn;

use super::sendable;
use crate::clock::{Clock, UnixNanos};
use crate::config::Faults;
use crate::config::web::{self, PasswordHash, RateLimit, Reading, WebConfig};
use crate::limits::WEB_CONFIG_TIME;
use crate::lock::lock;

/// Reads the files anew when they have changed, looking at most every
/// [`WEB_CONFIG_TIME`] and only when somebody asks.
#[derive(Debug)]
pub(super) struct Live {
    file: PathBuf,
    clock: Clock,
    /// As it was at start.
    http2: bool,
    in_force: Mutex<Arc<InForce>>,
    look: Turn<Look>,
}

/// What requests and handshakes go by.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    /// The file cannot be read or has faults: nobody is let in.
    pub(super) is_broken: bool,
    /// Neither the file nor the certificates have faults.
    pub(super) is_whole: bool,
    pub(super) users: BTreeMap<String, PasswordHash>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The last without a fault: so that clients can be told what is wrong, and that
    /// half a certificate being copied in place stops nobody.
    pub(super) tls: Option<Arc<ServerConfig>>,
}

#[derive(Debug)]
struct Look {
    next: UnixNanos,
    last: Arc<Reading>,
}

impl Live {
    /// The config of this file, and the rate limit that it asks for.
    ///
    /// # Errors
    /// All faults of the file and of those it names.
    pub(super) fn open(file: &Path, clock: Clock) -> Result<(Self, Option<RateLimit>), Faults> {
        let reading = web::reading(file);
        let config = reading.whole()?;
        for notice in &config.notices {
            tracing::warn!(file = %file.display(), "{notice}");
        }
        let http2 = config.http2;
        let live = Self {
            file: file.to_owned(),
            http2,
            in_force: Mutex::new(Arc::new(InForce {
                is_broken: false,
                is_whole: true,
                users: config.users.clone(),
                headers: sendable(&config.headers),
                tls: config.tls.as_deref().map(|tls| with_protocols(tls, http2)),
            })),
            look: Turn::new(Look {
                next: clock.ttl_now().plus(WEB_CONFIG_TIME),
                last: Arc::new(reading),
            }),
            clock,
        };
        Ok((live, config.rate_limit))
    }

    pub(super) fn has_tls(&self) -> bool {
        self.in_force().tls.is_some()
    }

    /// What is in force now. Whoever finds a look due looks; the others do not wait.
    pub(super) async fn now(&self) -> Arc<InForce> {
        if let Ok(mut look) = self.look.try_lock()
            && self.clock.ttl_now() >= look.next
        {
            look.next = self.clock.ttl_now().plus(WEB_CONFIG_TIME);
            self.look(&mut look).await;
        }
        self.in_force()
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&lock(&self.in_force))
    }

    async fn look(&self, look: &mut Look) {
        let (last, file) = (Arc::clone(&look.last), self.file.clone());
        let read = move || last.is_outdated().then(|| web::reading(&file));
        // A panic would be a defect; what is in force stays.
        if let Ok(Some(reading)) = tokio::task::spawn_blocking(read).await {
            let next = self.take(&reading);
            *lock(&self.in_force) = Arc::new(next);
            look.last = Arc::new(reading);
        }
    }

    /// What is in force after this reading.
    fn take(&self, reading: &Reading) -> InForce {
        let mut next = InForce::clone(&self.in_force());
        let file = self.file.display();
        next.is_whole = reading.config.is_ok() && reading.certificates.is_none();
        match &reading.config {
            Ok(config) => {
                next.is_broken = false;
                next.users.clone_from(&config.users);
                next.headers = sendable(&config.headers);
                self.take_tls(config, &mut next);
                tracing::info!(%file, "web config file read anew");
            }
            Err(faults) => {
                next.is_broken = true;
                let faults = faults.lines().join("\n");
                tracing::error!(
                    %file,
                    faults,
                    "the web config file cannot be used: every request is answered 500"
                );
            }
        }
        if let Some(faults) = &reading.certificates {
            let faults = faults.lines().join("\n");
            tracing::error!(%file, faults, "the certificates stay as they were");
        }
        next
    }

    fn take_tls(&self, config: &WebConfig, next: &mut InForce) {
        match (&config.tls, &next.tls) {
            (Some(tls), Some(_)) => next.tls = Some(with_protocols(tls, self.http2)),
            (Some(_), None) => tracing::warn!("TLS begins with the next start only"),
            (None, _) => {}
        }
    }
}

/// With the protocols that a client can choose from in the handshake.
fn with_protocols(tls: &ServerConfig, http2: bool) -> Arc<ServerConfig> {
    let mut tls = tls.clone();
    let protocols: &[&[u8]] = if http2 {
        &[b"h2", b"http/1.1"]
    } else {
        &[b"http/1.1"]
    };
    tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(tls)
}
