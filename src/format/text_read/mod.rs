//! Reads a push in the text format 0.0.4, as lenient, as strict and with the
//! same messages as the parser of Pushgateway 1.11, its UTF-8 name flag off or on.
//!
//! One pass over the body, without recursion and without backing up. Names and
//! values borrow from the body; a value is copied only to undo an escape.

mod cursor;
mod families;
mod sample;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use thiserror::Error;

use self::cursor::Cursor;
use self::families::Families;
use super::name::{self, NameRule};
use super::quote::quote;
use super::scratch::Scratch;
use crate::limits::{LABELS_PER_PUSH, SERIES_PER_PUSH};
use crate::model::{Family, Kind};

/// Why a body was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{message}", self.place())]
pub struct TextError {
    /// Line of the body, from 1.
    pub line: usize,
    /// The Pushgateway's wording of the fault.
    pub message: String,
    /// Nothing is wrong but the size: a limit of ours is exceeded.
    pub is_limit: bool,
}

impl TextError {
    fn place(&self) -> String {
        if self.is_limit {
            return String::new();
        }
        format!("text format parsing error in line {}: ", self.line)
    }
}

/// Reads a whole body.
///
/// The families come in the order of their first sample, TYPE or HELP line;
/// those without samples are left out. Series are in pushed order, their labels
/// too; the lines of one histogram or summary are folded into one series.
/// Duplicate series and timestamps are kept: judging them is the check's task.
/// A HELP text that is not UTF-8 has the bad bytes replaced by U+FFFD, because
/// Prometheus refuses a whole scrape that has one.
///
/// `names` says which names there may be. Bare ones stay those of the text format
/// 0.0.4; others are quoted.
///
/// # Errors
///
/// The first fault in reading order. Nothing of the body is kept then.
pub fn parse(body: &[u8], names: NameRule) -> Result<Vec<Family<'_>>, TextError> {
    let mut parser = Parser::new(body, names);
    let mut line = 1;
    while parser.line().map_err(|fault| fault.in_line(line))? {
        parser
            .within_limits()
            .map_err(|fault| fault.in_line(line))?;
        line += 1;
    }
    Ok(parser.families.finish())
}

/// A fault whose line is not yet known.
enum Fault {
    /// The body ends inside a line.
    End,
    /// Anything else.
    Text(String),
    /// More than a limit allows.
    Limit(String),
}

impl Fault {
    fn text<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Text(message.into()))
    }

    #[cold]
    fn in_line(self, line: usize) -> TextError {
        let is_limit = matches!(self, Self::Limit(_));
        let message = match self {
            Self::End => "unexpected end of input stream".to_owned(),
            Self::Text(message) | Self::Limit(message) => message,
        };
        TextError {
            line,
            message,
            is_limit,
        }
    }
}

/// Most bytes of the body that one message repeats.
const MAX_SHOWN: usize = 4096;

/// A piece of the body in Go's quotes. The Pushgateway repeats all of it, even
/// if a push of a large binary file has its first blank megabytes away.
fn shown(bytes: &[u8]) -> String {
    quote(&bytes[..bytes.len().min(MAX_SHOWN)])
}

/// The state between lines.
struct Parser<'a> {
    cursor: Cursor<'a>,
    names: NameRule,
    families: Families<'a>,
    scratch: Scratch<'a>,
    /// Sample lines so far.
    samples: usize,
    /// Their labels.
    labels: usize,
}

impl<'a> Parser<'a> {
    fn new(body: &'a [u8], names: NameRule) -> Self {
        Self {
            cursor: Cursor::new(body),
            names,
            families: Families::default(),
            scratch: Scratch::default(),
            samples: 0,
            labels: 0,
        }
    }

    /// Reads one line with its line feed; `false` at the end of the body, which
    /// may come after blanks only.
    fn line(&mut self) -> Result<bool, Fault> {
        self.cursor.skip_blanks();
        match self.cursor.peek() {
            None => return Ok(false),
            Some(b'\n') => self.cursor.step(),
            Some(b'#') => self.comment()?,
            Some(_) => self.sample()?,
        }
        Ok(true)
    }

