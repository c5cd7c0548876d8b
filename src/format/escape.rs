//! What becomes of names that the text format 0.0.4 cannot carry: the escaping
//! schemes of Prometheus, by their names in `Accept: ...;escaping=`.
//!
//! Names that are legal there ("legacy" names) are never changed. Different names
//! can be alike once they are escaped; who is shown then is decided here for the
//! series of one push, and in `view` for families and groups.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;

use super::name::{is_label_name, is_metric_name, printed_label_name, printed_metric_name};
use crate::model::Metric;

/// How an exposition spells other than legacy names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Escaping {
    /// As they are, quoted in the text format.
    AllowUtf8,
    /// `_` for each character that is not legal.
    #[default]
    Underscores,
    /// `_dot_` for a dot, `__` for an underscore and for everything else.
    Dots,
    /// `U__` in front, `__` for an underscore, `_2e_` for others (the code point).
    Values,
}

impl Escaping {
    /// The scheme of this name; names are compared with case.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];
        all.into_iter().find(|scheme| scheme.as_str() == name)
    }

    /// The name in headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// A metric name as this scheme spells it.
    pub fn metric_name(self, name: &str) -> Cow<'_, str> {
        if is_metric_name(name.as_bytes()) {
            return Cow::Borrowed(name);
        }
        match self {
            Self::AllowUtf8 => Cow::Borrowed(name),
            Self::Underscores => printed_metric_name(name),
            Self::Dots | Self::Values => Cow::Owned(self.escaped(name, true)),
        }
    }

    /// A label name as this scheme spells it.
    pub fn label_name(self, name: &str) -> Cow<'_, str> {
        if is_label_name(name.as_bytes()) {
            return Cow::Borrowed(name);
        }
        match self {
            Self::AllowUtf8 => Cow::Borrowed(name),
            Self::Underscores => printed_label_name(name),
            Self::Dots | Self::Values => Cow::Owned(self.escaped(name, false)),
        }
    }

    fn escaped(self, name: &str, colon: bool) -> String {
        let values = self == Self::Values;
        let mut text = String::from(if values { "U__" } else { "" });
        for (at, c) in name.chars().enumerate() {
            let legal = match c {
                '0'..='9' => at > 0,
                ':' => colon,
                c => c.is_ascii_alphabetic(),
            };
            match c {
                '_' => text.push_str("__"),
                c if legal => text.push(c),
                '.' if !values => text.push_str("_dot_"),
                _ if !values => text.push_str("__"),
                c => {
                    // Writing into a string cannot fail.
                    let _ = write!(text, "_{:x}_", u32::from(c));
                }
            }
        }
        text
    }
}

/// The series of one family of one group that can stand beside each other once
/// their label names are escaped, in the order they have.
///
/// A series is left out if two of its labels are spelled alike, `grouping` ones
/// included, or one is spelled `__name__`, or if it is the same as another: then
/// one of legacy names stays, else the first.
pub(super) fn distinct<'m, 'a>(
    metrics: &'m [Metric<'a>],
    grouping: &[&str],
    escaping: Escaping,
) -> Vec<&'m Metric<'a>> {
    if escaping == Escaping::AllowUtf8 {
        return metrics.iter().collect();
    }
    let spelled: Vec<Option<Spelled<'_>>> = metrics
        .iter()
        .map(|metric| spelled(metric, grouping, escaping))
        .collect();
    let legacy = |metric: &Metric<'_>| {
        let mut labels = metric.labels.iter();
        labels.all(|label| is_label_name(label.name.as_bytes()))
    };
    let mut seen = HashSet::new();
    let mut shown = vec![false; metrics.len()];
    for first in [true, false] {
        for (at, metric) in metrics.iter().enumerate() {
            if legacy(metric) == first
                && let Some(labels) = &spelled[at]
            {
                shown[at] = seen.insert(labels);
            }
        }
    }
    let all = metrics.iter().zip(&shown);
    all.filter(|(_, shown)| **shown)
        .map(|(metric, _)| metric)
        .collect()
}

/// Names, as they are spelled, and values.
type Spelled<'m> = Vec<(Cow<'m, str>, &'m str)>;

