//! The tables as the kernel side would read them.

use std::sync::{Mutex, MutexGuard};

use abi::rows::{
    FILE_BUCKETS, FILES_IN_BUCKET, ROWS_BITS, SPAN_BITS, TABLE_BITS, TABLE_NUMBER_BITS, Table, file_bucket, file_tag,
};
use crossbeam_channel::bounded;
use unwind::{Cfa, Frame, Register, span};

use super::tables::Draft;
use super::*;

/// Maps in memory.
#[derive(Clone)]
struct Memory(Arc<Mutex<Maps>>);

struct Maps {
    lines: Vec<Line>,
    pointers: Vec<Line>,
    rules: Vec<abi::rows::Rule>,
    tables: Vec<Table>,
    buckets: Vec<[u64; FILES_IN_BUCKET]>,
}

impl Memory {
    fn new(lines: usize) -> Self {
        Self(Arc::new(Mutex::new(Maps {
            lines: vec![[0; 16]; lines],
            pointers: vec![[0; 16]; 256],
            rules: vec![abi::rows::Rule::default(); MAX_RULES],
            tables: vec![Table::default(); 1 << TABLE_BITS],
            buckets: vec![[0; FILES_IN_BUCKET]; FILE_BUCKETS as usize],
        })))
    }

    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.0.lock().unwrap()
    }

    /// The rule of a place; `None` for a file without a table.
    fn rule(&self, key: FileKey, offset: u64) -> Option<abi::rows::Rule> {
        let maps = self.maps();
        let tag = file_tag(key.ino, key.dev, key.version);
        let bucket = &maps.buckets[file_bucket(tag) as usize];
        let word = bucket.iter().find(|word| **word != 0 && (**word ^ tag) >> TABLE_NUMBER_BITS == 0)?;
        let number = *word as u32 & ((1 << TABLE_NUMBER_BITS) - 1);
        let table = maps.tables[number as usize % (1 << TABLE_BITS)];
        assert_eq!(table.number, number);
        let span = (offset >> SPAN_BITS) as u32;
        let at = span.checked_sub(table.first_span).filter(|span| *span < table.spans).map(|span| table.base + span);
        let pointer = at.map_or(0, |at| maps.pointers[at as usize / 16][at as usize % 16]);
        let (first, rows) = ((pointer >> ROWS_BITS) as usize, pointer as usize & span::MOST_ROWS);
        let number = match rows {
            0 if pointer != 0 => table.awaited as u16,
            0 => table.otherwise as u16,
            _ => span::search(&maps.lines[first..], rows, offset as u32 & ((1 << SPAN_BITS) - 1)),
        };
        Some(maps.rules[usize::from(number)])
    }
}

impl RowMaps for Memory {
    fn lines(&self) -> u32 {
        self.maps().lines.len() as u32
    }

    fn pointer_lines(&self) -> u32 {
        self.maps().pointers.len() as u32
    }

    fn set_lines(&mut self, first: u32, lines: &[Line]) -> Result<(), KernelError> {
        self.maps().lines[first as usize..][..lines.len()].copy_from_slice(lines);
        Ok(())
    }

    fn set_pointers(&mut self, first: u32, lines: &[Line]) -> Result<(), KernelError> {
        self.maps().pointers[first as usize..][..lines.len()].copy_from_slice(lines);
        Ok(())
    }

    fn line(&self, at: u32) -> Option<Line> {
        self.maps().lines.get(at as usize).copied()
    }

    fn pointers(&self, at: u32) -> Option<Line> {
        self.maps().pointers.get(at as usize).copied()
    }

    fn set_rules(&mut self, first: u32, rules: &[abi::rows::Rule]) -> Result<(), KernelError> {
        self.maps().rules[first as usize..][..rules.len()].copy_from_slice(rules);
        Ok(())
    }

    fn set_table(&mut self, place: u32, table: &Table) -> Result<(), KernelError> {
        self.maps().tables[place as usize] = *table;
        Ok(())
    }

    fn set_bucket(&mut self, bucket: u32, files: &[u64; FILES_IN_BUCKET]) -> Result<(), KernelError> {
        self.maps().buckets[bucket as usize] = *files;
        Ok(())
    }

    fn clear_recent(&mut self) -> Result<(), KernelError> {
        Ok(())
    }
}

/// What the compiler says of a file, place by place.
#[derive(Default)]
struct Places {
    spans: Vec<(u64, usize, Vec<Line>)>,
}

impl unwind::Output for Places {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        self.spans.push((number, rows, lines.to_vec()));
    }
}

