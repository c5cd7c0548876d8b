//! How many bytes a second does the exposition writer produce from parsed
//! families: of a usual push (20 series in 5 families), of 20 families with one
//! series each, and of 200,000 lines of one family?

use std::collections::BTreeMap;

use divan::{Bencher, counter::BytesCount};
use tidegate::format::name::NameRule;
use tidegate::format::text_read::parse;
use tidegate::format::text_write::{Identity, write_header, write_metrics};
use tidegate::model::{Family, GroupKey};

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
    let mut families = parse(body.as_bytes(), NameRule::Legacy).expect("a valid body");
    for metric in families.iter_mut().flat_map(|family| &mut family.metrics) {
        metric.labels.sort();
    }
    let zone = BTreeMap::from([("zone".to_owned(), "west".to_owned())]);
    let key = GroupKey::new("nightly", &zone);
    let mut out = Vec::new();
    write(&mut out, &families, &key);
    let bytes = BytesCount::new(out.len());
    bencher.counter(bytes).bench_local(|| {
        out.clear();
        write(&mut out, &families, &key);
        out.len()
    });
}

fn write(out: &mut Vec<u8>, families: &[Family<'_>], key: &GroupKey) {
    let identity = Identity::new(key);
    for family in families {
        write_header(out, &family.name, family.kind, family.help.as_deref());
        write_metrics(out, family, &identity);
    }
}
