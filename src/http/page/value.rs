//! Values: numbers without an exponent, summaries and histograms as tables.

use maud::{Markup, html};

use crate::format::float::plain;
use crate::format::json_write::{Bounds, is_shown, native_buckets};
use crate::limits::PAGE_BUCKETS;
use crate::model::{Histogram, NativeHistogram, Summary, Value};

/// The value of one series.
pub(super) fn value(value: &Value<'_>) -> Markup {
    match value {
        Value::Number(value, _) => html! { (plain(*value)) },
        Value::Summary(summary) => quantiles(summary),
        Value::Histogram(histogram) => buckets(histogram),
        Value::Missing => html! {},
    }
}

fn quantiles(summary: &Summary) -> Markup {
    let quantiles = summary.quantiles.iter();
    let rows = quantiles.map(|it| (format!("Quantile {}", plain(it.quantile)), plain(it.value)));
    table(rows, &summary.count.to_string(), summary.sum)
}

fn buckets(histogram: &Histogram<'_>) -> Markup {
    let buckets = histogram.buckets.iter();
    let rows = buckets.map(|it| {
        let bound = format!("Sample values \u{2264} {}", plain(it.upper));
        (bound, plain(it.count.as_f64()))
    });
    html! {
        (table(rows, &plain(histogram.count.as_f64()), histogram.sum))
        @if let Some(native) = histogram.native.as_ref().filter(|it| is_shown(it)) {
            p.native { (line(native, histogram)) }
        }
    }
}

/// Rows, the count and the sum.
fn table(rows: impl ExactSizeIterator<Item = (String, String)>, count: &str, sum: f64) -> Markup {
    let more = rows.len().saturating_sub(PAGE_BUCKETS);
    html! {
        table.parts {
            tbody {
                @for (name, value) in rows.take(PAGE_BUCKETS) {
                    tr { th scope="row" { (name) } td { (value) } }
                }
                @if more > 0 { tr { td colspan="2" { "and " (more) " more" } } }
                tr { th scope="row" { "Sample count" } td { (count) } }
                tr { th scope="row" { "Sample sum" } td { (plain(sum)) } }
            }
        }
    }
}

/// A native histogram as Prometheus writes one: `{count:3, sum:4, [-0.5,0.5]:1, (1,2]:2}`.
fn line(native: &NativeHistogram<'_>, histogram: &Histogram<'_>) -> String {
    let shown = native_buckets(native, histogram.count);
    let mut parts = vec![
        format!("count:{}", shown.count),
        format!("sum:{}", plain(histogram.sum)),
    ];
    for bucket in shown.buckets.iter().take(PAGE_BUCKETS) {
        let (open, close) = match bucket.bounds {
            Bounds::Upper => ('(', ']'),
            Bounds::Lower => ('[', ')'),
            Bounds::Both => ('[', ']'),
        };
        let (lower, upper) = (plain(bucket.lower), plain(bucket.upper));
        parts.push(format!("{open}{lower},{upper}{close}:{}", bucket.count));
    }
    let more = shown.buckets.len().saturating_sub(PAGE_BUCKETS);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    format!("{{{}}}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bucket, Count, Quantile, Span};

    fn text(value: &Value<'_>) -> String {
        super::value(value).into_string()
    }

    #[test]
    fn numbers_have_no_exponent() {
        assert_eq!(text(&Value::Number(1e9, None)), "1000000000");
        assert_eq!(text(&Value::Number(1e-7, None)), "0.0000001");
    }

    #[test]
    fn summaries_and_histograms_are_tables() {
        let summary = Summary {
            count: 7,
            sum: 1e6,
            quantiles: vec![Quantile {
                quantile: 0.5,
                value: 2.0,
            }],
            created: None,
        };
        let row = |name: &str, value: &str| {
            format!("<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>")
        };
        let rows = [
            row("Quantile 0.5", "2"),
            row("Sample count", "7"),
            row("Sample sum", "1000000"),
        ];
        let html = text(&Value::Summary(Box::new(summary)));
        assert!(html.contains(&rows.concat()), "{html}");

        let bucket = |upper| Bucket {
            upper,
            count: Count::Float(1.5),
            exemplar: None,
        };
        let histogram = Histogram {
            count: Count::Float(1.5),
            buckets: vec![bucket(0.1), bucket(f64::INFINITY)],
            ..Histogram::default()
        };
        let html = text(&Value::Histogram(Box::new(histogram)));
        let bound = |bound: &str| format!("Sample values \u{2264} {bound}");
        let rows = [row(&bound("0.1"), "1.5"), row(&bound("+Inf"), "1.5")];
        assert!(html.contains(&rows.concat()), "{html}");
    }

    #[test]
    fn a_native_histogram_is_one_line() {
        let native = NativeHistogram {
            schema: Some(0),
            zero_threshold: Some(0.5),
            zero_count: Some(Count::Int(1)),
            positive_spans: vec![Span {
                offset: 0,
                length: 2,
            }],
            positive_deltas: vec![2, 1],
            negative_spans: vec![Span {
                offset: 1,
                length: 1,
            }],
            negative_deltas: vec![4],
            ..NativeHistogram::default()
        };
        let histogram = Histogram {
            count: Count::Int(10),
            sum: 3.25,
            native: Some(Box::new(native)),
            ..Histogram::default()
        };
        let html = text(&Value::Histogram(Box::new(histogram)));
        let line = "{count:10, sum:3.25, [-2,-1):4, [-0.5,0.5]:1, (0.5,1]:2, (1,2]:3}";
        assert!(html.contains(line), "{html}");
    }

    #[test]
    fn many_buckets_are_cut() {
        let buckets = (0..PAGE_BUCKETS + 2).map(|_| Bucket {
            upper: 1.0,
            count: Count::Int(1),
            exemplar: None,
        });
        let histogram = Histogram {
            buckets: buckets.collect(),
            ..Histogram::default()
        };
        let html = text(&Value::Histogram(Box::new(histogram)));
        assert!(html.contains("and 2 more"), "{html}");
        assert_eq!(html.matches("Sample values").count(), PAGE_BUCKETS);
    }
}
