//! A disk that fails in the midst of a wipe, or of a delete by matcher: the slices before are
//! gone for good, the others are there as they were, and everybody sees the same.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::http::Doors;
use tidegate::limits::SLICE;

use crate::harness::{Gateway, Options};
use crate::support::disk::{Disk, Left, Operation, Trouble};
use crate::support::http::Response;
use crate::support::{LIMIT, eventually};

/// Some slices, and a last one that is not full.
const GROUPS: usize = 3 * SLICE + 10;

/// A group that no matcher names, behind all others.
const OTHER: &str = "other";

/// Longer than the longest wait before the store is opened again.
const WAIT: Duration = Duration::from_secs(31);

/// Deletes all groups `old-...`; method and path.
type Deletion = (&'static str, &'static str);

const WIPE: Deletion = ("PUT", "/api/v1/admin/wipe");
const DELETE: Deletion = (
    "POST",
    "/api/v1/admin/delete_groups?match[]=%7Bjob%3D~%22old-.*%22%7D",
);

struct Bench {
    disk: Disk,
    gateway: Gateway,
}

impl Bench {
    fn on(disk: Disk) -> Self {
        let gateway = Gateway::with(Options {
            place: Some(disk.place()),
            doors: Doors {
                admin: true,
                ..Doors::default()
            },
            ..Options::default()
        });
        Self { disk, gateway }
    }

    fn fill(&self) {
        let group = |n| json!({"labels": {"job": old(n)}, "body": "m 1\n"});
        let groups: Vec<Value> = (0..GROUPS).map(group).collect();
        let body = json!({ "groups": groups }).to_string();
        let answer = self.gateway.send("POST", "/api/v1/push", &[], body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn ask(&self, (method, path): Deletion) -> Response {
        self.gateway.send(method, path, &[], "")
    }

    /// The groups that a scrape shows.
    fn shown(&self) -> BTreeSet<String> {
        let text = self.gateway.pushed();
        let lines = text.lines().filter_map(|line| line.strip_prefix("m{"));
        let job = |line: &str| Some(line.split("job=\"").nth(1)?.split('"').next()?.to_owned());
        lines.filter_map(job).collect()
    }

    /// The groups that are stored.
    fn stored(&self) -> BTreeSet<String> {
        let answer = self.gateway.get("/api/v1/metrics", &[]);
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let groups = body["data"].as_array().expect("groups").iter();
        let job = |group: &Value| group["labels"]["job"].as_str().expect("a job").to_owned();
        groups.map(job).collect()
    }

    fn recover(&self) {
        self.disk.heal();
        eventually(LIMIT, "a gateway that is ready again", || {
            self.gateway.advance(WAIT);
            let answer = self.gateway.get("/-/ready", &[]);
            (answer.status == 200)
                .then_some(())
                .ok_or_else(|| answer.text())
        });
    }
}

fn old(n: usize) -> String {
    format!("old-{n:05}")
}

/// How many groups are gone: the first ones, and whole slices of them.
#[track_caller]
fn gone(left: &BTreeSet<String>, story: &str) -> usize {
    let gone = (0..GROUPS).take_while(|n| !left.contains(&old(*n))).count();
    let behind = (gone..GROUPS).all(|n| left.contains(&old(n)));
    assert!(behind, "{story}: not the first {gone} alone are gone");
    assert!(gone % SLICE == 0 || gone == GROUPS, "{story}: {gone}");
    gone
}

/// One deletion on a disk that fails after so many operations; how many groups it deleted, and
/// whether it failed.
fn delete_and_fail(
    bench: &Bench,
    deletion: Deletion,
    operations: u64,
    kind: ErrorKind,
) -> (usize, bool) {
    let story = format!("{} with {kind:?} after {operations} operations", deletion.1);
    bench.fill();
    bench.gateway.put(&format!("job/{OTHER}"), "m 1\n");
    bench.disk.trouble_after(operations, Trouble::Fails(kind));
    let answer = bench.ask(deletion);
    if bench.disk.failed().is_none() {
        bench.disk.heal();
        assert!(
            matches!(answer.status, 200 | 202),
            "{story}: {}",
            answer.text()
        );
        return (gone(&bench.shown(), &story), false);
    }
    let (status, reason) = match kind {
        ErrorKind::StorageFull => (507, "no storage space"),
        _ => (503, "host unreachable"),
    };
    assert_eq!(answer.status, status, "{story}: {}", answer.text());
    assert!(answer.text().contains(reason), "{story}: {}", answer.text());
    let seen = gone(&bench.shown(), &story);
    let told = format!("; {seen} groups were changed before that");
    let is_told = answer.text().contains(&told);
    assert_eq!(is_told, seen > 0, "{story}: {}", answer.text());
    let refused = bench.gateway.write("PUT", "job/late", "m 1\n");
    assert_eq!(refused.status, status, "{story}: {}", refused.text());
    let ambiguous = bench.disk.failed() == Some(Operation::Sync);
    bench.recover();
    let (shown, stored) = (bench.shown(), bench.stored());
    assert_eq!(shown, stored, "{story}");
    let left = gone(&shown, &story);
    // What was being written when a sync failed may be there.
    assert!(
        left == seen || (ambiguous && left > seen),
        "{story}: {seen}, then {left}"
    );
    let counted: usize = bench.gateway.counts().0.parse().expect("a count");
    assert_eq!(counted, shown.len(), "{story}");
    assert_works(bench, &story);
    (left, true)
}

/// Groups come back and go as ever, and what is there would survive a power cut.
fn assert_works(bench: &Bench, story: &str) {
    let gateway = &bench.gateway;
    for job in [old(0), old(GROUPS - 1), "zz".to_owned()] {
        gateway.put(&format!("job/{job}"), "m 2\n");
        let series = format!("m{{instance=\"\",job=\"{job}\"}}");
        assert_eq!(gateway.value(&series).as_deref(), Some("2"), "{story}");
    }
    let image = bench.disk.after_power_cut(Left::Synced);
    let next = Bench::on(Disk::holding(&image));
    assert_eq!(next.shown(), bench.shown(), "{story}, then a power cut");
    let expected = next.shown().len();
    let answer = next.ask(WIPE);
    let deleted = answer.header("Tidegate-Groups-Deleted");
    assert_eq!(deleted, Some(expected.to_string().as_str()), "{story}");
    assert!(gateway.delete("job/zz"), "{story}");
}

/// Deletions on a disk that fails later and later, until one comes to its end.
fn fail_everywhere(deletion: Deletion, kind: ErrorKind, step: usize) {
    let bench = Bench::on(Disk::default());
    let mut seen = BTreeSet::new();
    for operations in (0..).step_by(step) {
        let (gone, failed) = delete_and_fail(&bench, deletion, operations, kind);
        if !failed {
            assert_eq!(gone, GROUPS);
            break;
        }
        seen.insert(gone);
    }
    let midst = seen.iter().filter(|gone| (1..GROUPS).contains(*gone));
    assert!(midst.count() > 1, "no failure in the midst: {seen:?}");
    let is_there = bench.shown().contains(OTHER);
    assert_eq!(is_there, deletion != WIPE);
}

#[test]
fn a_wipe_for_which_the_disk_is_full_in_its_midst_leaves_whole_slices() {
    fail_everywhere(WIPE, ErrorKind::StorageFull, 17);
}

#[test]
fn a_delete_by_matcher_that_the_disk_fails_in_its_midst_leaves_whole_slices() {
    fail_everywhere(DELETE, ErrorKind::HostUnreachable, 17);
}
