//! Values that only some numbers are, and labels that are numbers.

use super::Fault;
use super::line::{seconds, shown};
use crate::format::float;
use crate::format::scratch::Scratch;
use crate::model::{Bucket, Timestamp};

/// The `quantile` of a sample of a summary.
pub(super) fn quantile(scratch: &mut Scratch<'_>) -> Result<f64, Fault> {
    let text = scratch.take("quantile");
    let quantile = text.as_deref().and_then(float::parse);
    match quantile.filter(|quantile| (0.0..=1.0).contains(quantile)) {
        Some(quantile) => Ok(quantile),
        None => Fault::text("expected a label quantile from 0 to 1"),
    }
}

/// The `le` of a bucket. That of the last one has one spelling only.
pub(super) fn bound(scratch: &mut Scratch<'_>) -> Result<f64, Fault> {
    let text = scratch.take("le").unwrap_or_default();
    match float::parse(&text).filter(|bound| !bound.is_nan()) {
        Some(f64::INFINITY) if text != "+Inf" => Fault::text(format!(
            "the label le of the last bucket is {}, not \"+Inf\"",
            shown(&text)
        )),
        Some(bound) => Ok(bound),
        None => Fault::text(format!(
            "expected a number as label le, found {}",
            shown(&text)
        )),
    }
}

/// Whether a bucket may follow another.
pub(super) fn in_order(last: &Bucket<'_>, next: &Bucket<'_>) -> Result<(), Fault> {
    if next.upper <= last.upper {
        return Fault::text("buckets are not in order of le");
    }
    if next.count.as_f64() < last.count.as_f64() {
        return Fault::text("a bucket counts less than the one before it");
    }
    Ok(())
}

/// When a series began.
pub(super) fn created(value: f64) -> Result<Timestamp, Fault> {
    seconds(value).map_or_else(|| Fault::text("a _created value is no time"), Ok)
}

/// A number of observations.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "range is checked"
)]
pub(super) fn whole(value: f64, what: &str) -> Result<u64, Fault> {
    const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;
    if (0.0..TWO_POW_64).contains(&value) && value.fract() == 0.0 {
        return Ok(value as u64);
    }
    Fault::text(format!("the {what} is no whole number from 0 on"))
}
