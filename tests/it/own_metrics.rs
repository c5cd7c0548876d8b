//! The gateway's own metrics, as section 3.3 of the reference has them.

use std::time::Duration;

use tidegate::http::Doors;

use crate::harness::{Gateway, Options};

fn requests(gateway: &Gateway) -> Vec<String> {
    let text = gateway.scrape();
    let lines = text.lines();
    lines
        .filter_map(|line| line.strip_prefix("pushgateway_http_requests_total"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn families_of_requests_appear_with_the_first_request() {
    let gateway = Gateway::start();
    assert!(!gateway.scrape().contains("pushgateway_http_"));
    gateway.get("/-/healthy", &[]);
    assert_eq!(
        requests(&gateway),
        [r#"{code="200",handler="healthy",method="get"} 1"#]
    );
    assert!(!gateway.scrape().contains("pushgateway_http_push_"));
}

#[test]
fn requests_are_counted_by_the_originals_names_and_others_are_not() {
    let doors = Doors {
        admin: true,
        ..Doors::default()
    };
    let gateway = Gateway::with(Options {
        doors,
        ..Options::default()
    });
    for (method, path) in [
        ("PUT", "/metrics/job/a"),
        ("POST", "/metrics/job/a/x"),
        ("DELETE", "/metrics/job/a"),
        ("GET", "/-/healthy"),
        ("HEAD", "/-/ready"),
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/metrics"),
        ("OPTIONS", "/api/v1/anything"),
        ("PUT", "/api/v1/admin/wipe"),
        // Not counted: scrapes, 404, 405, redirects, quit.
        ("GET", "/nothing"),
        ("POST", "/metrics"),
        ("GET", "/metrics/"),
        ("PUT", "/-/quit"),
        ("OPTIONS", "/metrics"),
    ] {
        gateway.send(method, path, &[], "");
    }
    assert_eq!(
        requests(&gateway),
        [
            r#"{code="200",handler="api/v1/metrics",method="get"} 1"#,
            r#"{code="200",handler="api/v1/options",method="options"} 1"#,
            r#"{code="200",handler="api/v1/status",method="get"} 1"#,
            r#"{code="200",handler="healthy",method="get"} 1"#,
            r#"{code="200",handler="push",method="put"} 1"#,
            r#"{code="200",handler="ready",method="head"} 1"#,
            r#"{code="202",handler="delete",method="delete"} 1"#,
            r#"{code="202",handler="wipe",method="put"} 1"#,
            r#"{code="400",handler="push",method="post"} 1"#,
        ]
    );
}

#[test]
fn pushes_are_summed_up_with_quantiles_of_the_last_ten_minutes() {
    let gateway = Gateway::start();
    gateway.put("job/a", "m 1\n");
    let of = |quantile: &str| {
        let labels = format!("method=\"put\",quantile=\"{quantile}\"");
        let series = format!("pushgateway_http_push_size_bytes{{{labels}}}");
        let value = gateway.value(&series).expect("a quantile");
        value.parse::<f64>().expect("a number")
    };
    let sum = || {
        let value = gateway.value("pushgateway_http_push_size_bytes_sum{method=\"put\"}");
        value.expect("a sum").parse::<f64>().expect("a number")
    };
    let size = sum();
    for quantile in ["0.1", "0.5", "0.9"] {
        assert!((of(quantile) / size - 1.0).abs() < 0.02, "{quantile}");
    }
    gateway.advance(Duration::from_mins(10));
    assert!(of("0.5").is_nan());
    assert!((sum() - size).abs() < 0.5, "sums stay");
}

#[test]
fn all_process_metrics_of_the_original_are_there_and_none_of_go() {
    let gateway = Gateway::start();
    let text = gateway.scrape();
    for (name, kind) in [
        ("process_cpu_seconds_total", "counter"),
        ("process_max_fds", "gauge"),
        ("process_network_receive_bytes_total", "counter"),
        ("process_network_transmit_bytes_total", "counter"),
        ("process_open_fds", "gauge"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_start_time_seconds", "gauge"),
        ("process_virtual_memory_bytes", "gauge"),
        ("process_virtual_memory_max_bytes", "gauge"),
        ("pushgateway_build_info", "gauge"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
    }
    for absent in ["\ngo_", "promhttp_"] {
        assert!(!text.contains(absent), "{absent}");
    }
}
