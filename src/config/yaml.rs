//! A YAML document as a tree in which every node knows its place, so that all
//! faults of a file can be told at once, each with line and column. The only
//! module that knows the YAML parser.

use std::fmt;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

/// A place in a file, counted from 1, columns in characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// The beginning of a file.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.line, self.column)
    }
}

impl From<&Marker> for Place {
    fn from(marker: &Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col() + 1,
        }
    }
}

/// One value of the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// Left out: nothing behind a colon, `~` or `null`.
    Nothing,
    /// As it is written, numbers and booleans too.
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; a key may be there twice.
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) place: Place,
}

/// Why a text is not one document of plain nodes, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Malformed {
    pub(super) place: Place,
    pub(super) reason: String,
}

impl From<ScanError> for Malformed {
    fn from(error: ScanError) -> Self {
        Self {
            place: error.marker().into(),
            reason: error.info().replace('\n', " "),
        }
    }
}

/// Reads the one document of a text; an empty text is [`Value::Nothing`].
///
/// # Errors
/// The first fault of the syntax, or something beyond plain nodes: an alias, a
/// tag, a second document, a key that is no text.
pub(super) fn read(text: &str) -> Result<Node, Malformed> {
    let mut events = Events(Parser::new_from_str(text));
    let mut root = None;
    loop {
        let (event, place) = events.next()?;
        match event {
            Event::StreamStart | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            Event::DocumentStart(..) if root.is_some() => {
                return Err(malformed(place, "only one document is expected"));
            }
            Event::DocumentStart(..) => {
                let (event, place) = events.next()?;
                root = Some(events.node(event, place)?);
            }
            _ => return Err(malformed(place, "nothing is expected here")),
        }
    }
    Ok(root.unwrap_or(Node {
        place: Place::START,
        value: Value::Nothing,
    }))
}

struct Events<'a>(Parser<'a, granit_parser::StrInput<'a>>);

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Malformed> {
        match self.0.next_event() {
            Some(Ok((event, span))) => Ok((event, (&span.start).into())),
            Some(Err(error)) => Err(error.into()),
            None => Ok((Event::StreamEnd, Place::START)),
        }
    }

    /// The node that begins with this event. The parser bounds how deep nodes nest.
    fn node(&mut self, event: Event<'a>, place: Place) -> Result<Node, Malformed> {
        let value = match event {
            Event::Scalar(.., Some(_))
            | Event::SequenceStart(.., Some(_))
            | Event::MappingStart(.., Some(_)) => {
                return Err(malformed(place, "tags (!name) are not supported"));
            }
            Event::Scalar(text, ScalarStyle::Plain, ..) if is_null(&text) => Value::Nothing,
            Event::Scalar(text, ..) => Value::Text(text.into_owned()),
            Event::SequenceStart(..) => Value::List(self.list()?),
            Event::MappingStart(..) => Value::Map(self.map()?),
            Event::Alias(_) => return Err(malformed(place, "aliases (*name) are not supported")),
            _ => return Err(malformed(place, "a value is expected here")),
        };
        Ok(Node { place, value })
    }

    fn list(&mut self) -> Result<Vec<Node>, Malformed> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(nodes),
                (event, place) => nodes.push(self.node(event, place)?),
            }
        }
    }

    fn map(&mut self) -> Result<Vec<(Key, Node)>, Malformed> {
        let mut pairs = Vec::new();
        loop {
            let (event, place) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(pairs),
                Event::Scalar(name, .., None) => name.into_owned(),
                _ => return Err(malformed(place, "a key is a plain text")),
            };
            let (event, value_place) = self.next()?;
            pairs.push((Key { name, place }, self.node(event, value_place)?));
        }
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn malformed(place: Place, reason: &str) -> Malformed {
    Malformed {
        place,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tree on one line, with the places of keys and values.
    fn shown(node: &Node) -> String {
        let value = match &node.value {
            Value::Nothing => "-".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(nodes) => {
                let nodes: Vec<String> = nodes.iter().map(shown).collect();
                format!("[{}]", nodes.join(" "))
            }
            Value::Map(pairs) => {
                let pairs: Vec<String> = pairs
                    .iter()
                    .map(|(key, node)| format!("{}@{}={}", key.name, key.place, shown(node)))
                    .collect();
                format!("{{{}}}", pairs.join(" "))
            }
        };
        format!("{value}@{}", node.place)
    }

    #[test]
    fn nodes_know_their_places_and_scalars_are_text() {
        for (text, tree) in [
            ("", "-@1:1"),
            ("# only a comment\n", "-@1:1"),
            ("---\n", "-@"),
            ("a: 1\nb:\n", "{a@1:1=\"1\"@1:4 b@2:1=-@"),
            (
                "ä: {b: 'x', c: yes}\n",
                "{ä@1:1={b@1:5=\"x\"@1:8 c@1:13=\"yes\"@1:16}@1:4}@1:1",
            ),
            (
                "a:\n  - 007\n  - \"~\"\n  - ~\n",
                "{a@1:1=[\"007\"@2:5 \"~\"@3:5 -@4:5]@2:3}@1:1",
            ),
            ("a: 1\na: 2\n", "{a@1:1=\"1\"@1:4 a@2:1=\"2\"@2:4}@1:1"),
            ("a: &x 1\n", "{a@1:1=\"1\"@"),
            ("\u{feff}a: 1\r\n", "{a@1:"),
        ] {
            let shown = shown(&read(text).unwrap());
            assert!(shown.starts_with(tree), "{text:?}: {shown}");
        }
    }

    #[test]
    fn what_is_not_one_plain_document_is_refused_with_its_place() {
        for (text, place, reason) in [
            ("a: b: c", "1:5", "mapping values are not allowed"),
            ("a: [1, 2", "1:", ""),
            (
                "a: &x 1\nb: *x\n",
                "2:4",
                "aliases (*name) are not supported",
            ),
            ("b: *x\n", "1:4", "unknown anchor"),
            ("a: !!int 1\n", "1:", "tags (!name) are not supported"),
            ("? [a]\n: b\n", "1:3", "a key is a plain text"),
            ("a: 1\n---\nb: 2\n", "2:1", "only one document is expected"),
            ("a: 1\n\tb: 2\n", "1:", ""),
        ] {
            let Malformed {
                place: found,
                reason: why,
            } = read(text).unwrap_err();
            let found = found.to_string();
            assert!(found.starts_with(place), "{text:?}: {found}");
            assert!(why.contains(reason), "{text:?}: {why}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        for deep in [
            "[".repeat(100_000),
            "- ".repeat(100_000),
            "{a: ".repeat(100_000),
        ] {
            assert!(read(&deep).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", close in "[a:\\-\n \\[\\]{}'\"|>&*!#?,%~\t]{0,60}") {
            let _ = read(&text);
            let _ = read(&close);
        }
    }
}
