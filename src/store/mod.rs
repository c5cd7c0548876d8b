//! The durable store: one redb database, one row per group.
//!
//! Ground truth of the gateway. Everything else (index, view, deadlines) is
//! derived from what [`Store::open_with`] shows. No other module knows redb.

mod commit;
mod disk;
mod error;
mod facts;
mod migrate;
mod open;
mod place;
mod read;
mod reading;
mod record;
mod schema;
mod trial;

pub use commit::{Batch, RowWrite};
pub use error::{CommitError, OpenError, ReadError};
pub use facts::{End, Ended, Failure, GroupFacts, Head, HiddenFamily, Pusher, Stored};
pub use open::{Contents, Opened, Store};
pub use place::Place;
pub use read::{GroupDetail, GroupRow, HistoryPage, Listed, Moment};
pub use reading::{Extras, Reading, Rows};
pub use record::{FamilyFacts, FamilyRef, Fresh, Packed, Unpacked, decode_metrics, encode_metrics};
