//! Why a protobuf push is refused, in the original's words.

use super::wire::WireFault;
use crate::format::quote::quote;
use crate::limits::{LABELS_PER_PUSH, LABELS_PER_SERIES, SERIES_PER_PUSH};

/// Longest text quoted from a push, in bytes: an answer names the fault and
/// does not send a large body back, four characters for each byte.
const MAX_QUOTED: usize = 1024;

/// A refused protobuf body; the Display text is the body of the 400 answer.
///
/// The variants from [`EmptyName`](Self::EmptyName) on have no counterpart in
/// the original: it stores such families and then fails every scrape.
/// Their texts are already quoted for display.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtoError {
    /// A message or its length prefix ends too early.
    #[error("unexpected EOF")]
    UnexpectedEof,
    /// The bytes of a message are no protobuf fields.
    #[error("proto: cannot parse invalid wire-format data")]
    InvalidWire,
    /// A family without a name.
    #[error("{INVALID}: collected metric family \"\" has an empty name")]
    EmptyName,
    /// A family whose name is not UTF-8.
    #[error("{INVALID}: collected metric family {family} has a name that is not utf8")]
    NameNotUtf8 {
        /// The family's name.
        family: String,
    },
    /// A family of a type that is none of the six.
    #[error("{INVALID}: collected metric family {family} has an unknown type: {number}")]
    UnknownType {
        /// The family's name.
        family: String,
        /// The type's number.
        number: i32,
    },
    /// More series, buckets, quantiles and families than one push may have.
    #[error("more than {SERIES_PER_PUSH} series in one push")]
    TooManySeries,
    /// More labels than one push may have.
    #[error("more than {LABELS_PER_PUSH} labels in one push")]
    TooManyLabels,
    /// More labels than one series may have.
    #[error("a series of {family} has more than {LABELS_PER_SERIES} labels")]
    TooManyLabelsOfSeries {
        /// The family's name.
        family: String,
    },
    /// A label whose name is not UTF-8.
    #[error(
        "{INVALID}: collected metric {family} {{ label:{{name:{label}  value:{value}}}}} \
         has a label whose name is not utf8: {label}"
    )]
    LabelNameNotUtf8 {
        /// The family's name.
        family: String,
        /// The label's name.
        label: String,
        /// The label's value.
        value: String,
    },
    /// A label whose value is not UTF-8. The wording is the original's.
    #[error(
        "{INVALID}: collected metric {family} {{ label:{{name:{label}  value:{value}}}}} \
         has a label named {label} whose value is not utf8: {value}"
    )]
    LabelValueNotUtf8 {
        /// The family's name.
        family: String,
        /// The label's name.
        label: String,
        /// The label's value.
        value: String,
    },
}

impl ProtoError {
    /// Whether nothing is wrong but the size: a limit of ours is exceeded.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::TooManySeries | Self::TooManyLabels | Self::TooManyLabelsOfSeries { .. }
        )
    }
}

/// What the original puts before every fault that its consistency check finds.
const INVALID: &str = "pushed metrics are invalid or inconsistent with existing metrics";

/// Inside a delimited message whatever is cut short is invalid data: only the
/// framing around messages can meet the end of the body.
impl From<WireFault> for ProtoError {
    fn from(_: WireFault) -> Self {
        Self::InvalidWire
    }
}

/// `bytes` quoted, cut to [`MAX_QUOTED`] bytes and then followed by `...`.
pub(super) fn quoted(bytes: &[u8]) -> String {
    match bytes.split_at_checked(MAX_QUOTED) {
        Some((shown, rest)) if !rest.is_empty() => quote(shown) + "...",
        _ => quote(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut() {
        let text = "x".repeat(MAX_QUOTED + 1);
        let (longest, longer) = (&text.as_bytes()[1..], text.as_bytes());
        assert_eq!(quoted(longest), quote(longest));
        assert_eq!(quoted(longer), quote(longest) + "...");
    }
}
