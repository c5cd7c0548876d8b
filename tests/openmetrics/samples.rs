//! Families as flat lists of samples, to be compared with what the official parser says.

use serde::Deserialize;
use tidegate::model::{self, Kind, Timestamp, Value};

type Labels = Vec<(String, String)>;

/// Labels, value and seconds.
type Exemplar = (Labels, String, Option<f64>);

/// Name, labels, value, exemplar, whether there is a timestamp.
type Sample = (String, Labels, String, Option<Exemplar>, bool);

/// What a document says of one family.
#[derive(Debug, Deserialize)]
pub(crate) struct Family(String, String, String, Vec<Sample>);

/// Families by name, each with its type, help and samples in a fixed order.
pub(crate) type Sorted = Vec<(String, String, Vec<String>)>;

fn number(value: f64) -> String {
    // Python's float.hex() has the same bits, in other words.
    if value.is_nan() {
        "nan".to_owned()
    } else {
        format!("{:016x}", (value + 0.0).to_bits())
    }
}

/// The same for a number that Python wrote in hex.
fn from_hex(text: &str) -> String {
    let (negative, digits) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let value = match digits {
        "nan" => return "nan".to_owned(),
        "inf" => f64::INFINITY,
        digits => {
            let digits = digits.strip_prefix("0x").expect("a hex float");
            let (mantissa, exponent) = digits.split_once('p').expect("an exponent");
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let whole = u64::from_str_radix(&format!("{whole}{fraction}"), 16).expect("hex");
            let exponent: i32 = exponent.parse().expect("a number");
            let shift = exponent - 4 * i32::try_from(fraction.len()).expect("few digits");
            #[expect(clippy::cast_precision_loss, reason = "53 bits at most")]
            let whole = whole as f64;
            // In two steps, as the power alone may be too small.
            whole * 2_f64.powi(shift / 2) * 2_f64.powi(shift - shift / 2)
        }
    };
    number(if negative { -value } else { value })
}

fn line(sample: &Sample) -> String {
    let (name, labels, value, exemplar, timed) = sample;
    let mut labels = labels.clone();
    labels.sort();
    let exemplar = exemplar.as_ref().map(|(labels, value, time)| {
        let mut labels = labels.clone();
        labels.sort();
        // It reads -1.5 as -0.5.
        let time = time
            .filter(|time| *time >= 0.0)
            .map(|time| format!("{time:.6}"));
        (labels, value.clone(), time)
    });
    format!("{name} {labels:?} {value} {exemplar:?} {timed}")
}

/// What the official parser said, with the types and names of the model.
pub(crate) fn sorted(families: Vec<Family>) -> Sorted {
    let mut out: Sorted = families
        .into_iter()
        .map(|Family(kind, name, help, mut samples)| {
            for (sample, labels, value, exemplar, _) in &mut samples {
                for (label, text) in labels {
                    let is_number = match kind.as_str() {
                        "summary" => label == "quantile" && *sample == name,
                        "histogram" | "gaugehistogram" => label == "le",
                        _ => false,
                    };
                    if is_number {
                        *text = from_hex(text);
                    }
                }
                *value = from_hex(value);
                if let Some((_, value, _)) = exemplar {
                    *value = from_hex(value);
                }
            }
            let kind = match kind.as_str() {
                "info" | "stateset" => "gauge",
                kind => kind,
            };
            finish(&name, kind, &help, &samples)
        })
        .collect();
    out.sort();
    out
}

/// A sample that is given twice is dropped by the official parser and refused by our check, which
/// comes later: the first one stays.
fn finish(name: &str, kind: &str, help: &str, samples: &[Sample]) -> (String, String, Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    let mut lines: Vec<String> = samples
        .iter()
        .filter(|(name, labels, ..)| {
            let mut labels = labels.clone();
            labels.sort();
            seen.insert((name.clone(), labels))
        })
        .map(line)
        .collect();
    lines.sort();
    (name.to_owned(), format!("{kind} {help:?}"), lines)
}

