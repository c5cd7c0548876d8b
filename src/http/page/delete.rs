//! Deleting one group or all of them, after a page that asks.
//!
//! Forms only know GET and POST, and any site can make a visitor's browser send a form to
//! ours, with the visitor's password. So a form of ours holds a token that nobody else can
//! make: the authentication code of what is to be deleted, by a key that is new at every
//! start. Other sites cannot read our pages, so they cannot have one. Unlike a comparison of
//! `Origin` with `Host` this works behind proxies that rewrite the host, and with plain HTTP.
//! Where the browser itself says that a form comes from another site, that is enough to
//! refuse it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use maud::html;

use super::text::{badges, cut, encode, key_of};
use super::{Screen, Shown, frame};
use crate::crypto::SecretDigests;
use crate::format::base64;
use crate::http::api::{ApiError, Query, body_error, delete_all, read};
use crate::http::body::receive;
use crate::http::context::Context;
use crate::http::foreign::called_foreign;
use crate::http::to_the_end::to_the_end;
use crate::limits::API_BODY;
use crate::model::GroupKey;
use crate::state::{Done, State};

/// What forms are signed with.
#[derive(Debug)]
pub(in crate::http) struct FormKey(Option<SecretDigests>);

/// What a token for all groups signs; no grouping key has these bytes.
const ALL: &[u8] = b"";

impl FormKey {
    /// A key that nobody knows.
    pub(in crate::http) fn new() -> Self {
        Self(SecretDigests::new().ok())
    }

    /// The token of a form that deletes this.
    fn token(&self, what: &[u8]) -> Result<String, ApiError> {
        // So without random numbers: nothing can be deleted here then.
        let key = self.0.as_ref().ok_or_else(|| ApiError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            text: "the system gave no random numbers at the start".to_owned(),
        })?;
        Ok(encode(&key.of(&[what])))
    }

    fn is_token(&self, what: &[u8], token: &str) -> bool {
        match (&self.0, base64::decode(token.as_bytes())) {
            (Some(key), Ok(code)) => key.is_of(&code, &[what]),
            _ => false,
        }
    }
}

/// Asks whether a group is to be deleted.
pub(super) async fn ask(
    context: &Arc<Context>,
    state: &Arc<State>,
    query: &Query,
) -> Result<Shown, ApiError> {
    let key = key_of(query.one("key")?)?;
    if !is_there(state, &key).await? {
        return Err(no_group(&key));
    }
    let token = context.forms.token(key.as_bytes())?;
    let link = encode(key.as_bytes());
    let inner = html! {
        p { (badges(key.labels())) }
        p { "The group and all its metrics will be gone at once. This cannot be undone." }
        form method="post" action="delete" {
            input type="hidden" name="key" value=(link);
            input type="hidden" name="token" value=(token);
            button.delete { "Delete group" } " "
            a href={ "group?key=" (link) } { "Keep it" }
        }
    };
    Ok(frame::page(context, Screen::Delete, "Delete this group?", &inner).into())
}

/// Asks whether all groups are to be deleted.
pub(super) fn ask_for_all(context: &Context, state: &State) -> Result<Shown, ApiError> {
    open(context)?;
    let token = context.forms.token(ALL)?;
    let groups = state.groups();
    let inner = html! {
        p { "All " strong { (groups) } " groups and their metrics will be gone at once. This cannot be undone." }
        form method="post" action="wipe" {
            input type="hidden" name="token" value=(token);
            button.delete { "Delete all groups" } " "
            a href="../" { "Keep them" }
        }
    };
    Ok(frame::page(context, Screen::Wipe, "Delete all groups?", &inner).into())
}

/// Deletes what a form says, if it is one of ours.
pub(super) async fn carry_out(
    context: &Arc<Context>,
    state: &Arc<State>,
    screen: Screen,
    parts: &Parts,
    body: Body,
    peer: IpAddr,
) -> Result<Shown, ApiError> {
    let by = peer.to_string();
    // Not the origin, which a proxy may have made another one: the token is enough.
    if called_foreign(&parts.headers) == Some(true) {
        return Err(forbidden(
            "another site asked for this: nothing was deleted",
        ));
    }
    let form = form(context, &parts.headers, body).await?;
    let token = form.one("token")?.unwrap_or_default();
    let confirmed = |what| {
        let unsigned = "this form is not of the running gateway: nothing was deleted, ask again";
        let ours = context.forms.is_token(what, token);
        ours.then_some(()).ok_or_else(|| forbidden(unsigned))
    };
    if screen == Screen::Wipe {
        open(context)?;
        confirmed(ALL)?;
        delete_all(state, by).await?;
        return Ok(Shown::Done);
    }
    let key = key_of(form.one("key")?)?;
    confirmed(key.as_bytes())?;
    to_the_end(state, |state| async move {
        let done = state.delete(key.clone(), by.clone()).await?;
        if matches!(done, Done::Deleted { groups: 0, .. }) {
            return Err(no_group(&key));
        }
        tracing::info!(group = %key, by, "group deleted on the web page");
        Ok(Shown::Done)
    })
    .await
}

/// The fields of a form.
async fn form(context: &Context, headers: &HeaderMap, body: Body) -> Result<Query, ApiError> {
    let received = receive(context, headers, body).await.map_err(body_error)?;
    if received.len() > API_BODY {
        return Err(ApiError {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            text: format!("the form is larger than {API_BODY} bytes"),
        });
    }
    let bytes = received.join().map_err(body_error)?.bytes;
    let text = String::from_utf8(bytes).map_err(|_| "the form is not UTF-8".to_owned());
    text.and_then(|text| Query::parse(&text))
        .map_err(ApiError::bad)
}

async fn is_there(state: &Arc<State>, key: &GroupKey) -> Result<bool, ApiError> {
    let standing = state.standing();
    let key = key.clone();
    let detail = read(state, move |store| store.detail(&key)).await?;
    Ok(detail.is_some_and(|it| standing.judge(&it.listed).is_some()))
}

/// Refuses what only the admin API may do while it is off.
fn open(context: &Context) -> Result<(), ApiError> {
    let off = "the admin API is off: start with --web.enable-admin-api";
    context.admin.then_some(()).ok_or_else(|| forbidden(off))
}

fn forbidden(text: &str) -> ApiError {
    ApiError {
        status: StatusCode::FORBIDDEN,
        text: text.to_owned(),
    }
}

fn no_group(key: &GroupKey) -> ApiError {
    ApiError::not_found(format!("no group {}", cut(&key.to_string())))
}
