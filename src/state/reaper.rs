//! The reaper: removes groups that have expired.
//!
//! Reads leave them out at the instant of the deadline; the reaper only takes
//! them off disk and out of memory. It goes through the writer's queue like
//! everyone else, slice by slice, so that a hundred thousand expiries delay a push by no more
//! than one slice.

use std::sync::Arc;

use super::State;

/// Reaps for ever; stops when dropped.
pub async fn reap_expired(state: Arc<State>) {
    loop {
        state.expiry().due(state.view().next_deadline()).await;
        match state.reap_now().await {
            Ok(0) => {}
            Ok(groups) => tracing::debug!(groups, "removed expired groups"),
            // What has expired stays invisible; it is removed when the store works again.
            Err(_) => state.health().accepting().await,
        }
    }
}
