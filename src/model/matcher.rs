//! Label matchers: which groups a rule, a listing or a deletion is about.
//!
//! The language is that of Prometheus' series selectors without metric names:
//! a group is chosen by its grouping key alone.

mod parse;
mod quoted;

use std::borrow::Cow;
use std::fmt;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

pub(crate) use quoted::{quote, read as read_quoted};

use super::{GroupKey, is_label_name};
use crate::limits::{MATCHERS, PATTERN_BYTES, REGEX_BYTES};

/// Matchers of which all must hold. Without any it chooses every group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selector(Vec<Matcher>);

/// One condition on the value of one label. A label that a key does not have
/// is the empty string, as in Prometheus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matcher {
    label: Box<str>,
    negated: bool,
    pattern: Pattern,
}

#[derive(Clone, Debug)]
enum Pattern {
    Text(Box<str>),
    /// The expression as it was written, and anchored at both ends.
    Regex(Box<str>, Regex),
}

/// Why a text is no selector, and where.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("column {column}: {fault}")]
pub struct SelectorError {
    /// The place in the text, in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: MatcherFault,
}

/// What can be wrong with a matcher.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum MatcherFault {
    /// Something else stands where this was expected.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// In words.
        expected: &'static str,
        /// A piece of the text, quoted, or `the end`.
        found: String,
    },
    /// `up{job="x"}` or `{__name__="up"}`.
    #[error("a group is chosen by its labels, a metric name cannot be matched")]
    MetricName,
    /// Not a label name.
    #[error("{0:?} is no label name")]
    Label(String),
    /// A string without its closing quote, or with a line feed in it.
    #[error("the string is not closed")]
    Unclosed,
    /// A backslash and what follows it.
    #[error("unknown escape {0:?} in a string; a backslash is written \\\\")]
    Escape(String),
    /// `\xNN` escapes that are no text together.
    #[error("the string is not UTF-8")]
    NotUtf8,
    /// Not a regular expression; in the words of its parser.
    #[error("bad regular expression {pattern:?}: {reason}")]
    Regex {
        /// The expression, cut off if long.
        pattern: String,
        /// One line.
        reason: String,
    },
    /// Longer than [`PATTERN_BYTES`].
    #[error("a regular expression is longer than {PATTERN_BYTES} bytes")]
    PatternTooLong,
    /// More than [`MATCHERS`].
    #[error("a selector has more than {MATCHERS} matchers")]
    TooMany,
}

impl Selector {
    /// Reads `{job=~"ci-.*",env!="prod"}`: `=`, `!=`, `=~` and `!~`, strings in
    /// double or single quotes with Go's escapes or in backquotes without, a
    /// comma after the last matcher if you like. `{}` chooses every group.
    ///
    /// # Errors
    ///
    /// The first fault, with its column.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parse::selector(text).map(Self)
    }

    /// A selector from pairs of a label name and a regular expression that must
    /// match the whole value: the `match` of a rule.
    ///
    /// # Errors
    ///
    /// Each fault with the label it is about.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<(&'a str, MatcherFault)>> {
        let (mut matchers, mut faults) = (Vec::new(), Vec::new());
        for (label, pattern) in pairs {
            let matcher = if matchers.len() >= MATCHERS {
                Err(MatcherFault::TooMany)
            } else if is_label_name(label.as_bytes()) || label.is_empty() {
                Matcher::new(label, false, true, pattern)
            } else {
                Err(MatcherFault::Label(shown(label)))
            };
            match matcher {
                Ok(matcher) => matchers.push(matcher),
                Err(fault) => faults.push((label, fault)),
            }
        }
        if faults.is_empty() {
            Ok(Self(matchers))
        } else {
            Err(faults)
        }
    }

    /// Whether the selector chooses the group of this key.
    pub fn matches(&self, key: &GroupKey) -> bool {
        self.first_failing(key).is_none()
    }

    /// The first matcher that does not hold: why the group is not chosen.
    pub fn first_failing(&self, key: &GroupKey) -> Option<&Matcher> {
        self.0.iter().find(|matcher| !matcher.holds(key))
    }
}

impl Matcher {
    fn new(label: &str, negated: bool, regex: bool, value: &str) -> Result<Self, MatcherFault> {
        if label == "__name__" {
            return Err(MatcherFault::MetricName);
        }
        if label.is_empty() {
            return Err(MatcherFault::Label(shown(label)));
        }
        let pattern = if regex {
            Pattern::Regex(value.into(), anchored(value)?)
        } else {
            Pattern::Text(value.into())
        };
        Ok(Self {
            label: label.into(),
            negated,
            pattern,
        })
    }

    /// The name of the label it looks at.
    pub fn label(&self) -> &str {
        &self.label
    }

    fn holds(&self, key: &GroupKey) -> bool {
        let value = key.get(&self.label).unwrap_or_default();
        let found = match &self.pattern {
            Pattern::Text(text) => **text == *value,
            Pattern::Regex(_, regex) => regex.is_match(value),
        };
        found != self.negated
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) | (Self::Regex(a, _), Self::Regex(b, _)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Pattern {}

/// The canonical form, which [`Selector::parse`] reads back: double quotes, no spaces.
impl fmt::Display for Selector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("{")?;
        for (place, matcher) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(out, "{comma}{matcher}")?;
        }
        out.write_str("}")
    }
}

/// `env!="prod"`, `"my.env"!="prod"`.
impl fmt::Display for Matcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, text) = match (&self.pattern, self.negated) {
            (Pattern::Text(text), false) => ("=", text),
            (Pattern::Text(text), true) => ("!=", text),
            (Pattern::Regex(text, _), false) => ("=~", text),
            (Pattern::Regex(text, _), true) => ("!~", text),
        };
        let label = if is_label_name(self.label.as_bytes()) {
            Cow::Borrowed(&*self.label)
        } else {
            Cow::Owned(quoted::quote(&self.label))
        };
        write!(out, "{label}{sign}{}", quoted::quote(text))
    }
}

/// The expression, which has to match the whole text; `.` is any character, a
/// line feed too. Both as in Prometheus.
fn anchored(pattern: &str) -> Result<Regex, MatcherFault> {
    if pattern.len() > PATTERN_BYTES {
        return Err(MatcherFault::PatternTooLong);
    }
    let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build();
    // Alone first: `a)|(b` is no expression, though it would be one in brackets.
    compile(pattern)
        .and_then(|_| compile(&format!("^(?s:{pattern})$")))
        .map_err(|error| MatcherFault::Regex {
            pattern: shown(pattern),
            reason: match error {
                regex::Error::CompiledTooBig(limit) => {
                    format!("compiled it is larger than {limit} bytes")
                }
                // Several lines with a drawing; the reason stands in the last.
                error => {
                    let text = error.to_string();
                    let reason = text.rsplit("error: ").next().unwrap_or(&text);
                    reason.trim_end().to_owned()
                }
            },
        })
}

/// A piece of somebody's text short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
