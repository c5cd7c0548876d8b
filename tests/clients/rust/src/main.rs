//! Pushes with the two Rust clients. Neither of them can delete.
//!
//! Usage: tidegate-test-clients prometheus|exporter GATEWAY_URL push|add

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use prometheus::{Counter, Gauge, Histogram, HistogramOpts, Registry};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["prometheus", gateway, verb @ ("push" | "add")] => prometheus_crate(gateway, verb),
        ["exporter", gateway, verb @ ("push" | "add")] => exporter(gateway, verb == "add"),
        _ => Err("usage: tidegate-test-clients prometheus|exporter GATEWAY_URL push|add".into()),
    }
}

/// The crate `prometheus`: protobuf, the address unescaped.
fn prometheus_crate(gateway: &str, verb: &str) -> Result<(), Box<dyn Error>> {
    let registry = Registry::new();
    let group = HashMap::from([
        ("instance".to_owned(), "db 1".to_owned()),
        ("stadt".to_owned(), "Köln".to_owned()),
    ]);
    if verb == "push" {
        let success = Gauge::new("batch_last_success_unixtime", "Last success")?;
        success.set(1.5e9);
        let rows = Counter::new("batch_rows_total", "Rows")?;
        rows.inc_by(12.0);
        let steps = HistogramOpts::new("batch_step_seconds", "Steps").buckets(vec![0.1, 1.0, 10.0]);
        let steps = Histogram::with_opts(steps)?;
        steps.observe(0.5);
        steps.observe(5.0);
        registry.register(Box::new(success))?;
        registry.register(Box::new(rows))?;
        registry.register(Box::new(steps))?;
        prometheus::push_metrics("rust", group, gateway, registry.gather(), None)?;
    } else {
        let retries = Gauge::new("batch_retries", "Retries")?;
        retries.set(2.0);
        registry.register(Box::new(retries))?;
        prometheus::push_add_metrics("rust", group, gateway, registry.gather(), None)?;
    }
    Ok(())
}

/// The crate `metrics-exporter-prometheus`: text without a Content-Type, again and again, for as long
/// as it is let.
#[tokio::main]
async fn exporter(gateway: &str, post: bool) -> Result<(), Box<dyn Error>> {
    // The exporter makes a TLS client also for an address without TLS.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| "there is a TLS provider already")?;
    let endpoint = format!("{gateway}/metrics/job/exporter/instance/i");
    let (recorder, pushing) = PrometheusBuilder::new()
        .with_push_gateway(endpoint, Duration::from_millis(50), None, None, post)?
        .build()?;
    metrics::set_global_recorder(recorder)?;
    metrics::gauge!("batch_last_success_unixtime").set(1.5e9);
    metrics::counter!("batch_rows_total", "table" => "orders").increment(12);
    metrics::histogram!("batch_step_seconds").record(0.5);
    let ended = pushing.await;
    Err(format!("it stopped pushing: {ended:?}").into())
}
