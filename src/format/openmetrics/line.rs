//! What stands in one line: names, labels, numbers. Nothing is lenient here: one
//! blank is one blank, and a comma stands between two labels only.

use std::borrow::Cow;

use super::Fault;
use crate::format::float;
use crate::format::name::{NameRule, is_label_byte, is_metric_byte};
use crate::format::scratch::Scratch;
use crate::limits::LABELS_PER_SERIES;
use crate::model::{Label, Timestamp};

/// Nanoseconds of a second, as digits.
const NANO_DIGITS: usize = 9;

/// The rest of a line, read from the left.
pub(super) struct Line<'a> {
    rest: &'a str,
    names: NameRule,
}

/// A name, in quotes or bare; bare it may be empty.
pub(super) struct Name<'a> {
    pub(super) text: Cow<'a, str>,
    quoted: bool,
}

impl<'a> Line<'a> {
    pub(super) fn new(rest: &'a str, names: NameRule) -> Self {
        Self { rest, names }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn is_at(&self, text: &str) -> bool {
        self.rest.starts_with(text)
    }

    pub(super) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// Steps over `text`, which must stand here.
    pub(super) fn expect(&mut self, text: &str) -> Result<(), Fault> {
        match self.rest.strip_prefix(text) {
            Some(rest) => self.rest = rest,
            None => return Fault::text(format!("expected {text:?}, found {}", shown(self.rest))),
        }
        Ok(())
    }

    /// Reads up to the next blank, maybe nothing.
    pub(super) fn token(&mut self) -> &'a str {
        let (token, rest) = self
            .rest
            .split_at(self.rest.find(' ').unwrap_or(self.rest.len()));
        self.rest = rest;
        token
    }

    /// Reads a number; `what` names it in the error.
    pub(super) fn number(&mut self, what: &str) -> Result<f64, Fault> {
        let token = self.token();
        let wrong = || format!("expected a number as {what}, found {}", shown(token));
        float::parse(token).map_or_else(|| Fault::text(wrong()), Ok)
    }

    /// Reads a time in seconds since 1970.
    pub(super) fn time(&mut self, what: &str) -> Result<Timestamp, Fault> {
        let token = self.token();
        let wrong = || {
            format!(
                "expected seconds since 1970 as {what}, found {}",
                shown(token)
            )
        };
        timestamp(token).map_or_else(|| Fault::text(wrong()), Ok)
    }

