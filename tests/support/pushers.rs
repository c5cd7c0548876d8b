//! Clients that push without pause and remember what each of their groups must hold.
//!
//! Every pusher has groups of its own and waits for each answer, so what a group holds is
//! known exactly: the outcome of the last operation that was acknowledged, or of the one
//! operation that was under way when the server went away. Every series of a push carries the
//! push's sequence number, so that half a push is seen as such.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use super::client::Client;
use super::http::request;
use super::random::Seeded;

/// Groups of one pusher.
const GROUPS: u64 = 12;

/// Pushes after which a refusal was overdue.
const PATIENCE: usize = 5000;

/// What one group holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Whether a push ever succeeded.
    pushed: bool,
    /// Whether one was ever rejected.
    rejected: bool,
    /// Sequence numbers by series, without the labels of the group.
    series: BTreeMap<String, u64>,
}

/// All groups of the job, by pusher and group number; a group that is not there is not here.
pub type Groups = BTreeMap<(u64, u64), Held>;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Put,
    Post,
    Heartbeat,
    Reject,
    Delete,
}

const OPERATIONS: [Operation; 10] = [
    Operation::Put,
    Operation::Put,
    Operation::Put,
    Operation::Put,
    Operation::Post,
    Operation::Post,
    Operation::Post,
    Operation::Heartbeat,
    Operation::Reject,
    Operation::Delete,
];

impl Operation {
    /// The status that says that it is done.
    fn done(self) -> u16 {
        match self {
            Self::Put | Self::Post | Self::Heartbeat => 200,
            Self::Delete => 202,
            Self::Reject => 400,
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Put | Self::Reject => "PUT",
            Self::Post | Self::Heartbeat => "POST",
            Self::Delete => "DELETE",
        }
    }

    /// The series it writes.
    fn series(self) -> &'static [&'static str] {
        match self {
            Self::Put => &[
                "load_a{part=\"1\"}",
                "load_a{part=\"2\"}",
                "load_b{}",
                "load_c{}",
            ],
            Self::Post => &["load_b{}", "load_d{part=\"1\"}", "load_d{part=\"2\"}"],
            _ => &[],
        }
    }

    fn body(self, sequence: u64, random: &mut Seeded) -> String {
        if let Self::Reject = self {
            return "# TYPE load_kind gauge\nload_kind 1\n".to_owned();
        }
        let mut body = String::new();
        if !self.series().is_empty() {
            // Text that does not compress, so that pages fill and the file grows.
            let longest = if random.once_in(16) { 2000 } else { 40 };
            let length = random.below(longest);
            let help: Vec<String> = (0..length)
                .map(|_| format!("{:x}", random.next()))
                .collect();
            writeln!(body, "# HELP load_b {}", help.concat()).expect("text");
        }
        for series in self.series() {
            writeln!(body, "{series} {sequence}").expect("text");
        }
        body
    }

    /// What a group holds after it.
    fn outcome(self, held: Option<Held>, sequence: u64) -> Option<Held> {
        let mut held = match self {
            Self::Delete => return None,
            _ => held.unwrap_or_default(),
        };
        match self {
            Self::Reject => held.rejected = true,
            Self::Put => held.series.clear(),
            _ => {}
        }
        held.pushed |= !matches!(self, Self::Reject);
        for series in self.series() {
            held.series.insert((*series).to_owned(), sequence);
        }
        Some(held)
    }
}

