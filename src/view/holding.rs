//! What scrapes that are being sent hold of memory that nothing else needs any more.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::Frame;
use super::chunk::Chunk;
use crate::limits::SCRAPE_OWN_BYTES;

/// What one scrape holds: its frames, in order, until each has been handed over and dropped,
/// and what was made for its scraper ahead of what that has taken. Nothing is kept alive here.
#[derive(Debug)]
pub struct Holding {
    frames: Vec<HeldFrame>,
    /// Bytes of all frames.
    shows: usize,
    /// Frames that are not held any more: the first ones.
    released: AtomicUsize,
    /// Bytes compressed or printed for this scraper and not yet dropped.
    made: AtomicUsize,
}

/// One frame.
#[derive(Debug)]
struct HeldFrame {
    /// What it shares with others: the view, what is kept of another form, other scrapes.
    /// `None`: its bytes were made for this scrape.
    chunk: Option<Weak<Chunk>>,
    /// Bytes. A chunk takes up to a quarter more: room to grow, and what is compressed of it.
    len: usize,
}

impl Holding {
    /// A scrape that is about to send these frames.
    pub fn new(frames: &[Frame]) -> Self {
        let held = |frame: &Frame| HeldFrame {
            chunk: frame.chunk(),
            len: frame.len(),
        };
        Self {
            frames: frames.iter().map(held).collect(),
            shows: frames.iter().map(Frame::len).sum(),
            released: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
        }
    }

    /// The next frame is not held any more.
    pub fn release(&self) {
        self.released.fetch_add(1, Ordering::Relaxed);
    }

    /// The bytes of the next frame, which count as held until they are dropped.
    pub fn lend(self: &Arc<Self>, frame: Frame) -> Bytes {
        self.until_dropped(frame.into_bytes(), Self::release)
    }

    /// Bytes made for this scraper, which count as held until they are dropped.
    pub fn made(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        let len = bytes.len();
        self.made.fetch_add(len, Ordering::Relaxed);
        self.until_dropped(bytes, move |holding| {
            holding.made.fetch_sub(len, Ordering::Relaxed);
        })
    }

    fn until_dropped(
        self: &Arc<Self>,
        bytes: Bytes,
        then: impl FnOnce(&Self) + Send + 'static,
    ) -> Bytes {
        Bytes::from_owner(Lent {
            bytes,
            holding: Arc::clone(self),
            then: Some(then),
        })
    }

    /// What is still held of the frames.
    fn left(&self) -> &[HeldFrame] {
        let released = self.released.load(Ordering::Relaxed);
        self.frames.get(released..).unwrap_or_default()
    }

    /// The chunks among that, with their lengths.
    fn chunks(&self) -> impl Iterator<Item = (&Weak<Chunk>, usize)> {
        let left = self.left().iter();
        left.filter_map(|held| Some((held.chunk.as_ref()?, held.len)))
    }

    /// Bytes that this scrape alone has, if they are more than [`SCRAPE_OWN_BYTES`].
    fn own(&self) -> usize {
        let own = self.left().iter().filter(|held| held.chunk.is_none());
        let own = own.map(|held| held.len).sum::<usize>() + self.made.load(Ordering::Relaxed);
        own.saturating_sub(SCRAPE_OWN_BYTES)
    }
}

/// Bytes that somebody was given, and what to do when they are dropped.
struct Lent<F: FnOnce(&Holding)> {
    bytes: Bytes,
    holding: Arc<Holding>,
    then: Option<F>,
}

impl<F: FnOnce(&Holding)> AsRef<[u8]> for Lent<F> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<F: FnOnce(&Holding)> Drop for Lent<F> {
    fn drop(&mut self) {
        if let Some(then) = self.then.take() {
            then(&self.holding);
        }
    }
}

/// The places of those among `scrapes`, the newest first, that have to go, so that the others
/// hold no more than `bound` bytes that nothing else needs, in whatever forms; or as many as
/// the largest of them shows. The newest always stays, and what it holds does not count: two
/// Prometheis over slow lines do not take their scrapes from each other.
pub fn surplus(scrapes: &[Arc<Holding>], bound: usize) -> Vec<usize> {
    let [newest, others @ ..] = scrapes else {
        return Vec::new();
    };
    if others.is_empty() {
        return Vec::new(); // Nearly always; what follows looks at every chunk.
    }
    let shows = scrapes.iter().map(|scrape| scrape.shows);
    let bound = shows.fold(bound, usize::max);
    let mut alone = Alone::of(scrapes);
    alone.settle(newest);
    let mut held = 0;
    let too_much = |(place, scrape): (usize, &Arc<Holding>)| {
        let bytes = alone.bytes(scrape);
        if held + bytes > bound {
            return Some(place);
        }
        held += bytes;
        alone.settle(scrape);
        None
    };
    (1..).zip(others).filter_map(too_much).collect()
}

/// Chunks that scrapes hold and nobody else, until one of them answers for it.
///
/// They have been replaced, or are of a form that is not kept any more. That is told by how
/// many hold them, so that nobody has to be asked: neither the view nor a form that is being
/// brought up to date. Of a scrape that goes on meanwhile some chunks may be taken for others;
/// what is stuck is counted exactly.
struct Alone(HashSet<*const Chunk>);

