//! The gateway from outside, inside the test's own process: real sockets and a real store, a clock
//! that the test moves.

#[path = "../support/mod.rs"]
mod support;

mod address;
mod batch;
mod body;
mod clash;
mod disk;
mod expiry;
mod harness;
mod limits;
mod loading;
mod push;
mod reaper;
mod refused;
mod scrape;
mod sound;
mod ttl;
