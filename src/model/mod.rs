//! Metrics as plain data: families, series, values and grouping keys.
//!
//! Text is borrowed from the request body where it can be (`Cow`), so that a
//! push is parsed without copying it. Nothing here does I/O, reads a clock or
//! knows of HTTP.

mod family;
mod histogram;
mod key;
mod labels;
mod matcher;
mod name;

pub use family::{CounterDetails, Exemplar, Family, Kind, Label, Metric, Quantile, Summary};
pub use family::{Timestamp, Value};
pub use histogram::{Bucket, Count, Histogram, NativeHistogram, Span};
pub use key::{GroupKey, all_labels};
pub use labels::Labels;
pub use matcher::{Matcher, MatcherFault, Selector, SelectorError};
pub(crate) use matcher::{quote, read_quoted};
pub(crate) use name::is_label_byte;
pub use name::is_label_name;
