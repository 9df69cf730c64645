//! The tables in the kernel: which file has which, where its rows lie, and who makes room.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use abi::rows::{
    FILE_BUCKETS, FILES_IN_BUCKET, LINE_WORDS, Line, ROWS_BITS, SPAN_AWAITED, SPAN_BITS, TABLE_BITS, TABLE_NUMBER_BITS,
    Table, file_bucket, file_tag, file_word,
};

use unwind::span;

use super::extents::Extents;
use super::wish::{Wish, seconds};
use crate::kernel::{KernelError, RowMaps};
use crate::opener::FileKey;

/// Spans of a file that are marked as awaited at most: 16 GiB of code.
const MOST_SPANS: usize = 1 << 20;

/// How often a place is used before the numbers of its tables come again.
const MOST_TURNS: u32 = 1 << (TABLE_NUMBER_BITS - TABLE_BITS);

/// How long a sample may take that looked a table up before it was withdrawn: then what it held is free.
const GRACE: Duration = Duration::from_millis(50);

/// A file that was sampled so lately, in seconds, keeps its rows: who asks for room goes without.
const HOT: u32 = 30;
/// Lines that are freed at once where room is short, and the most tables for it.
const FREED_AT_ONCE: u32 = 2048;
/// A table that gave its rows back keeps those that are asked for anew for so long.
const SPARED: Duration = Duration::from_secs(2);
const EVICTED_AT_ONCE: usize = 64;

/// The rows of a file on their way into the kernel.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Runs of lines.
    lines: Vec<(u32, u32)>,
    /// Pointers of spans, from the first on.
    pointers: Vec<u32>,
    first_span: Option<u32>,
}

/// A file that has a table.
struct Held {
    table: Table,
    lines: Vec<(u32, u32)>,
    pointers: (u32, u32),
    wish: Wish,
    /// It only says that there is no room for its rows.
    absent: bool,
    /// Since when its rows come when they are asked for.
    awaited: Option<Instant>,
}

impl Held {
    fn size(&self) -> u32 {
        self.lines.iter().map(|(_, count)| count).sum()
    }
}

/// Elements that a sample may still look at.
struct Retired {
    since: Instant,
    place: Option<u32>,
    lines: Vec<(u32, u32)>,
    pointers: (u32, u32),
}

pub(super) struct Tables {
    maps: Box<dyn RowMaps>,
    lines: Extents,
    pointers: Extents,
    places: Extents,
    /// How often each place was used, which is the upper part of the next number there.
    pub(super) turns: Vec<u32>,
    /// How often numbers of before came again.
    age: u32,
    buckets: Vec<[u64; FILES_IN_BUCKET]>,
    held: HashMap<FileKey, Held>,
    retired: VecDeque<Retired>,
    /// The number of the rule of rows that come when they are asked for.
    awaited: u16,
    /// Tables that had to make room.
    pub(super) evicted: u64,
}

impl Tables {
    pub(super) fn new(maps: Box<dyn RowMaps>, awaited: u16) -> Self {
        let (lines, pointers) = (Extents::new(maps.lines()), Extents::new(maps.pointer_lines()));
        let mut places = Extents::new(1 << TABLE_BITS);
        // Number 0 is none.
        _ = places.take(1);
        Self {
            maps,
            lines,
            pointers,
            places,
            turns: vec![0; 1 << TABLE_BITS],
            age: 0,
            buckets: vec![[0; FILES_IN_BUCKET]; FILE_BUCKETS as usize],
            held: HashMap::new(),
            retired: VecDeque::new(),
            awaited,
            evicted: 0,
        }
    }

    pub(super) fn maps(&mut self) -> &mut dyn RowMaps {
        &mut *self.maps
    }

    /// How many files have a table.
    pub(super) fn len(&self) -> usize {
        self.held.values().filter(|held| !held.absent).count()
    }

    /// How many of them have only the rows that were asked for.
    pub(super) fn partial(&self) -> usize {
        self.held.values().filter(|held| held.awaited.is_some()).count()
    }

