//! How numbers are written.

/// Three digits that count, or all of a larger number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is measured is small and not negative"
)]
pub(crate) fn number(value: f64) -> String {
    if value.abs() >= 100.0 {
        return grouped(value.round().max(0.0) as usize);
    }
    let places = match value.abs() {
        0.0 => 0,
        below if below < 0.1 => 4,
        below if below < 1.0 => 3,
        below if below < 10.0 => 2,
        _ => 1,
    };
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A number with a comma after every three digits.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let mut parts: Vec<&str> = if head.is_empty() { vec![] } else { vec![head] };
    parts.extend((0..rest.len() / 3).map(|part| &rest[part * 3..part * 3 + 3]));
    parts.join(",")
}
