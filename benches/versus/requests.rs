//! Requests made beforehand, so that the pusher costs little beside what it measures: only the digits
//! of the group are written in place.

use std::ops::Range;

use super::body;

/// The variants of a body that pushes take turns with, so that values change.
const VARIANTS: usize = 16;

/// What the bodies of pushes are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Protobuf,
}

/// Requests to the groups `{job="JOB", instance="host-000000"}` and so on.
#[derive(Clone)]
pub(crate) struct Requests {
    made: Vec<Vec<u8>>,
    /// Where the digits of the group are.
    digits: Range<usize>,
}

impl Requests {
    /// PUTs of 20 series in 5 families; `headers` are whole lines, each with its end.
    pub(crate) fn put(job: &str, form: Form, headers: &str) -> Self {
        let (kind, bodies): (_, Vec<Vec<u8>>) = match form {
            Form::Text => ("text/plain; version=0.0.4", variants(body::text)),
            Form::Protobuf => (
                "application/vnd.google.protobuf; \
                 proto=io.prometheus.client.MetricFamily; encoding=delimited",
                variants(body::protobuf),
            ),
        };
        Self::new(
            "PUT",
            job,
            &format!("Content-Type: {kind}\r\n{headers}"),
            &bodies,
        )
    }

    /// DELETEs of the same groups.
    pub(crate) fn delete(job: &str) -> Self {
        Self::new("DELETE", job, "", &[Vec::new()])
    }

    fn new(method: &str, job: &str, headers: &str, bodies: &[Vec<u8>]) -> Self {
        let start = format!("{method} /metrics/job/{job}/instance/host-");
        let made = bodies.iter().map(|body| {
            let length = body.len();
            let head = format!(
                "{start}000000 HTTP/1.1\r\nHost: gateway\r\n{headers}Content-Length: {length}\r\n\r\n"
            );
            [head.as_bytes(), body].concat()
        });
        Self {
            made: made.collect(),
            digits: start.len()..start.len() + 6,
        }
    }

    /// The request to a group, of a turn's variant.
    pub(crate) fn of(&mut self, group: usize, turn: usize) -> &[u8] {
        let which = turn % self.made.len();
        let request = &mut self.made[which];
        let mut rest = group;
        for digit in request[self.digits.clone()].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        request
    }
}

fn variants<T: Into<Vec<u8>>>(body: fn(usize) -> T) -> Vec<Vec<u8>> {
    (0..VARIANTS).map(|value| body(value * 13).into()).collect()
}
