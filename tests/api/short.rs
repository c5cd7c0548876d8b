//! TTLs that are short beside the time between scrapes.

use serde_json::json;

use crate::client::get;
use crate::harness::{Gateway, SECOND};
use crate::support::{LIMIT, eventually};

/// A few scrapes of one scraper, 15 seconds apart.
fn scrape_regularly(gateway: &Gateway) {
    for _ in 0..5 {
        gateway.scrape();
        gateway.advance(15 * SECOND);
    }
    eventually(LIMIT, "the interval", || {
        let interval = gateway.value("tidegate_scrape_interval_seconds");
        if interval.as_deref() == Some("15") {
            Ok(())
        } else {
            Err(format!("{interval:?}"))
        }
    });
}

const GROUPS: &str = "tidegate_ttl_below_scrape_interval_groups";

#[test]
fn short_ttls_are_counted_and_named_once_the_interval_is_known() {
    let gateway = Gateway::start();
    gateway.put("job/never", "m 1\n");
    gateway.put_for("10m", "job/long", "m 1\n");
    assert_eq!(
        gateway.value("tidegate_scrape_interval_seconds").as_deref(),
        Some("0")
    );
    scrape_regularly(&gateway);
    gateway.put_for("30s", "job/just", "m 1\n");
    assert_eq!(gateway.value(GROUPS).as_deref(), Some("0"));
    assert_eq!(get(&gateway, "ttl")["warnings"], json!([]));
    gateway.put_for("29s", "job/short", "m 1\n");
    gateway.put_for("1s", "job/shorter", "m 1\n");
    assert_eq!(gateway.value(GROUPS).as_deref(), Some("2"));
    let warnings = get(&gateway, "ttl")["warnings"].clone();
    let text = "2 groups have TTLs below twice the scrape interval (30s), such as \
                {job=\"shorter\"}: they may never be scraped; give a longer TTL, or a rule with \
                hold: until_scraped";
    assert_eq!(warnings, json!([text]));
    gateway.advance(SECOND);
    assert_eq!(gateway.value(GROUPS).as_deref(), Some("1"));
    let warnings = get(&gateway, "ttl")["warnings"].clone();
    assert!(
        warnings[0]
            .as_str()
            .expect("a text")
            .starts_with("1 group has a TTL below")
    );
    gateway.put_for("31s", "job/short", "m 1\n");
    assert_eq!(gateway.value(GROUPS).as_deref(), Some("0"));
}
