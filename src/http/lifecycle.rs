//! `/-/quit` and `/-/reload`.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;

use super::context::Context;
use super::{api, reply};
use crate::config::{Faults, PolicySource};
use crate::state::{Refused, State};
use crate::ttl::TtlPolicy;

/// Asks whoever runs the gateway to stop it, by the same way as SIGTERM.
pub(super) fn quit(context: &Context) -> Response {
    if context.reload.is_none() {
        return reply::lifecycle_off();
    }
    tracing::warn!("termination was requested by HTTP");
    context.quit.cancel();
    reply::text("Requesting termination... Goodbye!")
}

/// Reads the TTL rules anew; `dry_run` only tells how many groups would expire now.
pub(super) async fn reload(context: &Context, state: &Arc<State>, query: Option<&str>) -> Response {
    let Some(source) = &context.reload else {
        return reply::lifecycle_off();
    };
    let dry_run = match api::dry_run(query) {
        Ok(dry_run) => dry_run,
        Err(fault) => return reply::bad_request(fault),
    };
    match reload_policy(state, source, dry_run).await {
        Ok(Some(groups)) => reply::text(&format!("{groups} groups would expire now\n")),
        Ok(None) => reply::text("reloaded\n"),
        Err(error) => error.reply(),
    }
}

/// Why TTL rules were not put in force: the old ones are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// The config file has faults, one a line.
    #[error("{0}")]
    Faults(String),
    /// The store takes or gives nothing now.
    #[error("the TTL rules stay as they were: {0}")]
    Store(Refused),
}

impl ReloadError {
    fn reply(self) -> Response {
        match self {
            Self::Store(Refused::DiskFull(_)) => {
                reply::error(StatusCode::INSUFFICIENT_STORAGE, self)
            }
            Self::Store(_) => reply::unavailable(self),
            Self::Faults(faults) => reply::bad_request(faults),
        }
    }
}

/// Puts the rules in force that `source` has now, all or nothing. With `dry_run`
/// nothing changes: the number of groups that would expire at once.
///
/// # Errors
/// Names all faults, or what is wrong with the store; the rules that were in force stay.
pub(crate) async fn reload_policy(
    state: &Arc<State>,
    source: &PolicySource,
    dry_run: bool,
) -> Result<Option<usize>, ReloadError> {
    if dry_run {
        let policy = load(source)?;
        let state = Arc::clone(state);
        let count = tokio::task::spawn_blocking(move || state.would_expire(&policy)).await;
        let count = count.map_err(|panic| Refused::Unavailable(panic.to_string()));
        return count.flatten().map(Some).map_err(ReloadError::Store);
    }
    let outcome = put_in_force(state, source).await;
    state.note_reload(outcome.is_ok());
    match &outcome {
        Ok(rules) => tracing::info!(rules, "TTL rules reloaded"),
        Err(ReloadError::Faults(faults)) => tracing::error!(
            faults,
            "the config file is not taken; the rules stay as they were"
        ),
        Err(ReloadError::Store(refused)) => tracing::error!(
            error = %refused,
            "the config file is not taken for want of the store; the rules stay as they were"
        ),
    }
    outcome.map(|_| None)
}

fn load(source: &PolicySource) -> Result<TtlPolicy, ReloadError> {
    let faulty = |faults: Faults| ReloadError::Faults(faults.into_lines().join("\n"));
    source.load().map_err(faulty)
}

/// The number of rules that are in force now.
async fn put_in_force(state: &State, source: &PolicySource) -> Result<usize, ReloadError> {
    let policy = load(source)?;
    let rules = policy.rules.iter().len();
    let taken = state.set_policy(policy).await;
    taken.map(|_| rules).map_err(ReloadError::Store)
}
