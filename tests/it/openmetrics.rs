//! Bodies that say they are OpenMetrics. The Pushgateway reads them as text (section 2.2 of its
//! behaviour: a `# EOF` line is a comment to it), and so does tidegate unless they are closed.

use crate::harness::Gateway;
use crate::support::http::Response;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn send(gateway: &Gateway, method: &str, content_type: &str, body: &str) -> Response {
    gateway.send(
        method,
        "/metrics/job/a",
        &[("Content-Type", content_type)],
        body,
    )
}

#[track_caller]
fn push(gateway: &Gateway, body: &str) {
    let answer = send(gateway, "PUT", OPENMETRICS, body);
    assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{body}");
}

#[test]
fn every_type_is_scraped_under_the_name_of_its_samples() {
    let gateway = Gateway::start();
    push(
        &gateway,
        "# HELP req Requests.\n# TYPE req counter\nreq_total{code=\"200\"} 3 # {id=\"1\"} 1 2.5\n\
         req_created{code=\"200\"} 1.5e9\n\
         # TYPE temp_celsius gauge\n# UNIT temp_celsius celsius\ntemp_celsius -4.5\n\
         # TYPE lat summary\nlat{quantile=\"0.5\"} 2\nlat_count 4\nlat_sum 9\n\
         # TYPE size histogram\nsize_bucket{le=\"1.0\"} 1\nsize_bucket{le=\"+Inf\"} 3\nsize_sum 7\nsize_count 3\n\
         # TYPE depth gaugehistogram\ndepth_bucket{le=\"+Inf\"} 2\ndepth_gcount 2\ndepth_gsum 5\n\
         # TYPE build info\nbuild_info{version=\"1\"} 1\n\
         # TYPE mode stateset\nmode{mode=\"on\"} 1\nmode{mode=\"off\"} 0\n\
         # TYPE odd unknown\nodd 1\nbare 2\n# EOF\n",
    );
    let shown = "\
# TYPE bare untyped
bare{instance=\"\",job=\"a\"} 2
# TYPE build_info gauge
build_info{instance=\"\",job=\"a\",version=\"1\"} 1
# TYPE depth histogram
depth_bucket{instance=\"\",job=\"a\",le=\"+Inf\"} 2
depth_sum{instance=\"\",job=\"a\"} 5
depth_count{instance=\"\",job=\"a\"} 2
# TYPE lat summary
lat{instance=\"\",job=\"a\",quantile=\"0.5\"} 2
lat_sum{instance=\"\",job=\"a\"} 9
lat_count{instance=\"\",job=\"a\"} 4
# TYPE mode gauge
mode{instance=\"\",job=\"a\",mode=\"on\"} 1
mode{instance=\"\",job=\"a\",mode=\"off\"} 0
# TYPE odd untyped
odd{instance=\"\",job=\"a\"} 1
# HELP req_total Requests.
# TYPE req_total counter
req_total{code=\"200\",instance=\"\",job=\"a\"} 3
# TYPE size histogram
size_bucket{instance=\"\",job=\"a\",le=\"1\"} 1
size_bucket{instance=\"\",job=\"a\",le=\"+Inf\"} 3
size_sum{instance=\"\",job=\"a\"} 7
size_count{instance=\"\",job=\"a\"} 3
# TYPE temp_celsius gauge
temp_celsius{instance=\"\",job=\"a\"} -4.5
";
    assert_eq!(gateway.pushed(), shown);
}

#[test]
fn post_replaces_the_families_under_the_names_that_a_scrape_shows() {
    let gateway = Gateway::start();
    push(&gateway, "# TYPE req counter\nreq_total 3\nkept 1\n# EOF\n");
    let answer = send(
        &gateway,
        "POST",
        OPENMETRICS,
        "# TYPE req counter\nreq_total{x=\"1\"} 4\n# EOF\n",
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown = "# TYPE kept untyped\nkept{instance=\"\",job=\"a\"} 1\n\
        # TYPE req_total counter\nreq_total{instance=\"\",job=\"a\",x=\"1\"} 4\n";
    assert_eq!(gateway.pushed(), shown);
    // An OpenMetrics push and one in text meet in the same family.
    let answer = gateway.write("POST", "job/a", "# TYPE req_total counter\nreq_total 5\n");
    assert_eq!(answer.status, 200);
    assert!(
        gateway
            .pushed()
            .ends_with("req_total{instance=\"\",job=\"a\"} 5\n")
    );
}

#[test]
fn the_closing_line_and_the_content_type_decide_together() {
    let gateway = Gateway::start();
    let counter = "# TYPE c counter\nc_total 1\n";
    for (content_type, end, shown) in [
        (OPENMETRICS, "# EOF\n", "c_total counter"),
        ("APPLICATION/openmetrics-text", "# EOF", "c_total counter"),
        (
            "application/openmetrics-text;version=0.0.1",
            "# EOF\n",
            "c_total counter",
        ),
        (OPENMETRICS, "", "c_total untyped"),
        (OPENMETRICS, "# EOF\n\n", "c_total untyped"),
        (OPENMETRICS, "# EOF\nd 1\n", "c_total untyped"),
        ("text/plain", "# EOF\n", "c_total untyped"),
    ] {
        let answer = send(&gateway, "PUT", content_type, &format!("{counter}{end}"));
        assert_eq!(
            answer.status,
            200,
            "{content_type} {end:?}: {}",
            answer.text()
        );
        let shown = format!("# TYPE {shown}\n");
        assert!(
            gateway.pushed().contains(&shown),
            "{content_type} {end:?}: {}",
            gateway.pushed()
        );
    }
}

#[test]
fn a_fault_is_named_with_its_line_and_stores_nothing() {
    let gateway = Gateway::start();
    push(&gateway, "a 1\n# EOF\n");
    let before = gateway.exposition();
    for (body, text) in [
        (
            "a 2\n\n# EOF\n",
            "OpenMetrics parsing error in line 2: a blank line\n",
        ),
        (
            "# TYPE a counter\na 2\n# EOF\n",
            "OpenMetrics parsing error in line 2: samples of the counter \"a\" end in _total, _created\n",
        ),
        (
            "a 2\nb 1\na{x=\"1\"} 2\n# EOF\n",
            "OpenMetrics parsing error in line 3: \"a\" belongs to an earlier metric family; \
             lines of one family stand together\n",
        ),
    ] {
        let answer = send(&gateway, "PUT", OPENMETRICS, body);
        assert_eq!((answer.status, answer.text().as_str()), (400, text));
        assert_eq!(gateway.exposition(), before);
    }
}

/// As in text: refused by the check, which leaves its mark.
#[test]
fn timestamps_and_duplicates_are_refused_as_in_text() {
    let gateway = Gateway::start();
    let prefix = "pushed metrics are invalid or inconsistent with existing metrics: ";
    for (body, text) in [
        ("a 1 5\n# EOF\n", "pushed metrics must not have timestamps"),
        (
            "# TYPE s summary\ns_count 1\ns_sum 1 5.5\n# EOF\n",
            "pushed metrics must not have timestamps",
        ),
        (
            "a 1\na 2\n# EOF\n",
            "was collected before with the same name and label values",
        ),
        (
            "a{__x=\"1\"} 1\n# EOF\n",
            "has a label with an invalid name: __x",
        ),
    ] {
        let answer = send(&gateway, "PUT", OPENMETRICS, body);
        assert_eq!(answer.status, 400);
        let answer = answer.text();
        assert!(
            answer.starts_with(prefix) && answer.contains(text),
            "{answer}"
        );
    }
    assert_eq!(gateway.pushed(), "");
}

#[test]
fn a_gauge_beside_the_samples_that_a_gauge_histogram_shows_is_refused() {
    let gateway = Gateway::start();
    let body = "# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 1\n# TYPE g_count gauge\ng_count 1\n# EOF\n";
    let answer = send(&gateway, "PUT", OPENMETRICS, body);
    assert_eq!(answer.status, 400);
    let text = "collected metric named \"g_count\" collides with previously collected histogram named \"g\"";
    assert!(answer.text().contains(text), "{}", answer.text());
}
