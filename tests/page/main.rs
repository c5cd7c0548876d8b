//! The web page, read as a browser without scripts reads it: parsed, links followed, forms sent.

#[path = "../support/mod.rs"]
mod support;

#[path = "../it/sound.rs"]
#[allow(dead_code, reason = "what the harness of another binary needs")]
mod sound;

#[path = "../it/harness.rs"]
#[allow(dead_code, reason = "another binary uses the rest of it")]
mod harness;

mod browser;
mod deletion;
mod escaping;
mod paging;
mod search;
mod shown;
mod site;
