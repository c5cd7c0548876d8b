//! The forms in which metrics travel, and the spellings they share.
//!
//! Everything here is pure: bytes in, [`crate::model`] out, or the other way
//! round. The texts of errors are the Pushgateway's, since scripts match them.

pub mod base64;
pub mod float;
pub mod inflate;
pub mod name;
pub mod negotiate;
pub mod proto;
pub mod quote;
pub mod text_read;
pub mod text_write;
