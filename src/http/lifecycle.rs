//! `/-/reload`.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;

use super::context::Context;
use super::{api, reply};
use crate::config::PolicySource;
use crate::state::State;

/// Reads the TTL rules anew; `dry_run` only tells how many groups would expire now.
pub(super) async fn reload(context: &Context, state: &Arc<State>, query: Option<&str>) -> Response {
    let Some(source) = &context.reload else {
        return reply::error(StatusCode::FORBIDDEN, "Lifecycle API is not enabled.");
    };
    let dry_run = match api::dry_run(query) {
        Ok(dry_run) => dry_run,
        Err(fault) => return reply::bad_request(fault),
    };
    match reload_policy(state, source, dry_run).await {
        Ok(Some(groups)) => reply::text(&format!("{groups} groups would expire now\n")),
        Ok(None) => reply::text("reloaded\n"),
        Err(faults) => reply::bad_request(faults),
    }
}

/// Puts the rules in force that `source` has now, all or nothing. With `dry_run`
/// nothing changes: the number of groups that would expire at once.
///
/// # Errors
/// Names all faults; the rules that were in force stay.
pub(crate) async fn reload_policy(
    state: &Arc<State>,
    source: &PolicySource,
    dry_run: bool,
) -> Result<Option<usize>, String> {
    let policy = source.load().map_err(|faults| {
        let text = faults.into_lines().join("\n");
        if dry_run {
            return text;
        }
        state.note_reload(false);
        tracing::error!(
            faults = text,
            "the config file is not taken; the rules stay as they were"
        );
        text
    })?;
    if dry_run {
        let state = Arc::clone(state);
        let count = tokio::task::spawn_blocking(move || state.would_expire(&policy)).await;
        let count = count.map_err(|panic| panic.to_string())?;
        return count.map(Some);
    }
    let rules = policy.rules.iter().len();
    state
        .set_policy(policy)
        .await
        .map_err(|refused| format!("{refused:?}"))?;
    state.note_reload(true);
    tracing::info!(rules, "TTL rules reloaded");
    Ok(None)
}
