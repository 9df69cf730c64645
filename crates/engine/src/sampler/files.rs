//! Which files have a number, and when one is forgotten.
//!
//! A file keeps its number for as long as intervals hold frames of it, and a while longer. What is forgotten is closed by
//! the namer, after it has named all frames that the file has so far. A file that comes back is a new one: it gets another
//! number and is opened again through a process that has it. So does one that was not reached, when it is sampled again. Of
//! both the kernel side is to send the path anew, for their next process may be as brief as the last.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::files::Closed;
use crate::opener::FileKey;
use crate::rows::Wish;

/// A file that no interval held for this many turns is forgotten. A turn is a minute.
const KEPT_TURNS: u32 = 10;

struct Seen {
    number: u64,
    /// The last turn in which an interval held a frame of it.
    used: u32,
    /// How many intervals held it, as far as they have ended.
    intervals: u32,
    wish: Wish,
    /// It was not reached, and that was said.
    said: bool,
}

/// A file that is sampled.
pub(crate) struct Sampled {
    pub(crate) number: u64,
    /// Its unwind rows are to be asked for.
    pub(crate) ask: bool,
    /// It was not reached the last time, got another number, and is to be opened through a process that has it now.
    pub(crate) open: Option<Wish>,
}

/// The files that have a number: at most as many as may be open.
pub(crate) struct FileTable {
    by_key: HashMap<FileKey, Seen>,
    key_of: HashMap<u64, FileKey>,
    /// Files that were not reached and have another number by now.
    abandoned: Vec<u64>,
    next: u64,
    turn: u32,
    most: usize,
}

impl FileTable {
    /// Room for this many files.
    pub(crate) fn new(most: usize) -> Self {
        Self { by_key: HashMap::new(), key_of: HashMap::new(), abandoned: Vec::new(), next: 0, turn: 0, most }
    }

    /// Whether the path of a file is of use: it is not open, or on its way.
    pub(crate) fn wants_path(&self, key: &FileKey) -> bool {
        self.by_key.get(key).is_none_or(|seen| seen.wish.is_unreached())
    }

    /// Whether the unwind rows of a file are there, or on their way.
    pub(crate) fn rows_come(&self, key: &FileKey) -> bool {
        self.by_key.get(key).is_some_and(|seen| seen.wish.rows_come())
    }

    /// The number of a file that has one and is sampled now, and what is to be done for it.
    pub(crate) fn sampled(&mut self, key: &FileKey, now: u32) -> Option<Sampled> {
        let seen = self.by_key.get_mut(key)?;
        let ask = seen.wish.sampled(now);
        let mut open = None;
        if seen.wish.reopens(now) {
            self.key_of.remove(&seen.number);
            self.abandoned.push(seen.number);
            seen.number = self.next;
            seen.said = false;
            self.next += 1;
            self.key_of.insert(seen.number, *key);
            open = Some(Arc::clone(&seen.wish));
        }
        Some(Sampled { number: seen.number, ask, open })
    }

    /// What its rows are asked for with.
    pub(crate) fn wish(&self, key: &FileKey) -> Option<&Wish> {
        self.by_key.get(key).map(|seen| &seen.wish)
    }

