//! The HTTP surface: connections, routes, bodies, replies.

mod api;
mod body;
mod connection;
mod context;
mod health;
mod lifecycle;
mod listen;
mod push;
mod reply;
mod route;
mod scrape;
mod serve;

pub use context::{Context, Doors, Limits};
pub(crate) use lifecycle::reload_policy;
pub use listen::{Listener, bind};
pub use serve::Server;
