//! The forms in which metrics travel, and the spellings they share.
//!
//! Everything here is pure: bytes in, [`crate::model`] out, or the other way
//! round. The texts of errors are the Pushgateway's, since scripts match them.

pub mod accept;
pub mod base64;
pub mod escape;
pub mod float;
pub mod form;
pub mod gob;
mod identity;
pub mod inflate;
pub mod json_write;
mod metric_type;
pub mod name;
pub mod negotiate;
pub mod openmetrics;

pub mod proto;
pub mod proto_write;
pub mod prototext;
pub mod quote;
pub mod room;
mod scratch;
pub mod snappy;
pub mod text_read;
pub mod text_write;
