//! Bodies that 1.5.1 treats otherwise than 1.11, the target: what our text parser makes of
//! them, and what the real Pushgateway 1.5.1 does, so that a difference that is gone is
//! noticed. Where both are the same `differential` compares them.

mod support;

use std::collections::BTreeMap;

use support::http::{Response, request};
use support::pushgateway::Pushgateway;
use tidegate::format::name::NameRule;
use tidegate::format::text_read::{TextError, parse};
use tidegate::format::text_write::{Identity, write_header, write_metrics};
use tidegate::model::{Family, GroupKey};

/// How Pushgateway 1.5.1 treats a body beside our parser.
enum Old {
    /// Refused with this text, where 1.11 reads it.
    Refuses(&'static str, &'static str),
    /// Accepted, where 1.11 refuses or stores something else.
    Accepts(&'static str),
}

use Old::{Accepts, Refuses};

const FLOATS: &str = "1.11 keeps histogram counts that are not whole, and refuses negatives";
const QUOTED: &str = "quoted names and names in braces came with 1.8";
const NAME: &str = "text format parsing error in line 1: invalid metric name";

const CASES: &[(&[u8], Old)] = &[
    (
        b"# HELP a \\\"\na 1\n",
        Refuses(
            "1.11 takes \\\" in a HELP text",
            "text format parsing error in line 1: invalid escape sequence '\\\"'",
        ),
    ),
    (b"\"a\" 1\n", Refuses(QUOTED, NAME)),
    (b"{\"a\",x=\"1\"} 1\n", Refuses(QUOTED, NAME)),
    (b"{a} 1\n", Refuses(QUOTED, NAME)),
    (
        b"a{\"x\"=\"1\"} 1\n",
        Refuses(
            QUOTED,
            "text format parsing error in line 1: invalid label name for metric \"a\"",
        ),
    ),
    (
        b"# TYPE \"a\" gauge\na 1\n",
        Refuses(
            QUOTED,
            "text format parsing error in line 1: invalid metric name in comment",
        ),
    ),
    (b"# TYPE h histogram\nh_count 1.5\n", Accepts(FLOATS)),
    (
        b"# TYPE h histogram\nh_bucket{le=\"1\"} NaN\nh_count 1\n",
        Accepts(FLOATS),
    ),
    (b"# TYPE h histogram\nh_count -1\n", Accepts(FLOATS)),
    (
        b"# TYPE h histogram\nh_bucket{le=\"1\"} -0.5\n",
        Accepts(FLOATS),
    ),
    (
        b"# TYPE h gaugehistogram\nh_count 2\n",
        Refuses(
            "gauge histograms came later",
            "text format parsing error in line 1: unknown metric type \"gaugehistogram\"",
        ),
    ),
];

#[test]
fn what_1_5_1_treats_otherwise_is_read_as_1_11_does() {
    let gateway = Pushgateway::start();
    for (number, (body, old)) in CASES.iter().enumerate() {
        let job = format!("case{number}");
        let path = format!("/metrics/job/{job}");
        let answer = request(gateway.addr, "PUT", &path, &[], body);
        let exposed = request(gateway.addr, "GET", "/metrics", &[], b"");
        // Groups of other cases could clash in type; a delete is ordered before the next push.
        let deleted = request(gateway.addr, "DELETE", &path, &[], b"");
        assert_eq!(
            (exposed.status, deleted.status),
            (200, 202),
            "case {number}"
        );
        let shown = String::from_utf8_lossy(body);
        check(&job, &parse(body, NameRule::Legacy), old, &answer, &exposed)
            .unwrap_or_else(|e| panic!("case {number} {shown:?}: {e}"));
    }
}

type Parsed<'a> = Result<Vec<Family<'a>>, TextError>;

fn check(
    job: &str,
    ours: &Parsed<'_>,
    old: &Old,
    answer: &Response,
    exposed: &Response,
) -> Result<(), String> {
    let text = answer.text();
    match (old, ours) {
        (Refuses(why, message), Ok(_)) => same(
            "answer",
            &(answer.status, text),
            &(400, format!("{message}\n")),
        )
        .map_err(|e| format!("{e}\nno longer as told: {why}")),
        (Accepts(_), Err(_)) => same("status", &answer.status, &200),
        (Accepts(why), Ok(families)) => {
            same("status", &answer.status, &200)?;
            let alike =
                families_of(&exposed.text(), job) == families_of(&rendered(families, job), job);
            if alike {
                Err(format!("no longer differs: {why}"))
            } else {
                Ok(())
            }
        }
        (Refuses(..), Err(e)) => Err(format!("we refuse it: {e}")),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, theirs: &T, ours: &T) -> Result<(), String> {
    let shown = || format!("{what} differs\ntheirs: {theirs:#?}\n  ours: {ours:#?}");
    if theirs == ours { Ok(()) } else { Err(shown()) }
}

/// The exposition of a group of this job that holds just these families.
fn rendered(families: &[Family<'_>], job: &str) -> String {
    let identity = Identity::new(&GroupKey::new(job, &BTreeMap::new()));
    let mut out = Vec::new();
    for family in families {
        let mut family = family.clone();
        for metric in &mut family.metrics {
            metric.labels.retain(|label| label.name != "job");
            metric.labels.sort();
        }
        write_header(&mut out, &family.name, family.kind, family.help.as_deref());
        write_metrics(&mut out, &family, &identity);
    }
    String::from_utf8(out).expect("an exposition is text")
}

/// The families that hold lines of this job, by name: their header and those
/// lines. Series are sorted, as the Pushgateway sorts them and we do not; the
/// lines of one series stay in order.
fn families_of(exposition: &str, job: &str) -> BTreeMap<String, Vec<String>> {
    let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = "";
    for line in exposition.split_terminator('\n') {
        if let Some(header) = line.strip_prefix("# ") {
            name = header.split(' ').nth(1).unwrap_or_default();
        }
        if line.starts_with('#') || line.contains(&format!("job=\"{job}\"")) {
            families
                .entry(name.to_owned())
                .or_default()
                .push(line.to_owned());
        }
    }
    families.retain(|name, lines| {
        lines.sort_by_key(|line| series(line).to_owned());
        let sampled = lines.iter().any(|line| !line.starts_with('#'));
        sampled
            && !matches!(
                name.as_str(),
                "push_time_seconds" | "push_failure_time_seconds"
            )
    });
    families
}

/// The labels of a line but the bound of its bucket or quantile; of a comment nothing.
fn series(line: &str) -> &str {
    let (Some(start), Some(end)) = (line.find('{'), line.rfind('}')) else {
        return "";
    };
    if line.starts_with('#') {
        return "";
    }
    let labels = &line[start..end];
    let bound = labels
        .rfind(",le=\"")
        .or_else(|| labels.rfind(",quantile=\""));
    bound.map_or(labels, |bound| &labels[..bound])
}
