//! Resident memory: after load and scrapes, and at most while pushes and scrapes go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Bench, SERIES};
use crate::ask::Scrape;
use crate::options::RowName;
use crate::program::Running;
use crate::requests::Form;
use crate::results::{Figure, Target, Unit};
use crate::spelling::grouped;

pub(crate) fn measure(bench: &mut Bench, running: &mut Running, groups: usize) {
    let program = running.program;
    if !bench.options.wants(RowName::Scrape) {
        Scrape::TEXT.once(running.address());
        Scrape::TEXT_GZIP.once(running.address());
    }
    let series = groups * SERIES;
    let what = format!("RSS, {} series", grouped(series));
    let after = format!("{what}, after load and scrapes");
    let mut rss = Figure::new("rss", Unit::Megabytes, after).at(series);
    let is_largest = bench.options.is_largest(groups);
    rss.target = is_largest.then_some(Target::AtMost(300.0));
    bench.record(program, rss, running.rss_mb());
    if is_largest {
        let meanwhile = format!("{what}, peak under pushes and scrapes");
        let peak = Figure::new("rss peak", Unit::Megabytes, meanwhile);
        let value = peak_mb(bench, running, groups);
        bench.record(program, peak.target(Target::AtMost(450.0)), value);
    }
}

/// 64 connections push, one scraper asks for identity and one for gzip, each again and again.
fn peak_mb(bench: &Bench, running: &Running, groups: usize) -> f64 {
    running.reset_peak();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for scrape in [Scrape::TEXT, Scrape::TEXT_GZIP] {
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    scrape.once(running.address());
                }
            });
        }
        running
            .load(Form::Text)
            .random(groups, bench.options.time());
        is_over.store(true, Ordering::Relaxed);
    });
    running.peak_mb()
}
