//! `/-/quit` and `/-/reload`.

use std::sync::Arc;

use axum::response::Response;
use tokio::sync::Mutex;

use super::context::Context;
use super::to_the_end::{Panicked, to_the_end};
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
    let answer = if dry_run {
        let count = would_expire(state, source.clone()).await;
        count.map(|groups| format!("{groups} groups would expire now\n"))
    } else {
        let reloaded = reload_policy(&context.reloading, state, source.clone()).await;
        reloaded.map(|()| "reloaded\n".to_owned())
    };
    answer.map_or_else(ReloadError::reply, |text| reply::text(&text))
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
            Self::Store(ref refused) => reply::error(reply::status_of(refused), self),
            Self::Faults(faults) => reply::bad_request(faults),
        }
    }
}

impl From<Panicked> for ReloadError {
    fn from(panic: Panicked) -> Self {
        Self::Store(Refused::Unavailable(panic.to_string()))
    }
}

/// Puts the rules in force that `source` has when it is the turn of this reload, all or nothing.
/// Reloads take turns, so that the newest file is the one that stays in force. One that is given up
/// before its turn does nothing; later it goes on.
///
/// # Errors
/// Names all faults, or what is wrong with the store; the rules that were in force stay.
pub(crate) async fn reload_policy(
    turns: &Arc<Mutex<()>>,
    state: &Arc<State>,
    source: PolicySource,
) -> Result<(), ReloadError> {
    let turn = Arc::clone(turns).lock_owned().await;
    to_the_end(state, |state| async move {
        let _turn = turn;
        let outcome = put_in_force(&state, source).await;
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
        outcome.map(drop)
    })
    .await
}

/// How many groups would expire at once by the rules that `source` has now.
async fn would_expire(state: &Arc<State>, source: PolicySource) -> Result<usize, ReloadError> {
    let state = Arc::clone(state);
    blocking(move || {
        let policy = load(&source)?;
        state.would_expire(&policy).map_err(ReloadError::Store)
    })
    .await
}

/// The number of rules that are in force now.
async fn put_in_force(state: &State, source: PolicySource) -> Result<usize, ReloadError> {
    let policy = blocking(move || load(&source)).await?;
    let rules = policy.rules.iter().len();
    let taken = state.set_policy(policy).await;
    taken.map(|_| rules).map_err(ReloadError::Store)
}

/// Reads a file and compiles its patterns, which takes what time it takes.
fn load(source: &PolicySource) -> Result<TtlPolicy, ReloadError> {
    let faulty = |faults: Faults| ReloadError::Faults(faults.into_lines().join("\n"));
    source.load().map_err(faulty)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReloadError> + Send + 'static,
) -> Result<T, ReloadError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(Panicked::from)?
}
