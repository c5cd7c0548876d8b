//! One metric family while it is read: its metadata, which samples are its, and
//! the folding of sample lines into series.

use std::borrow::Cow;
use std::collections::HashSet;

use super::Fault;
use super::line::shown;
use super::types::{Role, Type};
use super::values::{bound, created, in_order, quantile, whole};
use crate::format::scratch::Scratch;
use crate::model::{
    Bucket, Count, CounterDetails, Exemplar, Family, Histogram, Metric, Quantile, Summary, Value,
};

/// What a sample line says beside name and labels.
pub(super) struct Sample<'a> {
    pub(super) role: Role,
    pub(super) value: f64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) exemplar: Option<Exemplar<'a>>,
}

/// A family read to its end.
pub(super) struct Claim<'a> {
    /// All names that no other family may have, its own first.
    pub(super) names: Vec<Cow<'a, str>>,
    /// `None` if it has no samples.
    pub(super) family: Option<Family<'a>>,
}

pub(super) struct FamilyReader<'a> {
    pub(super) name: Cow<'a, str>,
    kind: Option<Type>,
    help: Option<Cow<'a, str>>,
    unit: Option<&'a str>,
    metrics: Vec<Metric<'a>>,
    /// Label sets of the series that are folded from several lines.
    folded: HashSet<Box<[u8]>>,
    /// That of the last one.
    last: Box<[u8]>,
    /// What the last one was given so far.
    given: Given,
}

/// Which lines a folded series has.
#[derive(Default)]
struct Given {
    /// Those that it may have once.
    once: Vec<Role>,
    /// The bits of its quantiles.
    quantiles: HashSet<u64>,
}

impl Given {
    /// Notes a line that may be there once; `what` names it in the error.
    fn first(&mut self, role: Role, what: &str) -> Result<(), Fault> {
        if self.once.contains(&role) {
            return Fault::text(format!("a second {what} of one series"));
        }
        self.once.push(role);
        Ok(())
    }
}

impl<'a> FamilyReader<'a> {
    pub(super) fn new(name: Cow<'a, str>) -> Self {
        Self {
            name,
            kind: None,
            help: None,
            unit: None,
            metrics: Vec::new(),
            folded: HashSet::new(),
            last: Box::default(),
            given: Given::default(),
        }
    }

    pub(super) fn has_samples(&self) -> bool {
        !self.metrics.is_empty()
    }

    pub(super) fn set_help(&mut self, help: Cow<'a, str>) -> Result<(), Fault> {
        self.once(self.help.is_some(), "HELP")?;
        self.help = Some(help);
        Ok(())
    }

    pub(super) fn set_type(&mut self, word: &str) -> Result<(), Fault> {
        self.once(self.kind.is_some(), "TYPE")?;
        let known = Type::WORDS.iter().find(|(text, _)| *text == word);
        let Some((_, kind)) = known else {
            return Fault::text(format!("unknown metric type {}", shown(word)));
        };
        self.kind = Some(*kind);
        Ok(())
    }

    pub(super) fn set_unit(&mut self, unit: &'a str) -> Result<(), Fault> {
        self.once(self.unit.is_some(), "UNIT")?;
        let fits = || self.name.strip_suffix(unit)?.strip_suffix('_');
        if !unit.is_empty() && fits().is_none() {
            let (name, unit) = (shown(&self.name), shown(unit));
            return Fault::text(format!(
                "the name {name} does not end in _ and its unit {unit}"
            ));
        }
        self.unit = Some(unit);
        Ok(())
    }

    fn once(&self, again: bool, keyword: &str) -> Result<(), Fault> {
        if again {
            return Fault::text(format!("a second {keyword} of {}", shown(&self.name)));
        }
        Ok(())
    }

    fn kind(&self) -> Type {
        self.kind.unwrap_or(Type::Unknown)
    }

