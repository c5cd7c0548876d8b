//! One group: its times, its families and their series.

use std::sync::Arc;

use maud::{Markup, PreEscaped, html};

use super::groups::{expiry, failure};
use super::text::{
    badges, counted, cursor, cut, decode, encode, key_of, moment, start, time, visible,
};
use super::value::value;
use super::{Screen, Shown, frame};
use crate::clock::{Now, UnixNanos};
use crate::http::api::{ApiError, GroupState, Query, read, state_of};
use crate::http::context::Context;
use crate::limits::{PAGE_BYTES, PAGE_FAMILIES, PAGE_FIRST_SERIES, PAGE_SERIES};
use crate::model::all_labels;
use crate::model::{GroupKey, Kind, Labels, Metric, Value};
use crate::push::rewrite::{PUSH_FAILURE_TIME, PUSH_TIME};
use crate::state::{PUSH_FAILURE_TIME_HELP, PUSH_TIME_HELP, Standing, State};
use crate::store::{
    FamilyFacts, GroupDetail, Head, Listed, ReadError, Store, decode_metrics, encode_metrics,
};
use crate::ttl::Schedule;

/// What is asked about a group.
struct Asked {
    key: GroupKey,
    /// The name that the first family's is not below.
    from: Vec<u8>,
    /// Only the first family, from this series on.
    series: Option<usize>,
}

/// A group that is there.
struct Found {
    detail: GroupDetail,
    schedule: Schedule,
    state: GroupState,
}

/// Answers a group.
pub(super) async fn group(
    context: &Arc<Context>,
    state: &Arc<State>,
    query: &Query,
) -> Result<Shown, ApiError> {
    let number = |text: &str| {
        text.parse()
            .map_err(|_| ApiError::bad("series is not a number"))
    };
    let asked = Asked {
        key: key_of(query.one("key")?)?,
        from: decode(query.one("from")?.unwrap_or_default())?,
        series: query.one("series")?.map(number).transpose()?,
    };
    let missing = ApiError::not_found(format!("no group {}", cut(&asked.key.to_string())));
    let standing = state.standing();
    let now = standing.now;
    let paused = state.expiry().suspensions().is_active(now.ttl);
    // Unpacks the whole group: as few at once as of other large answers. Never closed, so
    // this only waits for a place.
    let place = context.dumps.clone().acquire_owned().await.ok();
    let inner = read(state, move |store| {
        let found = find(store, &asked.key, &standing)?;
        let inner = found.map(|found| describe(found, &asked, now, paused));
        drop(place);
        inner.transpose()
    });
    let inner = inner.await?.ok_or(missing)?;
    Ok(frame::page(context, Screen::Group, "Group", &inner).into())
}

/// The group of a key, unless it has expired.
fn find(store: &Store, key: &GroupKey, standing: &Standing) -> Result<Option<Found>, ReadError> {
    let detail = store.detail(key)?;
    Ok(detail.and_then(|detail| {
        let schedule = standing.judge(&detail.listed)?;
        let state = state_of(standing, &schedule);
        Some(Found {
            detail,
            schedule,
            state,
        })
    }))
}

fn describe(found: Found, asked: &Asked, now: Now, paused: bool) -> Result<Markup, ReadError> {
    let Found {
        detail,
        schedule,
        state,
    } = found;
    let GroupDetail { listed, families } = detail;
    let mut families: Vec<(FamilyFacts, UnixNanos)> = families
        .into_iter()
        .chain(push_times(&listed.head))
        .collect();
    families.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let key = encode(asked.key.as_bytes());
    let shown = match asked.series {
        None => all(&families, asked, &key)?,
        Some(first) => one(&families, asked, &key, first)?,
    };
    Ok(html! {
        p { (badges(asked.key.labels())) }
        (failure(&listed, now))
        (about(&listed.head, now))
        p { (expiry(&schedule, state, now, paused)) }
        (pinned(&listed, now))
        p { a.delete href={ "delete?key=" (key) } { "Delete group" } }
        h2 { "Metrics" }
        (shown)
    })
}

fn about(head: &Head, now: Now) -> Markup {
    let last_push = head.last_push;
    let earlier = head.failure.as_ref();
    let earlier = earlier.filter(|failure| failure.at <= last_push);
    html! {
        p {
            "Last push " (moment(head.last_push, now.wall))
            @if head.pushes > 0 { ", by " (head.pusher.address) " (" (visible(&head.pusher.agent)) ")" }
            "; " (counted(head.pushes, "push", "pushes")) " since " (time(head.created)) ". "
            (counted(head.families.into(), "family", "families")) ", " (head.series) " series."
        }
        @if let Some(failure) = earlier {
            p { "An earlier push failed " (moment(failure.at, now.wall)) ": " (visible(&failure.text)) }
        }
    }
}

/// An operator's word about the TTL, while it counts.
fn pinned(listed: &Listed, now: Now) -> Markup {
    let (pinned, start) = (listed.pinned.as_ref(), listed.head.clock_start);
    html! {
        @if let Some(pinned) = pinned.filter(|pinned| pinned.counts(start, now.ttl)) {
            p {
                "Override by " (pinned.by) ", set " (moment(pinned.set, now.wall))
                @if let Some(until) = pinned.until { ", until " (time(now.wall_of(until))) }
                @if !pinned.reason.is_empty() { ": " (visible(&pinned.reason)) }
            }
        }
    }
}

