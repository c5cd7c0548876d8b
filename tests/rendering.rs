//! The view held against a plain rendering of the store.
//!
//! Random pushes, failures, deletes, wipes, expiries, reaper runs and restarts over a few groups that
//! share families. After every step the scrape in text (names escaped, and as they are) and in
//! protobuf, each of them in gzip too, must be what a renderer of a few lines makes of the
//! facts that are read from the store. Groups keep their order while they live; after a start it is
//! that of their keys. What a scrape took earlier must not have changed.
//!
//! `TIDEGATE_RENDERINGS=2000` runs so many sequences instead of ten. A failure prints the
//! shortest sequence found and a seed; with `TIDEGATE_RENDERING_SEED` set to it and the same number of
//! sequences, the run is the same again.

#[path = "rendering/drive.rs"]
mod drive;
#[path = "property_proto/messages.rs"]
#[allow(dead_code, reason = "another test uses all of it")]
mod messages;
#[path = "rendering/naive.rs"]
mod naive;
#[path = "rendering/naive_proto.rs"]
mod naive_proto;
#[path = "rendering/steps.rs"]
mod steps;
mod support;

use std::env;
use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

/// Sequences of a normal run.
const SEQUENCES: u32 = 10;

/// The number that an environment variable holds.
fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = env::var(variable).ok()?;
    let parsed = text.parse().ok();
    Some(parsed.unwrap_or_else(|| panic!("{variable}={text} is not a number")))
}

#[test]
fn every_scrape_is_a_plain_rendering_of_what_is_stored() {
    let sequences = number("TIDEGATE_RENDERINGS").unwrap_or(SEQUENCES);
    let seed = number("TIDEGATE_RENDERING_SEED")
        .unwrap_or_else(|| RandomState::new().hash_one("renderings"));
    let mut runner = TestRunner::new(Config {
        cases: sequences,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        max_shrink_iters: 1000,
        ..Config::default()
    });
    let runtime = drive::runtime();
    let outcome = runner.run(&steps::sequences(), |steps| {
        drive::run(&runtime, &steps);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => panic!(
            "{reason}\n{steps:#?}\nagain: TIDEGATE_RENDERINGS={sequences} \
             TIDEGATE_RENDERING_SEED={seed}"
        ),
        Err(abort) => panic!("{abort}"),
    }
}