    /// Whether little room is left.
    pub(super) fn is_tight(&self) -> bool {
        self.lines.left() < self.maps.lines() / 8
    }

    /// Lines that hold rows.
    pub(super) fn lines_used(&self) -> u32 {
        self.maps.lines() - self.lines.left()
    }

    /// True for a file that has one; who samples it tells by this from now on.
    pub(super) fn renew(&mut self, key: &FileKey, wish: &Wish) -> bool {
        let held = self.held.get_mut(key).filter(|held| !held.absent);
        held.map(|held| held.wish = Wish::clone(wish)).is_some()
    }

    /// Gives a file for whose rows there is no room a table that says so, if there is room for that.
    pub(super) fn publish_absent(&mut self, key: FileKey, wish: Wish, rule: u16) -> Result<(), KernelError> {
        self.withdraw_forgotten()?;
        if self.held.get(&key).is_some_and(|held| !held.absent) {
            return Ok(());
        }
        self.publish(key, wish, Draft::default(), rule)?;
        if let Some(held) = self.held.get_mut(&key) {
            held.absent = true;
        }
        Ok(())
    }

    /// Withdraws what says of forgotten files that there is no room.
    fn withdraw_forgotten(&mut self) -> Result<(), KernelError> {
        let is_idle = |held: &Held| held.absent && held.wish.is_forgotten();
        let idle: Vec<FileKey> = self.held.iter().filter(|(_, held)| is_idle(held)).map(|(key, _)| *key).collect();
        idle.iter().try_for_each(|key| self.withdraw(key))
    }

    fn withdraw(&mut self, key: &FileKey) -> Result<(), KernelError> {
        let Some(held) = self.held.remove(key) else { return Ok(()) };
        self.point(key, 0)?;
        self.retire(held)
    }

    /// Gives a file a table whose rows come span by span, when they are asked for. False if there is no room for that.
    pub(super) fn publish_awaited(
        &mut self,
        key: FileKey,
        wish: Wish,
        spans: &[Range<u64>],
    ) -> Result<bool, KernelError> {
        let mut draft = Draft::default();
        for span in spans.iter().flat_map(Range::clone).take(MOST_SPANS) {
            let Ok(span) = u32::try_from(span) else { break };
            let at = (span - *draft.first_span.get_or_insert(span)) as usize;
            draft.pointers.resize(draft.pointers.len().max(at + 1), 0);
            draft.pointers[at] = SPAN_AWAITED;
        }
        if !self.publish(key, wish, draft, 0)? {
            return Ok(false);
        }
        if let Some(held) = self.held.get_mut(&key) {
            // What is asked for first is not to go again before it was used.
            held.awaited = Some(Instant::now());
        }
        Ok(true)
    }

    /// Writes the rows of a span that was asked for. False if there is no room, or nobody waits for it any more.
    pub(super) fn load(&mut self, key: FileKey, span: u64, rows: usize, lines: &[Line]) -> Result<bool, KernelError> {
        let count = lines.len() as u32;
        let first = loop {
            match self.room(count, |tables| &mut tables.lines) {
                Some(first) => break first,
                None if self.shrink_some(count) => {}
                None => return Ok(false),
            }
        };
        let written = self.maps.set_lines(first, lines);
        let pointer = if rows == 0 { 0 } else { first << ROWS_BITS | rows as u32 };
        let pointed = written.and_then(|()| self.set_pointer(&key, span, pointer));
        match (self.held.get_mut(&key), pointed) {
            (Some(held), Ok(true)) => {
                held.lines.push((first, count));
                Ok(true)
            }
            (_, result) => {
                self.lines.give_back(first, count);
                result.map(|_| false)
            }
        }
    }

