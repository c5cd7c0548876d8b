//! Bytes of a store that have changed on disk: the store is refused and stays as it is, or it
//! holds what it held. Never less, never anything else, and never a panic.

mod support;

use std::collections::BTreeMap;

use support::client::Client;
use support::disk::Disk;
use support::in_process::InProcess;
use support::process::Gateway;
use support::pushers::{Pusher, pin_kind};
use support::random::Seeded;
use tidegate::clock::{Clock, UnixNanos};
use tidegate::model::{GroupKey, Kind};
use tidegate::store::{
    Batch, FamilyFacts, Head, OpenError, Packed, RowWrite, Store, encode_metrics,
};

/// What redb reads and writes at once.
const PAGE: usize = 4096;

/// A gateway that has taken pushes enough for a tree of several levels.
fn filled(disk: &Disk) -> InProcess {
    let gateway = InProcess::start(disk.place(), Clock::system()).expect("an empty store");
    pin_kind(gateway.address());
    let mut client = Client::connect(gateway.address()).expect("a connection");
    for mut pusher in Pusher::crew(6) {
        for _ in 0..25 {
            pusher.step(&mut client).expect("a push that is taken");
        }
    }
    gateway
}

/// All that a store holds, in words; why, if it is refused. Then it must be as it was.
fn held(image: &[u8]) -> Result<String, OpenError> {
    let disk = Disk::holding(image);
    let opened = Store::open(&disk.place());
    if opened.is_err() {
        assert!(disk.bytes() == image, "a refused store was changed");
    }
    opened.map(|opened| format!("{:?}", opened.contents.groups))
}

/// The image with one byte changed, again and again in every page that is not empty.
fn flips(image: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let mut random = Seeded::new(1);
    let used = |(_, page): &(usize, &[u8])| page.iter().any(|byte| *byte != 0);
    let pages = image.chunks(PAGE).enumerate().filter(used);
    let places = pages.flat_map(|(page, _)| [64, 64, 512, PAGE, PAGE].map(|end| (page, end)));
    places.map(move |(page, end)| {
        // Pages begin with what describes them, which is where damage does most.
        let within = usize::try_from(random.below(end as u64)).expect("a place in a page");
        let change = u8::try_from(random.below(255)).expect("a byte") + 1;
        let mut damaged = image.to_vec();
        damaged[page * PAGE + within] ^= change;
        (page * PAGE + within, damaged)
    })
}

/// The image cut short at several places.
fn cuts(image: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let ends = [1, 8, 9, 100, 319, 320, 511, 512, 4095, 4096, 8192];
    let later = (1..20).map(|part| image.len() / 20 * part);
    let last = [image.len() - PAGE, image.len() - 1];
    let ends = ends.into_iter().chain(later).chain(last);
    ends.map(|end| (end, image[..end].to_vec()))
}

/// Opens every damaged image: those that are taken must hold one of `states`. Returns how many
/// were refused.
fn refusals(
    damaged: impl Iterator<Item = (usize, Vec<u8>)>,
    what: &str,
    states: &[String],
) -> usize {
    let mut refused = 0;
    for (at, image) in damaged {
        match held(&image) {
            Ok(found) => assert!(
                states.contains(&found),
                "{what} {at} changed what is held:\n{found}"
            ),
            Err(OpenError::Io { reason, .. }) => panic!("{what} {at}: {reason}"),
            Err(_) => refused += 1,
        }
    }
    refused
}

#[test]
fn damage_to_a_closed_store_is_found_or_does_not_matter() {
    let disk = Disk::default();
    drop(filled(&disk));
    let image = disk.bytes();
    let states = [held(&image).expect("a whole store")];
    let flipped = refusals(flips(&image), "byte", &states);
    assert!(flipped > 100, "only {flipped} changes were found");
    let cut = refusals(cuts(&image), "end", &states);
    assert_eq!(
        cut,
        cuts(&image).count(),
        "a store that is cut short was taken"
    );
}

