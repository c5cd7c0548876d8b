//! Numbers as Go prints and reads them, which is how every Prometheus tool does.

/// Appends `value` as the exposition prints it: the fewest decimal digits that
/// give the same double back, with an exponent where the decimal exponent is
/// below -4 or from 6 on (`999999`, `1e+06`, `1e-05`).
///
/// This is Go's `strconv.FormatFloat(value, 'g', -1, 64)`, but for `-0`, which
/// the exposition prints as `0`.
pub fn write(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if value == 0.0 {
        out.push(b'0');
    } else {
        write_finite(out, value);
    }
}

/// `value` without an exponent, however many digits that takes (up to about 330): Go's
/// `strconv.FormatFloat(value, 'f', -1, 64)`, as the Pushgateway's page shows values.
pub fn plain(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    // Rust's own form is the shortest that reads back, too, and has no exponent.
    value.to_string()
}

/// Reads a number as Go's text parser does: `strconv.ParseFloat` without hex,
/// binary exponents and underscores. `None` for anything else, and for a finite
/// literal too large for a double; one too small is zero.
pub fn parse(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    // A short run of digits is by far the most common value, and exact as an integer.
    if (1..=15).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit) {
        let whole = bytes
            .iter()
            .fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        #[expect(clippy::cast_precision_loss, reason = "15 digits fit the mantissa")]
        return Some(whole as f64);
    }
    let value: f64 = text.parse().ok()?;
    let signed = matches!(bytes.first(), Some(b'+' | b'-'));
    if value.is_nan() {
        return (!signed).then_some(f64::NAN);
    }
    let literal = bytes
        .get(usize::from(signed))
        .is_some_and(|byte| !byte.is_ascii_alphabetic());
    (value.is_finite() || !literal).then_some(value)
}

fn write_finite(out: &mut Vec<u8>, value: f64) {
    if value < 0.0 {
        out.push(b'-');
    }
    let mut buffer = zmij::Buffer::new();
    let (digits, count, exponent) = decimal(buffer.format_finite(value.abs()).as_bytes());
    let digits = &digits[..count];
    match exponent {
        -4..=-1 => {
            out.extend_from_slice(b"0.");
            pad(out, exponent.unsigned_abs() as usize - 1);
            out.extend_from_slice(digits);
        }
        0..=5 => {
            let whole = exponent.unsigned_abs() as usize + 1;
            out.extend_from_slice(&digits[..count.min(whole)]);
            pad(out, whole.saturating_sub(count));
            if count > whole {
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
        }
        _ => write_exponent_form(out, digits, exponent),
    }
}

fn write_exponent_form(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    out.extend_from_slice(&digits[..1]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.push(b'e');
    out.push(if exponent < 0 { b'-' } else { b'+' });
    let size = exponent.unsigned_abs();
    if size >= 100 {
        out.push(digit(size / 100));
    }
    out.push(digit(size / 10 % 10));
    out.push(digit(size % 10));
}

/// The significant digits of a positive decimal literal, how many they are, and
/// the decimal exponent of the first: `0.00125` and `1.25e-3` are `125`, 3, -3.
fn decimal(literal: &[u8]) -> ([u8; 24], usize, i32) {
    let (mantissa, exponent) = match literal.iter().position(|byte| *byte == b'e') {
        Some(at) => (&literal[..at], signed(&literal[at + 1..])),
        None => (literal, 0),
    };
    let mut digits = [b'0'; 24];
    let (mut count, mut zeros, mut point) = (0, 0, None);
    for byte in mantissa {
        match byte {
            b'.' => point = Some(count + zeros),
            b'0' if count == 0 => zeros += 1,
            _ => {
                digits[count] = *byte;
                count += 1;
            }
        }
    }
    let whole = point.unwrap_or(count + zeros);
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "at most 24"
    )]
    let first = whole as i32 - zeros as i32 - 1;
    (digits, count, exponent + first)
}

fn signed(text: &[u8]) -> i32 {
    let (sign, digits) = match text.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some((b'+', rest)) => (1, rest),
        _ => (1, text),
    };
    sign * digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'))
}

fn pad(out: &mut Vec<u8>, zeros: usize) {
    out.resize(out.len() + zeros, b'0');
}

fn digit(value: u32) -> u8 {
    b"0123456789"[value as usize % 10]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(value: f64) -> String {
        let mut out = Vec::new();
        write(&mut out, value);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn values_are_printed_as_go_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (10.0, "10"),
            (100_000.0, "100000"),
            (999_999.0, "999999"),
            (123_456.0, "123456"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (12_345.678, "12345.678"),
            (999_999.5, "999999.5"),
            (0.1, "0.1"),
            (0.000_1, "0.0001"),
            (0.000_123, "0.000123"),
            (0.000_01, "1e-05"),
            (-0.000_012_5, "-1.25e-05"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (9_007_199_254_740_992.0, "9.007199254740992e+15"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (1.795_308_991_679_737_8e9, "1.7953089916797378e+09"),
            (18_446_744_073_709_551_615.0, "1.8446744073709552e+19"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(written(value), text);
        }
    }

    #[test]
    fn gos_syntax_is_read() {
        for (text, value) in [
            ("0", 0.0),
            ("5", 5.0),
            ("999999999999999", 999_999_999_999_999.0),
            ("12345678901234567890", 12_345_678_901_234_567_890.0),
            ("00012", 12.0),
            ("+5", 5.0),
            ("-5", -5.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-.5e1", -5.0),
            ("1E5", 100_000.0),
            ("1e+05", 100_000.0),
            ("1e-400", 0.0),
            ("0e999999", 0.0),
            ("1e-99999999999999999999", 0.0),
            ("1.7976931348623157e308", f64::MAX),
            ("Inf", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("infinity", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        for text in ["NaN", "nan", "NAN"] {
            assert!(parse(text).is_some_and(f64::is_nan), "{text}");
        }
        assert!(parse("-0").is_some_and(|zero| zero == 0.0 && zero.is_sign_negative()));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            "+",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "+nan",
            "-NaN",
            "infin",
            "nano",
            "1e400",
            "-1e400",
            "1.8e308",
            "0x10",
            "0x1p4",
            "1p4",
            "1_000",
            "1,5",
            " 1",
            "1 ",
            "--1",
            "١",
            "1e9223372036854775808",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_bit_for_bit(bits: u64) {
            let value = f64::from_bits(bits);
            let back = parse(&written(value)).expect("a number");
            if value.is_nan() {
                prop_assert!(back.is_nan());
            } else if value == 0.0 {
                prop_assert_eq!(back.to_bits(), 0);
            } else {
                prop_assert_eq!(back.to_bits(), bits);
            }
        }

        #[test]
        fn short_decimals_read_back_bit_for_bit(mantissa in -1_000_000_i32..1_000_000, exponent in -12..12) {
            let value = f64::from(mantissa) * 10_f64.powi(exponent);
            let back = parse(&written(value)).expect("a number");
            prop_assert_eq!(back.to_bits(), if value == 0.0 { 0 } else { value.to_bits() });
        }

        #[test]
        fn reading_never_panics(text in "\\PC*|[-+0-9.eEinfatyINFATY_xpP]{0,30}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn plain_values_have_no_exponent() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1e9, "1000000000"),
            (1e21, "1000000000000000000000"),
            (0.1, "0.1"),
            (1.5e-7, "0.00000015"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(plain(value), text);
        }
        assert_eq!(plain(f64::MAX).len(), 309);
        assert_eq!(plain(5e-324).len(), 326);
    }
}
