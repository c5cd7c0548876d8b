//! The one place that reads time.
//!
//! Two times are kept apart. *Wall* time is what people and Prometheus see
//! (push times, log lines). *TTL* time decides expiry: the wall clock as it was
//! at start plus the `CLOCK_BOOTTIME` that has passed since. It counts a
//! suspended machine and never steps, so that correcting the wall clock moves
//! no deadline.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec};
use tokio::sync::watch;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;

/// The longest single sleep of [`Clock::sleep_until`]. A timer stands still
/// while the machine is suspended; waking at least this often notices it.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, up to the year 2554.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct UnixNanos(pub u64);

impl UnixNanos {
    /// This time and `span` more; the latest representable time if that is too far.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }

    /// This time and `span` more, or `None` if that is too far to be represented.
    pub fn checked_plus(self, span: Duration) -> Option<Self> {
        let span = u64::try_from(span.as_nanos()).ok()?;
        self.0.checked_add(span).map(Self)
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since 1970, rounded as the Pushgateway does for
    /// `push_time_seconds`: the nanoseconds as a double, divided by 1e9.
    #[expect(clippy::cast_precision_loss, reason = "the Pushgateway's own rounding")]
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// RFC 3339 in UTC, the fraction without trailing zeros:
    /// `2026-11-22T03:07:00.5Z`, `2026-11-22T03:07:00Z`.
    pub fn rfc3339(self) -> Rfc3339 {
        Rfc3339(self)
    }

    /// The same instant for interfaces that want the standard library's type.
    pub fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.0)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Displays a time as [`UnixNanos::rfc3339`] says.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(UnixNanos);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = humantime::format_rfc3339_nanos(self.0.system_time()).to_string();
        let digits = full
            .trim_end_matches('Z')
            .trim_end_matches('0')
            .trim_end_matches('.');
        write!(out, "{digits}Z")
    }
}

/// Answers what time it is. Clones read the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System {
        wall_at_start: UnixNanos,
        boot_at_start: Duration,
    },
    Manual(watch::Receiver<Hands>),
}

/// What a manual clock shows.
#[derive(Clone, Copy, Debug)]
struct Hands {
    wall: UnixNanos,
    ttl: UnixNanos,
}

/// One instant by both times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// TTL time.
    pub ttl: UnixNanos,
    /// What the wall clock shows at it: see [`Clock::wall_of`].
    pub wall: UnixNanos,
}

impl Now {
    /// What the wall clock shows at another TTL time, past or to come.
    pub fn wall_of(self, ttl: UnixNanos) -> UnixNanos {
        if ttl >= self.ttl {
            self.wall.plus(ttl.since(self.ttl))
        } else {
            let ago = u64::try_from(self.ttl.since(ttl).as_nanos()).unwrap_or(u64::MAX);
            UnixNanos(self.wall.0.saturating_sub(ago))
        }
    }
}

impl Clock {
    /// The machine's clock. TTL time starts from the wall clock of this moment,
    /// so one process makes one and clones it.
    pub fn system() -> Self {
        Self(Source::System {
            wall_at_start: system_wall(),
            boot_at_start: since_boot(),
        })
    }

    /// A clock that stands still until its [`ManualClock`] moves it.
    pub fn manual(start: UnixNanos) -> (Self, ManualClock) {
        let (sender, receiver) = watch::channel(Hands {
            wall: start,
            ttl: start,
        });
        (Self(Source::Manual(receiver)), ManualClock(sender))
    }

    /// The wall clock, steps included. A clock set before 1970 reads 1970.
    pub fn wall(&self) -> UnixNanos {
        match &self.0 {
            Source::System { .. } => system_wall(),
            Source::Manual(hands) => hands.borrow().wall,
        }
    }

    /// TTL time: never goes back, never steps, counts time spent suspended.
    pub fn ttl_now(&self) -> UnixNanos {
        match &self.0 {
            Source::System {
                wall_at_start,
                boot_at_start,
            } => wall_at_start.plus(since_boot().saturating_sub(*boot_at_start)),
            Source::Manual(hands) => hands.borrow().ttl,
        }
    }