/// The own labels of a series as they are spelled, sorted; `None` if they cannot be.
fn spelled<'m>(
    metric: &'m Metric<'_>,
    grouping: &[&'m str],
    escaping: Escaping,
) -> Option<Spelled<'m>> {
    let own = metric.labels.iter();
    let mut labels: Spelled<'_> = own
        .map(|label| (escaping.label_name(&label.name), label.value.as_ref()))
        .collect();
    labels.sort_unstable();
    let has_instance = labels.iter().any(|(name, _)| name == "instance");
    // `instance=""` of the identity yields to one of the series.
    let grouping = grouping
        .iter()
        .filter(|name| !(has_instance && **name == "instance"));
    let mut names: Vec<Cow<'_, str>> = grouping.map(|name| escaping.label_name(name)).collect();
    names.extend(labels.iter().map(|(name, _)| name.clone()));
    names.sort_unstable();
    let alike = names.windows(2).any(|pair| pair[0] == pair[1]);
    let reserved = names.iter().any(|name| name == "__name__");
    (!alike && !reserved).then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Label, Value};

    #[test]
    fn each_scheme_spells_names_as_prometheus_does() {
        for (name, underscores, dots, values) in [
            ("my_metric:x", "my_metric:x", "my_metric:x", "my_metric:x"),
            ("my.metric", "my_metric", "my_dot_metric", "U__my_2e_metric"),
            ("a_b.c", "a_b_c", "a__b_dot_c", "U__a__b_2e_c"),
            ("1a", "_a", "__a", "U___31_a"),
            ("Π-1", "__1", "____1", "U___3a0__2d_1"),
        ] {
            assert_eq!(Escaping::AllowUtf8.metric_name(name), name);
            assert_eq!(Escaping::Underscores.metric_name(name), underscores);
            assert_eq!(Escaping::Dots.metric_name(name), dots);
            assert_eq!(Escaping::Values.metric_name(name), values);
        }
        assert_eq!(Escaping::Values.label_name("a:b"), "U__a_3a_b");
        assert_eq!(Escaping::Dots.label_name("a_b"), "a_b");
    }

    #[test]
    fn schemes_are_known_by_name() {
        for name in ["allow-utf-8", "underscores", "dots", "values"] {
            assert_eq!(Escaping::parse(name).map(Escaping::as_str), Some(name));
        }
        for other in ["", "Dots", "utf8"] {
            assert_eq!(Escaping::parse(other), None);
        }
    }

    fn shown(series: &[&[(&'static str, &'static str)]], escaping: Escaping) -> Vec<usize> {
        let labels = |pairs: &[(&'static str, &'static str)]| {
            let labels = pairs.iter().map(|(name, value)| Label::new(*name, *value));
            labels.collect()
        };
        let metrics: Vec<Metric<'_>> = (series.iter().enumerate())
            .map(|(at, pairs)| Metric {
                labels: labels(pairs),
                value: Value::Number(f64::from(u32::try_from(at).unwrap()), None),
                timestamp_ms: None,
            })
            .collect();
        let number = |metric: &&Metric<'_>| {
            metrics
                .iter()
                .position(|other| std::ptr::eq(other, *metric))
        };
        let kept = distinct(&metrics, &["instance", "job", "x_y"], escaping);
        kept.iter().filter_map(number).collect()
    }

    #[test]
    fn of_series_spelled_alike_the_legacy_one_is_shown_else_the_first() {
        let series: &[&[_]] = &[
            &[("a.b", "1")],
            &[("a_b", "1")],
            &[("a.b", "2")],
            &[("a-b", "2")],
            &[("a-b", "3"), ("a.b", "3")],
            &[("x.y", "4")],
            &[("instance", "i"), ("c.d", "5")],
        ];
        assert_eq!(shown(series, Escaping::Underscores), [1, 2, 6]);
        assert_eq!(shown(series, Escaping::Dots), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(shown(series, Escaping::Values).len(), 7);
        assert_eq!(shown(series, Escaping::AllowUtf8).len(), 7);
        let reserved: &[&[_]] = &[&[("ünameü", "1")], &[("a.b", "1")]];
        assert_eq!(shown(reserved, Escaping::Dots), [1]);
    }
}
