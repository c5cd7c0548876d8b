//! The address of a push: `job/J/label/value/...` behind `/metrics/`.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::format::base64::{self, Corrupt};
use crate::format::name::{NameRule, decode_values};
use crate::format::quote::quote;
use crate::model::GroupKey;
use crate::push::printed::printed_fault;

/// Ends the name of a label, or the word `job`, whose value is in base64.
const BASE64_SUFFIX: &[u8] = b"@base64";

/// Why an address names no group. The texts are the Pushgateway's answers,
/// which end in a line feed there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    /// Not of the form `job/...` or `job@base64/...`, or nothing behind it:
    /// no push address at all, which the Pushgateway answers with 404.
    #[error("404 page not found")]
    NotAPush,
    /// The job is not base64. Shown is what was decoded before the fault.
    #[error("invalid base64 encoding in job name {}: {corrupt}", quote(&.corrupt.decoded))]
    JobBase64 {
        /// The fault.
        corrupt: Corrupt,
    },
    /// A label name without a value; holds all that follows the job.
    #[error("odd number of components in label string {}", quote(.0))]
    OddComponents(Vec<u8>),
    /// Not a label name, or a reserved one; without its `@base64`.
    #[error("improper label name {}", quote(.0))]
    ImproperName(Vec<u8>),
    /// A label name in the `U__` form that stands for a reserved one. The
    /// Pushgateway takes it and then refuses every push.
    #[error("improper label name {}: it stands for {}", quote(.encoded), quote(.name.as_bytes()))]
    ReservedName {
        /// As it stands in the address.
        encoded: Vec<u8>,
        /// What it stands for.
        name: String,
    },
    /// Two label names that the exposition prints alike, or one that it prints as a
    /// reserved one. Only with UTF-8 names.
    #[error("improper label name {}: the exposition would have {printed:?} twice or reserved", quote(.name.as_bytes()))]
    PrintedName {
        /// The name.
        name: String,
        /// As it would be printed.
        printed: String,
    },
    /// The value of a label is not base64.
    #[error("invalid base64 encoding for label {label}={}: {corrupt}", quote(.value))]
    LabelBase64 {
        /// Name of the label.
        label: String,
        /// Its value as it stands in the address.
        value: Vec<u8>,
        /// The fault.
        corrupt: Corrupt,
    },
    /// The job is empty.
    #[error("job name is required")]
    JobRequired,
    /// The value of the job or a label is not UTF-8. The Pushgateway refuses it
    /// only when it checks the push against the store, hence the long text.
    #[error(
        "pushed metrics are invalid or inconsistent with existing metrics: \
         collected metric \"push_time_seconds\" \
         {{ label:{{name:\"{label}\"  value:{value}}} gauge:{{value:0}}}} \
         has a label named \"{label}\" whose value is not utf8: {value}",
        value = quote(.value)
    )]
    NotUtf8 {
        /// Name of the label, maybe `job`.
        label: String,
        /// Its value.
        value: Vec<u8>,
    },
}

/// Undoes the percent escapes of a raw request path. A `+` stays a plus sign.
/// `None` if an escape is broken.
pub fn percent_decode(raw: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            hex(bytes.next()?)? << 4 | hex(bytes.next()?)?
        } else {
            byte
        });
    }
    Some(decoded)
}

/// The grouping key in a percent-decoded path, given without its `/metrics/`:
/// `job/nightly/zone/w`, `job@base64/bmlnaHRseQ/zone/w`.
///
/// Escaped slashes are separators by now, as they are in the Pushgateway. One
/// slash may follow the job, and the last value may be empty; of a label given
/// twice the last value counts, and the first `job` always.
///
/// `names` says which label names there may be. With UTF-8 names `U__foo_2e_bar` stands
/// for `foo.bar`.
///
/// # Errors
///
/// The first failing check, in the order of [`PathError`]'s variants, the label
/// checks going from label to label; a key whose labels would be printed alike is
/// refused last.
pub fn grouping_key(decoded: &[u8], names: NameRule) -> Result<GroupKey, PathError> {
    let (is_base64, rest) = strip_job(decoded).ok_or(PathError::NotAPush)?;
    let job_len = rest
        .iter()
        .position(|byte| *byte == b'/')
        .unwrap_or(rest.len());
    let (job, rest) = rest.split_at(job_len);
    let job = if is_base64 {
        base64::decode(job).map_err(|corrupt| PathError::JobBase64 { corrupt })?
    } else {
        job.to_vec()
    };
    let mut labels = labels(rest, names)?;
    if job.is_empty() {
        return Err(PathError::JobRequired);
    }
    labels.insert("job".to_owned(), job);
    let labels: BTreeMap<String, String> = labels
        .into_iter()
        .map(|(label, value)| utf8(label, value))
        .collect::<Result<_, _>>()?;
    let key = GroupKey::new(&labels["job"], &labels);
    match printed_fault(&key) {
        Some(fault) => Err(fault),
        None => Ok(key),
    }
}

