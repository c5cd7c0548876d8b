//! What a scrape that is being sent still holds of content that has been replaced since.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::Frame;
use super::chunk::Chunk;
use crate::format::form::Form;

/// Frames that a connection may hold after it has taken them: hyper writes as many at once.
const BEING_WRITTEN: usize = 16;

/// The chunks of a scrape. They are not kept alive here.
#[derive(Debug)]
pub struct Holding {
    form: Form,
    /// One for each frame; dangling where that is no chunk.
    chunks: Vec<Weak<Chunk>>,
    /// Bytes of all frames.
    bytes: usize,
    taken: AtomicUsize,
}

impl Holding {
    /// A scrape in this form that is about to send these frames.
    pub fn new(form: Form, frames: &[Frame]) -> Self {
        Self {
            form,
            chunks: frames.iter().map(Frame::chunk).collect(),
            bytes: frames.iter().map(Frame::len).sum(),
            taken: AtomicUsize::new(0),
        }
    }

    /// What its frames are.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The next frame has been taken.
    pub fn take(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Chunks that are still held.
    fn left(&self) -> &[Weak<Chunk>] {
        let taken = self.taken.load(Ordering::Relaxed);
        let written = taken.saturating_sub(BEING_WRITTEN);
        self.chunks.get(written..).unwrap_or_default()
    }

    /// How many of `others`, the newest first, may go on beside this scrape, which is newer
    /// than all of them and in the same form. Together they may hold `bound` bytes that are no longer shown, or
    /// as many as this one shows: with less a second scraper could cut off the first.
    pub fn let_go_on(&self, others: &[Arc<Self>], bound: usize) -> usize {
        let mut seen: HashSet<*const Chunk> = self.chunks.iter().map(Weak::as_ptr).collect();
        let bound = bound.max(self.bytes);
        let mut old = 0;
        let fits = |other: &Arc<Self>| {
            for chunk in other.left() {
                if let Some(chunk) = chunk.upgrade()
                    && seen.insert(Arc::as_ptr(&chunk))
                {
                    old += chunk.bytes();
                }
            }
            old <= bound
        };
        others.iter().map(fits).take_while(|fits| *fits).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Clashes, Content, GroupId, RenderedFamily, exposition};

    /// A scrape of a content whose one family has this text in each of its groups.
    fn scrape(content: &mut Content, groups: u32, letter: char) -> (Arc<Holding>, Vec<Frame>) {
        for group in 0..groups {
            let text = format!("a{{x=\"{}\"}} 1\n", letter.to_string().repeat(50_000));
            content.apply(&crate::view::Change {
                group: GroupId(group),
                removed: Vec::new(),
                set: vec![RenderedFamily {
                    name: "a".into(),
                    kind: crate::model::Kind::Gauge,
                    help: None,
                    text: text.into_bytes().into(),
                    legacy: true,
                }],
                life: None,
                later: None,
                gone: None,
            });
        }
        let snapshot = content.snapshot(crate::clock::UnixNanos(0).into());
        let frames = exposition(&snapshot, Vec::new(), &Clashes::default());
        (Arc::new(Holding::new(snapshot.form(), &frames)), frames)
    }

    #[test]
    fn what_is_replaced_counts_once_and_the_oldest_goes_first() {
        let mut content = Content::default();
        let (first, frames_of_first) = scrape(&mut content, 40, 'a');
        let (also_first, frames_of_also_first) = {
            let snapshot = content.snapshot(crate::clock::UnixNanos(0).into());
            let frames = exposition(&snapshot, Vec::new(), &Clashes::default());
            (Arc::new(Holding::new(snapshot.form(), &frames)), frames)
        };
        // Nothing was replaced.
        let same = [also_first.clone(), first.clone()];
        assert_eq!(first.let_go_on(&same, 0), 2);
        // All was: as much as is shown may be old, by two scrapes of the same too.
        let (second, _second_frames) = scrape(&mut content, 40, 'b');
        assert_eq!(second.let_go_on(&same, 0), 2);
        let (third, _third_frames) = scrape(&mut content, 40, 'c');
        let others = [second.clone(), also_first.clone(), first.clone()];
        assert_eq!(third.let_go_on(&others, 0), 1);
        assert_eq!(third.let_go_on(&others, usize::MAX), 3);
        // What has been sent is held no longer; the last few frames may be.
        drop((frames_of_first, frames_of_also_first));
        assert_eq!(third.let_go_on(&others, 0), 3);
    }

    #[test]
    fn a_scrape_that_has_sent_what_another_holds_is_not_blamed_for_it() {
        let mut content = Content::default();
        let (stuck, _held) = scrape(&mut content, 40, 'a');
        let snapshot = content.snapshot(crate::clock::UnixNanos(0).into());
        let frames = exposition(&snapshot, Vec::new(), &Clashes::default());
        let quick = Arc::new(Holding::new(snapshot.form(), &frames));
        drop((snapshot, frames));
        (0..1000).for_each(|_| quick.take());
        let (newest, _frames) = scrape(&mut content, 1, 'b');
        let others = [quick, stuck];
        assert_eq!(newest.let_go_on(&others, 0), 2);
        let (newest, _frames) = scrape(&mut content, 40, 'c');
        assert_eq!(newest.let_go_on(&others, 0), 2);
        let small = Holding {
            bytes: 0,
            ..Holding::new(Form::default(), &[])
        };
        assert_eq!(small.let_go_on(&others, 0), 1);
    }
}
