//! The same bodies to our text parser and to the real Pushgateway 1.5.1: the
//! same answer, and the same exposition of what was accepted. The target is
//! 1.11, so a case where 1.5.1 is known to differ says why and what it answers.

mod support;

use std::collections::BTreeMap;

use support::http::{Response, request};
use support::pushgateway::Pushgateway;
use tidegate::format::text_read::{TextError, parse};
use tidegate::format::text_write::{Identity, write_header, write_metrics};
use tidegate::model::{Family, GroupKey};

/// How Pushgateway 1.5.1 treats a body beside our parser.
enum Old {
    /// Alike.
    Same,
    /// Read alike, then refused by the consistency check.
    CheckRefuses,
    /// Refused with this text, where 1.11 reads it.
    Refuses(&'static str, &'static str),
    /// Accepted, where 1.11 refuses or stores something else.
    Accepts(&'static str),
}

use Old::{Accepts, CheckRefuses, Refuses, Same};

const FLOATS: &str = "1.11 keeps histogram counts that are not whole, and refuses negatives";
const QUOTED: &str = "quoted names and names in braces came with 1.8";
const NAME: &str = "text format parsing error in line 1: invalid metric name";

const CASES: &[(&[u8], Old)] = &[
    // Bodies without samples.
    (b"", Same),
    (b"\n", Same),
    (b"   \t", Same),
    (b"# foo\n#\n# TYPE a gauge\n# HELP b c\n", Same),
    (b"# TYPE\n# HELP\n# TYPE \n# TYPE a\n# TYPE a \n# HELP a\n# HELP a \n", Same),
    // Lines that are read.
    (b"each_lab 222.2\n", Same),
    (b"a 1\n  ", Same),
    (b"    # TYPE a gauge\n    # HELP a text\n    a{x=\"1\"} 1\n    a{x=\"2\"} 2\n", Same),
    ("# HELP a 中文\n# TYPE a counter\na 12345678901234567890\n".as_bytes(), Same),
    (b"#\tTYPE\ta\tgauge\na\t1\n", Same),
    (b"a 1\n# HELP a h \t\n", Same),
    (b"# HELP a h\r\na 1\n", Same),
    (b"# HELP a \\\\ \\n \"\na 1\n", Same),
    (b"# HELP a \\\"\na 1\n", Refuses("1.11 takes \\\" in a HELP text", "text format parsing error in line 1: invalid escape sequence '\\\"'")),
    (b"# type a gauge\n# UNIT a b\na 1\n# EOF\nb 2\n", Same),
    (b"# TYPE a GAUGE\na 1\n", Same),
    (b"# TYPE a ga\\uge\na 1\n", Same),
    (b"a{} 1\n", Same),
    (b"a{x=\"1\",} 1\n", Same),
    (b"a{x=\"1\"}1\n", Same),
    (b"a { x = \"1\" , y\t=\t\"2\" } 1\n", Same),
    (b"a{y=\"2\",x=\"1\"} 1\na{y=\"1\",x=\"1\"} 2\na 3\n", Same),
    (b":a 1\n__a:b 2\n", Same),
    (b"a{x=\"\\\\\\\"\\n\",y=\"}\",z=\"\xC3\xBC,\"} 1\n", Same),
    (b"a{x=\"\",job=\"own\",instance=\"i\"} 1\n", Same),
    (b"a{le=\"x\",quantile=\"y\"} 1\n", Same),
    (b"# TYPE b gauge\na 1\nb 1\n", Same),
    // Numbers.
    (b"a NaN\nb nan\nc Inf\nd +Inf\ne -inf\nf infinity\n", Same),
    (b"a .5\nb 5.\nc +5\nd 1E5\ne 00012\nf -0\ng 1e-400\n", Same),
    (b"a 100000\nb 999999\nc 1000000\nd 1234567\ne 12345.678\nf 0.0001\ng 0.00001\n", Same),
    (b"a 0.30000000000000004\nb 1e20\nc 1e21\nd 1e100\ne 5e-324\nf 9007199254740993\n", Same),
    (b"a 1.7976931348623157e308\nb -1.5e-7\nc 123456789\nd -999999.5\ne 2.5e-05\n", Same),
    (b"a 1e400\n", Same),
    (b"a 0x10\n", Same),
    (b"a 0x1p4\n", Same),
    (b"a 1_000\n", Same),
    (b"a 1,5\n", Same),
    (b"a +nan\n", Same),
    (b"a \n", Same),
    (b"a\n", Same),
    (b"a-b 1\n", Same),
    (b"a} 1\n", Same),
    (b"a \xFF\xC3\xBC\x01\n", Same),
    (b"a{} {} 1\n", Same),
    // The end of the body.
    (b"a 1", Same),
    (b"a", Same),
    (b"b 1\n\na{x=\"", Same),
    (b"# foo", Same),
    (b"# TYPE a", Same),
    (b"# TYPE a gauge", Same),
    (b"# HELP a b\\", Same),
    // Carriage returns, blanks, timestamps.
    (b"a 1\r\n", Same),
    (b"\r\n", Same),
    (b"# TYPE a gauge\r\n", Same),
    (b"# TYPE a gauge \n", Same),
    (b"a 1 \n", Same),
    (b"a 1 1.5\n", Same),
    (b"a 1 # {x=\"y\"} 1\n", Same),
    (b"a 1 9223372036854775808\n", Same),
    (b"a 1 2 x\n", Same),
    (b"a 1 2 \n", Same),
    (b"a 1 5\n", CheckRefuses),
    (b"a 1 +5\\\n", Same),
    (b"a 1 -5 \\\n", Same),
    // Comments.
    (b"# TYPE a unknown\n", Same),
    (b"# TYPE a info\n", Same),
    (b"# TYPE a gauge\n# TYPE a gauge\n", Same),
    (b"a 1\n# TYPE a gauge\n", Same),
    (b"# HELP a b\n\n# HELP a b\n", Same),
    (b"# HELP a b\\c\n", Same),
    (b"# HELP a b\\\n", Same),
    (b"# HELP a \\\xC3\xBC\n", Same),
    (b"# TYPE 1a gauge\n", Same),
    (b"# HELP a{} b\n", Same),
    // Names and labels.
    (b"1a 1\n", Same),
    (b"\xC3\xBC 1\n", Same),
    (b"\xEF\xBB\xBFa 1\n", Same),
    (b"\x1F\x8B\x08\x00\n", Same),
    (b"a{x=\"1\",x=\"2\"} 1\n", Same),
    (b"a{__name__=\"b\"} 1\n", Same),
    (b"a{__x=\"b\"} 1\n", CheckRefuses),
    (b"a{x} 1\n", Same),
    (b"a{x\n", Same),
    (b"a{1x=\"1\"} 1\n", Same),
    (b"a{,} 1\n", Same),
    (b"a{x=\"1\",,} 1\n", Same),
    (b"a{x='1'} 1\n", Same),
    (b"a{x=\xFF} 1\n", Same),
    (b"a{x=\"a\nb\"} 1\n", Same),
    (b"a{x=\"a\\\\\nb\"} 1\n", Same),
    (b"a{x=\"\xFF\\n\xC2\xAD\xE2\x80\xA8\"} 1\n", Same),
    (b"a{x=\"1\" 1\n", Same),
    (b"a{x=\"1\"y=\"2\"} 1\n", Same),
    (b"a{x=\"\\t\"} 1\n", Same),
    (b"a 1\na 1\n", CheckRefuses),
    (b"a{instance=\"\"} 1\na 1\n", CheckRefuses),
    (b"a{job=\"x\"} 1\na 1\n", CheckRefuses),
    (b"{} 1\n", Same),
    (b"a 1\n{} 1\n", Same),
    (b"\"a\" 1\n", Refuses(QUOTED, NAME)),
    (b"{\"a\",x=\"1\"} 1\n", Refuses(QUOTED, NAME)),
    (b"{a} 1\n", Refuses(QUOTED, NAME)),
    (b"a{\"x\"=\"1\"} 1\n", Refuses(QUOTED, "text format parsing error in line 1: invalid label name for metric \"a\"")),
    (b"# TYPE \"a\" gauge\na 1\n", Refuses(QUOTED, "text format parsing error in line 1: invalid metric name in comment")),
    // Histograms and summaries.
    (b"# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4.5\nh_count 3\n", Same),
    (b"# TYPE h histogram\nh_bucket{le=\"1000000\"} 2000000\nh_count 123456789\n", Same),
    (b"# TYPE h histogram\nh_bucket{le=\"2\"} 5\nh_bucket{le=\"1\"} 9\nh_bucket{le=\"2\"} 4\nh_count 3\n", Same),
    (b"# TYPE h histogram\nh_count{b=\"2\",a=\"1\"} 3\nh_sum{x=\"y\"} 7\nh_bucket{a=\"1\",le=\"1\",b=\"2\"} 1\n", Same),
    (b"# TYPE h histogram\nh 5\n", Same),
    (b"# TYPE h histogram\nh{le=\"1\"} 5\nh_count{le=\"7\"} 5\n", Same),
    (b"# TYPE h histogram\nh_bucket{le=\"NaN\"} 5\n", Same),
    (b"# TYPE h histogram\nh_count 1\nh_count 2\nh_sum 3\nh_sum 4\n", Same),
    (b"# TYPE h histogram\nh_bucket{le=\"1\",le=\"2\"} 5\n", Same),
    (b"# TYPE h histogram\n# HELP h_count x\nh_count 2\n", Same),
    (b"# HELP h x\nh_count 2\n", Same),
    (b"# TYPE h histogram\n# TYPE h_count counter\n", Same),
    (b"# TYPE h histogram\nh_bucket{le=\"x\"} 1\n", Same),
    (b"h_count 2\n# TYPE h histogram\nh_count 3\nh_sum 1\n", CheckRefuses),
    (b"h_bucket{le=\"1\"} 2\nh_sum 1\nh_count 2\n", Same),
    (b"# TYPE h gauge\nh{le=\"5\"} 2\n", Same),
    (b"# TYPE _count histogram\n_count 1\n", Same),
    (b"# TYPE h histogram\nh_count 1.5\n", Accepts(FLOATS)),
    (b"# TYPE h histogram\nh_bucket{le=\"1\"} NaN\nh_count 1\n", Accepts(FLOATS)),
    (b"# TYPE h histogram\nh_count -1\n", Accepts(FLOATS)),
    (b"# TYPE h histogram\nh_bucket{le=\"1\"} -0.5\n", Accepts(FLOATS)),
    (b"# TYPE s summary\ns{quantile=\"0.5\"} 2\ns{quantile=\"7\"} NaN\ns_sum 4.5\ns_count 3\n", Same),
    (b"# TYPE s summary\ns_count{x=\"1\"} 1.9\ns_count{x=\"2\"} -1\ns_count{x=\"3\"} -2.5\n", Same),
    (b"# TYPE s summary\ns_count{x=\"1\"} NaN\ns_count{x=\"2\"} 1e20\ns_count{x=\"3\"} -1e20\n", Same),
    (b"# TYPE s summary\ns_count{x=\"1\"} +Inf\ns_count{x=\"2\"} -Inf\ns_count{x=\"3\"} 1e19\n", Same),
    (b"# TYPE s summary\ns 5\ns_bucket{le=\"1\"} 2\n", Same),
    (b"# TYPE s summary\ns{quantile=\"\"} 1\n", Same),
    (b"# TYPE h gaugehistogram\nh_count 2\n", Refuses("gauge histograms came later", "text format parsing error in line 1: unknown metric type \"gaugehistogram\"")),
];

#[test]
fn answers_and_exposition_are_those_of_the_pushgateway() {
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
        check(&job, &parse(body), old, &answer, &exposed)
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
        (Same, Ok(families)) => {
            same("status", &answer.status, &200)?;
            let theirs = families_of(&exposed.text(), job);
            same(
                "exposition",
                &theirs,
                &families_of(&rendered(families, job), job),
            )
        }
        (Same, Err(e)) => same("answer", &(answer.status, text), &(400, format!("{e}\n"))),
        (CheckRefuses, Ok(_)) => {
            same("status", &answer.status, &400)?;
            let checked = text.starts_with("pushed metrics ");
            checked
                .then_some(())
                .ok_or_else(|| format!("not a refusal of the check: {text}"))
        }
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
        (CheckRefuses | Refuses(..), Err(e)) => Err(format!("we refuse it: {e}")),
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