/// Whether the job is in base64, and what follows the slash behind that word.
fn strip_job(path: &[u8]) -> Option<(bool, &[u8])> {
    let rest = path.strip_prefix(b"job")?;
    let plain = rest.strip_prefix(BASE64_SUFFIX);
    let job = plain.unwrap_or(rest).strip_prefix(b"/")?;
    (!job.is_empty()).then_some((plain.is_some(), job))
}

/// The label pairs in what follows the job: nothing, or a slash and the parts.
fn labels(path: &[u8], names: NameRule) -> Result<BTreeMap<String, Vec<u8>>, PathError> {
    let mut labels = BTreeMap::new();
    if path.len() <= 1 {
        return Ok(labels);
    }
    let mut parts = path[1..].split(|byte| *byte == b'/');
    if !parts.clone().count().is_multiple_of(2) {
        return Err(PathError::OddComponents(path.to_vec()));
    }
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        let stripped = name.strip_suffix(BASE64_SUFFIX);
        let label = label_name(stripped.unwrap_or(name), names)?;
        let value = match stripped {
            None => value.to_vec(),
            Some(_) => match base64::decode(value) {
                Ok(decoded) => decoded,
                Err(corrupt) => {
                    return Err(PathError::LabelBase64 {
                        label,
                        value: value.to_vec(),
                        corrupt,
                    });
                }
            },
        };
        labels.insert(label, value);
    }
    Ok(labels)
}

fn label_name(name: &[u8], names: NameRule) -> Result<String, PathError> {
    let improper = || PathError::ImproperName(name.to_vec());
    if !names.allows_label(name) || name.starts_with(b"__") {
        return Err(improper());
    }
    let text = String::from_utf8(name.to_vec()).map_err(|_| improper())?;
    if names == NameRule::Legacy {
        return Ok(text);
    }
    match decode_values(&text) {
        None => Ok(text),
        Some(decoded) if decoded.is_empty() => Err(improper()),
        Some(decoded) if decoded.starts_with("__") => Err(PathError::ReservedName {
            encoded: name.to_vec(),
            name: decoded,
        }),
        Some(decoded) => Ok(decoded),
    }
}

fn utf8(label: String, value: Vec<u8>) -> Result<(String, String), PathError> {
    match String::from_utf8(value) {
        Ok(value) => Ok((label, value)),
        Err(e) => Err(PathError::NotUtf8 {
            label,
            value: e.into_bytes(),
        }),
    }
}

