//! The differences that are allowed: one table, matching the README's list.
//!
//! An entry names one field of one kind of request. It is used when that field differs after such a
//! request and both sides are as the entry says.

use std::fmt::Write as _;
use std::fs;

use super::cases::Step;
use super::compare::Difference;
use super::support::repository_file;

use Stated::{Old, Readme};

/// Where the difference is stated.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stated {
    /// A number of the README's list "Differences from the Pushgateway".
    Readme(u8),
    /// 1.11 does as tidegate does; Debian's 1.5.1, which is run here, does not.
    Old,
}

impl Stated {
    /// Whether it is stated there.
    fn holds(self) -> bool {
        let Readme(number) = self else {
            return true;
        };
        let readme = fs::read_to_string(repository_file("README.md")).expect("the README");
        let list = readme.split("## Differences").nth(1).unwrap_or_default();
        let list = list.split("\n## ").next().unwrap_or_default();
        list.contains(&format!("\n{number}. "))
    }
}

/// An allowed difference.
struct Allowed {
    what: &'static str,
    stated: Stated,
    /// The kind of request.
    request: fn(&Step) -> bool,
    /// The field, or the beginning of its name where it ends in `*`.
    field: &'static str,
    /// Whether the two sides are as they should be.
    sides: fn(&Difference) -> bool,
}

