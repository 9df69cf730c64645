//! The functions that a symbol table names.

use crate::address::{FileOffset, Svma};
use crate::file::{Elf, Problem};
use crate::format::{
    Class, SHN_LORESERVE, SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB, STB_GLOBAL, STB_GNU_UNIQUE, STB_WEAK, STT_FUNC,
    STT_GNU_IFUNC, STT_NOTYPE, u16_at, u32_at, u64_at,
};
use crate::read::{ReadAt, WINDOW, Window, string};

/// The longest symbol name that is read. C++ and Rust generics do reach tens of kilobytes.
const LONGEST_NAME: usize = WINDOW;

/// No more symbols than this are read of one table; browsers with all of theirs have two million.
pub(crate) const MOST_SYMBOLS: u64 = 1 << 23;

/// Where a table of symbols and its strings are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SymbolTable {
    /// Where the first record is.
    pub records: FileOffset,
    /// How many records the file really has.
    pub count: u64,
    /// Its names.
    pub strings: Strings,
    /// True for the whole table, `.symtab`; false for what the dynamic linker needs.
    pub complete: bool,
    record_size: u64,
}

/// Where the names of a table are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strings {
    /// Where the first one is.
    pub offset: FileOffset,
    /// How many bytes of names the file really has.
    pub size: u64,
}

/// How strongly a name is bound, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Binding {
    /// Seen in its own object file only.
    Local,
    /// Gives way to a global one.
    Weak,
    /// Seen everywhere.
    Global,
}

/// One symbol of code, as the table has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function {
    /// Where it begins.
    pub address: Svma,
    /// How many bytes it has; 0 when the table does not say, as for labels of assembly.
    pub size: u64,
    /// Where its name is among the strings of the table.
    pub name: u32,
    /// How strongly the name is bound.
    pub binding: Binding,
    /// True when the table calls it a function, false when it is a bare label.
    pub typed: bool,
    /// The number of its section, when it has one.
    pub section: Option<u16>,
}

impl SymbolTable {
    /// Reads the name of a function of this table, without the version that a linker may have put after `@`.
    pub fn name(&self, reader: &impl ReadAt, name: u32) -> Option<Vec<u8>> {
        self.strings.name(reader, name)
    }
}

impl Strings {
    /// Reads the name at a place, without the version that a linker may have put after `@`.
    pub fn name(&self, reader: &impl ReadAt, name: u32) -> Option<Vec<u8>> {
        let offset = u64::from(name);
        let room = usize::try_from(self.size.checked_sub(offset)?).unwrap_or(LONGEST_NAME).min(LONGEST_NAME);
        let mut text = string(reader, self.offset.0.checked_add(offset)?, room)?;
        text.truncate(without_version(&text).len());
        Some(text)
    }

    /// The first bytes of a name, without its version: one read, however long the name is.
    pub fn beginning(&self, reader: &impl ReadAt, name: u32) -> Option<Vec<u8>> {
        let offset = u64::from(name);
        let room = usize::try_from(self.size.checked_sub(offset)?).unwrap_or(LONGEST_BEGINNING);
        let mut text = vec![0; room.min(LONGEST_BEGINNING)];
        let count = reader.read_at(self.offset.0.checked_add(offset)?, &mut text).ok()?;
        text.truncate(text[..count].iter().position(|&letter| letter == 0).unwrap_or(count));
        text.truncate(without_version(&text).len());
        Some(text)
    }
}

/// Where a symbol is looked for by its name, so many pieces of the names are read.
const MOST_NAMES_READ: u64 = 1 << 14;
/// By so many bytes names are compared.
const LONGEST_BEGINNING: usize = 256;

/// Reads many names of one table; those that are near one another in the file cost one read.
#[derive(Debug)]
pub struct Names<R> {
    table: SymbolTable,
    window: Window<R>,
}

impl<R: ReadAt> Names<R> {
    /// A reader of the names of `table`, which keeps one piece of the file.
    pub fn new(table: SymbolTable, reader: R) -> Self {
        Self { table, window: Window::new(reader, WINDOW) }
    }

    /// True where the piece that is kept has the beginning of this name.
    fn holds(&self, name: u32) -> bool {
        self.window.holds(self.table.strings.offset.0.saturating_add(u64::from(name)), 1)
    }

    /// The name at this place among the strings, without its version.
    pub fn get(&mut self, name: u32) -> Option<&[u8]> {
        if u64::from(name) >= self.table.strings.size {
            return None;
        }
        self.window.string(self.table.strings.offset.0.checked_add(u64::from(name))?).map(without_version)
    }
}

