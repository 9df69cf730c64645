//! Looks for debug files in the folders where distributions and debuggers expect them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use elf::{BuildId, Elf, ReadAt};
use inspect::{Identity, Proc};
use symbolize::mini;

use super::Beside;
use crate::files::FileCounts;
use crate::program_file::ProgramFile;

/// Where packages of debug files put them.
const FOLDER: &str = "/usr/lib/debug";

/// What is left to be done for a program whose debug file was not found at once.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) tgid: u32,
    pub(crate) path: PathBuf,
    /// Files of the name that the program links to; the right one has this checksum.
    pub(crate) linked: Vec<(PathBuf, Arc<ProgramFile>)>,
    pub(crate) checksum: u32,
    /// Whether it has names of its own that have to be unpacked.
    pub(crate) packed: bool,
    /// Its build id in hexadecimal, if a server may have its debug information.
    pub(crate) build_id: Option<String>,
}

/// The processes in whose roots files are looked for: the program's own, then this one.
pub(crate) fn roots(tgid: u32) -> impl Iterator<Item = u32> {
    [tgid, std::process::id()].into_iter()
}

/// One look for the files of one program.
pub(crate) struct Search<'p> {
    pub(crate) proc: &'p mut Proc,
    pub(crate) tgid: u32,
    /// The program, as its process names it.
    pub(crate) path: &'p Path,
    pub(crate) counts: &'p FileCounts,
}

impl Search<'_> {
    /// What is there at once, and what is left to be done where the debug file is not.
    pub(crate) fn find(&mut self, elf: &Elf<&ProgramFile>, own: Identity) -> (Beside, Option<Left>) {
        let named = elf.function_table().0.is_some_and(|table| table.complete);
        let told = elf.section(".debug_info").is_some();
        if named && told {
            return (self.complete(elf, self.path), None);
        }
        let build_id = gnu(elf.build_id());
        let by_id = build_id.as_deref().and_then(|id| self.by_id(id));
        let mut linked = Vec::new();
        let link = elf.debug_link().filter(|_| by_id.is_none());
        let by_link = link.as_ref().and_then(|link| self.linked(&link.name, &elf.build_id(), own, &mut linked));
        if let Some((path, file)) = by_id.or(by_link) {
            return (self.with_debug(&path, file), None);
        }
        let packed = !named && mini::is_in(elf);
        let build_id = build_id.filter(|_| !told);
        if linked.is_empty() && !packed && build_id.is_none() {
            return (self.complete(elf, self.path), None);
        }
        let left = Left {
            tgid: self.tgid,
            path: self.path.to_owned(),
            linked,
            checksum: link.map_or(0, |link| link.checksum),
            packed,
            build_id,
        };
        (self.complete(elf, self.path), Some(left))
    }

    /// A debug file with what belongs to it.
    pub(crate) fn with_debug(&mut self, path: &Path, file: Arc<ProgramFile>) -> Beside {
        let beside = Elf::parse(&*file).map(|(elf, _)| self.complete(&elf, path)).unwrap_or_default();
        Beside { debug: Some(file), ..beside }
    }

    /// What belongs to a file with DWARF: what `dwz` took out, and split units.
    fn complete(&mut self, elf: &Elf<&ProgramFile>, path: &Path) -> Beside {
        let alternate = elf.alternate_link().and_then(|link| {
            let id = hexadecimal(&link.build_id);
            let folders = [path.parent(), self.path.parent()].into_iter().flatten();
            let mut paths: Vec<PathBuf> = folders.map(|folder| folder.join(&*link.path)).collect();
            paths.push(Path::new(FOLDER).join(link.path.trim_start_matches("../")));
            let by_path = |paths: Vec<PathBuf>, search: &mut Self| {
                paths.iter().find_map(|path| search.open(path, |elf| has_id(elf, &id)))
            };
            self.by_id(&id).or_else(|| by_path(paths, self)).map(|(_, file)| file)
        });
        let split = elf.section(".debug_addr").is_some();
        let package = [path, self.path].into_iter().filter(|_| split).find_map(|path| {
            let mut path = path.as_os_str().to_owned();
            path.push(".dwp");
            self.open(Path::new(&path), |elf| elf.section(".debug_cu_index").is_some())
        });
        Beside { alternate, package: package.map(|(_, file)| file), ..self.with_nothing() }
    }

    /// No file, but where others are to be looked for.
    pub(super) fn with_nothing(&self) -> Beside {
        Beside { tgid: self.tgid, counts: self.counts.clone(), ..Beside::default() }
    }

    fn by_id(&mut self, id: &str) -> Option<(PathBuf, Arc<ProgramFile>)> {
        let (first, rest) = id.split_at_checked(2)?;
        self.open(Path::new(&format!("{FOLDER}/.build-id/{first}/{rest}.debug")), |elf| has_id(elf, id))
    }

    /// The file of a linked name with the program's build id. Those without one, or of a program without one, go to `unsure`.
    fn linked(
        &mut self,
        name: &str,
        id: &Option<BuildId>,
        own: Identity,
        unsure: &mut Vec<(PathBuf, Arc<ProgramFile>)>,
    ) -> Option<(PathBuf, Arc<ProgramFile>)> {
        let folder = self.path.parent()?;
        let global = Path::new(FOLDER).join(folder.strip_prefix("/").unwrap_or(folder));
        for path in [folder.join(name), folder.join(".debug").join(name), global.join(name)] {
            for tgid in roots(self.tgid) {
                let Ok(found) = self.proc.open_root_relative(tgid, &path) else { continue };
                if found.identity == own {
                    continue;
                }
                let file = Arc::new(ProgramFile::reached(found, self.counts));
                let Ok((elf, _)) = Elf::parse(&*file) else { continue };
                match (elf.build_id(), id) {
                    (Some(its), Some(id)) if its == *id => return Some((path, Arc::clone(&file))),
                    (Some(_), Some(_)) => {}
                    _ => unsure.push((path.clone(), Arc::clone(&file))),
                }
            }
        }
        None
    }

    /// The first file of this path that is what is wanted.
    fn open(&mut self, path: &Path, is_it: impl Fn(&Elf<&ProgramFile>) -> bool) -> Option<(PathBuf, Arc<ProgramFile>)> {
        roots(self.tgid).find_map(|tgid| {
            let found = self.proc.open_root_relative(tgid, path).ok()?;
            let file = ProgramFile::reached(found, self.counts);
            let right = Elf::parse(&file).is_ok_and(|(elf, _)| is_it(&elf));
            right.then(|| (path.to_owned(), Arc::new(file)))
        })
    }
}

pub(super) fn has_id<R: ReadAt>(elf: &Elf<R>, id: &str) -> bool {
    gnu(elf.build_id()).is_some_and(|its| its == id)
}

fn gnu(id: Option<BuildId>) -> Option<String> {
    match id? {
        BuildId::Gnu(bytes) => Some(hexadecimal(&bytes)),
        BuildId::Go(_) => None,
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
