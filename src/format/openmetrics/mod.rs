//! Reads a push in OpenMetrics 1.0 text, into the families that a scrape in the
//! older formats shows for it.
//!
//! The families of the model are those of the exposition, so that a counter `foo`
//! with samples `foo_total` becomes the counter `foo_total`, an info `foo` the
//! gauge `foo_info`, a state set a gauge with one series for each state. Units are
//! checked and dropped; exemplars and `_created` times are kept.
//!
//! One pass, line by line. Where the specification forbids something a body that
//! has it is refused, but for sums, which a real client makes negative or NaN.

mod family;
mod line;
mod types;
mod values;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;

use thiserror::Error;

use self::family::{Claim, FamilyReader, Sample};
use self::line::{Line, shown, unescape};
use self::types::Role;
use super::name::NameRule;
use super::scratch::Scratch;
use crate::limits::{LABELS_PER_PUSH, SERIES_PER_PUSH};
use crate::model::{Exemplar, Family, Label, Timestamp};

/// Characters in the labels of one exemplar, names included, by the specification.
const EXEMPLAR_CHARS: usize = 128;

/// Why a body was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{message}", self.place())]
pub struct OpenMetricsError {
    /// Line of the body, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
    /// Nothing is wrong but the size: a limit of ours is exceeded.
    pub is_limit: bool,
}

impl OpenMetricsError {
    fn place(&self) -> String {
        if self.is_limit {
            return String::new();
        }
        format!("OpenMetrics parsing error in line {}: ", self.line)
    }
}

/// Whether a body ends in the line `# EOF`, its line feed being optional: whoever
/// says OpenMetrics and does not close it so is read as the Pushgateway reads it.
pub fn is_closed(body: &[u8]) -> bool {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    body.strip_suffix(b"# EOF")
        .is_some_and(|before| before.is_empty() || before.ends_with(b"\n"))
}

/// Reads a whole body, as [`text_read::parse`](super::text_read::parse) does.
///
/// Families without samples are left out, series are in pushed order. A sample's
/// timestamp is kept, in milliseconds, for the check to refuse, and so are two
/// series with the same labels where lines are not folded. A histogram without
/// `_count` has that of its `+Inf` bucket; a sum that is not there is 0.
///
/// # Errors
///
/// The first fault in reading order. Nothing of the body is kept then.
pub fn parse(body: &[u8], names: NameRule) -> Result<Vec<Family<'_>>, OpenMetricsError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let before = &body[..error.valid_up_to()];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        Fault::Text("not UTF-8".to_owned()).in_line(line)
    })?;
    let mut reader = Reader::new(names);
    let mut last = 0;
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        last += 1;
        reader.line(line).map_err(|fault| fault.in_line(last))?;
    }
    if !reader.is_closed {
        let fault = Fault::Text("the last line is not # EOF".to_owned());
        return Err(fault.in_line(last));
    }
    Ok(reader.families)
}

/// A fault whose line is not yet known.
enum Fault {
    /// In the line being read.
    Text(String),
    /// In what the line before completed.
    Before(String),
    /// More than a limit allows.
    Limit(String),
}

impl Fault {
    fn text<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Text(message.into()))
    }

    fn before<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Before(message.into()))
    }

    #[cold]
    fn in_line(self, line: usize) -> OpenMetricsError {
        let is_limit = matches!(self, Self::Limit(_));
        let (line, message) = match self {
            Self::Before(message) => (line - 1, message),
            Self::Text(message) | Self::Limit(message) => (line, message),
        };
        OpenMetricsError {
            line,
            message,
            is_limit,
        }
    }
}

/// The state between lines.
struct Reader<'a> {
    names: NameRule,
    current: Option<FamilyReader<'a>>,
    /// Names of the families read so far and of all samples they may have.
    claimed: HashSet<Cow<'a, str>>,
    /// Families so far, those without samples too.
    begun: usize,
    families: Vec<Family<'a>>,
    scratch: Scratch<'a>,
    /// `# EOF` was read.
    is_closed: bool,
    /// Sample lines so far.
    samples: usize,
    /// Their labels, those of exemplars too.
    labels: usize,
}

impl<'a> Reader<'a> {
    fn new(names: NameRule) -> Self {
        Self {
            names,
            current: None,
            claimed: HashSet::new(),
            begun: 0,
            families: Vec::new(),
            scratch: Scratch::default(),
            is_closed: false,
            samples: 0,
            labels: 0,
        }
    }

    fn line(&mut self, line: &'a str) -> Result<(), Fault> {
        if self.is_closed {
            return Fault::text("something follows # EOF");
        }
        if line.is_empty() {
            return Fault::text("a blank line");
        }
        if line == "# EOF" {
            self.is_closed = true;
            return self.close();
        }
        match line.strip_prefix('#') {
            Some(_) => self.metadata(line),
            None => self.sample(line),
        }
    }

    /// `# HELP a text`, `# TYPE a gauge` or `# UNIT a seconds`.
    fn metadata(&mut self, line: &'a str) -> Result<(), Fault> {
        let mut rest = Line::new(line, self.names);
        let Some(word) = ["HELP", "TYPE", "UNIT"].into_iter().find(|word| {
            line[1..]
                .strip_prefix(' ')
                .is_some_and(|rest| rest.starts_with(word))
        }) else {
            let found = shown(line);
            return Fault::text(format!(
                "expected # HELP, # TYPE, # UNIT or # EOF, found {found}"
            ));
        };
        rest.expect("# ")?;
        rest.expect(word)?;
        rest.expect(" ")?;
        let name = rest.metric_name()?.into_metric_name(self.names)?;
        rest.expect(" ")?;
        let family = self.described(name)?;
        match word {
            "HELP" => family.set_help(unescape(rest.rest())),
            "TYPE" => family.set_type(rest.rest()),
            _ => family.set_unit(rest.rest()),
        }
    }

