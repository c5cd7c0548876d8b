//! One sample line: name, labels, value, timestamp.

use std::borrow::Cow;

use super::families::Target;
use super::{Fault, MAX_SHOWN, Name, Parser, shown};
use crate::format::float;
use crate::format::quote::quote_byte;
use crate::limits::LABELS_PER_SERIES;
use crate::model::{Kind, Label};

impl<'a> Parser<'a> {
    pub(super) fn sample(&mut self) -> Result<(), Fault> {
        self.scratch.start_line();
        let target = if self.cursor.peek() == Some(b'{') {
            self.braced_sample()?
        } else {
            self.named_sample()?
        };
        let token = self.cursor.until_white()?;
        let Some(value) = std::str::from_utf8(token).ok().and_then(float::parse) else {
            return Fault::text(format!("expected float as value, got {}", shown(token)));
        };
        self.samples += 1;
        self.labels += self.scratch.labels.len();
        let metric = self.families.add(target, value, &mut self.scratch)?;
        if self.cursor.byte()? == b'\n' {
            self.cursor.step();
        } else {
            metric.timestamp_ms = Some(self.cursor.timestamp()?);
        }
        Ok(())
    }

    /// Reads up to the value of `a 1` and `a{x="1"} 1`.
    fn named_sample(&mut self) -> Result<Target, Fault> {
        let name = self.cursor.metric_name()?;
        if name.is_empty() {
            return Fault::text("invalid metric name");
        }
        let target = self.open(name.into_metric_name(self.names)?);
        self.cursor.skip_blanks();
        if self.cursor.byte()? == b'{' {
            let special = self.families.special_label(target);
            while self.next_label()? {
                let name = self.label_name(Some(target))?;
                let next = self.cursor.byte()?;
                if next != b'=' {
                    let next = quote_byte(next);
                    return Fault::text(format!("expected '=' after label name, found {next}"));
                }
                self.label(name, Some(target), special)?;
            }
        }
        Ok(target)
    }

    /// Reads up to the value of `{a} 1` and `{x="1","a"} 1`.
    fn braced_sample(&mut self) -> Result<Target, Fault> {
        let (mut target, mut special) = (None, None);
        while self.next_label()? {
            let name = self.label_name(target)?;
            match self.cursor.byte()? {
                b'=' => self.label(name, target, special)?,
                _ if target.is_some() => {
                    let metric = self.families.quoted_name(target);
                    return Fault::text(format!("multiple metric names for metric {metric}"));
                }
                b',' | b'}' => {
                    let opened = self.open(name.into_metric_name(self.names)?);
                    target = Some(opened);
                    special = self.families.special_label(opened);
                    if let Some(special) = special {
                        // Read before the metric name was known.
                        if let Some(value) = self.scratch.take(special) {
                            self.scratch.special = special_value(special, &value)?;
                        }
                    }
                }
                next => {
                    let next = quote_byte(next);
                    return Fault::text(format!("unexpected end of metric name {next}"));
                }
            }
        }
        target.map_or_else(|| Fault::text("invalid metric name"), Ok)
    }

    /// Steps over the `{` or `,` in front of a label; `false` at the closing
    /// brace, which it leaves behind with the blanks after it.
    fn next_label(&mut self) -> Result<bool, Fault> {
        if matches!(self.cursor.byte()?, b'{' | b',') {
            self.cursor.step();
            self.cursor.skip_blanks();
        }
        if self.cursor.byte()? != b'}' {
            return Ok(true);
        }
        self.cursor.step();
        self.cursor.skip_blanks();
        Ok(false)
    }

    fn label_name(&mut self, target: Option<Target>) -> Result<Name<'a>, Fault> {
        let name = self.cursor.label_name()?;
        if name.is_empty() {
            let metric = self.families.quoted_name(target);
            return Fault::text(format!("invalid label name for metric {metric}"));
        }
        self.cursor.skip_blanks();
        Ok(name)
    }

    /// Reads from the `=` up to the `,` or `}` that follows the value.
    fn label(
        &mut self,
        name: Name<'a>,
        target: Option<Target>,
        special: Option<&str>,
    ) -> Result<(), Fault> {
        let name = name.into_label_name(self.names)?;
        if name == "__name__" {
            return Fault::text("label name \"__name__\" is reserved");
        }
        let is_special = special == Some(&*name);
        if self.scratch.is_duplicate(&name) {
            let metric = self.families.quoted_name(target);
            return Fault::text(format!("duplicate label names for metric {metric}"));
        }
        if self.scratch.labels.len() >= LABELS_PER_SERIES {
            let name = self.families.name(target);
            let name = &name[..name.floor_char_boundary(MAX_SHOWN)];
            let message = format!("a series of {name} has more than {LABELS_PER_SERIES} labels");
            return Err(Fault::Limit(message));
        }
        let value = self.label_value()?;
        if is_special {
            self.scratch.special = special_value(&name, &value)?;
        }
        self.cursor.skip_blanks();
        if !matches!(self.cursor.byte()?, b',' | b'}') {
            let value = shown(value.as_bytes());
            return Fault::text(format!("unexpected end of label value {value}"));
        }
        if !is_special {
            self.scratch.push(Label { name, value });
        }
        Ok(())
    }

    fn label_value(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.cursor.step();
        self.cursor.skip_blanks();
        let next = self.cursor.byte()?;
        if next != b'"' {
            let next = quote_byte(next);
            return Fault::text(format!(
                "expected '\"' at start of label value, found {next}"
            ));
        }
        self.cursor.step();
        self.cursor.label_value()
    }

    /// The family of a sample called `name`. From here on its type is settled.
    fn open(&mut self, name: Cow<'a, str>) -> Target {
        let target = self.families.resolve(name);
        self.families
            .get_mut(target.family)
            .kind
            .get_or_insert(Kind::Untyped);
        target
    }
}

fn special_value(name: &str, value: &str) -> Result<f64, Fault> {
    let wrong = || {
        format!(
            "expected float as value for '{name}' label, got {}",
            shown(value.as_bytes())
        )
    };
    float::parse(value).map_or_else(|| Fault::text(wrong()), Ok)
}
