//! Durations as people of this field write them.
//!
//! One grammar takes Go's form (`1h30m`, `1.5h`, `100ms`), Prometheus' form
//! (`7d`, `2w`, `1y`) and mixes of both. A bare integer is seconds. A day is
//! 24 hours, a week 7 days and a year 365 days, as in Prometheus.

use std::time::Duration;

const SECOND: u128 = 1_000_000_000;
const DAY: u128 = 86_400 * SECOND;

/// The units [`format`] writes, largest first. Weeks and years are left out
/// because `35d` is easier to compare than `5w`.
const WRITTEN_UNITS: [(&str, u128); 7] = [
    ("d", DAY),
    ("h", 3600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", 1_000_000),
    ("us", 1000),
    ("ns", 1),
];

/// Why a text is not a duration.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// Nothing, or only spaces.
    #[error("a duration is missing, expected one such as 90s, 1h30m or 35d")]
    Empty,
    /// It begins with a minus sign.
    #[error("a duration cannot be negative")]
    Negative,
    /// A number was expected at this text.
    #[error("expected a number at {0:?}, a duration is written such as 90s, 1h30m or 35d")]
    NoNumber(String),
    /// A number without a unit, and not a bare integer.
    #[error("{0:?} has no unit, use one of ns, us, ms, s, m, h, d, w, y")]
    NoUnit(String),
    /// A unit nobody knows.
    #[error("unknown unit {0:?}, use one of ns, us, ms, s, m, h, d, w, y")]
    UnknownUnit(String),
    /// More than `u64::MAX` nanoseconds (584 years).
    #[error("the duration is too long, 584 years is the most")]
    TooLong,
    /// Not zero, but less than a nanosecond. Cut off to zero it would be
    /// mistaken for "never".
    #[error("the duration is shorter than a nanosecond")]
    TooShort,
}

/// Reads a duration. Spaces around it are ignored, none may be inside.
///
/// A sign is refused, `+` too. Of a fraction, what is smaller than a
/// nanosecond is cut off, as Go does.
///
/// # Errors
///
/// [`DurationError`] names what is wrong; it does not repeat the whole text.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    if text.starts_with('-') {
        return Err(DurationError::Negative);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: u64 = text.parse().map_err(|_| DurationError::TooLong)?;
        return in_range(u128::from(seconds) * SECOND);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (nanos, after) = term(rest)?;
        total = total.saturating_add(nanos);
        rest = after;
    }
    if total == 0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        return Err(DurationError::TooShort);
    }
    in_range(total)
}

fn in_range(nanos: u128) -> Result<Duration, DurationError> {
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| DurationError::TooLong)
}

/// Reads one number with its unit off the front: its nanoseconds and the rest.
fn term(text: &str) -> Result<(u128, &str), DurationError> {
    let number_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(number_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(DurationError::NoNumber(shown(text)));
    }
    let unit_end = rest
        .find(|c: char| c.is_ascii_digit() || c == '.')
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    if unit.is_empty() {
        return Err(DurationError::NoUnit(shown(number)));
    }
    let unit = nanos_of(unit).ok_or_else(|| DurationError::UnknownUnit(shown(unit)))?;
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| DurationError::TooLong)?
    };
    let nanos = whole.checked_mul(unit).ok_or(DurationError::TooLong)?;
    Ok((nanos.saturating_add(fraction_of(fraction, unit)), rest))
}

/// What the digits after the point are worth. The largest unit has 17 digits
/// of nanoseconds, so that digits after the 18th cannot add one.
fn fraction_of(digits: &str, unit: u128) -> u128 {
    let (mut numerator, mut denominator) = (0, 1);
    for digit in digits.bytes().take(18) {
        numerator = numerator * 10 + u128::from(digit - b'0');
        denominator *= 10;
    }
    unit * numerator / denominator
}

fn nanos_of(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        // Both the micro sign and the Greek letter, as in Go.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        "d" => DAY,
        "w" => 7 * DAY,
        "y" => 365 * DAY,
        _ => return None,
    })
}

/// A piece of somebody's text short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(20).collect()
}

