//! The API from outside, inside the test's own process: real sockets and a real store, a clock that
//! the test moves.

#[path = "../support/mod.rs"]
mod support;

#[path = "../it/sound.rs"]
#[allow(dead_code, reason = "what the harness of another binary needs")]
mod sound;

#[path = "../it/harness.rs"]
#[allow(dead_code, reason = "another binary uses the rest of it")]
mod harness;

mod bad_input;
mod batch;
mod client;
mod delete;
mod explain;
mod history;
mod http;
mod list;
mod overrides;
mod paging;
mod pause;
mod reload;
mod shown;
