//! Random schedules of all that changes when groups exist, against a model of a few lines.
//!
//! A schedule is pushes, failures, deletes, touches, overrides, pauses, reloads of the TTL rules,
//! reaper runs, scrapes, restarts, steps of the wall clock and time that passes, much of it to within a
//! nanosecond of a moment at which something happens. After every step a scrape must show
//! exactly the groups of the model and their push times, and every answer must be the model's;
//! at the end the store is opened again and must show the same.
//!
//! `TIDEGATE_SCHEDULES=10000` runs so many schedules instead of a few hundred. A failure prints the
//! shortest schedule found and a seed; with `TIDEGATE_SCHEDULE_SEED` set to it and
//! the same number of schedules, the run is the same again.

#[path = "schedules/drive.rs"]
mod drive;
#[path = "schedules/model.rs"]
mod model;
#[path = "schedules/steps.rs"]
mod steps;
mod support;

use std::env;
use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

/// Schedules of a normal run.
const SCHEDULES: u32 = 200;

/// The number that an environment variable holds.
fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = env::var(variable).ok()?;
    let parsed = text.parse().ok();
    Some(parsed.unwrap_or_else(|| panic!("{variable}={text} is not a number")))
}

#[test]
fn every_schedule_shows_the_groups_that_a_simple_model_says_exist() {
    let schedules = number("TIDEGATE_SCHEDULES").unwrap_or(SCHEDULES);
    let seed = number("TIDEGATE_SCHEDULE_SEED")
        .unwrap_or_else(|| RandomState::new().hash_one("schedules"));
    let mut runner = TestRunner::new(Config {
        cases: schedules,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        max_shrink_iters: 4000,
        ..Config::default()
    });
    let runtime = drive::runtime();
    let outcome = runner.run(&steps::schedules(), |schedule| {
        drive::run(&runtime, &schedule);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, schedule)) => panic!(
            "{reason}\n{schedule:#?}\nagain: TIDEGATE_SCHEDULES={schedules} \
             TIDEGATE_SCHEDULE_SEED={seed}"
        ),
        Err(abort) => panic!("{abort}"),
    }
}
