//! Documents of OpenMetrics, most of them sound but for a few changes.

use std::fmt::Write;

use crate::support::random::Seeded;

const NAMES: [&str; 6] = ["a", "b", "a_b", "req", "lat_seconds", "a_total"];
const WORDS: [&str; 5] = ["1", "x y", "", "\\\"q\\\\\\n", "ü # {"];
const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "-1.5",
    "3e2",
    "+Inf",
    "-Inf",
    "NaN",
    "1e-9",
    ".5",
    "7.",
    "1e22",
    "0.30000000000000004",
];
const COUNTS: [&str; 5] = ["0", "1", "3", "7.0", "1e3"];
/// What is put in: all that means something somewhere.
const PIECES: [&str; 27] = [
    " ", "{", "}", "\"", ",", "=", "#", "\n", "_", ".", "-", "+", "e", "1", "9", "\\", "ü", ":",
    "T", "_total", "_created", "__name__", "# EOF\n", " # {} 1", "NaN", "Inf", " 5",
];

fn pick<'a>(random: &mut Seeded, of: &[&'a str]) -> &'a str {
    let at = random.below(of.len() as u64);
    of[usize::try_from(at).expect("a small number")]
}

/// A document; one in three is changed in up to three places.
pub(crate) fn document(random: &mut Seeded) -> String {
    let mut text = String::new();
    for _ in 0..random.below(4) {
        family(random, &mut text);
    }
    text.push_str("# EOF\n");
    if random.once_in(3) {
        for _ in 0..=random.below(3) {
            change(random, &mut text);
        }
    }
    text
}

fn family(random: &mut Seeded, text: &mut String) {
    let (name, number) = (pick(random, &NAMES), random.below(100));
    let name = if random.once_in(3) {
        name.to_owned()
    } else {
        format!("n{number}_{name}")
    };
    let types = [
        "counter",
        "gauge",
        "histogram",
        "gaugehistogram",
        "info",
        "stateset",
        "summary",
        "unknown",
    ];
    let kind = pick(random, &types);
    let bare = kind == "unknown" && random.once_in(2);
    if !bare {
        let _ = writeln!(text, "# TYPE {name} {kind}");
        if random.once_in(2) {
            let _ = writeln!(text, "# HELP {name} {}", pick(random, &WORDS));
        }
        if name.ends_with("_seconds") && !matches!(kind, "info" | "stateset") {
            let _ = writeln!(text, "# UNIT {name} seconds");
        }
    }
    for at in 0..=random.below(2) {
        series(random, text, &name, kind, at);
    }
}

/// Labels of a series, each behind a comma.
fn labels(random: &mut Seeded, at: u64) -> String {
    let mut labels = format!(",nth=\"{at}\"");
    if random.once_in(2) {
        let _ = write!(labels, ",l=\"{}\"", pick(random, &WORDS));
    }
    labels
}

fn exemplar(random: &mut Seeded) -> String {
    if !random.once_in(3) {
        return String::new();
    }
    let word = pick(random, &["1", "4bf9", "x y", "ü"]);
    let time = pick(random, &["", " 5", " 1520879607.789", " 1.5e9"]);
    format!(" # {{id=\"{word}\"}} {}{time}", pick(random, &NUMBERS))
}

fn series(random: &mut Seeded, text: &mut String, name: &str, kind: &str, at: u64) {
    let labels = labels(random, at);
    let own = &labels[1..];
    let value = pick(random, &NUMBERS);
    let (count, created) = (pick(random, &COUNTS), random.once_in(2));
    let _ = match kind {
        "counter" => writeln!(text, "{name}_total{{{own}}} {count}{}", exemplar(random)),
        "info" => writeln!(text, "{name}_info{{{own}}} 1"),
        "stateset" => writeln!(
            text,
            "{name}{{{name}=\"on\"{labels}}} 1\n{name}{{{name}=\"off\"{labels}}} 0"
        ),
        "summary" => writeln!(
            text,
            "{name}_count{{{own}}} {count}\n{name}_sum{{{own}}} {count}\n\
             {name}{{quantile=\"0.5\"{labels}}} {count}\n{name}{{quantile=\"1\"{labels}}} NaN"
        ),
        "histogram" | "gaugehistogram" => {
            let g = if kind == "histogram" { "" } else { "g" };
            writeln!(
                text,
                "{name}_bucket{{le=\"0.25\"{labels}}} 0{}\n{name}_bucket{{le=\"1e3\"{labels}}} {count}\n\
                 {name}_bucket{{le=\"+Inf\"{labels}}} {count}\n\
                 {name}_{g}count{{{own}}} {count}\n{name}_{g}sum{{{own}}} 2.5",
                exemplar(random)
            )
        }
        _ => writeln!(text, "{name}{{{own}}} {value}"),
    };
    if created && matches!(kind, "counter" | "summary" | "histogram") {
        let _ = writeln!(text, "{name}_created{{{own}}} 1.5e9");
    }
}

/// One change: a line gone, doubled or moved, or characters gone or put in.
fn change(random: &mut Seeded, text: &mut String) {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    if lines.is_empty() {
        return;
    }
    let at = usize::try_from(random.below(lines.len() as u64)).expect("a small number");
    match random.below(6) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let line = lines.remove(at);
            let to = random.below(lines.len() as u64 + 1);
            lines.insert(usize::try_from(to).expect("a small number"), line);
        }
        kind => {
            let place = usize::try_from(random.below(lines[at].len() as u64)).expect("small");
            let place = lines[at].floor_char_boundary(place);
            if kind < 5 {
                lines[at].insert_str(place, pick(random, &PIECES));
            }
            if kind > 3
                && let Some(gone) = lines[at][place..].chars().next()
            {
                let end = place + gone.len_utf8();
                lines[at].replace_range(place..end, "");
            }
        }
    }
    *text = lines.concat();
}
