//! `hold: until_scraped`: a group is not forgotten before somebody has seen it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use serde_json::{Value, json};
use tidegate::config::{PolicySource, TtlFlags};
use tidegate::http::Doors;
use tidegate::model::Selector;
use tidegate::ttl::{Hold, Rule, Rules, Ttl, TtlPolicy};

use crate::client::{get, jobs, ok, with_admin};
use crate::harness::{Gateway, NANOSECOND, Options, SECOND};
use crate::support::{LIMIT, eventually};

/// Groups of jobs `h.*` live 10 s and are held.
fn policy() -> TtlPolicy {
    let rule = Rule {
        name: "held".into(),
        selector: Selector::parse(r#"{job=~"h.*"}"#).expect("a selector"),
        ttl: Ttl::After(10 * SECOND),
        hold: Some(Hold::UntilScraped),
    };
    TtlPolicy {
        default: Ttl::After(10 * SECOND),
        rules: Arc::new(Rules::new(vec![rule])),
        ..TtlPolicy::default()
    }
}

fn options() -> Options {
    with_admin(Options {
        policy: policy(),
        ..Options::default()
    })
}

fn held() -> Gateway {
    Gateway::with(options())
}

/// A scrape counts when its last byte has left, which the gateway may learn after the scraper.
#[track_caller]
fn becomes(gateway: &Gateway, expected: &[&str]) {
    eventually(LIMIT, "groups that are there", || {
        let found = jobs(gateway, "groups");
        if found == expected {
            Ok(())
        } else {
            Err(found.join(","))
        }
    });
}

fn state(gateway: &Gateway, job: &str) -> Value {
    get(gateway, &format!("groups/job/{job}"))["state"].clone()
}

#[test]
fn a_held_group_is_overdue_until_a_scrape_has_shown_it() {
    let gateway = held();
    gateway.put("job/h", "m 1\n");
    gateway.put("job/other", "m 1\n");
    gateway.advance(10 * SECOND);
    assert_eq!(jobs(&gateway, "groups"), ["h"]);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["h"]);
    assert_eq!(ok(&gateway, "POST", "admin/ttl/reap", "")["groups"], 1);
    let text = gateway.scrape();
    assert!(text.contains("m{instance=\"\",job=\"h\"} 1\n"), "{text}");
    assert!(text.contains("\ntidegate_ttl_overdue_groups 1\n"), "{text}");
    becomes(&gateway, &[]);
    let text = gateway.scrape();
    assert!(!text.contains("job=\"h\""), "{text}");
    assert!(text.contains("\ntidegate_ttl_overdue_groups 0\n"), "{text}");
    assert_eq!(ok(&gateway, "POST", "admin/ttl/reap", "")["groups"], 1);
}

#[test]
fn what_was_scraped_in_time_expires_at_its_deadline() {
    for headers in [&[][..], &[("Accept-Encoding", "gzip")]] {
        let gateway = held();
        gateway.put("job/h1", "m 1\n");
        gateway.get("/metrics", headers);
        gateway.put("job/h2", "m 1\n");
        gateway.advance_almost(10 * SECOND);
        assert_eq!(jobs(&gateway, "groups"), ["h1", "h2"]);
        gateway.advance(NANOSECOND);
        becomes(&gateway, &["h2"]);
    }
}

#[test]
fn each_push_has_to_be_scraped_again_and_a_touch_has_not() {
    let gateway = held();
    gateway.put("job/h", "m 1\n");
    gateway.put("job/h2", "m 1\n");
    gateway.scrape();
    gateway.advance(5 * SECOND);
    gateway.post("job/h", "");
    ok(&gateway, "POST", "admin/touch/job/h2", "");
    gateway.refused("PUT", "job/h2", "m 1 1\n");
    gateway.advance(10 * SECOND);
    becomes(&gateway, &["h"]);
    assert_eq!(state(&gateway, "h"), "overdue");
    gateway.scrape();
    becomes(&gateway, &[]);
}

/// A scraper that reads when it likes, on a connection that stays.
struct Slow(BufReader<TcpStream>);

impl Slow {
    /// Asks for the exposition and reads the head of the answer.
    fn begin(gateway: &Gateway, method: &str) -> (Self, usize) {
        let stream = TcpStream::connect(gateway.address()).expect("a connection");
        let timeout = stream.set_read_timeout(Some(LIMIT));
        timeout.expect("a timeout above zero");
        let mut slow = Self(BufReader::new(stream));
        let length = slow.ask(method, "/metrics");
        (slow, length)
    }

    /// Asks and reads the head of the answer: how many bytes follow, unless it is one to HEAD.
    fn ask(&mut self, method: &str, path: &str) -> usize {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let sent = self.0.get_mut().write_all(request.as_bytes());
        sent.expect("a request");
        let mut length = None;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a head");
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim_end().parse().ok();
            }
            if line == "\r\n" {
                return length.expect("a length");
            }
        }
    }

    fn read(&mut self, length: usize) {
        self.0.read_exact(&mut vec![0; length]).expect("an answer");
    }

    /// Has another request answered, which is done after everything that concerns those before.
    fn settle(&mut self) {
        let length = self.ask("GET", "/-/ready");
        self.read(length);
    }
}