/// The last commit before a kill may have been torn, and damage to its own pages looks the
/// same: then the state before that commit is taken. No commit before it is ever given up.
#[test]
fn damage_to_a_killed_store_costs_its_last_commit_at_most() {
    let disk = Disk::default();
    let gateway = filled(&disk);
    let before = held(&disk.bytes()).expect("a whole store");
    let answer = gateway.send("PUT", "/metrics/job/last", "last 1\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let image = disk.bytes();
    drop(gateway);
    let states = [held(&image).expect("a whole store"), before];
    assert_ne!(states[0], states[1]);
    let flipped = refusals(flips(&image), "byte", &states);
    assert!(flipped > 100, "only {flipped} changes were found");
    refusals(cuts(&image), "end", &states);
}

/// Rows that were written whole, with families that this program cannot have written: of many
/// such groups the first is named, whichever thread meets its own first.
#[test]
fn series_that_cannot_be_decoded_are_found_before_anything_is_written() {
    let disk = Disk::default();
    let store = Store::open(&disk.place()).expect("an empty store").store;
    let key = |group: usize| GroupKey::new(&format!("job-{group:05}"), &BTreeMap::new());
    let row = |group: usize| {
        let broken = group > 2000 && group.is_multiple_of(3);
        let families = [FamilyFacts {
            name: "a".to_owned(),
            kind: Kind::Gauge,
            help: Some(group.to_string().repeat(50)),
            pushed: None,
            series: 0,
            metrics: if broken {
                vec![0xc1]
            } else {
                encode_metrics(Kind::Gauge, &[])
            },
        }];
        let row = RowWrite::Group {
            head: Head::default(),
            pushed: UnixNanos(1),
            families: Packed::pack(&families),
        };
        (key(group), row)
    };
    let rows = (0..20_000).map(row).collect();
    let batch = Batch {
        rows,
        ..Batch::default()
    };
    store.commit(&batch).expect("a commit");
    store.close().expect("a clean end");
    let image = disk.bytes();
    for _ in 0..3 {
        let refused = InProcess::start(disk.place(), Clock::system());
        let reason = refused.err().expect("a start that is refused");
        assert!(reason.contains("job-02001"), "{reason}");
        assert!(reason.contains("it was left as it is"), "{reason}");
        assert!(disk.bytes() == image, "a refused store was changed");
    }
}

#[test]
fn a_store_that_is_deleted_under_a_running_gateway_takes_no_more_pushes() {
    let mut gateway = Gateway::start();
    let push = |gateway: &Gateway| gateway.send("PUT", "/metrics/job/a", &[], "m 1\n");
    assert_eq!(push(&gateway).status, 200);
    std::fs::remove_dir_all(gateway.folder().join("store")).expect("a folder to remove");
    let answer = push(&gateway);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(
        answer.text().contains("is not there any more"),
        "{}",
        answer.text()
    );
    assert_eq!(gateway.send("GET", "/-/healthy", &[], "").status, 503);
    assert_eq!(
        gateway.value("m{instance=\"\",job=\"a\"}").as_deref(),
        Some("1")
    );
    assert!(!gateway.folder().join("store").exists(), "made anew");
    gateway.terminate();
}

/// What is acknowledged must be in the file that the next start finds. An older file is not what was
/// on disk before, so that only a start of the operator's goes on with it.
#[test]
fn a_store_that_is_replaced_under_a_running_gateway_takes_no_more_pushes() {
    let mut gateway = Gateway::start();
    let push =
        |gateway: &Gateway, job| gateway.send("PUT", &format!("/metrics/job/{job}"), &[], "m 1\n");
    let shown =
        |gateway: &Gateway, job| gateway.value(&format!("m{{instance=\"\",job=\"{job}\"}}"));
    assert_eq!(push(&gateway, "before").status, 200);
    let store = gateway.folder().join("store");
    let (file, copy) = (store.join("tidegate.redb"), store.join("copy"));
    std::fs::copy(&file, &copy).expect("a copy");
    assert_eq!(push(&gateway, "between").status, 200);
    std::fs::rename(&copy, &file).expect("a file put in its place");
    let answer = push(&gateway, "after");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(
        answer.text().contains("is another file"),
        "{}",
        answer.text()
    );
    assert!(!gateway.wait().success());
    assert!(
        gateway.log().contains("it is of revision 1"),
        "{}",
        gateway.log()
    );
    gateway.restart();
    assert_eq!(shown(&gateway, "before").as_deref(), Some("1"));
    assert_eq!(shown(&gateway, "between"), None, "the copy is older");
}
