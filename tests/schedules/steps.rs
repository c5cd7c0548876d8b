//! What can happen.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Groups, by number: an even one is of job `a`, an odd one of job `b`.
pub(crate) const GROUPS: usize = 5;

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const HOUR: u64 = 3600 * SECOND;
pub(crate) const TEN_YEARS: i64 = 10 * 365 * 86_400;

/// Nanoseconds; `None` is for ever.
pub(crate) type Span = Option<u64>;

/// TTL rules: what decides for groups whose push names no TTL.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// For anything else.
    pub(crate) default: Span,
    /// The rules of the two jobs, if there are such.
    pub(crate) of_job: [Option<Span>; 2],
    /// Whether they hold groups until they have been scraped.
    pub(crate) holds: [bool; 2],
    /// A push's own TTL is cut to it.
    pub(crate) max: Span,
}

/// The type of the one family that groups may disagree about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Gauge,
    Counter,
}

/// What a push carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    Nothing,
    /// A family of which all groups hold the same type.
    Harmless,
    /// A family that clashes with that of another type.
    Shared(Kind),
    /// A series with a timestamp, which is refused.
    Stamped,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Push {
        group: usize,
        replace: bool,
        body: Body,
        /// Of its own, if it names one.
        ttl: Option<Span>,
    },
    Delete(usize),
    Touch(usize),
    Override {
        group: usize,
        ttl: Span,
        lasts: Span,
    },
    EndOverride(usize),
    Pause(Span),
    Resume,
    Reload(Rules),
    Reap,
    /// A complete scrape.
    Scrape,
    /// One that looks at what there is, and is cut off unless its end comes.
    BeginScrape,
    /// The last byte of the one that was begun last.
    EndScrape,
    /// The wall clock at the start is what it was at the stop, moved by this, and `down` later.
    Restart {
        stepped: i64,
        down: u64,
    },
    /// Somebody sets the wall clock by so many seconds.
    SetWall(i64),
    Pass(u64),
    /// Until so many nanoseconds after one of the moments to come at which something happens.
    PassToward(Index, i64),
}

fn seconds() -> impl Strategy<Value = u64> {
    select(vec![SECOND, 10 * SECOND, 60 * SECOND, HOUR])
}

fn span() -> impl Strategy<Value = Span> {
    option::weighted(0.85, seconds())
}

fn rules() -> impl Strategy<Value = Rules> {
    let of_job = [option::of(span()), option::of(span())];
    let holds = [any::<bool>(), any::<bool>()];
    let max = option::weighted(0.3, seconds());
    (span(), of_job, holds, max).prop_map(|(default, of_job, holds, max)| Rules {
        default,
        of_job,
        holds,
        max,
    })
}

fn push() -> impl Strategy<Value = Step> {
    let body = prop_oneof![
        2 => Just(Body::Nothing),
        2 => Just(Body::Harmless),
        2 => Just(Body::Shared(Kind::Gauge)),
        2 => Just(Body::Shared(Kind::Counter)),
        1 => Just(Body::Stamped),
    ];
    let parts = (0..GROUPS, any::<bool>(), body, option::of(span()));
    parts.prop_map(|(group, replace, body, ttl)| Step::Push {
        group,
        replace,
        body,
        ttl,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let group = || 0..GROUPS;
    let lasts = || option::of(seconds());
    let stepped = || select(vec![-TEN_YEARS, -60, 0, 0, 0, 60, TEN_YEARS]);
    prop_oneof![
        12 => push(),
        1 => group().prop_map(Step::Delete),
        2 => group().prop_map(Step::Touch),
        6 => (group(), span(), lasts())
            .prop_map(|(group, ttl, lasts)| Step::Override { group, ttl, lasts }),
        1 => group().prop_map(Step::EndOverride),
        2 => lasts().prop_map(Step::Pause),
        2 => Just(Step::Resume),
        2 => rules().prop_map(Step::Reload),
        2 => Just(Step::Reap),
        2 => Just(Step::Scrape),
        2 => Just(Step::BeginScrape),
        2 => Just(Step::EndScrape),
        4 => (stepped(), prop_oneof![Just(0), seconds()])
            .prop_map(|(stepped, down)| Step::Restart { stepped, down }),
        1 => stepped().prop_map(Step::SetWall),
        2 => prop_oneof![0..3 * SECOND, seconds()].prop_map(Step::Pass),
        8 => (any::<Index>(), -1..=1_i64).prop_map(|(which, late)| Step::PassToward(which, late)),
    ]
}

/// Rules and history at the start, and what happens then.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) rules: Rules,
    /// Whether records of gone groups are kept, which must make no difference.
    pub(crate) history: bool,
    pub(crate) steps: Vec<Step>,
}

pub(crate) fn schedules() -> impl Strategy<Value = Schedule> {
    (rules(), any::<bool>(), vec(step(), 1..40)).prop_map(|(rules, history, steps)| Schedule {
        rules,
        history,
        steps,
    })
}
