//! A place in the body, and the tokens that can be read from it.
//!
//! No token holds a bare line feed, so nothing here reads past the line it
//! began in, [`Cursor::skip_line`] aside. Running out of body is [`Fault::End`].

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};

use super::{Fault, Name, name, shown};

pub(super) struct Cursor<'a> {
    body: &'a [u8],
    /// The body as text, if all of it is UTF-8: one fast check for the whole
    /// body then replaces one for every name and value.
    text: Option<&'a str>,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self {
            body,
            text: std::str::from_utf8(body).ok(),
            at: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    pub(super) fn byte(&self) -> Result<u8, Fault> {
        self.peek().ok_or(Fault::End)
    }

    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    pub(super) fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Goes to the start of the next line.
    pub(super) fn skip_line(&mut self) -> Result<(), Fault> {
        self.at += memchr(b'\n', self.rest()).ok_or(Fault::End)? + 1;
        Ok(())
    }

    /// Reads up to the next blank, tab or line feed, maybe nothing.
    pub(super) fn until_white(&mut self) -> Result<&'a [u8], Fault> {
        // Numbers and keywords are short: a plain loop beats a vector search.
        let is_white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n');
        let len = self.rest().iter().position(is_white).ok_or(Fault::End)?;
        let token = &self.rest()[..len];
        self.at += len;
        Ok(token)
    }

    /// Reads the rest of the line and its line feed. Go's parser loses
    /// backslashes here.
    pub(super) fn rest_of_line(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        let len = memchr(b'\n', self.rest()).ok_or(Fault::End)?;
        let line = &self.rest()[..len];
        self.at += len + 1;
        if memchr(b'\\', line).is_none() {
            return Ok(Cow::Borrowed(line));
        }
        Ok(line.iter().copied().filter(|byte| *byte != b'\\').collect())
    }

    /// Reads a metric name, maybe an empty one.
    pub(super) fn metric_name(&mut self) -> Result<Name<'a>, Fault> {
        self.name("metric", name::is_metric_byte)
    }

    /// Reads a label name, or a metric name inside braces; maybe an empty one.
    pub(super) fn label_name(&mut self) -> Result<Name<'a>, Fault> {
        self.name("label", name::is_label_byte)
    }

    #[inline]
    fn name(&mut self, what: &str, is_legal: impl Fn(u8) -> bool) -> Result<Name<'a>, Fault> {
        let start = self.at;
        if self.peek().is_none_or(|byte| byte.is_ascii_digit()) {
            return Ok(Name::Bare(""));
        }
        let len = self.rest().iter().position(|byte| !is_legal(*byte));
        self.at += len.unwrap_or(self.rest().len());
        if self.peek() == Some(b'"') {
            return self.quoted_name(what, start);
        }
        // Legal bytes are ASCII.
        Ok(Name::Bare(self.slice(start, self.at).unwrap_or_default()))
    }

    /// The one quoted part of a name that began at `start`; the name ends with it.
    #[cold]
    fn quoted_name(&mut self, what: &str, start: usize) -> Result<Name<'a>, Fault> {
        let mut name = self.body[start..self.at].to_vec();
        self.at += 1;
        loop {
            let byte = self.byte()?;
            self.at += 1;
            match byte {
                b'"' => return Ok(Name::Quoted(name)),
                b'\\' => self.escape(&mut name)?,
                b'\n' => {
                    let name = shown(&name);
                    return Fault::text(format!("{what} name {name} contains unescaped new-line"));
                }
                byte => name.push(byte),
            }
        }
    }

    /// Reads a label value, its opening quote already read, and the closing quote.
    pub(super) fn label_value(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        let len = memchr3(b'"', b'\\', b'\n', self.rest()).ok_or(Fault::End)?;
        self.at += len;
        if self.body[self.at] != b'"' {
            return self.escaped_label_value(start);
        }
        self.at += 1;
        let end = self.at - 1;
        match self.slice(start, end) {
            Some(value) => Ok(Cow::Borrowed(value)),
            None => Fault::text(invalid_label_value(&self.body[start..end])),
        }
    }

    fn escaped_label_value(&mut self, start: usize) -> Result<Cow<'a, str>, Fault> {
        let mut value = self.body[start..self.at].to_vec();
        loop {
            let byte = self.byte()?;
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => self.escape(&mut value)?,
                _ => {
                    let value = shown(&value);
                    return Fault::text(format!("label value {value} contains unescaped new-line"));
                }
            }
            let len = memchr3(b'"', b'\\', b'\n', self.rest()).ok_or(Fault::End)?;
            value.extend_from_slice(&self.rest()[..len]);
            self.at += len;
        }
        String::from_utf8(value)
            .map(Cow::Owned)
            .or_else(|e| Fault::text(invalid_label_value(e.as_bytes())))
    }

    /// Reads a HELP text and its line feed.
    pub(super) fn help(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        self.at += memchr2(b'\n', b'\\', self.rest()).ok_or(Fault::End)?;
        if self.body[self.at] == b'\n' {
            self.at += 1;
            let text = &self.body[start..self.at - 1];
            return Ok(String::from_utf8_lossy(text));
        }
        let mut text = self.body[start..self.at].to_vec();
        while self.byte()? == b'\\' {
            self.at += 1;
            self.escape(&mut text)?;
            let len = memchr2(b'\n', b'\\', self.rest()).ok_or(Fault::End)?;
            text.extend_from_slice(&self.rest()[..len]);
            self.at += len;
        }
        self.at += 1;
        Ok(Cow::Owned(String::from_utf8_lossy(&text).into_owned()))
    }

    /// Reads what follows a backslash.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let byte = self.byte()?;
        self.at += 1;
        match byte {
            b'\\' | b'"' => out.push(byte),
            b'n' => out.push(b'\n'),
            _ => {
                return Fault::text(format!("invalid escape sequence '\\{}'", char::from(byte)));
            }
        }
        Ok(())
    }

    /// Reads a timestamp in milliseconds, the blanks before it and the line feed.
    pub(super) fn timestamp(&mut self) -> Result<i64, Fault> {
        self.skip_blanks();
        let token = self.until_white()?;
        let Some(time) = std::str::from_utf8(token)
            .ok()
            .and_then(|text| text.parse().ok())
        else {
            return Fault::text(format!(
                "expected integer as timestamp, got {}",
                shown(token)
            ));
        };
        let rest = self.rest_of_line()?;
        if !rest.is_empty() {
            return Fault::text(format!("spurious string after timestamp: {}", shown(&rest)));
        }
        Ok(time)
    }

    fn rest(&self) -> &'a [u8] {
        &self.body[self.at..]
    }

    fn slice(&self, start: usize, end: usize) -> Option<&'a str> {
        match self.text {
            Some(text) => text.get(start..end),
            None => std::str::from_utf8(&self.body[start..end]).ok(),
        }
    }
}

fn invalid_label_value(value: &[u8]) -> String {
    format!("invalid label value {}", shown(value))
}