    /// What a line makes in memory is far larger than the shortest line.
    fn within_limits(&self) -> Result<(), Fault> {
        let over = |count, limit, what| {
            let message = || format!("more than {limit} {what} in one push");
            (count > limit).then(|| Fault::Limit(message()))
        };
        over(self.samples, SERIES_PER_PUSH, "series")
            .or_else(|| over(self.families.len(), SERIES_PER_PUSH, "metric families"))
            .or_else(|| over(self.labels, LABELS_PER_PUSH, "labels"))
            .map_or(Ok(()), Err)
    }

    fn comment(&mut self) -> Result<(), Fault> {
        self.cursor.step();
        self.cursor.skip_blanks();
        let keyword = self.cursor.until_white()?;
        let help = match keyword {
            b"HELP" => true,
            b"TYPE" => false,
            _ => return self.cursor.skip_line(),
        };
        self.cursor.skip_blanks();
        let name = self.cursor.metric_name()?;
        match self.cursor.byte()? {
            b' ' | b'\t' => {}
            b'\n' => return self.cursor.skip_line(),
            _ => return Fault::text("invalid metric name in comment"),
        }
        let family = self
            .families
            .resolve(name.into_metric_name(self.names)?)
            .family;
        self.cursor.skip_blanks();
        if self.cursor.byte()? == b'\n' {
            return self.cursor.skip_line();
        }
        if help {
            self.help(family)
        } else {
            self.kind(family)
        }
    }

    fn help(&mut self, family: usize) -> Result<(), Fault> {
        let family = self.families.get_mut(family);
        if family.help.is_some() {
            let name = shown(family.name.as_bytes());
            return Fault::text(format!("second HELP line for metric name {name}"));
        }
        family.help = Some(self.cursor.help()?);
        Ok(())
    }

    fn kind(&mut self, family: usize) -> Result<(), Fault> {
        let family = self.families.get_mut(family);
        if family.kind.is_some() {
            let name = shown(family.name.as_bytes());
            return Fault::text(format!(
                "second TYPE line for metric name {name}, or TYPE reported after samples"
            ));
        }
        let word = self.cursor.rest_of_line()?;
        let Some(kind) = kind_of(&word) else {
            return Fault::text(format!("unknown metric type {}", shown(&word)));
        };
        family.kind = Some(kind);
        Ok(())
    }
}

fn kind_of(word: &[u8]) -> Option<Kind> {
    const WORDS: [(&str, Kind); 7] = [
        ("counter", Kind::Counter),
        ("gauge", Kind::Gauge),
        ("summary", Kind::Summary),
        ("untyped", Kind::Untyped),
        ("histogram", Kind::Histogram),
        ("gauge_histogram", Kind::GaugeHistogram),
        ("gaugehistogram", Kind::GaugeHistogram),
    ];
    let (_, kind) = WORDS
        .iter()
        .find(|(text, _)| word.eq_ignore_ascii_case(text.as_bytes()))?;
    Some(*kind)
}

/// A name as it was read, not yet judged.
enum Name<'a> {
    /// Bare: legal characters only, maybe none.
    Bare(&'a str),
    /// Partly or wholly in double quotes, unescaped.
    Quoted(Vec<u8>),
}

impl<'a> Name<'a> {
    fn is_empty(&self) -> bool {
        match self {
            Self::Bare(name) => name.is_empty(),
            Self::Quoted(name) => name.is_empty(),
        }
    }

    fn into_metric_name(self, names: NameRule) -> Result<Cow<'a, str>, Fault> {
        self.legal("metric", |name| names.allows_metric(name))
    }

    fn into_label_name(self, names: NameRule) -> Result<Cow<'a, str>, Fault> {
        self.legal("label", |name| names.allows_label(name))
    }

    fn legal(self, what: &str, is_legal: impl Fn(&[u8]) -> bool) -> Result<Cow<'a, str>, Fault> {
        let bytes = match self {
            Self::Bare(name) if !name.is_empty() => return Ok(Cow::Borrowed(name)),
            Self::Bare(_) => Vec::new(),
            Self::Quoted(bytes) => bytes,
        };
        match String::from_utf8(bytes) {
            Ok(name) if is_legal(name.as_bytes()) => Ok(Cow::Owned(name)),
            Ok(name) => Fault::text(format!("invalid {what} name {}", shown(name.as_bytes()))),
            Err(e) => Fault::text(format!("invalid {what} name {}", shown(e.as_bytes()))),
        }
    }
}
