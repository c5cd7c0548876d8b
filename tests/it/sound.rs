//! What every exposition has to be, whatever was pushed.

use std::collections::{HashMap, HashSet};

/// One family as it stands in an exposition.
struct Family<'a> {
    name: &'a str,
    kind: &'a str,
    /// The lines, header included.
    text: String,
    samples: Vec<&'a str>,
}

/// Panics unless families are in strict order of their names, each with one header, every sample
/// belongs to the family it stands in, no series is there twice and no suffix collides.
#[track_caller]
pub(crate) fn check(exposition: &str) {
    let families = families(exposition);
    let names = families.windows(2).all(|pair| pair[0].name < pair[1].name);
    assert!(names, "families out of order or twice:\n{exposition}");
    let kinds: HashMap<&str, &str> = families
        .iter()
        .map(|family| (family.name, family.kind))
        .collect();
    let mut seen = HashSet::new();
    for family in &families {
        assert!(
            !family.samples.is_empty(),
            "{} has no samples:\n{exposition}",
            family.name
        );
        for suffix in suffixes(family.kind) {
            let other = format!("{}{suffix}", family.name);
            assert!(
                !kinds.contains_key(other.as_str()),
                "{other} collides:\n{exposition}"
            );
        }
        for sample in &family.samples {
            let (series, _) = sample.rsplit_once(' ').expect("a series and a value");
            let name = series.split('{').next().unwrap_or_default();
            let suffix = name
                .strip_prefix(family.name)
                .expect("a sample of its family");
            let fits = suffix.is_empty() || suffixes(family.kind).contains(&suffix);
            assert!(fits, "{sample} in {}:\n{exposition}", family.name);
            assert!(seen.insert(series), "{series} twice:\n{exposition}");
        }
    }
}

/// The exposition without the families whose names are chosen.
pub(crate) fn without(exposition: &str, chosen: impl Fn(&str) -> bool) -> String {
    let families = families(exposition);
    let kept = families.into_iter().filter(|family| !chosen(family.name));
    kept.map(|family| family.text).collect()
}

/// The exposition without the gateway's own families.
pub(crate) fn without_own(exposition: &str) -> String {
    let own = ["process_", "pushgateway_", "tidegate_"];
    without(exposition, |name| {
        own.iter().any(|prefix| name.starts_with(prefix))
    })
}

fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "summary" => &["_count", "_sum"],
        "histogram" => &["_bucket", "_count", "_sum"],
        _ => &[],
    }
}

fn families(exposition: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut help = None;
    for line in exposition.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert_eq!(help, None, "two HELP lines:\n{exposition}");
            help = Some((rest.split(' ').next().unwrap_or_default(), line));
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            let text = help.take().map_or_else(String::new, |(of, line)| {
                assert_eq!(of, name, "HELP of another family:\n{exposition}");
                format!("{line}\n")
            });
            let text = format!("{text}{line}\n");
            families.push(Family {
                name,
                kind,
                text,
                samples: Vec::new(),
            });
        } else {
            assert_eq!(help, None, "HELP without TYPE:\n{exposition}");
            let family = families.last_mut().expect("a sample behind a header");
            family.samples.push(line);
            family.text.push_str(line);
            family.text.push('\n');
        }
    }
    families
}

/// A check that passes everything would make every test here worthless.
#[test]
fn unsound_expositions_are_noticed() {
    for text in [
        "# TYPE b gauge\nb 1\n# TYPE a gauge\na 1\n",
        "# TYPE a gauge\na 1\n# TYPE a gauge\na{x=\"1\"} 1\n",
        "# TYPE a gauge\na 1\na 2\n",
        "# TYPE a gauge\nb 1\n",
        "# TYPE a gauge\na_sum 1\n",
        "# TYPE a gauge\n",
        "# TYPE a summary\na_count 1\n# TYPE a_sum gauge\na_sum 1\n",
        "# HELP b x\n# TYPE a gauge\na 1\n",
        "a 1\n",
    ] {
        let checked = std::panic::catch_unwind(|| check(text));
        assert!(checked.is_err(), "{text}");
    }
    check("# HELP a x\n# TYPE a gauge\na{x=\"} 1\"} 1\na{x=\"} 2\"} 1\n");
}
