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

#[path = "../it/disk.rs"]
#[allow(dead_code, reason = "another binary uses the rest of it")]
mod disk;

mod bad_input;
mod batch;
mod client;
mod delete;
mod explain;
mod expose;
mod gone;
mod grace;
mod history;
mod hold;
mod http;
mod list;
mod matching;
mod original;
mod overrides;
mod paging;
mod pause;
mod reload;
mod short;
mod shown;