/// A group of another job, whose family gives `Reject` something to be inconsistent with.
pub fn pin_kind(address: SocketAddr) {
    let body = b"# TYPE load_kind counter\nload_kind 1\n";
    let answer = request(address, "PUT", "/metrics/job/pin", &[], body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// One client.
pub struct Pusher {
    number: u64,
    random: Seeded,
    sequence: u64,
    /// What its groups hold, as far as it was told.
    known: Groups,
    /// The operation whose answer never came or was a refusal: its group, and what
    /// that would then hold.
    doubt: Option<(u64, Option<Held>)>,
}

impl Pusher {
    pub fn new(number: u64) -> Self {
        Self {
            number,
            random: Seeded::new(number),
            sequence: 0,
            known: Groups::new(),
            doubt: None,
        }
    }

    pub fn crew(size: u64) -> Vec<Self> {
        (0..size).map(Self::new).collect()
    }

    /// Sends one operation after the other until one is not acknowledged; why. Each
    /// acknowledgement is also sent to `acknowledged`.
    pub fn push_until_refused(&mut self, address: SocketAddr, acknowledged: &Sender<()>) -> String {
        let mut client = match Client::connect(address) {
            Ok(client) => client,
            Err(error) => return error.to_string(),
        };
        for _ in 0..PATIENCE {
            match self.step(&mut client) {
                // Nobody may be counting any more.
                Ok(()) => drop(acknowledged.send(())),
                Err(refusal) => return refusal,
            }
        }
        panic!("not refused after {PATIENCE} pushes: is anything written at all?")
    }

    /// Sends one operation; why it is not known to be done.
    pub fn step(&mut self, client: &mut Client) -> Result<(), String> {
        let group = self.random.below(GROUPS);
        let choice = self.random.below(OPERATIONS.len() as u64);
        let operation = OPERATIONS[usize::try_from(choice).expect("a small number")];
        self.sequence += 1;
        let body = operation.body(self.sequence, &mut self.random);
        let path = format!("/metrics/job/load/pusher/{}/group/{group}", self.number);
        let key = (self.number, group);
        let outcome = operation.outcome(self.known.get(&key).cloned(), self.sequence);
        let refusal = match client.send(operation.method(), &path, &body) {
            Ok(answer) if answer.status == operation.done() => {
                match outcome {
                    Some(held) => drop(self.known.insert(key, held)),
                    None => drop(self.known.remove(&key)),
                }
                return Ok(());
            }
            Ok(answer) => format!("{} {}", answer.status, answer.text().trim_end()),
            Err(error) => error.to_string(),
        };
        self.doubt = Some((group, outcome));
        Err(refusal)
    }

    /// The last refusal must have left nothing.
    pub fn trust_refusal(&mut self) {
        self.doubt = None;
    }

    /// What of `seen` is not as it must be.
    fn faults(&self, seen: &Groups) -> Vec<String> {
        let mut faults = Vec::new();
        for group in 0..GROUPS {
            let key = (self.number, group);
            let known = self.known.get(&key);
            let doubt = self
                .doubt
                .as_ref()
                .filter(|(doubtful, _)| *doubtful == group);
            let found = seen.get(&key);
            if found != known && doubt.is_none_or(|(_, outcome)| found != outcome.as_ref()) {
                let doubt = doubt.map(|(_, outcome)| outcome);
                faults.push(format!(
                    "pusher {} group {group}: acknowledged {known:?}, in doubt {doubt:?}, found {found:?}",
                    self.number
                ));
            }
        }
        faults
    }

    /// What is seen is what is known.
    fn settle(&mut self, seen: &Groups) {
        let own = seen.range((self.number, 0)..(self.number + 1, 0));
        self.known = own.map(|(key, held)| (*key, held.clone())).collect();
        self.doubt = None;
    }

    /// Groups that must be there.
    pub fn groups(&self) -> usize {
        self.known.len()
    }
}

/// What of an exposition is not as the pushers have it: empty if all is well, and then doubts
/// are settled.
pub fn compare(crew: &mut [Pusher], exposition: &str) -> Vec<String> {
    let seen = groups(exposition);
    let faults: Vec<String> = crew
        .iter()
        .flat_map(|pusher| pusher.faults(&seen))
        .collect();
    if faults.is_empty() {
        for pusher in crew {
            pusher.settle(&seen);
        }
    }
    faults
}

/// The same if nothing that was not acknowledged may show. Doubts stay.
pub fn compare_acknowledged(crew: &mut [Pusher], exposition: &str) -> Vec<String> {
    let seen = groups(exposition);
    let mut faults = Vec::new();
    for pusher in crew {
        let doubt = pusher.doubt.take();
        faults.extend(pusher.faults(&seen));
        pusher.doubt = doubt;
    }
    faults
}

/// The groups in an exposition.
pub fn groups(exposition: &str) -> Groups {
    let mut groups = Groups::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let Some((name, labels)) = series.split_once('{') else {
            continue;
        };
        let labels: BTreeMap<&str, &str> = labels
            .trim_end_matches('}')
            .split(',')
            .filter_map(|label| label.split_once('='))
            .collect();
        if labels.get("job") != Some(&"\"load\"") {
            continue;
        }
        let number = |name: &str| labels[name].trim_matches('"').parse().expect("a number");
        let held = groups
            .entry((number("pusher"), number("group")))
            .or_default();
        match name {
            "push_time_seconds" => held.pushed = value != "0",
            "push_failure_time_seconds" => held.rejected = value != "0",
            _ => {
                let part = labels.get("part");
                let part = part.map(|part| format!("part={part}")).unwrap_or_default();
                let sequence = value.parse().expect("a sequence number");
                held.series.insert(format!("{name}{{{part}}}"), sequence);
            }
        }
    }
    groups
}
