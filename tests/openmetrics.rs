//! OpenMetrics against the official Python client: what it writes comes out of the gateway with the
//! same values, and what its parser reads is read the same here.

mod support;

#[path = "openmetrics/documents.rs"]
mod documents;
#[path = "openmetrics/samples.rs"]
mod samples;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use documents::document;
use samples::{Family, flatten};
use support::in_process::InProcess;
use support::random::Seeded;
use support::{output, python_tool, repository_file};
use tidegate::clock::Clock;
use tidegate::format::name::NameRule;
use tidegate::format::openmetrics::parse;
use tidegate::model::{GroupKey, Value};
use tidegate::store::{Place, Store, decode_metrics};

/// Documents of one run; `TIDEGATE_DOCUMENTS` sets another number.
const DOCUMENTS: usize = 4000;

/// What the official parser takes and we refuse: a document without its last line, a part of our
/// error, and why.
const STRICTER: &[(&str, &str, &str)] = &[
    (
        "a{ x=\"1\"} 1\n",
        "expected the name of a label",
        "it strips blanks inside braces, the grammar has none",
    ),
    ("a{x=\"1\" } 1\n", "expected ',' or '}'", "the same"),
    (
        "a{x =\"1\"} 1\n",
        "expected \"=\"",
        "the same; and it takes colons in the names of labels",
    ),
    ("a{x= \"1\"} 1\n", "expected \"\\\"\"", "the same"),
    (
        "a{x=\"1\"}_1\n",
        "expected \" \"",
        "it skips any one character behind the labels",
    ),
    (
        "#x TYPE a gauge\n",
        "expected # HELP",
        "it takes any word that begins with #, and any number of blanks",
    ),
    (
        "# TYPE  a gauge\n",
        "expected the name of a metric",
        "the same",
    ),
    (
        "a 1e400\n",
        "as value, found",
        "it reads numbers out of range as infinite, and NaN with a sign",
    ),
    (
        "# TYPE c counter\nc_total 1 # {} +nan\n",
        "as value of the exemplar, found",
        "the same",
    ),
    (
        "# TYPE h histogram\nh_bucket{le=\"1_0\"} 1\nh_bucket{le=\"+Inf\"} 1\n",
        "as label le, found",
        "it takes whatever Python makes a number of",
    ),
    (
        "# TYPE s summary\ns{quantile=\"0.1_0\"} 1\n",
        "a label quantile from 0 to 1",
        "the same",
    ),
    (
        "# TYPE c counter\nc_total 1\nc_created NaN\n",
        "a _created value is no time",
        "it takes NaN and infinity for a time",
    ),
    (
        "a 1 1e200\n",
        "seconds since 1970",
        "it takes times out of range",
    ),
    (
        "# TYPE c counter\nc_created 1\n",
        "has no _total",
        "the specification wants one",
    ),
    (
        "# TYPE c counter\nc_total 1\nc_total 1\n",
        "a second _",
        "it drops a sample that is given twice",
    ),
    (
        "# TYPE s summary\ns{quantile=\"1\"} 1\ns{quantile=\"1\"} 1\n",
        "a quantile is given twice",
        "the same",
    ),
    (
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\n",
        "buckets are not in order",
        "the same",
    ),
    (
        "{__name__=\"a\"} 1\n",
        "label name \"__name__\" is reserved",
        "it takes it for the name of the metric",
    ),
    (
        "a{\"\"=\"1\"} 1\n",
        "invalid label name \"\"",
        "a name has at least one character",
    ),
    (
        "# TYPE s summary\ns_count 1e30\n",
        "no whole number",
        "counts from 2^64 on fit no summary or histogram",
    ),
];

