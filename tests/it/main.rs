//! The gateway from outside, inside the test's own process: real sockets and a real store, a clock
//! that the test moves.

#[path = "../support/mod.rs"]
mod support;

#[path = "../property_proto/messages.rs"]
#[allow(dead_code, reason = "another test uses all of it")]
mod messages;

mod address;
mod batch;
mod body;
mod clash;
mod disk;
mod encodings;
mod escaping;
mod expiry;
mod failed_slices;
mod gate;
mod harness;
mod hidden;
mod hidden_random;
mod limits;
mod loading;
mod openmetrics;
mod own_metrics;
mod protobuf;
mod push;
mod quota;
mod reaper;
mod refused;
mod scrape;
mod site;
mod slices;
mod sound;
mod stalled;
mod ttl;
mod utf8_names;
mod warnings;
