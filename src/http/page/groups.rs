//! The list of groups, and the search among them.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::http::StatusCode;
use maud::{Markup, PreEscaped, html};

use super::text::{badges, counted, cursor, decode, encode, moment, span, time, visible};
use super::{Screen, Shown, frame};
use crate::clock::{Now, UnixNanos};
use crate::http::api::{ApiError, GroupState, Query, read, state_of};
use crate::http::context::Context;
use crate::limits::{PAGE_BYTES, PAGE_GROUPS};
use crate::model::Selector;
use crate::state::{Standing, State};
use crate::store::{Listed, ReadError, Store};
use crate::ttl::Schedule;

/// What the list shows.
struct Asked {
    selector: Option<Selector>,
    /// Canonical bytes that the first group's key is not below.
    from: Vec<u8>,
}

/// What was found.
struct Found {
    cards: String,
    /// Where the next page begins.
    next: Option<String>,
}

/// Answers the list.
pub(super) async fn groups(
    context: &Arc<Context>,
    state: &Arc<State>,
    query: &Query,
) -> Result<Shown, ApiError> {
    let wanted = query.one("match")?.unwrap_or_default().trim().to_owned();
    let from = decode(query.one("from")?.unwrap_or_default())?;
    let page = |inner: Markup| {
        let inner = html! { (search(&wanted)) (inner) };
        frame::page(context, Screen::Groups, "Groups", &inner)
    };
    let selector = match wanted.as_str() {
        "" => None,
        text => match Selector::parse(text) {
            Ok(selector) => Some(selector),
            Err(fault) => {
                let fault = html! { p.failed role="alert" { (fault) } };
                return Ok(Shown::Page(StatusCode::BAD_REQUEST, page(fault)));
            }
        },
    };
    let standing = state.standing();
    let paused = state.expiry().suspensions().is_active(standing.now.ttl);
    let asked = Asked { selector, from };
    let is_first = asked.from.is_empty();
    let found = read(state, move |store| find(store, &asked, &standing, paused)).await?;
    let stored = state.groups();
    Ok(page(html! {
        p {
            (counted(stored as u64, "group", "groups")) " stored" @if paused { ", expiry is paused" } "."
            @if context.admin && stored > 0 { " " a.delete href="-/wipe" { "Delete all" } }
        }
        @if found.cards.is_empty() { p { "No groups here." } }
        (PreEscaped(found.cards))
        nav.pages {
            @if !is_first { a href={ "./" (link(&wanted, None)) } { "First page" } }
            @if let Some(next) = &found.next {
                a rel="next" href={ "./" (link(&wanted, Some(next))) } { "Next page" }
            }
        }
    })
    .into())
}

/// The query string of a page of the list.
fn link(wanted: &str, from: Option<&str>) -> String {
    let wanted = percent_encoding::utf8_percent_encode(wanted, percent_encoding::NON_ALPHANUMERIC);
    let from = from.map(|from| format!("&from={from}")).unwrap_or_default();
    format!("?match={wanted}{from}")
}

fn search(wanted: &str) -> Markup {
    html! {
        form.search method="get" action="./" role="search" {
            label for="match" { "Labels" }
            input #match type="search" name="match" value=(visible(wanted)) spellcheck="false"
                autocapitalize="off" placeholder=r#"{job="backup",zone=~"eu-.*"}"#;
            button { "Search" }
            @if !wanted.is_empty() { a href="./" { "All groups" } }
        }
    }
}

/// The groups of one page, in the order of their keys.
fn find(
    store: &Store,
    asked: &Asked,
    standing: &Standing,
    paused: bool,
) -> Result<Found, ReadError> {
    let now = standing.now;
    let (mut cards, mut shown, mut next) = (String::new(), 0, None);
    store.walk_from(&asked.from, |row| {
        let wanted = asked.selector.as_ref();
        if wanted.is_some_and(|selector| !selector.matches(row.key())) {
            return Ok(ControlFlow::Continue(()));
        }
        let listed = row.listed()?;
        let Some(schedule) = standing.judge(&listed) else {
            return Ok(ControlFlow::Continue(()));
        };
        let state = state_of(standing, &schedule);
        if shown == PAGE_GROUPS || cards.len() >= PAGE_BYTES {
            next = Some(cursor(listed.key.as_bytes()));
            return Ok(ControlFlow::Break(()));
        }
        shown += 1;
        cards.push_str(&card(&listed, &schedule, state, now, paused).into_string());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Found { cards, next })
}

fn card(listed: &Listed, schedule: &Schedule, state: GroupState, now: Now, paused: bool) -> Markup {
    let Listed { key, head, .. } = listed;
    let link = encode(key.as_bytes());
    html! {
        article {
            h2 { a href={ "-/group?key=" (link) } { (badges(key.labels())) } }
            (failure(listed, now))
            p {
                "Last push " (moment(head.last_push, now.wall)) ". "
                (expiry(schedule, state, now, paused)) " "
                (counted(head.families.into(), "family", "families")) ", "
                (head.series) " series."
            }
            p { a.delete href={ "-/delete?key=" (link) } { "Delete group" } }
        }
    }
}

/// That the last push failed and why, if it did.
pub(super) fn failure(listed: &Listed, now: Now) -> Markup {
    let last_push = listed.head.last_push;
    let failure = listed.head.failure.as_ref();
    let failure = failure.filter(|failure| failure.at > last_push);
    html! {
        @if let Some(failure) = failure {
            p.failed { strong { "Last push failed" } " " (moment(failure.at, now.wall)) ": " (visible(&failure.text)) }
        }
    }
}

/// The TTL, where it comes from, and the time to expiry.
pub(super) fn expiry(schedule: &Schedule, state: GroupState, now: Now, paused: bool) -> Markup {
    let Schedule {
        ttl,
        source,
        deadline,
        hold,
    } = schedule;
    let left = |deadline: UnixNanos| span(deadline.since(now.ttl));
    html! {
        "TTL " strong { (ttl) } " (" (source) "), "
        @match deadline {
            None => "never expires",
            Some(deadline) if state == GroupState::Overdue => {
                strong.overdue { "overdue" } " since " (time(now.wall_of(*deadline)))
                @if paused { ": expiry is paused" } @else { ": kept until it has been scraped" }
            }
            Some(deadline) => {
                "expires in " (left(*deadline)) " at " (time(now.wall_of(*deadline)))
                @if paused { " (expiry is paused)" }
                @else if hold.is_some() { ", once it has been scraped" }
            }
        }
        "."
    }
}
