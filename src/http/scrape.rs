//! GET of the exposition.

mod body;

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING};
use axum::response::Response;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connection::Busy;
use super::context::Context;
use super::handover::{Handover, Underway};
use super::reply;
use crate::clock::Stopwatch;
use crate::format::accept::{Layout, Offer, negotiate};
use crate::format::form::{Form, write_metrics};
use crate::format::negotiate::accepts_gzip;
use crate::format::text_write::Identity;
use crate::limits::{SCRAPE_STALL_LOOK, SCRAPE_TIME};
use crate::model::Family;
use crate::state::{Shown, State};
use crate::telemetry::{CutScrape, own_kind};
use crate::view::{Clashes, Frame, Holding, OwnFamily, Snapshot, exposition};
pub(super) use body::{Done, Frames};
use body::{Lease, body};

/// Who scrapes.
pub(super) struct Scraper<'a> {
    /// Its address.
    pub(super) address: IpAddr,
    /// By GET: the answer to a HEAD shows nothing.
    pub(super) is_get: bool,
    /// Its connection.
    pub(super) connection: &'a Busy,
    /// Cuts that connection.
    pub(super) cut: &'a CancellationToken,
}

/// Answers a scrape. The connection is cut if the answer is not taken in time. A GET whose
/// answer was handed over whole counts as a scrape for groups that wait for one.
pub(super) async fn scrape(
    context: &Arc<Context>,
    state: &Arc<State>,
    headers: &HeaderMap,
    scraper: Scraper<'_>,
) -> Response {
    let watch = Stopwatch::start();
    let began = state.expiry().now();
    let permit = place(context).await;
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let lease = Lease {
        _permit: permit,
        _cut: cut_after(time_limit(headers), scraper.cut, {
            let telemetry = Arc::clone(&context.telemetry);
            move || telemetry.count_cut_scrapes(CutScrape::Slow, 1)
        }),
    };
    state.catch_up().await;
    let (snapshot, offer) = snapshot_for(state, negotiate(accept)).await;
    let clashes = clashes(&snapshot).await;
    let frames = frames(context, state, &snapshot, &clashes);
    let holding = Arc::new(Holding::new(&frames));
    let shown = Shown {
        pushes: snapshot.pushes(),
        began,
        scraper: scraper.address,
    };
    drop(snapshot);
    let handover = scraper.is_get.then(|| {
        let state = Arc::clone(state);
        Handover::new(scraper.connection.clone(), move || {
            state.note_scrape(&shown);
        })
    });
    let answer = handover
        .as_ref()
        .map(Handover::downgrade)
        .unwrap_or_default();
    make_room(context, &holding, answer, scraper.cut);
    let frames = Frames::new(frames, holding);
    let done = Done {
        context: Arc::clone(context),
        watch,
        handover: handover.clone(),
        _lease: lease,
    };
    let encodings = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let zipped = accepts_gzip(encodings);
    let body = body(frames, offer.layout, zipped, done);
    let mut response = reply::exposition(body, offer, zipped);
    handover.map(|handover| response.extensions_mut().insert(handover));
    response
}

/// Waits for a place among the scrapes that are answered at once. If none is free, those lose
/// theirs that have come to a stand.
async fn place(context: &Context) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(&context.scrapes).try_acquire_owned() {
        return Some(place);
    }
    let mut place = pin!(Arc::clone(&context.scrapes).acquire_owned());
    loop {
        if context.running.cut_stalled() {
            tracing::warn!("a scraper that took nothing was cut off for one that waits");
            context.telemetry.count_cut_scrapes(CutScrape::Stalled, 1);
        }
        if let Ok(place) = timeout(SCRAPE_STALL_LOOK, &mut place).await {
            // Never closed, so this is one.
            return place.ok();
        }
    }
}

/// What a scrape is made of, and the offer that it answers: text while the store, from
/// which all else is made, cannot be read.
async fn snapshot_for(state: &Arc<State>, offer: Offer) -> (Arc<Snapshot>, Offer) {
    let form = offer.form();
    // Not asked for a second time what it shows anyway.
    if form.encoding == Form::default().encoding {
        let snapshot = state.snapshot();
        if form == snapshot.form() || !snapshot.has_foreign_names() {
            return (snapshot, offer);
        }
    }
    // One content for all escapings, as long as there is nothing to escape.
    let common = Form {
        escaping: Form::default().escaping,
        ..form
    };
    let form = if state.snapshot().has_foreign_names() {
        form
    } else {
        common
    };
    let Some(snapshot) = state.snapshot_in(form).await else {
        let (layout, escaping) = (Layout::Text, Form::default().escaping);
        return (state.snapshot(), Offer { layout, escaping });
    };
    (snapshot, offer)
}

