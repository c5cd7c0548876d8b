//! Coming from the Pushgateway, and going back: `--persistence.file`.

mod support;

#[path = "property_proto/messages.rs"]
#[allow(dead_code, reason = "another test uses all of it")]
mod messages;
#[path = "property_proto/native.rs"]
mod native;
#[path = "import/written.rs"]
mod written;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use messages::*;
use prost::Message;
use support::daemon::Daemon;
use support::disk::{Disk, Left, Trouble};
use support::gob::{Group, file};
use support::http::request;
use support::in_process::InProcess;
use support::process::{Gateway, server_binary};
use support::pushgateway::Pushgateway;
use support::random::Seeded;
use support::{LIMIT, eventually, sample};
use tempfile::TempDir;
use tidegate::clock::{Clock, UnixNanos};
use tidegate::format::name::NameRule;
use tidegate::format::proto;
use tidegate::gateway::GatewaySettings;
use tidegate::model::GroupKey;
use tidegate::store::{Place, Store, decode_metrics};
use tidegate::ttl::Ttl;
use written::*;

/// When they are imported: long after.
const NOW: UnixNanos = UnixNanos(1_900_000_000_000_000_000);

const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A file in a folder, its bytes these.
fn write(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("pushgateway.data");
    fs::write(&path, bytes).expect("write the file");
    path
}

/// All that must stay as it was of a file.
fn state(file: &Path) -> (Vec<u8>, std::time::SystemTime) {
    let at = fs::metadata(file).and_then(|found| found.modified());
    (
        fs::read(file).expect("the file"),
        at.expect("a time of change"),
    )
}

/// What was pushed, line by line, in an order that both programs have.
fn pushed(exposition: &str) -> Vec<String> {
    let own = ["go_", "process_", "promhttp_", "pushgateway_", "tidegate_"];
    let name = |line: &str| {
        line.trim_start_matches("# HELP ")
            .trim_start_matches("# TYPE ")
            .to_owned()
    };
    let of_gateway = |line: &&str| own.iter().any(|own| name(line).starts_with(own));
    let lines = exposition.lines().filter(|line| !of_gateway(line));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.sort();
    lines
}

