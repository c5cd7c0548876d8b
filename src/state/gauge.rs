//! Gauges that the gateway itself keeps for every group.

use std::sync::Arc;

use crate::format::form::write_sample;
use crate::format::text_write::Identity;
use crate::model::Kind;
use crate::view::{GroupId, RenderedFamily, Slab};

/// A family of which each group has one sample. Name and help are shared by all groups.
pub(super) struct GroupGauge {
    pub(super) name: Arc<str>,
    help: Option<Arc<str>>,
}

/// The sample of one group.
pub(super) struct GroupSample {
    gauge: &'static GroupGauge,
    value: f64,
}

impl GroupGauge {
    pub(super) fn new(name: &str, help: Option<&str>) -> Self {
        Self {
            name: name.into(),
            help: help.map(Into::into),
        }
    }

    pub(super) fn sample(&'static self, value: f64) -> GroupSample {
        GroupSample { gauge: self, value }
    }
}

impl GroupSample {
    /// The family as a group shows it.
    pub(super) fn rendered(&self, identity: &Identity) -> RenderedFamily {
        let GroupGauge { name, help } = self.gauge;
        let mut text = Vec::with_capacity(128);
        let legacy = write_sample(&mut text, name, identity, self.value);
        RenderedFamily {
            name: Arc::clone(name),
            kind: Kind::Gauge,
            help: help.clone(),
            text: text.into(),
            legacy,
        }
    }

    /// Puts it into a slab; the family's place there.
    pub(super) fn add_to(&self, slab: &mut Slab, group: GroupId, identity: &Identity) -> usize {
        let GroupGauge { name, help } = self.gauge;
        let place = slab.place(name);
        slab.add(place, group, Kind::Gauge, help.as_deref(), |out| {
            write_sample(out, name, identity, self.value)
        });
        place
    }
}
