//! What a push asks for, worked out from its request without touching state.

pub mod check;
mod native;
pub mod path;
pub mod printed;
pub mod refusal;
pub mod rewrite;
