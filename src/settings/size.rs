//! Sizes in bytes, and numbers of what there may be, as text.

use crate::limits::BODY_BYTES_IN_FLIGHT;

/// The size of a body in bytes: a number, alone or with one of the units below.
pub(super) fn body_size(text: &str) -> Result<usize, String> {
    let most = BODY_BYTES_IN_FLIGHT;
    let expected =
        || format!("expected a size from 1 to {most} bytes, such as 64MiB, 10MB or 65536");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return Err(expected()),
    };
    let size = number
        .parse()
        .ok()
        .and_then(|number: usize| number.checked_mul(unit));
    size.filter(|size| (1..=most).contains(size))
        .ok_or_else(expected)
}

/// The most that there may be of something: a whole number; 0 is no limit.
pub(super) fn limit(text: &str) -> Result<Option<u64>, &'static str> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    let number: u64 = number.ok_or("expected a whole number, such as 100000, or 0 for no limit")?;
    Ok((number > 0).then_some(number))
}
