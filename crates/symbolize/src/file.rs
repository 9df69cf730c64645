//! The names in one ELF file, looked up by place in the file.

use cache::Bytes;
use elf::{BuildId, Elf, FileOffset, GoInlines, ParseError, Pclntab, Problem, ReadAt, Svma, SymbolTable};

use crate::kept::{self, Code, Kept};
use crate::source::Call;
use crate::table::Table;

/// The functions of one file. The file stays open: names are read from it when they are asked for.
#[derive(Debug)]
pub struct Symbols<R> {
    reader: R,
    /// The file beside it that has its names.
    names: Option<R>,
    code: Box<[Code]>,
    table: Option<Table>,
    go: Option<Pclntab>,
    go_inlines: Option<GoInlines>,
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
        Self::open_with(reader, None)
    }

    /// The same, with the names that were stripped from the file, which `debug` has: distributions put them into a file of
    /// their own. One with another build id is not used.
    pub fn open_with(reader: R, debug: Option<R>) -> Result<(Self, Vec<Problem>), ParseError> {
        let (elf, mut problems) = Elf::parse(reader)?;
        let (go, more) = Pclntab::find(&elf);
        problems.extend(more);
        let go_inlines = go.as_ref().and_then(|go| GoInlines::find(&elf, go));
        let (mut source, more) = elf.function_table();
        problems.extend(more);
        let mut names = None;
        if let Some((beside, complete)) = debug.and_then(|file| stripped_names(file, elf.build_id())) {
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
        let names = names.map(Elf::into_reader);
        let symbols = Self { code, table, go, go_inlines, reader: elf.into_reader(), names };
        Ok((symbols, problems))
    }

    /// The names of a file that were read before, from what was kept of them. `debug` is as it was then.
    pub fn restore(reader: R, debug: Option<R>, kept: &Kept) -> Option<Self>
    where
        R: Clone,
    {
        let head = kept.head().filter(|_| !kept.is_damaged())?;
        let (mut go, mut go_inlines) = (None, None);
        if head.go() {
            let elf = Elf::parse(reader.clone()).ok()?.0;
            go = Pclntab::find(&elf).0;
            go_inlines = go.as_ref().and_then(|go| GoInlines::find(&elf, go));
        }
        let table = kept.part(kept::FUNCTIONS).and_then(Table::restore);
        let names = debug.filter(|_| head.names_beside());
        Some(Self { reader, names, code: head.code(), table, go, go_inlines })
    }

    /// What is to be kept.
    pub fn keep(&self) -> Vec<(u64, Bytes)> {
        let head = kept::head(self.names.is_some(), self.go.is_some(), &self.code);
        let table = self.table.as_ref().map(|table| (kept::FUNCTIONS, table.bytes().clone()));
        std::iter::once((kept::HEAD, head)).chain(table).collect()
    }

    /// Goes on with what was kept of it.
    pub fn use_kept(&mut self, kept: &Kept) {
        if let Some(table) = kept.part(kept::FUNCTIONS).and_then(Table::restore) {
            self.table = Some(table);
        }
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

    /// What Go's compiler put in line at a byte of the file, the innermost first, and the function that has it; nothing where
    /// nothing was.
    pub fn go_calls(&self, offset: FileOffset) -> Vec<Call> {
        let calls = self.go.as_ref().zip(self.go_inlines.as_ref()).zip(self.svma(offset));
        let calls = calls.map(|((go, inlines), pc)| go.calls(&self.reader, inlines, pc)).unwrap_or_default();
        let call = |call: elf::GoCall| Call { function: call.name, file: call.file, line: call.line };
        if calls.len() > 1 { calls.into_iter().map(call).collect() } else { Vec::new() }
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

/// The whole table of a file of names, if it is not one of another build.
fn stripped_names<R: ReadAt>(file: R, id: Option<BuildId>) -> Option<(Elf<R>, SymbolTable)> {
    let (elf, _) = Elf::parse(file).ok()?;
    let source = elf.function_table().0.filter(|source| source.complete)?;
    let same = elf.build_id().is_none_or(|its| id.is_none_or(|id| its == id));
    same.then_some((elf, source))
}
