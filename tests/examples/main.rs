//! The files of `examples/`, used as a user would use them.

#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod scripts;
mod service;
