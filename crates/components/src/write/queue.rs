//! The profiles that wait for one endpoint, bounded in number and bytes: when it is full, the oldest go.
//!
//! There are two bounds. What was appended before goes as soon as the lower one is passed. What came with the same append
//! stays until the upper one is: a large host makes more in one interval than is worth keeping as a backlog, and a server
//! that works takes it within a second.

use std::collections::BTreeMap;

use bytes::Bytes;
use profile::Labels;
use tokio::time::Instant;

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) profiles: usize,
    /// Book-keeping and profiles in flight included.
    pub(super) bytes: usize,
}

/// Above this, profiles of earlier appends go.
pub(super) const BACKLOG: Bounds = Bounds { profiles: 4_096, bytes: 8 << 20 };
/// Above this, those of the same append go too.
pub(super) const BURST: Bounds = Bounds { profiles: 65_536, bytes: 64 << 20 };

/// A profile on its way to one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) labels: Labels,
    /// In gzip.
    pub(super) pprof: Bytes,
    /// The same at each attempt, so that a server could tell that it has it.
    pub(super) id: String,
    pub(super) since: Instant,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// Which append it came with.
    append: u64,
    /// Its place in the queue, by age; given by the queue.
    number: u64,
    /// Not to be tried before.
    due: Instant,
}

/// What there is to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send it. Its bytes count until it has [landed](Queue::landed) or is [put back](Queue::put_back).
    Item(Box<Item>),
    /// Nothing before then.
    At(Instant),
    /// Nothing.
    Empty,
}

/// The queue of one endpoint.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: BTreeMap<u64, Item>,
    numbers: u64,
    bytes: usize,
    flying: usize,
    /// Bytes in gzip of those in flight.
    flying_bytes: usize,
    hold: Option<Instant>,
    closed: bool,
    backlog: Bounds,
    burst: Bounds,
}

impl Item {
    pub(super) fn new(append: u64, labels: Labels, pprof: Bytes, id: String) -> Self {
        let now = Instant::now();
        Self { labels, pprof, id, since: now, attempts: 0, append, number: 0, due: now }
    }

    /// What it takes, labels and book-keeping included.
    fn cost(&self) -> usize {
        self.pprof.len() + self.labels.iter().map(|(name, value)| name.len() + value.len() + 64).sum::<usize>() + 256
    }
}

impl Queue {
    pub(super) fn new(backlog: Bounds, burst: Bounds) -> Self {
        Self {
            waiting: BTreeMap::new(),
            numbers: 0,
            bytes: 0,
            flying: 0,
            flying_bytes: 0,
            hold: None,
            closed: false,
            backlog,
            burst,
        }
    }

    /// Adds a profile and returns those that had to go for it; the new one itself when only those in flight are left,
    /// or when the queue is closed.
    pub(super) fn push(&mut self, mut item: Item) -> Vec<Item> {
        let cost = item.cost();
        let mut gone = Vec::new();
        if self.closed {
            return vec![item];
        }
        while self.lacks_room(self.backlog, cost)
            && let Some(oldest) = self.waiting.first_entry().filter(|oldest| oldest.get().append != item.append)
        {
            gone.push(oldest.remove());
            self.bytes -= gone.last().map_or(0, Item::cost);
        }
        while self.lacks_room(self.burst, cost) {
            match self.waiting.pop_first() {
                Some((_, oldest)) => {
                    self.bytes -= oldest.cost();
                    gone.push(oldest);
                }
                None => {
                    gone.push(item);
                    return gone;
                }
            }
        }
        self.numbers += 1;
        item.number = self.numbers;
        self.bytes += cost;
        self.waiting.insert(item.number, item);
        gone
    }

    fn lacks_room(&self, bounds: Bounds, cost: usize) -> bool {
        self.len() + 1 > bounds.profiles || self.bytes + cost > bounds.bytes
    }

