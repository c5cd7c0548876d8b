//! When a group exists, in plain arithmetic. Times are nanoseconds of TTL time.

use std::collections::BTreeMap;

use crate::steps::{Body, Kind, Rules, Span};

/// What decides when a group ends, and what it shows.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    clock_start: u64,
    /// The start by a wall clock that was ahead of the one found at a later start.
    ahead: Option<u64>,
    own_ttl: Option<Span>,
    /// TTL and end of an operator's override.
    pinned: Option<(Span, Span)>,
    /// Wall clock; 0 if it was never pushed with success.
    pub(crate) last_push: u64,
    shared: Option<Kind>,
    /// Number of its last push, or of its first failure.
    push: u64,
}

/// All groups that exist.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) groups: BTreeMap<usize, Group>,
    pub(crate) rules: Rules,
    /// When a pause ends, if there is one.
    pub(crate) pause: Option<Span>,
    pub(crate) now: u64,
    /// Pushes so far.
    pub(crate) pushes: u64,
    /// Those up to this number have been in a complete scrape.
    pub(crate) scraped: u64,
    /// What the scrape shows that was begun last.
    pub(crate) begun: Option<u64>,
}

impl Model {
    /// When a group ends: its clock's start and the TTL in force, which is an override's until
    /// that ends, then the push's own or that of rules and default.
    fn deadline(&self, number: usize, group: &Group) -> Span {
        let after = |ttl: Span| ttl.map(|ttl| group.clock_start + ttl);
        let capped = |own: Span| match (own, self.rules.max) {
            (Some(own), Some(max)) => Some(own.min(max)),
            (own, max) => own.or(max),
        };
        let ruled = self.rules.of_job[number % 2].unwrap_or(self.rules.default);
        let usual = after(group.own_ttl.map_or(ruled, capped));
        match group.pinned {
            None => usual,
            Some((ttl, None)) => after(ttl),
            Some((ttl, Some(end))) => after(ttl)
                .filter(|pinned| *pinned < end)
                .or(usual.map(|usual| usual.max(end))),
        }
    }

    /// Whether it stays for a scrape beyond its deadline, if that is not an override's own.
    fn is_held(&self, number: usize, group: &Group) -> bool {
        let ruled = self.rules.of_job[number % 2].is_some() && self.rules.holds[number % 2];
        let overridden = group.pinned.is_some_and(|(ttl, end)| match (ttl, end) {
            (_, None) => true,
            (ttl, Some(end)) => ttl.is_some_and(|ttl| group.clock_start + ttl < end),
        });
        ruled && !overridden && group.push > self.scraped
    }

    /// Whether there is a rule that holds groups.
    pub(crate) fn holds(&self) -> bool {
        let rules = self.rules.of_job.iter().zip(self.rules.holds);
        rules
            .filter(|(rule, _)| rule.is_some())
            .any(|(_, holds)| holds)
    }

    /// A scrape looks at what there is.
    pub(crate) fn begin_scrape(&mut self) {
        self.begun = Some(self.pushes);
    }

    /// The scrape that was begun last is complete.
    pub(crate) fn end_scrape(&mut self) {
        self.scraped = self.scraped.max(self.begun.take().unwrap_or_default());
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pause
            .is_some_and(|end| end.is_none_or(|end| self.now < end))
    }

    /// Nothing that has expired comes back: it is gone from here at that instant.
    pub(crate) fn expire(&mut self) {
        if self.is_paused() {
            return;
        }
        let all = self.clone();
        let alive = |number: &usize, group: &mut Group| {
            let late = all
                .deadline(*number, group)
                .is_some_and(|end| end <= all.now);
            !late || all.is_held(*number, group)
        };
        self.groups.retain(alive);
    }

    /// A push; whether it is taken.
    pub(crate) fn push(
        &mut self,
        number: usize,
        replace: bool,
        body: Body,
        own_ttl: Option<Span>,
        wall: u64,
    ) -> bool {
        let pushed = match body {
            Body::Shared(kind) => Some(kind),
            _ => None,
        };
        let others = self.groups.iter().filter(|(other, _)| **other != number);
        let mut held = others.filter_map(|(_, other)| other.shared);
        let refused =
            body == Body::Stamped || held.any(|held| pushed.is_some_and(|kind| kind != held));
        let new = Group {
            clock_start: self.now,
            ahead: None,
            own_ttl,
            pinned: None,
            last_push: 0,
            shared: None,
            push: self.pushes + 1,
        };
        self.pushes += 1;
        let group = self.groups.entry(number).or_insert(new);
        if refused {
            return false; // Data and clock stay; a group of failures alone ages from the first.
        }
        (group.clock_start, group.ahead) = (self.now, None);
        (group.own_ttl, group.last_push) = (own_ttl, wall);
        group.push = self.pushes;
        group.shared = pushed.or(group.shared.filter(|_| !replace));
        // One that has ended does not outlive a push.
        let now = self.now;
        group.pinned = group
            .pinned
            .filter(|(_, end)| end.is_none_or(|end| now < end));
        true
    }

    /// Starts a group's clock anew; whether there is such a group.
    pub(crate) fn touch(&mut self, number: usize) -> bool {
        let now = self.now;
        let group = self.groups.get_mut(&number);
        group
            .map(|group| (group.clock_start, group.ahead) = (now, None))
            .is_some()
    }

    /// Sets or takes away an override; whether there is such a group.
    pub(crate) fn pin(&mut self, number: usize, pinned: Option<(Span, Span)>) -> bool {
        let pinned = pinned.map(|(ttl, lasts)| (ttl, lasts.map(|lasts| self.now + lasts)));
        let group = self.groups.get_mut(&number);
        group.map(|group| group.pinned = pinned).is_some()
    }

    pub(crate) fn pause(&mut self, lasts: Span) {
        self.pause = Some(lasts.map(|lasts| self.now + lasts));
    }

    /// The wall clock at a start is TTL time from then on: a TTL clock of later starts then,
    /// unless a later start finds the wall clock put right.
    pub(crate) fn restart(&mut self, now: u64) {
        self.now = now;
        // What was scraped is not stored.
        self.begun = None;
        self.pushes += 1;
        for group in self.groups.values_mut() {
            group.push = self.pushes;
            if let Some(ahead) = group.ahead.filter(|ahead| *ahead <= now) {
                (group.clock_start, group.ahead) = (ahead, None);
            } else if group.clock_start > now {
                group.ahead = group.ahead.or(Some(group.clock_start));
                group.clock_start = now;
            }
        }
    }

    /// The moments to come at which something happens.
    pub(crate) fn moments(&self) -> Vec<u64> {
        let deadlines = self
            .groups
            .iter()
            .map(|(n, group)| self.deadline(*n, group));
        let ends = self.groups.values().map(|group| group.pinned?.1);
        let pause = self.pause.flatten();
        let all = deadlines.chain(ends).flatten().chain(pause);
        all.filter(|at| *at > self.now).collect()
    }
}
