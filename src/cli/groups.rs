//! `tidegate groups`.

use serde_json::{Value, json};
use ureq::http::Method;

use super::args::{Caution, GroupState, GroupsCommand, Listing, Output, Sort, Target};
use super::change::Change;
use super::client::Client;
use super::render::{self, answer};
use super::{Ask, Failure, consent, group};
use crate::limits::API_PAGE;
use crate::model::Selector;

pub(super) fn run(target: &Target, what: &GroupsCommand, ask: Ask<'_>) -> Result<String, Failure> {
    let client = Client::new(target)?;
    match what {
        GroupsCommand::List(listing) => {
            let groups = list(&client, listing, Sort::Job)?;
            Ok(answer(target.output, &groups, render::groups))
        }
        GroupsCommand::Delete {
            group,
            caution,
            matching,
            older_than,
        } => {
            if matching.selectors.is_empty() {
                return delete_one(&client, target.output, &group.labels, *caution, ask);
            }
            let mut query = selectors(&matching.selectors);
            query.extend(older_than.clone().map(|age| ("older_than", age)));
            let removal = Change {
                method: Method::POST,
                path: "/api/v1/admin/delete_groups",
                query,
                body: None,
                verb: "delete",
                done: "deleted",
                rest: String::new(),
            };
            removal.run(&client, target.output, *caution, ask)
        }
    }
}

/// All pages of a list up to its limit, as one; `next_cursor` is null if that was all.
pub(super) fn list(client: &Client, listing: &Listing, sort: Sort) -> Result<Value, Failure> {
    let mut query = selectors(&listing.matching);
    if let Some(state) = listing.state {
        let state = match state {
            GroupState::Live => "live",
            GroupState::Overdue => "overdue",
            GroupState::Expired => "expired",
        };
        query.push(("state", state.to_owned()));
    }
    // What has expired has an order of its own, and the gateway says so to who asks for another.
    let has_own = listing.state == Some(GroupState::Expired);
    let sort = listing.sort.or((!has_own).then_some(sort));
    query.extend(sort.map(|sort| {
        let sort = match sort {
            Sort::Expires => "expires",
            Sort::LastPush => "last_push",
            Sort::Job => "job",
        };
        ("sort", sort.to_owned())
    }));
    let limit = match listing.limit {
        0 => usize::MAX,
        limit => limit,
    };
    pages(client, "/api/v1/groups", &query, limit)
}

/// All pages of what is asked for up to so many groups, as one.
pub(super) fn pages(
    client: &Client,
    path: &str,
    query: &[(&str, String)],
    limit: usize,
) -> Result<Value, Failure> {
    let mut groups: Vec<Value> = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let mut query = query.to_vec();
        query.push(("limit", API_PAGE.min(limit - groups.len()).to_string()));
        query.extend(cursor.as_str().map(|cursor| ("cursor", cursor.to_owned())));
        let mut page = client.get(path, &query)?;
        let before = groups.len();
        if let Value::Array(page) = page["groups"].take() {
            groups.extend(page);
        }
        let next = page["next_cursor"].take();
        // A page without groups and with a next one, or the same again, would never end.
        let stuck = groups.len() == before || next == cursor;
        cursor = next;
        if !cursor.is_string() || groups.len() >= limit || stuck {
            groups.truncate(limit);
            return Ok(json!({ "groups": groups, "next_cursor": cursor }));
        }
    }
}

pub(super) fn selectors(matching: &[Selector]) -> Vec<(&'static str, String)> {
    let matching = matching.iter();
    matching
        .map(|selector| ("match[]", selector.to_string()))
        .collect()
}

fn delete_one(
    client: &Client,
    output: Output,
    labels: &[(String, String)],
    caution: Caution,
    ask: Ask<'_>,
) -> Result<String, Failure> {
    let path = group::path(labels)?;
    let shown = group::named(labels);
    if caution.dry_run {
        let found = client.get(&format!("/api/v1/groups/{path}"), &[])?;
        let data = json!({ "groups": 1, "labels": [found["labels"]] });
        return Ok(answer(output, &data, |_| format!("would delete {shown}\n")));
    }
    if !caution.yes {
        consent(&format!("delete {shown}?"), ask)?;
    }
    match client.delete_group(&path)? {
        0 => Err(Failure::Refused(format!("there is no group {shown}"))),
        groups => {
            let data = json!({ "groups": groups });
            Ok(answer(output, &data, |_| format!("deleted {shown}\n")))
        }
    }
}