impl<R: ReadAt> Elf<R> {
    /// The table that names most functions: `.symtab`, else `.dynsym`, else what the dynamic segment points to in a file
    /// without sections.
    pub fn function_table(&self) -> (Option<SymbolTable>, Vec<Problem>) {
        let mut problems = Vec::new();
        for (kind, complete) in [(SHT_SYMTAB, true), (SHT_DYNSYM, false)] {
            for section in self.sections.iter().filter(|section| section.kind == kind) {
                let Some(strings) = self.sections.get(section.link as usize).filter(|strings| strings.has_bytes())
                else {
                    problems.push(Problem::Malformed { what: "a symbol table", reason: "it has no strings" });
                    continue;
                };
                let record_size = section.record_size;
                if record_size < self.class.symbol_size() || record_size > WINDOW as u64 {
                    problems.push(Problem::RecordSize { what: "a symbol table", size: record_size });
                    continue;
                }
                let count = self.within("the symbol table", section.offset, section.size, &mut problems) / record_size;
                if count > MOST_SYMBOLS {
                    problems.push(Problem::TooMany { what: "the symbol table", count, kept: MOST_SYMBOLS });
                }
                let table = SymbolTable {
                    records: section.offset,
                    count: count.min(MOST_SYMBOLS),
                    strings: Strings {
                        offset: strings.offset,
                        size: self.within("the symbol names", strings.offset, strings.size, &mut problems),
                    },
                    complete,
                    record_size,
                };
                if table.count > 1 {
                    return (Some(table), problems);
                }
            }
        }
        let table = if self.sections.is_empty() { self.dynamic_symbols() } else { None };
        (table, problems)
    }

    /// A table that no section describes.
    pub(crate) fn table_at(&self, records: FileOffset, count: u64, strings: FileOffset, size: u64) -> SymbolTable {
        let record_size = self.class.symbol_size();
        SymbolTable {
            records,
            count: count.min(self.size.saturating_sub(records.0) / record_size).min(MOST_SYMBOLS),
            strings: Strings { offset: strings, size: size.min(self.size.saturating_sub(strings.0)) },
            complete: false,
            record_size,
        }
    }

    /// Shows every symbol of code in the table's order: functions, and labels without a type in sections of code.
    ///
    /// Symbols that are only referred to, and those outside every segment, are left out. A name may be empty.
    pub fn for_each_function(&self, table: &SymbolTable, mut visit: impl FnMut(Function)) {
        self.for_each_symbol(table, |symbol| {
            let typed = matches!(symbol.kind, STT_FUNC | STT_GNU_IFUNC);
            let section = (symbol.section < SHN_LORESERVE).then_some(symbol.section);
            if !typed {
                let in_code =
                    section.and_then(|index| self.sections.get(usize::from(index))).is_some_and(|s| s.is_code());
                if symbol.kind != STT_NOTYPE || !in_code {
                    return;
                }
            }
            visit(Function {
                address: symbol.address,
                size: symbol.size,
                name: symbol.name,
                binding: symbol.binding,
                typed,
                section,
            });
        });
    }

    /// The address of a symbol of any type; every name is read until it is found.
    pub(crate) fn find_symbol(&self, wanted: &[u8]) -> Option<Svma> {
        let (table, _) = self.function_table();
        let table = table?;
        let mut names = Names::new(table, &self.reader);
        let (mut found, mut left) = (None, MOST_NAMES_READ);
        self.for_each_symbol(&table, |symbol| {
            if found.is_some() || left == 0 {
                return;
            }
            // Names in an order of their own cost a read each.
            left -= u64::from(!names.holds(symbol.name));
            if names.get(symbol.name) == Some(wanted) {
                found = Some(symbol.address);
            }
        });
        found
    }

    /// Shows every symbol that is defined here.
    fn for_each_symbol(&self, table: &SymbolTable, mut visit: impl FnMut(Symbol)) {
        let mut window = Window::new(&self.reader, WINDOW);
        let record_size = table.record_size as usize;
        let at_once = WINDOW / record_size;
        let mut done = 0;
        while done < table.count {
            let most = table.count.saturating_sub(done).min(at_once as u64) as usize * record_size;
            let records = window.bytes(table.records.0 + done * table.record_size, most).chunks_exact(record_size);
            if records.len() == 0 {
                return;
            }
            done += records.len() as u64;
            records.map(|record| symbol(self.class, record)).filter(|s| s.section != SHN_UNDEF).for_each(&mut visit);
        }
    }

    /// How much of a range the file has.
    fn within(&self, what: &'static str, offset: FileOffset, size: u64, problems: &mut Vec<Problem>) -> u64 {
        let room = self.size.saturating_sub(offset.0);
        if room < size {
            problems.push(Problem::Truncated { what, offset: offset.0, size });
        }
        room.min(size)
    }
}

struct Symbol {
    name: u32,
    address: Svma,
    size: u64,
    kind: u8,
    binding: Binding,
    section: u16,
}

fn symbol(class: Class, record: &[u8]) -> Symbol {
    let about = record.get(if class.wide { 4 } else { 12 }).copied().unwrap_or(0);
    Symbol {
        name: u32_at(record, 0),
        address: Svma(class.address(record, 4, 8)),
        size: if class.wide { u64_at(record, 16) } else { u64::from(u32_at(record, 8)) },
        kind: about & 0xf,
        binding: match about >> 4 {
            STB_GLOBAL | STB_GNU_UNIQUE => Binding::Global,
            STB_WEAK => Binding::Weak,
            _ => Binding::Local,
        },
        section: u16_at(record, if class.wide { 6 } else { 14 }),
    }
}

/// `memcpy@@GLIBC_2.14` is `memcpy`. A name that begins with `@` is left alone.
fn without_version(name: &[u8]) -> &[u8] {
    match name.iter().position(|&b| b == b'@') {
        Some(at) if at > 0 => &name[..at],
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_not_part_of_a_name() {
        for (name, expect) in [("memcpy@@GLIBC_2.14", "memcpy"), ("f@V1", "f"), ("@x", "@x"), ("f", "f"), ("", "")] {
            assert_eq!(without_version(name.as_bytes()), expect.as_bytes());
        }
    }
}
