//! Groups as the command line names them: `job=backup instance=db1`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Failure;
use crate::format::escape::Escaping;
use crate::format::name::{decode_values, is_label_name};
use crate::model::{quote, read_quoted};

/// What has no meaning of its own in an address stays as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// One `LABEL=VALUE`. The label may be in quotes, as in a selector, and is where it has a `=`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let expected = "expected LABEL=VALUE, such as job=backup";
    let (name, value) = if text.starts_with(['"', '\'', '`']) {
        let quoted = read_quoted(text).map_err(|(_, fault)| fault.to_string())?;
        let value = text[quoted.len..].strip_prefix('=').ok_or(expected)?;
        (quoted.value, value)
    } else {
        let (name, value) = text.split_once('=').ok_or(expected)?;
        (name.to_owned(), value)
    };
    if name.is_empty() || name.starts_with("__") {
        return Err(format!("{name:?} is no label of a group"));
    }
    Ok((name, value.to_owned()))
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
    let name = label(name);
    match value {
        "" => format!("{name}@base64/="),
        // Servers and proxies take these for steps in a path, escaped or not.
        value if value.contains('/') || matches!(value, "." | "..") => {
            format!("{name}@base64/{}", URL_SAFE_NO_PAD.encode(value))
        }
        value => format!("{name}/{}", escaped(value)),
    }
}

/// A label's name as part of an address: in the form `U__a_2e_b` where it would be read as
/// something else.
fn label(name: &str) -> String {
    let is_step = name.contains('/') || matches!(name, "." | "..");
    let is_marked = name.ends_with("@base64") || decode_values(name).is_some();
    if is_step || is_marked {
        Escaping::Values.label_name(name).into_owned()
    } else {
        escaped(name)
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
        .map(|(name, value)| {
            if is_label_name(name.as_bytes()) {
                return format!("{name}={}", quoted(value));
            }
            // What a pair cannot begin with, or does not end at.
            if name.contains(['=', '"', '\'', '`']) {
                quoted(&format!("{}={value}", quote(name)))
            } else {
                quoted(&format!("{name}={value}"))
            }
        })
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
    use crate::push::printed::printed_fault;

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
            // As a gateway with --push.enable-utf8-names reads them.
            (&["job=a", "my.label=x"], "job/a/my.label/x"),
            (&["job=a", r#""my label"=x=y"#], "job/a/my%20label/x%3Dy"),
            (&["\"job\"=a", r#""a=\"b"="#], "job/a/a%3D%22b@base64/="),
            (&["job=a", "a/b=c/d"], "job/a/U__a_2f_b@base64/Yy9k"),
            (&["job=a", "x@base64=c"], "job/a/U__x_40_base64/c"),
        ] {
            assert_eq!(path_of(texts).as_deref(), Ok(address), "{texts:?}");
        }
    }

    #[test]
    fn what_names_no_group_is_refused() {
        for (texts, reason) in [
            (&["job"][..], "expected LABEL=VALUE, such as job=backup"),
            (&["job=a", "=b"], r#""" is no label of a group"#),
            (&["job=a", "\"\"=c"], r#""" is no label of a group"#),
            (
                &["job=a", "\"b\"c"],
                "expected LABEL=VALUE, such as job=backup",
            ),
            (&["job=a", "\"b=c"], "the string is not closed"),
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
        let labels = [("job", "a"), ("my.label", "x y"), ("a b", ""), ("a=b", "c")];
        assert_eq!(shown(labels), r#"job=a 'a b=' '"a=b"=c' 'my.label=x y'"#);
    }

    proptest! {
        #[test]
        fn the_gateway_reads_the_address_as_the_same_group(job in ".{1,12}", value in ".{0,12}") {
            let pairs = [("job".to_owned(), job.clone()), ("x".to_owned(), value.clone())];
            let address = path(&pairs).unwrap();
            let decoded = percent_decode(&address).unwrap();
            let labels = BTreeMap::from([("x".to_owned(), value)]);
            prop_assert_eq!(
                grouping_key(&decoded, NameRule::Legacy),
                Ok(GroupKey::new(&job, &labels))
            );
        }

        #[test]
        fn any_label_is_shown_taken_and_addressed_as_itself(name in "[\u{20}-\u{3000}]{1,6}") {
            let key = GroupKey::new("a", &BTreeMap::from([(name.clone(), "v".to_owned())]));
            prop_assume!(name != "job" && printed_fault(&key).is_none());
            let spelled = if is_label_name(name.as_bytes()) {
                format!("{name}=v")
            } else {
                format!("{}=v", quote(&name))
            };
            let taken = pair(&spelled).unwrap();
            prop_assert_eq!(&taken.0, &name);
            let address = path(&[("job".to_owned(), "a".to_owned()), taken]).unwrap();
            let decoded = percent_decode(&address).unwrap();
            prop_assert_eq!(grouping_key(&decoded, NameRule::Utf8), Ok(key));
        }
    }
}
