//! The families read so far: which one a line belongs to, and the folding of
//! `_bucket`, `_sum` and `_count` lines into one series.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Fault, shown};
use crate::format::scratch::Scratch;
use crate::model::Value;
use crate::model::{Bucket, Count, Family, Histogram, Kind, Labels, Metric, Quantile, Summary};

/// What a sample line is for its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The value itself; a bucket or a quantile.
    Value,
    /// The `_count` line of a histogram or summary.
    Count,
    /// The `_sum` line of a histogram or summary.
    Sum,
}

/// Where a line with a certain metric name goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// Place of the family in reading order.
    pub(super) family: usize,
    pub(super) role: Role,
}

#[derive(Default)]
pub(super) struct Families<'a> {
    list: Vec<Entry<'a>>,
    by_name: HashMap<Cow<'a, str>, usize>,
    /// The last name asked for: most lines have that of the line before. What a
    /// name was resolved to once holds for the rest of the body.
    last: Option<(Cow<'a, str>, Target)>,
}

impl<'a> Families<'a> {
    /// Finds the family of a line called `name`, or begins it.
    ///
    /// An exact match goes first. Otherwise the suffixes count if the name
    /// without them was declared a histogram or a summary on an earlier line.
    pub(super) fn resolve(&mut self, name: Cow<'a, str>) -> Target {
        if let Some((last, target)) = &self.last
            && *last == name
        {
            return *target;
        }
        let target = if let Some(family) = self.by_name.get(&*name) {
            Target {
                family: *family,
                role: Role::Value,
            }
        } else if let Some(target) = self.resolve_suffixed(&name) {
            target
        } else {
            self.begin(name.clone())
        };
        self.last = Some((name, target));
        target
    }

    fn begin(&mut self, name: Cow<'a, str>) -> Target {
        let family = self.list.len();
        self.list.push(Entry::new(name.clone()));
        self.by_name.insert(name, family);
        Target {
            family,
            role: Role::Value,
        }
    }

    fn resolve_suffixed(&self, name: &str) -> Option<Target> {
        let (base, role, bucket) = if let Some(base) = name.strip_suffix("_count") {
            (base, Role::Count, false)
        } else if let Some(base) = name.strip_suffix("_sum") {
            (base, Role::Sum, false)
        } else {
            (name.strip_suffix("_bucket")?, Role::Value, true)
        };
        let family = *self.by_name.get(base)?;
        let kind = self.list[family].kind?;
        let folds = kind.is_histogram() || (kind == Kind::Summary && !bucket);
        folds.then_some(Target { family, role })
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get_mut(&mut self, family: usize) -> &mut Entry<'a> {
        &mut self.list[family]
    }

    /// The family's name as error texts show it; of no family, an empty one.
    pub(super) fn quoted_name(&self, target: Option<Target>) -> String {
        shown(self.name(target).as_bytes())
    }

    pub(super) fn name(&self, target: Option<Target>) -> &str {
        target.map_or("", |target| &self.list[target.family].name)
    }

    /// The label that tells the lines of one series of this family apart.
    pub(super) fn special_label(&self, target: Target) -> Option<&'static str> {
        match self.list[target.family].kind? {
            Kind::Summary => Some("quantile"),
            kind => kind.is_histogram().then_some("le"),
        }
    }

    /// Puts one sample in its place; its labels are in `scratch`.
    pub(super) fn add(
        &mut self,
        target: Target,
        value: f64,
        scratch: &mut Scratch<'a>,
    ) -> Result<&mut Metric<'a>, Fault> {
        let entry = &mut self.list[target.family];
        match entry.kind {
            Some(Kind::Summary) => Ok(entry.add_to_summary(target.role, value, scratch)),
            Some(kind) if kind.is_histogram() => {
                entry.add_to_histogram(target.role, value, scratch)
            }
            _ => Ok(entry.push(Value::Number(value, None), scratch.take_labels())),
        }
    }

    pub(super) fn finish(self) -> Vec<Family<'a>> {
        let sampled = self
            .list
            .into_iter()
            .filter(|entry| !entry.metrics.is_empty());
        sampled.map(Entry::finish).collect()
    }
}

/// One family while it is read.
pub(super) struct Entry<'a> {
    pub(super) name: Cow<'a, str>,
    /// `None` before a TYPE line or sample.
    pub(super) kind: Option<Kind>,
    pub(super) help: Option<Cow<'a, str>>,
    metrics: Vec<Metric<'a>>,
    /// Histograms and summaries: the series of each label set, by [`Scratch::key`].
    series: HashMap<Box<[u8]>, usize>,
    /// Histograms and summaries: the series of the last line, most often that of the next.
    last: usize,
    /// Whether any count of a histogram is not whole.
    has_float: bool,
}