/// The one canonical form: whole days, hours, minutes, seconds, milli-, micro-
/// and nanoseconds, zero parts left out. `35d`, `1h30m`, `1m30s`, `1s500ms`;
/// zero is `0s`. [`parse`] reads it back to the same duration if that is at
/// most 584 years.
pub fn format(duration: Duration) -> String {
    let mut left = duration.as_nanos();
    let mut text = String::new();
    for (unit, worth) in WRITTEN_UNITS {
        if left >= worth {
            text.push_str(&(left / worth).to_string());
            text.push_str(unit);
            left %= worth;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// The duration as Go prints it: `5m0s`, `24h0m0s`, `1.5s`, `250ms`, `0s`.
pub fn go(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos >= SECOND {
        let (minutes, rest) = (nanos / (60 * SECOND), nanos % (60 * SECOND));
        let (hours, minutes) = (minutes / 60, minutes % 60);
        let seconds = decimal(rest, SECOND);
        return match (hours, minutes) {
            (0, 0) => format!("{seconds}s"),
            (0, _) => format!("{minutes}m{seconds}s"),
            _ => format!("{hours}h{minutes}m{seconds}s"),
        };
    }
    match nanos {
        0 => "0s".to_owned(),
        1..1000 => format!("{nanos}ns"),
        1000..1_000_000 => format!("{}\u{b5}s", decimal(nanos, 1000)),
        _ => format!("{}ms", decimal(nanos, 1_000_000)),
    }
}

/// A quotient by a power of ten, without zeros at the end.
fn decimal(number: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    let text = format!("{}.{:0digits$}", number / unit, number % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn go_and_prometheus_forms_and_mixes_are_read() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("00", 0),
            ("0.0h", 0),
            ("90", 90 * SECOND),
            ("90s", 90 * SECOND),
            (" 90s\t", 90 * SECOND),
            ("1h30m", 5400 * SECOND),
            ("30m1h", 5400 * SECOND),
            ("1.5h", 5400 * SECOND),
            (".5s", SECOND / 2),
            ("5.s", 5 * SECOND),
            ("1.0000000000000000000000000000000000000000s", SECOND),
            ("100ms", SECOND / 10),
            ("7us", 7000),
            ("7\u{b5}s", 7000),
            ("7\u{3bc}s", 7000),
            ("7ns", 7),
            ("1.9ns", 1),
            ("0.000000001s", 1),
            ("7d", 7 * DAY),
            ("2w", 14 * DAY),
            ("1y", 365 * DAY),
            ("1d12h", 36 * 3600 * SECOND),
            ("1y2w3d4h5m6s7ms", 382 * DAY + 14_706 * SECOND + 7_000_000),
            ("0.0000000000000000001y1ns", 1),
            ("18446744073709551615ns", u128::from(u64::MAX)),
            ("18446744073", 18_446_744_073 * SECOND),
        ] {
            assert_eq!(
                parse(text).map(|duration| duration.as_nanos()),
                Ok(nanos),
                "{text:?}"
            );
        }
    }

    #[test]
    fn garbage_is_refused_with_the_part_that_is_wrong() {
        use DurationError::{Empty, Negative, NoNumber, NoUnit, TooLong, TooShort, UnknownUnit};
        let number = |text: &str| NoNumber(text.to_owned());
        let unit = |text: &str| UnknownUnit(text.to_owned());
        for (text, error) in [
            ("", Empty),
            ("  ", Empty),
            ("-1s", Negative),
            ("-", Negative),
            ("-0", Negative),
            ("+1s", number("+1s")),
            ("soon", number("soon")),
            (".s", number(".s")),
            ("1.2.3s", number("1.2.3s")),
            ("\u{661}h", number("\u{661}h")),
            ("1.5", NoUnit("1.5".to_owned())),
            ("1h30", NoUnit("30".to_owned())),
            ("1M", unit("M")),
            ("1h 30m", unit("h ")),
            ("1h-30m", unit("h-")),
            ("1H", unit("H")),
            (
                "5fortnightsandthenalittlemore",
                unit("fortnightsandthenalit".get(..20).unwrap()),
            ),
            ("18446744073709551616ns", TooLong),
            ("18446744074", TooLong),
            ("99999999999999999999999", TooLong),
            ("999999999999999999999999999999999999999999s", TooLong),
            ("99999999999999999999999999999999999y", TooLong),
            ("500y500y", TooLong),
            ("0.1ns", TooShort),
            ("0.0000000000000000000001y", TooShort),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn one_canonical_form_is_written() {
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_hours(35 * 24), "35d"),
            (Duration::from_hours(365 * 24), "365d"),
            (Duration::from_mins(90), "1h30m"),
            (Duration::from_secs(90), "1m30s"),
            (Duration::from_millis(1500), "1s500ms"),
            (Duration::from_nanos(1), "1ns"),
            (Duration::from_nanos(86_400_000_001_001), "1d1us1ns"),
        ] {
            assert_eq!(format(duration), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos: u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", close in "[0-9.nusmhdwy -]{0,60}") {
            let _ = parse(&text);
            let _ = parse(&close);
        }
    }

    #[test]
    fn durations_are_printed_as_by_go() {
        for (text, expected) in [
            ("0", "0s"),
            ("5m", "5m0s"),
            ("24h", "24h0m0s"),
            ("35d", "840h0m0s"),
            ("90s", "1m30s"),
            ("1.5s", "1.5s"),
            ("1h0.25s", "1h0m0.25s"),
            ("250ms", "250ms"),
            ("1500us", "1.5ms"),
            ("1500ns", "1.5\u{b5}s"),
            ("7ns", "7ns"),
        ] {
            assert_eq!(go(parse(text).unwrap()), expected, "{text}");
        }
    }
}
