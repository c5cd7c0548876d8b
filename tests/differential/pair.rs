//! The two gateways, and what is seen of each after a request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::cases::Step;
use super::exposition::{self, Exposition};
use super::support::http::{Response, request};
use super::support::process::Gateway;
use super::support::pushgateway::Pushgateway;
use super::support::{LIMIT, eventually};

/// How long the Pushgateway may take to do what it has acknowledged.
const PATIENCE: Duration = Duration::from_secs(2);

/// Both with every optional route switched on.
pub(crate) struct Pair {
    theirs: Pushgateway,
    ours: Gateway,
    /// The counters of both after the last request.
    counters: [Counters; 2],
}

/// What a gateway has counted, by series.
type Counters = BTreeMap<String, f64>;

/// One gateway after a request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) answer: Response,
    pub(crate) state: State,
    /// By how much the gateway's own counters rose.
    pub(crate) counted: Counters,
}

/// What anybody can ask of a gateway.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) scrape: u16,
    pub(crate) exposition: Exposition,
    pub(crate) api: Value,
}

/// Both gateways after the same request.
pub(crate) struct Outcome {
    pub(crate) step: Step,
    pub(crate) theirs: Seen,
    pub(crate) ours: Seen,
}

impl Pair {
    pub(crate) fn start() -> Self {
        let flags = ["--web.enable-admin-api"];
        Self {
            theirs: Pushgateway::start_with(&flags),
            ours: Gateway::start_with(&flags),
            counters: Default::default(),
        }
    }

    /// Sends the request to both and looks at both.
    pub(crate) fn take(&mut self, step: &Step) -> Outcome {
        let (their_answer, our_answer) = (
            step.send(self.theirs.addr, ""),
            step.send(self.ours.address(), ""),
        );
        let our_state = state(self.ours.address());
        let their_state = self.settled(step, &our_state);
        let [theirs, ours] = &mut self.counters;
        Outcome {
            step: step.clone(),
            theirs: seen(theirs, their_answer, their_state),
            ours: seen(ours, our_answer, our_state),
        }
    }

    /// The Pushgateway's state. It deletes after it has answered, so it is given time to.
    fn settled(&self, step: &Step, ours: &State) -> State {
        let mut last = state(self.theirs.addr);
        if !matches!(step.method.as_str(), "DELETE" | "PUT") || step.is_push() {
            return last;
        }
        let watch = tidegate::clock::Stopwatch::start();
        while last.exposition.pushed != ours.exposition.pushed && watch.elapsed() < PATIENCE {
            last = state(self.theirs.addr);
        }
        last
    }

    /// Empties both.
    pub(crate) fn wipe(&mut self) {
        for address in [self.theirs.addr, self.ours.address()] {
            let answer = request(address, "PUT", "/api/v1/admin/wipe", &[], b"");
            assert_eq!(answer.status, 202, "{}", answer.text());
            eventually(LIMIT, "an empty gateway", || {
                let groups = request(address, "GET", "/api/v1/metrics", &[], b"").text();
                let empty = groups == r#"{"status":"success","data":[]}"#;
                empty.then_some(()).ok_or(groups)
            });
        }
        self.counters = [self.theirs.addr, self.ours.address()]
            .map(|address| exposition::counters(&state(address).exposition));
    }
}

fn seen(before: &mut Counters, answer: Response, state: State) -> Seen {
    let now = exposition::counters(&state.exposition);
    let mut counted = now.clone();
    for (series, count) in &mut counted {
        *count -= before.get(series).unwrap_or(&0.0);
    }
    counted.retain(|_, rise| *rise != 0.0);
    *before = now;
    Seen {
        answer,
        state,
        counted,
    }
}

fn state(address: SocketAddr) -> State {
    let scrape = request(address, "GET", "/metrics", &[], b"");
    let api = request(address, "GET", "/api/v1/metrics", &[], b"");
    State {
        scrape: scrape.status,
        exposition: exposition::read(&scrape.text()),
        api: exposition::api(&api.text()),
    }
}