const TABLE: &[Allowed] = &[
    Allowed {
        what: "HEAD is answered wherever GET is, and so named by Allow",
        stated: Readme(5),
        request: |step| step.method != "GET" && step.method != "HEAD",
        field: "header:allow",
        sides: |difference| {
            let ours = difference.ours.replace("HEAD, ", "");
            ours == difference.theirs && ours != difference.ours
        },
    },
    Allowed {
        what: "HEAD is answered wherever GET is",
        stated: Readme(5),
        request: |step| step.method == "HEAD",
        field: "status",
        sides: |difference| difference.is("405", "200"),
    },
    Allowed {
        what: "HEAD is answered wherever GET is, without Allow",
        stated: Readme(5),
        request: |step| step.method == "HEAD",
        field: "header:allow",
        sides: |difference| difference.ours == "none",
    },
    Allowed {
        what: "HEAD is answered wherever GET is, with the type of GET",
        stated: Readme(5),
        request: |step| step.method == "HEAD",
        field: "header:content-type",
        sides: |difference| difference.ours.contains("text/plain"),
    },
    Allowed {
        what: "HEAD is answered wherever GET is, and not as an error",
        stated: Readme(5),
        request: |step| step.method == "HEAD",
        field: "header:x-content-type-options",
        sides: |difference| difference.is("nosniff", "none"),
    },
    Allowed {
        what: "HEAD is answered and so counted wherever GET is",
        stated: Readme(5),
        request: |step| step.method == "HEAD",
        field: "counted",
        sides: |difference| {
            difference.theirs == "{}" && difference.ours.contains(r#"method=\"head\""#)
        },
    },
    Allowed {
        what: "the type of a scrape says how names are escaped",
        stated: Old,
        request: |step| step.method == "GET" && step.path() == "/metrics",
        field: "header:content-type",
        sides: |difference| {
            difference.ours == format!("{}; escaping=underscores", difference.theirs)
        },
    },
    Allowed {
        what: "a clash with the gateway's own metrics leaves no mark of a failure",
        stated: Readme(2),
        request: clashes_with_own,
        field: "pushed:push_failure_time_seconds*",
        sides: |_| true,
    },
    Allowed {
        what: "a clash with the gateway's own metrics leaves no push time",
        stated: Readme(2),
        request: clashes_with_own,
        field: "pushed:push_time_seconds*",
        sides: |_| true,
    },
    Allowed {
        what: "a clash with the gateway's own metrics makes no group",
        stated: Readme(2),
        request: clashes_with_own,
        field: "api groups",
        sides: |difference| difference.theirs.contains("job"),
    },
    Allowed {
        what: "of several HELP texts the smallest is shown, not a random one",
        stated: Readme(6),
        request: |step| step.path() == "/-/ready" || step.path() == "/metrics/job/b",
        field: "pushed:m help",
        sides: |difference| difference.ours == "Some(\"another text\")",
    },
    Allowed {
        what: "a metric called `labels` does not take the place of the group's labels",
        stated: Readme(11),
        request: |step| step.body.starts_with(b"labels "),
        field: "api groups",
        sides: |difference| difference.ours.contains("job"),
    },
    Allowed {
        what: "there are no profiles of a Go program",
        stated: Readme(10),
        request: |step| step.path().starts_with("/debug/pprof"),
        field: "status",
        sides: |difference| difference.is("200", "404"),
    },
    Allowed {
        what: "there are no profiles of a Go program to show",
        stated: Readme(10),
        request: |step| step.path().starts_with("/debug/pprof"),
        field: "body",
        sides: |difference| difference.ours == "404 page not found\n",
    },
    Allowed {
        what: "redirects of unclean paths keep the method",
        stated: Readme(5),
        request: |step| step.path().contains("//"),
        field: "status",
        sides: |difference| difference.is("301", "307"),
    },
    Allowed {
        what: "redirects of unclean paths say that they are temporary",
        stated: Readme(5),
        request: |step| step.path().contains("//"),
        field: "body",
        sides: |difference| {
            difference
                .theirs
                .replace("Moved Permanently", "Temporary Redirect")
                == difference.ours
        },
    },
    Allowed {
        what: "a counter pushed as OpenMetrics is a counter",
        stated: Readme(13),
        request: is_openmetrics,
        field: "pushed:foo_total type",
        sides: |difference| difference.is("[\"untyped\"]", "[\"counter\"]"),
    },
    Allowed {
        what: "a counter pushed as OpenMetrics is a counter in the query API",
        stated: Readme(13),
        request: is_openmetrics,
        field: "api:foo_total",
        sides: |difference| difference.ours.contains("COUNTER"),
    },
    Allowed {
        what: "the web page is never kept by caches",
        stated: Readme(18),
        request: |step| matches!(step.path(), "/" | "/status"),
        field: "header:cache-control",
        sides: |difference| difference.is("none", "no-store"),
    },
    Allowed {
        what: "the web page runs nothing and is framed by nobody",
        stated: Readme(18),
        request: |step| matches!(step.path(), "/" | "/status"),
        field: "header:content-security-policy",
        sides: |difference| {
            difference.theirs == "none" && difference.ours.contains("default-src 'none'")
        },
    },
    Allowed {
        what: "the web page tells other sites nothing of its address",
        stated: Readme(18),
        request: |step| matches!(step.path(), "/" | "/status"),
        field: "header:referrer-policy",
        sides: |difference| difference.is("none", "same-origin"),
    },
    Allowed {
        what: "the web page is HTML and nothing else",
        stated: Readme(18),
        request: |step| matches!(step.path(), "/" | "/status"),
        field: "header:x-content-type-options",
        sides: |difference| difference.is("none", "nosniff"),
    },
];

/// A push of a metric that the gateway has of its own, in another type.
fn clashes_with_own(step: &Step) -> bool {
    let names = [
        "process_start_time_seconds",
        "pushgateway_http_push_size_bytes",
    ];
    let body = String::from_utf8_lossy(&step.body);
    step.is_push() && names.iter().any(|name| body.contains(name))
}

fn is_openmetrics(step: &Step) -> bool {
    step.body.ends_with(b"# EOF\n") && !step.headers.is_empty()
}

/// How often each entry was used, counted in steps.
#[derive(Default)]
pub(crate) struct Uses(Vec<(usize, usize)>);

impl Uses {
    /// Whether the difference after this step is allowed.
    pub(crate) fn allow(&mut self, number: usize, step: &Step, difference: &Difference) -> bool {
        self.0.resize(TABLE.len(), (0, 0));
        let found = TABLE.iter().position(|allowed| {
            (allowed.request)(step)
                && is_field(allowed.field, &difference.field)
                && (allowed.sides)(difference)
        });
        let Some(place) = found else {
            return false;
        };
        let (count, last) = &mut self.0[place];
        if *last != number {
            *count += 1;
            *last = number;
        }
        true
    }

    /// The table with its counts.
    pub(crate) fn report(&self, steps: usize) -> String {
        let mut out = format!("allowed differences in {steps} steps:\n");
        for (allowed, (count, _)) in TABLE.iter().zip(&self.0) {
            let _ = writeln!(
                out,
                "{count:6}  {:?}  {}: {}",
                allowed.stated, allowed.field, allowed.what
            );
        }
        out
    }

    /// Entries that were never used, or so often that they hide what they should not.
    pub(crate) fn faults(&self, steps: usize) -> Vec<String> {
        let counts = self.0.iter().map(|(count, _)| *count);
        let counts = counts.chain(std::iter::repeat(0));
        TABLE
            .iter()
            .zip(counts)
            .filter(|(allowed, count)| *count == 0 || count * 50 > steps || !allowed.stated.holds())
            .map(|(allowed, count)| {
                format!(
                    "allowed ({:?}) but used in {count} of {steps} steps, or not in the README: {}",
                    allowed.stated, allowed.what
                )
            })
            .collect()
    }
}

fn is_field(pattern: &str, field: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => field.starts_with(start),
        None => pattern == field,
    }
}