fn hex(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The key as `a{x=1}`, or the text of the refusal.
    fn shown(raw: &str) -> String {
        let decoded = percent_decode(raw).expect("sound escapes");
        match grouping_key(&decoded, NameRule::Legacy) {
            Ok(key) => key.to_string(),
            Err(e) => e.to_string(),
        }
    }

    #[track_caller]
    fn gives(cases: &[(&str, &str)]) {
        for (raw, expected) in cases {
            assert_eq!(shown(raw), *expected, "{raw}");
        }
    }

    #[test]
    fn addresses_name_groups() {
        gives(&[
            ("job/a", r#"{job="a"}"#),
            ("job/a/", r#"{job="a"}"#),
            ("job/a/x/1", r#"{job="a",x="1"}"#),
            ("job/a/x/", r#"{job="a",x=""}"#),
            ("job/a/x/1/b/2", r#"{b="2",job="a",x="1"}"#),
            (
                "job/a/_x/1/le/2/quantile/3/instance/i",
                r#"{_x="1",instance="i",job="a",le="2",quantile="3"}"#,
            ),
            ("job/a%2Fb/c", r#"{b="c",job="a"}"#),
            ("job/a/x/%2Fvar%2Ftmp", r#"{job="a",var="tmp",x=""}"#),
            ("job/a+b%20c%3Fd%23e;f#g", r#"{job="a+b c?d#e;f#g"}"#),
            ("job/%00%0A", r#"{job="\0\n"}"#),
            ("job/%E4%B8%AD/x/ü", r#"{job="中",x="ü"}"#),
            ("job/a/x/1/x/2", r#"{job="a",x="2"}"#),
            ("job/a/job/b", r#"{job="a"}"#),
            ("job/a/x/..", r#"{job="a",x=".."}"#),
        ]);
    }

    #[test]
    fn values_may_be_in_base64() {
        gives(&[
            ("job@base64/Zm9v", r#"{job="foo"}"#),
            ("job@base64/Zm9v/", r#"{job="foo"}"#),
            (
                "job@base64/L3Zhci90bXA/x@base64/L3Zhci90bXA=",
                r#"{job="/var/tmp",x="/var/tmp"}"#,
            ),
            ("job/a/x@base64/", r#"{job="a",x=""}"#),
            ("job/a/x@base64/=", r#"{job="a",x=""}"#),
            ("job/a/x@base64/===", r#"{job="a",x=""}"#),
            ("job/a/x@base64/Zm9vYg=====", r#"{job="a",x="foob"}"#),
            ("job/a/x@base64/Zm9v%0AYmFy", r#"{job="a",x="foobar"}"#),
            ("job/a/x@base64/Zh", r#"{job="a",x="f"}"#),
            ("job/a/x@base64//y/1", r#"{job="a",x="",y="1"}"#),
            ("job/a/job@base64/Yg", r#"{job="a"}"#),
        ]);
    }

    #[test]
    fn broken_addresses_are_answered_as_the_pushgateway_does() {
        gives(&[
            (
                "job@base64/Zm9vY",
                r#"invalid base64 encoding in job name "foo": illegal base64 data at input byte 4"#,
            ),
            (
                "job@base64/a=b",
                r#"invalid base64 encoding in job name "": illegal base64 data at input byte 1"#,
            ),
            (
                "job@base64/_-_-+",
                r#"invalid base64 encoding in job name "\xff\xef\xfe": illegal base64 data at input byte 4"#,
            ),
            (
                "job/a/x",
                r#"odd number of components in label string "/x""#,
            ),
            (
                "job/a/x/var/tmp",
                r#"odd number of components in label string "/x/var/tmp""#,
            ),
            (
                "job/a/x/var%2Ftmp",
                r#"odd number of components in label string "/x/var/tmp""#,
            ),
            (
                "job/a/x/v/",
                r#"odd number of components in label string "/x/v/""#,
            ),
            ("job/a//", r#"improper label name """#),
            (
                "job/a/x/%FF/",
                r#"odd number of components in label string "/x/\xff/""#,
            ),
            ("job/a/1x/1", r#"improper label name "1x""#),
            ("job/a/a-b/1", r#"improper label name "a-b""#),
            ("job/a/a:b/1", r#"improper label name "a:b""#),
            ("job/a/%CE%A0/1", r#"improper label name "Π""#),
            ("job/a/%FF/1", r#"improper label name "\xff""#),
            ("job/a//1", r#"improper label name """#),
            ("job/a/__x/1", r#"improper label name "__x""#),
            (
                "job/a/__name__@base64/Yg",
                r#"improper label name "__name__""#,
            ),
            ("job/a/@base64/Yg", r#"improper label name """#),
            ("job/a/x@BASE64/Yg", r#"improper label name "x@BASE64""#),
            (
                "job/a/x@base64@base64/Yg",
                r#"improper label name "x@base64""#,
            ),
            ("job/a/x%0A/1", r#"improper label name "x\n""#),
            (
                "job/a/x@base64/a+b=",
                r#"invalid base64 encoding for label x="a+b=": illegal base64 data at input byte 1"#,
            ),
            (
                "job/a/x@base64/Zm9vY",
                r#"invalid base64 encoding for label x="Zm9vY": illegal base64 data at input byte 4"#,
            ),
            ("job@base64/=", "job name is required"),
            ("job//x/1", "job name is required"),
            ("job/%2Fa%2Fb", "job name is required"),
        ]);
    }

    #[test]
    fn the_first_failing_check_wins() {
        gives(&[
            (
                "job@base64/!/x",
                r#"invalid base64 encoding in job name "": illegal base64 data at input byte 0"#,
            ),
            (
                "job//1x",
                r#"odd number of components in label string "/1x""#,
            ),
            ("job//1x/1", r#"improper label name "1x""#),
            ("job/a/1x/1/y@base64/!", r#"improper label name "1x""#),
            (
                "job//y@base64/!/1x/1",
                r#"invalid base64 encoding for label y="!": illegal base64 data at input byte 0"#,
            ),
            ("job//x/%FF", "job name is required"),
        ]);
    }

    #[test]
    fn values_that_are_not_utf8_are_refused_with_the_text_of_the_check() {
        let text = |label: &str, value: &str| {
            format!(
                "pushed metrics are invalid or inconsistent with existing metrics: collected \
                 metric \"push_time_seconds\" {{ label:{{name:\"{label}\"  value:\"{value}\"}} \
                 gauge:{{value:0}}}} has a label named \"{label}\" whose value is not utf8: \
                 \"{value}\""
            )
        };
        for (raw, label, value) in [
            ("job/%ff", "job", r"\xff"),
            ("job/a/x/%ff", "x", r"\xff"),
            ("job/a/x@base64/_-8=", "x", r"\xff\xef"),
            ("job@base64/_-8", "job", r"\xff\xef"),
            ("job/%fe/x/%ff/b/%fd", "b", r"\xfd"),
        ] {
            assert_eq!(shown(raw), text(label, value), "{raw}");
        }
    }

    #[test]
    fn what_is_no_push_address_is_not_found() {
        for path in [
            "",
            "job",
            "job/",
            "job@base64",
            "job@base64/",
            "jobs/a",
            "x/a",
            "/job/a",
            "JOB/a",
        ] {
            assert_eq!(
                grouping_key(path.as_bytes(), NameRule::Legacy),
                Err(PathError::NotAPush),
                "{path}"
            );
        }
    }

    #[test]
    fn broken_escapes_are_told_from_sound_ones() {
        for (raw, decoded) in [
            ("", Some(&b""[..])),
            ("a+b", Some(b"a+b")),
            ("%41%2f%2F%fF", Some(b"A//\xFF")),
            ("%25", Some(b"%")),
            ("%", None),
            ("a%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%4ü", None),
        ] {
            assert_eq!(percent_decode(raw).as_deref(), decoded, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn any_path_names_a_group_or_is_refused(
            path in prop_oneof![
                any::<Vec<u8>>(),
                "(job(@base64)?/)?([a-zA-Z0-9_=/%+-]|@base64/){0,60}".prop_map(String::into_bytes),
            ]
        ) {
            if let Err(e) = grouping_key(&path, NameRule::Legacy) {
                prop_assert!(!e.to_string().contains('\n'));
            }
        }

        #[test]
        fn any_text_is_unescaped_or_refused(raw in "([a-f0-9%/]|\\PC){0,40}") {
            if let Some(decoded) = percent_decode(&raw) {
                prop_assert!(decoded.len() <= raw.len());
            }
        }

        #[test]
        fn the_key_of_a_plain_address_has_its_values(
            job in "[^/%]{1,20}",
            labels in prop::collection::btree_map("[a-zA-Z][a-z0-9_]{0,8}", "[^/%]{0,20}", 0..4),
        ) {
            let tail: String = labels.iter().flat_map(|(name, value)| ["/", name, "/", value]).collect();
            let key = grouping_key(format!("job/{job}{tail}").as_bytes(), NameRule::Legacy);
            prop_assert_eq!(key, Ok(GroupKey::new(&job, &labels)));
        }
    }
}
