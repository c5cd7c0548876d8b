//! Writes the text exposition 0.0.4: what a scrape of `/metrics` returns.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

use super::escape::{Escaping, distinct};
use super::float;
use super::identity::{separate, write_quoted};
use super::name::is_metric_name;
use crate::model::{Family, Histogram, Kind, Label, Metric, Summary, Value};

pub use super::identity::Identity;

/// Appends a family's `# HELP` line, if it has a help text, and its `# TYPE` line.
pub fn write_header(out: &mut Vec<u8>, name: &str, kind: Kind, help: Option<&str>) {
    write_header_in(out, name, kind, help, Escaping::default());
}

/// The same with names escaped otherwise.
pub(super) fn write_header_in(
    out: &mut Vec<u8>,
    name: &str,
    kind: Kind,
    help: Option<&str>,
    escaping: Escaping,
) {
    let name = Name::of(name, escaping);
    if let Some(help) = help {
        out.extend_from_slice(b"# HELP ");
        name.write(out, "");
        out.push(b' ');
        write_help(out, help);
        out.push(b'\n');
    }
    out.extend_from_slice(b"# TYPE ");
    name.write(out, "");
    extend(out, &[" ", kind.as_text(), "\n"]);
}

/// A metric name as it is printed.
struct Name<'a> {
    text: Cow<'a, str>,
    /// It stands in quotes, within the braces where there are some.
    quoted: bool,
}

impl<'a> Name<'a> {
    fn of(name: &'a str, escaping: Escaping) -> Self {
        Self {
            text: escaping.metric_name(name),
            quoted: escaping == Escaping::AllowUtf8 && !is_metric_name(name.as_bytes()),
        }
    }

    fn write(&self, out: &mut Vec<u8>, suffix: &str) {
        if self.quoted {
            write_quoted(out, &[&self.text, suffix].concat());
        } else {
            extend(out, &[&self.text, suffix]);
        }
    }
}

/// Appends the series of `family` as the group of `identity` exposes them,
/// without header and in the order they have. Returns whether the names of all
/// their labels are legacy ones, so that every escaping prints them the same.
///
/// The labels of every series must be sorted by name and hold none of the
/// grouping key's. A histogram without a `+Inf` bucket gets one with its count;
/// native buckets, exemplars and timestamps have no place in this format.
/// A series without a value is left out, and one that cannot be told from another
/// once its labels are escaped.
pub fn write_metrics(out: &mut Vec<u8>, family: &Family<'_>, identity: &Identity) -> bool {
    let start = out.len();
    let name = Name::of(&family.name, identity.form().escaping);
    let legacy = write_all(out, &name, &family.metrics, identity);
    if !legacy {
        out.truncate(start);
        let escaping = identity.form().escaping;
        let shown = distinct(&family.metrics, &identity.names(), escaping);
        write_all(out, &name, shown, identity);
    }
    legacy
}

fn write_all<'m>(
    out: &mut Vec<u8>,
    name: &Name<'_>,
    metrics: impl IntoIterator<Item = &'m Metric<'m>>,
    identity: &Identity,
) -> bool {
    let mut legacy = true;
    for metric in metrics {
        let mut series = Series {
            out,
            name,
            labels: &metric.labels,
            identity,
            braces: None,
            legacy: true,
        };
        match &metric.value {
            Value::Number(value, _) => series.line("", None, *value),
            Value::Summary(summary) => series.summary(summary),
            Value::Histogram(histogram) => series.histogram(histogram),
            Value::Missing => {}
        }
        legacy &= series.legacy;
    }
    legacy
}

/// At least as many bytes as [`write_metrics`] appends, worked out without
/// writing: grouping labels are repeated in every line, so that a small body can
/// have a large exposition.
pub fn size_bound(family: &Family<'_>, identity: &Identity) -> usize {
    let metrics = family.metrics.iter();
    metrics.fold(0, |sum: usize, metric| {
        let lines = match &metric.value {
            Value::Number(..) | Value::Missing => 1,
            Value::Summary(summary) => summary.quantiles.len() + 2,
            Value::Histogram(histogram) => histogram.buckets.len() + 3,
        };
        // An escape doubles a byte; name and value of `le`, the suffix and the
        // value of the line fit in what is added.
        let own = metric
            .labels
            .iter()
            .map(|label| label.name.len() + 2 * label.value.len() + 4);
        let line = family.name.len() + identity.len() + own.sum::<usize>() + 96;
        sum.saturating_add(lines.saturating_mul(line))
    })
}

