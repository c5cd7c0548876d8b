//! From text to matchers.

use std::borrow::Cow;

use super::quoted;
use super::{MATCHERS, Matcher, MatcherFault, SelectorError, is_label_name, shown};

/// The matchers of a whole text.
pub(super) fn selector(text: &str) -> Result<Vec<Matcher>, SelectorError> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.selector().map_err(|(at, fault)| SelectorError {
        column: text[..at].chars().count() + 1,
        fault,
    })
}

/// What a string begins with.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// A fault and where it is, in bytes.
type Fault = (usize, MatcherFault);

struct Cursor<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
}

impl<'a> Cursor<'a> {
    fn selector(&mut self) -> Result<Vec<Matcher>, Fault> {
        self.skip_spaces();
        if !self.take("{") {
            let name = self.rest().starts_with(|c: char| c.is_ascii_alphabetic());
            return Err(if name && self.rest().contains('{') {
                (self.at, MatcherFault::MetricName)
            } else {
                self.expected("a selector such as {job=\"backup\"}")
            });
        }
        let mut matchers = Vec::new();
        self.skip_spaces();
        while !self.take("}") {
            if matchers.len() == MATCHERS {
                return Err((self.at, MatcherFault::TooMany));
            }
            matchers.push(self.matcher()?);
            self.skip_spaces();
            if self.take(",") {
                self.skip_spaces();
            } else if !self.rest().starts_with('}') {
                return Err(self.expected("a comma or }"));
            }
        }
        self.skip_spaces();
        if self.rest().is_empty() {
            Ok(matchers)
        } else {
            Err(self.expected("nothing more"))
        }
    }

    fn matcher(&mut self) -> Result<Matcher, Fault> {
        let start = self.at;
        let label = self.label()?;
        let (negated, regex) = if self.take("=~") {
            (false, true)
        } else if self.take("!~") {
            (true, true)
        } else if self.take("!=") {
            (true, false)
        } else if self.take("=") {
            (false, false)
        } else {
            return Err(self.expected("=, !=, =~ or !~"));
        };
        self.skip_spaces();
        let value_at = self.at;
        if !self.rest().starts_with(QUOTES) {
            return Err(self.expected("a value in quotes"));
        }
        let quoted = quoted::read(self.rest()).map_err(|(at, fault)| (value_at + at, fault))?;
        self.at += quoted.len;
        Matcher::new(&label, negated, regex, &quoted.value).map_err(|fault| {
            let about_label = matches!(fault, MatcherFault::MetricName | MatcherFault::Label(_));
            (if about_label { start } else { value_at }, fault)
        })
    }

    /// A label's name, in quotes if it is not of the usual characters, and the
    /// blanks behind it.
    fn label(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        if self.rest().starts_with(QUOTES) {
            let quoted = quoted::read(self.rest()).map_err(|(at, fault)| (start + at, fault))?;
            self.at += quoted.len;
            self.skip_spaces();
            // Alone it is the name of a metric, as in `{"up"}`.
            if !self.rest().starts_with(['=', '!']) {
                return Err((start, MatcherFault::MetricName));
            }
            return Ok(Cow::Owned(quoted.value));
        }
        let label = self.word();
        if label.is_empty() {
            return Err(self.expected("a label name or }"));
        }
        if !is_label_name(label.as_bytes()) {
            return Err((start, MatcherFault::Label(shown(label))));
        }
        self.skip_spaces();
        Ok(Cow::Borrowed(label))
    }

    /// Letters, digits and underscores.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn take(&mut self, sign: &str) -> bool {
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len();
        }
        there
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn expected(&self, expected: &'static str) -> Fault {
        let found = match self.rest() {
            "" => "the end".to_owned(),
            rest => format!("{:?}", shown(rest)),
        };
        (self.at, MatcherFault::Expected { expected, found })
    }
}
