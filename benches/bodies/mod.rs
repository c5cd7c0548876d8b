//! Bodies to measure with.
#![allow(dead_code, reason = "each bench uses its own part")]
#![expect(
    clippy::format_push_string,
    reason = "clearer, and outside the measure"
)]

use tidegate::format::form::{Encoding, Form, write_metrics};
use tidegate::format::name::NameRule;
use tidegate::format::text_read::parse;
use tidegate::format::text_write::Identity;

/// A text body as delimited protobuf.
pub(crate) fn delimited(text: &str) -> Vec<u8> {
    let form = Form {
        encoding: Encoding::Protobuf,
        ..Form::default()
    };
    let mut body = Vec::new();
    for family in parse(text.as_bytes(), NameRule::Legacy).expect("a body that parses") {
        let mut metrics = Vec::new();
        write_metrics(&mut metrics, &family, &Identity::none_in(form));
        let help = family.help.as_deref();
        form.write_header(&mut body, &family.name, family.kind, help, metrics.len());
        body.extend_from_slice(&metrics);
    }
    body
}

/// A usual push: 2 gauges, a counter and a gauge of 4 series, a histogram of 10 lines.
pub(crate) fn mix() -> String {
    let mut body = String::new();
    for (name, value) in [
        ("job_duration_seconds", "182.734"),
        ("job_last_success", "1795308991"),
    ] {
        body += &format!("# HELP {name} What the job tells of itself.\n# TYPE {name} gauge\n");
        body += &format!("{name} {value}\n");
    }
    for (name, kind) in [
        ("rows_processed_total", "counter"),
        ("queue_depth", "gauge"),
    ] {
        body += &format!("# HELP {name} Work seen by the job.\n# TYPE {name} {kind}\n");
        for shard in 0..4 {
            let value = 123_456 * (shard + 1);
            body += &format!("{name}{{shard=\"{shard}\",region=\"eu-central-1\"}} {value}\n");
        }
    }
    body += "# HELP step_seconds Time per step.\n# TYPE step_seconds histogram\n";
    for (at, bound) in ["0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf"]
        .iter()
        .enumerate()
    {
        body += &format!(
            "step_seconds_bucket{{step=\"load\",le=\"{bound}\"}} {}\n",
            at * 37
        );
    }
    body += "step_seconds_sum{step=\"load\"} 912.25\nstep_seconds_count{step=\"load\"} 259\n";
    body
}

/// 20 gauges of one series each.
pub(crate) fn wide() -> String {
    let family = |at: usize| {
        let name = format!("backup_statistic_number_{at}_bytes");
        format!(
            "# HELP {name} A number that the backup tells.\n# TYPE {name} gauge\n\
             {name}{{volume=\"vol-{at}\"}} {at}24601.5\n"
        )
    };
    (0..20).map(family).collect::<Vec<_>>().concat()
}

/// 200,000 series of one gauge.
pub(crate) fn huge_gauge() -> String {
    let line = |at: usize| {
        format!(
            "item_weight_kilograms{{item=\"item-{at}\",shelf=\"s{}\"}} {}.5\n",
            at % 97,
            at % 1009
        )
    };
    let lines: Vec<String> = (0..200_000).map(line).collect();
    format!("# TYPE item_weight_kilograms gauge\n{}", lines.concat())
}

/// 20,000 series of one histogram, 10 lines each.
pub(crate) fn huge_histogram() -> String {
    let mut body = "# TYPE wait_seconds histogram\n".to_owned();
    for at in 0..20_000 {
        for (n, bound) in ["0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf"]
            .iter()
            .enumerate()
        {
            body += &format!(
                "wait_seconds_bucket{{item=\"item-{at}\",le=\"{bound}\"}} {}\n",
                n * 3
            );
        }
        body += &format!("wait_seconds_sum{{item=\"item-{at}\"}} 17.25\n");
        body += &format!("wait_seconds_count{{item=\"item-{at}\"}} 21\n");
    }
    body
}
