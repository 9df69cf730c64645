//! The profiles that wait for one endpoint, bounded in number and bytes: when it is full, the oldest go.

use std::collections::BTreeMap;

use bytes::Bytes;
use profile::Labels;
use tokio::time::Instant;

/// The most profiles that wait for an endpoint.
pub(super) const MAX_PROFILES: usize = 4_096;
/// The most bytes of them, profiles in flight included.
pub(super) const MAX_BYTES: usize = 8 << 20;

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
    max_profiles: usize,
    max_bytes: usize,
}

impl Item {
    pub(super) fn new(labels: Labels, pprof: Bytes, id: String) -> Self {
        let now = Instant::now();
        Self { labels, pprof, id, since: now, attempts: 0, number: 0, due: now }
    }

    /// What it takes, labels and book-keeping included.
    fn cost(&self) -> usize {
        self.pprof.len() + self.labels.iter().map(|(name, value)| name.len() + value.len() + 64).sum::<usize>() + 256
    }
}

impl Queue {
    pub(super) fn new(max_profiles: usize, max_bytes: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            numbers: 0,
            bytes: 0,
            flying: 0,
            flying_bytes: 0,
            hold: None,
            closed: false,
            max_profiles,
            max_bytes,
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
        while self.len() + 1 > self.max_profiles || self.bytes + cost > self.max_bytes {
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

    fn item(name: &str, len: usize) -> Item {
        Item::new(Labels::empty(), Bytes::from(vec![0; len]), name.to_owned())
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
        let mut queue = Queue::new(100, 3 * 1_256);
        assert!(queue.push(item("a", 1_000)).is_empty());
        assert!(queue.push(item("b", 1_000)).is_empty());
        assert!(queue.push(item("c", 1_000)).is_empty());
        assert_eq!(names(&queue.push(item("d", 2_000))), ["a", "b"]);
        assert_eq!(names(&queue.close()), ["c", "d"]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
        assert_eq!(names(&queue.push(item("e", 1))), ["e"]);

        let mut queue = Queue::new(1, 1_000_000);
        queue.push(item("a", 1));
        assert_eq!(names(&queue.push(item("b", 1))), ["a"]);
    }

    #[test]
    fn what_is_in_flight_counts_and_does_not_go() {
        let mut queue = Queue::new(2, 1_000_000);
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
        let mut queue = Queue::new(9, 1_000_000);
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
    fn a_hold_stops_all_until_it_ends() {
        let mut queue = Queue::new(9, 1_000_000);
        queue.push(item("a", 1));
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(9));
        queue.hold(late);
        queue.hold(soon);
        assert!(matches!(queue.next(now), Next::At(at) if at == late));
        assert_eq!(take(&mut queue, late).id, "a");
    }
}
