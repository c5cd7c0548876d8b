//! What the model must hold of a message, worked out from the prost twin.

use tidegate::model;

use crate::messages::{
    Bucket, BucketSpan, Counter, Exemplar, Histogram, LabelPair, Metric, MetricFamily, Summary,
    Timestamp,
};

type Family = model::Family<'static>;

/// The families of a body, the last of each name in the place of the first.
/// `None` if one of them must be refused.
pub(crate) fn families(messages: Vec<MetricFamily>) -> Option<Vec<Family>> {
    let mut families: Vec<Family> = Vec::new();
    for message in messages {
        let family = family(message)?;
        match families.iter_mut().find(|known| known.name == family.name) {
            Some(known) => *known = family,
            None => families.push(family),
        }
    }
    Some(families)
}

fn family(message: MetricFamily) -> Option<Family> {
    use model::Kind::{Counter, Gauge, GaugeHistogram, Histogram, Summary, Untyped};
    let kinds = [Counter, Gauge, Summary, Untyped, Histogram, GaugeHistogram];
    let kind = *kinds.get(usize::try_from(message.kind.unwrap_or_default()).ok()?)?;
    let name = String::from_utf8(message.name.unwrap_or_default()).ok()?;
    let metrics = message
        .metric
        .into_iter()
        .map(|metric| self::metric(kind, metric));
    let metrics = metrics.collect::<Option<_>>()?;
    let help = message.help.map(|help| lossy(&help).into());
    (!name.is_empty()).then(|| Family {
        name: name.into(),
        kind,
        help,
        metrics,
    })
}

fn metric(kind: model::Kind, message: Metric) -> Option<model::Metric<'static>> {
    let number = |value: Option<f64>| model::Value::Number(value.unwrap_or_default(), None);
    let value = match kind {
        model::Kind::Counter => message.counter.map(counter),
        model::Kind::Gauge => message.gauge.map(|gauge| number(gauge.value)),
        model::Kind::Untyped => message.untyped.map(|untyped| number(untyped.value)),
        model::Kind::Summary => message.summary.map(summary),
        model::Kind::Histogram | model::Kind::GaugeHistogram => message.histogram.map(histogram),
    };
    Some(model::Metric {
        labels: message
            .label
            .into_iter()
            .map(label)
            .collect::<Option<_>>()?,
        value: value.unwrap_or(model::Value::Missing),
        timestamp_ms: message.timestamp_ms,
    })
}

fn label(message: LabelPair) -> Option<model::Label<'static>> {
    let name = String::from_utf8(message.name.unwrap_or_default()).ok()?;
    let value = String::from_utf8(message.value.unwrap_or_default()).ok()?;
    Some(model::Label::new(name, value))
}

fn counter(message: Counter) -> model::Value<'static> {
    let details = model::CounterDetails {
        exemplar: message.exemplar.map(exemplar),
        created: message.created_timestamp.map(timestamp),
    };
    let plain = details == model::CounterDetails::default();
    let value = message.value.unwrap_or_default();
    model::Value::Number(value, (!plain).then(|| Box::new(details)))
}

fn summary(message: Summary) -> model::Value<'static> {
    let quantile = |quantile: crate::messages::Quantile| model::Quantile {
        quantile: quantile.quantile.unwrap_or_default(),
        value: quantile.value.unwrap_or_default(),
    };
    model::Value::Summary(Box::new(model::Summary {
        count: message.sample_count.unwrap_or_default(),
        sum: message.sample_sum.unwrap_or_default(),
        quantiles: message.quantile.into_iter().map(quantile).collect(),
        created: message.created_timestamp.map(timestamp),
    }))
}

fn histogram(message: Histogram) -> model::Value<'static> {
    let native = model::NativeHistogram {
        schema: message.schema,
        zero_threshold: message.zero_threshold,
        zero_count: count(message.zero_count, message.zero_count_float),
        negative_spans: message.negative_span.iter().map(span).collect(),
        negative_deltas: message.negative_delta,
        negative_counts: message.negative_count,
        positive_spans: message.positive_span.iter().map(span).collect(),
        positive_deltas: message.positive_delta,
        positive_counts: message.positive_count,
        exemplars: message.exemplars.into_iter().map(exemplar).collect(),
    };
    let is_native = native != model::NativeHistogram::default();
    let whole = count(message.sample_count, message.sample_count_float);
    model::Value::Histogram(Box::new(model::Histogram {
        count: whole.unwrap_or_default(),
        sum: message.sample_sum.unwrap_or_default(),
        buckets: message.bucket.into_iter().map(bucket).collect(),
        native: is_native.then(|| Box::new(native)),
        created: message.created_timestamp.map(timestamp),
    }))
}

fn bucket(message: Bucket) -> model::Bucket<'static> {
    let count = count(message.cumulative_count, message.cumulative_count_float);
    model::Bucket {
        upper: message.upper_bound.unwrap_or_default(),
        count: count.unwrap_or_default(),
        exemplar: message.exemplar.map(|message| Box::new(exemplar(message))),
    }
}

/// A double above 0 (or NaN) beats the integer; without an integer any double counts.
fn count(int: Option<u64>, float: Option<f64>) -> Option<model::Count> {
    let overriding = float.filter(|float| float.is_nan() || *float > 0.0);
    let int = int.map(model::Count::Int);
    overriding
        .map(model::Count::Float)
        .or(int)
        .or(float.map(model::Count::Float))
}

fn exemplar(message: Exemplar) -> model::Exemplar<'static> {
    let label = |pair: LabelPair| {
        let name = lossy(&pair.name.unwrap_or_default());
        model::Label::new(name, lossy(&pair.value.unwrap_or_default()))
    };
    model::Exemplar {
        labels: message.label.into_iter().map(label).collect(),
        value: message.value.unwrap_or_default(),
        timestamp: message.timestamp.map(timestamp),
    }
}

fn timestamp(message: Timestamp) -> model::Timestamp {
    let seconds = message.seconds.unwrap_or_default();
    model::Timestamp {
        seconds,
        nanos: message.nanos.unwrap_or_default(),
    }
}

fn span(message: &BucketSpan) -> model::Span {
    let offset = message.offset.unwrap_or_default();
    model::Span {
        offset,
        length: message.length.unwrap_or_default(),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
