//! The reaper: removes groups that have expired.
//!
//! Reads leave them out at the instant of the deadline; the reaper only takes
//! them off disk and out of memory. It goes through the writer's queue like
//! everyone else, one slice at a time and the next only when that is done, so
//! that a hundred thousand expiries delay a push by no more than one slice.

use std::sync::Arc;

use crate::clock::Stopwatch;
use crate::limits::REAP_SLICE;

use super::State;

/// Reaps for ever; stops when dropped.
pub async fn reap_expired(state: Arc<State>) {
    loop {
        state.expiry().due(state.view().next_deadline()).await;
        reap_due(&state).await;
    }
}

/// Removes all that has expired by now, slice by slice.
async fn reap_due(state: &State) {
    let mut removed = 0;
    loop {
        let watch = Stopwatch::start();
        let slice = state.view().expired(state.expiry().horizon(), REAP_SLICE);
        if slice.is_empty() {
            break;
        }
        match state.reap(slice).await {
            Ok(groups) => {
                removed += groups;
                state.telemetry().observe_reap(watch.seconds());
            }
            // What has expired stays invisible; it is removed when the store works again.
            Err(_) => state.health().accepting().await,
        }
    }
    if removed > 0 {
        tracing::debug!(groups = removed, "removed expired groups");
    }
}