    /// False for a span that the file's table does not have.
    fn set_pointer(&mut self, key: &FileKey, span: u64, pointer: u32) -> Result<bool, KernelError> {
        let Some(held) = self.held.get(key) else { return Ok(false) };
        let span = span.checked_sub(held.table.first_span.into()).filter(|span| *span < held.table.spans.into());
        let Some(at) = span.map(|span| held.table.base as usize + span as usize) else { return Ok(false) };
        let line = (at / LINE_WORDS) as u32;
        let Some(mut pointers) = self.maps.pointers(line) else { return Ok(false) };
        pointers[at % LINE_WORDS] = pointer;
        self.maps.set_pointers(line, &[pointers])?;
        Ok(true)
    }

    /// Has the largest tables give their rows back, until that frees so many lines and some more: they are free only after a
    /// while, for which is waited once. False if there are none.
    fn shrink_some(&mut self, count: u32) -> bool {
        let mut freed = 0;
        for shrunk in 0..EVICTED_AT_ONCE {
            match self.shrink_largest() {
                Some(lines) => freed += lines,
                None => return shrunk > 0,
            }
            if freed >= count.max(FREED_AT_ONCE) {
                break;
            }
        }
        true
    }

    /// Has the largest table give all its rows back: those that are in use are asked for again. Says how many lines that will
    /// free; `None` if there is none.
    fn shrink_largest(&mut self) -> Option<u32> {
        let spared = |held: &&mut Held| held.awaited.is_none_or(|since| since.elapsed() > SPARED);
        let held = self.held.values_mut().filter(spared).filter(|held| held.wish.last_sampled() != u32::MAX);
        let held = held.max_by_key(|held| held.size()).filter(|held| held.size() > 0)?;
        let (freed, (first, count)) = (held.size(), held.pointers);
        for line in first..first + count {
            let mut pointers = self.maps.pointers(line)?;
            pointers.iter_mut().filter(|pointer| **pointer != 0).for_each(|pointer| *pointer = SPAN_AWAITED);
            if let Err(error) = self.maps.set_pointers(line, &[pointers]) {
                tracing::error!(%error, "cannot withdraw unwind rows");
                return None;
            }
        }
        held.awaited = Some(Instant::now());
        let lines = std::mem::take(&mut held.lines);
        self.retired.push_back(Retired { since: Instant::now(), place: None, lines, pointers: (0, 0) });
        self.evicted += 1;
        Some(freed)
    }

    /// Writes the lines of some spans, each with its number, its rows and its lines. False if there is no room.
    pub(super) fn add(
        &mut self,
        draft: &mut Draft,
        spans: &[(u64, usize, usize)],
        lines: &[Line],
    ) -> Result<bool, KernelError> {
        let count = lines.len() as u32;
        let own: u32 = draft.lines.iter().map(|(_, count)| count).sum();
        if own + count > self.maps.lines() / 4 * 3 {
            // It would leave nothing to the others.
            return Ok(false);
        }
        let mut next = self.lines.take(count);
        if next.is_none() && spans.len() > 1 {
            // Only the lines of a span have to lie together: what is free here and there is used first.
            let (first, rest) = spans.split_at(spans.len() / 2);
            let (lines_of_first, lines_of_rest) = lines.split_at(first.iter().map(|(_, _, lines)| lines).sum());
            return Ok(self.add(draft, first, lines_of_first)? && self.add(draft, rest, lines_of_rest)?);
        }
        next = next.or_else(|| self.room(count, |tables| &mut tables.lines));
        let Some(mut next) = next else { return Ok(false) };
        draft.lines.push((next, lines.len() as u32));
        self.maps.set_lines(next, lines)?;
        for (number, rows, lines) in spans {
            let Ok(number) = u32::try_from(*number) else { continue };
            let at = (number - *draft.first_span.get_or_insert(number)) as usize;
            draft.pointers.resize(at, 0);
            draft.pointers.push(next << ROWS_BITS | *rows as u32);
            next += *lines as u32;
        }
        Ok(true)
    }