    /// Gives a file a number, if there is room.
    pub(crate) fn add(&mut self, key: FileKey, now: u32) -> Option<(u64, Wish)> {
        if self.by_key.len() >= self.most {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let wish = Wish::default();
        _ = wish.sampled(now);
        let seen = Seen { number, used: self.turn, intervals: 0, wish: Arc::clone(&wish), said: false };
        self.by_key.insert(key, seen);
        self.key_of.insert(number, key);
        Some((number, wish))
    }

    /// Takes a number back that nothing has yet.
    pub(crate) fn withdraw(&mut self, key: &FileKey) {
        if let Some(seen) = self.by_key.remove(key) {
            self.key_of.remove(&seen.number);
        }
    }

    /// An interval holds a frame of this file; `over` if it has ended. Gives the file if its unwind rows are to be asked for.
    pub(crate) fn mark(&mut self, number: u64, over: bool, now: u32) -> Option<FileKey> {
        let key = self.key_of.get(&number)?;
        let seen = self.by_key.get_mut(key)?;
        seen.used = self.turn;
        seen.intervals = seen.intervals.saturating_add(u32::from(over));
        seen.wish.sampled(now).then_some(*key)
    }

    /// A minute is over.
    pub(crate) fn next_turn(&mut self) {
        self.turn += 1;
    }

    /// Whether room gets short.
    pub(crate) fn is_crowded(&self) -> bool {
        self.by_key.len() >= self.most - self.most / 4
    }

    /// The files to forget now, with why: those that were not in use for long; and if room is short, of the others half,
    /// those first that were used longest ago, then those that the fewest intervals held.
    pub(crate) fn to_forget(&self) -> Vec<(u64, Closed)> {
        let idle = |seen: &Seen| self.turn - seen.used >= KEPT_TURNS;
        let (old, mut others): (Vec<&Seen>, Vec<&Seen>) = self.by_key.values().partition(|seen| idle(seen));
        let old = old.into_iter().map(|seen| seen.number).chain(self.abandoned.iter().copied());
        let mut forget: Vec<_> = old.map(|number| (number, Closed::Unused)).collect();
        if self.is_crowded() {
            others.sort_unstable_by_key(|seen| (seen.used, seen.intervals, seen.number));
            let surplus = others.len().saturating_sub(self.most / 2);
            forget.extend(others[..surplus].iter().map(|seen| (seen.number, Closed::Limit)));
        }
        forget
    }

    /// Forgets a file. Gives it, unless it has another number by now.
    pub(crate) fn forget(&mut self, number: u64) -> Option<FileKey> {
        self.abandoned.retain(|abandoned| *abandoned != number);
        let key = self.key_of.remove(&number)?;
        self.by_key.remove(&key).inspect(|seen| seen.wish.forget());
        Some(key)
    }

    /// The files that were not reached, each once.
    pub(crate) fn unreached(&mut self) -> Vec<FileKey> {
        let new = self.by_key.iter_mut().filter(|(_, seen)| !seen.said && seen.wish.is_unreached());
        new.map(|(key, seen)| {
            seen.said = true;
            *key
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ino: u64) -> FileKey {
        FileKey { ino, dev: 1, version: 0 }
    }

    impl FileTable {
        fn number(&self, key: &FileKey) -> Option<u64> {
            self.by_key.get(key).map(|seen| seen.number)
        }
    }

    /// The number that a file gets.
    fn add(table: &mut FileTable, ino: u64) -> Option<u64> {
        table.add(key(ino), 0).map(|(number, _)| number)
    }

    fn forget_all(table: &mut FileTable) -> Vec<(u64, Closed)> {
        let mut forgotten = table.to_forget();
        forgotten.sort_unstable_by_key(|(number, _)| *number);
        for (number, _) in &forgotten {
            _ = table.forget(*number);
        }
        forgotten
    }

    #[test]
    fn a_file_that_no_interval_holds_is_forgotten_and_comes_back_as_another() {
        let mut table = FileTable::new(100);
        let (used, unused) = (add(&mut table, 1).unwrap(), add(&mut table, 2).unwrap());
        for _ in 0..KEPT_TURNS {
            assert_eq!(forget_all(&mut table), []);
            table.next_turn();
            _ = table.mark(used, true, 0);
        }
        assert_eq!(forget_all(&mut table), [(unused, Closed::Unused)]);
        assert_eq!((table.number(&key(1)), table.number(&key(2))), (Some(used), None));
        assert_eq!(add(&mut table, 2), Some(2), "a number is never used again");
    }

    #[test]
    fn when_room_is_short_the_longest_unused_go_and_what_many_intervals_held_stays() {
        let mut table = FileTable::new(8);
        for ino in 0..5 {
            add(&mut table, ino).unwrap();
        }
        // The first is in every interval; the next two were in none for a turn.
        _ = table.mark(0, true, 0);
        _ = table.mark(0, true, 0);
        table.next_turn();
        for number in [0, 3, 4] {
            _ = table.mark(number, false, 0);
        }
        assert_eq!(forget_all(&mut table), [], "there is room");
        add(&mut table, 5).unwrap();
        assert_eq!(forget_all(&mut table), [(1, Closed::Limit), (2, Closed::Limit)]);
        for ino in 6..8 {
            add(&mut table, ino).unwrap();
        }
        assert_eq!(forget_all(&mut table), [(3, Closed::Limit), (4, Closed::Limit)], "all in use: the oldest but one");
        assert_eq!(table.number(&key(0)), Some(0));
    }

    #[test]
    fn a_file_that_was_not_reached_gets_another_number_when_it_is_sampled_again() {
        let mut table = FileTable::new(8);
        let (first, wish) = table.add(key(1), 100).unwrap();
        wish.not_reached(101);
        let mut sampled = |now| {
            let sampled = table.sampled(&key(1), now).unwrap();
            (sampled.number, sampled.open.is_some())
        };
        assert_eq!(sampled(100), (first, false), "not yet");
        assert_eq!(sampled(101), (first + 1, true));
        assert_eq!(sampled(102), (first + 1, false), "it is on its way");
        assert_eq!(forget_all(&mut table), [(first, Closed::Unused)], "the first number is closed");
        assert_eq!(forget_all(&mut table), []);
        assert_eq!(table.number(&key(1)), Some(first + 1));
    }

    #[test]
    fn a_file_that_was_not_reached_is_named_once_and_takes_its_path_until_it_is_on_its_way() {
        let mut table = FileTable::new(8);
        let (_, wish) = table.add(key(1), 100).unwrap();
        add(&mut table, 2).unwrap();
        assert_eq!((table.unreached(), table.wants_path(&key(1))), (vec![], false));
        for now in [101, 200] {
            wish.not_reached(now);
            assert_eq!((table.unreached(), table.wants_path(&key(1))), (vec![key(1)], true));
            assert_eq!(table.unreached(), [], "it was said");
            assert!(table.sampled(&key(1), now + 1).unwrap().open.is_some());
            assert_eq!((table.unreached(), table.wants_path(&key(1))), (vec![], false));
        }
        assert!(table.wants_path(&key(3)), "nothing is known of it");
    }

    #[test]
    fn what_is_forgotten_is_given_but_for_a_number_that_its_file_has_no_more() {
        let mut table = FileTable::new(8);
        let (first, wish) = table.add(key(1), 100).unwrap();
        wish.not_reached(100);
        let second = table.sampled(&key(1), 100).unwrap().number;
        assert_eq!((table.forget(first), table.forget(second)), (None, Some(key(1))));
    }

    #[test]
    fn there_are_never_more_files_than_room() {
        let mut table = FileTable::new(4);
        let numbers: Vec<_> = (0..6).map(|ino| add(&mut table, ino)).collect();
        assert_eq!(numbers, [Some(0), Some(1), Some(2), Some(3), None, None]);
        table.withdraw(&key(3));
        assert_eq!(add(&mut table, 9), Some(4));
        assert_eq!((table.by_key.len(), table.key_of.len()), (4, 4));
    }
}
