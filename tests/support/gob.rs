//! Writes the Pushgateway's persistence file, byte for byte of the form that it writes itself,
//! but for the definitions of types, which nobody reads.

use tidegate::clock::UnixNanos;

/// One group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    pub labels: Vec<(Vec<u8>, Vec<u8>)>,
    pub families: Vec<Family>,
}

/// One family of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    pub name: Vec<u8>,
    pub pushed: UnixNanos,
    /// A message `io.prometheus.client.MetricFamily`.
    pub message: Vec<u8>,
}

impl Group {
    /// A group of a job without further labels.
    pub fn of(job: &str) -> Self {
        Self::default().label("job", job)
    }

    pub fn label(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.labels.push((name.into(), value.as_ref().to_vec()));
        self
    }

    pub fn family(mut self, name: &str, pushed: UnixNanos, message: Vec<u8>) -> Self {
        let name = name.into();
        self.families.push(Family {
            name,
            pushed,
            message,
        });
        self
    }
}

/// The file.
pub fn file(groups: &[Group]) -> Vec<u8> {
    let mut file = Vec::new();
    // A definition: its type has a negative number.
    message(&mut file, &[int(-64), b"whatever".to_vec()].concat());
    // What stands before a value that is not a struct, then a map.
    let mut value = int(65);
    value.push(0);
    uint(&mut value, groups.len());
    for group in groups {
        write(&mut value, group);
    }
    message(&mut file, &value);
    file
}

fn write(out: &mut Vec<u8>, group: &Group) {
    let mut labels = group.labels.clone();
    labels.sort();
    let parts: Vec<&[u8]> = labels
        .iter()
        .flat_map(|(name, value)| [name.as_slice(), value.as_slice()])
        .collect();
    message(out, &parts.join(&0xFF));
    out.push(1);
    uint(out, group.labels.len());
    for (name, value) in &group.labels {
        message(out, name);
        message(out, value);
    }
    out.push(1);
    uint(out, group.families.len());
    for family in &group.families {
        message(out, &family.name);
        out.push(1);
        message(out, &time(family.pushed));
        out.push(1);
        message(out, &family.message);
        out.push(0);
    }
    out.push(0);
}

/// Bytes behind their length.
fn message(out: &mut Vec<u8>, bytes: &[u8]) {
    uint(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn uint(out: &mut Vec<u8>, number: usize) {
    if number < 128 {
        out.push(u8::try_from(number).expect("a byte"));
        return;
    }
    let bytes = number.to_be_bytes();
    let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let len = u8::try_from(digits.len()).expect("at most 8");
    out.push(len.wrapping_neg());
    out.extend(digits);
}

fn int(number: isize) -> Vec<u8> {
    let bits = if number < 0 {
        (!number).cast_unsigned() << 1 | 1
    } else {
        number.cast_unsigned() << 1
    };
    let mut out = Vec::new();
    uint(&mut out, bits);
    out
}

/// Version, seconds since the year 1, nanoseconds, no zone.
fn time(at: UnixNanos) -> Vec<u8> {
    let seconds = at.0 / 1_000_000_000 + 62_135_596_800;
    let nanos = u32::try_from(at.0 % 1_000_000_000).expect("below a second");
    let mut out = vec![1];
    out.extend(seconds.to_be_bytes());
    out.extend(nanos.to_be_bytes());
    out.extend([0xFF, 0xFF]);
    out
}
