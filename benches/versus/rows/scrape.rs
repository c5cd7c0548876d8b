//! Scrapes in text: identity, and gzip of which nothing, all, or all but 1 % is compressed already.

use super::{Bench, SERIES};
use crate::ask::Scrape;
use crate::program::{Program, Running};
use crate::requests::Form;
use crate::results::{Figure, Target, Unit};
use crate::spelling::grouped;
use crate::stats::median;

/// Scrapes of which the median counts, where a scrape is short.
const TIMES: usize = 5;

/// A scrape, and what happens before it.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) scrape: Scrape,
    pub(crate) before: Before,
    /// How many times faster than the Pushgateway it has to be.
    pub(crate) times: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing of the answer is made: it happens only once.
    Never,
    /// The same scrape.
    Scrape,
    /// The same scrape, and then pushes to 1 % of the groups.
    Pushes,
}

const CASES: [Case; 4] = [
    Case {
        name: "text",
        scrape: Scrape::TEXT,
        before: Before::Scrape,
        times: Some(80.0),
    },
    Case {
        name: "text gzip, first",
        scrape: Scrape::TEXT_GZIP,
        before: Before::Never,
        times: Some(40.0),
    },
    Case {
        name: "text gzip, unchanged",
        scrape: Scrape::TEXT_GZIP,
        before: Before::Scrape,
        times: Some(400.0),
    },
    Case {
        name: "text gzip, 1 % changed",
        scrape: Scrape::TEXT_GZIP,
        before: Before::Pushes,
        times: Some(80.0),
    },
];

pub(crate) fn measure(bench: &mut Bench, running: &mut Running, groups: usize) {
    for case in CASES {
        case.measure(bench, running, groups);
    }
}

impl Case {
    /// What is measured; the target is about the largest number of series.
    pub(crate) fn figure(&self, bench: &Bench, groups: usize) -> Figure {
        let times = self.times.filter(|_| bench.options.is_largest(groups));
        let series = groups * SERIES;
        let what = format!("GET /metrics, {}, {} series", self.name, grouped(series));
        Figure {
            name: format!("scrape {}", self.name),
            at: Some(series),
            what,
            unit: Unit::Millis,
            target: times.map(Target::Times),
        }
    }

    pub(crate) fn measure(&self, bench: &mut Bench, running: &Running, groups: usize) {
        let figure = self.figure(bench, groups);
        // The Pushgateway keeps nothing between scrapes, and takes long.
        let times = if self.before == Before::Never || running.program != Program::Tidegate {
            1
        } else {
            TIMES
        };
        let once = |_| {
            if self.before == Before::Pushes {
                running.load(Form::Text).some(groups, groups / 100);
            }
            self.scrape.once(running.address()).ms
        };
        let all: Vec<f64> = (0..times).map(once).collect();
        bench.record(running.program, figure, median(&all).unwrap_or_default());
    }
}