    /// What the wall clock shows at this TTL time, past or to come: the same at every call
    /// until somebody sets the wall clock. Both clocks run alike, but no two readings of
    /// them are at one instant: a difference counts in whole milliseconds.
    pub fn wall_of(&self, ttl_time: UnixNanos) -> UnixNanos {
        let ahead = i128::from(self.wall().0) - i128::from(self.ttl_now().0);
        let steps = (ahead + NANOS_PER_MILLI / 2).div_euclid(NANOS_PER_MILLI);
        let wall = i128::from(ttl_time.0) + steps * NANOS_PER_MILLI;
        UnixNanos(u64::try_from(wall.max(0)).unwrap_or(u64::MAX))
    }

    /// This instant by both.
    pub fn now(&self) -> Now {
        let ttl = self.ttl_now();
        let wall = self.wall_of(ttl);
        Now { ttl, wall }
    }

    /// Waits until [`Clock::ttl_now`] is at least `ttl_time`. Cancel safe. After a
    /// suspend it may be up to a minute late.
    pub async fn sleep_until(&self, ttl_time: UnixNanos) {
        match &self.0 {
            Source::System { .. } => loop {
                let left = ttl_time.since(self.ttl_now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            },
            Source::Manual(hands) => {
                let mut hands = hands.clone();
                if hands.wait_for(|hands| hands.ttl >= ttl_time).await.is_err() {
                    // The hands are gone: this clock stands still for good.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// By how many whole seconds the wall clock is ahead of TTL time (negative:
    /// behind), because somebody set it since the start.
    pub fn drift(&self) -> i64 {
        let (wall, ttl) = (self.wall(), self.ttl_now());
        let ahead = i128::from(wall.0) - i128::from(ttl.0);
        i64::try_from(ahead / i128::from(NANOS_PER_SECOND)).unwrap_or(i64::MAX)
    }
}

/// Moves a clock made by [`Clock::manual`].
#[derive(Clone, Debug)]
pub struct ManualClock(watch::Sender<Hands>);

impl ManualClock {
    /// Lets time pass: both the wall clock and TTL time move, sleepers wake.
    pub fn advance(&self, span: Duration) {
        self.0.send_modify(|hands| {
            hands.wall = hands.wall.plus(span);
            hands.ttl = hands.ttl.plus(span);
        });
    }

    /// Sets the wall clock forward or back by `seconds`, as an administrator or
    /// NTP would. TTL time does not notice.
    pub fn step_wall(&self, seconds: i64) {
        let step = seconds.unsigned_abs().saturating_mul(NANOS_PER_SECOND);
        self.0.send_modify(|hands| {
            hands.wall.0 = if seconds < 0 {
                hands.wall.0.saturating_sub(step)
            } else {
                hands.wall.0.saturating_add(step)
            };
        });
    }
}

/// Measures how long something took, for metrics and the log.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads time"
    )]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads time"
)]
fn system_wall() -> UnixNanos {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos(nanos(since_1970))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads time"
)]
fn since_boot() -> Duration {
    let Timespec { tv_sec, tv_nsec } = rustix::time::clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const START: UnixNanos = UnixNanos(1_795_316_820_500_000_000);

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(UnixNanos(1).plus(second), UnixNanos(1_000_000_001));
        assert_eq!(UnixNanos(u64::MAX).plus(second), UnixNanos(u64::MAX));
        assert_eq!(UnixNanos(1).plus(Duration::MAX), UnixNanos(u64::MAX));
        assert_eq!(
            UnixNanos(1).checked_plus(second),
            Some(UnixNanos(1_000_000_001))
        );
        assert_eq!(UnixNanos(u64::MAX).checked_plus(second), None);
        assert_eq!(UnixNanos(1).checked_plus(Duration::MAX), None);
        assert_eq!(UnixNanos(3).since(UnixNanos(1)), Duration::from_nanos(2));
        assert_eq!(UnixNanos(1).since(UnixNanos(3)), Duration::ZERO);
    }

    #[test]
    fn seconds_are_rounded_once_after_the_nanoseconds_are() {
        assert_eq!(
            START.as_seconds_f64().to_bits(),
            1_795_316_820.5_f64.to_bits()
        );
        // Seconds and fraction rounded apart would give ...726 here.
        let odd = UnixNanos(1_795_316_820_144_272_509);
        assert_eq!(odd.as_seconds_f64().to_string(), "1795316820.1442723");
    }

    #[test]
    fn rfc3339_cuts_the_zeros_of_the_fraction_only() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (START.0, "2026-11-22T03:07:00.5Z"),
            (START.0 - 500_000_000, "2026-11-22T03:07:00Z"),
            (1_790_000_000_120_000_000, "2026-09-21T14:13:20.12Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!(UnixNanos(nanos).rfc3339().to_string(), text);
        }
    }

    #[test]
    fn a_ttl_time_is_one_time_of_the_wall_clock_until_that_is_set() {
        let (clock, hands) = Clock::manual(START);
        let deadline = START.plus(Duration::from_nanos(3_600_000_000_123));
        for nanos in [0, 300, 400_000, -400_000, -300] {
            let wall = START.0.saturating_add_signed(nanos);
            hands.0.send_modify(|hands| hands.wall.0 = wall);
            assert_eq!(clock.wall_of(deadline), deadline, "{nanos}");
        }
        hands.0.send_modify(|hands| hands.wall = START);
        hands.step_wall(-3600);
        assert_eq!(clock.wall_of(deadline), UnixNanos(START.0 + 123));
        hands.step_wall(7200);
        let later = deadline.plus(Duration::from_hours(1));
        assert_eq!(clock.wall_of(deadline), later);
        // As far as times go, and no further.
        assert_eq!(clock.wall_of(UnixNanos(u64::MAX)), UnixNanos(u64::MAX));
        hands.0.send_modify(|hands| hands.wall.0 = 0);
        assert_eq!(clock.wall_of(UnixNanos(5)), UnixNanos(0));
    }

    #[test]
    fn a_step_of_the_wall_clock_does_not_move_ttl_time() {
        let (clock, hands) = Clock::manual(START);
        hands.advance(Duration::from_secs(5));
        hands.step_wall(-3600);
        assert_eq!(clock.ttl_now(), START.plus(Duration::from_secs(5)));
        assert_eq!(START.since(clock.wall()), Duration::from_secs(3595));
        assert_eq!(clock.drift(), -3600);
        hands.step_wall(7200);
        assert_eq!(clock.drift(), 3600);
        hands.step_wall(i64::MIN);
        assert_eq!(clock.wall(), UnixNanos(0));
    }

    #[test]
    fn a_sleeper_wakes_when_ttl_time_reaches_its_deadline_and_not_before() {
        let (clock, hands) = Clock::manual(START);
        let mut context = Context::from_waker(Waker::noop());
        let mut sleep = pin!(clock.sleep_until(START.plus(Duration::from_secs(10))));
        assert_eq!(sleep.as_mut().poll(&mut context), Poll::Pending);
        hands.step_wall(100);
        hands.advance(Duration::from_nanos(9_999_999_999));
        assert_eq!(sleep.as_mut().poll(&mut context), Poll::Pending);
        hands.advance(Duration::from_nanos(1));
        assert_eq!(sleep.as_mut().poll(&mut context), Poll::Ready(()));
    }

    #[test]
    fn a_sleeper_on_a_clock_without_hands_stays_asleep() {
        let (clock, hands) = Clock::manual(START);
        drop(hands);
        let mut context = Context::from_waker(Waker::noop());
        let mut sleep = pin!(clock.sleep_until(START.plus(Duration::from_secs(1))));
        assert_eq!(sleep.as_mut().poll(&mut context), Poll::Pending);
    }

    #[tokio::test]
    async fn the_system_clock_sleeps_to_its_deadline() {
        let clock = Clock::system();
        let watch = Stopwatch::start();
        let deadline = clock.ttl_now().plus(Duration::from_millis(20));
        clock.sleep_until(deadline).await;
        assert!(clock.ttl_now() >= deadline);
        assert!(watch.seconds() >= 0.019, "{}", watch.seconds());
        assert_eq!(clock.drift(), 0);
    }
}
