//! Rewriting: what the grouping key does to pushed labels.

use crate::model::{Family, GroupKey, Kind, Metric};

/// The gateway's own two series of every group.
pub const PUSH_TIME: &str = "push_time_seconds";

/// See [`PUSH_TIME`].
pub const PUSH_FAILURE_TIME: &str = "push_failure_time_seconds";

/// The TTL of a group as a series, with `--ttl.expose`.
pub const GROUP_TTL: &str = "tidegate_group_ttl_seconds";

/// When a group expires, likewise.
pub const GROUP_EXPIRY: &str = "tidegate_group_expiry_timestamp_seconds";

/// The last push of a group that has expired, likewise.
pub const EXPIRED_LAST_PUSH: &str = "tidegate_expired_group_last_push_timestamp_seconds";

/// Brings pushed families into the form in which they are stored and compared:
/// families by name; labels sorted by name, without those of the grouping key,
/// which always win; without the families the gateway itself keeps for groups, which
/// clients may send and which are silently dropped.
///
/// A series without an `instance` label gets `instance=""` at every scrape. It
/// is the same series as one that says `instance=""` itself, so that spelling
/// is dropped here, and absence stands for both.
pub fn rewrite(families: &mut Vec<Family<'_>>, key: &GroupKey) {
    families.retain(|family| !is_kept(family));
    families.sort_by(|a, b| a.name.cmp(&b.name));
    let grouping = key.labels();
    let own_instance = key.get("instance").is_none();
    for metric in families.iter_mut().flat_map(|family| &mut family.metrics) {
        rewrite_metric(metric, &grouping, own_instance);
    }
}

/// Whether a pushed family is one that the gateway keeps itself. Of those that are there
/// with `--ttl.expose` other types are refused as those of other metrics of its own are.
fn is_kept(family: &Family<'_>) -> bool {
    match family.name.as_ref() {
        PUSH_TIME | PUSH_FAILURE_TIME => true,
        GROUP_TTL | GROUP_EXPIRY | EXPIRED_LAST_PUSH => family.kind == Kind::Gauge,
        _ => false,
    }
}

fn rewrite_metric(metric: &mut Metric<'_>, grouping: &[(&str, &str)], own_instance: bool) {
    metric.labels.retain(|label| {
        let grouped = grouping.binary_search_by(|(name, _)| (*name).cmp(&label.name));
        let implied = own_instance && label.name == "instance" && label.value.is_empty();
        grouped.is_err() && !implied
    });
    metric.labels.sort_by(|a, b| a.name.cmp(&b.name));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::all_labels;
    use crate::model::{Kind, Label, Value};

    fn rewritten(key: &[(&str, &str)], labels: &[(&'static str, &'static str)]) -> String {
        let key_labels = key
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect();
        let key = GroupKey::new("j", &key_labels);
        let labels = labels
            .iter()
            .map(|(name, value)| Label::new(*name, *value))
            .collect();
        let metrics = vec![Metric {
            labels,
            value: Value::Number(1.0, None),
            timestamp_ms: None,
        }];
        let mut families = vec![Family {
            name: "a".into(),
            kind: Kind::Untyped,
            help: None,
            metrics,
        }];
        rewrite(&mut families, &key);
        let shown = all_labels(&key, &families[0].metrics[0]);
        let shown: Vec<String> = shown.iter().map(|(n, v)| format!("{n}={v}")).collect();
        format!(
            "{} of {}",
            families[0].metrics[0].labels.len(),
            shown.join(",")
        )
    }

    #[test]
    fn grouping_labels_win_and_instance_is_always_there() {
        assert_eq!(rewritten(&[], &[]), "0 of instance=,job=j");
        assert_eq!(
            rewritten(&[], &[("x", "1"), ("a", "")]),
            "2 of a=,instance=,job=j,x=1"
        );
        assert_eq!(
            rewritten(&[("x", "2")], &[("x", "1"), ("job", "b")]),
            "0 of instance=,job=j,x=2"
        );
        assert_eq!(
            rewritten(&[], &[("instance", "i")]),
            "1 of instance=i,job=j"
        );
        assert_eq!(rewritten(&[], &[("instance", "")]), "0 of instance=,job=j");
        assert_eq!(
            rewritten(&[("instance", "k")], &[("instance", "")]),
            "0 of instance=k,job=j"
        );
    }

    #[test]
    fn the_gateways_own_families_are_dropped_and_the_rest_sorted() {
        let family = |name: &'static str| Family {
            name: name.into(),
            kind: Kind::Histogram,
            help: None,
            metrics: vec![],
        };
        let mut families = [
            "b",
            PUSH_TIME,
            "push_time_seconds_count",
            PUSH_FAILURE_TIME,
            "a",
        ]
        .map(family)
        .to_vec();
        rewrite(
            &mut families,
            &GroupKey::new("j", &std::collections::BTreeMap::new()),
        );
        let names: Vec<_> = families.iter().map(|family| family.name.as_ref()).collect();
        assert_eq!(names, ["a", "b", "push_time_seconds_count"]);
    }
}
