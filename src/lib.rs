//! tidegate: a push gateway for Prometheus metrics.
//!
//! `ARCHITECTURE.md` tells the life of a push and of a scrape. In one line each:
//! [`http`] takes requests, [`format`] and [`push`] read them, [`state`] judges
//! and commits them to the [`store`], [`view`] is what a scrape copies, [`ttl`]
//! says when a group expires, and [`gateway`] is all of it as one value.

pub mod build_info;
mod certificates;
pub mod cli;
pub mod clock;
pub mod config;
mod crypto;
pub mod duration;
pub mod flags;
pub mod format;
pub mod gateway;
pub mod http;
mod limited_log;
pub mod limits;
mod lock;
pub mod log;
pub mod model;
mod parallel;
pub mod push;
pub mod settings;
pub mod state;
pub mod store;
pub mod systemd;
mod table;
pub mod telemetry;
pub mod ttl;
mod unseen;
pub mod view;
