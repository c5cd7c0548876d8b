//! The HTTP surface: connections, routes, bodies, replies.

mod api;
mod body;
mod connection;
mod context;
mod first_line;
mod foreign;
mod gate;
mod handover;
mod handshake;
mod handshake_log;
mod health;
mod lifecycle;
mod listen;
mod page;
mod pieces;
mod push;
mod reply;
mod route;
mod running;
mod scrape;
mod serve;
mod session;
mod to_the_end;
mod zipping;

pub use context::{Context, Doors, Limits, Site};
pub use gate::Gate;
pub(crate) use lifecycle::reload_policy;
pub use listen::{Listener, bind, inherited};
pub use serve::Server;
