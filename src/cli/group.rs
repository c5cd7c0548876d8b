//! Groups as the command line names them: `job=backup instance=db1`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Failure;
use crate::format::name::is_label_name;

/// What has no meaning of its own in an address stays as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// One `LABEL=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected LABEL=VALUE, such as job=backup")?;
    if !is_label_name(name.as_bytes()) || name.starts_with("__") {
        return Err(format!("{name:?} is no label of a group"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The group of these labels as the API's addresses have it: `job/backup/instance/db1`.
pub(super) fn path(pairs: &[(String, String)]) -> Result<String, Failure> {
    let mut labels = BTreeMap::new();
    for (name, value) in pairs {
        if labels.insert(name.as_str(), value.as_str()).is_some() {
            return Err(Failure::Refused(format!("the label {name} is given twice")));
        }
    }
    let job = labels.remove("job").unwrap_or_default();
    if job.is_empty() {
        let text = "a group has a job: name it, such as job=backup";
        return Err(Failure::Refused(text.to_owned()));
    }
    let parts = std::iter::once(("job", job)).chain(labels);
    let parts: Vec<String> = parts.map(|(name, value)| part(name, value)).collect();
    Ok(parts.join("/"))
}

fn part(name: &str, value: &str) -> String {
    match value {
        "" => format!("{name}@base64/="),
        // Servers and proxies take these for steps in a path, escaped or not.
        value if value.contains('/') || matches!(value, "." | "..") => {
            format!("{name}@base64/{}", URL_SAFE_NO_PAD.encode(value))
        }
        value => format!("{name}/{}", escaped(value)),
    }
}

/// A text as part of an address.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Labels in the form in which the command line takes them, ready to be pasted.
pub(super) fn shown<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<(&str, &str)> = labels.into_iter().collect();
    pairs.sort_by_key(|(name, _)| (*name != "job", *name));
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    pairs.join(" ")
}

/// The same for labels as the command line took them.
pub(super) fn named(labels: &[(String, String)]) -> String {
    let labels = labels.iter();
    shown(labels.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// A word of the shell.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.,:/@%+=".contains(c);
    if value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::name::NameRule;
    use crate::model::GroupKey;
    use crate::push::path::{grouping_key, percent_decode};

    fn path_of(texts: &[&str]) -> Result<String, String> {
        let pairs: Result<Vec<_>, _> = texts.iter().map(|text| pair(text)).collect();
        path(&pairs?).map_err(|failure| failure.to_string())
    }

    #[test]
    fn labels_become_the_address_of_a_group() {
        for (texts, address) in [
            (&["job=a"][..], "job/a"),
            (&["zone=w", "job=a", "env=b"], "job/a/env/b/zone/w"),
            (&["job=a b?#%+ü"], "job/a%20b%3F%23%25%2B%C3%BC"),
            (&["job=/var/tmp", "x="], "job@base64/L3Zhci90bXA/x@base64/="),
            (&["job=.."], "job@base64/Li4"),
            (&["job=a=b"], "job/a%3Db"),
        ] {
            assert_eq!(path_of(texts).as_deref(), Ok(address), "{texts:?}");
        }
    }

    #[test]
    fn what_names_no_group_is_refused() {
        for (texts, reason) in [
            (&["job"][..], "expected LABEL=VALUE, such as job=backup"),
            (&["job=a", "=b"], r#""" is no label of a group"#),
            (&["job=a", "1b=c"], r#""1b" is no label of a group"#),
            (&["job=a", "__b=c"], r#""__b" is no label of a group"#),
            (&["a=b"], "a group has a job: name it, such as job=backup"),
            (&["job="], "a group has a job: name it, such as job=backup"),
            (&["job=a", "job=b"], "the label job is given twice"),
        ] {
            assert_eq!(path_of(texts).unwrap_err(), reason, "{texts:?}");
        }
    }

    #[test]
    fn labels_are_shown_ready_for_the_shell() {
        let labels = [("env", ""), ("job", "a b"), ("x", "it's"), ("y", "é/1")];
        assert_eq!(shown(labels), r"job='a b' env= x='it'\''s' y=é/1");
    }

    proptest! {
        #[test]
        fn the_gateway_reads_the_address_as_the_same_group(job in ".{1,12}", value in ".{0,12}") {
            let pairs = [("job".to_owned(), job.clone()), ("x".to_owned(), value.clone())];
            let address = path(&pairs).unwrap();
            let decoded = percent_decode(&address).unwrap();
            let labels = BTreeMap::from([("x".to_owned(), value)]);
            prop_assert_eq!(grouping_key(&decoded, NameRule::Legacy), Ok(GroupKey::new(&job, &labels)));
        }
    }
}
