//! What the gateway is, how it was started, and how it does.

use std::sync::Arc;

use maud::{Markup, html};

use super::text::{moment, span, time, visible};
use super::{Screen, frame};
use crate::build_info;
use crate::clock::Now;
use crate::duration;
use crate::http::api::{ApiError, read};
use crate::http::context::Context;
use crate::http::health::LOADING;
use crate::state::State;
use crate::ttl::{Suspension, TtlPolicy};

/// Answers the status, also while the store is being loaded.
pub(super) async fn status(context: &Arc<Context>) -> Result<Markup, ApiError> {
    let inner = html! {
        @match context.state() {
            None => { h2 { "Store" } p { (LOADING) } }
            Some(state) => { (store(state).await) (ttls(state)) }
        }
        (build(context))
        (flags(context))
    };
    Ok(frame::page(context, Screen::Status, "Status", &inner))
}

async fn store(state: &Arc<State>) -> Markup {
    let snapshot = state.snapshot();
    let size = read(state, |store| Ok(store.size_bytes())).await;
    let (health, quota) = (state.health().refusal(), state.quota());
    html! {
        h2 { "Store" }
        table.facts {
            tr {
                th scope="row" { "Health" }
                td {
                    @match health {
                        None => "pushes are stored",
                        Some(reason) => strong.failed { "pushes are refused: " (reason) },
                    }
                }
            }
            (row("Groups", &of_limit(snapshot.groups() as u64, quota.groups)))
            (row("Series", &of_limit(snapshot.series(), quota.series)))
            @if let Ok(bytes) = size { (row("Size on disk", &html! { (bytes) " bytes" })) }
        }
    }
}

/// How many there are, and how many there may be.
fn of_limit(stored: u64, limit: Option<u64>) -> Markup {
    html! { (stored) @if let Some(limit) = limit { " of at most " (limit) } }
}

fn ttls(state: &State) -> Markup {
    let (now, policy) = (state.clock().now(), state.policy());
    let snapshot = state.snapshot();
    let sources = snapshot
        .by_source()
        .iter()
        .filter(|(_, groups)| **groups > 0);
    let suspensions = state.expiry().suspensions();
    let active = |some: &Option<Suspension>| some.clone().filter(|it| it.is_active(now.ttl));
    html! {
        h2 { "Expiry" }
        table.facts {
            @if let Some(pause) = active(&suspensions.pause) { (row("Paused", &paused(&pause, now))) }
            @if let Some(grace) = active(&suspensions.grace) { (row("Startup grace", &paused(&grace, now))) }
            tr {
                th scope="row" { "Next expiry" }
                td {
                    @match state.next_expiry() {
                        None => "never",
                        Some(next) => {
                            (time(now.wall_of(next))) " (in " (span(next.since(now.ttl))) ")"
                        }
                    }
                }
            }
            (row("Default TTL", &html! { (policy.default) }))
            (row("TTLs of pushes", &asked_for(&policy)))
            @for (source, groups) in sources {
                tr { th scope="row" { "Groups with TTL by " (source) } td { (groups) } }
            }
        }
        @if policy.rules.iter().len() > 0 {
            h3 { "Rules" }
            table.facts {
                @for rule in policy.rules.iter() {
                    tr { th scope="row" { (rule.name) } td { (rule.ttl) " for " code { (rule.selector) } } }
                }
            }
        }
    }
}

fn paused(pause: &Suspension, now: Now) -> Markup {
    html! {
        "until "
        @match pause.until {
            None => "it is resumed",
            Some(until) => (time(now.wall_of(until))),
        }
        ", by " (pause.by)
        @if !pause.reason.is_empty() { ": " (visible(&pause.reason)) }
    }
}

fn asked_for(policy: &TtlPolicy) -> Markup {
    html! {
        (policy.client) ", at least " (duration::format(policy.min))
        @if let Some(max) = policy.max { ", at most " (duration::format(max)) }
    }
}

fn build(context: &Context) -> Markup {
    let now = context.state().map(|state| state.clock().wall());
    let started = context.started;
    html! {
        h2 { "Build" }
        table.facts {
            tr {
                th scope="row" { "Started" }
                td {
                    @match now {
                        None => (time(started)),
                        Some(now) => (moment(started, now)),
                    }
                }
            }
            (row("Version", &html! { (build_info::VERSION) }))
            (row("Revision", &html! { (build_info::REVISION) }))
            (row("Branch", &html! { (build_info::BRANCH) }))
            (row("Build date", &html! { (build_info::date()) }))
            (row("Compiler", &html! { (build_info::compiler()) }))
        }
    }
}

fn flags(context: &Context) -> Markup {
    html! {
        h2 { "Flags" }
        table.facts {
            @for (name, value) in &context.site.flags {
                tr { th scope="row" { "--" (name) } td { (value) } }
            }
        }
    }
}

fn row(name: &str, value: &Markup) -> Markup {
    html! { tr { th scope="row" { (name) } td { (value) } } }
}
