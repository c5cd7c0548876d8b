//! The gateway's state and the one writer that changes it.
//!
//! Requests wait in a bounded queue. The writer thread takes all that wait,
//! judges each against the index (which already holds what the earlier ones of
//! the batch did), commits one transaction, and hands the batch to the apply
//! thread, which publishes it to the view and answers everyone, while the
//! writer is busy with the next batch.

mod apply;
mod check;
mod expiry;
mod handle;
mod health;
mod history;
mod index;
mod judge;
mod load;
mod prepare;
mod reaper;
mod request;
mod shared;
mod staged;
mod start;
mod times;
mod writer;

pub use expiry::Expiry;
pub use handle::State;
pub use health::{Health, Status};
pub use prepare::{Prepared, PreparedPush, Unstorable, prepare};
pub use reaper::reap_expired;
pub use request::{Answer, DeleteMany, Done, FailedPush, Method, Pause, Pin, Refused};
pub use start::{Loaded, StateError, StateSettings};