impl<'a> Entry<'a> {
    fn new(name: Cow<'a, str>) -> Self {
        Self {
            name,
            kind: None,
            help: None,
            metrics: Vec::new(),
            series: HashMap::new(),
            last: 0,
            has_float: false,
        }
    }

    fn push(&mut self, value: Value<'a>, labels: Labels<'a>) -> &mut Metric<'a> {
        self.metrics.push(Metric {
            labels,
            value,
            timestamp_ms: None,
        });
        let last = self.metrics.len() - 1;
        &mut self.metrics[last]
    }

    fn add_to_summary(
        &mut self,
        role: Role,
        value: f64,
        scratch: &mut Scratch<'a>,
    ) -> &mut Metric<'a> {
        let quantile = scratch.special;
        let metric = self.series_of(scratch, || Value::Summary(Box::default()));
        if let Value::Summary(summary) = &mut metric.value {
            fold_summary(summary, role, quantile, value);
        }
        metric
    }

    fn add_to_histogram(
        &mut self,
        role: Role,
        value: f64,
        scratch: &mut Scratch<'a>,
    ) -> Result<&mut Metric<'a>, Fault> {
        let upper = scratch.special;
        let what = match role {
            Role::Count => Some("count"),
            Role::Value if !upper.is_nan() => Some("bucket population"),
            _ => None,
        };
        let count = what.map_or(Ok(Count::default()), |what| self.count(what, value))?;
        let metric = self.series_of(scratch, || Value::Histogram(Box::default()));
        if let Value::Histogram(histogram) = &mut metric.value {
            match role {
                Role::Count => histogram.count = count,
                Role::Sum => histogram.sum = value,
                Role::Value if what.is_none() => {}
                Role::Value => histogram.buckets.push(Bucket {
                    upper,
                    count,
                    exemplar: None,
                }),
            }
        }
        Ok(metric)
    }

    /// A histogram's count: whole if it can be, a float otherwise (NaN, too
    /// large, a fraction).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "range is checked"
    )]
    fn count(&mut self, what: &str, value: f64) -> Result<Count, Fault> {
        if value < 0.0 {
            let name = shown(self.name.as_bytes());
            return Fault::text(format!("negative {what} for histogram {name}"));
        }
        if value < TWO_POW_64 && value.fract() == 0.0 {
            return Ok(Count::Int(value as u64));
        }
        self.has_float = true;
        Ok(Count::Float(value))
    }

    /// The series that has exactly the labels in `scratch`, whatever their order.
    fn series_of(
        &mut self,
        scratch: &mut Scratch<'a>,
        empty: impl Fn() -> Value<'a>,
    ) -> &mut Metric<'a> {
        let last = self.metrics.get(self.last);
        if last.is_none_or(|metric| *metric.labels != *scratch.labels) {
            let key = scratch.key();
            self.last = if let Some(at) = self.series.get(key) {
                *at
            } else {
                self.series.insert(key.into(), self.metrics.len());
                self.push(empty(), scratch.take_labels());
                self.metrics.len() - 1
            };
        }
        &mut self.metrics[self.last]
    }

    fn finish(mut self) -> Family<'a> {
        if self.has_float {
            for metric in &mut self.metrics {
                if let Value::Histogram(histogram) = &mut metric.value {
                    make_uniform(histogram);
                }
            }
        }
        Family {
            name: self.name,
            kind: self.kind.unwrap_or(Kind::Untyped),
            help: self.help,
            metrics: self.metrics,
        }
    }
}

fn fold_summary(summary: &mut Summary, role: Role, quantile: f64, value: f64) {
    match role {
        Role::Count => summary.count = go_integer(value),
        Role::Sum => summary.sum = value,
        Role::Value if !quantile.is_nan() => summary.quantiles.push(Quantile { quantile, value }),
        Role::Value => {}
    }
}

/// A histogram's counts are either all whole or all floats.
fn make_uniform(histogram: &mut Histogram<'_>) {
    let is_float = |count: &Count| matches!(count, Count::Float(_));
    let counts = histogram.buckets.iter().map(|bucket| &bucket.count);
    if counts.chain([&histogram.count]).any(is_float) {
        histogram.count = Count::Float(histogram.count.as_f64());
        for bucket in &mut histogram.buckets {
            bucket.count = Count::Float(bucket.count.as_f64());
        }
    }
}

const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_POW_64: f64 = 2.0 * TWO_POW_63;

/// A double turned into an unsigned integer as Go does on amd64: cut towards
/// zero, negatives wrap, and what fits no 64 bits is 2^63.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "these are the rules"
)]
fn go_integer(value: f64) -> u64 {
    if !(-TWO_POW_63..TWO_POW_64).contains(&value) {
        1 << 63
    } else if value < 0.0 {
        (value as i64) as u64
    } else {
        value as u64
    }
}
