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
mod expiry_log;
mod exposed;
mod forms;
mod gauge;
mod handle;
mod health;
mod history;
mod import;
mod index;
mod judge;
mod later;
mod load;
mod one_by_one;
mod policy;
mod prepare;
mod quota;
mod reaper;
mod request;
mod scrapers;
mod scrapes;
mod shared;
mod signature;
mod slices;
mod staged;
mod standing;
mod start;
mod times;
mod twin;
mod writer;

pub use expiry::Expiry;
pub use handle::State;
pub use health::{Health, Status};
pub use import::{Import, ImportError, LeftOut};
pub use prepare::{Prepared, PreparedPush, Unstorable, prepare, prepare_hiding};
pub use quota::{Counted, OverQuota, Quota};
pub use reaper::reap_expired;
pub use request::{
    Answer, DeleteMany, Done, FailedPush, Method, NewOverride, Pause, Pin, PinMany, Refused,
};
pub use scrapes::Shown;
pub use slices::SlicesDone;
pub use standing::Standing;
pub use start::{Loaded, StateError, StateSettings};
pub use times::{PUSH_FAILURE_TIME_HELP, PUSH_TIME_HELP};
