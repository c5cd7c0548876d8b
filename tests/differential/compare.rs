//! Where two gateways differ after the same request, field by field.

use std::fmt;

use super::exposition::{Families, Shown};
use super::pair::{Outcome, State};
use super::support::http::Response;

/// A field in which the gateways are not alike.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    /// `status`, `body`, `header:Allow`, `scrape status`, `pushed:NAME`, `own:NAME`, `api`.
    pub(crate) field: String,
    pub(crate) theirs: String,
    pub(crate) ours: String,
}

impl Difference {
    /// Whether the sides are just these.
    pub(crate) fn is(&self, theirs: &str, ours: &str) -> bool {
        self.theirs == theirs && self.ours == ours
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n    theirs: {}\n      ours: {}",
            self.field, self.theirs, self.ours
        )
    }
}

/// Headers that say nothing of a gateway's behaviour: the time, and how a body is cut for the way.
/// Those of tidegate's own are additions, which no client of the Pushgateway looks at.
const IGNORED: &[&str] = &["date", "transfer-encoding", "content-length"];

/// All differences.
pub(crate) fn differences(outcome: &Outcome) -> Vec<Difference> {
    let (theirs, ours) = (&outcome.theirs, &outcome.ours);
    let mut found = Found::default();
    found.add("status", &theirs.answer.status, &ours.answer.status);
    headers(&mut found, &theirs.answer, &ours.answer);
    let is_get = outcome.step.method == "GET";
    let (their, our) = (body(&theirs.answer, is_get), body(&ours.answer, is_get));
    if !are_the_same_refusal(&their, &our) {
        found.text("body", &their, &our);
    }
    states(&mut found, &theirs.state, &ours.state);
    found.add("counted", &theirs.counted, &ours.counted);
    found.0
}

#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn add<T: PartialEq + fmt::Debug>(&mut self, field: &str, theirs: &T, ours: &T) {
        if theirs != ours {
            self.0.push(Difference {
                field: field.to_owned(),
                theirs: format!("{theirs:?}"),
                ours: format!("{ours:?}"),
            });
        }
    }

    fn text(&mut self, field: &str, theirs: &str, ours: &str) {
        if theirs != ours {
            self.0.push(Difference {
                field: field.to_owned(),
                theirs: theirs.to_owned(),
                ours: ours.to_owned(),
            });
        }
    }
}

fn headers(found: &mut Found, theirs: &Response, ours: &Response) {
    let mut names: Vec<String> = [theirs, ours]
        .iter()
        .flat_map(|answer| answer.headers.iter().map(|(name, _)| name.to_lowercase()))
        .filter(|name| !IGNORED.contains(&name.as_str()) && !name.starts_with("tidegate-"))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        found.text(
            &format!("header:{name}"),
            theirs.header(&name).unwrap_or("none"),
            ours.header(&name).unwrap_or("none"),
        );
    }
}

/// The part of a body that is compared here. What a scrape, the query API and the page show is
/// compared after every step, in a form of its own.
fn body(answer: &Response, is_get: bool) -> String {
    let kind = answer.header("Content-Type").unwrap_or_default();
    if is_get && answer.status == 200 && !answer.text().starts_with("OK") {
        return kind.split(';').next().unwrap_or_default().to_owned();
    }
    answer.text()
}

const CHECK: &str = "pushed metrics are invalid or inconsistent with existing metrics: ";

/// Whether both are refusals by the consistency check that name a fault in common. Which of several
/// faults the Pushgateway finds, and which side it blames, changes from run to run; and where it
/// finds that a family clashes with another group's, it does not see what else is wrong with it.
fn are_the_same_refusal(theirs: &str, ours: &str) -> bool {
    let (Some(theirs), Some(ours)) = (faults(theirs), faults(ours)) else {
        return false;
    };
    let hides = |their: &str, our: &str| {
        is_clash(their) && names(their).iter().any(|name| names(our).contains(name))
    };
    theirs
        .iter()
        .any(|their| ours.iter().any(|our| their == our || hides(their, our)))
}

