//! What a push asks for, worked out from its request without touching state.

pub mod check;
pub mod path;
pub mod refusal;
pub mod rewrite;