    /// The family that a line of metadata is about.
    fn described(&mut self, name: Cow<'a, str>) -> Result<&mut FamilyReader<'a>, Fault> {
        let is_current = |family: &FamilyReader<'_>| family.name == name;
        if self.current.as_ref().is_some_and(is_current) {
            let family = self.current.as_mut().filter(|family| !family.has_samples());
            return family.map_or_else(
                || Fault::text(format!("metadata of {} after its samples", shown(&name))),
                Ok,
            );
        }
        self.begin(name)
    }

    /// Ends the current family and begins the next.
    fn begin(&mut self, name: Cow<'a, str>) -> Result<&mut FamilyReader<'a>, Fault> {
        self.close()?;
        if self.claimed.contains(&name) {
            let name = shown(&name);
            return Fault::text(format!(
                "{name} belongs to an earlier metric family; lines of one family stand together"
            ));
        }
        self.begun += 1;
        if self.begun > SERIES_PER_PUSH {
            return over(SERIES_PER_PUSH, "metric families");
        }
        Ok(self.current.insert(FamilyReader::new(name)))
    }

    /// Ends the current family.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(family) = self.current.take() else {
            return Ok(());
        };
        let Claim { names, family } = family.finish()?;
        for name in names {
            if self.claimed.contains(&name) {
                let name = shown(&name);
                return Fault::before(format!("{name} is a name of two metric families"));
            }
            self.claimed.insert(name);
        }
        self.families.extend(family);
        Ok(())
    }

    fn sample(&mut self, line: &'a str) -> Result<(), Fault> {
        self.scratch.start_line();
        let mut line = Line::new(line, self.names);
        let mut name = line.metric_name()?;
        if line.is_at("{") {
            line.labels(&mut self.scratch, Some(&mut name))?;
        }
        let name = name.into_metric_name(self.names)?;
        line.expect(" ")?;
        let value = line.number("value")?;
        let (timestamp, exemplar) = Self::after_value(&mut line)?;
        self.count_line(exemplar.as_ref())?;
        let known = self.current.as_ref().and_then(|family| family.role(&name));
        let role = match (known, &self.current) {
            (Some(role), _) => role,
            (None, Some(family)) if family.name == name => {
                return Fault::text(family.wrong_suffix());
            }
            (None, _) => {
                self.begin(name)?;
                // The only one that a family without a type has.
                Role::Value
            }
        };
        let Some(family) = &mut self.current else {
            return Ok(());
        };
        let sample = Sample {
            role,
            value,
            timestamp_ms: timestamp.map(milliseconds),
            exemplar,
        };
        family.add(sample, &mut self.scratch)
    }

    /// Timestamp and exemplar, each with the blank before it.
    fn after_value(
        line: &mut Line<'a>,
    ) -> Result<(Option<Timestamp>, Option<Exemplar<'a>>), Fault> {
        let mut timestamp = None;
        if !line.is_over() && !line.is_at(" #") {
            line.expect(" ")?;
            timestamp = Some(line.time("timestamp")?);
        }
        if line.is_over() {
            return Ok((timestamp, None));
        }
        line.expect(" # ")?;
        let mut labels = Scratch::default();
        line.labels(&mut labels, None)?;
        let labels = labels.take_labels();
        let chars = |label: &Label<'_>| label.name.chars().count() + label.value.chars().count();
        if labels.iter().map(chars).sum::<usize>() > EXEMPLAR_CHARS {
            return Fault::text(format!(
                "the labels of an exemplar have more than {EXEMPLAR_CHARS} characters"
            ));
        }
        line.expect(" ")?;
        let mut exemplar = Exemplar {
            labels,
            value: line.number("value of the exemplar")?,
            timestamp: None,
        };
        if !line.is_over() {
            line.expect(" ")?;
            exemplar.timestamp = Some(line.time("timestamp of the exemplar")?);
        }
        if !line.is_over() {
            return Fault::text(format!("{} follows the exemplar", shown(line.rest())));
        }
        Ok((timestamp, Some(exemplar)))
    }

    /// What a line makes in memory is far larger than the shortest line.
    fn count_line(&mut self, exemplar: Option<&Exemplar<'_>>) -> Result<(), Fault> {
        self.samples += 1;
        self.labels += self.scratch.len() + exemplar.map_or(0, |exemplar| exemplar.labels.len());
        if self.samples > SERIES_PER_PUSH {
            return over(SERIES_PER_PUSH, "series");
        }
        if self.labels > LABELS_PER_PUSH {
            return over(LABELS_PER_PUSH, "labels");
        }
        Ok(())
    }
}

fn over<T>(limit: usize, what: &str) -> Result<T, Fault> {
    Err(Fault::Limit(format!(
        "more than {limit} {what} in one push"
    )))
}

fn milliseconds(time: Timestamp) -> i64 {
    let millis = i64::from(time.nanos / 1_000_000);
    time.seconds.saturating_mul(1000).saturating_add(millis)
}
