//! The DWARF of one file: which unit has which code, and the table of each.

use std::fs::File;
use std::io;

use elf::debug_link::AlternateLink;
use elf::{Elf, ReadAt};

use crate::flatten::flatten;
use crate::functions::Functions;
use crate::head::{Head, Kind};
use crate::index::{self, UnitId};
use crate::lines::Lines;
use crate::names::Names;
use crate::package::Package;
use crate::ranges::Range;
use crate::source::Source;
use crate::table::Builder;
use crate::unit::{Root, Unit};

/// The units of one file have no more ranges of code than this; the code of units after that has no lines.
const MOST_RANGES: usize = 1 << 19;
/// No more units are looked at, with code or without. The largest programs have some hundred thousand.
const MOST_UNITS: usize = 1 << 19;

/// The files that DWARF names beside its own.
pub trait Files<R> {
    /// An empty file that goes when it is closed, for what has to be unpacked.
    fn scratch(&self) -> io::Result<File>;

    /// The file of a path that a compiler wrote down.
    fn split(&self, path: &[u8]) -> Option<R>;

    /// The file with all split units of the program, if there is one.
    fn package(&self) -> Option<R> {
        None
    }

    /// The file that `dwz` made of what several have in common.
    fn alternate(&self, link: &AlternateLink) -> Option<R>;
}

/// The DWARF of one file.
#[derive(Debug)]
pub struct Dwarf<R> {
    main: Source<R>,
    alternate: Option<Source<R>>,
    /// All split units in one file.
    package: Option<Package<R>>,
    /// All code of the file.
    code: Range,
}

impl<R: ReadAt + Clone> Dwarf<R> {
    /// Finds the sections; nothing where the file has no DWARF. `code` is the file whose code is meant, `elf` the
    /// one with the DWARF: the same, or one with what was stripped from it.
    pub fn open<C>(code: &Elf<C>, elf: &Elf<R>, files: &impl Files<R>) -> io::Result<Option<Self>> {
        let main = Source::of(elf, "", &|| files.scratch())?;
        if main.sections.info.is_empty() {
            return Ok(None);
        }
        let alternate = match elf.alternate_link().and_then(|link| files.alternate(&link)).map(Elf::parse) {
            Some(Ok((elf, _))) => Some(Source::of(&elf, "", &|| files.scratch())?),
            _ => None,
        };
        let package = match files.package().map(Elf::parse) {
            Some(Ok((elf, _))) => Package::open(&elf, &|| files.scratch())?,
            _ => None,
        };
        let segments = code.segments().iter().filter(|segment| segment.is_code());
        let start = segments.clone().map(|segment| segment.address.0).min().unwrap_or(0);
        let end = segments.map(|segment| segment.address.0.saturating_add(segment.memory_size)).max().unwrap_or(0);
        Ok(Some(Self { main, alternate, package, code: Range { start, end } }))
    }

    /// Finds out which unit has which code, for [`Index`](crate::Index).
    pub fn index(&self) -> Vec<u8> {
        let (mut units, mut ranges) = (Vec::new(), Vec::new());
        for head in Head::all(&self.main.sections.info).take(MOST_UNITS) {
            if ranges.len() >= MOST_RANGES {
                break;
            }
            if !matches!(head.kind, Kind::Compile | Kind::Skeleton(_)) {
                continue;
            }
            let Some((_, root)) = Unit::open(&self.main, self.alternate.as_ref(), head) else { continue };
            let unit = units.len() as u32;
            let there = |range: &Range| range.start >= self.code.start && range.end <= self.code.end;
            let before = ranges.len();
            let room = MOST_RANGES - before;
            ranges.extend(root.ranges.into_iter().filter(there).map(|range| (range, unit)).take(room));
            if ranges.len() > before {
                units.push(head.offset);
            }
        }
        index::write(&flatten(ranges), &units)
    }

    /// True once the system refused to read something: what was said without it is not all that there is.
    pub fn has_failed(&self) -> bool {
        self.main.sections.have_failed() || self.alternate.as_ref().is_some_and(|other| other.sections.have_failed())
    }

    /// Reads a unit; nothing where it makes no sense.
    pub fn table(&self, unit: UnitId, files: &impl Files<R>) -> Option<UnitTable> {
        let head = Head::read(&self.main.sections.info, unit.0)?;
        let (unit, root) = Unit::open(&self.main, self.alternate.as_ref(), head)?;
        let folder = root.folder.as_deref().unwrap_or_default();
        let lines = root.lines.and_then(|offset| Lines::read(&unit, offset, folder, self.code)).unwrap_or_default();
        let packed = root.split.as_ref().zip(self.package.as_ref()).and_then(|((_, id), package)| package.unit(*id));
        let beside = packed.or_else(|| split(&root, files));
        let other = beside.as_ref().and_then(|source| {
            let id = root.split.as_ref()?.1;
            Head::all(&source.sections.info).find_map(|head| match head.kind {
                Kind::Split(its) if its == id => unit.open_split(source, head, None),
                Kind::Compile => unit.open_split(source, head, Some(id)),
                _ => None,
            })
        });
        let bytes = build(other.as_ref().unwrap_or(&unit), &lines, self.code);
        let found = root.split.is_none() || other.is_some();
        let failed = self.has_failed() || beside.as_ref().is_some_and(|source| source.sections.have_failed());
        Some(UnitTable { bytes, whole: found && !failed })
    }
}

/// What was read of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitTable {
    /// For [`Table`](crate::Table).
    pub bytes: Vec<u8>,
    /// Whether that is all: the other file that it is split over may have been out of reach.
    pub whole: bool,
}

/// The file that has the rest of a unit.
fn split<R: ReadAt + Clone>(root: &Root, files: &impl Files<R>) -> Option<Source<R>> {
    let (name, _) = root.split.as_ref()?;
    let mut path = Vec::new();
    if !name.starts_with(b"/") {
        path.extend_from_slice(root.folder.as_deref()?);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    let (elf, _) = Elf::parse(files.split(&path)?).ok()?;
    Source::of(&elf, ".dwo", &|| files.scratch()).ok()
}

fn build<R: ReadAt + Clone>(unit: &Unit<'_, R>, lines: &Lines, code: Range) -> Vec<u8> {
    let functions = Functions::read(unit, unit.entries(), code);
    let mut names = Names::new(&functions.scopes);
    let mut builder = Builder::default();
    builder.files(&lines.files);
    for node in &functions.nodes {
        let name = names.get(unit, node.entry).unwrap_or_default();
        builder.node(node.parent, &name, node.file, node.line);
    }
    builder.finish(&flatten(functions.ranges), &lines.rows)
}
