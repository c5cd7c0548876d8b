//! What was measured: figures, each with the values of every run.

use serde::{Deserialize, Serialize};

use super::machine::Setting;
use super::program::Program;
use super::stats::median;

/// A thing that is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// What its curve is called, such as `push rate`.
    pub(crate) name: String,
    /// Groups or series that it was measured with, if it is measured with several numbers of them.
    pub(crate) at: Option<usize>,
    /// For people.
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) target: Option<Target>,
}

/// Units; of rates more is better, of all else less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    #[serde(rename = "1/s")]
    PerSecond,
    #[serde(rename = "us")]
    Micros,
    #[serde(rename = "ms")]
    Millis,
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "kB")]
    Kilobytes,
    #[serde(rename = "MB")]
    Megabytes,
    #[serde(rename = "%")]
    Percent,
}

/// What tidegate has to show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// So many times better than the Pushgateway with its check off.
    Times(f64),
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub(crate) fn new(name: &str, unit: Unit, what: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            at: None,
            what: what.into(),
            unit,
            target: None,
        }
    }

    pub(crate) fn at(self, at: usize) -> Self {
        Self {
            at: Some(at),
            ..self
        }
    }

    pub(crate) fn target(self, target: Target) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    fn is(&self, other: &Self) -> bool {
        (&self.name, self.at) == (&other.name, other.at)
    }
}

/// The values of one figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    #[serde(flatten)]
    pub(crate) figure: Figure,
    pub(crate) tidegate: Vec<f64>,
    pub(crate) pushgateway: Vec<f64>,
    pub(crate) pushgateway_checked: Vec<f64>,
}

impl Measured {
    pub(crate) fn values(&self, program: Program) -> &[f64] {
        match program {
            Program::Tidegate => &self.tidegate,
            Program::Pushgateway => &self.pushgateway,
            Program::PushgatewayChecked => &self.pushgateway_checked,
        }
    }

    fn values_mut(&mut self, program: Program) -> &mut Vec<f64> {
        match program {
            Program::Tidegate => &mut self.tidegate,
            Program::Pushgateway => &mut self.pushgateway,
            Program::PushgatewayChecked => &mut self.pushgateway_checked,
        }
    }

    /// How many times better tidegate is than another, by their medians.
    pub(crate) fn times_better_than(&self, program: Program) -> Option<f64> {
        let tidegate = median(&self.tidegate)?;
        let other = median(self.values(program))?;
        let (better, worse) = match self.figure.unit {
            Unit::PerSecond => (tidegate, other),
            _ => (other, tidegate),
        };
        (worse > 0.0).then(|| better / worse)
    }

    /// Whether the target is met; `None` if there is none, or nothing to judge it by.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let tidegate = median(&self.tidegate)?;
        Some(match self.figure.target? {
            Target::Times(times) => self.times_better_than(Program::Pushgateway)? >= times,
            Target::AtMost(most) => tidegate <= most,
            Target::AtLeast(least) => tidegate >= least,
        })
    }
}

/// All that was measured, and where.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) setting: Setting,
    /// Processor time that the load generator took a push, in microseconds.
    pub(crate) generator_us: Vec<f64>,
    /// In the order in which they came first.
    pub(crate) measured: Vec<Measured>,
}

impl Results {
    pub(crate) fn new(setting: Setting) -> Self {
        Self {
            setting,
            generator_us: Vec::new(),
            measured: Vec::new(),
        }
    }

    pub(crate) fn record(&mut self, program: Program, figure: Figure, value: f64) {
        eprintln!(
            "  {}: {}, {} {value:.3}",
            program.name(),
            figure.what,
            figure.name
        );
        let known = self
            .measured
            .iter()
            .position(|known| known.figure.is(&figure));
        let index = known.unwrap_or_else(|| {
            self.measured.push(Measured {
                figure,
                tidegate: Vec::new(),
                pushgateway: Vec::new(),
                pushgateway_checked: Vec::new(),
            });
            self.measured.len() - 1
        });
        self.measured[index].values_mut(program).push(value);
    }

    /// Medians of a figure by the number it was measured with.
    pub(crate) fn curve(&self, name: &str, program: Program) -> Vec<(usize, f64)> {
        let points = self
            .measured
            .iter()
            .filter(|measured| measured.figure.name == name);
        let mut points: Vec<_> = points
            .filter_map(|point| Some((point.figure.at?, median(point.values(program))?)))
            .collect();
        points.sort_by_key(|(at, _)| *at);
        points
    }
}