/// The families that were read here, in the words of OpenMetrics.
pub(crate) fn flatten(families: &[model::Family<'_>]) -> Sorted {
    let mut out: Sorted = families.iter().map(flat).collect();
    out.sort();
    out
}

fn flat(family: &model::Family<'_>) -> (String, String, Vec<String>) {
    let name = family.name.as_ref();
    let (kind, base) = match family.kind {
        Kind::Counter => ("counter", name.strip_suffix("_total").expect("a total")),
        Kind::Gauge => ("gauge", name),
        Kind::Summary => ("summary", name),
        Kind::Untyped => ("unknown", name),
        Kind::Histogram => ("histogram", name),
        Kind::GaugeHistogram => ("gaugehistogram", name),
    };
    let is_info = |metric: &model::Metric<'_>| matches!(metric.value, Value::Number(..));
    // An info has lost its type: the name tells.
    let base = match (kind, base.strip_suffix("_info")) {
        ("gauge", Some(info)) if family.metrics.iter().all(is_info) => info,
        _ => base,
    };
    let samples: Vec<Sample> = family
        .metrics
        .iter()
        .flat_map(|metric| samples_of(name, base, family.kind, metric))
        .collect();
    let help = family.help.as_deref().unwrap_or_default();
    finish(base, kind, help.trim_start_matches(' '), &samples)
}

#[expect(clippy::too_many_lines, reason = "one short arm for each type")]
fn samples_of(name: &str, base: &str, kind: Kind, metric: &model::Metric<'_>) -> Vec<Sample> {
    let labels = pairs(&metric.labels);
    let mut out = Vec::new();
    let mut add = |name: String,
                   special: Option<(&str, f64)>,
                   value: f64,
                   exemplar: Option<&model::Exemplar<'_>>| {
        let special = special.map(|(name, value)| (name.to_owned(), number(value)));
        let labels = labels.iter().cloned().chain(special).collect();
        let exemplar = exemplar.map(|exemplar| {
            let time = exemplar.timestamp.map(seconds);
            (pairs(&exemplar.labels), number(exemplar.value), time)
        });
        out.push((
            name,
            labels,
            number(value),
            exemplar,
            metric.timestamp_ms.is_some(),
        ));
    };
    let mut created = None;
    match &metric.value {
        Value::Number(value, details) => {
            let exemplar = details
                .as_ref()
                .and_then(|details| details.exemplar.as_ref());
            add(name.to_owned(), None, *value, exemplar);
            created = details.as_ref().and_then(|details| details.created);
        }
        Value::Summary(summary) => {
            for quantile in &summary.quantiles {
                add(
                    base.to_owned(),
                    Some(("quantile", quantile.quantile)),
                    quantile.value,
                    None,
                );
            }
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            add(format!("{base}_count"), None, summary.count as f64, None);
            add(format!("{base}_sum"), None, summary.sum, None);
            created = summary.created;
        }
        Value::Histogram(histogram) => {
            let g = if kind == Kind::GaugeHistogram {
                "g"
            } else {
                ""
            };
            for bucket in &histogram.buckets {
                let le = Some(("le", bucket.upper));
                add(
                    format!("{base}_bucket"),
                    le,
                    bucket.count.as_f64(),
                    bucket.exemplar.as_deref(),
                );
            }
            add(
                format!("{base}_{g}count"),
                None,
                histogram.count.as_f64(),
                None,
            );
            add(format!("{base}_{g}sum"), None, histogram.sum, None);
            created = histogram.created;
        }
        Value::Missing => {}
    }
    if let Some(created) = created {
        let micros = (seconds(created) * 1e6).round() / 1e6;
        add(format!("{base}_created"), None, micros, None);
    }
    out
}

fn pairs(labels: &[model::Label<'_>]) -> Labels {
    labels
        .iter()
        .map(|label| (label.name.to_string(), label.value.to_string()))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "as Python has it")]
fn seconds(time: Timestamp) -> f64 {
    time.seconds as f64 + f64::from(time.nanos) / 1e9
}
