//! The names in one ELF file, looked up by place in the file.

use cache::Bytes;
use elf::{BuildId, Elf, FileOffset, ParseError, Pclntab, Problem, ReadAt, Svma, SymbolTable};

use crate::kept::{self, Code, Kept};
use crate::table::Table;

/// The functions of one file. The file stays open: names are read from it when they are asked for.
#[derive(Debug)]
pub struct Symbols<R> {
    reader: R,
    /// The file beside it that has its names.
    names: Option<R>,
    code: Box<[Code]>,
    table: Option<Table>,
    /// The file has a whole table of its own.
    whole: bool,
    go: Option<Pclntab>,
}

/// What a byte of code belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name as the file has it, mangled.
    pub name: String,
    /// Where in the file the function begins.
    pub start: FileOffset,
    /// The source file, where the table of names knows it (Go).
    pub file: Option<String>,
    /// The line of the byte, where the table of names knows it (Go).
    pub line: Option<u32>,
}

impl<R: ReadAt> Symbols<R> {
    /// Parses a file and reads its functions. The file may be the bytes of a vDSO.
    pub fn open(reader: R) -> Result<(Self, Vec<Problem>), ParseError> {
        Self::open_with(reader, |_| None)
    }

    /// The same, with the names that were stripped from the file where `debug` finds them by build id: distributions put them
    /// into a file of their own.
    pub fn open_with(reader: R, debug: impl FnOnce(&BuildId) -> Option<R>) -> Result<(Self, Vec<Problem>), ParseError> {
        let (elf, mut problems) = Elf::parse(reader)?;
        let (go, more) = Pclntab::find(&elf);
        problems.extend(more);
        let (mut source, more) = elf.function_table();
        problems.extend(more);
        let mut names = None;
        let whole = source.as_ref().is_some_and(|source| source.complete);
        if !whole
            && let Some(id) = elf.build_id()
            && let Some((beside, complete)) = debug(&id).and_then(|file| stripped_names(file, &id))
        {
            (source, names) = (Some(complete), Some(beside));
        }
        // In Go's text its own table knows more: a C linker leaves one symbol for all of it.
        let in_go = |address: Svma| go.as_ref().is_some_and(|go| address >= go.range().0 && address < go.range().1);
        let table = source.map(|source| {
            let (table, too_far) = Table::build(&elf, names.as_ref().unwrap_or(&elf), source, in_go);
            if too_far > 0 {
                let reason = "functions more than 4 GiB behind the first code were left out";
                problems.push(Problem::Malformed { what: "the symbol table", reason });
            }
            table
        });
        let table = table.filter(|table| table.len() > 0);
        let code = Code::of(&elf).into();
        let symbols = Self { code, table, whole, go, reader: elf.into_reader(), names: names.map(Elf::into_reader) };
        Ok((symbols, problems))
    }

    /// The names of a file that were read before, from what was kept of them. `beside` is the file that the names
    /// were in, if that was another one.
    pub fn restore(reader: R, beside: Option<R>, kept: &Kept) -> Option<Self>
    where
        R: Clone,
    {
        let head = kept.head().filter(|_| !kept.is_damaged())?;
        let go = head.go().then(|| Pclntab::find(&Elf::parse(reader.clone()).ok()?.0).0).flatten();
        let table = kept.part(kept::FUNCTIONS).and_then(Table::restore);
        let names = if head.whole() { None } else { beside };
        Some(Self { reader, names, code: head.code(), table, whole: head.whole(), go })
    }

    /// What is to be kept, with the identity of the file beside it, 0 if there is none.
    pub fn keep(&self, beside: u64) -> Vec<(u64, Bytes)> {
        let head = kept::head(self.whole, self.go.is_some(), beside, &self.code);
        let table = self.table.as_ref().map(|table| (kept::FUNCTIONS, table.bytes().clone()));
        std::iter::once((kept::HEAD, head)).chain(table).collect()
    }

    /// Goes on with what was kept of it.
    pub fn use_kept(&mut self, kept: &Kept) {
        if let Some(table) = kept.part(kept::FUNCTIONS).and_then(Table::restore) {
            self.table = Some(table);
        }
    }

    /// True when the file has a whole table of its own: another one beside it is not asked for names.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The function that has this byte of the file.
    pub fn lookup(&self, offset: FileOffset) -> Option<Symbol> {
        self.lookup_go(offset).or_else(|| {
            let (name, start) = self.table.as_ref()?.lookup(self.names.as_ref().unwrap_or(&self.reader), offset)?;
            Some(Symbol { name: String::from_utf8_lossy(&name).into_owned(), start, file: None, line: None })
        })
    }

    /// Where the function starts that has this byte of the file, if that is all that [`lookup`](Self::lookup) knows of the byte
    /// beside the function's name; not for Go, where it knows a line. Nothing is read from the file.
    pub fn start(&self, offset: FileOffset) -> Option<FileOffset> {
        let in_go = |go: &Pclntab| {
            let (start, end) = go.range();
            self.svma(offset).is_some_and(|pc| (start..end).contains(&pc))
        };
        if self.go.as_ref().is_some_and(in_go) {
            return None;
        }
        self.table.as_ref()?.start(offset)
    }

    fn lookup_go(&self, offset: FileOffset) -> Option<Symbol> {
        let pc = self.svma(offset)?;
        let found = self.go.as_ref()?.lookup(&self.reader, pc)?;
        let start = FileOffset(offset.0.checked_sub(pc.0.checked_sub(found.start.0)?)?);
        Some(Symbol { name: found.name, start, file: found.file, line: found.line })
    }

    /// The file, and the one beside it that has its names.
    pub fn readers(&self) -> (&R, Option<&R>) {
        (&self.reader, self.names.as_ref())
    }

    /// The address of a byte of code as the file states it.
    pub fn svma(&self, offset: FileOffset) -> Option<Svma> {
        self.code.iter().find_map(|code| code.address_of(offset))
    }

    /// True when Go made the file.
    pub fn is_go(&self) -> bool {
        self.go.is_some()
    }

    /// How many functions are in the table of names; Go's own table is not counted.
    pub fn len(&self) -> usize {
        self.table.as_ref().map_or(0, Table::len)
    }

    /// True when no name can be found here.
    pub fn is_empty(&self) -> bool {
        self.table.is_none() && self.go.is_none()
    }

    /// What it takes of the heap, for the budget.
    pub fn heap_bytes(&self) -> usize {
        self.table.as_ref().map_or(0, Table::heap_bytes) + size_of_val(&*self.code)
    }
}

/// The whole table of a file of names, if it is the one of this build.
fn stripped_names<R: ReadAt>(file: R, id: &BuildId) -> Option<(Elf<R>, SymbolTable)> {
    let (elf, _) = Elf::parse(file).ok()?;
    let source = elf.function_table().0.filter(|source| source.complete)?;
    (elf.build_id().as_ref() == Some(id)).then_some((elf, source))
}
