//! Before the store is loaded: 503 for pushes and scrapes, never an empty exposition.

use tidegate::clock::Clock;
use tidegate::gateway::{Gateway as Running, GatewaySettings};
use tidegate::http::bind;

use crate::disk::{Disk, Held};
use crate::harness::{START, loopback, runtime};
use crate::support::http::request;

fn settings(disk: &Disk) -> GatewaySettings {
    GatewaySettings::new(disk.place(), Clock::manual(START).0)
}

#[test]
fn a_gateway_that_is_still_loading_says_so() {
    let (runtime, disk) = (runtime(), Disk::default());
    runtime.block_on(async {
        let listeners = bind(&loopback()).expect("a free port");
        let (running, _) = Running::start(settings(&disk), listeners)
            .await
            .expect("a start");
        let address = running.addresses()[0];
        let stored = tokio::task::spawn_blocking(move || {
            request(address, "PUT", "/metrics/job/a", &[], b"m 1\n").status
        });
        assert_eq!(stored.await.expect("an answer"), 200);
        running.stop().await;
    });
    let held = disk.hold(Held::Reads);
    let listeners = runtime
        .block_on(async { bind(&loopback()) })
        .expect("a free port");
    let address = listeners[0].address();
    let starting = runtime.spawn(Running::start(settings(&disk), listeners));
    disk.await_waiting();
    let asked = |method: &str, path: &str| {
        let answer = request(address, method, path, &[], b"m 2\n");
        let retry = answer.header("Retry-After").map(str::to_owned);
        (answer.status, retry, answer.text())
    };
    let loading = || {
        (
            503,
            Some("1".to_owned()),
            "the store is still being loaded\n".to_owned(),
        )
    };
    for (method, path) in [
        ("GET", "/metrics"),
        ("PUT", "/metrics/job/a"),
        ("POST", "/metrics/job/a"),
        ("DELETE", "/metrics/job/a"),
        ("GET", "/-/ready"),
    ] {
        assert_eq!(asked(method, path), loading(), "{method} {path}");
    }
    assert_eq!(asked("GET", "/-/healthy"), (200, None, "OK".to_owned()));
    assert_eq!(asked("GET", "/nothing").0, 404);
    let page = asked("GET", "/");
    assert_eq!((page.0, page.1.as_deref()), (503, Some("1")));
    for (path, status) in [("/", 503), ("/-/group?key=Yf8", 503), ("/status", 200)] {
        let page = asked("GET", path);
        assert_eq!(page.0, status, "{path}");
        assert!(page.2.contains("the store is still being loaded"), "{path}");
    }
    assert_eq!(asked("GET", "/api/v1/status").0, 200);
    let (status, retry, text) = asked("GET", "/api/v1/metrics");
    assert_eq!((status, retry.as_deref()), (503, Some("1")), "{text}");
    drop(held);
    let (running, loaded) = runtime
        .block_on(starting)
        .expect("no panic")
        .expect("a start");
    assert_eq!((loaded.groups, loaded.series), (1, 1));
    assert_eq!(asked("GET", "/-/ready"), (200, None, "OK".to_owned()));
    let (status, _, text) = asked("GET", "/metrics");
    assert_eq!(status, 200);
    assert!(text.contains("\nm{instance=\"\",job=\"a\"} 1\n"), "{text}");
    runtime.block_on(running.stop());
}
