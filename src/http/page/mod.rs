//! The web page: groups, families and series for people, and what the gateway is.
//!
//! Plain HTML made here, page by page; it needs no script and nothing from elsewhere. All
//! links are relative, so that any path a proxy puts in front of ours does no harm.
//! Templates are maud's, which escapes whatever is put into them.

mod delete;
mod frame;
mod group;
mod groups;
mod status;
mod text;
mod value;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use maud::Markup;

use super::api::{ApiError, Query};
use super::context::Context;
use super::health::LOADING;
use super::reply;

pub(super) use delete::FormKey;

/// One of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Screen {
    /// `/`: all groups, or those that match.
    Groups,
    /// `/status`: what the gateway is and how it does.
    Status,
    /// `/-/group`: one group with its metrics.
    Group,
    /// `/-/delete`: asks whether one group is to be deleted, and does it.
    Delete,
    /// `/-/wipe`: the same for all groups.
    Wipe,
}

impl Screen {
    /// The way from this page's address to that of [`Self::Groups`].
    fn root(self) -> &'static str {
        match self {
            Self::Groups | Self::Status => "./",
            Self::Group | Self::Delete | Self::Wipe => "../",
        }
    }
}

/// What a screen answers.
enum Shown {
    Page(StatusCode, Markup),
    /// Its work is done: the list of groups is to be seen next.
    Done,
}

impl From<Markup> for Shown {
    fn from(page: Markup) -> Self {
        Self::Page(StatusCode::OK, page)
    }
}

/// Answers a request for a screen.
pub(super) async fn answer(
    context: &Arc<Context>,
    request: Request<Body>,
    screen: Screen,
    peer: IpAddr,
) -> Response {
    let method = request.method().clone();
    let shown = show(context, request, screen, peer).await;
    let shown = shown.unwrap_or_else(|error| {
        let page = frame::failure(context, screen, error.status, &error.text);
        Shown::Page(error.status, page)
    });
    let response = match shown {
        Shown::Page(status, page) => reply::page(status, page.into_string()),
        Shown::Done => reply::see_other(screen.root()),
    };
    count(context, "status", &method, &response);
    response
}

async fn show(
    context: &Arc<Context>,
    request: Request<Body>,
    screen: Screen,
    peer: IpAddr,
) -> Result<Shown, ApiError> {
    if screen == Screen::Status {
        return status::status(context).await.map(Shown::from);
    }
    let state = context.state().ok_or_else(|| ApiError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: LOADING.to_owned(),
    })?;
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default()).map_err(ApiError::bad)?;
    let acts = parts.method == Method::POST;
    match screen {
        Screen::Groups | Screen::Status => groups::groups(context, state, &query).await,
        Screen::Group => group::group(context, state, &query).await,
        Screen::Delete | Screen::Wipe if acts => {
            delete::carry_out(context, state, screen, &parts, body, peer).await
        }
        Screen::Delete => delete::ask(context, state, &query).await,
        Screen::Wipe => delete::ask_for_all(context, state),
    }
}

/// Answers a request for a file that pages refer to.
pub(super) fn asset(context: &Context, method: &Method, name: &[u8]) -> Response {
    let response = match name {
        b"style.css" => reply::asset("text/css; charset=utf-8", include_str!("style.css")),
        b"icon.svg" => reply::asset("image/svg+xml", include_str!("icon.svg")),
        _ => return reply::not_found(),
    };
    count(context, "static", method, &response);
    response
}

fn count(context: &Context, handler: &'static str, method: &Method, response: &Response) {
    let code = response.status().as_u16();
    context
        .telemetry
        .count_request(handler, method.as_str(), code);
}