/// More than fits between a gateway and a scraper that does not read.
fn large(gateway: &Gateway) {
    let line = |n: usize| format!("big{{n=\"{n:01000}\"}} 1\n");
    let body: String = (0..12_000).map(line).collect();
    gateway.put_for("never", "job/big", &body);
}

#[test]
fn a_scrape_that_looked_before_the_push_does_not_count() {
    let gateway = held();
    large(&gateway);
    let (mut slow, length) = Slow::begin(&gateway, "GET");
    gateway.put("job/h", "m 1\n");
    gateway.advance(10 * SECOND);
    slow.read(length);
    slow.settle();
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["h"]);
    gateway.scrape();
    becomes(&gateway, &["big"]);
}

/// How many tasks there are: more than at first while connections last.
fn tasks(gateway: &Gateway) -> usize {
    let runtime = gateway.runtime.as_ref().expect("a runtime");
    runtime.metrics().num_alive_tasks()
}

#[test]
fn a_head_request_and_a_scrape_that_was_cut_off_do_not_count() {
    let gateway = held();
    let idle = tasks(&gateway);
    large(&gateway);
    gateway.put("job/h", "m 1\n");
    gateway.advance(10 * SECOND);
    Slow::begin(&gateway, "HEAD").0.settle();
    drop(Slow::begin(&gateway, "GET"));
    gateway.put("job/z", "m 1\n");
    // A scrape would count; and a connection that has ended tells nothing any more.
    eventually(LIMIT, "an end of all connections", || {
        let tasks = tasks(&gateway);
        let left = format!("{tasks} tasks instead of {idle}");
        (tasks == idle).then_some(()).ok_or(left)
    });
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["h"]);
    gateway.scrape();
    becomes(&gateway, &["big", "z"]);
}

#[test]
fn a_held_group_clashes_until_it_has_been_scraped() {
    let gateway = held();
    gateway.put("job/h", "# TYPE m gauge\nm 1\n");
    gateway.advance(10 * SECOND);
    gateway.refused("PUT", "job/x", "# TYPE m counter\nm 1\n");
    gateway.scrape();
    becomes(&gateway, &["x"]);
    gateway.put("job/x", "# TYPE m counter\nm 1\n");
}

#[test]
fn the_hold_counts_whatever_gave_the_ttl_but_an_override() {
    let gateway = held();
    gateway.put_for("20s", "job/h-own", "m 1\n");
    gateway.put("job/h-pinned", "m 1\n");
    let pin = r#"{"ttl":"5s"}"#;
    ok(&gateway, "PUT", "admin/ttl/job/h-pinned", pin);
    for (job, hold) in [
        ("h-own", json!("until_scraped")),
        ("h-pinned", Value::Null),
        ("x", Value::Null),
    ] {
        let explained = get(&gateway, &format!("ttl/explain/job/{job}"));
        assert_eq!(explained["hold"], hold, "{job}");
    }
    assert_eq!(get(&gateway, "groups/job/h-own")["hold"], "until_scraped");
    assert_eq!(get(&gateway, "groups/job/h-pinned")["hold"], Value::Null);
    let explained = get(&gateway, "ttl/explain/job/h-own");
    assert_eq!(explained["chain"][1]["hold"], "until_scraped");
    assert_eq!(explained["chain"][0]["hold"], Value::Null);
    assert_eq!(get(&gateway, "ttl")["rules"][0]["hold"], "until_scraped");
    gateway.advance(20 * SECOND);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["h-own"]);
}

#[test]
fn after_a_restart_a_held_group_waits_for_the_first_scrape() {
    let mut gateway = held();
    gateway.put("job/h", "m 1\n");
    gateway.scrape();
    gateway.restart();
    gateway.advance(10 * SECOND);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["h"]);
    gateway.scrape();
    becomes(&gateway, &[]);
}

#[test]
fn a_pause_holds_what_is_scraped_in_it() {
    let gateway = held();
    gateway.put("job/h", "m 1\n");
    gateway.advance(10 * SECOND);
    ok(&gateway, "POST", "admin/ttl/pause", "");
    gateway.scrape();
    gateway.put("job/z", "m 1\n");
    assert_eq!(jobs(&gateway, "groups"), ["h", "z"]);
    assert!(gateway.pushed().contains("job=\"h\""));
    ok(&gateway, "POST", "admin/ttl/resume", "");
    assert_eq!(jobs(&gateway, "groups"), ["z"]);
}

