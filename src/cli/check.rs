//! `tidegate check`.

use super::Failure;
use super::args::Check;
use crate::config::{self, TtlFlags};

pub(super) fn run(what: &Check) -> Result<String, Failure> {
    let Check::Config { file } = what;
    match config::load(file, &TtlFlags::default()) {
        Ok(policy) => Ok(config::describe(&policy)),
        Err(faults) => Err(Failure::Refused(faults.lines().join("\ntidegate: error: "))),
    }
}