fn key(ino: u64) -> FileKey {
    FileKey { ino, dev: 1, version: 2 }
}

fn own() -> Arc<ProgramFile> {
    open("/proc/self/exe")
}

fn open(path: &str) -> Arc<ProgramFile> {
    Arc::new(std::fs::File::open(path).unwrap().into())
}

fn builder(memory: &Memory) -> Builder {
    Builder::begin(Box::new(memory.clone()), bounded(1).0, RowCounts::default()).unwrap()
}

/// Asks for the rows of our own program under the name of another file.
fn build(builder: &mut Builder, ino: u64, file: &Arc<ProgramFile>) -> Wish {
    let wish = Wish::default();
    builder.build(BuildRequest { key: key(ino), file: Arc::clone(file), path: "own".into(), wish: Arc::clone(&wish) });
    wish
}

/// Lines that our own program takes.
fn size() -> usize {
    let mut places = Places::default();
    unwind::compile(&Elf::parse(own()).unwrap().0, &mut Rules::default(), &mut places);
    places.spans.iter().map(|(_, _, lines)| lines.len()).sum()
}

#[test]
fn each_place_of_a_file_has_the_rule_that_the_compiler_gave_it() {
    let memory = Memory::new(size() + 2000);
    let mut builder = builder(&memory);
    let file = own();
    build(&mut builder, 7, &file);
    let (mut places, mut rules) = (Places::default(), Rules::default());
    unwind::compile(&Elf::parse(own()).unwrap().0, &mut rules, &mut places);
    assert!(places.spans.len() > 10, "our own program has code");
    for (number, rows, lines) in &places.spans {
        for place in (0..1 << SPAN_BITS).step_by(61) {
            let rule = rules.list()[usize::from(span::search(lines, *rows, place))];
            let offset = (number << SPAN_BITS) + u64::from(place);
            assert_eq!(memory.rule(key(7), offset), Some(rule.into()), "at {offset:#x}");
        }
    }
    assert_eq!(memory.rule(key(8), 0), None);
    assert_eq!((builder.counts.built(), builder.counts.tables()), (1, 1));
}

#[test]
fn a_number_comes_again_only_after_all_were_forgotten() {
    let memory = Memory::new(100);
    let mut builder = builder(&memory);
    let place = |number: u32| number % (1 << TABLE_BITS);
    let mut seen = std::collections::HashSet::new();
    builder.tables.turns.fill(254);
    for _ in 0..12 {
        builder.tables.publish(key(1), Wish::default(), Draft::default(), 0).unwrap();
        // The next one gets the same place.
        builder.tables.free_retired();
        let maps = memory.maps();
        let table = maps.tables.iter().skip(1).rfind(|table| table.number != 0).unwrap();
        assert!(seen.insert((maps.tables[0].base, table.number)), "{table:?} again");
        assert!(place(table.number) <= 3);
    }
    assert!(memory.maps().tables[0].base > 0);
}

#[test]
fn when_numbers_of_rules_run_short_all_begins_anew() {
    let memory = Memory::new(size() * 4 + 2000);
    let mut builder = builder(&memory);
    let file = own();
    let wish = build(&mut builder, 7, &file);
    let text = Elf::parse(own()).unwrap().0.section(".text").unwrap().offset.0 + 0x8000;
    let before = memory.rule(key(7), text).unwrap();
    let added = builder.rules.list().len();
    assert_eq!(builder.known[&key(7)].rules, added - 4, "all but the first four");
    let spare = |offset| Rule::Frame(Frame { cfa: Cfa::Deref(Register::RBP, offset), ..Frame::ENTRY });
    builder.rules.allow(MAX_RULES);
    (0..60_000).for_each(|offset| _ = builder.rules.number(spare(offset)));
    builder.write_rules().unwrap();
    build(&mut builder, 8, &file);
    assert_eq!(memory.rule(key(7), text), Some(before), "that was done only just now");
    builder.rules_since -= RULES_KEPT;
    build(&mut builder, 9, &file);
    assert!(builder.rules.list().len() <= added, "those of one file and the vDSO");
    assert_eq!(memory.rule(key(9), text), Some(before));
    assert_eq!(memory.rule(key(7), text), None, "until it is asked for");
    assert!(wish.sampled(seconds() + 1));
    builder.build_again(&key(7), &wish);
    assert_eq!(memory.rule(key(7), text), Some(before));
}