#[test]
fn a_pause_removes_what_was_scraped_before_and_keeps_what_was_not() {
    let gateway = held();
    gateway.put("job/h1", "m 1\n");
    gateway.scrape();
    gateway.put("job/h2", "m 1\n");
    gateway.advance(10 * SECOND);
    becomes(&gateway, &["h2"]);
    ok(&gateway, "POST", "admin/ttl/pause", "");
    assert_eq!(jobs(&gateway, "groups?state=expired"), ["h1"]);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["h2"]);
    // Neither a longer pause nor its end makes up for the scrape.
    ok(&gateway, "POST", "admin/ttl/pause", r#"{"for":"1h"}"#);
    ok(&gateway, "POST", "admin/ttl/resume", "");
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["h2"]);
    gateway.scrape();
    becomes(&gateway, &[]);
}

#[test]
fn the_reaper_takes_what_was_scraped_in_a_pause_when_that_ends_by_itself() {
    let gateway = Gateway::with(Options {
        reap: true,
        ..options()
    });
    gateway.put("job/h", "m 1\n");
    gateway.advance(10 * SECOND);
    ok(&gateway, "POST", "admin/ttl/pause", r#"{"for":"60s"}"#);
    gateway.scrape();
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["h"]);
    // Without a look at the groups, which would let the reaper know of them.
    gateway.advance(60 * SECOND);
    eventually(LIMIT, "a record of the group", || {
        let gone = jobs(&gateway, "groups?state=expired");
        (gone == ["h"]).then_some(()).ok_or_else(|| gone.join(","))
    });
}

#[test]
fn requests_by_matcher_are_about_held_groups_too() {
    let gateway = held();
    gateway.put("job/h1", "m 1\n");
    gateway.put("job/h2", "m 1\n");
    gateway.put("job/x", "m 1\n");
    gateway.advance(10 * SECOND);
    let delete = |query: &str| {
        let path = format!("admin/delete_groups?match[]={{}}{query}");
        ok(&gateway, "POST", &path, "")["groups"].clone()
    };
    assert_eq!(delete("&dry_run=true"), 2);
    let pin = r#"{"ttl":"1h"}"#;
    let path = "admin/ttl?match[]=%7Bjob=%22h1%22%7D";
    assert_eq!(ok(&gateway, "PUT", path, pin)["groups"], 1);
    assert_eq!(state(&gateway, "h1"), "live");
    // The hold is its rule's again, and it has not been scraped.
    assert_eq!(ok(&gateway, "DELETE", path, "")["groups"], 1);
    assert_eq!(state(&gateway, "h1"), "overdue");
    assert_eq!(delete(""), 2);
}

#[test]
fn an_override_with_an_end_leaves_the_hold_to_what_comes_after_it() {
    let gateway = held();
    gateway.put("job/h", "m 1\n");
    let pin = r#"{"ttl":"1h","for":"20s"}"#;
    ok(&gateway, "PUT", "admin/ttl/job/h", pin);
    for path in ["ttl/explain/job/h", "groups/job/h"] {
        assert_eq!(get(&gateway, path)["hold"], "until_scraped", "{path}");
    }
    gateway.advance(20 * SECOND);
    assert_eq!(state(&gateway, "h"), "overdue");
}

#[test]
fn a_reload_puts_holds_in_force_and_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tidegate.yml");
    let write = |hold: &str| {
        let rule = format!("{{name: held, match: {{job: h.*}}, ttl: 10s{hold}}}");
        let text = format!("ttl:\n  default: never\n  rules: [{rule}]\n");
        std::fs::write(&path, text).expect("write the rules");
    };
    write("");
    let source = PolicySource {
        file: Some(path.clone()),
        flags: TtlFlags::default(),
    };
    let gateway = Gateway::with(Options {
        policy: source.load().expect("rules without a fault"),
        doors: Doors {
            reload: Some(source),
            ..Doors::default()
        },
        ..Options::default()
    });
    let reload = |query: &str| {
        gateway
            .send("POST", &format!("/-/reload{query}"), &[], "")
            .text()
    };
    gateway.put("job/h", "m 1\n");
    write(", hold: until_scraped");
    assert_eq!(reload(""), "reloaded\n");
    gateway.advance(10 * SECOND);
    assert_eq!(jobs(&gateway, "groups?state=overdue"), ["h"]);
    assert_eq!(reload("?dry_run=true"), "0 groups would expire now\n");
    write("");
    assert_eq!(reload("?dry_run=true"), "1 groups would expire now\n");
    assert_eq!(reload(""), "reloaded\n");
    assert_eq!(jobs(&gateway, "groups"), [""; 0]);
}

#[test]
fn the_reaper_takes_a_held_group_as_soon_as_it_has_been_scraped() {
    let gateway = Gateway::with(Options {
        reap: true,
        ..options()
    });
    gateway.put("job/h", "m 1\n");
    gateway.advance(10 * SECOND);
    gateway.scrape();
    eventually(LIMIT, "a record of the group", || {
        let gone = jobs(&gateway, "groups?state=expired");
        if gone == ["h"] {
            Ok(())
        } else {
            Err(gone.join(","))
        }
    });
}