/// Whether a fault without blame is one between families.
fn is_clash(fault: &str) -> bool {
    fault.ends_with(" is not of the type") || fault.starts_with("collision of ")
}

/// The families that a fault without blame is about.
fn names(fault: &str) -> Vec<&str> {
    match fault.strip_prefix("collision of ") {
        Some(names) => names.split(" and ").collect(),
        None => fault.split('"').nth(1).into_iter().collect(),
    }
}

/// The faults in the answer of a refused push, without dumps of series and without blame.
fn faults(text: &str) -> Option<Vec<String>> {
    let faults = without_dumps(text.strip_prefix(CHECK)?.strip_suffix('\n')?);
    let faults = match faults.split_once(" error(s) occurred:\n* ") {
        Some((_, faults)) => faults.split("\n* ").map(without_blame).collect(),
        None => vec![without_blame(&faults)],
    };
    Some(faults)
}

/// A type that does not agree, and two names that collide, without saying whose fault it is.
fn without_blame(fault: &str) -> String {
    if let Some((family, _)) = fault.split_once("{M} is not a ") {
        return format!("{family}{{M}} is not of the type");
    }
    if !fault.contains(" collides with previously collected ") {
        return fault.to_owned();
    }
    let mut names: Vec<&str> = fault.split('"').skip(1).step_by(2).collect();
    names.sort_unstable();
    format!("collision of {}", names.join(" and "))
}

/// `{M}` for every `{ … }`, which may be nested and hold quoted braces.
fn without_dumps(text: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if depth > 0 && quoted => escaped = true,
            '"' if depth > 0 => quoted = !quoted,
            '{' if !quoted => {
                if depth == 0 {
                    out.push_str("{M}");
                }
                depth += 1;
            }
            '}' if !quoted && depth > 0 => depth -= 1,
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

fn states(found: &mut Found, theirs: &State, ours: &State) {
    found.add("scrape status", &theirs.scrape, &ours.scrape);
    let (their, our) = (&theirs.exposition, &ours.exposition);
    families(found, "pushed", &their.pushed, &our.pushed);
    families(found, "own", &described(&their.own), &described(&our.own));
    api(found, &theirs.api, &ours.api);
}

/// Own metrics without their values, which are compared as rises of counters.
fn described(own: &Families) -> Families {
    let mut own = own.clone();
    for family in own.values_mut() {
        family.samples.clear();
    }
    own
}

fn families(found: &mut Found, what: &str, theirs: &Families, ours: &Families) {
    let mut names: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let nothing = Shown::default();
    for name in names {
        let (theirs, ours) = (
            theirs.get(name).unwrap_or(&nothing),
            ours.get(name).unwrap_or(&nothing),
        );
        found.add(&format!("{what}:{name} help"), &theirs.help, &ours.help);
        found.add(&format!("{what}:{name} type"), &theirs.kind, &ours.kind);
        found.add(
            &format!("{what}:{name} samples"),
            &theirs.samples,
            &ours.samples,
        );
    }
}

/// The groups of the query API one by one.
fn api(found: &mut Found, theirs: &serde_json::Value, ours: &serde_json::Value) {
    let groups = |answer: &serde_json::Value| answer["data"].as_array().cloned();
    let (Some(their), Some(our)) = (groups(theirs), groups(ours)) else {
        found.add("api", theirs, ours);
        return;
    };
    let labels = |groups: &[serde_json::Value]| -> Vec<String> {
        groups
            .iter()
            .map(|group| group["labels"].to_string())
            .collect()
    };
    found.add("api groups", &labels(&their), &labels(&our));
    for (their, our) in their.iter().zip(&our) {
        if their["labels"] == our["labels"] {
            members(found, their, our);
        }
    }
}

fn members(found: &mut Found, theirs: &serde_json::Value, ours: &serde_json::Value) {
    let names = [theirs, ours]
        .into_iter()
        .filter_map(serde_json::Value::as_object)
        .flat_map(|group| group.keys());
    let mut names: Vec<&String> = names.collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        found.text(
            &format!("api:{name}"),
            &theirs[name].to_string(),
            &ours[name].to_string(),
        );
    }
}