#[test]
fn a_file_without_tables_is_walked_by_frame_pointers() {
    let memory = Memory::new(100);
    let mut builder = builder(&memory);
    build(&mut builder, 1, &open("/etc/passwd"));
    assert_eq!(memory.rule(key(1), 12345), Some(Rule::FramePointer.into()));
}

#[test]
fn the_file_that_was_sampled_longest_ago_makes_room_and_comes_back_when_it_is_asked_for() {
    let now = seconds();
    let lines = size();
    let memory = Memory::new(lines * 5 / 2);
    let mut builder = builder(&memory);
    let file = own();
    let wishes: Vec<Wish> = (0..2).map(|ino| build(&mut builder, ino, &file)).collect();
    for (wish, ago) in wishes.iter().zip([40, 50]) {
        assert!(!wish.sampled(now - ago));
    }
    let third = build(&mut builder, 2, &file);
    third.sampled(now);
    let held = || [0, 1, 2].map(|ino| memory.rule(key(ino), 0).is_some());
    assert_eq!((held(), builder.tables.evicted), ([true, false, true], 1));
    assert!(wishes[1].sampled(seconds() + 1), "its rows are to be asked for");
    builder.build_again(&key(1), &wishes[1]);
    assert_eq!((held(), builder.tables.evicted), ([false, true, true], 2));
}

#[test]
fn where_there_is_no_room_rows_come_span_by_span_and_the_largest_table_gives_its_own_back() {
    let memory = Memory::new(size() * 2);
    let mut builder = builder(&memory);
    let file = own();
    let wishes: Vec<Wish> = (0..2).map(|ino| build(&mut builder, ino, &file)).collect();
    wishes.iter().for_each(|wish| assert!(!wish.sampled(seconds())));
    let third = build(&mut builder, 2, &file);
    third.sampled(seconds());
    let elf = Elf::parse(own()).unwrap().0;
    let text = elf.section(".text").unwrap().offset.0;
    let (offset, span) = (text + 0x8000, (text + 0x8000) >> SPAN_BITS);
    let rules = |offset| [0, 1, 2].map(|ino| memory.rule(key(ino), offset).unwrap());
    let [whole, _, awaited] = rules(offset);
    assert_eq!((awaited, builder.counts.partial(), builder.counts.refused()), (Rule::Awaited.into(), 1, 0));
    assert!(builder.load_span(key(2), &file, span).unwrap());
    builder.show();
    let found = rules(offset);
    assert_eq!(found[2], whole);
    assert_eq!(found[..2].iter().filter(|rule| **rule == awaited).count(), 1, "one gave its rows back");
    assert_eq!(rules(offset + (1 << SPAN_BITS))[2], awaited, "another span was not asked for");
    assert_eq!((builder.counts.partial(), builder.counts.tables(), builder.counts.evicted()), (2, 3, 1));
    let back = found.iter().position(|rule| *rule == awaited).unwrap() as u64;
    assert!(builder.load_span(key(back), &file, span).unwrap());
    assert_eq!(rules(offset), [whole; 3]);
    assert!(!builder.load_span(key(2), &file, 1 << 20).unwrap(), "no such span");
}

#[test]
fn a_file_that_nobody_holds_open_is_opened_anew() {
    let memory = Memory::new(size() + 2000);
    let mut builder = builder(&memory);
    let file = open("/etc/passwd");
    let wish = build(&mut builder, 1, &file);
    drop(file);
    builder.build_again(&key(1), &wish);
    assert_eq!((builder.counts.built(), wish.reopens(seconds() + 1)), (1, true));
    let never = Wish::default();
    builder.build_again(&key(2), &never);
    assert!(never.reopens(seconds() + 1), "there was no room to ask for it");
}

#[test]
fn a_file_that_is_not_reached_is_absent_until_it_is_forgotten() {
    let memory = Memory::new(100);
    let mut builder = builder(&memory);
    let wishes = [1, 2].map(|ino| {
        let wish = Wish::default();
        builder.leave_absent(key(ino), &wish);
        wish
    });
    let rules = || [1, 2, 3].map(|ino| memory.rule(key(ino), 0));
    let absent = Some(Rule::Absent.into());
    assert_eq!((rules(), builder.counts.tables()), ([absent, absent, None], 0));
    wishes[0].forget();
    builder.leave_absent(key(3), &Wish::default());
    assert_eq!(rules(), [None, absent, absent]);
    build(&mut builder, 2, &open("/etc/passwd"));
    builder.leave_absent(key(2), &wishes[1]);
    assert_eq!(memory.rule(key(2), 0), Some(Rule::FramePointer.into()), "it has been reached meanwhile");
}
