//! When a group exists, in plain arithmetic. Times are nanoseconds of TTL time.

use std::collections::BTreeMap;

use crate::steps::{Body, Kind, Rules, Span};

/// What decides when a group ends, and what it shows.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    clock_start: u64,
    /// The start on disk: later than the other if the wall clock was set back at a start.
    stored_start: u64,
    own_ttl: Option<Span>,
    /// TTL and end of an operator's override.
    pinned: Option<(Span, Span)>,
    /// Wall clock; 0 if it was never pushed with success.
    pub(crate) last_push: u64,
    shared: Option<Kind>,
}

/// All groups that exist.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) groups: BTreeMap<usize, Group>,
    pub(crate) rules: Rules,
    /// When a pause began, and its end.
    pub(crate) pause: Option<(u64, Span)>,
    pub(crate) now: u64,
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

    pub(crate) fn is_paused(&self) -> bool {
        self.pause
            .is_some_and(|(_, end)| end.is_none_or(|end| self.now < end))
    }

    /// Nothing that has expired comes back: it is gone from here at that instant.
    pub(crate) fn expire(&mut self) {
        if self.is_paused() {
            return;
        }
        let all = self.clone();
        let alive = |number: &usize, group: &mut Group| {
            all.deadline(*number, group).is_none_or(|end| all.now < end)
        };
        self.groups.retain(alive);
    }

    /// Whether a group is overdue since before the pause.
    pub(crate) fn is_overdue_since_before_the_pause(&self) -> bool {
        let Some((began, _)) = self.pause.filter(|_| self.is_paused()) else {
            return false;
        };
        let mut groups = self.groups.iter();
        groups.any(|(number, group)| {
            self.deadline(*number, group)
                .is_some_and(|end| end <= began)
        })
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
            stored_start: self.now,
            own_ttl,
            pinned: None,
            last_push: 0,
            shared: None,
        };
        let group = self.groups.entry(number).or_insert(new);
        if refused {
            group.stored_start = group.clock_start;
            return false; // Data and clock stay; a group of failures alone ages from the first.
        }
        (group.clock_start, group.stored_start) = (self.now, self.now);
        (group.own_ttl, group.last_push) = (own_ttl, wall);
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
            .map(|group| (group.clock_start, group.stored_start) = (now, now))
            .is_some()
    }

    /// Sets or takes away an override; whether there is such a group.
    pub(crate) fn pin(&mut self, number: usize, pinned: Option<(Span, Span)>) -> bool {
        let pinned = pinned.map(|(ttl, lasts)| (ttl, lasts.map(|lasts| self.now + lasts)));
        let group = self.groups.get_mut(&number);
        group.map(|group| group.pinned = pinned).is_some()
    }

    pub(crate) fn pause(&mut self, lasts: Span) {
        let began = match self.pause.filter(|_| self.is_paused()) {
            Some((began, _)) => began,
            None => self.now,
        };
        self.pause = Some((began, lasts.map(|lasts| self.now + lasts)));
    }

    /// The wall clock at a start is TTL time from then on: a TTL clock of later starts
    /// then, and before a pause of later nothing had expired.
    pub(crate) fn restart(&mut self, now: u64) {
        self.now = now;
        for group in self.groups.values_mut() {
            group.clock_start = group.stored_start.min(now);
        }
        if let Some((began, _)) = &mut self.pause {
            *began = if *began > now { 0 } else { *began };
        }
    }

    /// The moments to come at which something happens.
    pub(crate) fn moments(&self) -> Vec<u64> {
        let deadlines = self
            .groups
            .iter()
            .map(|(n, group)| self.deadline(*n, group));
        let ends = self.groups.values().map(|group| group.pinned?.1);
        let pause = self.pause.and_then(|(_, end)| end);
        let all = deadlines.chain(ends).flatten().chain(pause);
        all.filter(|at| *at > self.now).collect()
    }
}
