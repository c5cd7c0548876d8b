//! The gateway's data as tables. Values that are missing are shown as `-`: an
//! older or newer gateway may send less.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::args::Output;
use super::group;
use crate::duration;
use crate::table::Table;
use crate::unseen::{is_unseen, visible};

/// The data in the form that was asked for, a line feed at its end.
pub(super) fn answer(output: Output, data: &Value, table: impl FnOnce(&Value) -> String) -> String {
    match output {
        Output::Table => table(data),
        Output::Json => format!("{}\n", json(data)),
    }
}

/// JSON of several lines in which strings have escapes for all that cannot be seen.
fn json(data: &Value) -> String {
    let text = format!("{data:#}");
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unseen(char) && char != '\n' {
            // JSON's escapes are of UTF-16, where each of these is one unit.
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(char));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// Groups by their TTLs.
pub(super) fn ttls(groups: &Value) -> String {
    let heading = ["GROUP", "TTL", "SOURCE", "LAST PUSH", "EXPIRES"];
    table_of(groups, &heading, |group| {
        vec![
            labels(group),
            text(&group["ttl"]),
            text(&group["ttl_source"]),
            time(&group["last_push"]),
            expires(group),
        ]
    })
}

/// Groups by what they hold.
pub(super) fn groups(groups: &Value) -> String {
    let heading = [
        "GROUP",
        "FAMILIES",
        "SERIES",
        "PUSHES",
        "LAST PUSH",
        "PUSHER",
        "EXPIRES",
    ];
    table_of(groups, &heading, |group| {
        vec![
            labels(group),
            text(&group["families"]),
            text(&group["series"]),
            text(&group["pushes"]),
            time(&group["last_push"]),
            text(&group["last_pusher"]),
            expires(group),
        ]
    })
}

/// All about one group.
pub(super) fn group(group: &Value) -> String {
    let succeeded = match group["last_push_successful"].as_bool() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    let mut out = lines(&[
        ("group", labels(group)),
        ("ttl", text(&group["ttl"])),
        ("source", text(&group["ttl_source"])),
        ("hold", text(&group["hold"])),
        ("expires", expires(group)),
        ("expires at", time(&group["expires_at"])),
        ("created", time(&group["created"])),
        ("last push", time(&group["last_push"])),
        ("succeeded", succeeded.to_owned()),
        ("last error", last_error(&group["last_error"])),
        ("override", pinned(&group["override"])),
        ("pushes", text(&group["pushes"])),
        ("pusher", text(&group["last_pusher"])),
        ("agent", text(&group["user_agent"])),
        ("series", text(&group["series"])),
    ]);
    if let Some(families) = group["family_list"]
        .as_array()
        .filter(|list| !list.is_empty())
    {
        let mut table = Table::new(&["FAMILY", "TYPE", "SERIES", "LAST PUSH"]);
        for family in families {
            table.row([
                text(&family["name"]),
                text(&family["type"]),
                text(&family["series"]),
                time(&family["last_push"]),
            ]);
        }
        out = format!("{out}\n{table}");
    }
    out
}

/// The TTL settings in force.
pub(super) fn overview(ttl: &Value) -> String {
    let paused = &ttl["paused"];
    let paused = if paused.is_object() {
        ending(paused)
    } else {
        "no".to_owned()
    };
    let by_source = ttl["groups_by_source"].as_object().into_iter().flatten();
    let by_source: Vec<String> = by_source
        .map(|(source, count)| format!("{source} {}", text(count)))
        .collect();
    let mut out = lines(&[
        ("default", text(&ttl["default"])),
        ("min", text(&ttl["min"])),
        ("max", text(&ttl["max"])),
        ("client", text(&ttl["client"])),
        ("groups", by_source.join(", ")),
        ("next expiry", time(&ttl["next_expiry"])),
        ("paused", paused),
    ]);
    for warning in ttl["warnings"].as_array().into_iter().flatten() {
        out += &lines(&[("warning", text(warning))]);
    }
    if let Some(rules) = ttl["rules"].as_array().filter(|rules| !rules.is_empty()) {
        let mut table = Table::new(&["RULE", "TTL", "HOLD", "GROUPS"]);
        for rule in rules {
            table.row(["name", "ttl", "hold", "selector"].map(|field| text(&rule[field])));
        }
        out = format!("{out}\n{table}");
    }
    out
}

/// Why a group has its TTL; or each of several.
pub(super) fn explanations(data: &Value) -> String {
    let several = data["groups"].as_array();
    let several = several.map_or(std::slice::from_ref(data), Vec::as_slice);
    let several: Vec<String> = several.iter().map(explanation).collect();
    several.join("\n")
}

fn explanation(explanation: &Value) -> String {
    let mut table = Table::new(&["SOURCE", "TTL", "OUTCOME", "WHY"]);
    for step in explanation["chain"].as_array().into_iter().flatten() {
        let outcome = text(&step["outcome"]).replace('_', " ");
        table.row([
            text(&step["source"]),
            text(&step["ttl"]),
            outcome,
            text(&step["why"]),
        ]);
    }
    let head = lines(&[
        ("group", labels(explanation)),
        ("ttl", text(&explanation["ttl"])),
        ("source", text(&explanation["ttl_source"])),
        ("hold", text(&explanation["hold"])),
    ]);
    format!("{head}\n{table}")
}

/// The groups of the first hundred labels, one a line, indented.
pub(super) fn label_lines(data: &Value) -> String {
    let labels = data["labels"].as_array().map_or(&[][..], Vec::as_slice);
    let mut lines: Vec<String> = labels
        .iter()
        .map(|labels| format!("  {}\n", of_labels(labels)))
        .collect();
    let all = data["groups"].as_u64().unwrap_or_default();
    let more = all.saturating_sub(labels.len() as u64);
    if !lines.is_empty() && more > 0 {
        lines.push(format!("  and {more} more\n"));
    }
    lines.concat()
}

/// `1 group`, `5 groups`.
pub(super) fn count(groups: u64) -> String {
    match groups {
        1 => "1 group".to_owned(),
        groups => format!("{groups} groups"),
    }
}

fn table_of(groups: &Value, heading: &[&str], row: impl Fn(&Value) -> Vec<String>) -> String {
    let mut table = Table::new(heading);
    for group in groups["groups"].as_array().into_iter().flatten() {
        table.row(row(group));
    }
    let mut out = table.to_string();
    if groups["next_cursor"].is_string() {
        out.push_str("there are more: raise --limit, 0 is all\n");
    }
    out
}

fn lines(pairs: &[(&str, String)]) -> String {
    let line = |(name, value): &(&str, String)| format!("{name:<12} {}\n", visible(value));
    let lines: Vec<String> = pairs.iter().map(line).collect();
    lines.concat()
}

fn labels(group: &Value) -> String {
    of_labels(&group["labels"])
}

fn of_labels(labels: &Value) -> String {
    let labels = labels.as_object().into_iter().flatten();
    let labels = labels.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    visible(&group::shown(labels))
}

/// A number or a text; `-` for null.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// A time without its fraction of a second.
fn time(value: &Value) -> String {
    let time = text(value);
    match time.split_once('.') {
        Some((whole, fraction)) if fraction.ends_with('Z') => format!("{whole}Z"),
        _ => time,
    }
}

/// What the last rejected push was told, and when.
fn last_error(error: &Value) -> String {
    if error.is_object() {
        format!("{} ({})", text(&error["text"]), time(&error["at"]))
    } else {
        "-".to_owned()
    }
}

fn pinned(pinned: &Value) -> String {
    if pinned.is_object() {
        format!("{} {}", text(&pinned["ttl"]), ending(pinned))
    } else {
        "-".to_owned()
    }
}

/// `until ..., by 10.0.0.7: moving house`, for a pause or an override.
fn ending(what: &Value) -> String {
    let until = if what["until"].is_string() {
        format!("until {}", time(&what["until"]))
    } else {
        "without end".to_owned()
    };
    format!(
        "{until}, by {}: {}",
        text(&what["by"]),
        text(&what["reason"])
    )
}

/// `8d (rule:backups)`.
pub(super) fn ttl_and_source(group: &Value) -> String {
    let (ttl, source) = (text(&group["ttl"]), text(&group["ttl_source"]));
    visible(&format!("{ttl} ({source})"))
}

/// When a group expires after a change, as the end of a sentence.
pub(super) fn then_expires(data: &Value) -> String {
    match &data["expires_at"] {
        Value::String(_) => format!("; it expires at {}", time(&data["expires_at"])),
        Value::Null if data.is_object() => "; it does not expire".to_owned(),
        _ => String::new(),
    }
}

/// `in 7d23h`, `never`, `overdue 5m`, or when it did.
fn expires(group: &Value) -> String {
    match group["expires_in_seconds"].as_f64() {
        Some(seconds) if seconds >= 0.0 => format!("in {}", rough(seconds)),
        Some(seconds) => format!("overdue {}", rough(-seconds)),
        None if group["ended_at"].is_string() => {
            format!("{} {}", text(&group["end"]), time(&group["ended_at"]))
        }
        None if group["ttl"] == "never" => "never".to_owned(),
        None => "-".to_owned(),
    }
}

/// The two largest units: nobody needs the seconds of a week.
fn rough(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds)
        .unwrap_or(Duration::MAX)
        .as_secs();
    let unit = match whole {
        86_400.. => 3600,
        3600.. => 60,
        _ => 1,
    };
    duration::format(Duration::from_secs(whole / unit * unit))
}