/// The whole exposition, the gateway's own metrics included.
fn frames(context: &Context, state: &State, snapshot: &Snapshot, clashes: &Clashes) -> Vec<Frame> {
    let telemetry = &context.telemetry;
    telemetry.set_stored(snapshot.groups() as u64, snapshot.series());
    telemetry.set_clock_drift(state.clock_drift());
    telemetry.set_accepting(state.health().refusal().is_none());
    telemetry.set_expiry(state.expiry_numbers(snapshot));
    let before = telemetry.set_name_clashes(clashes.count() as u64);
    if let Some(family) = clashes
        .example()
        .filter(|_| before < clashes.count() as u64)
    {
        tracing::warn!(
            family,
            count = clashes.count(),
            escaping = snapshot.form().escaping.as_str(),
            "escaped names are the same as others; such families, or groups' parts of \
             them, are left out of scrapes without escaping=allow-utf-8"
        );
    }
    let own = telemetry.families();
    let own = own.iter().map(|family| own_family(family, snapshot.form()));
    exposition(snapshot, own.collect(), clashes)
}

/// What the answer leaves out. Looked for only where there are names to escape, since it
/// may take a look at every series of a family.
async fn clashes(snapshot: &Arc<Snapshot>) -> Clashes {
    if !snapshot.has_foreign_names() {
        return Clashes::default();
    }
    let snapshot = Arc::clone(snapshot);
    let work = move || Clashes::of(&snapshot, own_kind);
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

/// Cuts those off that hold too much, now that this scrape begins.
fn make_room(context: &Context, holding: &Arc<Holding>, answer: Underway, cut: &CancellationToken) {
    let bound = context.limits.replaced;
    let count = context.running.begin(holding, answer, cut, bound);
    if count > 0 {
        tracing::warn!(
            count,
            "scrapers that held much of what has been replaced were cut off"
        );
        context
            .telemetry
            .count_cut_scrapes(CutScrape::Memory, count as u64);
    }
}

fn own_family(family: &Family<'_>, form: Form) -> OwnFamily {
    let mut text = Vec::new();
    write_metrics(&mut text, family, &Identity::none_in(form));
    let help = family.help.as_deref().map(str::to_owned);
    OwnFamily {
        name: family.name.clone().into_owned(),
        kind: family.kind,
        help,
        text,
    }
}

/// How long the scraper says it waits; it has no use for what comes later.
pub(super) fn time_limit(headers: &HeaderMap) -> Duration {
    let header = headers.get("x-prometheus-scrape-timeout-seconds");
    let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit
        .filter(|limit| !limit.is_zero())
        .map_or(SCRAPE_TIME, |limit| limit.min(SCRAPE_TIME))
}

/// How long a scrape may wait before anything of it is answered: the other half of the scraper's
/// time is for the answer.
pub(super) fn patience(headers: &HeaderMap) -> Duration {
    time_limit(headers) / 2
}

/// Cuts a connection after some time and then does `then`, unless what is returned is dropped before.
/// A scraper that takes nothing would otherwise hold its snapshot for ever.
pub(super) fn cut_after(
    limit: Duration,
    connection: &CancellationToken,
    then: impl FnOnce() + Send + 'static,
) -> DropGuard {
    let finished = CancellationToken::new();
    let guard = finished.clone().drop_guard();
    let connection = connection.clone();
    tokio::spawn(async move {
        if finished
            .run_until_cancelled(tokio::time::sleep(limit))
            .await
            .is_some()
        {
            tracing::warn!(
                seconds = limit.as_secs_f64(),
                "a scraper took too long and was cut off"
            );
            connection.cancel();
            then();
        }
    });
    guard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_lasts_as_long_as_the_scraper_says_and_no_longer_than_the_limit() {
        for (header, expected) in [
            (None, SCRAPE_TIME),
            (Some("10"), Duration::from_secs(10)),
            (Some("0.5"), Duration::from_millis(500)),
            (Some("100000"), SCRAPE_TIME),
            (Some("0"), SCRAPE_TIME),
            (Some("-1"), SCRAPE_TIME),
            (Some("NaN"), SCRAPE_TIME),
            (Some("soon"), SCRAPE_TIME),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(
                    "x-prometheus-scrape-timeout-seconds",
                    header.parse().unwrap(),
                );
            }
            assert_eq!(time_limit(&headers), expected, "{header:?}");
        }
    }
}
