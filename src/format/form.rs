//! The forms in which rendered series are kept: an encoding and an escaping.

use memchr::{memchr_iter, memrchr};

use super::escape::Escaping;
use super::identity::Identity;
use super::{proto_write, text_write};
use crate::model::{Family, Kind};

/// What rendered bytes are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Form {
    /// How series are written.
    pub encoding: Encoding,
    /// How names are.
    pub escaping: Escaping,
}

/// How series are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// Lines of the text format 0.0.4.
    #[default]
    Text,
    /// `metric` fields of delimited `io.prometheus.client.MetricFamily` messages.
    Protobuf,
}

/// Appends the series of a family in the form of `identity`, without header.
/// Returns whether all label names are legacy ones: then the bytes are the same
/// under every escaping. See [`text_write::write_metrics`].
pub fn write_metrics(out: &mut Vec<u8>, family: &Family<'_>, identity: &Identity) -> bool {
    match identity.form().encoding {
        Encoding::Text => text_write::write_metrics(out, family, identity),
        Encoding::Protobuf => proto_write::write_metrics(out, family, identity),
    }
}

/// Appends one series of a gauge called `name` that has only the labels of `identity`.
/// Returns what [`write_metrics`] does.
pub fn write_sample(out: &mut Vec<u8>, name: &str, identity: &Identity, value: f64) -> bool {
    match identity.form().encoding {
        Encoding::Text => text_write::write_sample(out, name, identity, value),
        Encoding::Protobuf => proto_write::write_gauge(out, identity, value),
    }
}

impl Form {
    /// Appends what stands before `len` bytes of series of a family.
    pub fn write_header(
        self,
        out: &mut Vec<u8>,
        name: &str,
        kind: Kind,
        help: Option<&str>,
        len: usize,
    ) {
        match self.encoding {
            Encoding::Text => text_write::write_header_in(out, name, kind, help, self.escaping),
            Encoding::Protobuf => {
                let name = self.escaping.metric_name(name);
                proto_write::write_header(out, &name, kind, help, len);
            }
        }
    }

    /// Shows what names each series in `rendered`: name and labels in text, the
    /// label fields in protobuf. Equal bytes are equal series of the family.
    pub fn each_series<'a>(self, rendered: &'a [u8], mut see: impl FnMut(&'a [u8])) {
        match self.encoding {
            Encoding::Text => {
                let mut start = 0;
                for end in memchr_iter(b'\n', rendered) {
                    let line = &rendered[start..end];
                    see(&line[..memrchr(b' ', line).unwrap_or(line.len())]);
                    start = end + 1;
                }
            }
            Encoding::Protobuf => proto_write::each_series(rendered, see),
        }
    }
}