    /// Reads a metric name in front of a sample, which is empty where the name
    /// stands in the braces, or in a line of metadata.
    pub(super) fn metric_name(&mut self) -> Result<Name<'a>, Fault> {
        self.name(is_metric_byte)
    }

    fn name(&mut self, is_legal: fn(u8) -> bool) -> Result<Name<'a>, Fault> {
        if self.is_at("\"") {
            let text = self.quoted("name")?;
            return Ok(Name { text, quoted: true });
        }
        let starts_well = !self.rest.starts_with(|first: char| first.is_ascii_digit());
        let end = self.rest.bytes().position(|byte| !is_legal(byte));
        let end = if starts_well {
            end.unwrap_or(self.rest.len())
        } else {
            0
        };
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Name {
            text: name.into(),
            quoted: false,
        })
    }

    /// Reads a text in double quotes.
    fn quoted(&mut self, what: &str) -> Result<Cow<'a, str>, Fault> {
        self.expect("\"")?;
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => {
                    return Fault::text(format!("the {what} \"{} is not closed", plain(self.rest)));
                }
            }
        }
        let text = unescape(&self.rest[..end]);
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    /// Reads `{a="1",b="2"}` into `labels`. The name of the metric may stand among
    /// them, in quotes; it goes into `metric`, if that is given and has none yet.
    pub(super) fn labels(
        &mut self,
        labels: &mut Scratch<'a>,
        mut metric: Option<&mut Name<'a>>,
    ) -> Result<(), Fault> {
        self.expect("{")?;
        if self.is_at("}") {
            return self.expect("}");
        }
        loop {
            let name = self.name(is_label_byte)?;
            match &mut metric {
                Some(metric) if name.quoted && !self.is_at("=") => {
                    if !metric.text.is_empty() || metric.quoted {
                        let name = shown(&name.text);
                        return Fault::text(format!("a second metric name {name}"));
                    }
                    **metric = name;
                }
                _ => self.label(name, labels)?,
            }
            if self.is_at("}") {
                return self.expect("}");
            }
            if !self.is_at(",") {
                let found = shown(self.rest);
                return Fault::text(format!("expected ',' or '}}' after a label, found {found}"));
            }
            self.expect(",")?;
        }
    }

    fn label(&mut self, name: Name<'a>, labels: &mut Scratch<'a>) -> Result<(), Fault> {
        if name.text.is_empty() && !name.quoted {
            let found = shown(self.rest);
            return Fault::text(format!("expected the name of a label, found {found}"));
        }
        if !self.names.allows_label(name.text.as_bytes()) {
            return Fault::text(format!("invalid label name {}", shown(&name.text)));
        }
        if name.text == "__name__" {
            return Fault::text("label name \"__name__\" is reserved");
        }
        if labels.is_duplicate(&name.text) {
            return Fault::text(format!("the label {} is given twice", shown(&name.text)));
        }
        if labels.len() >= LABELS_PER_SERIES {
            return Err(Fault::Limit(format!(
                "a series has more than {LABELS_PER_SERIES} labels"
            )));
        }
        self.expect("=")?;
        let value = self.quoted("label value")?;
        labels.push(Label {
            name: name.text,
            value,
        });
        Ok(())
    }
}

impl<'a> Name<'a> {
    /// The name, if it may be that of a metric.
    pub(super) fn into_metric_name(self, names: NameRule) -> Result<Cow<'a, str>, Fault> {
        if self.quoted && !names.allows_metric(self.text.as_bytes()) {
            return Fault::text(format!("invalid metric name {}", shown(&self.text)));
        }
        if self.text.is_empty() {
            return Fault::text("expected the name of a metric");
        }
        Ok(self.text)
    }
}

/// Undoes `\\`, `\"` and `\n`. Any other backslash stands for itself, as the
/// format has it.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some(next @ ('\\' | '"'))) => out.push(next),
            _ => {
                out.push(c);
                continue;
            }
        }
        chars.next();
    }
    Cow::Owned(out)
}

/// A number of seconds: exact to the nanosecond as plain decimals, else as exact
/// as a double.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let value = float::parse(text)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(whole) && digits(fraction) && !whole.is_empty() {
        let kept = &fraction[..fraction.len().min(NANO_DIGITS)];
        return Some(Timestamp {
            seconds: whole.parse().ok()?,
            nanos: format!("{kept:0<NANO_DIGITS$}").parse().ok()?,
        });
    }
    seconds(value)
}

/// A double as seconds and nanoseconds; `None` if it is none that can be kept.
#[expect(clippy::cast_possible_truncation, reason = "range is checked")]
pub(super) fn seconds(value: f64) -> Option<Timestamp> {
    const LIMIT: f64 = 9.0e18;
    if !(-LIMIT..LIMIT).contains(&value) {
        return None;
    }
    let whole = value.floor();
    let nanos = ((value - whole) * 1e9).round() as i32;
    let carry = i32::from(nanos >= 1_000_000_000);
    Some(Timestamp {
        seconds: whole as i64 + i64::from(carry),
        nanos: nanos - carry * 1_000_000_000,
    })
}

/// A piece of the body in quotes, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    crate::format::quote::quote(plain(text).as_bytes())
}

fn plain(text: &str) -> &str {
    const MOST: usize = 200;
    &text[..text.floor_char_boundary(MOST)]
}
