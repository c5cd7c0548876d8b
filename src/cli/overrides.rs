//! `tidegate ttl set` and `tidegate ttl unset`.

use ureq::http::Method;

use super::args::{NewTtl, Output, Overridden};
use super::change::Change;
use super::client::Client;
use super::groups::selectors;
use super::render::{self, answer};
use super::{Ask, Failure, group, ttl};

const ALL: &str = "/api/v1/admin/ttl";

/// Overrides the TTL of one group, or of all that match.
pub(super) fn set(
    client: &Client,
    output: Output,
    groups: &Overridden,
    new: &NewTtl,
    ask: Ask<'_>,
) -> Result<String, Failure> {
    let NewTtl { ttl, span, reason } = new;
    let body = ttl::body(Some(*ttl), span.as_deref(), reason.as_deref());
    let span = span
        .as_ref()
        .map_or(String::new(), |span| format!(" for {span}"));
    if !groups.matching.selectors.is_empty() {
        let change = Change {
            method: Method::PUT,
            path: ALL,
            query: selectors(&groups.matching.selectors),
            body: Some(body),
            verb: "set the TTL of",
            done: "set the TTL of",
            rest: format!(" to {ttl}{span}"),
        };
        return change.run(client, output, groups.caution, ask);
    }
    let (name, path) = one(groups)?;
    if groups.caution.dry_run {
        return would(
            client,
            output,
            &path,
            &format!("set the TTL of {name} to {ttl}{span}"),
        );
    }
    let data = client.put(&format!("{ALL}/{path}"), &body)?;
    let then = render::then_expires(&data);
    let done = format!("the TTL of {name} is {ttl}{span}{then}\n");
    Ok(answer(output, &data, |_| done))
}

/// Takes back the override of one group, or those of all that match.
pub(super) fn unset(
    client: &Client,
    output: Output,
    groups: &Overridden,
    ask: Ask<'_>,
) -> Result<String, Failure> {
    if !groups.matching.selectors.is_empty() {
        let change = Change {
            method: Method::DELETE,
            path: ALL,
            query: selectors(&groups.matching.selectors),
            body: None,
            verb: "take back the override of",
            done: "took back the override of",
            rest: String::new(),
        };
        return change.run(client, output, groups.caution, ask);
    }
    let (name, path) = one(groups)?;
    if groups.caution.dry_run {
        return would(
            client,
            output,
            &path,
            &format!("take back the override of {name}"),
        );
    }
    let data = client.delete(&format!("{ALL}/{path}"))?;
    let then = render::then_expires(&data);
    let done = format!("the override of {name} is taken back{then}\n");
    Ok(answer(output, &data, |_| done))
}

/// The group that is named: for people, and for addresses.
fn one(groups: &Overridden) -> Result<(String, String), Failure> {
    let labels = &groups.group.labels;
    Ok((group::named(labels), group::path(labels)?))
}

/// A dry run for one group: it has to be there, and is shown as it is.
fn would(client: &Client, output: Output, path: &str, what: &str) -> Result<String, Failure> {
    let group = client.get(&format!("/api/v1/groups/{path}"), &[])?;
    Ok(answer(output, &group, |group| {
        let now = render::ttl_and_source(group);
        format!("would {what}; it is {now}\n")
    }))
}
