//! The TTL rules in force, and how others take their place.

use std::sync::{Arc, Mutex};

use super::expiry::Still;
use crate::lock::lock;
use crate::ttl::TtlPolicy;

/// The TTL rules that readers go by.
#[derive(Debug)]
pub(super) struct InForce(Mutex<Arc<TtlPolicy>>);

/// Other rules on their way, from the moment at which the writer may begin to judge by them
/// until readers do. Dropped unused, readers keep the rules they have.
#[derive(Debug)]
pub(super) struct Switch {
    pub(super) policy: Arc<TtlPolicy>,
    /// Nothing expires meanwhile, by the old rules or the new.
    pub(super) still: Still,
}

impl InForce {
    pub(super) fn new(policy: Arc<TtlPolicy>) -> Self {
        Self(Mutex::new(policy))
    }

    pub(super) fn get(&self) -> Arc<TtlPolicy> {
        // What is behind this lock is whole at any moment.
        Arc::clone(&lock(&self.0))
    }

    /// From now on readers go by the new rules, and then expiry goes on.
    pub(super) fn switch(&self, switch: Switch) {
        let Switch { policy, still } = switch;
        *lock(&self.0) = policy;
        drop(still);
    }
}