    fn kind_word(&self) -> &'static str {
        let kind = self.kind();
        let word = Type::WORDS.iter().find(|(_, known)| *known == kind);
        word.map_or("", |(word, _)| word)
    }

    /// What a sample of this name is here; `None`: not one of this family.
    pub(super) fn role(&self, name: &str) -> Option<Role> {
        let suffix = name.strip_prefix(&*self.name)?;
        let mut suffixes = self.kind().suffixes().iter();
        Some(suffixes.find(|(known, _)| *known == suffix)?.1)
    }

    /// Why a sample with just the family's name is none of its samples.
    pub(super) fn wrong_suffix(&self) -> String {
        let suffixes = self.kind().suffixes().iter().map(|(suffix, _)| *suffix);
        format!(
            "samples of the {} {} end in {}",
            self.kind_word(),
            shown(&self.name),
            suffixes.collect::<Vec<_>>().join(", ")
        )
    }

    /// Puts one sample in its place; its labels are in `scratch`.
    pub(super) fn add(
        &mut self,
        sample: Sample<'a>,
        scratch: &mut Scratch<'a>,
    ) -> Result<(), Fault> {
        let kind = self.kind();
        let may_have = matches!(
            (kind, sample.role),
            (Type::Counter, Role::Value) | (_, Role::Bucket)
        );
        if sample.exemplar.is_some() && !may_have {
            return Fault::text("only buckets and the totals of counters have exemplars");
        }
        let timestamp = sample.timestamp_ms;
        match kind {
            Type::Gauge | Type::Unknown | Type::Info | Type::StateSet => {
                self.check_state(kind, sample.value, scratch)?;
                self.push(Value::Number(sample.value, None), scratch);
            }
            Type::Counter => self.counter(sample, scratch)?,
            Type::Summary => self.summary(&sample, scratch)?,
            Type::Histogram | Type::GaugeHistogram => self.histogram(sample, scratch)?,
        }
        if let Some(metric) = self.metrics.last_mut() {
            metric.timestamp_ms = metric.timestamp_ms.or(timestamp);
        }
        Ok(())
    }

    fn check_state(&self, kind: Type, value: f64, scratch: &Scratch<'a>) -> Result<(), Fault> {
        let name = || shown(&self.name);
        let labels = &scratch.labels;
        match kind {
            #[expect(clippy::float_cmp, reason = "exactly 1, or exactly 0")]
            Type::Info if value != 1.0 => {
                Fault::text(format!("the value of the info {} is not 1", name()))
            }
            Type::StateSet if !labels.iter().any(|label| label.name == self.name) => Fault::text(
                format!("the state set {} lacks a label of its name", name()),
            ),
            #[expect(clippy::float_cmp, reason = "exactly 1, or exactly 0")]
            Type::StateSet if value != 0.0 && value != 1.0 => Fault::text(format!(
                "a value of the state set {} is neither 0 nor 1",
                name()
            )),
            _ => Ok(()),
        }
    }

    fn push(&mut self, value: Value<'a>, scratch: &mut Scratch<'a>) {
        self.metrics.push(Metric {
            labels: scratch.take_labels(),
            value,
            timestamp_ms: None,
        });
    }

    /// The series that the labels in `scratch` are of: the last one or a new one,
    /// and what it was given so far.
    fn series(&mut self, scratch: &mut Scratch<'a>) -> Result<(&mut Value<'a>, &mut Given), Fault> {
        let last = self.metrics.last();
        if last.is_none_or(|metric| *metric.labels != *scratch.labels) {
            let key = scratch.key();
            if last.is_none() || *key != *self.last {
                if self.folded.contains(key) {
                    let (kind, name) = (self.kind_word(), shown(&self.name));
                    return Fault::text(format!(
                        "lines of one series of the {kind} {name} do not stand together"
                    ));
                }
                self.last = key.into();
                self.complete()?;
                self.folded.insert(self.last.clone());
                self.given = Given::default();
                self.push(self.kind().empty_value(), scratch);
            }
        }
        let last = self.metrics.len() - 1;
        Ok((&mut self.metrics[last].value, &mut self.given))
    }

    fn counter(&mut self, sample: Sample<'a>, scratch: &mut Scratch<'a>) -> Result<(), Fault> {
        if sample.role == Role::Value && (sample.value.is_nan() || sample.value < 0.0) {
            return Fault::text("a counter is negative or NaN");
        }
        let (value, given) = self.series(scratch)?;
        let Value::Number(number, details) = value else {
            return Ok(());
        };
        if sample.role == Role::Created {
            given.first(Role::Created, "_created")?;
            details.get_or_insert_default().created = Some(created(sample.value)?);
            return Ok(());
        }
        given.first(Role::Value, "_total")?;
        *number = sample.value;
        if let Some(exemplar) = sample.exemplar {
            let details: &mut CounterDetails<'_> = details.get_or_insert_default();
            details.exemplar = Some(exemplar);
        }
        Ok(())
    }

    fn summary(&mut self, sample: &Sample<'a>, scratch: &mut Scratch<'a>) -> Result<(), Fault> {
        if sample.role == Role::Value {
            scratch.special = quantile(scratch)?;
        }
        let quantile = scratch.special;
        let (value, given) = self.series(scratch)?;
        let Value::Summary(summary) = value else {
            return Ok(());
        };
        let Summary {
            count,
            sum,
            quantiles,
            created: begun,
        } = &mut **summary;
        let value = sample.value;
        match sample.role {
            Role::Count => {
                given.first(Role::Count, "_count")?;
                *count = whole(value, "count")?;
            }
            Role::Sum => {
                given.first(Role::Sum, "_sum")?;
                *sum = value;
            }
            Role::Created => {
                given.first(Role::Created, "_created")?;
                *begun = Some(created(value)?);
            }
            Role::Value | Role::Bucket => {
                if !given.quantiles.insert((quantile + 0.0).to_bits()) {
                    return Fault::text("a quantile is given twice");
                }
                if value < 0.0 {
                    return Fault::text("the value of a quantile is negative");
                }
                quantiles.push(Quantile { quantile, value });
            }
        }
        Ok(())
    }

    fn histogram(&mut self, sample: Sample<'a>, scratch: &mut Scratch<'a>) -> Result<(), Fault> {
        if sample.role == Role::Bucket {
            scratch.special = bound(scratch)?;
        }
        let upper = scratch.special;
        let (value, given) = self.series(scratch)?;
        let Value::Histogram(histogram) = value else {
            return Ok(());
        };
        match sample.role {
            Role::Count => {
                given.first(Role::Count, "_count")?;
                histogram.count = Count::Int(whole(sample.value, "count")?);
            }
            Role::Sum => {
                given.first(Role::Sum, "_sum")?;
                histogram.sum = sample.value;
            }
            Role::Created => {
                given.first(Role::Created, "_created")?;
                histogram.created = Some(created(sample.value)?);
            }
            Role::Bucket | Role::Value => {
                let count = Count::Int(whole(sample.value, "count of a bucket")?);
                let bucket = Bucket {
                    upper,
                    count,
                    exemplar: sample.exemplar.map(Box::new),
                };
                if let Some(last) = histogram.buckets.last() {
                    in_order(last, &bucket)?;
                }
                histogram.buckets.push(bucket);
            }
        }
        Ok(())
    }

    /// Checks that nothing is missing of the last series that is folded.
    fn complete(&mut self) -> Result<(), Fault> {
        let (kind, name) = (self.kind(), &self.name);
        let Some(metric) = self.metrics.last_mut() else {
            return Ok(());
        };
        if kind == Type::Counter && !self.given.once.contains(&Role::Value) {
            return Fault::before(format!("the counter {} has no _total", shown(name)));
        }
        let Value::Histogram(histogram) = &mut metric.value else {
            return Ok(());
        };
        let Histogram { count, buckets, .. } = &mut **histogram;
        let all = match buckets.last() {
            Some(bucket) if bucket.upper == f64::INFINITY => bucket.count,
            _ => {
                let name = shown(name);
                return Fault::before(format!("the histogram {name} has no bucket le=\"+Inf\""));
            }
        };
        if self.given.once.contains(&Role::Count) && *count != all {
            let name = shown(name);
            return Fault::before(format!(
                "the count of the histogram {name} is not that of its bucket le=\"+Inf\""
            ));
        }
        *count = all;
        Ok(())
    }

    /// The family, and the names that are now taken.
    pub(super) fn finish(mut self) -> Result<Claim<'a>, Fault> {
        self.complete()?;
        let kind = self.kind();
        if self.unit.is_some_and(|unit| !unit.is_empty())
            && matches!(kind, Type::Info | Type::StateSet)
        {
            let (kind, name) = (self.kind_word(), shown(&self.name));
            return Fault::before(format!("the {kind} {name} has a unit"));
        }
        let of_samples = kind
            .suffixes()
            .iter()
            .filter(|(suffix, _)| !suffix.is_empty())
            .map(|(suffix, _)| Cow::Owned(format!("{}{suffix}", self.name)));
        let names = std::iter::once(self.name.clone())
            .chain(of_samples)
            .collect();
        let (kind, suffix) = kind.shown_as();
        let name = match suffix {
            "" => self.name,
            suffix => Cow::Owned(format!("{}{suffix}", self.name)),
        };
        let family = (!self.metrics.is_empty()).then_some(Family {
            name,
            kind,
            help: self.help,
            metrics: self.metrics,
        });
        Ok(Claim { names, family })
    }
}