    /// The number of the rule of a place in a file; `None` for a file without a table.
    pub(super) fn rule_at(&self, key: &FileKey, offset: u64) -> Option<u16> {
        let table = &self.held.get(key)?.table;
        let span = u32::try_from(offset >> SPAN_BITS).ok().and_then(|span| span.checked_sub(table.first_span));
        let Some(span) = span.filter(|span| *span < table.spans) else { return Some(table.otherwise as u16) };
        let at = table.base + span;
        let pointer = self.maps.pointers(at / LINE_WORDS as u32)?[at as usize % LINE_WORDS];
        let (first, rows) = (pointer >> ROWS_BITS, (pointer & ((1 << ROWS_BITS) - 1)) as usize);
        if rows == 0 {
            return Some(if pointer == 0 { table.otherwise } else { table.awaited } as u16);
        }
        let place = offset as u32 & ((1 << SPAN_BITS) - 1);
        span::search_with(rows, place, |at| self.maps.line(first + at as u32))
    }

    /// Gives back what a draft took.
    pub(super) fn discard(&mut self, draft: &Draft) {
        self.give_back(&draft.lines, (0, 0), None);
    }

    /// Makes a draft the table of a file. The rules that its rows name are written by now. False if there is no room.
    pub(super) fn publish(
        &mut self,
        key: FileKey,
        wish: Wish,
        mut draft: Draft,
        otherwise: u16,
    ) -> Result<bool, KernelError> {
        let spans = draft.pointers.len();
        draft.pointers.resize(spans.next_multiple_of(LINE_WORDS), 0);
        let count = (draft.pointers.len() / LINE_WORDS) as u32;
        if count > self.pointers.all() / 2 {
            // It would leave nothing to the others.
            self.discard(&draft);
            return Ok(false);
        }
        let pointers = self.room(count, |tables| &mut tables.pointers);
        let place = self.room(1, |tables| &mut tables.places);
        let (Some(pointers), Some(place)) = (pointers, place) else {
            self.give_back(&draft.lines, (pointers.unwrap_or(0), pointers.map_or(0, |_| count)), place);
            return Ok(false);
        };
        let table = Table {
            number: place,
            base: pointers * LINE_WORDS as u32,
            first_span: draft.first_span.unwrap_or(0),
            spans: spans as u32,
            otherwise: otherwise.into(),
            awaited: self.awaited.into(),
        };
        let table = match self.write(table, &draft) {
            Ok(table) => table,
            Err(error) => {
                self.give_back(&draft.lines, (pointers, count), Some(place));
                return Err(error);
            }
        };
        let held = Held { table, lines: draft.lines, pointers: (pointers, count), wish, absent: false, awaited: None };
        let before = self.held.insert(key, held);
        self.point(&key, table.number)?;
        if let Some(before) = before {
            self.retire(before)?;
        }
        Ok(true)
    }

    /// Writes a table, and what it points to, at the place that is its number so far; what comes back has its own.
    fn write(&mut self, table: Table, draft: &Draft) -> Result<Table, KernelError> {
        let place = table.number;
        self.maps.set_pointers(table.base / LINE_WORDS as u32, draft.pointers.as_chunks().0)?;
        if self.turns[place as usize] == MOST_TURNS {
            self.forget_numbers()?;
            self.turns[place as usize] = 0;
        }
        let turn = &mut self.turns[place as usize];
        let table = Table { number: *turn << TABLE_BITS | place, ..table };
        *turn += 1;
        self.maps.set_table(place, &table)?;
        Ok(table)
    }

    /// Withdraws all tables. Their rows may be asked for, and nobody knows a number of a rule any more.
    pub(super) fn withdraw_all(&mut self) -> Result<(), KernelError> {
        for key in self.held.keys().copied().collect::<Vec<_>>() {
            self.held[&key].wish.ask_from(seconds());
            self.withdraw(&key)?;
        }
        self.free_retired();
        self.forget_numbers()
    }

    /// Has the kernel side forget what it knows by the numbers of tables that are gone, so that they may come again.
    fn forget_numbers(&mut self) -> Result<(), KernelError> {
        self.age += 1;
        self.maps.set_table(0, &Table { base: self.age, ..Table::default() })?;
        // A sample that began before goes on with what it knows, and notes it.
        thread::sleep(GRACE);
        self.maps.clear_recent()
    }