#[test]
fn what_the_python_client_writes_comes_out_with_the_same_values() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = Place::folder(folder.path());
    let gateway = InProcess::start(place.clone(), Clock::system()).expect("a start");
    let script = repository_file("tests/openmetrics/client.py");
    let mut client = Command::new(python_tool("python"));
    let client = client.arg(script).arg(gateway.address().to_string());
    assert_eq!(output(client), "", "samples that differ");
    drop(gateway);

    // What no text can show is in the store.
    let store = Store::open(&place).expect("the closed store").store;
    let key = GroupKey::new("om", &BTreeMap::new());
    let found = store.detail(&key).expect("a row").expect("the group");
    let series = |name: &str| {
        let mut families = found.families.iter();
        let (facts, _) = families
            .find(|(facts, _)| facts.name == name)
            .expect("a family");
        decode_metrics(&facts.metrics).expect("series that can be read")
    };
    let requests = series("requests_total");
    let Value::Number(_, Some(details)) = &requests[0].value else {
        panic!("{requests:?}")
    };
    assert!(details.created.is_some());
    let exemplar = details.exemplar.as_ref().expect("an exemplar");
    assert!(
        exemplar.value > 6.9 && exemplar.timestamp.is_some(),
        "{exemplar:?}"
    );
    assert_eq!(exemplar.labels[0].value, "a \"b\"");
    let latency = series("latency_seconds");
    let Value::Histogram(histogram) = &latency[0].value else {
        panic!("{latency:?}")
    };
    assert!(histogram.created.is_some());
    let exemplar = histogram.buckets[1].exemplar.as_ref().expect("an exemplar");
    assert_eq!(exemplar.labels[0].value, "5bf92f");
}

/// The official parser's answers, in order.
fn twin(documents: &[String]) -> Vec<Option<Vec<Family>>> {
    let mut python = Command::new(python_tool("python"))
        .arg(repository_file("tests/openmetrics/twin.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let input = serde_json::to_vec(documents).expect("JSON");
    let mut stdin = python.stdin.take().expect("its input");
    stdin.write_all(&input).expect("it reads");
    drop(stdin);
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("JSON of families")
}

#[test]
fn where_we_are_stricter_the_official_parser_takes_the_document() {
    let documents = STRICTER.iter().map(|(lines, ..)| format!("{lines}# EOF\n"));
    let documents: Vec<String> = documents.collect();
    for ((document, theirs), (_, part, _)) in documents.iter().zip(twin(&documents)).zip(STRICTER) {
        let error = parse(document.as_bytes(), NameRule::Utf8).expect_err(document);
        assert!(error.message.contains(part), "{error}: {document}");
        assert!(
            theirs.is_some(),
            "the official parser refuses too\n{document}"
        );
    }
}

#[test]
fn what_the_official_parser_reads_is_read_the_same() {
    let count = std::env::var("TIDEGATE_DOCUMENTS").ok();
    let count = count.map_or(DOCUMENTS, |count| count.parse().expect("a number"));
    let documents: Vec<String> = (0..count as u64)
        .map(|seed| document(&mut Seeded::new(seed)))
        .collect();
    let (mut both, mut used) = (0, BTreeMap::<&str, usize>::new());
    let mut unknown = Vec::new();
    for (document, theirs) in documents.iter().zip(twin(&documents)) {
        let Some(theirs) = theirs.map(samples::sorted) else {
            continue;
        };
        match parse(document.as_bytes(), NameRule::Utf8).map(|ours| flatten(&ours)) {
            Ok(ours) if ours == theirs => both += 1,
            Ok(ours) => unknown.push(format!("{document}{ours:#?}\nand theirs {theirs:#?}")),
            Err(error) => {
                let known = |row: &&(&str, &str, &str)| error.message.contains(row.1);
                match STRICTER.iter().find(known) {
                    Some((_, part, _)) => *used.entry(part).or_default() += 1,
                    None => unknown.push(format!("{document}{error}")),
                }
            }
        }
    }
    let some = &unknown[..unknown.len().min(10)];
    assert!(
        unknown.is_empty(),
        "{} of {count} differ: {}",
        unknown.len(),
        some.join("\n\n")
    );
    println!("{both} read by both of {count}; refused here alone: {used:?}");
    assert!(both > count / 4, "only {both} of {count} were read by both");
    let refused: usize = used.values().sum();
    assert!(
        refused < count / 20,
        "{refused} of {count} refused here alone: {used:?}"
    );
}
