//! A gateway inside the test, on a disk or with a clock of the test's own.

use std::net::SocketAddr;

use tidegate::clock::Clock;
use tidegate::gateway::{Gateway, GatewaySettings};
use tidegate::http;
use tidegate::store::Place;
use tokio::runtime::Runtime;

use super::http::Response;
use super::http::request;

/// A running gateway on a free port of 127.0.0.1.
pub struct InProcess {
    runtime: Runtime,
    gateway: Option<Gateway>,
    address: SocketAddr,
}

impl InProcess {
    /// Starts a gateway over the store at `place`; why, if that is refused.
    pub fn start(place: Place, clock: Clock) -> Result<Self, String> {
        Self::with(GatewaySettings::new(place, clock))
    }

    /// Starts a gateway; why, if that is refused.
    pub fn with(settings: GatewaySettings) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let gateway = runtime.block_on(async {
            let address = "127.0.0.1:0".parse().expect("an address");
            let listeners = http::bind(&[address]).expect("a free port");
            Gateway::start(settings, listeners).await
        });
        let (gateway, _) = gateway.map_err(|error| error.to_string())?;
        let address = gateway.addresses()[0];
        Ok(Self {
            runtime,
            gateway: Some(gateway),
            address,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn send(&self, method: &str, path: &str, body: &str) -> Response {
        request(self.address, method, path, &[], body.as_bytes())
    }

    /// The exposition.
    pub fn metrics(&self) -> String {
        let answer = self.send("GET", "/metrics", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    /// Waits until the store is lost for good; says why.
    pub fn broken(&self) -> String {
        let gateway = self.gateway.as_ref().expect("a gateway that runs");
        self.runtime.block_on(gateway.broken())
    }
}

impl Drop for InProcess {
    /// Stops as the program does after SIGTERM.
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            self.runtime.block_on(gateway.stop());
        }
    }
}
