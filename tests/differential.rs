//! Both gateways side by side: the same requests to Debian's Pushgateway (1.5.1) and to tidegate.
//!
//! After every step the answer, the exposition and the query API of both are compared, field by
//! field. Where the two differ on purpose, or 1.11 differs from 1.5.1, `differential/allowed.rs`
//! says so; the run prints how often each entry was used, and fails on one that was used never or
//! in more than one step of fifty.
//!
//! The written cases are in `differential/cases/`. Random sequences follow, over spaces small
//! enough that groups, families and types clash. `TIDEGATE_DIFFERENTIAL_STEPS` sets their length,
//! `TIDEGATE_DIFFERENTIAL_SEED` another seed.

mod support;

#[path = "differential/allowed.rs"]
mod allowed;
#[path = "differential/bodies.rs"]
mod bodies;
#[path = "differential/cases.rs"]
mod cases;
#[path = "differential/compare.rs"]
mod compare;
#[path = "differential/exposition.rs"]
mod exposition;
#[path = "property_proto/messages.rs"]
mod messages;
#[path = "differential/pair.rs"]
mod pair;
#[path = "differential/random.rs"]
mod random;

use std::env;

use allowed::Uses;
use cases::{Case, Step};
use pair::Pair;
use random::Generator;

/// Steps of the random part of a usual run.
const STEPS: usize = 1_500;

/// Random steps from one empty store to the next.
const EPISODE: usize = 30;

const SEED: u64 = 20_261_122;

#[test]
fn both_gateways_answer_and_show_the_same() {
    let mut run = Run::new();
    let cases = cases::all();
    assert!(cases.len() >= 300, "only {} written cases", cases.len());
    for case in &cases {
        run.case(case);
    }
    let written = run.steps;
    let wanted = number("TIDEGATE_DIFFERENTIAL_STEPS", STEPS as u64);
    let seed = number("TIDEGATE_DIFFERENTIAL_SEED", SEED);
    let mut generator = Generator::new(seed);
    while ((run.steps - written) as u64) < wanted {
        let steps = (0..EPISODE).map(|_| generator.step()).collect();
        run.case(&Case {
            name: format!("seed {seed}, random step {}", run.steps - written),
            steps,
        });
    }
    println!(
        "{} written cases with {written} steps, {} random steps",
        cases.len(),
        run.steps - written
    );
    println!("{}", run.uses.report(run.steps));
    let faults = [run.faults, run.uses.faults(run.steps)].concat();
    let shown: Vec<&str> = faults.iter().take(40).map(String::as_str).collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        shown.join("\n")
    );
}

/// A number from the environment.
fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}"))
    })
}

/// What has been run, and what was found.
struct Run {
    pair: Pair,
    uses: Uses,
    steps: usize,
    faults: Vec<String>,
}

impl Run {
    fn new() -> Self {
        Self {
            pair: Pair::start(),
            uses: Uses::default(),
            steps: 0,
            faults: Vec::new(),
        }
    }

    /// Runs a case from an empty store, up to the first step after which the gateways differ.
    fn case(&mut self, case: &Case) {
        self.pair.wipe();
        for (number, step) in case.steps.iter().enumerate() {
            if !self.step(case, number, step) {
                return;
            }
        }
    }

    /// Whether the gateways agree after the step.
    fn step(&mut self, case: &Case, number: usize, step: &Step) -> bool {
        self.steps += 1;
        let differences = compare::differences(&self.pair.take(step));
        let mut agree = true;
        for difference in differences {
            if self.uses.allow(self.steps, step, &difference) {
                continue;
            }
            agree = false;
            self.faults.push(format!(
                "{}, step {}: {step}\n  {difference}",
                case.name,
                number + 1
            ));
        }
        agree
    }
}