/// The two families that the gateway keeps of every group.
fn push_times(head: &Head) -> [(FamilyFacts, UnixNanos); 2] {
    let failed = head.failure.as_ref().map(|failure| failure.at);
    let family = |name: &str, help: &str, at: UnixNanos| {
        let metric = Metric {
            labels: Labels::new(),
            value: Value::Number(at.as_seconds_f64(), None),
            timestamp_ms: None,
        };
        let never = at == UnixNanos::default();
        let facts = FamilyFacts {
            name: name.to_owned(),
            kind: Kind::Gauge,
            help: Some(help.to_owned()),
            pushed: None,
            series: 1,
            metrics: encode_metrics(Kind::Gauge, &[metric]),
        };
        // What never happened has been so since the group came into being.
        (facts, if never { head.created } else { at })
    };
    [
        family(PUSH_TIME, PUSH_TIME_HELP, head.last_push),
        family(
            PUSH_FAILURE_TIME,
            PUSH_FAILURE_TIME_HELP,
            failed.unwrap_or_default(),
        ),
    ]
}

/// The families of one page, each with its first series.
fn all(
    families: &[(FamilyFacts, UnixNanos)],
    asked: &Asked,
    key: &str,
) -> Result<Markup, ReadError> {
    let mut html = String::new();
    let first = families.partition_point(|(facts, _)| facts.name.as_bytes() < &asked.from[..]);
    let mut rest = families[first..].iter().enumerate();
    let next = loop {
        let Some((place, (facts, pushed))) = rest.next() else {
            break None;
        };
        if place == PAGE_FAMILIES || html.len() >= PAGE_BYTES {
            break Some(cursor(facts.name.as_bytes()));
        }
        let budget = PAGE_BYTES - html.len();
        let series = series(&asked.key, facts, 0, PAGE_FIRST_SERIES, budget)?;
        let family = html! {
            details {
                summary { (heading(facts, *pushed)) }
                (series.table)
                @if series.next.is_some() {
                    p { a href=(series_link(key, facts, 0)) {
                        "All " (facts.series) " series"
                    } }
                }
            }
        };
        html.push_str(&family.into_string());
    };
    Ok(html! {
        (PreEscaped(html))
        nav.pages {
            @if first > 0 { a href={ "group?key=" (key) } { "First page" } }
            @if let Some(next) = next {
                a rel="next" href={ "group?key=" (key) "&from=" (next) } { "Next page" }
            }
        }
    })
}

/// One family with the series of one page.
fn one(
    families: &[(FamilyFacts, UnixNanos)],
    asked: &Asked,
    key: &str,
    first: usize,
) -> Result<Markup, ReadError> {
    let family = families
        .iter()
        .find(|(facts, _)| start(facts.name.as_bytes()) == asked.from);
    let Some((facts, pushed)) = family else {
        return Ok(html! { p { "The group has no such metric any more." } });
    };
    let series = series(&asked.key, facts, first, PAGE_SERIES, PAGE_BYTES)?;
    Ok(html! {
        details open {
            summary { (heading(facts, *pushed)) }
            (series.table)
        }
        nav.pages {
            a href={ "group?key=" (key) } { "All metrics" }
            @if first > 0 { a href=(series_link(key, facts, 0)) { "First page" } }
            @if let Some(next) = series.next {
                a rel="next" href=(series_link(key, facts, next)) { "Next page" }
            }
        }
    })
}

/// The address of a family's page.
fn series_link(key: &str, facts: &FamilyFacts, first: usize) -> String {
    let name = cursor(facts.name.as_bytes());
    format!("group?key={key}&from={name}&series={first}")
}

fn heading(facts: &FamilyFacts, pushed: UnixNanos) -> Markup {
    html! {
        strong.name { (cut(&facts.name)) } " "
        span.kind { (facts.kind.as_upper()) } " "
        @if let Some(help) = &facts.help { span.help { (cut(help)) } " " }
        span.pushed { "last pushed: " (time(pushed)) }
    }
}

/// Some series of a family.
struct Series {
    table: Markup,
    /// The first of those that are not in the table.
    next: Option<usize>,
}

/// At most `most` series from `first` on, fewer if they take more than `budget` bytes.
fn series(
    key: &GroupKey,
    facts: &FamilyFacts,
    first: usize,
    most: usize,
    budget: usize,
) -> Result<Series, ReadError> {
    let metrics =
        decode_metrics(&facts.metrics).map_err(|reason| ReadError::damaged(key, reason))?;
    let (mut rows, mut end) = (String::new(), first);
    for metric in metrics.iter().skip(first).take(most) {
        if rows.len() >= budget {
            break;
        }
        let row = html! {
            tr {
                td { (badges(all_labels(key, metric))) }
                td.value { (value(&metric.value)) }
            }
        };
        rows.push_str(&row.into_string());
        end += 1;
    }
    let table = html! {
        table.series {
            thead { tr { th { "Labels" } th { "Value" } } }
            tbody { (PreEscaped(rows)) }
        }
    };
    let next = (end < metrics.len()).then_some(end);
    Ok(Series { table, next })
}
