//! The tables of symbols that are open, by file, and what is kept of them on disk.
//!
//! What a file says about its names is read once, kept under its build id (or, where it has none, under its identity), and mapped
//! from there the next time: after it made room for others, in the next run, by the agent beside.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache::{Bytes, Cache as Disk, Limits};
use elf::{FileOffset, ReadAt as _, Svma};
use symbolize::{Call, Kept, Known, Sources, Symbol, Symbols};

use super::super::files::SeenFile;
use crate::beside::Beside;
use crate::cache::{Cache, CacheLimits, Lru};
use crate::program_file::ProgramFile;
use crate::symbol_cache::{SymbolCache, SymbolCounts};

/// What was read since is kept no more often than this.
const KEEP_EVERY: Duration = Duration::from_secs(60);
/// Bytes at each end of a file by which it is told from others of its build id and size.
const ENDS: usize = 4096;

/// What is known of one file's names.
pub(super) struct Opened {
    /// Nothing where the file has no names.
    symbols: Option<Symbols<Arc<ProgramFile>>>,
    sources: Option<Sources<Arc<ProgramFile>>>,
    kept: Option<Kept>,
    /// The file in the cache; nothing for one that is not kept.
    key: Option<String>,
    /// The files that all this is read from. What one of them did not answer for is missing, and so nothing is kept.
    read: Vec<Arc<ProgramFile>>,
    /// When it was last kept; nothing for one that was not yet.
    kept_at: Option<Instant>,
}

/// The open tables.
pub(super) struct Tables {
    /// Those of files that have a build id, and of others.
    open: [Lru<u64, Opened>; 2],
    disk: Option<Disk>,
    counts: SymbolCounts,
    /// Keeping failed, and somebody was told.
    failed: bool,
}

impl Default for Tables {
    fn default() -> Self {
        Self::new(SymbolCounts::default(), CacheLimits::default())
    }
}

impl Tables {
    pub(super) fn new(counts: SymbolCounts, limits: CacheLimits) -> Self {
        let open = [Cache::BuildId, Cache::SameFile].map(|cache| Lru::new(cache, limits.clone()));
        Self { open, disk: None, counts, failed: false }
    }

    /// Keeps tables in another folder from now on, or nowhere.
    pub(super) fn keep_in(&mut self, place: Option<&SymbolCache>) {
        self.keep_all();
        self.failed = false;
        self.disk = place.and_then(|place| {
            let limits = Limits { bytes: place.bytes, files: place.files };
            let disk = Disk::open(&place.folder, limits, self.counts.disk.clone());
            disk.map_err(|error| tracing::warn!(err = error_chain(&error), "tables of symbols are not kept on disk"))
                .ok()
        });
        self.open.iter_mut().for_each(Lru::clear);
    }

    /// The tables of a file.
    pub(super) fn open(&mut self, number: u64, file: &SeenFile) -> &mut Opened {
        let which = usize::from(file.build_id.is_empty());
        if self.open[which].get(&number).is_none() {
            let opened = Opened::new(file, self.disk.as_ref());
            for (_, mut gone) in self.open[which].insert(number, opened) {
                self.keep(&mut gone);
            }
        }
        self.open[which].peek_mut(&number).expect("it was used last, and one is always held")
    }

    /// Closes those of a file if what was kept of them was changed by others, which shows when it is used: what they said is not to be
    /// believed, and what is kept is to be compared with its checksums again. True if so.
    pub(super) fn drop_changed(&mut self, number: u64) -> bool {
        let changed = |open: &mut Lru<u64, Opened>| open.peek(&number).is_some_and(Opened::has_changed);
        let Some(gone) =
            self.open.iter_mut().find_map(|open| changed(open).then_some(open)).and_then(|open| open.remove(&number))
        else {
            return false;
        };
        let lost = gone.kept.as_ref().is_some_and(Kept::has_lost);
        if let Some((disk, key)) = self.disk.as_ref().zip(gone.key).filter(|_| lost) {
            disk.forget(&key);
        }
        true
    }

    /// Closes those of a file.
    pub(super) fn close(&mut self, number: u64) {
        let opened = self.open.iter_mut().find_map(|open| open.remove(&number));
        if let Some(mut opened) = opened {
            self.keep(&mut opened);
        }
    }

    /// What those that are open take of memory.
    pub(super) fn bytes(&self) -> usize {
        self.open.iter().flat_map(Lru::values).map(Opened::bytes).sum()
    }

