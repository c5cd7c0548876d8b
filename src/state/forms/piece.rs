//! Neighbouring groups encoded: the work of one thread.

use crate::clock::Now;
use crate::format::form::{Form, write_metrics};
use crate::format::text_write::Identity;
use crate::model::Family;
use crate::push::rewrite::PUSH_TIME;
use crate::store::ReadError;
use crate::view::{Gone, GroupId, Life, RenderedFamily, Shows, Slab};

use super::super::gauge::GroupSample;
use super::super::load::model_of;
use super::super::prepare::render;
use super::super::shared::OpenMoment;
use super::super::{exposed, times};
use super::Changing;

/// What groups are encoded from.
pub(super) struct Source<'a> {
    pub(super) form: Form,
    /// The store as of one commit.
    pub(super) reading: &'a OpenMoment,
    /// What time it is, if TTLs are shown as series.
    pub(super) exposed: Option<Now>,
}

/// Groups in order of their ids, and their families.
pub(super) struct Piece {
    pub(super) groups: Vec<Changing>,
    /// Which families these are, for some groups in a row at a time.
    pub(super) runs: Vec<Run>,
    pub(super) slab: Slab,
}

/// Groups in a row that hold the same families.
pub(super) struct Run {
    /// How many groups.
    pub(super) groups: usize,
    /// The families, by their places in the slab.
    pub(super) places: Vec<usize>,
}

/// Where the families of a group go.
trait Sink {
    /// A family that is still to be rendered.
    fn family(&mut self, family: &Family<'_>, identity: &Identity);
    /// One that the gateway keeps for every group.
    fn sample(&mut self, sample: &GroupSample, identity: &Identity);
}

impl Sink for Vec<RenderedFamily> {
    fn family(&mut self, family: &Family<'_>, identity: &Identity) {
        self.push(render(&family.name, family, identity));
    }

    fn sample(&mut self, sample: &GroupSample, identity: &Identity) {
        self.push(sample.rendered(identity));
    }
}

/// A group's place in a slab.
struct Place<'a> {
    slab: &'a mut Slab,
    group: GroupId,
    /// Of its families.
    places: Vec<usize>,
}

impl Sink for Place<'_> {
    fn family(&mut self, family: &Family<'_>, identity: &Identity) {
        let place = self.slab.place(&family.name);
        let (kind, help) = (family.kind, family.help.as_deref());
        self.slab.add(place, self.group, kind, help, |out| {
            write_metrics(out, family, identity)
        });
        self.places.push(place);
    }

    fn sample(&mut self, sample: &GroupSample, identity: &Identity) {
        let place = sample.add_to(self.slab, self.group, identity);
        self.places.push(place);
    }
}

impl Piece {
    pub(super) fn encode(groups: Vec<Changing>, source: &Source<'_>) -> Result<Self, ReadError> {
        let (mut runs, mut slab): (Vec<Run>, _) = (Vec::new(), Slab::default());
        for (group, shows) in &groups {
            let mut place = Place {
                slab: &mut slab,
                group: *group,
                places: Vec::new(),
            };
            source.encode_into(&mut place, shows.as_ref())?;
            let places = place.places;
            match runs.last_mut() {
                Some(run) if run.places == places => run.groups += 1,
                _ => runs.push(Run { groups: 1, places }),
            }
        }
        slab.close();
        Ok(Self { groups, runs, slab })
    }
}

impl Source<'_> {
    /// All families that are shown of a group.
    pub(super) fn encode(&self, shows: Option<&Shows>) -> Result<Vec<RenderedFamily>, ReadError> {
        let mut families = Vec::new();
        self.encode_into(&mut families, shows)?;
        Ok(families)
    }

    fn encode_into(&self, sink: &mut impl Sink, shows: Option<&Shows>) -> Result<(), ReadError> {
        match shows {
            Some(Shows::Group(life)) => self.group(sink, life)?,
            Some(Shows::Gone(gone)) => self.gone(sink, gone),
            None => {}
        }
        Ok(())
    }

    fn gone(&self, sink: &mut impl Sink, gone: &Gone) {
        let identity = Identity::in_form(&gone.key, self.form);
        sink.sample(&exposed::last_push_of(gone), &identity);
    }

    fn group(&self, sink: &mut impl Sink, life: &Life) -> Result<(), ReadError> {
        let key = &life.key;
        let Some(facts) = self.reading.group(key)? else {
            return Err(ReadError::damaged(key, "the group is shown and not stored"));
        };
        let packed = facts.stored.map(|stored| stored.families);
        let unpacked = packed.unwrap_or_default().open();
        let unpacked = unpacked.map_err(|reason| ReadError::damaged(key, reason))?;
        let families = unpacked.families();
        let families = families.map_err(|reason| ReadError::damaged(key, reason))?;
        let hidden = self.reading.hidden(key)?;
        let is_hidden = |name: &str| hidden.iter().any(|family| family.name == name);
        let identity = Identity::in_form(key, self.form);
        for family in families.iter().filter(|family| !is_hidden(family.name)) {
            sink.family(&model_of(key, family)?, &identity);
        }
        if !is_hidden(PUSH_TIME) {
            for sample in times::samples(&facts.head) {
                sink.sample(&sample, &identity);
            }
            if let Some(now) = self.exposed {
                for sample in exposed::samples((life.ttl, life.deadline), now) {
                    sink.sample(&sample, &identity);
                }
            }
        }
        Ok(())
    }
}
