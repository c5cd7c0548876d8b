//! Checking passwords: slow by design, so off the runtime, one at a time, and
//! remembered.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::{Mutex as Turn, Semaphore};

use super::basic::Credentials;
use crate::config::web::PasswordHash;
use crate::crypto::{Digest, SecretDigests};
use crate::limits::{PASSWORD_QUEUE, PASSWORDS};
use crate::lock::lock;
use crate::telemetry::Telemetry;

/// What became of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// Too many wait.
    Busy,
}

/// Checks passwords and remembers what came out, without keeping a password.
#[derive(Debug)]
pub(super) struct Passwords {
    digests: SecretDigests,
    known: Arc<Mutex<Known>>,
    queue: Semaphore,
    turn: Arc<Turn<()>>,
}

/// Right ones apart from wrong ones: who guesses cannot make others wait for theirs
/// to be checked again.
#[derive(Debug, Default)]
struct Known {
    right: Memory,
    wrong: Memory,
}

impl Known {
    fn verdict(&self, digest: &Digest) -> Option<Verdict> {
        match () {
            () if self.right.has(digest) => Some(Verdict::Right),
            () if self.wrong.has(digest) => Some(Verdict::Wrong),
            () => None,
        }
    }
}

/// The last [`PASSWORDS`] digests.
#[derive(Debug, Default)]
struct Memory {
    digests: HashSet<Digest>,
    oldest_first: VecDeque<Digest>,
}

impl Memory {
    fn has(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }

    fn add(&mut self, digest: Digest) {
        if !self.digests.insert(digest) {
            return;
        }
        self.oldest_first.push_back(digest);
        if self.oldest_first.len() > PASSWORDS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.digests.remove(&oldest);
        }
    }
}

impl Passwords {
    /// None remembered.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub(super) fn new() -> Result<Self, &'static str> {
        Ok(Self {
            digests: SecretDigests::new()?,
            known: Arc::default(),
            queue: Semaphore::new(PASSWORD_QUEUE),
            turn: Arc::default(),
        })
    }

    /// Whether the password is that of the user.
    pub(super) async fn check(
        &self,
        users: &BTreeMap<String, PasswordHash>,
        credentials: Credentials,
        telemetry: &Telemetry,
    ) -> Verdict {
        let Credentials { user, password } = credentials;
        let hash = std::str::from_utf8(&user).ok();
        let hash = hash.and_then(|user| users.get(user));
        let is_user = hash.is_some();
        // Somebody's hash for who is no user: it takes as long, so that the time tells
        // nobody which users there are.
        let Some(hash) = hash.or_else(|| users.values().next()) else {
            return Verdict::Wrong;
        };
        let hash = hash.as_str();
        // Somebody's hash may become this user's own, or have been: another question.
        let known: &[u8] = if is_user { b"user" } else { b"nobody" };
        let digest = self.digests.of(&[known, &user, hash.as_bytes(), &password]);
        if let Some(verdict) = self.recall(&digest) {
            return verdict;
        }
        let Ok(_place) = self.queue.try_acquire() else {
            return Verdict::Busy;
        };
        let turn = Arc::clone(&self.turn).lock_owned().await;
        // Perhaps it was this one that was waited for.
        if let Some(verdict) = self.recall(&digest) {
            return verdict;
        }
        telemetry.count_password_check();
        let (hash, known) = (hash.to_owned(), Arc::clone(&self.known));
        let checked = tokio::task::spawn_blocking(move || {
            let is_right = bcrypt::verify(&password, &hash).unwrap_or(false) && is_user;
            let mut known = lock(&known);
            let verdict = if is_right {
                known.right.add(digest);
                Verdict::Right
            } else {
                known.wrong.add(digest);
                Verdict::Wrong
            };
            // Only now is it the next one's turn, even if nobody waits for this any more.
            drop(turn);
            verdict
        });
        checked.await.unwrap_or(Verdict::Wrong)
    }

    fn recall(&self, digest: &Digest) -> Option<Verdict> {
        let known = lock(&self.known);
        known.verdict(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// bcrypt of `secret`.
    const HASH: &str = "$2b$04$aaaaaaaaaaaaaaaaaaaaau/nCn7vVCwqYJerX0DCwClIsiqBXJIjC";

    fn credentials(password: &str) -> Credentials {
        Credentials {
            user: b"alice".to_vec(),
            password: password.into(),
        }
    }

    #[tokio::test]
    async fn one_is_checked_at_a_time_few_wait_and_those_remembered_do_not() {
        let users = BTreeMap::from([("alice".to_owned(), HASH.parse().unwrap())]);
        let users = Arc::new(users);
        let passwords = Arc::new(Passwords::new().unwrap());
        let telemetry = Arc::new(Telemetry::new());
        let check = |password: &str| {
            let all = (
                Arc::clone(&passwords),
                Arc::clone(&users),
                Arc::clone(&telemetry),
            );
            let credentials = credentials(password);
            async move { all.0.check(&all.1, credentials, &all.2).await }
        };
        assert_eq!(check("secret").await, Verdict::Right);
        let turn = Arc::clone(&passwords.turn).lock_owned().await;
        let waiting: Vec<_> = (0..PASSWORD_QUEUE)
            .map(|guess| tokio::spawn(check(&guess.to_string())))
            .collect();
        while passwords.queue.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(check("one more").await, Verdict::Busy);
        assert_eq!(check("secret").await, Verdict::Right);
        assert!(waiting.iter().all(|check| !check.is_finished()));
        drop(turn);
        for check in waiting {
            assert_eq!(check.await.unwrap(), Verdict::Wrong);
        }
        assert_eq!(check("one more").await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn somebody_unknown_is_wrong_even_with_somebodys_password() {
        let users = BTreeMap::from([("bob".to_owned(), HASH.parse().unwrap())]);
        let passwords = Passwords::new().unwrap();
        let telemetry = Telemetry::new();
        for _ in 0..2 {
            let verdict = passwords.check(&users, credentials("secret"), &telemetry);
            assert_eq!(verdict.await, Verdict::Wrong);
        }
    }

    #[tokio::test]
    async fn a_user_who_shared_a_hash_and_is_taken_out_is_let_in_no_more() {
        let users = |names: &[&str]| -> BTreeMap<String, PasswordHash> {
            let hash = |name: &&str| ((*name).to_owned(), HASH.parse().unwrap());
            names.iter().map(hash).collect()
        };
        let (passwords, telemetry) = (Passwords::new().unwrap(), Telemetry::new());
        for (names, expected) in [
            (&["bob"][..], Verdict::Wrong),
            (&["alice", "bob"], Verdict::Right),
            (&["bob"], Verdict::Wrong),
        ] {
            let users = users(names);
            let verdict = passwords.check(&users, credentials("secret"), &telemetry);
            assert_eq!(verdict.await, expected, "{names:?}");
        }
    }
}
