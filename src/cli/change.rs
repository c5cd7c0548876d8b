//! Requests that change many groups, can be tried first, and ask before they are done.

use serde_json::Value;
use ureq::http::Method;

use super::args::{Caution, Output};
use super::client::Client;
use super::render::{self, answer, count};
use super::{Ask, Failure, consent};

/// Such a request, and its words: `delete 3 groups`, `set the TTL of 3 groups to 6h`.
pub(super) struct Change {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    /// Before the number of groups, for what would be done.
    pub(super) verb: &'static str,
    /// The same for what was done.
    pub(super) done: &'static str,
    /// Behind the number of groups.
    pub(super) rest: String,
}

impl Change {
    /// Asks first, unless told not to, with the groups it is about.
    pub(super) fn run(
        &self,
        client: &Client,
        output: Output,
        caution: Caution,
        ask: Ask<'_>,
    ) -> Result<String, Failure> {
        let Self {
            verb, done, rest, ..
        } = self;
        if caution.dry_run || !caution.yes {
            let found = self.send(client, true)?;
            let groups = groups_of(&found);
            if caution.dry_run || groups == 0 {
                let text = |data: &Value| {
                    let labels = render::label_lines(data);
                    format!("would {verb} {}{rest}\n{labels}", count(groups))
                };
                return Ok(answer(output, &found, text));
            }
            let labels = render::label_lines(&found);
            let question = format!("{labels}{verb} {}{rest}?", count(groups));
            consent(&question, ask)?;
        }
        let changed = self.send(client, false)?;
        let text = |data: &Value| format!("{done} {}{rest}\n", count(groups_of(data)));
        Ok(answer(output, &changed, text))
    }

    fn send(&self, client: &Client, dry_run: bool) -> Result<Value, Failure> {
        let mut query = self.query.clone();
        query.extend(dry_run.then(|| ("dry_run", "true".to_owned())));
        let method = self.method.clone();
        client.data(method, self.path, &query, self.body.as_ref())
    }
}

fn groups_of(data: &Value) -> u64 {
    data["groups"].as_u64().unwrap_or_default()
}
