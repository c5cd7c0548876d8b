//! What a scraper accepts, and which exposition it is given.
//!
//! As Pushgateway 1.11 negotiates: Accept is sorted by weight, clauses of equal
//! weight stay in order, and the first one that names something on offer wins.
//! There is no 406 and no OpenMetrics: whoever accepts nothing of ours gets text.

use super::escape::Escaping;
use super::form::{Encoding, Form};

/// An exposition that a scraper is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its format.
    pub layout: Layout,
    /// How names are escaped.
    pub escaping: Escaping,
}

/// The formats on offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Text 0.0.4.
    Text,
    /// Protobuf messages, each after its length.
    Delimited,
    /// The text form of protobuf, a field a line.
    Prototext,
    /// The text form of protobuf, a family a line.
    CompactText,
}

impl Offer {
    /// The form of the rendered series it is made of.
    pub fn form(self) -> Form {
        let encoding = match self.layout {
            Layout::Text => Encoding::Text,
            Layout::Delimited | Layout::Prototext | Layout::CompactText => Encoding::Protobuf,
        };
        let escaping = self.escaping;
        Form { encoding, escaping }
    }

    /// Its Content-Type.
    pub fn content_type(self) -> String {
        let escaping = self.escaping.as_str();
        let encoding = match self.layout {
            Layout::Text => {
                return format!("text/plain; version=0.0.4; charset=utf-8; escaping={escaping}");
            }
            Layout::Delimited => "delimited",
            Layout::Prototext => "text",
            Layout::CompactText => "compact-text",
        };
        format!("{PROTOBUF}; proto={FAMILY}; encoding={encoding}; escaping={escaping}")
    }
}

const PROTOBUF: &str = "application/vnd.google.protobuf";
const FAMILY: &str = "io.prometheus.client.MetricFamily";

/// One clause of an Accept header.
struct Clause<'a> {
    media_type: (&'a str, &'a str),
    parameters: Vec<(&'a str, &'a str)>,
    weight: f64,
}

/// The exposition for a scraper that sends this Accept header.
///
/// The escaping is that of the last clause that names a known one, up to and with
/// the clause that decides. A weight of 0 forbids nothing, as in the original.
pub fn negotiate(accept: Option<&str>) -> Offer {
    let mut clauses: Vec<Clause<'_>> = accept
        .unwrap_or_default()
        .split(',')
        .filter_map(clause)
        .collect();
    clauses.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let mut escaping = Escaping::default();
    for clause in &clauses {
        let named = clause.parameter("escaping").and_then(Escaping::parse);
        escaping = named.unwrap_or(escaping);
        if let Some(layout) = clause.layout() {
            return Offer { layout, escaping };
        }
    }
    Offer {
        layout: Layout::Text,
        escaping,
    }
}

impl Clause<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter().rev();
        parameters
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    fn layout(&self) -> Option<Layout> {
        let (kind, sub) = self.media_type;
        let protobuf = PROTOBUF.split_once('/') == Some((kind, sub));
        if protobuf && self.parameter("proto") == Some(FAMILY) {
            return match self.parameter("encoding") {
                Some("delimited") => Some(Layout::Delimited),
                Some("text") => Some(Layout::Prototext),
                Some("compact-text") => Some(Layout::CompactText),
                _ => None,
            };
        }
        let text = (kind, sub) == ("text", "plain");
        let version = self.parameter("version").unwrap_or_default();
        (text && matches!(version, "" | "0.0.4")).then_some(Layout::Text)
    }
}

/// Reads a clause; `None` for one that names no media type.
fn clause(text: &str) -> Option<Clause<'_>> {
    let mut parts = text.split(';');
    let (kind, sub) = match parts.next()?.split_once('/') {
        Some((kind, sub)) if !sub.is_empty() && !sub.contains('/') => (kind.trim(), sub.trim()),
        // `*` alone matches nothing of ours either.
        _ => return None,
    };
    let mut parameters = Vec::new();
    let mut weight = 1.0;
    for part in parts {
        let Some((name, value)) = part.split_once('=') else {
            continue;
        };
        if value.contains('=') {
            continue;
        }
        match name.trim() {
            // What is no number is 0 to Go, without a word.
            "q" => weight = value.parse().unwrap_or(0.0),
            name => parameters.push((name, value.trim())),
        }
    }
    Some(Clause {
        media_type: (kind, sub),
        parameters,
        weight,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `P`: protobuf of the right message; `E`: `escaping=`.
    fn offer(short: &str) -> String {
        let protobuf = format!("{PROTOBUF};proto={FAMILY};encoding=");
        let accept = short.replace("P=", &protobuf).replace("E=", "escaping=");
        let offer = negotiate(Some(&accept));
        format!("{:?} {}", offer.layout, offer.escaping.as_str())
    }

    #[test]
    fn the_heaviest_clause_on_offer_decides() {
        for (accept, expected) in [
            ("", "Text underscores"),
            ("*/*", "Text underscores"),
            ("*", "Text underscores"),
            ("garbage;;", "Text underscores"),
            ("P=delimited", "Delimited underscores"),
            ("P=text", "Prototext underscores"),
            ("P=compact-text", "CompactText underscores"),
            ("P=other", "Text underscores"),
            ("P=Delimited", "Text underscores"),
            ("text/plain,P=delimited", "Text underscores"),
            ("P=delimited,text/plain", "Delimited underscores"),
            (
                "text/plain;q=0.5,P=delimited;q=0.6",
                "Delimited underscores",
            ),
            (
                "P=delimited;q=0.3 , text/plain;version=0.0.4",
                "Text underscores",
            ),
            (
                "text/plain;version=1.0.0,P=delimited;q=0.1",
                "Delimited underscores",
            ),
            (
                "application/openmetrics-text;version=1.0.0,P=text;q=0.1",
                "Prototext underscores",
            ),
            (
                "application/vnd.google.protobuf;encoding=delimited",
                "Text underscores",
            ),
            ("P=delimited;q=0", "Delimited underscores"),
            ("P=delimited;q=high,text/plain;q=0.1", "Text underscores"),
        ] {
            assert_eq!(offer(accept), expected, "{accept}");
        }
        assert_eq!(negotiate(None).layout, Layout::Text);
    }

    #[test]
    fn the_escaping_is_taken_from_any_clause_up_to_the_one_that_decides() {
        for (accept, expected) in [
            ("text/plain;E=allow-utf-8", "Text allow-utf-8"),
            (
                "text/plain;E=dots;q=0.5,P=delimited;E=values",
                "Delimited values",
            ),
            ("text/plain;E=nonsense", "Text underscores"),
            (
                "application/openmetrics-text;E=allow-utf-8;q=0.6,text/plain;q=0.3",
                "Text allow-utf-8",
            ),
            (
                "text/plain,application/json;E=dots;q=0.1",
                "Text underscores",
            ),
            ("application/json;E=dots", "Text dots"),
        ] {
            assert_eq!(offer(accept), expected, "{accept}");
        }
    }

    #[test]
    fn content_types_are_those_of_the_original() {
        let offer = |layout| Offer {
            layout,
            escaping: Escaping::Dots,
        };
        assert_eq!(
            offer(Layout::Text).content_type(),
            "text/plain; version=0.0.4; charset=utf-8; escaping=dots"
        );
        assert_eq!(
            offer(Layout::CompactText).content_type(),
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
             encoding=compact-text; escaping=dots"
        );
    }
}
