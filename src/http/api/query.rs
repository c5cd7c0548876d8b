//! Query strings, and what the API's parameters mean.

use std::fmt;

use crate::duration;
use crate::limits::SELECTORS;
use crate::model::{GroupKey, Selector};
use crate::push::path::percent_decode;

use super::ApiError;

/// The pairs of a query string, decoded.
#[derive(Debug)]
pub(in crate::http) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes `a=b&c=d`; `+` is a space.
    pub(in crate::http) fn parse(query: &str) -> Result<Self, String> {
        let decode = |text: &str| {
            let bytes = percent_decode(&text.replace('+', "%20"));
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            text.ok_or_else(|| format!("the query string cannot be decoded: {query:?}"))
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Refuses what the route does not know: a misspelled `dry_run` must not delete.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        match self
            .0
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::bad(format!(
                "there is no parameter {name:?} here"
            ))),
        }
    }

    /// All values of a parameter.
    pub(super) fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The one value of a parameter.
    pub(in crate::http) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.values(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(ApiError::bad(format!("{name} is given more than once"))),
        }
    }

    /// `true` or `false`; absent is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.one(name)? {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1" | "") => Ok(true),
            Some(other) => Err(ApiError::bad(format!(
                "{name}={other:?} is not true or false"
            ))),
        }
    }

    /// A duration.
    pub(super) fn duration(&self, name: &str) -> Result<Option<std::time::Duration>, ApiError> {
        let text = self.one(name)?;
        let parsed = text.map(|text| {
            duration::parse(text)
                .map_err(|fault| ApiError::bad(format!("{name}={text:?}: {fault}")))
        });
        parsed.transpose()
    }

    /// A number from 1 to `most`.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        let Some(text) = self.one("limit")? else {
            return Ok(default);
        };
        let parsed = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        parsed.ok_or_else(|| {
            ApiError::bad(format!("limit={text:?} is not a number from 1 to {most}"))
        })
    }

    /// All of `match[]`: a group is meant if one of them matches.
    pub(super) fn selection(&self) -> Result<Selection, ApiError> {
        let parse = |text| {
            Selector::parse(text)
                .map_err(|fault| ApiError::bad(format!("match[]={text:?}: {fault}")))
        };
        if self.values("match[]").nth(SELECTORS).is_some() {
            return Err(ApiError::bad(format!(
                "match[] is given more than {SELECTORS} times"
            )));
        }
        self.values("match[]")
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Selection)
    }
}

/// Selectors of which one must match; none at all match everything.
#[derive(Debug, Clone)]
pub(super) struct Selection(Vec<Selector>);

impl Selection {
    pub(super) fn matches(&self, key: &GroupKey) -> bool {
        self.0.is_empty() || self.0.iter().any(|selector| selector.matches(key))
    }

    /// Whether nothing was selected.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// For the log: `{job="a"} or {job="b"}`.
impl fmt::Display for Selection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, selector) in self.0.iter().enumerate() {
            let or = if place > 0 { " or " } else { "" };
            write!(out, "{or}{selector}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_doubles_refused() {
        let query = Query::parse("a=1&b=x+y%2Bz&&c&dry_run=true&a=2").unwrap();
        assert_eq!(query.one("b").unwrap(), Some("x y+z"));
        assert_eq!(query.one("c").unwrap(), Some(""));
        assert_eq!(query.one("none").unwrap(), None);
        assert!(query.one("a").is_err());
        assert!(query.flag("dry_run").unwrap());
        assert!(!query.flag("none").unwrap());
        assert!(query.flag("b").is_err());
        assert!(query.only(&["a", "b", "c", "dry_run"]).is_ok());
        assert!(query.only(&["a", "b", "c", "dryrun"]).is_err());
        for bad in ["a=%zz", "a=%ff"] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn selectors_are_counted_before_any_is_parsed() {
        let selection = |selectors: usize, of: &str| {
            let pairs = vec![format!("match[]={of}"); selectors];
            Query::parse(&pairs.join("&")).unwrap().selection()
        };
        assert!(selection(SELECTORS, "{}").is_ok());
        let refused = selection(SELECTORS + 1, "{bad").unwrap_err();
        assert_eq!(refused.status, 400);
        assert_eq!(refused.text, "match[] is given more than 100 times");
    }

    #[test]
    fn limits_are_kept() {
        let limit = |text: &str| Query::parse(text).unwrap().limit(100, 1000).ok();
        assert_eq!(limit(""), Some(100));
        assert_eq!(limit("limit=1000"), Some(1000));
        for bad in ["limit=0", "limit=1001", "limit=-1", "limit=x"] {
            assert_eq!(limit(bad), None, "{bad}");
        }
    }
}