impl Alone {
    fn of(scrapes: &[Arc<Holding>]) -> Self {
        let mut holders: HashMap<*const Chunk, (&Weak<Chunk>, usize)> = HashMap::new();
        for (chunk, _) in scrapes.iter().flat_map(|scrape| scrape.chunks()) {
            holders.entry(chunk.as_ptr()).or_insert((chunk, 0)).1 += 1;
        }
        let alone = holders.into_iter();
        let alone = alone.filter(|(_, (chunk, holders))| {
            let count = chunk.strong_count();
            count > 0 && count <= *holders
        });
        Self(alone.map(|(at, _)| at).collect())
    }

    /// Bytes that this scrape would have to answer for.
    fn bytes(&self, scrape: &Holding) -> usize {
        let chunks = scrape.chunks();
        let alone = chunks.filter(|(chunk, _)| self.0.contains(&chunk.as_ptr()));
        scrape.own() + alone.map(|(_, len)| len).sum::<usize>()
    }

    /// This scrape answers for what it holds.
    fn settle(&mut self, scrape: &Holding) {
        for (chunk, _) in scrape.chunks() {
            self.0.remove(&chunk.as_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixNanos;
    use crate::view::{Change, Clashes, Content, GroupId, RenderedFamily, exposition};

    const LINE: usize = 50_000;
    const GROUPS: u32 = 40;

    /// Gives the first `groups` of a content's one family this text.
    fn push(content: &mut Content, groups: u32, letter: char) {
        for group in 0..groups {
            let text = format!("a{{x=\"{}\"}} 1\n", letter.to_string().repeat(LINE));
            content.apply(&Change {
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
    }

    fn scrape(content: &mut Content) -> (Arc<Holding>, Vec<Frame>) {
        let snapshot = content.snapshot(UnixNanos(0).into());
        let frames = exposition(&snapshot, Vec::new(), &Clashes::default());
        (Arc::new(Holding::new(&frames)), frames)
    }

    /// The same once all groups have this text.
    fn scrape_of(content: &mut Content, letter: char) -> (Arc<Holding>, Vec<Frame>) {
        push(content, GROUPS, letter);
        scrape(content)
    }

    #[test]
    fn what_is_replaced_counts_once_and_the_oldest_goes_first() {
        let mut content = Content::default();
        let (first, frames_of_first) = scrape_of(&mut content, 'a');
        let (also_first, frames_of_also_first) = scrape(&mut content);
        let two = [also_first.clone(), first.clone()];
        // Nothing was replaced; then all was, and as much as is shown may be old.
        assert_eq!(surplus(&two, 0), [0; 0]);
        push(&mut content, GROUPS, 'b');
        assert_eq!(surplus(&two, 0), [0; 0]);
        let (second, _frames) = scrape(&mut content);
        let three = [second.clone(), also_first.clone(), first.clone()];
        assert_eq!(surplus(&three, 0), [0; 0]);
        // What the newest holds does not count.
        push(&mut content, GROUPS, 'c');
        assert_eq!(surplus(&three, 0), [0; 0]);
        let (third, _frames) = scrape_of(&mut content, 'd');
        let four = [third, second, also_first, first];
        assert_eq!(surplus(&four, 0), [2, 3]);
        assert_eq!(surplus(&four, 2 * GROUPS as usize * (LINE + 100)), [0; 0]);
        // What has been sent is held no longer.
        drop((frames_of_first, frames_of_also_first));
        assert_eq!(surplus(&four, 0), [0; 0]);
    }

    #[test]
    fn a_scrape_that_has_sent_what_another_holds_is_not_blamed_for_it() {
        let mut content = Content::default();
        let (stuck, _frames) = scrape_of(&mut content, 'a');
        let (quick, mut frames) = scrape(&mut content);
        let sent: Vec<_> = frames.drain(..).map(|frame| quick.lend(frame)).collect();
        let (newer, _frames) = scrape_of(&mut content, 'b');
        let (newest, _frames) = scrape_of(&mut content, 'c');
        let four = [newest, newer, quick, stuck];
        // Not sent yet: somebody has the bytes.
        assert_eq!(surplus(&four, 0), [2, 3]);
        drop(sent);
        assert_eq!(surplus(&four, 0), [3]);
    }

    #[test]
    fn what_is_made_for_one_scraper_counts_until_it_is_dropped() {
        let mut content = Content::default();
        let (stuck, _frames) = scrape_of(&mut content, 'a');
        let (newest, _frames) = scrape(&mut content);
        let made = stuck.made(vec![0; SCRAPE_OWN_BYTES + 100 * LINE].into());
        let two = [newest, stuck];
        assert_eq!(surplus(&two, 0), [1]);
        drop(made);
        assert_eq!(surplus(&two, 0), [0; 0]);
        // Small families are copied together for each scrape.
        let own = [Frame::Text(vec![0; 2 * SCRAPE_OWN_BYTES].into())];
        let copies = [(); 4].map(|()| Arc::new(Holding::new(&own)));
        assert_eq!(surplus(&copies, 0), [3]);
    }
}