    /// Withdraws tables of the files that were sampled longest ago; false if all were just now.
    fn evict_some(&mut self) -> bool {
        let mut freed = 0;
        for evicted in 0..EVICTED_AT_ONCE {
            match self.evict() {
                Some(lines) => freed += lines,
                None => return evicted > 0,
            }
            if freed >= FREED_AT_ONCE {
                break;
            }
        }
        true
    }

    /// Withdraws one, and says how many lines that will free.
    fn evict(&mut self) -> Option<u32> {
        let now = seconds();
        let cold = self.held.iter().filter(|(_, held)| held.wish.last_sampled().saturating_add(HOT) <= now);
        let oldest = cold.min_by_key(|(_, held)| held.wish.last_sampled()).map(|(key, _)| *key);
        let key = oldest?;
        let held = self.held.get(&key)?;
        let (freed, wish) = (held.size(), Wish::clone(&held.wish));
        if let Err(error) = self.withdraw(&key) {
            // The kernel side may go on with the table: it stays as it is.
            tracing::error!(%error, "cannot withdraw an unwind table");
            return Some(0);
        }
        wish.ask_from(now);
        self.evicted += 1;
        Some(freed)
    }

    /// Withdraws a table that no file has any more. What it took is free when nobody reads it.
    fn retire(&mut self, held: Held) -> Result<(), KernelError> {
        let place = held.table.number & ((1 << TABLE_BITS) - 1);
        // All but the number stays, for those who are reading.
        self.maps.set_table(place, &Table { number: 0, ..held.table })?;
        let retired = Retired { since: Instant::now(), place: Some(place), lines: held.lines, pointers: held.pointers };
        self.retired.push_back(retired);
        Ok(())
    }

    /// Says which table a file has, 0 for none.
    fn point(&mut self, key: &FileKey, number: u32) -> Result<(), KernelError> {
        let tag = file_tag(key.ino, key.dev, key.version);
        let (index, word) = (file_bucket(tag), file_word(tag, number));
        let bucket = &mut self.buckets[index as usize];
        let same = |other: &u64| *other != 0 && (*other ^ word) >> TABLE_NUMBER_BITS == 0;
        match bucket.iter().position(same).or_else(|| bucket.iter().position(|other| *other == 0)) {
            Some(at) => bucket[at] = if number == 0 { 0 } else { word },
            // One in ten thousand files, with as many files as there may be.
            None => tracing::debug!(ino = key.ino, "no place is left to name the unwind table of a file"),
        }
        self.maps.set_bucket(index, bucket)
    }

    /// Takes elements, if need be from who had them longest.
    fn room(&mut self, count: u32, of: impl Fn(&mut Self) -> &mut Extents) -> Option<u32> {
        if count == 0 {
            return Some(0);
        }
        if count > of(self).all() {
            // Others would make room for it in vain.
            return None;
        }
        loop {
            if let Some(first) = of(self).take(count) {
                return Some(first);
            }
            if !self.retired.is_empty() {
                self.free_retired();
            } else if !self.evict_some() {
                return None;
            }
        }
    }

    /// Gives back what was withdrawn, once nobody can be reading it any more.
    pub(super) fn free_retired(&mut self) {
        let Some(last) = self.retired.back() else { return };
        thread::sleep(GRACE.saturating_sub(last.since.elapsed()));
        for retired in std::mem::take(&mut self.retired) {
            self.give_back(&retired.lines, retired.pointers, retired.place);
        }
    }

    fn give_back(&mut self, lines: &[(u32, u32)], (pointers, count): (u32, u32), place: Option<u32>) {
        for (first, count) in lines {
            self.lines.give_back(*first, *count);
        }
        self.pointers.give_back(pointers, count);
        if let Some(place) = place {
            self.places.give_back(place, 1);
        }
    }
}
