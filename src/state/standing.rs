//! The one judgement of stored facts: which groups are there, and which of them are overdue.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::clock::Now;
use crate::store::Listed;
use crate::ttl::{Horizon, Schedule, TtlPolicy, is_expired};
use crate::view::View;

use super::State;
use super::request::Refused;

/// What groups are judged by in one answer.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The instant of the judgement.
    pub now: Now,
    policy: Arc<TtlPolicy>,
    horizon: Horizon,
    /// Knows which pushes have been scraped: the store knows nothing of scrapes.
    view: Arc<View>,
}

impl State {
    /// How things stand now.
    pub fn standing(&self) -> Standing {
        // The time first: see `State::set_policy`.
        let now = self.clock().now();
        let horizon = self.expiry().horizon();
        let policy = self.policy();
        Standing {
            now,
            policy,
            horizon,
            view: Arc::clone(self.view()),
        }
    }

    /// How many groups would expire at once under other TTL rules. Blocks on the disk.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn would_expire(&self, policy: &TtlPolicy) -> Result<usize, Refused> {
        let standing = self.standing();
        let last_scrape = self.expiry().last_scrape();
        let mut groups = 0;
        let listed = self.read(|store| {
            store.list(|listed| {
                let new = listed.schedule(policy, standing.now.ttl);
                // By time, since pushes have no numbers in the store: near enough for a
                // question about what is not so yet.
                let scraped = last_scrape.is_some_and(|scrape| listed.head.clock_start <= scrape);
                let waits = new.hold.is_some() && !scraped;
                let expires = is_expired(new.deadline, standing.horizon.at) && !waits;
                groups += usize::from(expires && standing.judge(&listed).is_some());
                ControlFlow::Continue(())
            })
        });
        listed?.map_err(|error| Refused::Unavailable(error.to_string()))?;
        Ok(groups)
    }
}

impl Standing {
    /// TTLs in force.
    pub fn policy(&self) -> &TtlPolicy {
        &self.policy
    }

    /// The TTL in force of a group; `None`: it has expired, and is in no answer.
    pub fn judge(&self, listed: &Listed) -> Option<Schedule> {
        let schedule = listed.schedule(&self.policy, self.now.ttl);
        let may_be_held = schedule.hold.is_some() && is_expired(schedule.deadline, self.horizon.at);
        // As of the horizon: a push that came after it has a higher number.
        let pushed = may_be_held.then(|| self.view.held_push(&listed.key));
        let pushed = pushed.flatten().unwrap_or_default();
        (!schedule.is_expired(pushed, self.horizon)).then_some(schedule)
    }

    /// Whether a group on this schedule that is there would not be, but for a suspension or
    /// the scrape it waits for.
    pub fn is_overdue(&self, schedule: &Schedule) -> bool {
        is_expired(schedule.deadline, self.now.ttl)
    }
}