/// Appends one series called `name` that has only the labels of `identity`.
/// Returns whether the names of the labels are legacy ones; where two of them are then
/// alike nothing is appended.
pub fn write_sample(out: &mut Vec<u8>, name: &str, identity: &Identity, value: f64) -> bool {
    if !identity.is_shown() {
        return false;
    }
    let mut series = Series {
        out,
        name: &Name::of(name, identity.form().escaping),
        labels: &[],
        identity,
        braces: None,
        legacy: true,
    };
    series.line("", None, value);
    series.legacy
}

/// One series while its lines are written.
struct Series<'o, 's> {
    out: &'o mut Vec<u8>,
    name: &'s Name<'s>,
    labels: &'s [Label<'s>],
    identity: &'s Identity,
    /// Where the first line's labels stand in `out`: later lines copy them.
    braces: Option<Range<usize>>,
    /// Whether all label names so far are legacy ones.
    legacy: bool,
}

impl Series<'_, '_> {
    fn summary(&mut self, summary: &Summary) {
        for quantile in &summary.quantiles {
            self.line("", Some(("quantile", quantile.quantile)), quantile.value);
        }
        self.totals(summary.sum, whole(summary.count));
    }

    fn histogram(&mut self, histogram: &Histogram<'_>) {
        let mut infinite = false;
        for bucket in &histogram.buckets {
            infinite |= bucket.upper == f64::INFINITY;
            self.line("_bucket", Some(("le", bucket.upper)), bucket.count.as_f64());
        }
        let count = histogram.count.as_f64();
        if !infinite {
            self.line("_bucket", Some(("le", f64::INFINITY)), count);
        }
        self.totals(histogram.sum, count);
    }

    fn totals(&mut self, sum: f64, count: f64) {
        self.line("_sum", None, sum);
        self.line("_count", None, count);
    }

    fn line(&mut self, suffix: &str, special: Option<(&str, f64)>, value: f64) {
        if self.name.quoted {
            self.out.push(b'{');
        } else {
            extend(self.out, &[&self.name.text, suffix, "{"]);
        }
        let start = self.out.len();
        if self.name.quoted {
            self.name.write(self.out, suffix);
        }
        self.write_labels(start);
        if let Some((name, bound)) = special {
            separate(self.out, start);
            extend(self.out, &[name, "=\""]);
            float::write(self.out, bound);
            self.out.push(b'"');
        }
        if self.out.len() > start {
            self.out.push(b'}');
        } else {
            // Only the gateway's own series have no label at all.
            self.out.truncate(start - 1);
        }
        self.out.push(b' ');
        float::write(self.out, value);
        self.out.push(b'\n');
    }

    fn write_labels(&mut self, line: usize) {
        if let Some(written) = &self.braces {
            if !written.is_empty() {
                separate(self.out, line);
            }
            self.out.extend_from_within(written.clone());
            return;
        }
        let before = self.out.len();
        separate(self.out, line);
        let start = self.out.len();
        self.legacy &= self.identity.write_merged(self.out, self.labels);
        if self.out.len() == start {
            self.out.truncate(before); // No label at all: no comma either.
            self.braces = Some(before..before);
        } else {
            self.braces = Some(start..self.out.len());
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the exposition prints counts as doubles"
)]
fn whole(count: u64) -> f64 {
    count as f64
}

fn write_help(out: &mut Vec<u8>, help: &str) {
    let mut rest = help.as_bytes();
    while let Some(at) = memchr2(b'\\', b'\n', rest) {
        write_escaped(out, rest, at);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Appends `text` up to and with the byte at `at`, which needs a backslash.
pub(super) fn write_escaped(out: &mut Vec<u8>, text: &[u8], at: usize) {
    out.extend_from_slice(&text[..at]);
    out.push(b'\\');
    out.push(if text[at] == b'\n' { b'n' } else { text[at] });
}

fn extend(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bucket, Count, GroupKey, Quantile};

    fn identity(job: &str, labels: &[(&str, &str)]) -> Identity {
        let labels = labels
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect();
        Identity::new(&GroupKey::new(job, &labels))
    }

    fn metric<'a>(labels: &[(&'a str, &'a str)], value: Value<'a>) -> Metric<'a> {
        let labels = labels
            .iter()
            .map(|(name, value)| Label::new(*name, *value))
            .collect();
        Metric {
            labels,
            value,
            timestamp_ms: Some(7),
        }
    }