    /// Closes those that were not asked for longest, until the rest is small enough.
    pub(super) fn trim(&mut self, most: usize) {
        let mut total = self.bytes();
        while total > most {
            let Some((_, mut opened)) = self.open.iter_mut().find_map(Lru::pop_last) else { return };
            total -= opened.bytes();
            self.keep(&mut opened);
        }
    }

    /// Keeps what is new and was not kept lately.
    pub(super) fn keep_new(&mut self) {
        self.keep_those(|opened| opened.kept_at.is_none_or(|at| at.elapsed() > KEEP_EVERY));
    }

    /// Keeps all that is new.
    pub(super) fn keep_all(&mut self) {
        self.keep_those(|_| true);
    }

    fn keep_those(&mut self, which: impl Fn(&Opened) -> bool) {
        let Self { open, disk, failed, .. } = self;
        for opened in open.iter_mut().flat_map(Lru::values_mut).filter(|opened| which(opened)) {
            keep(disk.as_mut(), opened, failed);
        }
    }

    fn keep(&mut self, opened: &mut Opened) {
        keep(self.disk.as_mut(), opened, &mut self.failed);
    }
}

/// Keeps what is new of a file's tables.
fn keep(disk: Option<&mut Disk>, opened: &mut Opened, failed: &mut bool) {
    let Some((disk, key)) = disk.zip(opened.key.clone()).filter(|_| opened.is_new()) else { return };
    opened.kept_at = Some(Instant::now());
    match disk.put(&key, &opened.parts()) {
        Ok(pack) => {
            *failed = false;
            opened.use_kept(Kept::new(pack));
        }
        Err(error) if !*failed => {
            *failed = true;
            let folder = disk.folder().display();
            tracing::warn!(%folder, %error, "a table of symbols was not kept on disk; names are as before");
        }
        Err(_) => {}
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    if let Some(source) = error.source() {
        text = format!("{text}: {source}");
    }
    text
}

impl Opened {
    fn new(file: &SeenFile, disk: Option<&Disk>) -> Self {
        let nothing = Self { symbols: None, sources: None, kept: None, key: None, read: Vec::new(), kept_at: None };
        let Some(handle) = &file.handle else { return nothing };
        let Beside { debug, alternate, package, .. } = &file.beside;
        let read = [Some(handle), debug.as_ref(), alternate.as_ref(), package.as_ref()];
        let read = read.into_iter().flatten().cloned().collect();
        // Small differences between files of one build id, as when one was stripped, must not be mixed up.
        let key = disk.and_then(|_| key(handle, &file.build_id, &file.beside).ok());
        if let Some(opened) = disk.zip(key.as_ref()).and_then(|(disk, key)| Self::restore(file, handle, disk, key)) {
            return Self { read, ..opened };
        }
        let mut opened = Self { key, read, ..nothing };
        match Symbols::open_with(Arc::clone(handle), file.beside.debug.clone()) {
            Ok((symbols, problems)) => {
                for problem in problems {
                    tracing::debug!(file = &*file.name, %problem, "symbols are incomplete");
                }
                let (code, beside) = symbols.readers();
                opened.sources = Sources::open(code, beside, &file.beside).unwrap_or_else(|error| {
                    tracing::debug!(file = &*file.name, %error, "debug information could not be read this time");
                    // Others are not to take it for a file that has none.
                    opened.key = None;
                    None
                });
                opened.symbols = Some(symbols);
            }
            Err(error) => tracing::debug!(file = &*file.name, %error, "no symbols"),
        }
        opened
    }

    /// From what is kept, if that is still all there is.
    fn restore(file: &SeenFile, handle: &Arc<ProgramFile>, disk: &Disk, key: &str) -> Option<Self> {
        let kept = Kept::new(disk.get(key)?);
        let symbols = Symbols::restore(Arc::clone(handle), file.beside.debug.clone(), &kept)?;
        let (code, beside) = symbols.readers();
        let sources = Sources::restore(code, beside, &kept);
        Some(Self {
            sources,
            symbols: Some(symbols),
            kept: Some(kept),
            key: Some(key.to_owned()),
            read: Vec::new(),
            kept_at: Some(Instant::now()),
        })
    }

    /// The function at a place.
    pub(super) fn symbol(&self, offset: FileOffset) -> Option<Symbol> {
        self.symbols.as_ref()?.lookup(offset)
    }

    /// Where that function starts, if nothing else is to be had of the place.
    pub(super) fn start(&self, offset: FileOffset) -> Option<FileOffset> {
        if self.sources.is_some() { None } else { self.symbols.as_ref()?.start(offset) }
    }

    /// What Go's compiler put in line at a place, as [`Symbols::go_calls`] says.
    pub(super) fn go_calls(&self, offset: FileOffset) -> Vec<Call> {
        self.symbols.as_ref().map(|symbols| symbols.go_calls(offset)).unwrap_or_default()
    }

    /// What the debug information says; nothing where there is none.
    pub(super) fn calls(&mut self, offset: FileOffset, beside: &Beside, may_read: bool) -> Option<Known> {
        let address: Svma = self.symbols.as_ref()?.svma(offset)?;
        Some(self.sources.as_mut()?.lookup(address, beside, self.kept.as_ref(), may_read))
    }

    /// True when not all of it is kept, also of a file without names: that too is worth knowing the next time.
    fn is_new(&self) -> bool {
        let whole = !self.has_changed() && !self.read.iter().any(|file| file.is_silent());
        whole
            && self.symbols.is_some()
            && (self.kept.is_none() || self.sources.as_ref().is_some_and(Sources::has_fresh))
    }

    /// True once what is kept was changed by others.
    fn has_changed(&self) -> bool {
        self.kept.as_ref().is_some_and(Kept::has_changed)
    }

    fn parts(&self) -> Vec<(u64, Bytes)> {
        let mut parts = self.kept.as_ref().map(Kept::parts).unwrap_or_default();
        let symbols = self.symbols.as_ref().map(|symbols| symbols.keep());
        let sources = self.sources.as_ref().map(Sources::keep);
        parts.extend(symbols.into_iter().chain(sources).flatten());
        // Of two with one number the later is the newer.
        parts.reverse();
        parts.sort_by_key(|(number, _)| *number);
        parts.dedup_by_key(|(number, _)| *number);
        parts
    }

    /// Goes on with the bytes that are kept instead of those on the heap.
    fn use_kept(&mut self, kept: Kept) {
        if let Some(symbols) = &mut self.symbols {
            symbols.use_kept(&kept);
        }
        if let Some(sources) = &mut self.sources {
            sources.use_kept(&kept);
        }
        self.kept = Some(kept);
    }

    fn bytes(&self) -> usize {
        self.symbols.as_ref().map_or(0, Symbols::heap_bytes)
            + self.sources.as_ref().map_or(0, Sources::heap_bytes)
            + self.kept.as_ref().map_or(0, Kept::bytes)
    }
}

/// Under which name a file's tables are kept.
fn key(file: &ProgramFile, build_id: &str, beside: &Beside) -> io::Result<String> {
    let metadata = file.metadata()?;
    let plain = |letter: u8| letter.is_ascii_alphanumeric();
    let whose = if build_id.is_empty() {
        let numbers = [metadata.dev(), metadata.ino(), metadata.ctime() as u64, metadata.ctime_nsec() as u64];
        numbers.map(|number| format!("{number:x}")).join("-")
    } else if build_id.len() <= 64 && build_id.bytes().all(plain) {
        build_id.to_owned()
    } else {
        format!("{:016x}", cache::digest(build_id.as_bytes()))
    };
    let key = format!("{whose}-{:x}-{:016x}", metadata.size(), ends(file)?);
    let others = [&beside.debug, &beside.alternate, &beside.package].map(|file| file.as_deref().map(ends));
    if others.iter().all(Option::is_none) {
        return Ok(key);
    }
    let mut numbers = [0_u64; 3];
    for (number, other) in numbers.iter_mut().zip(others) {
        *number = other.transpose()?.unwrap_or(0);
    }
    Ok(format!("{key}-{:016x}", cache::digest(numbers.map(u64::to_le_bytes).as_flattened())))
}

/// A digest of a file's size and of both of its ends.
fn ends(file: &ProgramFile) -> io::Result<u64> {
    let size = file.size()?;
    let mut bytes = vec![0; ENDS * 2];
    let head = file.read_at(0, &mut bytes[..ENDS])?;
    let tail = file.read_at(size.saturating_sub(ENDS as u64), &mut bytes[head..head + ENDS])?;
    bytes.truncate(head + tail);
    bytes.extend_from_slice(&size.to_le_bytes());
    Ok(cache::digest(&bytes))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::super::Names;
    use super::*;
    use crate::cache::CacheSizes;

    const SOURCE: &str = "
        #include <stdlib.h>
        static inline __attribute__((always_inline)) int inner(int value) {
            return value * rand();
        }
        __attribute__((noinline)) int outer(int value) {
            return inner(value) + inner(value + 1);
        }
        int main(int argc, char **argv) {
            return outer(argc);
        }";

    struct Place {
        folder: tempfile::TempDir,
        cache: SymbolCache,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let cache = SymbolCache { folder: folder.path().join("symbols"), bytes: 1 << 24, files: 100 };
            Self { folder, cache }
        }

        fn tables(&self) -> (Tables, SymbolCounts) {
            let counts = SymbolCounts::default();
            let mut tables = Tables::new(counts.clone(), CacheLimits::default());
            tables.keep_in(Some(&self.cache));
            (tables, counts)
        }

        fn program(&self, name: &str, arguments: &[&str]) -> PathBuf {
            let (source, program) = (self.folder.path().join("source.c"), self.folder.path().join(name));
            std::fs::write(&source, SOURCE).unwrap();
            let status = Command::new("cc").args(arguments).arg("-o").args([&program, &source]).status();
            assert!(status.unwrap().success());
            program
        }

        fn kept(&self) -> usize {
            std::fs::read_dir(&self.cache.folder).unwrap().count()
        }
    }

    fn seen(path: &Path) -> SeenFile {
        let file = std::fs::File::open(path).unwrap();
        let build_id = elf::Elf::parse(&file).unwrap().0.build_id().map_or_else(String::new, |id| id.to_string());
        SeenFile {
            name: "program".into(),
            build_id: build_id.into(),
            handle: Some(Arc::new(file.into())),
            segments: Vec::new(),
            beside: Beside::default(),
        }
    }

    fn text(file: &SeenFile) -> std::ops::Range<u64> {
        let elf = elf::Elf::parse(file.handle.clone().unwrap()).unwrap().0;
        let text = elf.section(".text").unwrap();
        text.offset.0..text.offset.0 + text.size
    }

    /// What is known of each place of the program's code.
    fn all(tables: &mut Tables, file: &SeenFile) -> Vec<(Option<Symbol>, Option<Known>)> {
        let mut known = Vec::new();
        for offset in text(file).map(FileOffset) {
            let opened = tables.open(0, file);
            known.push((opened.symbol(offset), opened.calls(offset, &file.beside, true)));
        }
        known
    }

    #[test]
    fn what_is_kept_says_what_the_file_says() {
        for arguments in [&["-g", "-O2"][..], &["-O2"], &["-g", "-O2", "-Wl,--build-id=none"], &["-O2", "-s"]] {
            let place = Place::new();
            let file = seen(&place.program("program", arguments));
            let (mut tables, counts) = place.tables();
            let first = all(&mut tables, &file);
            tables.keep_new();
            assert_eq!((place.kept(), counts.disk.found(), counts.disk.missing()), (1, 0, 1), "{arguments:?}");
            assert_eq!(all(&mut tables, &file), first, "mapped in place of the heap");
            tables.close(0);
            assert_eq!(all(&mut tables, &file), first, "mapped again");
            let (mut tables, counts) = place.tables();
            assert_eq!(all(&mut tables, &file), first, "by another agent");
            assert_eq!((counts.disk.found(), counts.disk.missing()), (1, 0));
            assert!(first.iter().any(|(symbol, _)| symbol.is_some()) || arguments.contains(&"-s"));
        }
    }

    #[test]
    fn units_that_are_read_later_are_kept_too() {
        let place = Place::new();
        let file = seen(&place.program("program", &["-g", "-O2"]));
        let (mut tables, _) = place.tables();
        let offset = FileOffset(text(&file).start);
        assert!(matches!(
            tables.open(0, &file).calls(offset, &file.beside, false),
            Some(Known::Unread | Known::Calls(_))
        ));
        tables.keep_new();
        let expect = all(&mut tables, &file);
        tables.keep_all();
        let (mut tables, _) = place.tables();
        let known: Vec<_> =
            text(&file).map(|at| tables.open(0, &file).calls(FileOffset(at), &file.beside, false)).collect();
        assert_eq!(known, expect.into_iter().map(|(_, calls)| calls).collect::<Vec<_>>());
    }

    #[test]
    fn a_unit_without_its_other_file_is_not_kept() {
        let place = Place::new();
        let file = seen(&place.program("program", &["-g", "-O2", "-gsplit-dwarf"]));
        let files = std::fs::read_dir(&place.folder).unwrap().map(|entry| entry.unwrap().path());
        let unit = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "dwo")).unwrap();
        let away = unit.with_extension("away");
        let inlined = |tables: &mut Tables| {
            let known = all(tables, &file).into_iter().filter_map(|(_, known)| known);
            known.filter(|known| matches!(known, Known::Calls(calls) if calls.len() > 1)).count()
        };
        std::fs::rename(&unit, &away).unwrap();
        let (mut tables, _) = place.tables();
        assert_eq!(inlined(&mut tables), 0);
        tables.keep_all();
        std::fs::rename(&away, &unit).unwrap();
        assert_eq!(inlined(&mut tables), 0, "it is read once");
        let (mut tables, counts) = place.tables();
        assert_ne!(inlined(&mut tables), 0);
        assert_eq!(counts.disk.found(), 1, "what else was kept is used");
    }

    #[test]
    fn a_file_that_was_stripped_does_not_get_the_tables_of_one_that_was_not() {
        let place = Place::new();
        let whole = place.program("program", &["-O2", "-Wl,--build-id=0x1234567890abcdef"]);
        let stripped = place.folder.path().join("stripped");
        assert!(Command::new("strip").arg("-o").args([&stripped, &whole]).status().unwrap().success());
        let (whole, stripped) = (seen(&whole), seen(&stripped));
        assert_eq!(whole.build_id, stripped.build_id);
        let (mut tables, _) = place.tables();
        let names = all(&mut tables, &whole);
        tables.close(0);
        let fewer = all(&mut tables, &stripped);
        assert!(names.iter().flat_map(|(symbol, _)| symbol).any(|symbol| symbol.name == "outer"));
        assert!(fewer.iter().flat_map(|(symbol, _)| symbol).all(|symbol| symbol.name != "outer"));
    }

    #[test]
    fn damage_and_removal_cost_another_reading_and_nothing_else() {
        let place = Place::new();
        let file = seen(&place.program("program", &["-g", "-O2"]));
        let (mut tables, _) = place.tables();
        let expect = all(&mut tables, &file);
        tables.keep_all();
        let path = std::fs::read_dir(&place.cache.folder).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(31) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            _ = std::fs::remove_file(&path);
            std::fs::write(&path, bytes).unwrap();
            let (mut tables, _) = place.tables();
            assert_eq!(all(&mut tables, &file), expect, "byte {at}");
        }
        std::fs::remove_dir_all(&place.cache.folder).unwrap();
        tables.close(0);
        assert_eq!(all(&mut tables, &file), expect);
        tables.keep_all();
        tables.close(0);
        assert_eq!(all(&mut tables, &file), expect, "there is no folder to keep it in");
    }

    #[test]
    fn a_table_that_is_cut_while_it_is_in_use_costs_another_reading_and_nothing_else() {
        let place = Place::new();
        let file = seen(&place.program("program", &["-g", "-O2"]));
        let counts = SymbolCounts::default();
        let mut names = Names::new(counts.clone(), CacheLimits::default());
        names.keep_in(Some(&place.cache));
        let all = |names: &mut Names| {
            names.begin();
            let found = text(&file).map(|at| names.file(0, &file, at));
            found.map(|found| found.map(|found| (found.name, found.line, found.inlined.len()))).collect::<Vec<_>>()
        };
        let expect = all(&mut names);
        assert!(expect.iter().flatten().any(|(name, _, inlined)| &**name == "outer" && *inlined == 1));
        names.keep_all();
        assert_eq!(all(&mut names), expect, "mapped");
        let path = std::fs::read_dir(&place.cache.folder).unwrap().next().unwrap().unwrap().path();
        for length in [0, 100, 1000] {
            std::fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
            assert_eq!(all(&mut names), expect, "cut to {length} bytes");
            names.keep_all();
            assert_eq!(place.kept(), 1, "and kept again");
        }
    }

    #[test]
    fn no_more_are_open_than_the_arguments_say() {
        let place = Place::new();
        let file = seen(&place.program("program", &["-g", "-O2"]));
        let limits = CacheLimits::default();
        limits.set(CacheSizes([1, 2, 1, 1]));
        let mut tables = Tables::new(SymbolCounts::default(), limits.clone());
        tables.keep_in(Some(&place.cache));
        let offset = FileOffset(text(&file).start);
        for number in [0, 1, 2, 0] {
            assert!(tables.open(number, &file).symbol(offset).is_some());
        }
        assert_eq!((limits.misses(Cache::BuildId), limits.evictions(Cache::BuildId)), (4, 2));
        assert_eq!(tables.open.iter().map(Lru::len).collect::<Vec<_>>(), [2, 0]);
    }
}
