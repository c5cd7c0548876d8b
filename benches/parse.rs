//! How many bytes a second do the parsers read: of a usual push (20 series in 5
//! families), of a push of 20 families with one series each, and of a huge body
//! (200,000 lines of one family)? Each in text and as delimited protobuf, whose
//! times are to be compared, not its bytes. The last rows are what a usual push
//! costs until the writer has it: parsed, rewritten, checked, rendered and packed.

use std::collections::BTreeMap;

use divan::{Bencher, counter::BytesCount};
use tidegate::format::name::NameRule;
use tidegate::format::{proto, text_read::parse};
use tidegate::model::{Family, GroupKey};
use tidegate::state::{Method, prepare};
use tidegate::store::Pusher;
use tidegate::telemetry::own_kind;

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

#[divan::bench]
fn protobuf_usual_push(bencher: Bencher<'_, '_>) {
    measure_protobuf(bencher, &bodies::mix());
}

#[divan::bench]
fn protobuf_one_series_per_family(bencher: Bencher<'_, '_>) {
    measure_protobuf(bencher, &bodies::wide());
}

#[divan::bench(sample_count = 20)]
fn protobuf_huge_gauge_family(bencher: Bencher<'_, '_>) {
    measure_protobuf(bencher, &bodies::huge_gauge());
}

#[divan::bench(sample_count = 20)]
fn protobuf_huge_histogram_family(bencher: Bencher<'_, '_>) {
    measure_protobuf(bencher, &bodies::huge_histogram());
}

#[divan::bench]
fn usual_push_prepared(bencher: Bencher<'_, '_>) {
    let body = bodies::mix();
    bencher.bench(|| prepared(parse(body.as_bytes(), NameRule::Legacy).expect("a valid body")));
}

#[divan::bench]
fn protobuf_usual_push_prepared(bencher: Bencher<'_, '_>) {
    let body = bodies::delimited(&bodies::mix());
    bencher.bench(|| prepared(proto::parse(&body).expect("a valid body")));
}

fn prepared(families: Vec<Family<'_>>) -> usize {
    let labels = BTreeMap::from([("instance".to_owned(), "host-000001".to_owned())]);
    let key = GroupKey::new("batch", &labels);
    let pusher = Pusher::default();
    let push = prepare(key, Method::Replace, families, None, pusher, own_kind);
    push.expect("a push that can be stored").bytes()
}

fn measure_protobuf(bencher: Bencher<'_, '_>, body: &str) {
    let body = bodies::delimited(body);
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench(|| proto::parse(&body).is_ok());
}

fn measure(bencher: Bencher<'_, '_>, body: &str) {
    bencher
        .counter(BytesCount::of_str(body))
        .bench(|| parse(body.as_bytes(), NameRule::Legacy).is_ok());
}
