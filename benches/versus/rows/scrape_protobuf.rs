//! Scrapes in delimited protobuf: of which nothing, all, or all but 1 % is made already.

use super::scrape::{Before, Case};
use super::{Bench, SERIES};
use crate::ask::Scrape;
use crate::program::{Program, Running};
use crate::results::{Figure, Unit};
use crate::spelling::grouped;

const fn case(name: &'static str, scrape: Scrape, before: Before, times: Option<f64>) -> Case {
    Case {
        name,
        scrape,
        before,
        times,
    }
}

const IDENTITY: [Case; 3] = [
    case("protobuf, first", Scrape::PROTOBUF, Before::Never, None),
    case(
        "protobuf, unchanged",
        Scrape::PROTOBUF,
        Before::Scrape,
        Some(80.0),
    ),
    case(
        "protobuf, 1 % changed",
        Scrape::PROTOBUF,
        Before::Pushes,
        None,
    ),
];

const GZIP: [Case; 3] = [
    case(
        "protobuf gzip, first",
        Scrape::PROTOBUF_GZIP,
        Before::Never,
        Some(40.0),
    ),
    case(
        "protobuf gzip, unchanged",
        Scrape::PROTOBUF_GZIP,
        Before::Scrape,
        Some(400.0),
    ),
    case(
        "protobuf gzip, 1 % changed",
        Scrape::PROTOBUF_GZIP,
        Before::Pushes,
        Some(80.0),
    ),
];

pub(crate) fn measure(bench: &mut Bench, running: &mut Running, groups: usize) {
    if running.program != Program::Tidegate {
        once(bench, running, groups, &IDENTITY);
        once(bench, running, groups, &GZIP);
        return;
    }
    for case in IDENTITY {
        case.measure(bench, running, groups);
    }
    // Nothing of what comes next is made already.
    running.push_all(groups);
    for case in GZIP {
        case.measure(bench, running, groups);
    }
    let what = format!(
        "RSS, {} series, after scrapes in protobuf too",
        grouped(groups * SERIES)
    );
    let figure = Figure::new("rss protobuf", Unit::Megabytes, what);
    bench.record(running.program, figure, running.rss_mb());
}

/// The Pushgateway keeps nothing between scrapes, so that one stands beside all three.
fn once(bench: &mut Bench, running: &Running, groups: usize, cases: &[Case; 3]) {
    let figures = cases.map(|case| case.figure(bench, groups));
    let ms = cases[0].scrape.once(running.address()).ms;
    for figure in figures {
        bench.record(running.program, figure, ms);
    }
}