    fn written(name: &str, metrics: Vec<Metric<'_>>, identity: &Identity) -> String {
        let family = Family {
            name: name.into(),
            kind: Kind::Untyped,
            help: None,
            metrics,
        };
        let mut out = Vec::new();
        write_metrics(&mut out, &family, identity);
        String::from_utf8(out).expect("text")
    }

    fn number<'a>(labels: &[(&'a str, &'a str)]) -> Vec<Metric<'a>> {
        vec![metric(labels, Value::Number(1.0, None))]
    }

    #[test]
    fn headers_carry_the_help_only_if_there_is_one() {
        for (kind, help, text) in [
            (Kind::Gauge, None, "# TYPE a gauge\n"),
            (Kind::Counter, Some(""), "# HELP a \n# TYPE a counter\n"),
            (Kind::Untyped, Some("b"), "# HELP a b\n# TYPE a untyped\n"),
            (
                Kind::Summary,
                Some("\\ \n \" \r ü"),
                "# HELP a \\\\ \\n \" \r ü\n# TYPE a summary\n",
            ),
            (Kind::GaugeHistogram, None, "# TYPE a histogram\n"),
        ] {
            let mut out = Vec::new();
            write_header(&mut out, "a", kind, help);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
        let mut out = Vec::new();
        write_header(&mut out, "1 a", Kind::Gauge, Some("b"));
        assert_eq!(out, b"# HELP __a b\n# TYPE __a gauge\n");
    }

    #[test]
    fn group_labels_and_own_labels_are_merged_by_name() {
        let plain = identity("j", &[]);
        let zone = identity("j", &[("zone", "w")]);
        for (identity, own, text) in [
            (&plain, &[][..], r#"a{instance="",job="j"} 1"#),
            (&plain, &[("b", "1")], r#"a{b="1",instance="",job="j"} 1"#),
            (&plain, &[("instance", "i")], r#"a{instance="i",job="j"} 1"#),
            (&plain, &[("instance", "")], r#"a{instance="",job="j"} 1"#),
            (&plain, &[("z", "1")], r#"a{instance="",job="j",z="1"} 1"#),
            (
                &zone,
                &[("k", ""), ("zz", "2")],
                r#"a{instance="",job="j",k="",zone="w",zz="2"} 1"#,
            ),
            (
                &zone,
                &[("B", "1"), ("_", "2")],
                r#"a{B="1",_="2",instance="",job="j",zone="w"} 1"#,
            ),
        ] {
            assert_eq!(written("a", number(own), identity), format!("{text}\n"));
        }
        let own = identity("j", &[("instance", "x"), ("A", "b")]);
        assert_eq!(
            written("a", number(&[]), &own),
            "a{A=\"b\",instance=\"x\",job=\"j\"} 1\n"
        );
        assert_eq!(
            written("a", number(&[("c", "")]), &own),
            "a{A=\"b\",c=\"\",instance=\"x\",job=\"j\"} 1\n"
        );
    }

    #[test]
    fn label_values_are_escaped() {
        let identity = identity("\\\"\n\r中", &[]);
        assert_eq!(
            written("a", number(&[("x", "a\\b\"c\nd")]), &identity),
            "a{instance=\"\",job=\"\\\\\\\"\\n\r中\",x=\"a\\\\b\\\"c\\nd\"} 1\n"
        );
    }

    #[test]
    fn histograms_end_with_an_infinite_bucket_sum_and_count() {
        let identity = identity("j", &[]);
        let bucket = |upper, count| Bucket {
            upper,
            count,
            exemplar: None,
        };
        let mut histogram = Histogram {
            count: Count::Int(1_000_000),
            sum: -0.5,
            buckets: vec![bucket(1e6, Count::Int(2)), bucket(0.1, Count::Int(1))],
            ..Histogram::default()
        };
        let show = |h: &Histogram<'static>| {
            let metrics = vec![metric(&[("x", "y")], Value::Histogram(Box::new(h.clone())))];
            written("h", metrics, &identity)
        };
        let labels = r#"instance="",job="j",x="y""#;
        let tail = format!("h_sum{{{labels}}} -0.5\nh_count{{{labels}}} 1e+06\n");
        let pushed =
            format!("h_bucket{{{labels},le=\"1e+06\"}} 2\nh_bucket{{{labels},le=\"0.1\"}} 1\n");
        assert_eq!(
            show(&histogram),
            format!("{pushed}h_bucket{{{labels},le=\"+Inf\"}} 1e+06\n{tail}")
        );
        histogram
            .buckets
            .push(bucket(f64::INFINITY, Count::Float(2.5)));
        assert_eq!(
            show(&histogram),
            format!("{pushed}h_bucket{{{labels},le=\"+Inf\"}} 2.5\n{tail}")
        );
    }

    #[test]
    fn summaries_end_with_sum_and_count() {
        let quantile = |quantile, value| Quantile { quantile, value };
        let summary = Summary {
            count: u64::MAX,
            sum: 2.5,
            quantiles: vec![quantile(0.99, f64::NAN), quantile(0.5, -0.0)],
            created: None,
        };
        let empty = metric(&[], Value::Summary(Box::default()));
        let metrics = vec![metric(&[], Value::Summary(Box::new(summary))), empty];
        assert_eq!(
            written("s", metrics, &identity("j", &[])),
            "s{instance=\"\",job=\"j\",quantile=\"0.99\"} NaN\n\
             s{instance=\"\",job=\"j\",quantile=\"0.5\"} 0\n\
             s_sum{instance=\"\",job=\"j\"} 2.5\n\
             s_count{instance=\"\",job=\"j\"} 1.8446744073709552e+19\n\
             s_sum{instance=\"\",job=\"j\"} 0\n\
             s_count{instance=\"\",job=\"j\"} 0\n"
        );
    }

    #[test]
    fn a_group_label_called_le_stays_beside_the_bucket_bound() {
        let metrics = vec![metric(&[], Value::Histogram(Box::default()))];
        assert_eq!(
            written("h", metrics, &identity("j", &[("le", "5")]))
                .lines()
                .next(),
            Some(r#"h_bucket{instance="",job="j",le="5",le="+Inf"} 0"#)
        );
    }

    #[test]
    fn names_that_the_format_cannot_carry_are_printed_with_underscores() {
        let identity = identity("j", &[]);
        assert_eq!(
            written(
                "a b-ü:c",
                number(&[("1.x", "1"), ("job.x:y", "2")]),
                &identity
            ),
            "a_b__:c{__x=\"1\",instance=\"\",job=\"j\",job_x_y=\"2\"} 1\n"
        );
    }

    #[test]
    fn series_without_a_value_are_left_out() {
        let metrics = vec![
            metric(&[], Value::Missing),
            metric(&[], Value::Number(2.0, None)),
        ];
        assert_eq!(
            written("a", metrics, &identity("j", &[])),
            "a{instance=\"\",job=\"j\"} 2\n"
        );
    }

    #[test]
    fn single_samples_have_the_groups_labels_alone() {
        let mut out = Vec::new();
        write_sample(
            &mut out,
            "push_time_seconds",
            &identity("j", &[]),
            1.795_308_991_679_737_8e9,
        );
        assert_eq!(
            out,
            b"push_time_seconds{instance=\"\",job=\"j\"} 1.7953089916797378e+09\n"
        );
    }
}
