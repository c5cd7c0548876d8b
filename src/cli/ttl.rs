//! `tidegate ttl`.

use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::args::{AnyGroup, Output, Sort, Target, TtlCommand};
use super::change::Change;
use super::client::Client;
use super::groups::{list, pages, selectors};
use super::render::{self, answer};
use super::{Ask, Failure, group, overrides};
use crate::model::Selector;
use crate::ttl::Ttl;

pub(super) fn run(target: &Target, what: &TtlCommand, ask: Ask<'_>) -> Result<String, Failure> {
    let client = Client::new(target)?;
    let output = target.output;
    let (data, done) = match what {
        TtlCommand::List(listing) => {
            let groups = list(&client, listing, Sort::Expires)?;
            return Ok(answer(output, &groups, render::ttls));
        }
        TtlCommand::Show { group } => return show(&client, output, group),
        TtlCommand::Explain { group, matching } => {
            let data = explain(&client, group, matching)?;
            return Ok(answer(output, &data, render::explanations));
        }
        TtlCommand::Reap(caution) => return reap().run(&client, output, *caution, ask),
        TtlCommand::Set { groups, new } => {
            return overrides::set(&client, output, groups, new, ask);
        }
        TtlCommand::Unset(groups) => return overrides::unset(&client, output, groups, ask),
        TtlCommand::Touch { group } => {
            let path = format!("/api/v1/admin/touch/{}", group::path(&group.labels)?);
            let data = client.post(&path, &[], None)?;
            let then = render::then_expires(&data);
            let done = format!(
                "the TTL clock of {} starts anew{then}",
                group::named(&group.labels)
            );
            (data, done)
        }
        TtlCommand::Pause { span, reason } => {
            let body = body(None, span.as_deref(), reason.as_deref());
            let data = client.post("/api/v1/admin/ttl/pause", &[], Some(&body))?;
            let until = match span {
                Some(span) => format!("for {span}"),
                None => "until `tidegate ttl resume`".to_owned(),
            };
            (data, format!("nothing expires {until}"))
        }
        TtlCommand::Resume => {
            let data = client.post("/api/v1/admin/ttl/resume", &[], None)?;
            (data, "the pause is over".to_owned())
        }
    };
    Ok(answer(output, &data, |_| format!("{done}\n")))
}

fn reap() -> Change {
    Change {
        method: Method::POST,
        path: "/api/v1/admin/ttl/reap",
        query: Vec::new(),
        body: None,
        verb: "reap",
        done: "reaped",
        rest: String::new(),
    }
}

fn show(client: &Client, output: Output, group: &AnyGroup) -> Result<String, Failure> {
    if group.labels.is_empty() {
        let data = client.get("/api/v1/ttl", &[])?;
        return Ok(answer(output, &data, render::overview));
    }
    let path = group::path(&group.labels)?;
    let data = client.get(&format!("/api/v1/groups/{path}"), &[])?;
    Ok(answer(output, &data, render::group))
}

fn explain(client: &Client, group: &AnyGroup, matching: &[Selector]) -> Result<Value, Failure> {
    if !group.labels.is_empty() {
        let path = group::path(&group.labels)?;
        return client.get(&format!("/api/v1/ttl/explain/{path}"), &[]);
    }
    if matching.is_empty() {
        let text = "name a group, such as job=backup, or give --match";
        return Err(Failure::Refused(text.to_owned()));
    }
    pages(
        client,
        "/api/v1/ttl/explain",
        &selectors(matching),
        usize::MAX,
    )
}

/// What was given and nothing else.
pub(super) fn body(ttl: Option<Ttl>, span: Option<&str>, reason: Option<&str>) -> Value {
    let given = [
        ("ttl", ttl.map(|ttl| ttl.to_string())),
        ("for", span.map(str::to_owned)),
        ("reason", reason.map(str::to_owned)),
    ];
    let given = given
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Value::Object(given.collect::<Map<String, Value>>())
}
