//! How many bytes a second does the text parser read: of a usual push (20 series
//! in 5 families), of a push of 20 families with one series each, and of a huge
//! body (200,000 lines of one family)?

use divan::{Bencher, counter::BytesCount};
use tidegate::format::text_read::parse;

mod bodies;

fn main() {
    divan::main();
}

#[divan::bench]
fn usual_push(bencher: Bencher<'_, '_>) {
    measure(bencher, &bodies::mix());
}

#[divan::bench]
fn one_series_per_family(bencher: Bencher<'_, '_>) {
    measure(bencher, &bodies::wide());
}

#[divan::bench(sample_count = 20)]
fn huge_gauge_family(bencher: Bencher<'_, '_>) {
    measure(bencher, &bodies::huge_gauge());
}

#[divan::bench(sample_count = 20)]
fn huge_histogram_family(bencher: Bencher<'_, '_>) {
    measure(bencher, &bodies::huge_histogram());
}

fn measure(bencher: Bencher<'_, '_>, body: &str) {
    bencher
        .counter(BytesCount::of_str(body))
        .bench(|| parse(body.as_bytes()).is_ok());
}