fn scrape(addr: SocketAddr) -> Vec<String> {
    let answer = request(addr, "GET", "/metrics", &[], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    pushed(&answer.text())
}

/// A gateway in process over this folder's file, at [`NOW`].
fn import(file: &Path, place: Place) -> Result<InProcess, String> {
    import_with(file, place, NameRule::Legacy)
}

fn import_with(file: &Path, place: Place, names: NameRule) -> Result<InProcess, String> {
    let (clock, _) = Clock::manual(NOW);
    let mut settings = GatewaySettings::new(place, clock);
    settings.policy.default = Ttl::After(Duration::from_hours(1));
    settings.import = Some(file.to_owned());
    settings.names = names;
    InProcess::with(settings)
}

fn place(folder: &TempDir) -> Place {
    Place::folder(folder.path().join("store"))
}

/// Pushes that every kind of metric comes of, and two that are refused.
fn fill(addr: SocketAddr) {
    let text = "# HELP seconds With \\\\ and \\n.\n# TYPE seconds histogram\n\
        seconds_bucket{le=\"0.1\"} 4\nseconds_bucket{le=\"+Inf\"} 6\nseconds_sum 1.5\nseconds_count 6\n\
        # TYPE bytes summary\nbytes{quantile=\"0.5\"} 12\nbytes_sum 64\nbytes_count 5\n\
        # TYPE served counter\nserved{code=\"200\"} 1027\nserved{code=\"\"} 3\n\
        plain{instance=\"kept\",x=\"\\\"\\n\\\\ü\"} 1e+300\n# HELP nothing \n# TYPE nothing gauge\nnothing NaN\n";
    let slashes = "job@base64/YS9i/path@base64/L3Zhcg==/empty@base64/=";
    for (status, method, group, body) in [
        (200, "PUT", "job/text/zone/w", text),
        (200, "PUT", slashes, "plain 1\n"),
        (200, "PUT", "job/merged", "old 1\nreplaced 1\n"),
        (200, "POST", "job/merged", "replaced 2\nnew 2\n"),
        (400, "PUT", "job/never", "late 1 1\n"),
    ] {
        let answer = request(
            addr,
            method,
            &format!("/metrics/{group}"),
            &[],
            body.as_bytes(),
        );
        assert_eq!(answer.status, status, "{group}: {}", answer.text());
    }
    let counter = Counter {
        value: Some(7.0),
        ..Counter::default()
    };
    let metric = Metric {
        counter: Some(counter),
        ..Metric::default()
    };
    let proto = MetricFamily {
        help: Some(Vec::new()),
        ..family("created_total", COUNTER, metric)
    };
    let proto = proto.encode_length_delimited_to_vec();
    let typed = [("Content-Type", PROTOBUF)];
    let answer = request(addr, "PUT", "/metrics/job/proto", &typed, &proto);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let clash = b"# TYPE plain gauge\nplain 1\n";
    let answer = request(addr, "PUT", "/metrics/job/proto", &[], clash);
    assert_eq!(answer.status, 400, "{}", answer.text());
}

/// What the exposition does not show of [`fill`]: which push failed, and the families' own times.
fn assert_facts(gateway: &Gateway) {
    let detail = |job: &str| {
        let answer = gateway.send("GET", &format!("/api/v1/groups/job/{job}"), &[], "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    };
    assert!(detail("proto").contains("\"last_push_successful\":false"));
    assert!(detail("merged").contains("\"last_push_successful\":true"));
    let detail = detail("merged");
    let times = detail.split("\"last_push\":\"").skip(1);
    let times: Vec<&str> = times.filter_map(|rest| rest.split('"').next()).collect();
    let own = times[0] == times[2] && times[1] < times[0];
    assert!(own, "each family keeps its own time: {detail}");
    let nanoseconds = times[0].len() > "2026-11-22T03:07:00Z".len();
    assert!(nanoseconds, "{detail}");
}

#[test]
fn a_real_file_is_taken_over_and_left_as_it_was_and_the_pushgateway_can_go_on_with_it() {
    let folder = folder();
    let file = folder.path().join("pushgateway.data");
    let original = Pushgateway::start_on(&file);
    fill(original.addr);
    let expected = scrape(original.addr);
    let buckets = |line: &String| line.starts_with("seconds_bucket{");
    assert!(expected.iter().any(buckets), "{expected:#?}");
    original.stop();
    let before = state(&file);

    let flag = format!("--persistence.file={}", file.display());
    let mut gateway = Gateway::start_with(&[&flag]);
    assert_eq!(scrape(gateway.address()), expected);
    let log = gateway.log();
    let counts = log.contains("groups=5 families=10") && log.contains("left_out=0");
    assert!(counts, "{log}");
    assert_facts(&gateway);

    // What happens in tidegate stays there.
    let answer = gateway.send("PUT", "/metrics/job/only-here", &[], "here 1\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = gateway.send("DELETE", "/metrics/job/merged", &[], "");
    assert_eq!(answer.status, 202, "{}", answer.text());
    let here = scrape(gateway.address());
    gateway.restart();
    let again = scrape(gateway.address());
    assert_eq!(again, here, "the second start imports nothing");
    assert!(!gateway.log().contains("imported"), "{}", gateway.log());
    assert!(gateway.terminate().success());
    assert_eq!(state(&file), before, "the file was touched");

    let original = Pushgateway::start_on(&file);
    assert_eq!(scrape(original.addr), expected);
    original.stop();
}

#[test]
fn native_histograms_exemplars_and_an_empty_help_come_over_whole() {
    let families = native_families();
    let mut stored = group("native", PUSHED, UnixNanos(0));
    for (at, of_group) in families.iter().enumerate() {
        let name = String::from_utf8(of_group.name.clone().expect("a name")).expect("UTF-8");
        let pushed = UnixNanos(PUSHED.0 - at as u64);
        stored = stored.family(&name, pushed, of_group.encode_to_vec());
    }
    let folder = folder();
    let path = write(&folder, &file(&[stored]));
    let gateway = import(&path, place(&folder)).expect("a start");
    let text = gateway.metrics();
    assert!(
        text.contains("# HELP b_seconds \n# TYPE b_seconds histogram\n"),
        "{text}"
    );
    drop(gateway);

    let store = Store::open(&place(&folder))
        .expect("the closed store")
        .store;
    let key = GroupKey::new("native", &BTreeMap::new());
    let found = store.detail(&key).expect("a row").expect("the group");
    assert_eq!(found.listed.head.last_push, PUSHED);
    for (at, (facts, pushed)) in found.families.iter().enumerate() {
        let message = families[at].encode_to_vec();
        let mut expected = proto::parse_family(&message).expect("a sound family");
        // What the group adds to each series is not stored with it.
        for metric in &mut expected.metrics {
            metric.labels.retain(|label| label.name == "path");
        }
        assert_eq!(
            decode_metrics(&facts.metrics).expect("series"),
            expected.metrics
        );
        assert_eq!(facts.help.as_deref(), expected.help.as_deref());
        assert_eq!(*pushed, UnixNanos(PUSHED.0 - at as u64));
    }
}

/// What is left out of them, in order, each with a word of the reason.
const LEFT_OUT: [(&str, &str); 10] = [
    (
        "group {__x=\"1\",job=\"bad\"}",
        "improper label name \"__x\"",
    ),
    ("group {instance=\"\",job=\"twin\"}", "push_time_seconds"),
    ("group {job=\"\",x=\"1\"}", "it has no job"),
    ("group {job=\"bad\",x=\"\\xff\"}", "x is not UTF-8"),
    ("family \"clash\" of group {job=\"old\"}", "is not a GAUGE"),
    ("family \"\" of group {job=\"own\"}", "has an empty name"),
    ("family \"h\" of group {job=\"own\"}", "explicit \"le\""),
    ("family \"s_count\" of group {job=\"own\"}", "collides"),
    (
        "family \"tidegate_groups\" of group {job=\"own\"}",
        "should have GAUGE",
    ),
    (
        "family \"same\" of group {job=\"same\",zone=\"w\"}",
        "was collected before",
    ),
];

#[test]
fn what_cannot_be_shown_is_left_out_and_named_and_the_rest_taken_over() {
    let folder = folder();
    let mut groups = poison();
    let path = write(&folder, &file(&groups));
    let flag = format!("--persistence.file={}", path.display());
    let gateway = Gateway::start_with(&[&flag]);
    let text = gateway.metrics();
    for (series, value) in [
        ("sound{instance=\"\",job=\"sound\"}", Some("1")),
        ("kept{instance=\"\",job=\"old\"}", Some("1")),
        ("clash{instance=\"\",job=\"new\"}", Some("2")),
        ("clash{instance=\"\",job=\"old\"}", None),
        ("twin{instance=\"\",job=\"twin\"}", Some("1")),
        (
            "push_failure_time_seconds{instance=\"\",job=\"twin\"}",
            Some("0"),
        ),
        (
            "same{instance=\"\",job=\"same\",rack=\"1\",zone=\"w\"}",
            Some("2"),
        ),
        ("other{instance=\"\",job=\"same\",rack=\"1\"}", Some("2")),
        (
            "push_time_seconds{instance=\"\",job=\"same\",zone=\"w\"}",
            Some("1.7953089966797378e+09"),
        ),
        ("le{instance=\"\",job=\"own\",le=\"1\"}", Some("1")),
        ("s_count{instance=\"\",job=\"own\"}", Some("0")),
    ] {
        assert_eq!(sample(&text, series), value, "{series}\n{text}");
    }
    let log = gateway.log().replace("\\\"", "\"").replace("\\\\", "\\");
    let named: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("not imported: ").map(|(_, what)| what))
        .collect();
    assert_left_out(&named);

    // The order of the file, which is any, decides nothing.
    groups.reverse();
    let dry_run = |groups: &[Group]| {
        let path = write(&folder, &file(groups));
        let output = Command::new(server_binary())
            .args(["check", "import"])
            .arg(&path)
            .output();
        let output = output.expect("the command");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let told = dry_run(&groups);
    groups.reverse();
    assert_eq!(told, dry_run(&groups));
    assert!(
        told.starts_with("would import 7 groups with 8 families and "),
        "{told}"
    );
    let told = told.lines().skip(1);
    let named: Vec<&str> = told
        .filter_map(|line| line.strip_prefix("would leave out "))
        .collect();
    assert_left_out(&named);
}

#[track_caller]
fn assert_left_out(named: &[&str]) {
    assert_eq!(named.len(), LEFT_OUT.len(), "{named:#?}");
    for (line, (what, why)) in named.iter().zip(LEFT_OUT) {
        assert!(
            line.starts_with(&format!("{what}: ")) && line.contains(why),
            "{what}: {why}\n{named:#?}"
        );
    }
}

#[test]
fn a_file_that_is_not_whole_stops_the_start_and_leaves_no_store() {
    let sound = file(&[group("a", PUSHED, UnixNanos(0)).with("a", GAUGE, &[], 1.0)]);
    let broken = group("a", PUSHED, UnixNanos(0)).family("a", PUSHED, vec![0x22, 9]);
    for (bytes, reason) in [
        (
            b"a 1\n".to_vec(),
            "not a whole persistence file of the Pushgateway: a length beyond",
        ),
        (
            sound[..sound.len() - 1].to_vec(),
            "beyond the end of the file at byte",
        ),
        ([sound.as_slice(), b"x"].concat(), "something follows"),
        (file(&[broken]), "a metric family in it is damaged"),
    ] {
        let folder = folder();
        let path = write(&folder, &bytes);
        let before = state(&path);
        let flag = format!("--persistence.file={}", path.display());
        let mut program = Command::new(server_binary());
        program.args(["--web.listen-address=127.0.0.1:0", &flag]);
        let mut program = Daemon::spawn(&mut program, &folder.path().join("log"));
        let status = program.wait(LIMIT);
        let log = program.log();
        assert_eq!(status.code(), Some(1), "{log}");
        let error = log
            .lines()
            .find(|line| line.starts_with("tidegate: error: "));
        let named = path.display().to_string();
        assert!(
            error.is_some_and(|line| line.contains(reason) && line.contains(&named)),
            "{log}"
        );
        assert_eq!(state(&path), before);
        let left = fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(left, 2, "more than the file and the log");
    }
    let folder = folder();
    let refusal = import(folder.path(), place(&folder)).err();
    assert!(refusal.is_some_and(|text| text.contains("not a regular file")));
    assert!(!folder.path().join("store").exists());
}

#[test]
fn a_missing_or_empty_file_is_an_empty_start_and_taken_over_while_nothing_was_stored() {
    let folder = folder();
    let path = folder.path().join("pushgateway.data");
    for write_empty in [false, true] {
        if write_empty {
            fs::write(&path, b"").expect("write the file");
        }
        let gateway = import(&path, place(&folder)).expect("a start");
        assert!(pushed(&gateway.metrics()).is_empty());
    }
    let groups = [group("a", PUSHED, UnixNanos(0)).with("a", GAUGE, &[], 1.0)];
    fs::write(&path, file(&groups)).expect("write the file");
    let gateway = import(&path, place(&folder)).expect("a start");
    assert!(gateway.metrics().contains("\na{"));
    assert_eq!(gateway.send("DELETE", "/metrics/job/a", "").status, 202);
    drop(gateway);
    let gateway = import(&path, place(&folder)).expect("a start");
    assert!(
        pushed(&gateway.metrics()).is_empty(),
        "a deleted group came back"
    );
}

#[test]
fn the_ttl_clock_starts_at_the_import_and_push_times_stay() {
    let folder = folder();
    let failed = UnixNanos(PUSHED.0 + 1);
    let groups = [
        group("a", PUSHED, UnixNanos(0)).with("a", GAUGE, &[], 1.0),
        // The Pushgateway shows both times alike, and so a push that did not fail.
        group("b", PUSHED, failed).with("b", GAUGE, &[], 1.0),
    ];
    let path = write(&folder, &file(&groups));
    let (clock, hands) = Clock::manual(NOW);
    let mut settings = GatewaySettings::new(place(&folder), clock);
    settings.policy.default = Ttl::After(Duration::from_hours(1));
    settings.import = Some(path);
    settings.reap = false;
    let gateway = InProcess::with(settings).expect("a start");
    let shown = |series: &str| sample(&gateway.metrics(), series).map(str::to_owned);
    let series = "push_time_seconds{instance=\"\",job=\"a\"}";
    assert_eq!(shown(series).as_deref(), Some("1.7953089916797378e+09"));
    let detail = gateway.send("GET", "/api/v1/groups/job/b", "").text();
    assert!(detail.contains("\"last_push_successful\":true"), "{detail}");
    hands.advance(Duration::from_secs(3599));
    assert!(shown(series).is_some());
    hands.advance(Duration::from_secs(1));
    assert_eq!(shown(series), None);
}

#[test]
fn an_imported_group_that_expires_is_exposed_as_one_that_was_pushed_here() {
    let folder = folder();
    let groups = [group("a", PUSHED, UnixNanos(0)).with("a", GAUGE, &[], 1.0)];
    let path = write(&folder, &file(&groups));
    let series = "tidegate_expired_group_last_push_timestamp_seconds{instance=\"\",job=\"a\"}";
    let last_push = Some("1.7953089916797378e+09");
    let start = |now| {
        let (clock, hands) = Clock::manual(now);
        let mut settings = GatewaySettings::new(place(&folder), clock);
        settings.policy.default = Ttl::After(Duration::from_secs(10));
        settings.import = Some(path.clone());
        settings.expose = true;
        (InProcess::with(settings).expect("a start"), hands)
    };
    let (gateway, hands) = start(NOW);
    assert_eq!(sample(&gateway.metrics(), series), None);
    hands.advance(Duration::from_secs(10));
    eventually(LIMIT, "the group is removed", || {
        let exposition = gateway.metrics();
        let shown = sample(&exposition, series) == last_push;
        shown.then_some(()).ok_or(exposition)
    });
    drop(gateway);
    let (gateway, _) = start(NOW.plus(Duration::from_secs(20)));
    assert_eq!(sample(&gateway.metrics(), series), last_push);
}

#[test]
fn an_import_that_is_cut_short_at_any_moment_is_made_again_whole() {
    let folder = folder();
    let zone = |zone: usize| {
        group("many", PUSHED, UnixNanos(0))
            .label("zone", format!("{zone}"))
            .with("a", GAUGE, &[], 1.0)
    };
    let groups: Vec<Group> = (0..200).map(zone).collect();
    let path = write(&folder, &file(&groups));
    let reference = Disk::default();
    let expected = pushed(&import(&path, reference.place()).expect("a start").metrics());
    assert_eq!(
        expected
            .iter()
            .filter(|line| line.starts_with("a{"))
            .count(),
        200
    );
    let all = reference.operations();
    let mut cut_short = 0;
    for operations in 0..all {
        let disk = Disk::default();
        disk.trouble_after(operations, Trouble::PowerCut);
        if import(&path, disk.place()).is_err() {
            cut_short += 1;
        }
        for left in [Left::Synced, Left::SomeMore(Seeded::new(operations))] {
            let next = Disk::holding(&disk.after_power_cut(left));
            let gateway = import(&path, next.place())
                .unwrap_or_else(|error| panic!("after {operations} operations: {error}"));
            assert_eq!(
                pushed(&gateway.metrics()),
                expected,
                "after {operations} operations"
            );
        }
    }
    assert!(cut_short > 10, "only {cut_short} starts were cut short");
}

#[test]
fn label_names_of_any_utf8_are_taken_over_where_that_is_allowed() {
    let folder = folder();
    let path = write(&folder, &file(&utf8_groups()));
    let gateway = import_with(&path, place(&folder), NameRule::Utf8).expect("a start");
    let text = gateway.metrics();
    for (series, value) in [
        ("m{instance=\"\",job=\"a\",x_y=\"1\"}", "1"),
        ("m{instance=\"\",job=\"a\",_=\"1\"}", "3"),
        ("m{U__z_2e_z=\"1\",instance=\"\",job=\"a\"}", "4"),
    ] {
        assert_eq!(sample(&text, series), Some(value), "{series}: {text}");
    }
    assert_eq!(text.matches("\nm{").count(), 3, "{text}");
    let removed = gateway.send("DELETE", "/metrics/job/a/U__x_2e_y/1", "");
    assert_eq!(removed.header("Tidegate-Groups-Deleted"), Some("1"));
}

#[test]
fn the_check_of_an_import_takes_the_label_names_that_the_start_takes() {
    let folder = folder();
    let path = write(&folder, &file(&utf8_groups()));
    let check = |flags: &[&str]| {
        let mut command = Command::new(server_binary());
        let output = command
            .args(["check", "import"])
            .args(flags)
            .arg(&path)
            .output();
        let output = output.expect("the command");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let legacy = check(&[]);
    assert!(legacy.starts_with("would import 2 groups "), "{legacy}");
    for told in [
        "improper label name \"x.y\" without --push.enable-utf8-names\n",
        "improper label name \"__r\"\n",
    ] {
        assert!(legacy.contains(told), "{legacy}");
    }
    let utf8 = check(&["--push.enable-utf8-names"]);
    assert!(utf8.starts_with("would import 3 groups "), "{utf8}");
    for told in [
        "would leave out group {job=\"a\",x_y=\"1\"}: it would show the same push_time_seconds",
        "improper label name \"__r\"\n",
        "improper label name \"._r\": the exposition would have \"__r\" twice or reserved\n",
    ] {
        assert!(utf8.contains(told), "{told}: {utf8}");
    }
}