    /// The oldest profile that is due.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.waiting.is_empty() {
            return Next::Empty;
        }
        if let Some(until) = self.hold.filter(|until| *until > now) {
            return Next::At(until);
        }
        self.hold = None;
        let due = self.waiting.values().find(|item| item.due <= now).map(|item| item.number);
        match due.and_then(|number| self.waiting.remove(&number)) {
            Some(item) => {
                self.flying += 1;
                self.flying_bytes += item.pprof.len();
                Next::Item(Box::new(item))
            }
            None => self.waiting.values().map(|item| item.due).min().map_or(Next::Empty, Next::At),
        }
    }

    /// A profile that was taken is done with.
    pub(super) fn landed(&mut self, item: &Item) {
        self.bytes -= item.cost();
        self.landed_or_back(item);
    }

    /// A profile that was taken is to be tried again, not before `due`.
    pub(super) fn put_back(&mut self, mut item: Item, due: Instant) {
        self.landed_or_back(&item);
        item.due = due;
        self.waiting.insert(item.number, item);
    }

    fn landed_or_back(&mut self, item: &Item) {
        self.flying -= 1;
        self.flying_bytes -= item.pprof.len();
    }

    /// Nothing is to be tried before `until`, unless that is sooner than what was said before.
    pub(super) fn hold(&mut self, until: Instant) {
        self.hold = self.hold.max(Some(until));
    }

    /// Forgets a hold: the endpoint is not the one that asked for it any more.
    pub(super) fn release(&mut self) {
        self.hold = None;
    }

    /// What waits for another attempt waits no longer than a hold says.
    pub(super) fn hurry(&mut self, now: Instant) {
        for item in self.waiting.values_mut() {
            item.due = item.due.min(now);
        }
    }

    /// Takes out all that wait, and nothing in from now on.
    pub(super) fn close(&mut self) -> Vec<Item> {
        self.closed = true;
        let items: Vec<Item> = std::mem::take(&mut self.waiting).into_values().collect();
        self.bytes -= items.iter().map(Item::cost).sum::<usize>();
        items
    }

    /// How many are in flight, and their bytes in gzip.
    pub(super) fn flying(&self) -> (usize, usize) {
        (self.flying, self.flying_bytes)
    }

    /// How many there are, those in flight included.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.flying
    }

    /// Bytes of them, those in flight included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A profile of an append of its own.
    fn item(name: &str, len: usize) -> Item {
        let append = u64::from(name.as_bytes()[0]);
        Item::new(append, Labels::empty(), Bytes::from(vec![0; len]), name.to_owned())
    }

    fn bounded(profiles: usize, bytes: usize) -> Queue {
        Queue::new(Bounds { profiles, bytes }, Bounds { profiles, bytes })
    }

    fn names(items: &[Item]) -> Vec<&str> {
        items.iter().map(|item| item.id.as_str()).collect()
    }

    fn take(queue: &mut Queue, now: Instant) -> Item {
        match queue.next(now) {
            Next::Item(item) => *item,
            other => panic!("an item is due, not {other:?}"),
        }
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let mut queue = bounded(100, 3 * 1_256);
        assert!(queue.push(item("a", 1_000)).is_empty());
        assert!(queue.push(item("b", 1_000)).is_empty());
        assert!(queue.push(item("c", 1_000)).is_empty());
        assert_eq!(names(&queue.push(item("d", 2_000))), ["a", "b"]);
        assert_eq!(names(&queue.close()), ["c", "d"]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
        assert_eq!(names(&queue.push(item("e", 1))), ["e"]);

        let mut queue = bounded(1, 1_000_000);
        queue.push(item("a", 1));
        assert_eq!(names(&queue.push(item("b", 1))), ["a"]);
    }

    #[test]
    fn one_append_may_pass_the_lower_bound_and_not_the_upper() {
        let bounds = |profiles| Bounds { profiles, bytes: 1_000_000 };
        let mut queue = Queue::new(bounds(2), bounds(4));
        queue.push(item("a1", 1));
        queue.push(item("a2", 1));
        assert_eq!(names(&queue.push(item("b1", 1))), ["a1"]);
        assert_eq!(names(&queue.push(item("b2", 1))), ["a2"]);
        assert!(queue.push(item("b3", 1)).is_empty());
        assert!(queue.push(item("b4", 1)).is_empty());
        assert_eq!(names(&queue.push(item("b5", 1))), ["b1"]);
        assert_eq!(names(&queue.push(item("c1", 1))), ["b2", "b3", "b4"]);
        assert_eq!(names(&queue.close()), ["b5", "c1"]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn what_is_in_flight_counts_and_does_not_go() {
        let mut queue = bounded(2, 1_000_000);
        queue.push(item("a", 1));
        queue.push(item("b", 1));
        let (a, b) = (take(&mut queue, Instant::now()), take(&mut queue, Instant::now()));
        assert_eq!(names(&queue.push(item("c", 1))), ["c"]);
        queue.landed(&a);
        assert!(queue.push(item("d", 1)).is_empty());
        let now = Instant::now();
        queue.put_back(b, now);
        assert_eq!(names(&queue.close()), ["b", "d"]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn what_waits_is_tried_again_when_due_and_oldest_first() {
        let mut queue = bounded(9, 1_000_000);
        queue.push(item("a", 1));
        queue.push(item("b", 1));
        let now = Instant::now();
        let a = take(&mut queue, now);
        let later = now + Duration::from_secs(1);
        queue.put_back(a, later);
        assert_eq!(take(&mut queue, now).id, "b");
        assert!(matches!(queue.next(now), Next::At(at) if at == later));
        assert_eq!(take(&mut queue, later).id, "a");
        assert!(matches!(queue.next(later), Next::Empty));
    }

    #[test]
    fn in_a_hurry_only_a_hold_is_waited_for() {
        let mut queue = bounded(9, 1_000_000);
        queue.push(item("a", 1));
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(900));
        let a = take(&mut queue, now);
        queue.put_back(a, late);
        assert!(matches!(queue.next(now), Next::At(at) if at == late));
        queue.hold(soon);
        queue.hurry(now);
        assert!(matches!(queue.next(now), Next::At(at) if at == soon));
        assert_eq!(take(&mut queue, soon).id, "a");
    }

    #[test]
    fn a_hold_stops_all_until_it_ends() {
        let mut queue = bounded(9, 1_000_000);
        queue.push(item("a", 1));
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(9));
        queue.hold(late);
        queue.hold(soon);
        assert!(matches!(queue.next(now), Next::At(at) if at == late));
        assert_eq!(take(&mut queue, late).id, "a");
    }
}
